#include "audio/timering.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "util/ring.h"

#define MARKS 1024 /* as many writes can be waiting */

/* Sample number `index` since the start was captured at `ns`. */
struct mark {
    uint64_t index;
    int64_t ns;
};

struct timering {
    struct ring *samples;
    int hz;
    struct mark marks[MARKS];
    uint64_t written;                   /* producer's */
    uint64_t read;                      /* consumer's */
    struct mark latest;                 /* consumer's: the last mark at or before `read` */
    _Alignas(64) _Atomic uint64_t head; /* of marks: producer */
    _Alignas(64) _Atomic uint64_t tail; /* of marks: consumer */
};

int timering_new(struct timering **out, size_t samples, int hz)
{
    struct timering *r;
    int rc;

    *out = NULL;
    if (hz <= 0)
        return -EINVAL;
    r = aligned_alloc(_Alignof(struct timering), sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    memset(r, 0, sizeof *r);
    r->hz = hz;
    rc = ring_new(&r->samples, samples);
    if (rc < 0) {
        free(r);
        return rc;
    }
    *out = r;
    return 0;
}

size_t timering_write(struct timering *r, const int16_t *x, size_t n, int64_t at_ns)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

    if (n == 0 || head - atomic_load_explicit(&r->tail, memory_order_acquire) >= MARKS)
        return 0;
    r->marks[head % MARKS] = (struct mark){r->written, at_ns};
    /* The mark first: whoever sees the samples finds their time. */
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    n = ring_write(r->samples, x, n);
    r->written += n;
    return n;
}

static void take_marks(struct timering *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);

    while (tail != head && r->marks[tail % MARKS].index <= r->read)
        r->latest = r->marks[tail++ % MARKS];
    atomic_store_explicit(&r->tail, tail, memory_order_release);
}

size_t timering_read(struct timering *r, int16_t *x, size_t n, int64_t *at_ns)
{
    if (n == 0 || ring_level(r->samples) == 0)
        return 0;
    take_marks(r);
    *at_ns = r->latest.ns + (int64_t)(r->read - r->latest.index) * 1000000000 / r->hz;
    n = ring_read(r->samples, x, n);
    r->read += n;
    return n;
}

void timering_free(struct timering *r)
{
    if (r == NULL)
        return;
    ring_free(r->samples);
    free(r);
}
