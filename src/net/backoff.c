#include "net/backoff.h"

enum { HASTE_MS = 30000, QUICK_MS = 125, QUICK_SPREAD_MS = 100, SLOW_MS = 500, MOST_MS = 30000 };
enum { TOLD_MOST_S = 60 };

void backoff_init(struct backoff *b, uint64_t seed)
{
    *b = (struct backoff){.random = seed};
}

void backoff_reset(struct backoff *b)
{
    b->failing = false;
}

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static double chance(struct backoff *b)
{
    uint64_t z = b->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0; /* 2^53: [0, 1) */
}

double backoff_next(struct backoff *b, double now_ms)
{
    double wait;

    if (!b->failing) {
        b->failing = true;
        b->since_ms = now_ms;
        b->slow_ms = SLOW_MS;
    }
    if (now_ms - b->since_ms < HASTE_MS)
        return QUICK_MS + QUICK_SPREAD_MS * chance(b);
    wait = b->slow_ms * (1 - chance(b) / 2);
    b->slow_ms = b->slow_ms * 2 < MOST_MS ? b->slow_ms * 2 : MOST_MS;
    return wait;
}

double backoff_told(int retry_after_s, unsigned times)
{
    if (retry_after_s >= 0)
        return 1000.0 * (retry_after_s < TOLD_MOST_S ? retry_after_s : TOLD_MOST_S);
    if (times < 1)
        times = 1;
    return times <= 5 ? 1000.0 * (double)(1u << (times - 1)) : MOST_MS;
}
