#include "duplex_front.h"

#include <errno.h>
#include <math.h>
#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>
#include <string.h>
#include <time.h>

#include "dsp/nearend.h"

#define TAIL (DSP_HZ * 256 / 1000) /* samples */

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int run_chain(int16_t *y, const struct tape *t, const struct front_config *c)
{
    struct nearend_config config = {NEAREND_SPEEX, BARGE_MEDIUM, c->weights, NULL};
    struct nearend_verdict v;
    struct nearend *e;
    size_t at, far = 0;
    int ret = nearend_new(&e, &config);

    for (at = 0; ret == 0 && at < t->n; at += DSP_FRAME) {
        size_t to = (size_t)ceil((double)(at + DSP_FRAME) * (1 + c->ppm * 1e-6));

        if (to > t->far_n)
            to = t->far_n;
        nearend_far(e, t->far + far, to - far);
        far = to;
        nearend_run(e, t->mic + at, true, y + at, &v);
        if (nearend_due(e)) {
            nearend_measure(e);
            nearend_adopt(e);
        }
    }
    nearend_free(e);
    return ret;
}

/* What the loudspeaker got so long before that the echo of it comes 15 ms after it. */
static void reference(int16_t *ref, const struct tape *t, size_t at, const struct front_config *c)
{
    int64_t from = (int64_t)at - (int64_t)lrint((c->delay_ms - ALIGN_LEAD_MS) * DSP_HZ / 1000), i;

    for (i = 0; i < DSP_FRAME; i++)
        ref[i] = from + i >= 0 && from + i < (int64_t)t->far_n ? t->far[from + i] : 0;
}

static int run_speex(int16_t *y, const struct tape *t, const struct front_config *c,
                     bool preprocess)
{
    SpeexEchoState *echo = speex_echo_state_init(DSP_FRAME, TAIL);
    SpeexPreprocessState *after = speex_preprocess_state_init(DSP_FRAME, DSP_HZ);
    int hz = DSP_HZ, on = 1;
    int16_t ref[DSP_FRAME];
    size_t at;

    if (echo != NULL && after != NULL) {
        speex_echo_ctl(echo, SPEEX_ECHO_SET_SAMPLING_RATE, &hz);
        speex_preprocess_ctl(after, SPEEX_PREPROCESS_SET_DENOISE, &on);
        speex_preprocess_ctl(after, SPEEX_PREPROCESS_SET_ECHO_STATE, echo);
        for (at = 0; at < t->n; at += DSP_FRAME) {
            reference(ref, t, at, c);
            speex_echo_cancellation(echo, t->mic + at, ref, y + at);
            if (preprocess)
                speex_preprocess_run(after, y + at);
        }
    }
    if (after != NULL)
        speex_preprocess_state_destroy(after);
    if (echo != NULL)
        speex_echo_state_destroy(echo);
    return echo != NULL && after != NULL ? 0 : -ENOMEM;
}

int front_run(int16_t *y, double *cpu, const struct tape *t, const struct front_config *config)
{
    double from = cpu_s();
    int ret = -EINVAL;

    if (strcmp(config->name, "chain") == 0)
        ret = run_chain(y, t, config);
    else if (strcmp(config->name, "speex") == 0)
        ret = run_speex(y, t, config, false);
    else if (strcmp(config->name, "preprocess") == 0)
        ret = run_speex(y, t, config, true);
    else if (strcmp(config->name, "nothing") == 0)
        memcpy(y, t->mic, t->n * sizeof *y), ret = 0;
    *cpu = cpu_s() - from;
    return ret;
}
