#include "dsp/fraction.h"

#include <math.h>

#define PI   3.14159265358979323846
#define BETA 7.0 /* of the Kaiser window: -70 dB */

/* The modified Bessel function of order 0. */
static double bessel(double x)
{
    double sum = 1, term = 1;

    for (int k = 1; k < 40; k++) {
        term *= (x / (2 * k)) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

static double tap(double x)
{
    double half = (FRACTION_TAPS + 1) / 2.0, u = x / half;
    double sinc = fabs(x) < 1e-9 ? 1 : sin(PI * x) / (PI * x);

    return fabs(u) >= 1 ? 0 : sinc * bessel(BETA * sqrt(1 - u * u)) / bessel(BETA);
}

void fraction_init(struct fraction *f)
{
    for (int step = -FRACTION_MARGIN; step <= FRACTION_STEPS + FRACTION_MARGIN; step++)
        for (int i = 0; i < FRACTION_TAPS; i++)
            f->taps[step + FRACTION_MARGIN][i] =
                (float)tap((double)step / FRACTION_STEPS + FRACTION_BEFORE - i);
}

static void taps_at(const struct fraction *f, double part, float taps[FRACTION_TAPS])
{
    double place = part * FRACTION_STEPS + FRACTION_MARGIN;
    double top = FRACTION_STEPS + 2 * FRACTION_MARGIN - 1;
    int row = (int)fmax(0, fmin(top, floor(place)));
    float share = (float)(place - row);

    for (int i = 0; i < FRACTION_TAPS; i++)
        taps[i] = f->taps[row][i] + share * (f->taps[row + 1][i] - f->taps[row][i]);
}

/* Two filters, and a slow move from one to the other: over 1/30 of a sample that is as good as a
 * filter for each sample, and the loops are ones that compilers make vectors of. */
void fraction_read(const struct fraction *f, const float x[FRACTION_SPAN], float y[DSP_FRAME],
                   double from, double to)
{
    float head[FRACTION_TAPS], last[FRACTION_TAPS], begin[DSP_FRAME] = {0}, end[DSP_FRAME] = {0};

    taps_at(f, from, head);
    taps_at(f, to, last);
    for (int k = 0; k < FRACTION_TAPS; k++) {
        for (int i = 0; i < DSP_FRAME; i++) {
            begin[i] += head[k] * x[i + k];
            end[i] += last[k] * x[i + k];
        }
    }
    for (int i = 0; i < DSP_FRAME; i++)
        y[i] = begin[i] + (end[i] - begin[i]) * ((float)i / DSP_FRAME);
}
