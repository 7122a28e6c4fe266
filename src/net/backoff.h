/* backoff - how long to wait until the next attempt at what has failed. Pure: the caller has the
 * clock, in milliseconds of any origin. One owner.
 *
 * For the first 30 s of a failure attempts follow each other by 125 to 225 ms (never more than 250,
 * with room for a late timer); then by a wait that doubles from half a second to 30 s, of which
 * a random half is left away, so that many clients do not come back at once. */
#ifndef HULLO_NET_BACKOFF_H
#define HULLO_NET_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff {
    uint64_t random; /* state */
    double since_ms; /* when the failure began */
    double slow_ms;  /* the next wait after the first 30 s, without its chance */
    bool failing;
};

void backoff_init(struct backoff *b, uint64_t seed); /* nothing has failed yet */
void backoff_reset(struct backoff *b);               /* it works: the next failure is a new one */

/* An attempt begins now: milliseconds until the next one, should it fail. */
double backoff_next(struct backoff *b, double now_ms);

/* What a server said (Retry-After, in seconds; negative: nothing), in milliseconds: at most 60 s.
 * `times` of these in a row without a word are waited out for 1, 2, 4 ... 30 s. */
double backoff_told(int retry_after_s, unsigned times);

#endif
