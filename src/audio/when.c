#include "audio/when.h"

/* How far ahead `then` is, in ns, or `otherwise` when that cannot be. */
static int64_t ahead_ns(double then_s, double now_s, double otherwise_ms)
{
    double ahead_s = then_s - now_s;

    /* Written so that NaN is refused as well. */
    if (now_s > 0 && then_s > 0 && ahead_s >= 0 && ahead_s <= 1)
        return (int64_t)(ahead_s * 1e9);
    return (int64_t)(otherwise_ms * 1e6);
}

void when_fill(struct audio_when *when, const struct when_report *r, int64_t now_ns)
{
    when->in_ns = now_ns - ahead_ns(r->now_s, r->in_s, r->in_latency_ms);
    when->out_ns = now_ns + ahead_ns(r->out_s, r->now_s, r->out_latency_ms);
}

double when_latency_ms(double seconds)
{
    if (!(seconds > 0))
        return 0;
    return seconds < 0.5 ? seconds * 1000 : 500;
}
