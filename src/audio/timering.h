/* timering - a ring of samples that knows when each was captured.
 * Single producer, single consumer; both are realtime safe (no lock, no allocation, bounded time).
 * new and free: any other thread; free after both ends have stopped. */
#ifndef HULLO_AUDIO_TIMERING_H
#define HULLO_AUDIO_TIMERING_H

#include <stddef.h>
#include <stdint.h>

struct timering;

/* For at least `samples` at hz. 0, -EINVAL, -ENOMEM. */
int timering_new(struct timering **out, size_t samples, int hz);

/* x[0] was captured at at_ns; NULL stands for silence. Returns what fitted; less than n is an
 * overrun. */
size_t timering_write(struct timering *r, const int16_t *x, size_t n, int64_t at_ns);

/* Returns what there was, or less where samples were lost in between; *at_ns is when x[0] was
 * captured, unchanged when there was nothing. */
size_t timering_read(struct timering *r, int16_t *x, size_t n, int64_t *at_ns);

/* Consumer: how many samples did not fit, since the start, before those that the last read gave. */
uint64_t timering_lost(const struct timering *r);

void timering_free(struct timering *r); /* NULL is fine */

#endif
