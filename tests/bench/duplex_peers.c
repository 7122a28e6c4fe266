/* duplex_peers FRONT PREFIX DELAY_MS PPM [WEIGHTS] - what one front end (duplex_front.h, or "file":
 * PREFIX.out is what it made) does with a tape on which the assistant never stops. One rule for
 * all: speech is the same voice detector over 0.8 in two frames of 32 ms in a row. Prints one JSON
 * object:
 *
 *   false, alone_s     times that the rule fired with nobody speaking (2 s after the last time at
 * the soonest), in so much playback after its first 2 s first              the same in the first 2
 * s trials             ms from the first sample of speech to the rule, or null: not within 1.9 s
 *   erle_db            [in the first 2 s, from 5 s on], nobody speaking
 *   gain_db, gain_median_db, lag_ms    duplex_gain.h
 *   cpu_percent        of a core, without the voice detector for all but "chain" */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/frame.h"
#include "duplex_front.h"
#include "duplex_gain.h"
#include "duplex_weights.h"

#define SURE     0.8f
#define IN_A_ROW 2
#define MISSED   (DSP_HZ * 19 / 10)
#define REST     (2 * DSP_HZ)

struct counts {
    int first, later;
    double alone_s;
    double ms[TAPE_TRIALS]; /* under 0: missed */
    double heard[2], left[2];
};

static size_t first_sound(const struct tape *t)
{
    size_t at = 0;

    while (at < t->far_n && at < t->n && t->far[at] == 0)
        at++;
    return at;
}

/* The rule fired at the end of a frame. */
static void note(struct counts *c, const struct tape *t, size_t at, size_t start,
                 size_t *quiet_until)
{
    size_t i;

    for (i = 0; i < t->trial_count; i++) {
        size_t from = t->trials[i].from;

        if (at >= from && at < from + MISSED && c->ms[i] < 0)
            c->ms[i] = (double)(at - from) * 1000 / DSP_HZ;
    }
    if (tape_speaks(t, at) || at < *quiet_until || at < start)
        return;
    *quiet_until = at + REST;
    *(at < start + REST ? &c->first : &c->later) += 1;
}

static int apply_rule(struct counts *c, const struct tape *t, const int16_t *y,
                      const struct vad_weights *w)
{
    size_t at, start = first_sound(t), quiet_until = 0, alone = 0, i;
    struct vad *vad;
    int row = 0, ret = vad_new(&vad, w);

    for (i = 0; i < t->trial_count; i++)
        c->ms[i] = -1;
    for (at = 0; ret == 0 && at + VAD_FRAME <= t->n; at += VAD_FRAME) {
        row = vad_run(vad, y + at) > SURE ? row + 1 : 0;
        if (row >= IN_A_ROW)
            note(c, t, at + VAD_FRAME, start, &quiet_until);
        if (at >= start + REST && !tape_speaks(t, at))
            alone += VAD_FRAME;
    }
    c->alone_s = (double)alone / DSP_HZ;
    vad_free(vad);
    return ret;
}

static void measure_erle(struct counts *c, const struct tape *t, const int16_t *y)
{
    size_t start = first_sound(t), at;

    for (at = start; at < t->n; at++) {
        int which = at < start + 2 * DSP_HZ ? 0 : at >= start + 5 * DSP_HZ ? 1 : -1;

        if (which < 0 || tape_speaks(t, at))
            continue;
        c->heard[which] += (double)t->mic[at] * t->mic[at];
        c->left[which] += (double)y[at] * y[at];
    }
}

static double erle_db(const struct counts *c, int which)
{
    return 10 * log10(fmax(c->heard[which], 1) / fmax(c->left[which], 1));
}

static void print(const char *front, const struct tape *t, const struct counts *c,
                  const struct gain *g, double cpu)
{
    size_t i;

    printf("{\"front\":\"%s\",\"false\":%d,\"first\":%d,\"alone_s\":%.1f", front, c->later,
           c->first, c->alone_s);
    printf(",\"erle_db\":[%.1f,%.1f],\"gain_db\":%.2f,\"gain_median_db\":%.2f,\"lag_ms\":%.1f",
           erle_db(c, 0), erle_db(c, 1), g->mean_db, g->median_db, g->lag_ms);
    printf(",\"cpu_percent\":%.3f,\"trials\":[", 100 * cpu * DSP_HZ / (double)t->n);
    for (i = 0; i < t->trial_count; i++)
        printf(c->ms[i] < 0 ? "%snull" : "%s%.0f", i > 0 ? "," : "", c->ms[i]);
    printf("]}\n");
}

static int run(const struct front_config *config, const char *prefix)
{
    struct counts *c = calloc(1, sizeof *c);
    struct tape t = {0};
    struct gain g;
    double cpu = 0;
    int16_t *y = NULL;
    int ret = c == NULL ? -ENOMEM : tape_load(&t, prefix);

    if (ret == 0 && strcmp(config->name, "file") == 0) {
        y = tape_part(prefix, ".out", t.n);
        ret = y == NULL ? -EIO : 0;
    } else if (ret == 0) {
        y = calloc(t.n + 1, sizeof *y);
        ret = y == NULL ? -ENOMEM : front_run(y, &cpu, &t, config);
    }
    if (ret == 0)
        ret = apply_rule(c, &t, y, config->weights);
    if (ret == 0)
        ret = gain_measure(&g, &t, y);
    if (ret == 0) {
        measure_erle(c, &t, y);
        print(config->name, &t, c, &g, cpu);
    }
    tape_free(&t);
    free(y);
    free(c);
    return ret;
}

int main(int argc, char **argv)
{
    struct vad_weights *weights = NULL;
    struct front_config config = {0};
    struct err e = {0};
    int ret;

    if (argc < 5 || argc > 6) {
        fprintf(stderr, "usage: duplex_peers FRONT PREFIX DELAY_MS PPM [WEIGHTS]\n");
        return STATUS_USAGE;
    }
    if (duplex_weights(&weights, argc > 5 ? argv[5] : NULL, &e) < 0) {
        fprintf(stderr, "duplex_peers: %s\n", e.text);
        return STATUS_FAILED;
    }
    config = (struct front_config){argv[1], strtod(argv[3], NULL), strtod(argv[4], NULL), weights};
    ret = run(&config, argv[2]);
    if (ret < 0)
        fprintf(stderr, "duplex_peers: '%s': %s\n", argv[2], strerror(-ret));
    vad_weights_free(weights);
    return ret < 0 ? STATUS_FAILED : STATUS_DONE;
}
