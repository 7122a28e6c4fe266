/* fake_nearend - dsp/nearend.h as a test wants it: verdicts on demand, and what it was given.
 * A test that names `fake_nearend` is linked with it in place of the chain. out is the frame
 * before, as it came. */
#ifndef HULLO_FAKE_NEAREND_H
#define HULLO_FAKE_NEAREND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsp/nearend.h"

#define FAKE_NEAREND_KEEPS 64000

struct fake_nearend {
    pthread_mutex_t lock;
    /* Under the lock, the test's. */
    struct nearend_verdict verdict; /* of the frames to come; a STOP is given once */
    /* Under the lock, what happened. */
    int16_t far[FAKE_NEAREND_KEEPS];
    size_t n_far; /* samples of the far end so far; those beyond are counted */
    uint64_t frames, frames_playing;
    int64_t lost_near, lost_far;
    int made, freed; /* chains */
    struct nearend_config config;
    struct nearend_memory memory; /* what the last one was made with; what it will have learnt */
    bool had_memory;
    int measured, adopted;
    _Atomic bool due;
};

extern struct fake_nearend fake_nearend;

void fake_nearend_reset(void);
void fake_nearend_verdict(const struct nearend_verdict *v);
struct fake_nearend fake_nearend_seen(void); /* a copy */

#endif
