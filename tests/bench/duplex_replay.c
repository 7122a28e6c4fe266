/* duplex_replay ROOM.WAV [LEVEL [OFFSET [WEIGHTS]]] - what the chain decides offline on what the
 * virtual room has recorded of a live conversation (speaker, microphone, user): a line of JSON for
 * each duck, hold and stop, with the ms at which the frame ended that decided it. LEVEL as for
 * hullo: medium. A reply is taken to be played from its first sound until its last and PLAYING_MS
 * more. */
#include <errno.h>
#include <sndfile.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/nearend.h"
#include "dsp/resample.h"
#include "duplex_weights.h"

#define PLAYING_MS 700
#define CHANNELS   3

struct recording {
    int16_t *speaker, *mic; /* 16 kHz */
    size_t n;               /* of each, whole frames */
};

/* One channel at 16 kHz, with a second of silence behind it; its length in *m. */
static int16_t *channel(const int16_t *x, size_t n, int which, int hz, size_t *m)
{
    size_t most = n * DSP_HZ / (size_t)hz + DSP_HZ, at;
    int16_t *one = malloc((n + 1) * sizeof *one), *y = calloc(most, sizeof *y);
    struct resample *r = NULL;

    *m = 0;
    if (one == NULL || y == NULL || resample_new(&r, hz, DSP_HZ) < 0) {
        free(one);
        free(y);
        return NULL;
    }
    for (at = 0; at < n; at++)
        one[at] = x[at * CHANNELS + (size_t)which];
    for (at = 0; at < n && *m < most;) {
        size_t k = n - at, l = most - *m;

        resample_run(r, one + at, &k, y + *m, &l);
        at += k;
        *m += l;
        if (k == 0 && l == 0)
            break;
    }
    resample_free(r);
    free(one);
    return y;
}

static int load(struct recording *r, const char *file)
{
    SF_INFO info = {0};
    SNDFILE *f = sf_open(file, SFM_READ, &info);
    int16_t *x = NULL;
    size_t n = 0, m = 0, k = 0;
    int ret = -EINVAL;

    if (f != NULL && info.channels == CHANNELS && info.frames > 0 && info.samplerate >= 8000) {
        x = malloc((size_t)info.frames * CHANNELS * sizeof *x);
        ret = x == NULL ? -ENOMEM : 0;
    }
    if (ret == 0) {
        n = (size_t)sf_readf_short(f, x, info.frames);
        r->speaker = channel(x, n, 0, info.samplerate, &m);
        r->mic = channel(x, n, 1, info.samplerate, &k);
        ret = r->speaker == NULL || r->mic == NULL ? -ENOMEM : 0;
        r->n = (m < k ? m : k) / DSP_FRAME * DSP_FRAME;
    }
    free(x);
    if (f != NULL)
        sf_close(f);
    return ret;
}

static bool sounds(const int16_t *x)
{
    int i;

    for (i = 0; i < DSP_FRAME; i++)
        if (x[i] > 1 || x[i] < -1)
            return true;
    return false;
}

static void replay(const struct recording *r, struct nearend *e, size_t offset)
{
    static const char *const names[] = {"play", "duck", "hold", "stop"};
    enum barge_state before = BARGE_PLAY;
    size_t at, left = 0;

    for (at = offset; at + DSP_FRAME <= r->n; at += DSP_FRAME) {
        int16_t out[DSP_FRAME];
        struct nearend_verdict v;

        left = sounds(r->speaker + at) ? PLAYING_MS / 10 : left > 0 ? left - 1 : 0;
        nearend_far(e, r->speaker + at, DSP_FRAME);
        nearend_run(e, r->mic + at, left > 0, out, &v);
        if (nearend_due(e)) {
            nearend_measure(e);
            nearend_adopt(e);
        }
        if (v.state > before)
            printf("{\"state\":\"%s\",\"at_ms\":%zu}\n", names[v.state],
                   (at + DSP_FRAME) * 1000 / DSP_HZ);
        before = v.state;
        if (v.state == BARGE_STOP) { /* the reply is over, and silent already */
            before = BARGE_PLAY;
            left = 0;
        }
    }
}

static enum barge_level level_of(const char *name)
{
    return strcmp(name, "low") == 0    ? BARGE_LOW
           : strcmp(name, "high") == 0 ? BARGE_HIGH
                                       : BARGE_MEDIUM;
}

int main(int argc, char **argv)
{
    struct nearend_config config = {.aec = NEAREND_SPEEX};
    struct vad_weights *weights = NULL;
    struct recording r = {0};
    struct nearend *e = NULL;
    struct err error = {0};
    int ret;

    if (argc < 2 || argc > 5) {
        fprintf(stderr, "usage: duplex_replay ROOM.WAV [low|medium|high [OFFSET [WEIGHTS]]]\n");
        return STATUS_USAGE;
    }
    if (duplex_weights(&weights, argc > 4 ? argv[4] : NULL, &error) < 0) {
        fprintf(stderr, "duplex_replay: %s\n", error.text);
        return STATUS_FAILED;
    }
    config.level = level_of(argc > 2 ? argv[2] : "medium");
    config.weights = weights;
    ret = load(&r, argv[1]);
    if (ret == 0)
        ret = nearend_new(&e, &config);
    if (ret == 0)
        replay(&r, e, argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) % DSP_HZ : 0);
    else
        fprintf(stderr, "duplex_replay: '%s': %s\n", argv[1], strerror(-ret));
    nearend_free(e);
    free(r.speaker);
    free(r.mic);
    vad_weights_free(weights);
    return ret < 0 ? STATUS_FAILED : STATUS_DONE;
}
