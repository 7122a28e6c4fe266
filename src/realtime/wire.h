/* wire - the codec of one protocol of realtime endpoints: it turns what we want to say into the
 * provider's JSON, and the provider's JSON into what happened. No I/O, no clock, no threads of its
 * own: what is to be sent goes to `send`, what happened to `event`, both from inside a call.
 * One struct wire lives as long as one connection. Everything that comes in is hostile until
 * checked: sizes, types, base64, odd byte counts, nesting; strings are cleaned (text_clean) and
 * bounded before they leave in an event. Unknown events and unknown fields are tolerated.
 *
 * A provider's names for a turn (input item), a reply (response) and a part of a reply (output
 * item) are strings; they are handed on as they are, at most WIRE_ID bytes; a longer one is none.
 */
#ifndef HULLO_REALTIME_WIRE_H
#define HULLO_REALTIME_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"
#include "util/err.h"

struct dialect;
struct wire;

enum { WIRE_ID = 128, WIRE_TEXT_MAX = 64 << 10 };

enum wire_event_type {
    WIRE_READY,          /* the session is there: what has to wait for it may be sent */
    WIRE_SETTLED,        /* settings that were sent are in force */
    WIRE_SPEECH_STARTED, /* .ms: in the audio since the connection began; -1: not told. .item */
    WIRE_SPEECH_STOPPED, /* .ms, .item */
    WIRE_COMMITTED,      /* .item: the audio so far is a turn of the user's */
    WIRE_HEARD_PART,     /* .item, .text: the next piece of a turn's words; .anew: in place of the
                            pieces so far */
    WIRE_HEARD,          /* .item, .text: all of a turn's words; replaces the pieces. Of the same
                            turn once more: words that came late are in it besides */
    WIRE_HEARD_FAILED,   /* .item, .error: its words will never be known */
    WIRE_REPLY_STARTED,  /* .reply */
    WIRE_REPLY_TEXT,     /* .reply, .item, .text: the next piece of what it says */
    WIRE_REPLY_AUDIO,    /* .reply, .item, .samples, .count, .rate_hz: the next piece */
    WIRE_REPLY_DONE,     /* .reply, .outcome, .usage, .error where it failed, or was
                            broken off for a reason that is told */
    WIRE_INTERRUPTED,    /* the model itself has stopped its reply: the user speaks */
    WIRE_USAGE,          /* .usage, apart from any reply; counts are since the last such event */
    WIRE_HANDLE,         /* .text: names this session to a later connection (resumption) */
    WIRE_GOING,          /* .ms: until the server ends the connection; -1: soon */
    WIRE_ERROR,          /* .error, .fault; .text "settings": it is those that were refused */
    WIRE_ENDED,          /* the server has said goodbye to the session, in its protocol */
    WIRE_UNKNOWN,        /* .text: the name of an event that nobody here knows */
};

enum wire_outcome { WIRE_COMPLETE, WIRE_CANCELLED, WIRE_INCOMPLETE, WIRE_FAILED };

/* What follows from an error. */
enum wire_fault {
    WIRE_REFUSED,   /* a request was: nothing else changes (cancel or truncate came late, nothing
                       to commit, an unknown field) */
    WIRE_ACTIVE,    /* a reply was asked for while another one is active: ask again after it */
    WIRE_LIMITED,   /* too much at the moment: .ms until it is worth trying again, -1 not told */
    WIRE_OVER,      /* this session has reached its end: another one goes on */
    WIRE_SERVER,    /* the provider has a problem: another connection may not have it */
    WIRE_FORBIDDEN, /* final: the key */
    WIRE_SPENT,     /* final: the account has no money left, or no right to this model */
    WIRE_WRONG,     /* final: the endpoint is not what was configured (no such model, another
                       protocol version) */
};

struct wire_event {
    enum wire_event_type type;
    const char *item, *reply; /* "" when none was told */
    const char *text;         /* UTF-8, cleaned; "" rather than NULL */
    bool anew;
    double ms;
    const int16_t *samples; /* borrowed */
    size_t count;
    int rate_hz;
    enum wire_outcome outcome;
    enum wire_fault fault;
    struct backend_usage usage;
    const struct err *error;
};

struct wire_config {
    const struct dialect *dialect;
    enum backend_task task;
    const char *model;
    const struct backend_settings *settings; /* until wire_settings says others: borrowed for the
                                                life of the wire */
    const char *handle; /* of WIRE_HANDLE, to go on with; NULL: a new session */
    bool speak;         /* speech is wanted, not only text */
    int (*send)(void *user, const char *json, size_t n); /* 0 or a negative errno */
    void (*event)(void *user, const struct wire_event *ev);
    void *user;
};

struct wire_caps {
    int input_hz;     /* that audio and user_audio take */
    bool eager;       /* all may be sent right behind start, without waiting for READY */
    bool continuous;  /* hears all the time, silence too; there are no turns to end */
    bool asks;        /* replies are asked for (respond) where the provider does not detect turns;
                         else the model alone decides when to speak */
    bool cancels;     /* cancel and truncate exist; else only our loudspeaker can be silenced */
    bool writes;      /* user_text, assistant_text: a conversation can be written into a session */
    bool early;       /* ... before start, and only then; later user_text is a question */
    bool audio_turns; /* user_audio: a whole turn at once */
    bool resumes;     /* by handle */
    bool detects;     /* ends turns by itself, if it is told to */
    bool commits;     /* a turn can be ended by us */
    bool transcribes; /* tells the words of the user */
    bool adjusts;     /* settings may change in mid-conversation */
    int cap_s;        /* a session lasts no longer; 0: not known */
};

/* A protocol. What caps deny is NULL. Each returns 0, -ENOMEM, or what send returned. */
struct wire_ops {
    const char *name;

    int (*open)(struct wire **out, const struct wire_config *config); /* sends nothing yet */
    void (*free)(struct wire *w);
    const struct wire_caps *(*caps)(const struct wire *w);

    int (*start)(struct wire *w); /* the first words on a new connection, with the settings */
    /* 1: said, but only a new session can follow all of them (another voice). */
    int (*settings)(struct wire *w, const struct backend_settings *settings);
    int (*audio)(struct wire *w, const int16_t *x, size_t n);
    int (*activity)(struct wire *w, bool on); /* the user begins or ceases to speak, where we detect
                                                 turns; NULL: nobody wants to know */
    int (*commit)(struct wire *w);
    int (*clear)(struct wire *w); /* forgets audio that is no turn yet */
    int (*user_text)(struct wire *w, const char *text);
    int (*user_audio)(struct wire *w, const int16_t *x, size_t n);
    int (*assistant_text)(struct wire *w, const char *text);
    int (*respond)(struct wire *w, const char *instructions); /* NULL: the session's own */
    int (*cancel)(struct wire *w, const char *reply);
    int (*truncate)(struct wire *w, const char *item, double played_ms);
    int (*finish)(struct wire *w); /* no more audio comes: what is still due may follow, then ENDED;
                                      NULL: nothing to be said */

    /* What it means that the server has closed the connection with this code and reason (cleaned);
     * WIRE_SERVER: nothing but that it is over. NULL: it always means that. */
    enum wire_fault (*closed)(int code, const char *reason);

    /* A message of the server's. 0, -EBADMSG (not a JSON object, or one that makes no sense; no
     * event), -EMSGSIZE (beyond the limits of util/json.h). */
    int (*take)(struct wire *w, const char *bytes, size_t n);
};

extern const struct wire_ops wire_openai;    /* OpenAI Realtime: voice and transcription sessions,
                                                and the dialects of it */
extern const struct wire_ops wire_translate; /* OpenAI's translation sessions */
extern const struct wire_ops wire_gpt_live;  /* GPT-Live */
extern const struct wire_ops wire_gemini;    /* Gemini Live */

#endif
