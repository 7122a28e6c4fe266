#include "duplex_gain.h"

#include <errno.h>
#include <kiss_fftr.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/frame.h"

#define SIZE      512
#define HOP       (SIZE / 2)
#define BINS      (SIZE / 2 + 1)
#define LAG_MOST  (DSP_HZ * 40 / 1000)
#define LAG_SOUND (10 * DSP_HZ) /* of the user, on which the lag is searched */
#define ACTIVE_DB 25

struct projection {
    const struct tape *t;
    const int16_t *y;
    size_t lag;
    double least; /* energy of a frame that counts */
    kiss_fftr_cfg fft;
    double re[BINS], im[BINS], power[BINS]; /* sums of Y U* and of |U|^2 */
    double *frames;                         /* gain of each */
    size_t count, most;
};

static double energy(const int16_t *x, size_t n)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static double loudest(const struct tape *t)
{
    double most = 0;
    size_t at;

    for (at = 0; at + SIZE <= t->n; at += HOP)
        most = fmax(most, energy(t->said + at, SIZE));
    return most;
}

static double product(const struct tape *t, const int16_t *y, size_t lag)
{
    double sum = 0;
    size_t i, done = 0, k;

    for (i = 0; i < t->trial_count && done < LAG_SOUND; i++) {
        for (k = t->trials[i].from; k < t->trials[i].to && k + lag < t->n; k++, done++)
            sum += (double)t->said[k] * y[k + lag];
    }
    return sum;
}

static size_t find_lag(const struct tape *t, const int16_t *y)
{
    double most = 0;
    size_t lag, best = 0;

    for (lag = 0; lag < LAG_MOST; lag++) {
        double p = fabs(product(t, y, lag));

        if (p > most) {
            most = p;
            best = lag;
        }
    }
    return best;
}

static void spectrum(kiss_fftr_cfg fft, const int16_t *x, kiss_fft_cpx *out)
{
    float in[SIZE];
    int i;

    for (i = 0; i < SIZE; i++)
        in[i] = (float)x[i] * (0.5f - 0.5f * cosf(6.2831853f * (float)i / SIZE));
    kiss_fftr(fft, in, out);
}

static void add_frame(struct projection *p, size_t at)
{
    kiss_fft_cpx u[BINS], y[BINS];
    double re = 0, im = 0, power = 0;
    int i;

    spectrum(p->fft, p->t->said + at, u);
    spectrum(p->fft, p->y + at + p->lag, y);
    for (i = 0; i < BINS; i++) {
        double r = (double)y[i].r * (double)u[i].r + (double)y[i].i * (double)u[i].i;
        double j = (double)y[i].i * (double)u[i].r - (double)y[i].r * (double)u[i].i;
        double w = (double)u[i].r * (double)u[i].r + (double)u[i].i * (double)u[i].i;

        p->re[i] += r, p->im[i] += j, p->power[i] += w;
        re += r, im += j, power += w;
    }
    p->frames[p->count++] = hypot(re, im) / power;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void sum_up(struct gain *out, struct projection *p)
{
    double through = 0, all = 0;
    int i;

    for (i = 0; i < BINS; i++) {
        if (p->power[i] <= 0)
            continue;
        through += (p->re[i] * p->re[i] + p->im[i] * p->im[i]) / p->power[i];
        all += p->power[i];
    }
    qsort(p->frames, p->count, sizeof *p->frames, ascending);
    out->frames = p->count;
    out->lag_ms = (double)p->lag * 1000 / DSP_HZ;
    if (p->count > 0 && all > 0) {
        out->mean_db = 10 * log10(through / all);
        out->median_db = 20 * log10(p->frames[p->count / 2]);
    }
}

int gain_measure(struct gain *out, const struct tape *t, const int16_t *y)
{
    struct projection *p = calloc(1, sizeof *p);
    size_t i, at;
    int ret = -ENOMEM;

    memset(out, 0, sizeof *out);
    if (p == NULL)
        return ret;
    p->t = t;
    p->y = y;
    p->most = t->n / HOP + 1;
    p->frames = calloc(p->most, sizeof *p->frames);
    p->fft = kiss_fftr_alloc(SIZE, 0, NULL, NULL);
    if (p->frames != NULL && p->fft != NULL) {
        p->lag = find_lag(t, y);
        p->least = loudest(t) * pow(10, -ACTIVE_DB / 10.0);
        for (i = 0; i < t->trial_count; i++)
            for (at = t->trials[i].from; at + SIZE < t->trials[i].to; at += HOP)
                if (at + SIZE + p->lag <= t->n && energy(t->said + at, SIZE) > p->least &&
                    p->count < p->most)
                    add_frame(p, at);
        sum_up(out, p);
        ret = 0;
    }
    kiss_fftr_free(p->fft);
    free(p->frames);
    free(p);
    return ret;
}
