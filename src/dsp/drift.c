#include "dsp/drift.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define PAIRS          (DRIFT_POINTS * (DRIFT_POINTS - 1) / 2)
#define NOISE_S        3e-6   /* of the best measurement: a twentieth of a sample */
#define TOLERATED      300e-6 /* of a measurement that is on the line */
#define AGREED         60e-6  /* of two that make a jump */
#define TOLERATED_MOST 2e-3   /* after a long time without any */
#define JUMP_SURE_PPM  10.0   /* after a jump: there may be another device now */
#define FEW_S          20e-6  /* few points scatter less than they should: shared out among them */
#define OFFSET         9      /* latest points that say where the line is now */
#define SURE_LEAST     1.0    /* ppm; clocks change with temperature */

struct slope {
    double value, weight;
};

void drift_init(struct drift *d, double prior_ppm, double prior_sure_ppm)
{
    *d = (struct drift){.prior_ppm = prior_ppm, .prior_sure_ppm = fmax(prior_sure_ppm, SURE_LEAST)};
    d->ppm = d->prior_ppm;
    d->sure_ppm = d->prior_sure_ppm;
}

double drift_delay(const struct drift *d, double at_s)
{
    return d->delay_s + d->ppm * 1e-6 * (at_s - d->at_s);
}

/* By value; Shell's sort, since qsort may allocate. */
static void sort(struct slope *x, int n)
{
    for (int gap = n / 2; gap > 0; gap = gap > 2 ? gap * 5 / 11 : gap - 1) {
        for (int i = gap; i < n; i++) {
            struct slope s = x[i];
            int at = i;
            for (; at >= gap && x[at - gap].value > s.value; at -= gap)
                x[at] = x[at - gap];
            x[at] = s;
        }
    }
}

/* The value with half of the weight on each side; sorts x. */
static double median(struct slope *x, int n)
{
    double all = 0, so_far = 0;

    sort(x, n);
    for (int i = 0; i < n; i++)
        all += x[i].weight;
    for (int i = 0; i < n; i++) {
        so_far += x[i].weight;
        if (2 * so_far >= all)
            return x[i].value;
    }
    return 0;
}

static double slope_ppm(const struct drift *d)
{
    struct slope s[PAIRS];
    int n = 0;

    for (int i = 0; i < d->n; i++) {
        for (int j = i + 1; j < d->n; j++) {
            double apart = d->points[j].at_s - d->points[i].at_s;
            if (apart > 0)
                s[n++] =
                    (struct slope){(d->points[j].delay_s - d->points[i].delay_s) / apart, apart};
        }
    }
    return median(s, n) * 1e6;
}

/* Where a line of that slope is at at_s, by the median of points[from..n). */
static double level(const struct drift *d, int from, double ppm, double at_s)
{
    struct slope s[DRIFT_POINTS];
    int n = 0;

    for (int i = from; i < d->n; i++)
        s[n++] = (struct slope){d->points[i].delay_s - ppm * 1e-6 * (d->points[i].at_s - at_s), 1};
    return median(s, n);
}

static double scatter(const struct drift *d, double ppm, double at_s)
{
    double middle = level(d, 0, ppm, at_s);
    struct slope s[DRIFT_POINTS];

    for (int i = 0; i < d->n; i++) {
        double on = middle + ppm * 1e-6 * (d->points[i].at_s - at_s);
        s[i] = (struct slope){fabs(d->points[i].delay_s - on), 1};
    }
    return fmax(1.5 * median(s, d->n), fmax(NOISE_S, FEW_S / d->n));
}

/* The slope of the points counts as much as their span and scatter allow, the prior the rest. */
static void fit(struct drift *d)
{
    double at_s = d->points[d->n - 1].at_s, span = at_s - d->points[0].at_s;
    double ppm = d->prior_ppm, sure = d->prior_sure_ppm;

    if (d->n > 1 && span > 0) {
        double slope = slope_ppm(d);
        double noise = 3.5e6 * scatter(d, slope, at_s) / (span * sqrt((double)d->n));
        double trust = 1 / (noise * noise), prior = 1 / (sure * sure);
        ppm = (slope * trust + ppm * prior) / (trust + prior);
        sure = sqrt(1 / (trust + prior));
    }
    d->ppm = fmax(-DRIFT_PPM_MAX, fmin(DRIFT_PPM_MAX, ppm));
    d->sure_ppm = fmax(sure, SURE_LEAST);
    d->at_s = at_s;
    d->delay_s = level(d, d->n > OFFSET ? d->n - OFFSET : 0, d->ppm, at_s);
}

static void append(struct drift *d, struct drift_point p)
{
    if (d->n == DRIFT_POINTS) {
        memmove(d->points, d->points + 1, (DRIFT_POINTS - 1) * sizeof(*d->points));
        d->n--;
    }
    d->points[d->n++] = p;
}

static bool agree(struct drift_point p, double at_s, double delay_s, double tolerated, double ppm,
                  double sure_ppm)
{
    double apart = p.at_s - at_s;
    double off = fabs(p.delay_s - delay_s - ppm * 1e-6 * apart);

    return off < fmin(tolerated + 3e-6 * sure_ppm * fabs(apart), TOLERATED_MOST);
}

/* As long as there are few points, one that is off a little may have set the slope wrong. */
static bool on_line(const struct drift *d, struct drift_point p)
{
    if (d->n == 0 || p.at_s <= d->points[d->n - 1].at_s)
        return false;
    return agree(p, d->at_s, d->delay_s, TOLERATED, d->ppm,
                 fmax(d->sure_ppm, DRIFT_PPM_ANY / d->n));
}

static void stray_add(struct drift *d, struct drift_point p)
{
    if (d->stray == DRIFT_STRAYS) {
        memmove(d->strays, d->strays + 1, (DRIFT_STRAYS - 1) * sizeof(*d->strays));
        d->stray--;
    }
    d->strays[d->stray++] = p;
}

/* Starts again from p, and a stray that it agrees with, if there is one. */
static bool jump(struct drift *d, struct drift_point p, bool sure)
{
    int i = d->stray - 1;

    while (i >= 0 &&
           (p.at_s <= d->strays[i].at_s ||
            !agree(p, d->strays[i].at_s, d->strays[i].delay_s, AGREED, d->ppm, d->sure_ppm)))
        i--;
    if (i < 0 && !sure)
        return false;
    struct drift_point stray = i < 0 ? p : d->strays[i];
    drift_init(d, d->ppm, fmax(d->sure_ppm, JUMP_SURE_PPM));
    if (i >= 0)
        append(d, stray);
    append(d, p);
    fit(d);
    return true;
}

enum drift_news drift_add(struct drift *d, double at_s, double delay_s, double quality)
{
    struct drift_point p = {at_s, delay_s};

    if (!(quality >= DRIFT_QUALITY_2) || !isfinite(at_s) || !isfinite(delay_s))
        return DRIFT_IGNORED;
    if (on_line(d, p)) {
        append(d, p);
        d->stray = 0;
        fit(d);
        return DRIFT_FITTED;
    }
    if (quality < DRIFT_QUALITY)
        return DRIFT_IGNORED;
    if (d->n == 0) {
        append(d, p);
        fit(d);
        return DRIFT_FIRST;
    }
    bool far_off = fabs(delay_s - drift_delay(d, at_s)) > TOLERATED_MOST;
    if (jump(d, p, quality >= DRIFT_QUALITY_1 && far_off))
        return DRIFT_JUMPED;
    stray_add(d, p);
    return DRIFT_STRAY;
}
