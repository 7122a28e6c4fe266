#include "audio/timering.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/ring.h"

#define MARKS   1024 /* as many times can be waiting */
#define A_MS    1000 /* of a second: tiny writes share a mark */
#define SILENCE 256

/* Sample number `index` since the start was captured at `ns`, and `lost` before it did not fit. */
struct mark {
    uint64_t index, lost;
    int64_t ns;
};

struct timering {
    struct ring *samples;
    int hz;
    struct mark marks[MARKS];
    uint64_t written, lost;             /* producer's */
    struct mark newest;                 /* producer's */
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

/* The time of what is written next. False when there is no room for it. */
static bool put_mark(struct timering *r, int64_t at_ns)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

    if (r->written > 0 && r->newest.lost == r->lost &&
        (r->written - r->newest.index) * A_MS < (uint64_t)r->hz)
        return true;
    if (head - atomic_load_explicit(&r->tail, memory_order_acquire) >= MARKS)
        return false;
    r->newest = (struct mark){r->written, r->lost, at_ns};
    r->marks[head % MARKS] = r->newest;
    /* The mark first: whoever sees the samples finds their time. */
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return true;
}

static size_t put_silence(struct ring *r, size_t n)
{
    static const int16_t silence[SILENCE];
    size_t done = 0, fitted = 1;

    while (done < n && fitted > 0) {
        fitted = ring_write(r, silence, n - done < SILENCE ? n - done : SILENCE);
        done += fitted;
    }
    return done;
}

size_t timering_write(struct timering *r, const int16_t *x, size_t n, int64_t at_ns)
{
    size_t done = 0;

    if (n > 0 && put_mark(r, at_ns))
        done = x != NULL ? ring_write(r->samples, x, n) : put_silence(r->samples, n);
    r->written += done;
    r->lost += n - done;
    return done;
}

/* Takes the marks up to where the reader is. Returns how many samples may be read before some are
 * missing. */
static size_t take_marks(struct timering *r, size_t n)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire), at;

    while (tail != head && r->marks[tail % MARKS].index <= r->read)
        r->latest = r->marks[tail++ % MARKS];
    for (at = tail; at != head && r->marks[at % MARKS].index < r->read + n; at++)
        if (r->marks[at % MARKS].lost != r->latest.lost)
            n = (size_t)(r->marks[at % MARKS].index - r->read);
    atomic_store_explicit(&r->tail, tail, memory_order_release);
    return n;
}

size_t timering_read(struct timering *r, int16_t *x, size_t n, int64_t *at_ns)
{
    size_t level = ring_level(r->samples);

    if (n == 0 || level == 0)
        return 0;
    n = take_marks(r, n < level ? n : level);
    *at_ns = r->latest.ns + (int64_t)(r->read - r->latest.index) * 1000000000 / r->hz;
    n = ring_read(r->samples, x, n);
    r->read += n;
    return n;
}

uint64_t timering_lost(const struct timering *r)
{
    return r->latest.lost;
}

void timering_free(struct timering *r)
{
    if (r == NULL)
        return;
    ring_free(r->samples);
    free(r);
}
