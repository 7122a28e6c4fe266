#include "session/latency.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double between_ms(long long from, long long to)
{
    return to > from ? (double)(to - from) / 1e6 : 0;
}

struct latency_turn latency_parts(long long ended, long long decided, long long arrived,
                                  long long heard, double rtt_ms)
{
    struct latency_turn t = {-1, 0, 0, 0, 0};

    if (ended == 0 || heard <= ended)
        return t;
    t.gap_ms = between_ms(ended, heard);
    if (decided < ended) /* a reply that was begun before anybody was sure */
        decided = ended;
    if (arrived < decided)
        arrived = decided;
    if (arrived > heard)
        arrived = heard;
    if (decided > arrived)
        decided = arrived;
    t.end_ms = between_ms(ended, decided);
    t.model_ms = between_ms(decided, arrived);
    t.network_ms = rtt_ms > 0 ? fmin(rtt_ms, t.model_ms) : 0;
    t.model_ms -= t.network_ms;
    t.buffer_ms = between_ms(arrived, heard);
    return t;
}

void latency_add(struct latency *l, const struct latency_turn *t)
{
    if (t->gap_ms >= 0)
        l->gaps[l->count++ % LATENCY_TURNS] = t->gap_ms;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double latency_quantile(const struct latency *l, double q)
{
    double sorted[LATENCY_TURNS];
    size_t n = l->count < LATENCY_TURNS ? l->count : LATENCY_TURNS;
    size_t rank = (size_t)ceil(q * (double)n);

    if (n == 0)
        return -1;
    memcpy(sorted, l->gaps, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_size);
    return sorted[rank > 0 ? rank - 1 : 0];
}
