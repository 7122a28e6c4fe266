#include "dsp/suppress.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fft.h>
#include <kiss_fftr.h>

#define WINDOW (2 * DSP_FRAME)
#define BINS   (WINDOW / 2 + 1) /* of 50 Hz */
#define BANDS  20

#define SPEECH_FROM 4  /* bands in which the near end is listened to: 300 Hz ... */
#define SPEECH_TO   16 /* ... to 2850 Hz */

#define QUANTILE    0.9f
#define STEP_DB     0.06f /* per frame */
#define FAST_STEP   4     /* as many times, */
#define FAST_FOR    400   /* in the first frames with echo */
#define BETA        2.0f
#define FLOOR       0.0178f /* -35 dB */
#define DECAY       0.85f   /* of the echo's maximum, per frame */
#define RELEASE     0.7f    /* of the gain, per frame */
#define ROUNDING    40.0f   /* power in a bin of what is rounded to whole numbers twice */
#define NOISE_SPANS 4
#define NOISE_SPAN  60     /* frames */
#define NOISE_BIAS  1.6f   /* of what the minimum is under the mean */
#define QUIET       30.0f  /* |reference| up to here is silence, */
#define ECHO_TIME   50     /* and after as many frames of it there is no echo any more */
#define POLE        0.982f /* of Speex's notch at 0 Hz */

#define FULL_SCALE_DB 90.31f

static const uint8_t edges[BANDS + 1] = {1,  3,  4,  5,  6,  8,  10, 12, 14,  17, 20,
                                         24, 28, 33, 39, 47, 57, 70, 88, 113, 160};

struct band {
    float lambda_db; /* residual echo over echo */
    float echo;      /* its decaying maximum */
    float left;      /* what the canceller left, smoothed */
    float calm;      /* the same over 100 ms */
    float noise;     /* its minimum in the last seconds */
    float lowest[NOISE_SPANS];
    float gain;
};

struct suppress {
    kiss_fft_cfg fft;
    kiss_fftr_cfg back;
    float window[WINDOW];
    float notch[2];
    kiss_fft_cpx old[DSP_FRAME]; /* the frame before: out, echo */
    kiss_fft_cpx in[WINDOW], spectrum[WINDOW];
    float overlap[DSP_FRAME];
    struct band bands[BANDS];
    int seen;
    int silent; /* frames since the far end was heard */
    int frame;
};

void suppress_relearn(struct suppress *s)
{
    for (int b = 0; b < BANDS; b++) {
        s->bands[b].lambda_db = 0;
        s->bands[b].echo = 0;
    }
    s->notch[0] = s->notch[1] = 0;
    s->seen = 0;
}

int suppress_new(struct suppress **out)
{
    struct suppress *s = calloc(1, sizeof(*s));

    *out = NULL;
    if (!s)
        return -ENOMEM;
    s->fft = kiss_fft_alloc(WINDOW, 0, NULL, NULL);
    s->back = kiss_fftr_alloc(WINDOW, 1, NULL, NULL);
    if (!s->fft || !s->back) {
        suppress_free(s);
        return -ENOMEM;
    }
    for (int i = 0; i < WINDOW; i++)
        s->window[i] = sinf((float)M_PI * (float)i / WINDOW);
    suppress_relearn(s);
    *out = s;
    return 0;
}

/* What Speex's notch makes of the microphone, so that the rest of the difference is echo: its
 * zeros are at 0 Hz, its poles near them. */
static float notched(struct suppress *s, float x)
{
    float y = s->notch[0] + x;

    s->notch[0] = s->notch[1] + 2 * (POLE * y - x);
    s->notch[1] = x - (POLE * POLE + 0.7f * (1 - POLE) * (1 - POLE)) * y;
    return POLE * y;
}

/* Two real signals in one transform: out as the real part, the echo as the imaginary part. */
static void transform(struct suppress *s, const int16_t *mic, const int16_t *out)
{
    for (int i = 0; i < DSP_FRAME; i++) {
        float echo = notched(s, mic[i]) - (float)out[i];
        s->in[i].r = s->old[i].r * s->window[i];
        s->in[i].i = s->old[i].i * s->window[i];
        s->old[i] = (kiss_fft_cpx){.r = out[i], .i = echo};
        s->in[DSP_FRAME + i].r = (float)out[i] * s->window[DSP_FRAME + i];
        s->in[DSP_FRAME + i].i = echo * s->window[DSP_FRAME + i];
    }
    kiss_fft(s->fft, s->in, s->spectrum);
}

/* Powers in a band; the spectrum of out takes the place of the mixed one. */
static void powers(struct suppress *s, int b, float *left, float *echo)
{
    float l = 0, e = 0;

    for (int k = edges[b]; k < edges[b + 1]; k++) {
        kiss_fft_cpx p = s->spectrum[k], q = s->spectrum[WINDOW - k];
        kiss_fft_cpx o = {.r = (p.r + q.r) / 2, .i = (p.i - q.i) / 2};
        kiss_fft_cpx y = {.r = (p.i + q.i) / 2, .i = (q.r - p.r) / 2};
        l += o.r * o.r + o.i * o.i;
        e += y.r * y.r + y.i * y.i;
        s->spectrum[k] = o;
    }
    float width = (float)(edges[b + 1] - edges[b]);
    *left = l / width;
    *echo = e / width;
}

/* The noise is what is always there: the minimum over some spans of time, the latest one included,
 * each of which forgets what was before it. */
static void band_listen(struct band *b, float left, int frame)
{
    int span = frame / NOISE_SPAN % NOISE_SPANS;

    b->left += 0.4f * (left - b->left);
    b->calm += 0.1f * (left - b->calm);
    if (b->noise == 0) {
        b->calm = left;
        for (int i = 0; i < NOISE_SPANS; i++)
            b->lowest[i] = left;
    }
    if (frame % NOISE_SPAN == 0 || b->calm < b->lowest[span])
        b->lowest[span] = b->calm;
    float low = b->lowest[0];
    for (int i = 1; i < NOISE_SPANS; i++)
        low = fminf(low, b->lowest[i]);
    b->noise = NOISE_BIAS * low + 1e-3f;
}

static bool band_step(struct band *b, float left, float echo, bool fast)
{
    b->echo = fmaxf(fmaxf(echo - ROUNDING, 0), b->echo * DECAY);

    bool active = b->echo > 3 * b->noise + ROUNDING;
    if (active) {
        float step = STEP_DB * (fast ? FAST_STEP : 1);
        float over = fmaxf(left - b->noise, 1e-6f) / b->echo;
        b->lambda_db += 10 * log10f(over) > b->lambda_db ? step * QUANTILE : -step * (1 - QUANTILE);
        b->lambda_db = fminf(fmaxf(b->lambda_db, -40), 10);
    }
    float residual = powf(10, b->lambda_db / 10) * b->echo;
    float gain = 1 - BETA * residual / (fmaxf(left, b->left) + 1e-3f);
    b->gain = fmaxf(fmaxf(gain, b->gain * RELEASE), FLOOR);
    return active;
}

static float clamp(float x, float low, float high)
{
    return fminf(fmaxf(x, low), high);
}

static void judge(const struct suppress *s, struct suppress_state *state)
{
    float snr = 0, noise = 0, echo = 0, residual = 0;

    for (int i = 0; i < BANDS; i++) {
        const struct band *b = &s->bands[i];
        float r = powf(10, b->lambda_db / 10) * b->echo;
        float width = (float)(edges[i + 1] - edges[i]);
        if (i >= SPEECH_FROM && i < SPEECH_TO)
            snr += clamp(10 * log10f((b->left + 1e-3f) / (r + b->noise + 1e-3f)), 0, 15);
        noise += b->noise * width;
        echo += b->echo * width;
        residual += r * width;
    }
    state->snr_db = snr / (SPEECH_TO - SPEECH_FROM);
    state->noise_db = 10 * log10f(noise / (DSP_FRAME * DSP_FRAME) + 1e-3f) - FULL_SCALE_DB;
    state->left_db = s->seen > 0 ? clamp(10 * log10f((residual + 1) / (echo + 1)), -60, 0) : 0;
    state->seen = s->seen;
}

static void synthesize(struct suppress *s, int16_t *y)
{
    float x[WINDOW];

    for (int b = 0; b < BANDS; b++)
        for (int k = edges[b]; k < edges[b + 1]; k++) {
            s->spectrum[k].r *= s->bands[b].gain;
            s->spectrum[k].i *= s->bands[b].gain;
        }
    s->spectrum[0] = (kiss_fft_cpx){.r = s->spectrum[0].r * s->bands[0].gain, .i = 0};
    s->spectrum[BINS - 1] = (kiss_fft_cpx){.r = s->spectrum[BINS - 1].r * s->bands[BANDS - 1].gain};
    kiss_fftri(s->back, s->spectrum, x);
    for (int i = 0; i < DSP_FRAME; i++) {
        float v = s->overlap[i] + x[i] * s->window[i] / WINDOW;
        y[i] = (int16_t)lrintf(clamp(v, -32768, 32767));
        s->overlap[i] = x[DSP_FRAME + i] * s->window[DSP_FRAME + i] / WINDOW;
    }
}

void suppress_run(struct suppress *s, const int16_t mic[DSP_FRAME], const int16_t ref[DSP_FRAME],
                  const int16_t out[DSP_FRAME], int16_t y[DSP_FRAME], struct suppress_state *state)
{
    float energy = 0;
    int active = 0;

    s->silent = s->silent < ECHO_TIME ? s->silent + 1 : ECHO_TIME;
    for (int i = 0; i < DSP_FRAME; i++) {
        energy += (float)mic[i] * (float)mic[i];
        if (abs(ref[i]) > QUIET)
            s->silent = 0;
    }
    transform(s, mic, out);
    for (int b = 0; b < BANDS; b++) {
        float left, echo;
        powers(s, b, &left, &echo);
        band_listen(&s->bands[b], left, s->frame);
        if (s->silent == ECHO_TIME)
            s->bands[b].echo = echo = 0;
        active += band_step(&s->bands[b], left, echo, s->seen < FAST_FOR);
    }
    s->frame = (s->frame + 1) % (NOISE_SPAN * NOISE_SPANS);
    state->echo = active >= BANDS / 4;
    s->seen += state->echo && s->seen < INT32_MAX;
    judge(s, state);
    state->near_db = 10 * log10f(energy / DSP_FRAME + 1e-3f) - FULL_SCALE_DB;
    synthesize(s, y);
}

void suppress_free(struct suppress *s)
{
    if (!s)
        return;
    kiss_fft_free(s->fft);
    kiss_fftr_free(s->back);
    free(s);
}
