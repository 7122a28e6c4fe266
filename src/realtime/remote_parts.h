/* remote_parts - what the parts of the remote backend share; nobody else includes it.
 *   remote.c         the backend's functions, and what becomes of the link's events
 *   remote_events.c  what becomes of the wire's
 *   remote_audio.c   the user's audio on its way to the wire, and where it is there
 *   remote_turns.c   the user's turns, and their words
 *   remote_reply.c   replies: one at a time
 *   remote_again.c   connections: what a new one is told
 *   remote_ear.c     our own detector of turns
 *   remote_places.c  endpoints as places of the link
 * Positions are those of the spool: samples since the backend was opened. Functions that tell the
 * program something say so; the program may call the backend from there, so that whoever calls them
 * must not hold on to a turn, to the reply or to the connection. */
#ifndef HULLO_REALTIME_REMOTE_PARTS_H
#define HULLO_REALTIME_REMOTE_PARTS_H

#include "backend/backend.h"
#include "realtime/dialect.h"
#include "realtime/journal.h"
#include "realtime/link.h"
#include "realtime/recorder.h"
#include "realtime/spool.h"
#include "realtime/wire.h"
#include "util/buf.h"

struct ear;
struct remote;
struct resample;

enum {
    REMOTE_PIECE = BACKEND_HZ / 10,
    REMOTE_STRETCHES = 16,
    REMOTE_REPLIES = 8,
    REMOTE_PARTS = 8,
    REMOTE_PAST = 16
};

#define REMOTE_MS(x) ((uint64_t)(x)*BACKEND_HZ / 1000)

/* --- connections */

/* From its sample `fed` on, a connection was given the spool's audio from `pos` on. */
struct stretch {
    uint64_t fed, pos;
};

struct conn {
    struct remote *remote;
    const struct dialect *dialect;
    const struct wire_ops *ops;
    struct wire *wire; /* NULL: there is none */
    size_t place;
    unsigned number;
    bool next;     /* it is the second one, and not in use yet */
    bool dead;     /* nothing that comes over it matters any more */
    bool started;  /* its wire was */
    bool ready;    /* the server says so */
    bool told;     /* ... the conversation: audio may go out */
    bool used;     /* its session remembers something of the conversation */
    bool resumed;  /* its session goes on with that of an earlier connection */
    bool finished; /* it was told that no more audio comes */
    bool ended;    /* ... and has given all that was due */
    int64_t born_ns;
    int64_t renew_ns;    /* another one should take its place from then on; 0: never */
    int64_t end_ns;      /* the server ends it then; 0: not known */
    unsigned bad;        /* messages in a row that made no sense */
    bool puzzled;        /* that one came was told */
    bool held;           /* too much waits to be sent */
    bool active;         /* the server was told that the user speaks */
    struct resample *in; /* NULL: not begun, or begins anew */
    uint64_t fed;        /* samples at BACKEND_HZ */
    uint64_t next_pos;   /* of the sample that would follow without a gap */
    struct stretch stretches[REMOTE_STRETCHES];
    size_t stretch_count;
};

/* --- the user's turns */

enum user_state {
    USER_SPEAKS,  /* it is open */
    USER_WAITS,   /* for its reply */
    USER_SETTLED, /* it was answered, or needs no answer */
};

struct user_turn {
    struct user_turn *next;
    uint32_t id;
    uint64_t start, end;    /* positions; equal: it has no audio */
    char item[WIRE_ID + 1]; /* the provider's name for it on this connection */
    enum user_state state;
    bool written;             /* words holds what */
    bool committed;           /* by the caller */
    bool ours;                /* ended by us, not by the server */
    bool again;               /* its beginning was told; the server will tell it again */
    bool hushed;              /* ... and was told its end by silence */
    bool given;               /* the server has all of it */
    bool ask;                 /* we have to ask for a reply to it */
    bool begun;               /* a reply to it has begun */
    bool wordless;            /* it was given in a way of which no words are told */
    bool known;               /* words are final */
    bool lost;                /* ... because they will never be known */
    bool told;                /* HEARD was */
    bool stream;              /* words without audio of its own: a continuous session's */
    bool start_due, stop_due; /* its beginning and its end are to be told */
    struct buf words;
    int64_t ended_ns, heard_ns, touched_ns;
};

/* --- replies */

struct reply_part {
    char item[WIRE_ID + 1];
    double ms; /* of its speech, received */
};

struct reply {
    uint32_t item;   /* 0: none */
    uint32_t upto;   /* answers the user's turns up to this one */
    unsigned number; /* of the connection that the parts are of */
    struct reply_part parts[REMOTE_PARTS];
    size_t part_count;
    double before_ms; /* of its speech that came over earlier connections */
    double made_ms;   /* in all */
    size_t text_bytes;
    bool done;     /* was told */
    bool complete; /* all of it was made */
    bool cancelled;
    bool cut;      /* journal and server keep what was heard */
    bool broken;   /* what will be asked for anew goes on with it */
    bool retried;  /* its failure was answered by asking again */
    double cut_ms; /* to be told to the server; -1: nothing is */
    int64_t input_ns, heard_ns, token_ns, audio_ns, last_ns;
};

/* What the server was asked for, and what it is at. */
struct asking {
    bool out;      /* asked, and nothing has begun yet */
    bool unwanted; /* ... and will be cancelled as soon as it does */
    uint32_t upto; /* ... for this turn */
    bool due;      /* to be asked for though no turn wants it */
    bool go_on;    /* ... the rest of the reply in hand */
    bool busy;     /* the server makes a reply */
    bool wanted;   /* ... that is the one in hand */
    bool asked;    /* ... for which we had asked */
    char id[WIRE_ID + 1];
    int64_t since_ns, not_before_ns;
    bool pausing; /* continuous: what comes until the next pause is not wanted */
};

/* --- all of it */

struct settings_copy {
    struct backend_settings s;
    struct buf strings;
};

/* One endpoint, resolved. */
struct place {
    const struct endpoint *endpoint;
    const struct dialect *dialect;
    struct dialect *generic; /* dialect, where it was made for this endpoint */
    const char *model;
    char *url;
    char *key;            /* the header that carries it; NULL: none */
    const char **headers; /* NULL-terminated; point to key and to the endpoint's */
};

/* A turn that is not in the list any more. */
struct past_turn {
    uint32_t id;
    char item[WIRE_ID + 1];
};

struct remote {
    struct backend base;
    struct backend_config config;     /* strings are the caller's */
    struct settings_copy *settings;   /* as they are now */
    struct backend_settings for_wire; /* the same, as the wire in use is to understand them */
    struct place *places;
    struct link_place *link_places;
    size_t place_count;
    struct link *link;
    const char **secrets;               /* that nobody is told; NULL-terminated */
    struct transport_recorded recorded; /* .recorder NULL: nothing is */
    struct transport_replay replay;
    uv_async_t kick;
    uv_timer_t tick;
    unsigned handles; /* that are not closed yet */

    struct conn conn, next;
    unsigned connections;
    struct conn *taking; /* whose wire takes a message */
    struct wire *gone;   /* to be freed behind that */
    const struct wire_ops *gone_ops;
    bool ready;       /* READY was told */
    bool dead;        /* nothing is told any more */
    bool down;        /* the program knows that there is no connection */
    bool attending;   /* as the link was told */
    bool renewing;    /* a second connection is being made, or there */
    bool fresh;       /* ... and must be without memory: nothing goes out before */
    bool wanted_anew; /* other settings want a new session */
    int64_t renew_not_before_ns;
    bool limited; /* was told */
    bool silent;  /* a connection was given up because no reply came over it */
    char *handle; /* to go on with, on another connection to the same place */
    size_t handle_place;
    uint32_t handle_turn, handle_item; /* what its session knows */

    struct spool *spool;
    uint64_t zero;   /* of the caller's counting */
    uint64_t floor;  /* audio before it is dealt with */
    uint64_t sent;   /* ... is with the server */
    bool detect;     /* turns are ended without commit */
    struct ear *ear; /* NULL: by the server */
    struct user_turn *turns, **last_turn;
    uint32_t next_turn;
    struct past_turn past[REMOTE_PAST];
    size_t past_count;
    int64_t fed_ns;   /* when audio came in last; 0: never */
    int64_t input_ns; /* when the user's input ended last */
    int64_t hush_ns;  /* behind the end of the input, silence was sent until then */

    struct reply replies[REMOTE_REPLIES];
    struct reply *reply; /* in hand: not done yet. NULL: none */
    uint32_t next_item;
    struct asking ask;
    double ms_per_char; /* of speech; 0: not known */
    struct journal *journal;
};

/* Whether what is said goes to a session that knows the conversation. */
bool remote_up(const struct remote *r);

void remote_tell(struct remote *r, struct backend_event ev); /* the program: its event handler */

/* What was said cannot be sent, or makes no sense: another connection. */
void remote_conn_fail(struct remote *r, int rc, const char *why);

/* --- remote_audio.c */

/* Sends what there is, and ends the turns that end there. Tells nothing. */
void remote_audio_send(struct remote *r);
uint64_t remote_audio_waiting(const struct remote *r); /* samples */

/* A turn's audio in one message. 0, -ENOENT (not all of it is there any more), or as wire_ops. */
int remote_audio_turn(struct remote *r, const struct user_turn *t);
int remote_audio_silence(struct remote *r, unsigned ms); /* of nobody's */

/* The position that a connection's audio had at so many ms of it. */
uint64_t remote_audio_position(const struct conn *c, double ms);
bool remote_audio_loud(const struct remote *r, uint64_t from, uint64_t to); /* something is in it */
void remote_audio_trim(struct remote *r); /* drops what nobody can ask for again */
void remote_audio_end(struct conn *c);    /* frees what a connection had */

/* --- remote_turns.c */

enum remote_mode {
    BY_SERVER, /* who ends turns */
    BY_EAR,
    BY_CALLER
};
enum remote_mode remote_mode(const struct remote *r);

struct user_turn *remote_turn_open(const struct remote *r); /* that is being spoken, or NULL */
struct user_turn *remote_turn(const struct remote *r, uint32_t id); /* or NULL */
uint32_t remote_turn_last(const struct remote *r); /* the last one that is complete; 0: none was */

/* What the wire says. These tell. */
void remote_speech_started(struct conn *c, const struct wire_event *ev);
void remote_speech_stopped(struct conn *c, const struct wire_event *ev);
void remote_committed(struct conn *c, const struct wire_event *ev);
void remote_heard_part(struct conn *c, const struct wire_event *ev);
void remote_heard(struct conn *c, const struct wire_event *ev, bool failed);

/* What our own ear says. They tell nothing yet. */
void remote_turn_begins(struct remote *r, uint64_t at);
void remote_turn_ends(struct remote *r, uint64_t at);

int remote_turn_commit(struct remote *r);
bool remote_turn_ends_all(const struct remote *r); /* a commit waits for a session without turns */
int remote_turn_text(struct remote *r, const char *text);

void remote_turns_tell(struct remote *r); /* what is due of turns and their words, in order */
void remote_turns_begun(struct remote *r, uint32_t upto);  /* a reply to them has begun */
void remote_turns_settle(struct remote *r, uint32_t upto); /* they need no answer any more */
void remote_turns_clear(struct remote *r);  /* the one that is being spoken never was */
void remote_turns_forget(struct remote *r); /* none of them ever was */
void remote_turns_lost(struct remote *r);   /* the connection was lost */
void remote_turns_ended(struct remote *r);  /* a session without turns has said all. Tells */
void remote_turns_tick(struct remote *r);   /* Tells */

/* --- remote_reply.c */

/* What the wire says. These tell. */
void remote_reply_started(struct conn *c, const struct wire_event *ev);
void remote_reply_text(struct conn *c, const struct wire_event *ev);
void remote_reply_audio(struct conn *c, const struct wire_event *ev);
void remote_reply_done(struct conn *c, const struct wire_event *ev);
void remote_reply_interrupted(struct conn *c);
void remote_reply_active(struct remote *r); /* another one is, the server says */
void remote_reply_limited(struct remote *r, double ms, const struct err *error);

void remote_reply_ask(struct remote *r); /* for the next one that is due. Tells nothing */
void remote_reply_cancel(struct remote *r);
void remote_reply_truncate(struct remote *r, uint32_t item, double played_ms);
void remote_reply_settle(struct remote *r); /* what is due of a reply that was cancelled. Tells */
void remote_reply_forget(struct remote *r);
void remote_reply_lost(struct remote *r); /* the connection was. Tells */
void remote_reply_tick(struct remote *r); /* Tells */

/* --- remote_again.c */

void remote_again_open(struct remote *r, size_t place); /* the connection in use is there */
void remote_again_ready(struct remote *r);              /* ... and the server is. Tells */
void remote_again_lost(struct remote *r);   /* ... or was lost: another one will come. Tells */
void remote_again_forget(struct remote *r); /* a session without memory is wanted */
void remote_again_wanted(struct remote *r); /* ... at once: something is said */
void remote_again_next(struct remote *r, size_t place); /* the second one is there. Tells */
void remote_again_next_lost(struct remote *r);
bool remote_again_over(struct remote *r); /* goes on with the second one, if it can. Tells */
void remote_again_going(struct remote *r, double ms); /* the server ends the connection then */
void remote_again_handle(struct remote *r, const char *handle);
void remote_again_tick(struct remote *r); /* Tells */
void remote_conn_settings(struct remote *r, const struct backend_settings *s, size_t place);
void remote_conn_drop(struct conn *c); /* frees it once nobody is inside it */

/* --- remote_events.c: what the wire says */

void remote_tell_ready(struct remote *r); /* "talks to gpt-realtime-2 at api.openai.com", once */
void remote_tell_connected(struct remote *r);
void remote_on_ended(struct remote *r); /* all that was to come has come. Tells */
void remote_on_wire(void *user, const struct wire_event *ev);
int remote_on_send(void *user, const char *json, size_t n);

/* --- remote_ear.c */

/* 0; -ENOMEM, and what the weights' file gives. */
int remote_ear_new(struct ear **out, const struct backend_config *config, struct err *e);
void remote_ear_free(struct ear *ear);               /* NULL is fine */
void remote_ear_reset(struct ear *ear, uint64_t at); /* goes on from that position, anew */
void remote_ear_hear(struct remote *r, const int16_t *x, size_t n);

/* --- remote_places.c */

int remote_places_open(struct remote *r, struct err *e);
void remote_places_free(struct remote *r);
int remote_secrets_note(struct remote *r); /* 0 or -ENOMEM */
int remote_settings_copy(struct settings_copy **out, const struct backend_settings *s);
void remote_settings_free(struct settings_copy *c); /* NULL is fine */

#endif
