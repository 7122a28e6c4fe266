#include "util/ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* head and tail count samples since the start and never wrap in practice (2^64); the index is the
 * count modulo size. */
struct ring {
    size_t mask;
    int16_t *data;
    _Alignas(64) _Atomic uint64_t head; /* written: producer */
    _Alignas(64) _Atomic uint64_t tail; /* read: consumer */
};

int ring_new(struct ring **out, size_t samples)
{
    struct ring *r;
    size_t size = 1;

    *out = NULL;
    if (samples == 0 || samples > ((size_t)1 << 30))
        return -EINVAL;
    while (size < samples)
        size *= 2;
    r = aligned_alloc(_Alignof(struct ring), sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    memset(r, 0, sizeof *r);
    r->mask = size - 1;
    r->data = calloc(size, sizeof *r->data);
    if (r->data == NULL) {
        free(r);
        return -ENOMEM;
    }
    *out = r;
    return 0;
}

static void copy_in(struct ring *r, uint64_t at, const int16_t *x, size_t n)
{
    size_t i = (size_t)at & r->mask, first = r->mask + 1 - i;

    if (first > n)
        first = n;
    memcpy(r->data + i, x, first * sizeof *x);
    memcpy(r->data, x + first, (n - first) * sizeof *x);
}

size_t ring_write(struct ring *r, const int16_t *x, size_t n)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    size_t room = r->mask + 1 - (size_t)(head - tail);

    if (n > room)
        n = room;
    copy_in(r, head, x, n);
    atomic_store_explicit(&r->head, head + n, memory_order_release);
    return n;
}

size_t ring_read(struct ring *r, int16_t *x, size_t n)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    size_t i = (size_t)tail & r->mask, first = r->mask + 1 - i;

    if (n > (size_t)(head - tail))
        n = (size_t)(head - tail);
    if (first > n)
        first = n;
    memcpy(x, r->data + i, first * sizeof *x);
    memcpy(x + first, r->data, (n - first) * sizeof *x);
    atomic_store_explicit(&r->tail, tail + n, memory_order_release);
    return n;
}

size_t ring_level(const struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

    return (size_t)(atomic_load_explicit(&r->head, memory_order_acquire) - tail);
}

void ring_free(struct ring *r)
{
    if (r == NULL)
        return;
    free(r->data);
    free(r);
}
