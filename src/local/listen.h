/* listen - hears the user's turns: a thread with the voice activity detector and the turn detector.
 * Audio goes in; pieces of speech come out, at most ENGINE_MAX_SECONDS long and cut in pauses,
 * ready for speech-to-text. With turn detection, the last piece of a turn comes early, after 130 ms
 * of silence, marked as a draft: either LISTEN_RESUMED takes it back, or LISTEN_TURN confirms it.
 * So speech-to-text works while the end of the turn is decided. Functions are called on the main
 * loop's thread; events come on that thread, never from inside a call. */
#ifndef HULLO_LOCAL_LISTEN_H
#define HULLO_LOCAL_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "dsp/turn.h"
#include "util/err.h"

enum listen_event_type {
    LISTEN_STARTED, /* .at: first sample of a turn */
    LISTEN_PIECE,   /* .pcm, .count: speech, which is from .at to .until; .draft: may be taken back;
                       .part: the beginning of what will be a piece, to look at */
    LISTEN_RESUMED, /* the draft is taken back: the user goes on */
    LISTEN_TURN, /* the turn is complete: .at: sample after its last speech (0 when there was none);
                    .decided_ns */
};

struct listen_event {
    enum listen_event_type type;
    uint64_t at, until;
    const int16_t *pcm; /* borrowed until the handler returns */
    size_t count;
    bool draft, part;
    bool committed;     /* of TURN: ended by listen_commit, not by silence */
    int64_t decided_ns; /* of TURN: when it was decided, CLOCK_MONOTONIC */
};

typedef void listen_event_fn(void *user, const struct listen_event *ev);

/* Pieces that are turns, without regard to who ends turns: what is heard is wanted soon. */
enum listen_cut {
    LISTEN_CUT_NEVER,
    LISTEN_CUT_UNDETECTED, /* while turn detection is off */
    LISTEN_CUT_ALWAYS,
};

struct listen_config {
    uv_loop_t *loop;
    const char *weights; /* path of the VAD's weights */
    bool detect;         /* end turns by silence; else only listen_commit does */
    enum listen_cut cut;
    bool parts; /* while somebody speaks, and the thread keeps up: a part each second or so */
    struct turn_config turn;
    listen_event_fn *event;
    void *user;
};

#define LISTEN_WAITING_MAX ((size_t)120 * 16000) /* samples: two minutes */

struct listen;

int listen_open(struct listen **out, const struct listen_config *config, struct err *e);
/* 16 kHz mono; copies; 0, -ENOMEM, or -EAGAIN: so much waits that the thread does not keep up, and
 * x is not taken. Nothing (n is 0) always fits. */
int listen_append(struct listen *l, const int16_t *x, size_t n);
int listen_commit(struct listen *l); /* one LISTEN_TURN with .committed follows */
int listen_detect(struct listen *l, bool on);
int listen_clear(struct listen *l); /* drops what has not become a turn; counts start again at 0 */
size_t listen_waiting(const struct listen *l); /* samples appended and not yet looked at */
void listen_close(
    struct listen *l); /* no event follows; its handle is closed on the next run of the loop */

#endif
