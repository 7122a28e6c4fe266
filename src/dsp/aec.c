#include "dsp/aec.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fftr.h>
#include <speex/speex_echo.h>

/* Whole frames, as Speex has them. */
#define TAPS ((AEC_TAIL_MS * DSP_HZ / 1000 + DSP_FRAME - 1) / DSP_FRAME * DSP_FRAME)
/* What Speex writes for a response of 1: full scale times the length of its transform. */
#define UNITY (32767.0f * 2 * DSP_FRAME)

#define TRAIN_BLOCK  4800 /* samples that are run through the response at once */
#define TRAIN_FFT    9600 /* holds a block and the response */
#define TRAIN_BLOCKS 10   /* 3 s */
#define TRAIN_LEVEL  3000.0f
/* Added to the echo: a canceller that was brought up in a perfect room is slow to adapt. */
#define TRAIN_NOISE 30.0f

#define TROUBLE_MOST 40      /* frames; Speex gives up after 50, and says so on stderr */
#define LOUDEST      2.0e11f /* energy of a pre-emphasised frame; beyond 3.2e11 Speex gives up */

struct aec {
    SpeexEchoState *speex;
    int trouble;          /* frames in a row that left louder than they came */
    int16_t mic_1, ref_1; /* the sample before */
};

static float energy(const int16_t *x, int16_t before)
{
    float sum = 0;

    for (int i = 0; i < DSP_FRAME; i++) {
        float e = (float)x[i] - 0.9f * (float)(i > 0 ? x[i - 1] : before);
        sum += e * e;
    }
    return sum;
}

void aec_reset(struct aec *a)
{
    speex_echo_state_reset(a->speex);
    a->trouble = 0;
    a->mic_1 = a->ref_1 = 0;
}

/* A canceller that has lost its way makes sound; what does not fit into 16 bits is cut off. */
static bool worse(const int16_t *y, float came)
{
    float left = energy(y, y[0]);
    int full = 0;

    for (int i = 0; i < DSP_FRAME; i++)
        full += y[i] == INT16_MAX || y[i] == INT16_MIN;
    return left > 2 * came + 1e6f || (full > 0 && left > came / 2);
}

static void halve(int16_t *to, const int16_t *from)
{
    for (int i = 0; i < DSP_FRAME; i++)
        to[i] = (int16_t)(from[i] / 2);
}

void aec_run(struct aec *a, const int16_t mic[DSP_FRAME], const int16_t ref[DSP_FRAME],
             int16_t out[DSP_FRAME])
{
    int16_t soft_mic[DSP_FRAME], soft_ref[DSP_FRAME], y[DSP_FRAME];
    float came = energy(mic, a->mic_1);

    a->mic_1 = mic[DSP_FRAME - 1];
    if (came > LOUDEST || energy(ref, a->ref_1) > LOUDEST) {
        halve(soft_mic, mic);
        halve(soft_ref, ref);
        mic = soft_mic;
        ref = soft_ref;
    }
    a->ref_1 = ref[DSP_FRAME - 1];
    speex_echo_cancellation(a->speex, mic, ref, y);
    a->trouble = worse(y, came) ? a->trouble + 1 : 0;
    if (a->trouble > TROUBLE_MOST)
        aec_reset(a);
    memcpy(out, y, sizeof(y));
}

size_t aec_response(const struct aec *a, float *response, size_t n)
{
    spx_int32_t taps[TAPS];

    speex_echo_ctl(a->speex, SPEEX_ECHO_GET_IMPULSE_RESPONSE, taps);
    if (n > TAPS)
        n = TAPS;
    for (size_t i = 0; i < n; i++)
        response[i] = (float)taps[i] / UNITY;
    return n;
}

static float noise(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(int32_t)*seed * (1.7320508f / 2147483648.0f); /* of rms 1 */
}

struct trainer {
    kiss_fftr_cfg fft, back;
    kiss_fft_cpx path[TRAIN_FFT / 2 + 1], spectrum[TRAIN_FFT / 2 + 1];
    float x[TRAIN_FFT], y[TRAIN_FFT], tail[TRAIN_FFT - TRAIN_BLOCK];
    uint32_t seed;
};

/* The next block of noise into x, and of its echo into the beginning of y. */
static void trainer_step(struct trainer *t)
{
    for (int i = 0; i < TRAIN_FFT; i++)
        t->x[i] = i < TRAIN_BLOCK ? TRAIN_LEVEL * noise(&t->seed) : 0;
    kiss_fftr(t->fft, t->x, t->spectrum);
    for (int k = 0; k <= TRAIN_FFT / 2; k++) {
        kiss_fft_cpx a = t->spectrum[k], b = t->path[k];
        t->spectrum[k].r = (a.r * b.r - a.i * b.i) / TRAIN_FFT;
        t->spectrum[k].i = (a.r * b.i + a.i * b.r) / TRAIN_FFT;
    }
    kiss_fftri(t->back, t->spectrum, t->y);
    for (int i = 0; i < TRAIN_BLOCK; i++)
        t->y[i] += t->tail[i];
    memcpy(t->tail, t->y + TRAIN_BLOCK, sizeof(t->tail));
}

static int16_t sample(float x)
{
    return (int16_t)lrintf(fminf(fmaxf(x, -32768), 32767));
}

static void train(struct aec *a, struct trainer *t)
{
    int16_t mic[DSP_FRAME], ref[DSP_FRAME], out[DSP_FRAME];

    for (int b = 0; b < TRAIN_BLOCKS; b++) {
        trainer_step(t);
        for (int at = 0; at < TRAIN_BLOCK; at += DSP_FRAME) {
            for (int i = 0; i < DSP_FRAME; i++) {
                mic[i] = sample(t->y[at + i] + TRAIN_NOISE * noise(&t->seed));
                ref[i] = sample(t->x[at + i]);
            }
            aec_run(a, mic, ref, out);
        }
    }
    memset(mic, 0, sizeof(mic));
    memset(ref, 0, sizeof(ref));
    for (int i = 0; i < TAPS / DSP_FRAME + 2; i++) /* what it still hears of the noise ends */
        aec_run(a, mic, ref, out);
}

static int warm_up(struct aec *a, const float *response, size_t n)
{
    struct trainer *t = calloc(1, sizeof(*t));
    int rc = -ENOMEM;

    if (!t)
        return -ENOMEM;
    t->fft = kiss_fftr_alloc(TRAIN_FFT, 0, NULL, NULL);
    t->back = kiss_fftr_alloc(TRAIN_FFT, 1, NULL, NULL);
    if (!t->fft || !t->back)
        goto out;
    memcpy(t->x, response, n * sizeof(*response));
    kiss_fftr(t->fft, t->x, t->path);
    t->seed = 1;
    train(a, t);
    rc = 0;
out:
    kiss_fftr_free(t->fft);
    kiss_fftr_free(t->back);
    free(t);
    return rc;
}

int aec_new(struct aec **out, const float *response, size_t n)
{
    int rate = DSP_HZ, rc = 0;

    *out = NULL;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(response[i]))
            return -EINVAL;
    struct aec *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->speex = speex_echo_state_init(DSP_FRAME, TAPS);
    if (!a->speex) {
        free(a);
        return -ENOMEM;
    }
    speex_echo_ctl(a->speex, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
    if (n > 0)
        rc = warm_up(a, response, n < TAPS ? n : TAPS);
    if (rc != 0) {
        aec_free(a);
        return rc;
    }
    *out = a;
    return 0;
}

void aec_free(struct aec *a)
{
    if (!a)
        return;
    speex_echo_state_destroy(a->speex);
    free(a);
}
