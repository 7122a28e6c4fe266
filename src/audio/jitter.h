/* jitter - how much speech is kept ready for the callback. Two things make a reply crackle: a
 * worker that comes too late to fill the ring, and a source that delivers no faster than it is
 * heard. After the first, more is kept ahead; after the second, a little more is waited for before
 * the reply goes on. Both grow with each underrun and shrink slowly in peace. Nothing is waited for
 * before the first sample of an item, until a source has shown that it sends in real time and comes
 * a little late (network jitter): then later items begin later by that little, so that they have
 * no gap. A source that is late by more than JITTER_SHORT_MS thinks, and a later beginning would
 * not help. A pure state machine, no clock. */
#ifndef HULLO_AUDIO_JITTER_H
#define HULLO_AUDIO_JITTER_H

#include <stdbool.h>
#include <stdint.h>

#define JITTER_LEAST_MS 80 /* kept ahead at least, and at first */
#define JITTER_MOST_MS  500
#define JITTER_LONG_MS  2100 /* ... where the periods of the device are that long */
#define JITTER_WAIT_MS  400  /* the most that is waited for */
#define JITTER_SHORT_MS 120  /* ... before an item begins */

struct jitter {
    double more_ms; /* kept ahead beyond the least */
    double wait_ms; /* of speech that is waited for after the source ran dry */
    bool waiting;
    int64_t waiting_ns; /* since there was some; 0: there is none */
    int64_t dry_ns;     /* when it ran dry */
    double start_ms;    /* by which an item begins later */
    int64_t start_ns;   /* since the item that is next has some speech; 0: there is none */
    uint64_t dry;
    int64_t peace_ns; /* when it grew or shrank last */
};

struct jitter_look {
    uint64_t dry;     /* callbacks that ran dry inside an item so far */
    double ready_ms;  /* speech that waits behind the ring for the item in hand; below 0: no item is
                         being played, or all of it is there already */
    double fresh_ms;  /* speech of an item that is to begin; below 0: there is none, or all of it is
                         there already */
    double period_ms; /* of the largest callback */
    int64_t now_ns;
};

/* Whether the ring is to be filled now. */
bool jitter_step(struct jitter *j, const struct jitter_look *look);

double jitter_ahead_ms(const struct jitter *j, double period_ms); /* up to which level */

#endif
