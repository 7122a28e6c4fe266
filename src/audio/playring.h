/* playring - what is about to be heard: device-rate samples in blocks that know their item and
 * their generation.
 *
 * The worker writes blocks; the audio callback reads samples. playring_flush bumps the generation,
 * and from the next playring_read on every block of an older generation is discarded, whoever
 * wrote it and when, after a fade of 3 ms. A fading sample counts as flushed, not as played.
 *
 * playring_set ducks what is played, or holds it: after a fade of 3 ms there is silence, and
 * nothing is consumed. It goes on where the fade began, so that nothing is lost.
 *
 * Items live in slots (0..PLAYRING_ITEMS-1) that the writer hands out; each has a counter of what
 * was played of it, in samples at the item's own rate. Threads: writer: one thread; read: the
 * callback, realtime safe (no lock, no allocation, no system call, bounded time); the rest as it is
 * marked. */
#ifndef HULLO_AUDIO_PLAYRING_H
#define HULLO_AUDIO_PLAYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAYRING_ITEMS  16
#define PLAYRING_BLOCKS 256

struct playring;

struct playring_block {
    uint32_t generation;
    uint32_t slot;
    size_t n;          /* samples, may be 0 */
    uint64_t from, to; /* the samples of the item that these stand for, at the item's rate */
    bool first, last;  /* of the item */
};

/* At most one `started` and one `ended` for each item, in the order in which they happened. */
struct playring_event {
    bool ended; /* else started */
    uint32_t slot;
    int64_t at_ns; /* when the first sample is heard, or the last one has been */
};

int playring_new(struct playring **out, size_t samples, int hz); /* 0, -EINVAL, -ENOMEM */
void playring_free(struct playring *r);                          /* NULL is fine */

enum playring_level { PLAYRING_FULL, PLAYRING_DUCK /* -18 dB */, PLAYRING_HOLD };

/* Any thread. */
void playring_set(struct playring *r, enum playring_level level); /* from the next read on */
void playring_flush(struct playring *r);
uint32_t playring_generation(const struct playring *r);
uint64_t playring_played(const struct playring *r, uint32_t slot);
uint64_t playring_underruns(const struct playring *r); /* reads that ran dry inside an item */

/* True when generation `a` is older than `b` (they wrap). */
bool playring_older(uint32_t a, uint32_t b);

/* Writer. */
size_t playring_waiting(const struct playring *r);      /* samples, of any generation */
size_t playring_room(const struct playring *r);         /* samples that the next block may have */
void playring_begin(struct playring *r, uint32_t slot); /* zeroes the counter of a free slot */
int playring_write(struct playring *r, const struct playring_block *b,
                   const int16_t *x); /* 0, -ENOSPC; copies x[0..b->n) */
bool playring_event(struct playring *r, struct playring_event *ev); /* the next one, or false */

/* The generation that the last read obeyed: older blocks will not be counted any more, and their
 * events are there to be taken. *cut_ns is when the sound before it stopped being heard. */
uint32_t playring_obeyed(const struct playring *r, int64_t *cut_ns);

/* The callback: fills out[0..n), which is heard from out_ns on. */
void playring_read(struct playring *r, int16_t *out, size_t n, int64_t out_ns);
bool playring_inside(const struct playring *r); /* an item has begun and not ended */

/* While neither of the other two is at work: another device, at hz. What waits is dropped, what was
 * counted and told stays. 0, -EINVAL, -ENOMEM. */
int playring_restart(struct playring *r, size_t samples, int hz);

#endif
