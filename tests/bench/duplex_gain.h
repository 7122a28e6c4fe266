/* duplex_gain - how much of the user a front end lets through while the echo sounds.
 *
 * Spectra of 32 ms (Hann, half overlapping) of the user alone, U, and of what came out, Y, which is
 * first moved by the lag of up to 40 ms at which the two are most alike; frames in which the user
 * is within 25 dB of their loudest. Two figures: mean    in each bin, the least-squares gain over
 * all frames, |sum Y U*| / sum |U|^2, and of those the mean power weighted by the user's. Echo that
 * is left does not correlate with U. median  over the frames, of |sum Y U*| / sum |U|^2 over the
 * bins of that frame: weak frames count as much as loud ones */
#ifndef DUPLEX_GAIN_H
#define DUPLEX_GAIN_H

#include "duplex_tape.h"

struct gain {
    double mean_db, median_db;
    double lag_ms;
    size_t frames;
};

int gain_measure(struct gain *out, const struct tape *t, const int16_t *y); /* 0, -ENOMEM */

#endif
