/* delay - by how much one signal follows another, by GCC-PHAT: cross spectra of blocks of both,
 * added up, their magnitude taken away within 250 to 6000 Hz, transformed back; the peak is the
 * delay, read between samples. Knapp, Carter: The generalized correlation method for estimation of
 * time delay, IEEE ASSP 24(4), 1976. Pure computation at 16 kHz, some 2 ms for a stretch of 4 s;
 * one thread at a time per object. */
#ifndef HULLO_DSP_DELAY_H
#define HULLO_DSP_DELAY_H

#include <stddef.h>
#include <stdint.h>

struct delay;

struct delay_hint {
    double ppm;     /* by which the delay grows within the stretch: it is taken out */
    double samples; /* the delay that is expected, and how far off it may be: a peak there counts */
    double within;  /* even where another one is up to twice as high. 0: nothing is expected */
};

struct delay_found {
    double samples; /* near[n] holds far[n - samples] */
    double at;      /* for which n that holds: the middle of what was heard */
    double quality; /* of the peak: its height over the rms of the correlation in the range. Where
                       nothing was expected, at most 6 times its height over any that is more than
                       5 ms away. 99 of 100 chance peaks are under 10 */
};

/* For delays from `from` to `to` samples (either may be negative). 0, -EINVAL (the range is empty,
 * or more than a minute), -ENOMEM. */
int delay_new(struct delay **out, int from, int to);

/* near is a stretch of n samples. far is n + to - from samples of the other signal, of which
 * far[to] was nominally at the time of near[0]. hint NULL: nothing is known. A stretch without
 * sound at both ends has quality 0. */
void delay_find(struct delay *d, const int16_t *far, const int16_t *near, size_t n,
                const struct delay_hint *hint, struct delay_found *out);

void delay_free(struct delay *d); /* NULL is fine */

#endif
