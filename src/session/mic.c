#include "session/mic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RATE      16000
#define KEPT      (3 * RATE)         /* samples of the pre-roll */
#define CAUGHT_UP RATE               /* samples: where no more wait, a loss is a new one */
#define LEAD_NS   (int64_t)300000000 /* given before the first speech, which begins softly */
#define JOIN_NS                                                                                 \
    (int64_t)500000000            /* speech so soon after the last that the backend got goes on \
                                   */
#define HOLE_NS (int64_t)50000000 /* a gap between two pieces: what was kept before it is old */

static int64_t lasts_ns(uint64_t samples)
{
    return (int64_t)(samples * 1000000000 / RATE);
}

/* Samples that begin within a time; 0 when it has passed, no more than there can be. */
static size_t samples_in(int64_t ns)
{
    if (ns > lasts_ns(KEPT))
        return KEPT;
    return ns > 0 ? (size_t)((ns + 1000000000 / RATE - 1) * RATE / 1000000000) : 0;
}

int mic_init(struct mic *m, const struct log *log)
{
    *m = (struct mic){.log = log, .kept = malloc(KEPT * sizeof *m->kept)};
    return m->kept != NULL ? 0 : -ENOMEM;
}

void mic_free(struct mic *m)
{
    free(m->kept);
    m->kept = NULL;
}

static void feed(struct mic *m, const int16_t *x, size_t n, int64_t end_ns)
{
    int64_t waiting;

    if (n == 0)
        return;
    waiting = m->backend->ops->append(m->backend, x, n);
    if (waiting < 0 && !m->behind) /* once: pieces come a hundred times a second */
        log_warn(m->log, "%s: what the microphone hears is lost for a while",
                 waiting == -EAGAIN ? "listening does not keep up" : "out of memory");
    if (waiting < 0) {
        m->behind = true;
        return; /* not counted: the backend does not count it either */
    }
    if (waiting < CAUGHT_UP)
        m->behind = false;
    m->fed += n;
    m->edge_ns = end_ns;
}

static void keep(struct mic *m, const int16_t *x, size_t n, int64_t at_ns)
{
    int64_t hole = at_ns - m->count_end;

    if (m->count > 0 && (hole > HOLE_NS || hole < -HOLE_NS))
        m->count = 0;
    m->count_end = at_ns + lasts_ns(n);
    for (size_t i = 0; i < n; i++) {
        m->kept[(m->at + m->count) % KEPT] = x[i];
        if (m->count < KEPT)
            m->count++;
        else
            m->at = (m->at + 1) % KEPT;
    }
}

void mic_push(struct mic *m, const int16_t *x, size_t n, int64_t at_ns)
{
    size_t early;

    m->seen_ns = at_ns + lasts_ns(n);
    if (m->began_ns == 0)
        m->began_ns = at_ns;
    switch (m->way) {
    case MIC_OPEN:
        early = m->from_ns != 0 ? samples_in(m->from_ns - at_ns) : 0;
        if (early < n)
            feed(m, x + early, n - early, m->seen_ns);
        break;
    case MIC_KEPT:
        keep(m, x, n, at_ns);
        break;
    case MIC_RESTING:
        break;
    }
}

void mic_keep(struct mic *m)
{
    m->way = MIC_KEPT;
    m->count = 0;
}

void mic_rest(struct mic *m)
{
    m->way = MIC_RESTING;
    m->count = 0;
}

/* What was kept from sample `from` of it on, in the two stretches that a ring has. */
static void feed_kept(struct mic *m, size_t from)
{
    size_t n = m->count - from, at = (m->at + from) % KEPT, first = n < KEPT - at ? n : KEPT - at;

    feed(m, m->kept + at, first, m->count_end - lasts_ns(n - first));
    feed(m, m->kept, n - first, m->count_end);
    m->count = 0;
}

size_t mic_kept(const struct mic *m, int64_t at_ns, int16_t *x, size_t max)
{
    size_t from = samples_in(at_ns - LEAD_NS - (m->count_end - lasts_ns(m->count))), n = 0;

    while (from + n < m->count && n < max) {
        x[n] = m->kept[(m->at + from + n) % KEPT];
        n++;
    }
    return n;
}

static void forget(struct mic *m)
{
    m->fed = 0;
    m->edge_ns = 0;
    m->backend->ops->clear(m->backend);
}

bool mic_hand_over(struct mic *m, int64_t at_ns)
{
    int64_t first_ns = m->count_end - lasts_ns(m->count);
    bool goes_on;
    size_t from;

    if (m->way == MIC_OPEN)
        return true;
    m->way = MIC_OPEN;
    m->from_ns = 0;
    if (at_ns < first_ns)
        at_ns = first_ns;
    else if (at_ns > m->seen_ns)
        at_ns = m->seen_ns;
    at_ns -= LEAD_NS;
    goes_on = m->edge_ns != 0 && at_ns <= m->edge_ns + JOIN_NS;
    if (goes_on)
        at_ns = m->edge_ns;
    else
        forget(m);
    from = samples_in(at_ns - first_ns);
    feed_kept(m, from < m->count ? from : m->count);
    return goes_on;
}

void mic_open(struct mic *m, int64_t at_ns)
{
    size_t from = samples_in(at_ns - (m->count_end - lasts_ns(m->count)));

    m->way = MIC_OPEN;
    m->from_ns = at_ns;
    forget(m);
    feed_kept(m, at_ns != 0 && from < m->count ? from : m->count);
}

int64_t mic_time(const struct mic *m, uint64_t at)
{
    if (m->edge_ns == 0)
        return 0;
    return m->edge_ns + ((int64_t)at - (int64_t)m->fed) * 1000000000 / RATE;
}

double mic_position_ms(const struct mic *m, uint64_t at)
{
    int64_t ns = mic_time(m, at);

    return ns > m->began_ns ? (double)(ns - m->began_ns) / 1e6 : 0;
}
