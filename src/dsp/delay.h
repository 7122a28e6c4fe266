/* delay - by how much one signal follows another, by GCC-PHAT: the cross spectrum of a stretch of
 * both, its magnitude taken away within 250 to 6000 Hz, transformed back; the peak is the delay,
 * read between samples. Knapp, Carter: The generalized correlation method for estimation of time
 * delay, IEEE ASSP 24(4), 1976. Pure computation, some milliseconds for a stretch of 4 s; one
 * thread at a time per object. */
#ifndef HULLO_DSP_DELAY_H
#define HULLO_DSP_DELAY_H

#include <stddef.h>
#include <stdint.h>

struct delay;

struct delay_found {
    double samples; /* near[n] holds far[n - samples] */
    double quality; /* of the peak: its height over the rms of the correlation in the range. A
                       chance peak is under about 6 */
};

/* For stretches of up to `most` samples, and delays from `from` to `to` samples (either may be
 * negative). 0, -EINVAL, -ENOMEM. */
int delay_new(struct delay **out, size_t most, int from, int to);

/* far[0..n) and near[0..n) are the same stretch of time. A stretch without sound has quality 0. */
void delay_find(struct delay *d, const int16_t *far, const int16_t *near, size_t n,
                struct delay_found *out);

void delay_free(struct delay *d); /* NULL is fine */

#endif
