/* duplex_run [OPTION VALUE ...] PLAN - one room of the benchmark of the duplex path
 * (duplex_plan.h), faster than real time. Prints lines of JSON: `trial`, `false` (nobody spoke)
 * and, last, `room`.
 *
 *   --weights FILE     of the voice detector; else what `hullo models` has fetched
 *   --level LEVEL      low, medium, high: the sensitivity
 *   --trace FILE       a line for each frame: s, playing, trial on, state, speech, snr, near,
 * noise, erle, converged, hopeless, dB of the user
 *   --resample 48000   times the conversion for devices at that rate too
 *   --record PREFIX    runs no chain, and writes PREFIX.far, .mic and .said (duplex_scene.h) */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duplex_scene.h"
#include "duplex_weights.h"

struct run {
    const char *weights, *level, *trace, *record, *resample, *plan;
};

static bool read_options(struct run *r, int argc, char **argv)
{
    const struct {
        const char *name, **value;
    } options[] = {{"--weights", &r->weights},
                   {"--level", &r->level},
                   {"--trace", &r->trace},
                   {"--resample", &r->resample},
                   {"--record", &r->record}};
    int i;
    size_t j;

    for (i = 1; i < argc; i++) {
        const char **value = argv[i][0] == '-' ? NULL : &r->plan;

        for (j = 0; j < sizeof options / sizeof *options; j++)
            if (strcmp(argv[i], options[j].name) == 0 && ++i < argc)
                value = options[j].value;
        if (value == NULL || i >= argc)
            return false;
        *value = argv[i];
    }
    return r->plan != NULL;
}

static bool read_level(const char *name, enum barge_level *out)
{
    static const char *const names[] = {"low", "medium", "high"};
    int i;

    *out = BARGE_MEDIUM;
    for (i = 0; i < 3; i++)
        if (name != NULL && strcmp(name, names[i]) == 0)
            *out = (enum barge_level)i;
    return name == NULL || strcmp(name, names[*out]) == 0;
}

static void print_ms(const char *name, double ms)
{
    if (ms > SCENE_NEVER || ms < SCENE_NEVER)
        printf(",\"%s\":%.0f", name, ms);
    else
        printf(",\"%s\":null", name);
}

static void on_trial(void *user, const struct trial *t, const struct scene_outcome *o)
{
    (void)user;
    printf("{\"type\":\"trial\",\"class\":\"%s\",\"at_s\":%.5f,\"said_ms\":%.0f", t->class, o->at_s,
           (double)(t->sound.n - t->sound.onset) * 1000 / DSP_HZ);
    print_ms("duck_ms", o->duck_ms);
    print_ms("hold_ms", o->hold_ms);
    print_ms("stop_ms", o->stop_ms);
    print_ms("silent_ms", o->silent_ms);
    print_ms("resumed_ms", o->resumed_ms);
    printf("}\n");
}

static void on_false_alarm(void *user, const char *what, double at_s)
{
    (void)user;
    printf("{\"type\":\"false\",\"what\":\"%s\",\"at_s\":%.2f}\n", what, at_s);
}

static void print_false(const char *name, const struct scene_false *f)
{
    printf(",\"%s\":{\"ducks\":%d,\"holds\":%d,\"stops\":%d}", name, f->ducks, f->holds, f->stops);
}

static void print_result(const struct scene_result *r)
{
    printf("{\"type\":\"room\",\"alone_s\":%.1f", r->alone_s);
    print_false("first", &r->first);
    print_false("later", &r->later);
    printf(",\"erle_first_db\":%.1f,\"erle_db\":%.1f,\"hopeless\":%.3f", r->echo_db[0],
           r->echo_db[1], r->hopeless);
    printf(",\"converged_s\":%.1f,\"cpu_s\":%.3f,\"resampling_cpu_s\":%.3f,\"run_s\":%.1f}\n",
           r->converged_s, r->cpu_s, r->resampling_cpu_s, r->run_s);
}

static FILE *open_part(const char *prefix, const char *suffix)
{
    char name[ROOM_PATH];
    int n = snprintf(name, sizeof name, "%s%s", prefix, suffix);

    return n > 0 && (size_t)n < sizeof name ? fopen(name, "we") : NULL;
}

static bool open_files(struct scene_config *c, const struct run *r)
{
    if (r->trace != NULL && (c->trace = fopen(r->trace, "we")) == NULL)
        return false;
    if (r->record == NULL)
        return true;
    c->far = open_part(r->record, ".far");
    c->mic = open_part(r->record, ".mic");
    c->said = open_part(r->record, ".said");
    return c->far != NULL && c->mic != NULL && c->said != NULL;
}

static bool close_files(struct scene_config *c)
{
    FILE *files[] = {c->trace, c->far, c->mic, c->said};
    bool fine = true;
    size_t i;

    for (i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i] != NULL && fclose(files[i]) != 0)
            fine = false;
    return fine;
}

static int run_room(const struct run *r, struct scene_config *config, char *why, size_t size)
{
    struct scene_sink sink = {on_trial, on_false_alarm, NULL};
    struct plan *plan = malloc(sizeof *plan);
    struct scene_result result;
    int ret;

    snprintf(why, size, "out of memory");
    if (plan == NULL)
        return -ENOMEM;
    ret = plan_load(plan, r->plan, why, size);
    if (ret == 0)
        ret = scene_run(&result, plan, config, &sink, why, size);
    if (ret == 0)
        print_result(&result);
    plan_free(plan);
    free(plan);
    return ret;
}

int main(int argc, char **argv)
{
    struct run r = {0};
    struct scene_config config = {0};
    struct vad_weights *weights = NULL;
    struct err e = {0};
    char why[256] = "";
    int ret;

    if (!read_options(&r, argc, argv) || !read_level(r.level, &config.level)) {
        fprintf(stderr, "usage: duplex_run [--weights FILE] [--level low|medium|high] "
                        "[--trace FILE] [--resample 48000] [--record PREFIX] PLAN\n");
        return STATUS_USAGE;
    }
    if (duplex_weights(&weights, r.weights, &e) < 0) {
        fprintf(stderr, "duplex_run: %s\n", e.text);
        return STATUS_FAILED;
    }
    config.weights = weights;
    config.resample = r.resample != NULL;
    ret = open_files(&config, &r) ? run_room(&r, &config, why, sizeof why) : -EIO;
    if (!close_files(&config) && ret == 0)
        ret = -EIO;
    if (ret < 0)
        fprintf(stderr, "duplex_run: '%s': %s\n", r.plan, why[0] != '\0' ? why : "cannot write");
    vad_weights_free(weights);
    return ret < 0 ? STATUS_FAILED : STATUS_DONE;
}
