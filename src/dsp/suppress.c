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

#define FAST_FOR    400 /* frames with echo, in which it learns faster */
#define FAST_RATE   0.04f
#define RATE        0.008f /* of what is learnt, per frame */
#define DOWNWARD    1.5f   /* as fast when less is left than was thought */
#define TIMID       0.1f   /* as fast when it may be the near end that is louder */
#define WILD        2.0f   /* deviations, beyond which a value counts as so far off */
#define START_DB    0.0f   /* at first: all of the echo is left, */
#define START_DEV   4.0f   /* more or less */
#define HEADROOM    2.5f   /* deviations over the mean that the residual may be */
#define BETA_ECHO   8.0f   /* of the residual that is taken away while only echo is heard, */
#define BETA_BOTH   1.0f   /* and while the near end is heard as well */
#define NEAR_LOW    1.5f   /* mean SNR, dB, at which the near end begins to be heard */
#define NEAR_HIGH   5.0f   /* and is heard */
#define CLIPPED     10.0f  /* the residual is as many times as loud where the microphone clips */
#define FULL        32700
#define COLD        30 /* frames of far end in which nothing is known yet: no near end is believed */
#define FLOOR       0.0178f /* -35 dB */
#define DECAY       0.85f   /* of the echo's maximum, per frame */
#define RECENT      0.1f    /* of that maximum, from which on it is learnt from */
#define RELEASE     0.7f    /* of the gain, per frame */
#define ROUNDING    40.0f   /* power in a bin of what is rounded to whole numbers twice */
#define NOISE_SPANS 4
#define NOISE_SPAN  60     /* frames */
#define NOISE_BIAS  1.6f   /* of what the minimum is under the mean */
#define QUIET       30     /* |reference| up to here is silence, */
#define ECHO_TIME   50     /* and after as many frames of it there is no echo any more */
#define POLE        0.982f /* of Speex's notch at 0 Hz */

#define FULL_SCALE_DB 90.31f
#define SNR_MOST      15
#define LEAST         1e-3f /* a power that is nothing */

static const uint8_t edges[BANDS + 1] = {1,  3,  4,  5,  6,  8,  10, 12, 14,  17, 20,
                                         24, 28, 33, 39, 47, 57, 70, 88, 113, 160};

struct band {
    float now;   /* what the canceller left in this frame */
    float left;  /* the same, smoothed */
    float calm;  /* the same over 100 ms */
    float noise; /* its minimum in the last seconds */
    float lowest[NOISE_SPANS];
    float echo;                  /* what it took out: a decaying maximum */
    float mean_db, deviation_db; /* of what was left over what was taken out */
    float residual;              /* the most that is left of the echo now */
    float gain;
    int seen; /* frames with echo in this band */
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
    float near; /* 0..1: the near end is heard */
    int seen;   /* frames with echo */
    int far;    /* frames in which the far end was heard, up to COLD */
    int silent; /* frames since then, up to ECHO_TIME */
    int frame;  /* for the spans of the noise */
};

void suppress_relearn(struct suppress *s)
{
    for (int i = 0; i < BANDS; i++) {
        struct band *b = &s->bands[i];
        b->mean_db = START_DB;
        b->deviation_db = START_DEV;
        b->echo = 0;
        b->seen = 0;
    }
    s->notch[0] = s->notch[1] = 0;
    s->near = 0;
    s->seen = s->far = 0;
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
    s->silent = ECHO_TIME;
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
static void band_listen(struct band *b, int frame)
{
    int span = frame / NOISE_SPAN % NOISE_SPANS;
    float low;

    b->left += 0.4f * (b->now - b->left);
    b->calm += 0.1f * (b->now - b->calm);
    if (b->noise == 0) {
        b->calm = b->now;
        for (int i = 0; i < NOISE_SPANS; i++)
            b->lowest[i] = b->now;
    }
    if (frame % NOISE_SPAN == 0 || b->calm < b->lowest[span])
        b->lowest[span] = b->calm;
    low = b->lowest[0];
    for (int i = 1; i < NOISE_SPANS; i++)
        low = fminf(low, b->lowest[i]);
    b->noise = NOISE_BIAS * low + LEAST;
}

static float clamp(float x, float low, float high)
{
    return fminf(fmaxf(x, low), high);
}

/* What the canceller leaves against what it takes out is learnt as a mean and a deviation in dB; a
 * wild value counts as a moderate one, and what may be the near end for little. */
static void band_learn(struct band *b, float trust)
{
    float r = 10 * log10f(fmaxf(b->now - b->noise, 0.01f * b->noise) / b->echo);
    float off = clamp(r - b->mean_db, -WILD * b->deviation_db, WILD * b->deviation_db);
    float rate = fmaxf(1 / (10 + (float)b->seen), b->seen < FAST_FOR ? FAST_RATE : RATE);

    rate *= off < 0 ? DOWNWARD : trust;
    b->mean_db = clamp(b->mean_db + rate * off, -50, 3);
    b->deviation_db = clamp(b->deviation_db + rate * (fabsf(off) - b->deviation_db), 2, 8);
    b->seen += b->seen < FAST_FOR;
}

/* True if there is echo in it. */
static bool band_step(struct band *b, float echo, float trust)
{
    bool active;

    echo = fmaxf(echo - ROUNDING, 0);
    b->echo = fmaxf(echo, b->echo * DECAY);
    active = echo > 3 * b->noise + ROUNDING && echo > RECENT * b->echo;
    b->residual = powf(10, (b->mean_db + HEADROOM * b->deviation_db) / 10) * b->echo;
    if (active)
        band_learn(b, trust);
    return active;
}

static void band_gain(struct band *b, float beta)
{
    float gain = 1 - beta * b->residual / (fmaxf(b->now, b->left) + LEAST);

    b->gain = fmaxf(fmaxf(gain, b->gain * RELEASE), FLOOR);
}

static void judge(const struct suppress *s, struct suppress_state *state)
{
    float snr = 0, noise = LEAST, echo = LEAST, left = LEAST;

    for (int i = 0; i < BANDS; i++) {
        const struct band *b = &s->bands[i];
        float width = (float)(edges[i + 1] - edges[i]);
        if (i >= SPEECH_FROM && i < SPEECH_TO)
            snr += clamp(10 * log10f((b->left + LEAST) / (b->residual + b->noise)), 0, SNR_MOST);
        noise += b->noise * width;
        echo += b->echo * width;
        left += powf(10, b->mean_db / 10) * b->echo * width;
    }
    state->snr_db = snr / (SPEECH_TO - SPEECH_FROM);
    state->noise_db = 10 * log10f(noise / (DSP_FRAME * DSP_FRAME)) - FULL_SCALE_DB;
    state->left_db = s->seen > 0 ? clamp(10 * log10f(left / (echo + left)), -60, 0) : 0;
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
    s->spectrum[0] = (kiss_fft_cpx){.r = s->spectrum[0].r * s->bands[0].gain};
    s->spectrum[BINS - 1] = (kiss_fft_cpx){.r = s->spectrum[BINS - 1].r * s->bands[BANDS - 1].gain};
    kiss_fftri(s->back, s->spectrum, x);
    for (int i = 0; i < DSP_FRAME; i++) {
        float v = s->overlap[i] + x[i] * s->window[i] / WINDOW;
        y[i] = (int16_t)lrintf(clamp(v, -32768, 32767));
        s->overlap[i] = x[DSP_FRAME + i] * s->window[DSP_FRAME + i] / WINDOW;
    }
}

static void listen_far(struct suppress *s, const int16_t *ref)
{
    int most = 0;

    for (int i = 0; i < DSP_FRAME; i++)
        most = abs(ref[i]) > most ? abs(ref[i]) : most;
    if (most > QUIET) {
        s->silent = 0;
        s->far += s->far < COLD;
    } else if (s->silent < ECHO_TIME) {
        s->silent++;
    }
}

/* What the bands hold of this frame; how many of them have echo. */
static int analyse(struct suppress *s, bool clipped)
{
    float trust = 1 - (1 - TIMID) * s->near;
    int active = 0;

    for (int i = 0; i < BANDS; i++) {
        struct band *b = &s->bands[i];
        float echo;

        powers(s, i, &b->now, &echo);
        band_listen(b, s->frame);
        if (s->silent == ECHO_TIME)
            b->echo = echo = 0;
        active += band_step(b, echo, trust);
        if (s->silent < ECHO_TIME && s->far < COLD)
            b->residual = fmaxf(b->residual, fmaxf(b->now, b->left));
        else if (clipped)
            b->residual *= CLIPPED;
    }
    s->frame = (s->frame + 1) % (NOISE_SPAN * NOISE_SPANS);
    return active;
}

void suppress_run(struct suppress *s, const int16_t mic[DSP_FRAME], const int16_t ref[DSP_FRAME],
                  const int16_t out[DSP_FRAME], int16_t y[DSP_FRAME], struct suppress_state *state)
{
    float energy = LEAST;
    int most = 0;

    for (int i = 0; i < DSP_FRAME; i++) {
        energy += (float)mic[i] * (float)mic[i];
        most = abs(mic[i]) > most ? abs(mic[i]) : most;
    }
    listen_far(s, ref);
    transform(s, mic, out);
    state->echo = analyse(s, most >= FULL) >= BANDS / 4;
    state->near_db = 10 * log10f(energy / DSP_FRAME) - FULL_SCALE_DB;
    s->seen += state->echo && s->seen < INT32_MAX;
    judge(s, state);
    s->near = clamp((state->snr_db - NEAR_LOW) / (NEAR_HIGH - NEAR_LOW), 0, 1);
    for (int i = 0; i < BANDS; i++)
        band_gain(&s->bands[i], BETA_ECHO + s->near * (BETA_BOTH - BETA_ECHO));
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
