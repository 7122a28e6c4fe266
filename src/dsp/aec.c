#include "dsp/aec.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fftr.h>
#include <speex/speex_echo.h>

/* Whole frames, as Speex has them. */
#define TAPS   ((AEC_TAIL_MS * DSP_HZ / 1000 + DSP_FRAME - 1) / DSP_FRAME * DSP_FRAME)
#define MEMORY (TAPS / DSP_FRAME + 2) /* frames that Speex has in mind */
/* What Speex writes for a response of 1: full scale times the length of its transform. */
#define UNITY (32767.0f * 2 * DSP_FRAME)

#define TRAIN_BLOCK  4800    /* samples that are run through the response at once */
#define TRAIN_FFT    9600    /* holds a block and the response */
#define TRAIN_BLOCKS 20      /* 6 s */
#define TRAIN_LEVEL  3000.0f /* rms of the noise, or of its echo if that is louder */
#define TRAIN_NOISE  10.0f
#define LOUDEST_ROOM 100.0f /* as an amplitude; no room makes more of a sound */

#define PAST      300   /* frames that the student goes over again and again */
#define TAUGHT    400   /* frames of far end with a student */
#define PACE      8     /* frames that it takes for each one that comes */
#define SMOOTH    0.04f /* of the energies that are compared */
#define BETTER    0.8f
#define EARLY     150  /* frames, in which a student that is no better means nothing */
#define VAIN      6    /* times that it may be no better after that, before it is given up */
#define LEAST     1e4f /* energy of a frame that is worth the trouble: -75 dB */
#define FAR_LEAST 1e6f /* energy of a frame of far end that is sound */

#define TROUBLE_MOST 40 /* frames; Speex gives up after 50, and says so on stderr */
/* Energy of a pre-emphasised frame, mic's or ref's. Speex gives up at 3.2e11, of the error too. */
#define LOUDEST 5e10f

/* One canceller of SpeexDSP's. */
struct speex {
    SpeexEchoState *state;
    int trouble;          /* frames in a row that left louder than they came */
    int16_t mic_1, ref_1; /* the sample before */
    bool lost;            /* its way, in the latest frame; it starts from nothing */
};

struct frame {
    int16_t mic[DSP_FRAME], ref[DSP_FRAME];
    float left; /* energy that the live canceller left */
};

/* Speex is slow to learn, but learns more from hearing the same again. So while the echo path is
 * new, a second canceller, the student, is run over the latest seconds at several times the speed;
 * whenever it has caught up with the present and leaves less than the live one, the two change
 * places. */
struct aec {
    struct speex live, student;
    struct frame past[PAST];       /* a ring */
    int64_t frames;                /* so far */
    int64_t at, from;              /* the student's next frame; silence before `from` */
    float left_live, left_student; /* of the latest frames that the student has come to */
    float heard;                   /* what is left, smoothed */
    int taught;                    /* frames of far end in which there was a student */
    int vain;                      /* times in a row that it was no better */
    int silent;                    /* frames since the far end was heard */
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

/* A canceller that has lost its way makes sound; what does not fit into 16 bits is cut off. */
static bool worse(const int16_t *y, float came)
{
    float left = energy(y, y[0]);
    int full = 0;

    for (int i = 0; i < DSP_FRAME; i++)
        full += y[i] == INT16_MAX || y[i] == INT16_MIN;
    return left > 2 * came + 1e5f || (full > 0 && left > came / 2);
}

static void soften(int16_t *to, const int16_t *from)
{
    for (int i = 0; i < DSP_FRAME; i++)
        to[i] = (int16_t)(from[i] / 4);
}

static void speex_reset(struct speex *s)
{
    speex_echo_state_reset(s->state);
    s->trouble = 0;
    s->mic_1 = s->ref_1 = 0;
}

static bool all_zero(const int16_t *y)
{
    for (int i = 0; i < DSP_FRAME; i++)
        if (y[i] != 0)
            return false;
    return true;
}

/* Speex starts from nothing when its echo is louder than it takes to be possible. That frame is
 * silent, but so may be one of a loudspeaker that is the microphone. */
static bool gave_up(const struct speex *s, const int16_t *y, float came)
{
    spx_int32_t taps[TAPS];

    if (came < FAR_LEAST || !all_zero(y))
        return false;
    speex_echo_ctl(s->state, SPEEX_ECHO_GET_IMPULSE_RESPONSE, taps);
    for (int i = 0; i < TAPS; i++)
        if (taps[i] != 0)
            return false;
    return true;
}

/* Returns the energy of what is left. */
static float speex_run(struct speex *s, const int16_t *mic, const int16_t *ref, int16_t *out)
{
    int16_t soft_mic[DSP_FRAME], soft_ref[DSP_FRAME];
    float came = energy(mic, s->mic_1);

    s->mic_1 = mic[DSP_FRAME - 1];
    if (came > LOUDEST || energy(ref, s->ref_1) > LOUDEST) {
        soften(soft_mic, mic);
        soften(soft_ref, ref);
        mic = soft_mic;
        ref = soft_ref;
        came /= 16;
    }
    s->ref_1 = ref[DSP_FRAME - 1];
    speex_echo_cancellation(s->state, mic, ref, out);
    s->trouble = worse(out, came) ? s->trouble + 1 : 0;
    s->lost = s->trouble > TROUBLE_MOST || gave_up(s, out, came);
    if (s->lost)
        speex_reset(s);
    return s->lost ? came : energy(out, out[0]);
}

static void rewind_student(struct aec *a)
{
    a->from = a->frames > PAST - MEMORY ? a->frames - PAST + MEMORY : 0; /* before it is written */
    a->at = a->from - MEMORY;
    a->left_live = a->left_student = 0;
}

void aec_reset(struct aec *a)
{
    speex_reset(&a->live);
    speex_reset(&a->student);
    a->frames = 0;
    a->taught = a->vain = 0;
    a->silent = MEMORY;
    rewind_student(a);
}

/* The student has come to the present: it takes over where it is better, and the other learns. */
static void compare(struct aec *a)
{
    a->vain += a->frames > EARLY;
    if (a->left_student < BETTER * a->left_live) {
        struct speex other = a->live;
        a->live = a->student;
        a->student = other;
        a->vain = 0;
    }
    rewind_student(a);
}

static void teach(struct aec *a)
{
    static const struct frame silence;
    int16_t out[DSP_FRAME];

    for (int i = PACE; i > 0; i--) {
        const struct frame *f = a->at < a->from ? &silence : &a->past[a->at % PAST];
        float left = speex_run(&a->student, f->mic, f->ref, out);

        a->left_student += SMOOTH * (left - a->left_student);
        a->left_live += SMOOTH * (f->left - a->left_live);
        if (++a->at == a->frames) {
            compare(a);
            return;
        }
    }
}

bool aec_run(struct aec *a, const int16_t mic[DSP_FRAME], const int16_t ref[DSP_FRAME],
             int16_t out[DSP_FRAME])
{
    struct frame *f = &a->past[a->frames % PAST];
    bool far = energy(ref, 0) > FAR_LEAST, fine;

    if (energy(mic, 0) > LOUDEST || energy(ref, 0) > LOUDEST) { /* no sound to learn from */
        a->frames = 0;
        rewind_student(a);
    }
    a->silent = far ? 0 : a->silent + (a->silent < MEMORY);
    if (a->silent == MEMORY || a->taught == TAUGHT || a->vain == VAIN) {
        speex_run(&a->live, mic, ref, out);
        return !a->live.lost;
    }
    memcpy(f->mic, mic, sizeof(f->mic));
    memcpy(f->ref, ref, sizeof(f->ref));
    f->left = speex_run(&a->live, f->mic, f->ref, out);
    fine = !a->live.lost;
    a->frames++;
    a->heard += SMOOTH * (f->left - a->heard);
    if (a->heard < LEAST) {
        rewind_student(a);
        return fine;
    }
    a->taught += far;
    teach(a);
    return fine;
}

size_t aec_response(const struct aec *a, float *response, size_t n)
{
    spx_int32_t taps[TAPS];

    speex_echo_ctl(a->live.state, SPEEX_ECHO_GET_IMPULSE_RESPONSE, taps);
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
    float level;
    float undo[2]; /* memory of trainer_undo */
    uint32_t seed;
};

/* Speex takes 0 Hz out of the microphone before it learns, by a notch that reaches well into
 * speech (its phase is 13 degrees off at 200 Hz), so the response that it gave has it inside: this
 * is the inverse, with its poles just within the unit circle. */
static float trainer_undo(struct trainer *t, float x)
{
    const float r = 0.982f, d = r * r + 0.7f * (1 - r) * (1 - r), rho = 0.998f;
    float y = x / r + t->undo[0];

    t->undo[0] = t->undo[1] - 2 * x + 2 * rho * y;
    t->undo[1] = d / r * x - rho * rho * y;
    return y;
}

/* The next block of noise into x, and of its echo into the beginning of y. */
static void trainer_step(struct trainer *t)
{
    for (int i = 0; i < TRAIN_FFT; i++)
        t->x[i] = i < TRAIN_BLOCK ? t->level * noise(&t->seed) : 0;
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

static void train(struct speex *s, struct trainer *t)
{
    int16_t mic[DSP_FRAME], ref[DSP_FRAME], out[DSP_FRAME];

    for (int b = 0; b < TRAIN_BLOCKS; b++) {
        trainer_step(t);
        for (int at = 0; at < TRAIN_BLOCK; at += DSP_FRAME) {
            for (int i = 0; i < DSP_FRAME; i++) {
                float echo = trainer_undo(t, t->y[at + i]);
                mic[i] = sample(echo + TRAIN_NOISE * noise(&t->seed));
                ref[i] = sample(t->x[at + i]);
            }
            speex_run(s, mic, ref, out);
        }
    }
    memset(mic, 0, sizeof(mic));
    memset(ref, 0, sizeof(ref));
    for (int i = 0; i < MEMORY; i++)
        speex_run(s, mic, ref, out);
}

static int warm_up(struct speex *s, const float *response, size_t n)
{
    struct trainer *t;
    double power = 0;
    int ret = -ENOMEM;

    for (size_t i = 0; i < n; i++)
        power += (double)response[i] * (double)response[i];
    if (power > (double)(LOUDEST_ROOM * LOUDEST_ROOM))
        return 0;
    t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->fft = kiss_fftr_alloc(TRAIN_FFT, 0, NULL, NULL);
    t->back = kiss_fftr_alloc(TRAIN_FFT, 1, NULL, NULL);
    if (!t->fft || !t->back)
        goto out;
    memcpy(t->x, response, n * sizeof(*response));
    kiss_fftr(t->fft, t->x, t->path);
    t->level = TRAIN_LEVEL / fmaxf(1, sqrtf((float)power));
    t->seed = 1;
    train(s, t);
    ret = 0;
out:
    kiss_fftr_free(t->fft);
    kiss_fftr_free(t->back);
    free(t);
    return ret;
}

static int speex_new(struct speex *s)
{
    int rate = DSP_HZ;

    s->state = speex_echo_state_init(DSP_FRAME, TAPS);
    if (!s->state)
        return -ENOMEM;
    speex_echo_ctl(s->state, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
    return 0;
}

int aec_new(struct aec **out, const float *response, size_t n)
{
    int ret;

    *out = NULL;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(response[i]))
            return -EINVAL;
    struct aec *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    ret = speex_new(&a->live);
    if (ret == 0)
        ret = speex_new(&a->student);
    if (ret == 0 && n > 0)
        ret = warm_up(&a->live, response, n < TAPS ? n : TAPS);
    if (ret < 0) {
        aec_free(a);
        return ret;
    }
    a->silent = MEMORY;
    rewind_student(a);
    *out = a;
    return 0;
}

void aec_free(struct aec *a)
{
    if (!a)
        return;
    if (a->live.state)
        speex_echo_state_destroy(a->live.state);
    if (a->student.state)
        speex_echo_state_destroy(a->student.state);
    free(a);
}
