#include "dsp/delay.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fftr.h>

#include "dsp/frame.h"

#define PI           3.14159265358979323846
#define BAND_FROM_HZ 250
#define BAND_TO_HZ   6000
#define RANGE_MAX    (60 * DSP_HZ)
#define SIZE_MIN     4096
#define QUIET        3.0   /* rms of 16 bit; a block that is quieter says nothing */
#define FLOOR        1e-4f /* of the strongest bin: what is weaker is not brought up to full height */
#define PREFER       0.5f /* of the highest peak: enough for one where it is expected */
#define RIVAL        80   /* samples from the highest peak to where another one is another delay */
#define RIVAL_TIMES  6.0
#define SINC_HALF    16
#define STEPS        8 /* between two samples, before a parabola */

struct delay {
    int to, lags;
    int size;        /* of the transform */
    int block;       /* near samples that fit into it beside the range */
    int first, last; /* bins of the band */
    kiss_fftr_cfg forth, back;
    float *time;              /* size */
    kiss_fft_cpx *far, *near; /* size / 2 + 1, as the rest */
    kiss_fft_cpx *sum;        /* of the blocks' cross spectra */
    float *height;            /* of their magnitudes */
};

int delay_new(struct delay **out, int from, int to)
{
    *out = NULL;
    if (from >= to || from < -RANGE_MAX || to > RANGE_MAX)
        return -EINVAL;

    struct delay *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->to = to;
    d->lags = to - from + 1;
    d->size = SIZE_MIN;
    while (d->size < d->lags + d->lags / 2) /* a third of each transform is new sound, or more */
        d->size *= 2;
    d->block = d->size - d->lags;
    d->first = (int)((int64_t)BAND_FROM_HZ * d->size / DSP_HZ);
    d->last = (int)((int64_t)BAND_TO_HZ * d->size / DSP_HZ);

    size_t bins = (size_t)d->size / 2 + 1;
    d->forth = kiss_fftr_alloc(d->size, 0, NULL, NULL);
    d->back = kiss_fftr_alloc(d->size, 1, NULL, NULL);
    d->time = calloc((size_t)d->size, sizeof(*d->time));
    d->far = calloc(bins, sizeof(*d->far));
    d->near = calloc(bins, sizeof(*d->near));
    d->sum = calloc(bins, sizeof(*d->sum));
    d->height = calloc(bins, sizeof(*d->height));
    if (!d->forth || !d->back || !d->time || !d->far || !d->near || !d->sum || !d->height) {
        delay_free(d);
        return -ENOMEM;
    }
    *out = d;
    return 0;
}

void delay_free(struct delay *d)
{
    if (!d)
        return;
    kiss_fftr_free(d->forth);
    kiss_fftr_free(d->back);
    free(d->time);
    free(d->far);
    free(d->near);
    free(d->sum);
    free(d->height);
    free(d);
}

/* Energy of x, and where its middle is. */
static double energy(const int16_t *x, size_t n, double *middle)
{
    double sum = 0, moment = 0;

    for (size_t i = 0; i < n; i++) {
        double e = (double)(x[i] * x[i]);
        sum += e;
        moment += e * (double)i;
    }
    *middle = sum > 0 ? moment / sum : 0;
    return sum;
}

static bool loud(double sum, size_t n)
{
    return sum > QUIET * QUIET * (double)n;
}

static void transform(struct delay *d, const int16_t *x, size_t n, kiss_fft_cpx *out)
{
    for (size_t i = 0; i < n; i++)
        d->time[i] = x[i];
    memset(d->time + n, 0, ((size_t)d->size - n) * sizeof(*d->time));
    kiss_fftr(d->forth, d->time, out);
}

/* Adds the cross spectrum of far and near, turned so that its peak comes `later` samples later. */
static void add_spectrum(struct delay *d, float scale, double later)
{
    double step = -2 * PI * later / d->size;
    double turn_r = cos(step), turn_i = sin(step);
    double r = cos(step * d->first) * (double)scale, i = sin(step * d->first) * (double)scale;

    for (int k = d->first; k <= d->last; k++) {
        float fr = d->far[k].r, fi = d->far[k].i, nr = d->near[k].r, ni = d->near[k].i;
        float cr = fr * nr + fi * ni, ci = fi * nr - fr * ni;
        float tr = (float)r, ti = (float)i;
        d->sum[k].r += cr * tr - ci * ti;
        d->sum[k].i += cr * ti + ci * tr;
        d->height[k] += sqrtf(cr * cr + ci * ci) * scale;
        double next = r * turn_r - i * turn_i;
        i = r * turn_i + i * turn_r;
        r = next;
    }
}

/* The spectra of all blocks that hold sound; how many those were. Each counts as much as it is
 * long, however loud, so that one with a loud near end does not drown the rest. */
static int add_blocks(struct delay *d, const int16_t *far, const int16_t *near, size_t n,
                      double ppm, double at)
{
    int added = 0;

    memset(d->sum, 0, ((size_t)d->size / 2 + 1) * sizeof(*d->sum));
    memset(d->height, 0, ((size_t)d->size / 2 + 1) * sizeof(*d->height));
    for (size_t begin = 0; begin < n; begin += (size_t)d->block) {
        size_t len = n - begin < (size_t)d->block ? n - begin : (size_t)d->block;
        size_t far_len = len + (size_t)d->lags - 1;
        double middle, unused;
        double near_energy = energy(near + begin, len, &middle);
        double far_energy = energy(far + begin, far_len, &unused);

        if (!loud(near_energy, len) || !loud(far_energy, far_len))
            continue;
        transform(d, far + begin, far_len, d->far);
        transform(d, near + begin, len, d->near);
        add_spectrum(d, (float)((double)len / sqrt(near_energy * far_energy)),
                     ppm * 1e-6 * ((double)begin + middle - at));
        added++;
    }
    return added;
}

/* Takes the magnitude away, and goes back to time: d->time[0..lags). */
static void correlate(struct delay *d)
{
    float top = 0;

    for (int k = d->first; k <= d->last; k++)
        top = fmaxf(top, d->height[k]);
    for (int k = d->first; k <= d->last; k++) {
        float scale = 1 / (d->height[k] + FLOOR * top);
        d->sum[k].r *= scale;
        d->sum[k].i *= scale;
    }
    kiss_fftri(d->back, d->sum, d->time);
}

static int highest(const struct delay *d, int from, int to)
{
    int best = from < 0 ? 0 : from;

    for (int k = best; k < d->lags && k <= to; k++)
        if (fabsf(d->time[k]) > fabsf(d->time[best]))
            best = k;
    return best;
}

/* The highest peak where the hint expects it, if it is high enough; -1: there is none. */
static int expected(const struct delay *d, const struct delay_hint *hint, int best)
{
    if (!hint || !(hint->within > 0))
        return -1;
    double middle = d->to - hint->samples;
    if (!(middle - hint->within >= 0 && middle + hint->within < d->lags))
        return -1;
    int there = highest(d, (int)(middle - hint->within), (int)(middle + hint->within));
    return fabsf(d->time[there]) >= PREFER * fabsf(d->time[best]) ? there : -1;
}

/* The highest elsewhere. Two short sounds that have nothing to do with each other correlate in a
 * heap of peaks of much the same height. */
static double rival(const struct delay *d, int peak)
{
    double most = 0;

    if (peak > RIVAL)
        most = (double)fabsf(d->time[highest(d, 0, peak - RIVAL)]);
    if (peak + RIVAL < d->lags)
        most = fmax(most, (double)fabsf(d->time[highest(d, peak + RIVAL, d->lags)]));
    return most;
}

/* The height at a place between samples: the band leaves room for a short interpolation. */
static double height_at(const struct delay *d, double place)
{
    int whole = (int)floor(place);
    double sum = 0;

    for (int i = whole - SINC_HALF + 1; i <= whole + SINC_HALF; i++) {
        double x = place - i;
        double weight = fabs(x) < 1e-9 ? 1 : sin(PI * x) / (PI * x);
        weight *= 0.5 + 0.5 * cos(PI * x / SINC_HALF);
        sum += weight * (double)d->time[(i + d->size) % d->size];
    }
    return fabs(sum);
}

static double refine(const struct delay *d, int peak, double *height)
{
    double y[2 * STEPS + 1];
    int best = 1;

    for (int i = 0; i <= 2 * STEPS; i++)
        y[i] = height_at(d, peak + (double)(i - STEPS) / STEPS);
    for (int i = 1; i < 2 * STEPS; i++)
        if (y[i] > y[best])
            best = i;
    double bend = y[best - 1] - 2 * y[best] + y[best + 1];
    double off = bend < 0 ? 0.5 * (y[best - 1] - y[best + 1]) / bend : 0;
    *height = y[best];
    return peak + (best - STEPS + fmax(-1, fmin(1, off))) / STEPS;
}

void delay_find(struct delay *d, const int16_t *far, const int16_t *near, size_t n,
                const struct delay_hint *hint, struct delay_found *out)
{
    double middle, height, power = 0;

    *out = (struct delay_found){0};
    energy(near, n, &middle);
    if (add_blocks(d, far, near, n, hint ? hint->ppm : 0, middle) == 0)
        return;
    correlate(d);
    for (int k = 0; k < d->lags; k++)
        power += (double)(d->time[k] * d->time[k]);
    if (!(power > 0))
        return;
    int best = highest(d, 0, d->lags - 1), there = expected(d, hint, best);
    out->at = middle;
    out->samples = d->to - refine(d, there >= 0 ? there : best, &height);
    out->quality = height / sqrt(power / d->lags);
    if (there < 0)
        out->quality = fmin(out->quality, RIVAL_TIMES * height / rival(d, best));
}
