/* ring - single-producer single-consumer queue of mono 16-bit samples.
 * Units are samples. write: producer thread only; read: consumer thread only; both realtime safe
 * (no lock, no allocation, bounded time). new and free: any other thread; free after both ends have
 * stopped. */
#ifndef HULLO_UTIL_RING_H
#define HULLO_UTIL_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring;

int ring_new(struct ring **out,
             size_t samples); /* capacity, rounded up to a power of two; 0, -EINVAL, -ENOMEM */
size_t ring_write(struct ring *r, const int16_t *x,
                  size_t n); /* returns what fitted; less than n is an overrun */
size_t ring_read(struct ring *r, int16_t *x, size_t n); /* returns what there was */
size_t ring_level(const struct ring *r);                /* samples waiting; either end */
void ring_free(struct ring *r);                         /* NULL is fine */

#endif
