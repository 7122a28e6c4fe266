#include "dsp/probe.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/delay.h"
#include "dsp/drift.h"

#define PI 3.14159265358979323846

#define CHIRP_LEVEL  8000.0 /* peak: 12 dB under full scale */
#define CHIRP_LOW    150.0  /* Hz */
#define CHIRP_HIGH   7000.0
#define CHIRP_FADE   240    /* samples at either end */
#define NOISE_LEVEL  1600.0 /* rms: 29 dB under full scale, with the beat */
#define NOISE_BEAT   4000
#define DELAY_FROM   (-800) /* as far as align.h goes */
#define DELAY_TO     8800
#define WINDOW       (-DELAY_FROM + PROBE_CHIRP + DELAY_TO)
#define LEAD         (DELAY_TO - DELAY_FROM) /* of far over near, see delay.h */
#define QUALITY_SURE 9.0                     /* a chance peak is under about 6 */
#define CLIP_LEVEL   32000 /* resampling has moved the samples that were at full scale */
#define LOWEST_DB    (-120.0)
#define EXACT_PART   1100    /* samples: up to 1 kHz, where parts of a sample are little */
#define EXACT_MATCH  0.995   /* correlation; rooms and loudspeakers stay far below */
#define EXACT_NOISE  (-85.0) /* no microphone is as quiet, a wire is */

/* --- the sounds */

static void chirp(int16_t x[PROBE_CHIRP])
{
    double length = PROBE_CHIRP / (double)DSP_HZ;

    for (int i = 0; i < PROBE_CHIRP; i++) {
        double t = i / (double)DSP_HZ, gain = 1;
        int end = i < PROBE_CHIRP - 1 - i ? i : PROBE_CHIRP - 1 - i;

        if (end < CHIRP_FADE)
            gain = 0.5 - 0.5 * cos(PI * end / CHIRP_FADE);
        x[i] = (int16_t)lrint(
            CHIRP_LEVEL * gain *
            sin(2 * PI * (CHIRP_LOW + (CHIRP_HIGH - CHIRP_LOW) * t / 2 / length) * t));
    }
}

void probe_chirps(int16_t x[PROBE_SAMPLES])
{
    memset(x, 0, PROBE_SAMPLES * sizeof *x);
    chirp(x);
    memcpy(x + PROBE_APART, x, PROBE_CHIRP * sizeof *x);
}

/* White noise at sample k: a hash (splitmix64), so that any stretch of it can be had. */
static double white(uint64_t k)
{
    uint64_t z = (k + 1) * 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-52 - 1;
}

void probe_noise(int16_t *x, size_t n, uint64_t from)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t k = from + i;
        double beat = 0.6 - 0.4 * cos(2 * PI * (double)(k % NOISE_BEAT) / NOISE_BEAT), sum = 0;

        /* A moving mean leaves less of the high tones; rms of the sum is 1. */
        for (uint64_t j = 0; j < 3; j++)
            sum += white(k + j);
        x[i] = (int16_t)lrint(NOISE_LEVEL * beat * sum);
    }
}

/* --- what came back */

static double db_of(double power)
{
    double db = 10 * log10(power / (32768.0 * 32768.0) + 1e-30);

    return db > LOWEST_DB ? db : LOWEST_DB;
}

static double power_of(const int16_t *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return n > 0 ? sum / (double)n : 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median of the frames: a cough or a chair is not the noise of the room. */
static int noise_of(double *power, const int16_t *x, size_t n)
{
    size_t frames = n / DSP_FRAME;
    double *p = malloc((frames + 1) * sizeof *p);

    *power = 0;
    if (p == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < frames; i++)
        p[i] = power_of(x + i * DSP_FRAME, DSP_FRAME);
    qsort(p, frames, sizeof *p, by_size);
    if (frames > 0)
        *power = p[frames / 2];
    free(p);
    return 0;
}

static bool all_the_same(const int16_t *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0])
            return false;
    return true;
}

static size_t clipped_in(const int16_t *x, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += x[i] >= CLIP_LEVEL || x[i] <= -CLIP_LEVEL;
    return count;
}

/* mic[at..at+n) into y, zeros where there is nothing. */
static void cut(int16_t *y, size_t n, const int16_t *mic, size_t have, long at)
{
    for (size_t i = 0; i < n; i++) {
        long k = at + (long)i;
        y[i] = k >= 0 && (size_t)k < have ? mic[k] : 0;
    }
}

struct work {
    struct delay *delay;
    int16_t chirp[PROBE_CHIRP], far[LEAD + WINDOW], near[WINDOW];
};

/* Where the echo of the chirp that left the loudspeaker at sample `start` is. */
static struct delay_found find(struct work *w, const int16_t *mic, size_t n, double start)
{
    long whole = lrint(start);
    struct delay_found found;

    cut(w->near, WINDOW, mic, n, whole + DELAY_FROM);
    delay_find(w->delay, w->far, w->near, WINDOW, NULL, &found);
    found.samples += (double)whole - start;
    return found;
}

static void take_delay(struct probe *out, const struct delay_found *a, const struct delay_found *b)
{
    bool sure = a->quality >= QUALITY_SURE && b->quality >= QUALITY_SURE;
    double ppm = (a->samples - b->samples) / PROBE_APART * 1e6;
    const struct delay_found *best = a->quality >= b->quality ? a : b;

    out->heard = best->quality >= QUALITY_SURE;
    out->quality = best->quality;
    out->delay_ms = best->samples * 1000 / DSP_HZ;
    /* One sample more, for the noise in both. */
    out->unsteady = sure && fabs(a->samples - b->samples) > DRIFT_PPM_MAX * PROBE_APART / 1e6 + 1;
    out->drift_known = sure && !out->unsteady;
    out->drift_ppm = out->drift_known ? ppm : 0;
}

/* Level of the first chirp's echo, less the noise, against the chirp. w->near holds its stretch. */
static void take_level(struct probe *out, const struct work *w, double noise)
{
    double played = power_of(w->chirp, PROBE_CHIRP);
    long at = lrint(out->delay_ms * DSP_HZ / 1000) - DELAY_FROM;
    size_t room = (size_t)(WINDOW - at);
    double echo = power_of(w->near + at, room < PROBE_CHIRP ? room : PROBE_CHIRP) - noise;

    out->level_db = db_of(echo > 0 ? echo : 0);
    out->echo_db = out->level_db - db_of(played);
}

/* Correlation of the chirp's low part with what came back, read between samples. */
static double match(const struct probe *out, const struct work *w, double start)
{
    double at = out->delay_ms * DSP_HZ / 1000 + start - rint(start) - DELAY_FROM, xx = 0, yy = 0,
           xy = 0;

    for (int i = 0; i < EXACT_PART; i++) {
        double k = at + i, x = w->chirp[i], y;
        long whole = (long)floor(k);

        if (whole < 0 || whole + 1 >= WINDOW)
            return 0;
        y = w->near[whole] + (k - (double)whole) * (w->near[whole + 1] - w->near[whole]);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

static void measure_echo(struct probe *out, struct work *w, const int16_t *mic, size_t n,
                         double start, double noise)
{
    struct delay_found a, b;

    chirp(w->chirp);
    memset(w->far, 0, sizeof w->far);
    memcpy(w->far + LEAD, w->chirp, sizeof w->chirp);
    b = find(w, mic, n, start + PROBE_APART);
    a = find(w, mic, n, start);
    take_delay(out, &a, &b);
    if (!out->heard)
        return;
    take_level(out, w, noise);
    out->exact = out->noise_db < EXACT_NOISE && fabs(match(out, w, start)) > EXACT_MATCH;
}

int probe_measure(struct probe *out, const int16_t *mic, size_t n, double start,
                  const int16_t *quiet, size_t quiet_n)
{
    struct work *w = malloc(sizeof *w);
    double noise = 0;
    int rc = w != NULL ? delay_new(&w->delay, DELAY_FROM, DELAY_TO) : -ENOMEM;

    *out = (struct probe){.silent = all_the_same(mic, n), .clipped = clipped_in(mic, n)};
    if (rc < 0) {
        free(w);
        return rc;
    }
    rc = noise_of(&noise, quiet, quiet_n);
    out->noise_db = db_of(noise);
    if (rc == 0 && !out->silent)
        measure_echo(out, w, mic, n, start, noise);
    delay_free(w->delay);
    free(w);
    return rc;
}
