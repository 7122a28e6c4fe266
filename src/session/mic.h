/* mic - what becomes of the microphone's audio: it goes to the backend, it is kept for a while in
 * case somebody turns out to speak (the pre-roll: the last three seconds), or it rests. It also
 * knows when each sample that the backend counts was captured. Main loop only.
 * Times are CLOCK_MONOTONIC nanoseconds as the sound path gives them; no other clock is read. */
#ifndef HULLO_SESSION_MIC_H
#define HULLO_SESSION_MIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"

enum mic_way { MIC_OPEN, MIC_KEPT, MIC_RESTING };

struct mic {
    struct backend *backend; /* borrowed */
    const struct log *log;
    enum mic_way way;
    uint64_t fed;      /* samples that the backend counts */
    int64_t edge_ns;   /* when the sample behind them is captured; 0: there were none */
    int64_t began_ns;  /* when the first sample of all was captured; 0: there were none */
    int64_t seen_ns;   /* when the sample behind the newest one of all is captured */
    int64_t from_ns;   /* while open: what was captured before this is not for the backend */
    int16_t *kept;     /* a ring */
    size_t at, count;  /* its oldest sample, how many there are */
    int64_t count_end; /* when the sample behind its newest is captured */
    bool behind;       /* the backend refused some, and has not caught up since */
};

int mic_init(struct mic *m, const struct log *log); /* open; 0, -ENOMEM */
void mic_free(struct mic *m);

void mic_push(struct mic *m, const int16_t *x, size_t n, int64_t at_ns);

void mic_keep(struct mic *m); /* from now on: a reply is being heard */
void mic_rest(struct mic *m); /* ... drops it */

/* The user speaks, since at_ns: opens, and the backend is given what was kept from 300 ms before
 * that on. What it had heard before is forgotten, unless the user has gone on from there:
 * then true. */
bool mic_hand_over(struct mic *m, int64_t at_ns);

/* Copies what was kept from 300 ms before at_ns on; returns the samples, 0 where nothing is kept.
 */
size_t mic_kept(const struct mic *m, int64_t at_ns, int16_t *x, size_t max);

/* Opens, from at_ns on (0: now); what was kept before that, and what the backend had heard, is
 * forgotten. */
void mic_open(struct mic *m, int64_t at_ns);

/* When the backend's sample `at` was captured; 0: not by this microphone. */
int64_t mic_time(const struct mic *m, uint64_t at);

/* The same, in milliseconds since the microphone was opened, at least 0. */
double mic_position_ms(const struct mic *m, uint64_t at);

#endif
