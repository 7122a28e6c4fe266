/* session_parts - what session.c (the conversation), session_listen.c (whom the microphone is for)
 * and session_reply.c (the reply, on its way to the loudspeaker) share. Nobody else includes it. */
#ifndef HULLO_SESSION_SESSION_PARTS_H
#define HULLO_SESSION_SESSION_PARTS_H

#include "session/mic.h"
#include "session/session.h"
#include "util/buf.h"

struct session {
    struct session_config config;
    struct backend *backend;
    struct duplex *sound;
    uv_async_t wake;
    bool closing;

    /* the microphone */
    struct mic mic;
    bool half; /* it rests while a reply is being heard */
    bool half_said, full_said;
    int64_t quiet_ns; /* the reply has ended, and so has its echo from here on; 0: it has not */
    int64_t voice_ns; /* while the microphone is kept: there is speech since; 0: there is none */
    bool lost;        /* the device */
    bool muted;       /* by the user */
    bool talking;     /* push-to-talk */
    size_t finish;    /* samples to come until what the user has talked is a turn; 0: none */

    /* the user's turn */
    bool speaking;         /* ... is open at the backend */
    uint64_t speech_start; /* in the backend's samples */
    int64_t speech_end_ns; /* last speech at the microphone, not yet heard as words; 0: not known */
    int64_t spoken_ns;     /* the sound path's newest speech; 0: none yet */
    int64_t asked_ns;      /* the same, of the turn that the reply answers */
    int64_t decided_ns;    /* the turn's end was told, or we told it */
    unsigned written;      /* turns in writing that the backend has yet to take */
    bool heard;            /* the words of the turn that the next reply answers were told */

    /* the reply */
    uint32_t item;  /* 0: none */
    int rate_hz;    /* of its speech */
    bool generated; /* the backend is done with it */
    bool audible;   /* some of it was handed to the sound path */
    bool played;    /* the sound path is done with it */
    bool cancelled;
    int64_t arrived_ns;        /* the first of its speech came; 0: none yet */
    int64_t sounded_ns;        /* ... and was heard */
    bool held;                 /* the user seems to speak */
    int64_t held_ns;           /* ... since */
    uint32_t glanced;          /* the reply over which something short was said */
    struct buf waiting;        /* its speech, while the user speaks */
    struct session_event done; /* what REPLY_DONE will say */
};

void session_tell(struct session *s, struct session_event ev); /* the program: its event handler */

/* --- session_listen.c */

void session_listen(struct session *s); /* takes what was captured since the last time */

/* The user's turn again, from at_ns on (0: now). What the backend heard before is forgotten, so
 * that it does not take up in the middle. */
void session_listen_again(struct session *s, int64_t at_ns);

/* ... once the reply that was just silenced has died away in the room. */
void session_listen_when_quiet(struct session *s);

/* ... once the reply that ended by itself at ended_ns has. Who answers at once may have begun
 * before that, which shows a moment later. */
void session_listen_after_reply(struct session *s, int64_t ended_ns);

/* Where the user speaks over the reply: their turn, from their first word on. */
void session_hand_over(struct session *s);

void session_talked(struct session *s); /* push-to-talk: what was said has come in, and is a turn */

/* --- session_reply.c */

/* What the backend says of it; of any other than the reply in hand: nothing. */
void session_reply_begin(struct session *s, uint32_t item);
void session_reply_audio(struct session *s, const struct backend_event *ev);
void session_reply_generated(struct session *s, const struct backend_event *ev);

/* Its last sample was heard, or it was silenced: DUPLEX_ENDED of the reply in hand. */
void session_reply_ended(struct session *s, const struct duplex_event *ev);

/* The user has not gone on to speak: what waited is for them to hear. */
void session_play_waiting(struct session *s);

/* Silences it, and has the backend cancel what is not made yet. */
void session_reply_stop(struct session *s);

/* The backend is done with a reply that is still being heard, and goes on to a turn that waited: a
 * line that was written meanwhile, which stops the reply as any turn does; or the next turn of a
 * recording, whose replies are heard one after the other. */
void session_reply_overtaken(struct session *s);

void session_reply_maybe_done(struct session *s); /* REPLY_DONE, where nothing is left of it */

#endif
