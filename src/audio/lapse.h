/* lapse - tells how many samples are missing in a stream, by the times of those that came.
 * An xrun, or a device that paused, leaves a gap in time that its count does not have. The times
 * that sound systems report jitter by a period or more, and two clocks part slowly: only a shift
 * that stays, and is the same block after block, is one. A pure state machine, no clock. */
#ifndef HULLO_AUDIO_LAPSE_H
#define HULLO_AUDIO_LAPSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAPSE_LEAST_MS 8   /* shorter ones are jitter; the alignment finds them by ear */
#define LAPSE_STAYS_MS 300 /* so long a shift has to stay */

struct lapse {
    int hz;
    bool begun;
    uint64_t count;   /* samples so far, with those that were missing */
    int64_t start_ns; /* when sample 0 was, by the slow average */
    /* the shift in hand */
    uint64_t since; /* count at its beginning */
    int blocks;     /* 0: none */
    int64_t least_ns, most_ns, sum_ns;
};

void lapse_init(struct lapse *l, int hz);

/* n samples that began at at_ns; `known` were missing before them for certain. Returns how many
 * more turn out to be missing before these and those of the last 300 ms: mostly 0, below 0 when
 * there are too many. */
int64_t lapse_step(struct lapse *l, size_t n, int64_t at_ns, uint64_t known);

#endif
