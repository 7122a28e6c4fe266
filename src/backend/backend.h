/* backend - the interface that every model implements, remote or local.
 * A backend hears audio and speaks replies. All functions are called on the main loop's thread and
 * return at once; all events come back on that thread, never from inside a call. Pointers in an
 * event are borrowed until the handler returns. Functions that a backend does not have are NULL in
 * its ops; its capabilities say the same in words. */
#ifndef HULLO_BACKEND_BACKEND_H
#define HULLO_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "util/err.h"
#include "util/log.h"

struct endpoint;
struct models;
struct recording;

enum backend_event_type {
    BACKEND_READY,          /* may be used; .text says what it runs on, for people */
    BACKEND_NOTICE,         /* .text: something people should know, such as a lower step in use */
    BACKEND_SPEECH_STARTED, /* .at: first sample of the user's turn, counted since open or clear */
    BACKEND_SPEECH_STOPPED, /* .at: sample after the last speech of the turn */
    BACKEND_HEARD_PART,    /* .text: the turn in hand so far; the next one, or HEARD, replaces it */
    BACKEND_HEARD,         /* .text: the user's turn, final; "" when it had no words. .committed,
                              .late, .at and .until: where it was, both 0 when not known */
    BACKEND_REPLY_STARTED, /* .item: the reply that events from here on belong to; follows each
                              HEARD with words, unless that is .late */
    BACKEND_REPLY_TEXT,    /* .text: the next piece of the reply's text */
    BACKEND_REPLY_AUDIO,   /* .samples, .count, .rate_hz: the next piece of the reply's speech */
    BACKEND_REPLY_DONE,    /* exactly one for each REPLY_STARTED: it is complete, failed, or was
                              .cancelled; .timing */
    BACKEND_GLANCED,       /* .text: what a bit of speech says; "" nothing */
    BACKEND_USAGE,         /* .usage: what was spent since the last such event */
    BACKEND_LINK, /* .connected: the connection is there again, or is lost and made anew; .text says
                     why or where to; .error: why, or NULL. Nothing is lost by it */
    BACKEND_ERROR, /* .error; .fatal: the backend is of no use any more; else the turn in hand
                      failed */
};

/* Stages of a turn, in milliseconds after the end of input (the commit, or the end-of-turn
 * decision); what was ready before it is 0; -1: did not happen. */
struct backend_timing {
    double heard_ms, first_token_ms, first_clause_ms, first_audio_ms, done_ms;
    double network_ms; /* of these, on the way there and back */
};

/* What a provider bills, in tokens; seconds of a session that is billed by time. */
struct backend_usage {
    uint64_t text_in, text_cached, audio_in, audio_cached, text_out, audio_out;
    double seconds;
    const char *model; /* whose prices apply; NULL: the session's */
};

struct backend_event {
    enum backend_event_type type;
    uint32_t item;
    uint64_t at, until;
    const char *text; /* UTF-8, already cleaned of control bytes */
    const int16_t *samples;
    size_t count;
    int rate_hz;
    bool committed; /* this turn was ended by commit or send_text */
    bool late; /* the reply to this turn has begun before its words were known, or none is due */
    bool connected;
    bool cancelled, fatal;
    struct backend_usage usage;
    struct backend_timing timing;
    const struct err *error;
};

typedef void backend_event_fn(void *user, const struct backend_event *ev);

enum backend_task {
    BACKEND_CONVERSE,
    BACKEND_TRANSCRIBE, /* HEARD_PART and HEARD only; no reply */
    BACKEND_TRANSLATE,  /* replies are what the user says, in another language */
};

enum backend_turns {                    /* who ends the user's turn */
                     BACKEND_TURNS_OWN, /* the backend, as it does best */
                     BACKEND_TURNS_SERVER,
                     BACKEND_TURNS_SEMANTIC,
                     BACKEND_TURNS_CLIENT, /* our own detector, on this machine */
};

/* What a user can say about a conversation and change in the middle of it. Strings NULL: the
 * backend's own. */
struct backend_settings {
    const char *instructions; /* system prompt */
    const char *voice;        /* "auto" or by name */
    const char *effort;       /* minimal, low, medium, high, xhigh */
    const char *eagerness;    /* low, medium, high: how soon a turn ends */
    const char *noise;        /* noise reduction: near, far, off */
    const char *language;     /* of the user's speech, as in "en" */
    const char *to;           /* language of a translation */
    const char *delay;        /* of a transcription: minimal to xhigh */
    double speed;             /* of the speech, 0.25 to 1.5; 0: the backend's own */
    double retention;         /* of the conversation when it is cut, 0 to 1; 0: the backend's own */
    int max_tokens;           /* of a reply; 0: the backend's own */
    enum backend_turns turns;
};

struct backend_caps {
    bool continuous;   /* hears all the time, silence too: nothing that is played makes the
                          microphone wait, and speech does not stop a reply */
    bool can_truncate; /* truncate and remembered are there */
};

#define BACKEND_HZ 16000 /* of the audio that a backend hears */

struct backend {
    const struct backend_ops *ops;
    struct backend_caps caps;
};

struct backend_ops {
    const char *name, *help;

    /* Audio from the user, mono 16 bit at BACKEND_HZ. Returns the samples that wait inside,
     * unprocessed, so that a caller that reads a file can hold back; or a negative errno, and x is
     * not taken: -EAGAIN when too much waits. */
    int64_t (*append)(struct backend *b, const int16_t *x, size_t n);

    /* The user's turn ends here: exactly one HEARD with .committed follows, and a reply if there
     * were words in it. */
    int (*commit)(struct backend *b);
    void (*detect_turns)(struct backend *b, bool on); /* turn detection, in mid-conversation */
    void (*clear)(struct backend *b); /* drops audio that has not become a turn; sample counts start
                                         again at 0 */

    int (*send_text)(struct backend *b, const char *text); /* a user's turn in writing, as if
                                                              committed */

    /* Stops the reply in hand: no event of it follows except REPLY_DONE with .cancelled. No reply:
     * nothing happens. */
    void (*cancel)(struct backend *b);

    /* Only the first played_ms of the item's speech were heard: the memory of the conversation
     * keeps no more. */
    void (*truncate)(struct backend *b, uint32_t item, double played_ms);

    /* The item's text as the memory of the conversation keeps it: after truncate, what was heard of
     * it. Borrowed until the next call; NULL when nothing is known of that item. */
    const char *(*remembered)(struct backend *b, uint32_t item);

    /* Other settings from here on; whole, the strings are copied. NULL: they stand for good.
     * 0, -ENOTSUP (STATUS_USAGE: what cannot be changed now), -ENOMEM. */
    int (*adjust)(struct backend *b, const struct backend_settings *settings, struct err *e);

    /* What a bit of speech says, apart from the conversation: one GLANCED follows, unless the
     * engine fails. 16 kHz mono, a few seconds; copies x. 0 or a negative errno. */
    int (*glance)(struct backend *b, const int16_t *x, size_t n);

    /* Drops every turn in hand, without further events, and starts a conversation without memory.
     * Sample counts start again at 0. */
    void (*forget)(struct backend *b);

    /* Stops everything and frees b when the loop has run once more; no event follows. All but
     * this may be called from inside an event. */
    void (*close)(struct backend *b);
};

struct backend_config {
    uv_loop_t *loop;
    const struct log *log;
    backend_event_fn *event;
    void *user;
    const struct models *models;
    enum backend_task task;
    struct backend_settings settings;
    const struct endpoint *endpoints; /* remote ones, tried in this order; NULL: none */
    size_t endpoint_count;
    const char *record; /* a new file for what goes over the wire both ways; NULL: none */
    bool record_audio;  /* ... with the audio */
    const struct recording *replay;          /* takes the place of the network; NULL: none */
    const char *model;                       /* by name; NULL: the best there is */
    const char *model_path;                  /* a model file of the user's; NULL: none */
    const char *llm_url, *stt_url, *api_key; /* servers in place of local engines; NULL: none */
    bool speak;                              /* speech is wanted, not only text */
    bool turn_detection;                     /* the backend ends turns, else commit does */
};

/* A provider, or a way of speaking to one. */
struct backend_dialect {
    const char *name;          /* as in --dialect */
    const char *title;         /* for people */
    const char *key_env;       /* where the key is looked for before HULLO_API_KEY; NULL: nowhere */
    const char *const *models; /* beginnings of names that mean this dialect without --dialect;
                                  "*" is anything; ends with NULL; NULL: none */
    bool tasks[3];             /* by enum backend_task: it can do that */
    const char *model[3];      /* ... with this one; NULL: the endpoint must say */
    bool wants_url;            /* it is nowhere of its own */
    const char *run_against;   /* "the real service, 2026-11"; NULL: only its description */
};

/* What the registry lists. Strings of the config outlive the backend. open returns at once; READY
 * or a fatal ERROR follows on the loop. */
struct backend_kind {
    const char *name, *help;
    const struct backend_dialect *(*dialect)(
        size_t i); /* NULL behind the last; NULL: none at all */
    int (*open)(struct backend **out, const struct backend_config *config, struct err *e);
};

#endif
