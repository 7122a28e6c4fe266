/* session - one conversation: a backend on one side, the sound path on the other, and the truth
 * about both. It is the sole owner of the conversation's mutable state and lives on the main loop's
 * thread; every event comes on that thread, never from inside a call of this interface.
 *
 * With capture, the microphone goes to the backend. With playback, replies are played, and a reply
 * is done when its last sample was heard. With both, the user may speak at any time:
 * - while a reply is being heard, the microphone is kept for a while instead (mic.h). When the
 *   sound path finds that the user speaks, the reply is over, and the backend is given what was
 *   kept, so that no word is lost; a cough, or "mhm", is nobody's turn.
 * - while a reply is being made, the backend hears on. What it makes is not played while the user
 *   speaks, and is dropped when they go on: that is a turn of its own.
 * Where the sound path finds that too much echo is left, and with half_duplex, the microphone rests
 * while a reply is being heard. Stopping silences the loudspeaker first, then tells the backend to
 * cancel, and to remember only what was played. */
#ifndef HULLO_SESSION_SESSION_H
#define HULLO_SESSION_SESSION_H

#include "audio/duplex.h"
#include "backend/backend.h"
#include "session/latency.h"

struct session;

enum session_event_type {
    SESSION_READY,       /* .text: what it runs on */
    SESSION_NOTICE,      /* .text: something people should know */
    SESSION_SPEECH,      /* the user began to speak */
    SESSION_HEARD_PART,  /* .text: the user's turn in hand so far; replaced by the next */
    SESSION_HEARD,       /* .text: what the user said; "" nothing. .committed, .late, .from_ms and
                            .to_ms as in backend.h */
    SESSION_REPLY_TEXT,  /* .text: the next piece of the reply */
    SESSION_REPLY_AUDIO, /* .samples, .count, .rate_hz: the next piece of its speech */
    SESSION_REPLY_SOUND, /* its first sample reached the loudspeaker; .gap_ms */
    SESSION_REPLY_DONE,  /* .cancelled, .complete, .text, .heard_ms, .timing, .gap_ms, .latency;
                            the user's turn now */
    SESSION_USAGE,       /* .usage */
    SESSION_LINK,        /* .connected, .text, .error: why it is lost, or NULL */
    SESSION_ERROR,       /* .error; .fatal: the session is over */
};

struct session_event {
    enum session_event_type type;
    const char *text;
    const int16_t *samples;
    size_t count;
    int rate_hz;
    bool committed, late, connected, fatal;
    double from_ms, to_ms; /* where a turn was: since the session began */
    struct backend_usage usage;
    bool cancelled;  /* the reply was stopped: only .text of it was heard (NULL: not known) */
    bool complete;   /* ... all of it was made all the same */
    double heard_ms; /* of its speech, at the loudspeaker; -1: nothing was to be played */
    struct backend_timing timing;
    double gap_ms; /* response gap: last speech at the microphone to first sound at the loudspeaker;
                      -1: not known */
    struct latency_turn latency; /* its parts */
    const struct err *error;
};

typedef void session_event_fn(void *user, const struct session_event *ev);

struct session_config {
    uv_loop_t *loop;
    const struct log *log;
    const struct backend_kind *backend;
    struct backend_config
        backend_config;         /* loop, log, event and user are filled in by the session */
    struct duplex_config sound; /* wake and user likewise; neither direction: no sound path */
    bool half_duplex;           /* the user's speech does not stop a reply */
    bool push_to_talk;          /* the microphone is muted but for session_talk, which ends turns */
    session_event_fn *event;
    void *user;
};

/* Opens the sound path and the backend. READY or a fatal ERROR follows. */
int session_open(struct session **out, const struct session_config *config, struct err *e);

/* Audio that does not come from the microphone, 16 kHz mono: see backend.h's append. */
int64_t session_append(struct session *s, const int16_t *x, size_t n);
int session_commit(struct session *s); /* the user's turn ends here */
int session_text(struct session *s,
                 const char *text); /* a turn in writing; stops the reply in hand */
void session_detect_turns(struct session *s, bool on);
void session_forget(struct session *s); /* the next turn starts a new conversation */

/* Other settings from here on: see backend.h's adjust. */
int session_adjust(struct session *s, const struct backend_settings *settings, struct err *e);

bool session_replying(const struct session *s); /* a reply is being made or heard */
void session_stop(
    struct session *s); /* silences and cancels the reply in hand; REPLY_DONE follows */

/* The user begins to talk, which stops the reply in hand, or has finished: a turn. Only with
 * push_to_talk. */
void session_talk(struct session *s, bool on);
bool session_talking(const struct session *s);

/* Muted, no captured sample leaves the sound callback. Talking unmutes. */
void session_mute(struct session *s, bool on);
bool session_muted(const struct session *s);

/* Lets go of the sound device and nothing else, for a program that is about to _exit: models that
 * are being loaded or are at work are not waited for. No event follows; NULL is fine. */
void session_hang_up(struct session *s);

/* Frees s when the loop has run once more; no event follows. All but this and session_hang_up may
 * be called from inside an event. NULL is fine. */
void session_close(struct session *s);

#endif
