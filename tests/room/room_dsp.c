#include "room_dsp.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FFT_SIZE (2 * ROOM_BLOCK)
#define BINS     (ROOM_BLOCK + 1)
#define PI       3.14159265358979323846

void room_rng_init(struct room_rng *r, uint64_t seed)
{
    *r = (struct room_rng){.state = seed};
}

static uint64_t rng_next(struct room_rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

float room_rng_uniform(struct room_rng *r)
{
    return (float)(int32_t)(rng_next(r) >> 32) / 2147483648.0f;
}

float room_rng_gauss(struct room_rng *r)
{
    float u, v, s;

    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    do { /* Marsaglia's polar method */
        u = room_rng_uniform(r);
        v = room_rng_uniform(r);
        s = u * u + v * v;
    } while (s >= 1 || s <= 0);
    s = sqrtf(-2 * logf(s) / s);
    r->spare = v * s;
    r->has_spare = 1;
    return u * s;
}

float room_db(float db)
{
    return powf(10, db / 20);
}

static void add_reflections(float *h, size_t n, int rate_hz, double decay, struct room_rng *rng)
{
    int i;

    for (i = 0; i < 6; i++) {
        double ms = 1.5 + 10 * (1 + (double)room_rng_uniform(rng));
        size_t at = (size_t)(ms * rate_hz / 1000);
        float sign = room_rng_uniform(rng) < 0 ? -1.0f : 1.0f;

        if (at < n)
            h[at] += sign * 0.35f * (float)exp(-decay * (double)at);
    }
}

static void add_tail(float *h, size_t n, int rate_hz, double decay, struct room_rng *rng)
{
    size_t i, first = (size_t)rate_hz * 3 / 1000;
    float level = sqrtf((float)decay); /* sum of level^2 exp(-2 decay i) is a half */

    for (i = first; i < n; i++)
        h[i] += level * room_rng_gauss(rng) * (float)exp(-decay * (double)i);
}

int room_rir_new(float **h, size_t *n, int rate_hz, int t60_ms, uint64_t seed)
{
    struct room_rng rng;
    double energy = 0, decay;
    size_t i;

    *h = NULL;
    *n = 0;
    if (rate_hz < 1 || t60_ms < 0 || t60_ms > 5000)
        return -EINVAL;
    *n = 1 + (size_t)t60_ms * (size_t)rate_hz / 1000;
    *h = calloc(*n, sizeof **h);
    if (*h == NULL)
        return -ENOMEM;
    (*h)[0] = 1;
    if (*n == 1)
        return 0;
    decay = 3 * log(10) / (double)*n; /* 60 dB of amplitude is a factor of 1000 */
    room_rng_init(&rng, seed);
    add_reflections(*h, *n, rate_hz, decay, &rng);
    add_tail(*h, *n, rate_hz, decay, &rng);
    for (i = 0; i < *n; i++)
        energy += (double)(*h)[i] * (double)(*h)[i];
    for (i = 0; i < *n; i++)
        (*h)[i] = (float)((double)(*h)[i] / sqrt(energy));
    return 0;
}

/* A complex FFT of FFT_SIZE points, in place, radix 2. */
struct fft {
    float cos[FFT_SIZE / 2], sin[FFT_SIZE / 2];
};

static void fft_init(struct fft *f)
{
    int i;

    for (i = 0; i < FFT_SIZE / 2; i++) {
        f->cos[i] = (float)cos(2 * PI * i / FFT_SIZE);
        f->sin[i] = (float)-sin(2 * PI * i / FFT_SIZE);
    }
}

static void bit_reverse(float *re, float *im)
{
    size_t i, j = 0, bit;
    float t;

    for (i = 1; i < FFT_SIZE; i++) {
        for (bit = FFT_SIZE / 2; j & bit; bit /= 2)
            j ^= bit;
        j ^= bit;
        if (i >= j)
            continue;
        t = re[i], re[i] = re[j], re[j] = t;
        t = im[i], im[i] = im[j], im[j] = t;
    }
}

static void fft_run(const struct fft *f, float *re, float *im)
{
    size_t half, at, k;

    bit_reverse(re, im);
    for (half = 1; half < FFT_SIZE; half *= 2) {
        for (at = 0; at < FFT_SIZE; at += 2 * half) {
            for (k = 0; k < half; k++) {
                float c = f->cos[k * (FFT_SIZE / 2 / half)], s = f->sin[k * (FFT_SIZE / 2 / half)];
                size_t a = at + k, b = a + half;
                float xr = re[b] * c - im[b] * s, xi = re[b] * s + im[b] * c;

                re[b] = re[a] - xr, im[b] = im[a] - xi;
                re[a] += xr, im[a] += xi;
            }
        }
    }
}

struct spectrum {
    float re[BINS], im[BINS];
};

static void transform(const struct fft *f, const float *x, size_t n, struct spectrum *out)
{
    float re[FFT_SIZE] = {0}, im[FFT_SIZE] = {0};

    memcpy(re, x, n * sizeof *x);
    fft_run(f, re, im);
    memcpy(out->re, re, sizeof out->re);
    memcpy(out->im, im, sizeof out->im);
}

/* The second half of the inverse transform: conjugate, transform, scale; the result is real. */
static void transform_back(const struct fft *f, const struct spectrum *s, float *out)
{
    float re[FFT_SIZE], im[FFT_SIZE];
    size_t i;

    for (i = 0; i < BINS; i++) {
        re[i] = s->re[i], im[i] = -s->im[i];
        if (i > 0 && i < BINS - 1)
            re[FFT_SIZE - i] = s->re[i], im[FFT_SIZE - i] = s->im[i];
    }
    fft_run(f, re, im);
    for (i = 0; i < ROOM_BLOCK; i++)
        out[i] = re[ROOM_BLOCK + i] / FFT_SIZE;
}

struct room_path {
    float head[ROOM_BLOCK];
    size_t head_first, head_end; /* what of it is not 0 */
    size_t parts;                /* the head is part 0 */
    size_t first;                /* the first part from 1 on that is not 0 */
    struct spectrum part[];
};

static int all_zero(const float *x, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (x[i] < 0 || x[i] > 0)
            return 0;
    return 1;
}

static size_t part_size(size_t n, size_t part)
{
    size_t left = n - part * ROOM_BLOCK;

    return left < ROOM_BLOCK ? left : ROOM_BLOCK;
}

int room_path_new(struct room_path **out, const float *h, size_t n)
{
    size_t parts = (n + ROOM_BLOCK - 1) / ROOM_BLOCK, i;
    struct room_path *p;
    struct fft fft;

    *out = NULL;
    if (n == 0)
        return -EINVAL;
    p = calloc(1, sizeof *p + parts * sizeof p->part[0]);
    if (p == NULL)
        return -ENOMEM;
    fft_init(&fft);
    p->parts = p->first = parts;
    memcpy(p->head, h, part_size(n, 0) * sizeof *h);
    for (i = parts; i-- > 1;) {
        transform(&fft, h + i * ROOM_BLOCK, part_size(n, i), &p->part[i]);
        if (!all_zero(h + i * ROOM_BLOCK, part_size(n, i)))
            p->first = i;
    }
    p->head_end = ROOM_BLOCK;
    while (p->head_end > 0 && all_zero(p->head + p->head_end - 1, 1))
        p->head_end--;
    while (p->head_first < p->head_end && all_zero(p->head + p->head_first, 1))
        p->head_first++;
    *out = p;
    return 0;
}

void room_path_free(struct room_path *p)
{
    free(p);
}

struct room_conv {
    struct fft fft;
    const struct room_path *path, *next;
    float x[FFT_SIZE];      /* the block before this one, and this one so far */
    float tail[ROOM_BLOCK]; /* what earlier blocks add to this one */
    size_t at;              /* position in this block */
    size_t slots, newest;   /* spectra of the blocks before, a ring */
    struct spectrum past[];
};

int room_conv_new(struct room_conv **out, size_t n)
{
    size_t slots = (n + ROOM_BLOCK - 1) / ROOM_BLOCK + 1;
    struct room_conv *c;

    *out = NULL;
    if (n == 0)
        return -EINVAL;
    c = calloc(1, sizeof *c + slots * sizeof c->past[0]);
    if (c == NULL)
        return -ENOMEM;
    c->slots = slots;
    fft_init(&c->fft);
    *out = c;
    return 0;
}

void room_conv_set(struct room_conv *c, const struct room_path *p)
{
    c->next = p;
    if (c->at == 0)
        c->path = p;
}

/* What the blocks up to now will add to the next one. */
static void next_tail(struct room_conv *c)
{
    const struct room_path *p = c->path;
    struct spectrum sum = {{0}, {0}};
    size_t j, i;

    memset(c->tail, 0, sizeof c->tail);
    if (p == NULL || p->first >= p->parts)
        return;
    for (j = p->first; j < p->parts; j++) {
        const struct spectrum *h = &p->part[j];
        const struct spectrum *x = &c->past[(c->newest + c->slots - (j - 1)) % c->slots];

        for (i = 0; i < BINS; i++) {
            sum.re[i] += h->re[i] * x->re[i] - h->im[i] * x->im[i];
            sum.im[i] += h->re[i] * x->im[i] + h->im[i] * x->re[i];
        }
    }
    transform_back(&c->fft, &sum, c->tail);
}

static void end_block(struct room_conv *c)
{
    c->newest = (c->newest + 1) % c->slots;
    transform(&c->fft, c->x, FFT_SIZE, &c->past[c->newest]);
    memcpy(c->x, c->x + ROOM_BLOCK, ROOM_BLOCK * sizeof c->x[0]);
    c->at = 0;
    c->path = c->next;
    next_tail(c);
}

float room_conv_step(struct room_conv *c, float x)
{
    const struct room_path *p = c->path;
    const float *now = &c->x[ROOM_BLOCK + c->at];
    float y = c->tail[c->at];
    size_t k;

    c->x[ROOM_BLOCK + c->at] = x;
    if (p != NULL)
        for (k = p->head_first; k < p->head_end; k++)
            y += p->head[k] * *(now - k);
    if (++c->at == ROOM_BLOCK)
        end_block(c);
    return y;
}

void room_conv_free(struct room_conv *c)
{
    free(c);
}

float room_distort(float x, float drive, float clip)
{
    if (drive > 0)
        x = tanhf(drive * x) / drive;
    return x > clip ? clip : x < -clip ? -clip : x;
}

static double sinc(double x)
{
    return fabs(x) < 1e-9 ? 1 : sin(PI * x) / (PI * x);
}

static double hann(double x, double half)
{
    return fabs(x) >= half ? 0 : 0.5 + 0.5 * cos(PI * x / half);
}

/* The sum of ring[whole + i] sinc(part - i) hann(part - i). The sines of all taps come from those
 * of the first: sin(pi (part - i)) only changes its sign, and the window's cosine turns by pi/HALF.
 */
float room_between(const int16_t *ring, size_t mask, double at)
{
    const double turn_cos = cos(PI / ROOM_SINC_HALF), turn_sin = sin(PI / ROOM_SINC_HALF);
    int64_t whole = (int64_t)floor(at);
    double part = at - (double)whole, first = part - (1 - ROOM_SINC_HALF), sum = 0;
    double wave = sin(PI * first), c = cos(PI * first / ROOM_SINC_HALF);
    double s = sin(PI * first / ROOM_SINC_HALF);
    int i;

    if (fabs(at - round(at)) < 1e-9)
        return (float)ring[(size_t)round(at) & mask] / 32768;
    for (i = 1 - ROOM_SINC_HALF; i <= ROOM_SINC_HALF; i++) {
        double d = part - i, next = c * turn_cos + s * turn_sin;

        if (whole + i >= 0)
            sum += wave / (PI * d) * (0.5 + 0.5 * c) * ring[(size_t)(whole + i) & mask];
        s = s * turn_cos - c * turn_sin;
        c = next;
        wave = -wave;
    }
    return (float)(sum / 32768);
}

static int gcd(int a, int b)
{
    return b == 0 ? a : gcd(b, a % b);
}

#define TAPS 48 /* on each side, at the lower rate */

/* One filter for each phase that an output sample can have between two input samples. */
static float *filters_new(int phases, int reach, double cutoff)
{
    size_t width = (size_t)(2 * reach);
    float *f = calloc((size_t)phases * width, sizeof *f);
    int p, i;

    for (p = 0; f != NULL && p < phases; p++) {
        for (i = 0; i < 2 * reach; i++) {
            double d = (double)p / phases - (i - reach + 1);

            f[(size_t)p * width + (size_t)i] =
                (float)(cutoff * sinc(cutoff * d) * hann(d, (double)reach));
        }
    }
    return f;
}

int room_resample(float **y, size_t *m, const float *x, size_t n, int from_hz, int to_hz)
{
    int common, phases, stride, reach;
    double cutoff;
    float *f;
    size_t i;

    *y = NULL;
    *m = 0;
    if (from_hz < 1000 || to_hz < 1000 || from_hz > 1000000 || to_hz > 1000000 || n > 1u << 28)
        return -EINVAL;
    common = gcd(from_hz, to_hz);
    phases = to_hz / common;
    stride = from_hz / common;
    cutoff = to_hz < from_hz ? 0.97 * to_hz / from_hz : 1;
    reach = (int)ceil(TAPS / cutoff);
    f = filters_new(phases, reach, cutoff);
    *m = (n * (size_t)phases + (size_t)stride - 1) / (size_t)stride;
    *y = calloc(*m + 1, sizeof **y);
    if (f == NULL || *y == NULL) {
        free(f);
        free(*y);
        *y = NULL;
        return -ENOMEM;
    }
    for (i = 0; i < *m; i++) {
        int64_t at = (int64_t)i * stride / phases, first = at - reach + 1, k;
        const float *taps = f + (size_t)((int64_t)i * stride % phases) * (size_t)(2 * reach);
        int64_t from = first < 0 ? -first : 0;
        int64_t to = first + 2 * reach > (int64_t)n ? (int64_t)n - first : 2 * reach;

        for (k = from; k < to; k++)
            (*y)[i] += taps[k] * x[first + k];
    }
    free(f);
    return 0;
}
