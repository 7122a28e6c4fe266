/* fraction - reads a signal between its samples: a windowed sinc, 24 taps. Up to 6 kHz at 16 kHz it
 * is right to -60 dB. Not for signals above that. A const object serves any thread. */
#ifndef HULLO_DSP_FRACTION_H
#define HULLO_DSP_FRACTION_H

#include "dsp/frame.h"

#define FRACTION_BEFORE 11 /* samples that are read before the first place and after the last */
#define FRACTION_AFTER  12
#define FRACTION_TAPS   (FRACTION_BEFORE + 1 + FRACTION_AFTER)
#define FRACTION_SPAN   (DSP_FRAME + FRACTION_TAPS - 1)
#define FRACTION_STEPS  128
#define FRACTION_MARGIN 8 /* steps below 0 and above 1 */

struct fraction {
    float taps[FRACTION_STEPS + 1 + 2 * FRACTION_MARGIN][FRACTION_TAPS];
};

void fraction_init(struct fraction *f);

/* y[i] = x at FRACTION_BEFORE + i + part, where part goes evenly from `from` (0 to 1) at i = 0 to
 * `to` at i = DSP_FRAME; more than 1/30 apart (208 ppm) the error grows: -58 dB
 * at 1/24, the limit 1/16. */
void fraction_read(const struct fraction *f, const float x[FRACTION_SPAN], float y[DSP_FRAME],
                   double from, double to);

#endif
