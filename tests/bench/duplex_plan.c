#include "duplex_plan.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/frame.h"
#include "duplex_player.h"
#include "room/room_air.h"

#define PLAY_DB (-23)         /* active level of what is played */
#define MEASURE (10 * DSP_HZ) /* samples */
#define LINE    (ROOM_PATH + 128)

static bool number(const char *s, double *out)
{
    char *end;

    *out = strtod(s, &end);
    return end != s && *end == '\0' && isfinite(*out) && fabs(*out) < 1e6;
}

static int add_clip(struct plan *p, const char *file, char *why, size_t size)
{
    if (p->clip_count == PLAN_CLIPS)
        return -E2BIG;
    return sound_load(&p->clips[p->clip_count++], file, PLAY_DB, why, size);
}

static int add_trial(struct plan *p, const char *value, char *why, size_t size)
{
    struct trial *t = &p->trials[p->trial_count];
    float db;
    int file = 0;

    if (p->trial_count == PLAN_TRIALS)
        return -E2BIG;
    p->trial_count++;
    if (sscanf(value, "%31s %d %f %n", t->class, &t->wait_ms, &db, &file) != 3 || file == 0 ||
        t->wait_ms < 0 || !isfinite(db))
        return -EINVAL;
    return sound_load(&t->sound, value + file, p->user_db + db, why, size);
}

static int set_number(struct plan *p, const char *key, double x, bool *known)
{
    *known = true;
    if (strcmp(key, "user_db") == 0)
        p->user_db = (float)x;
    else if (strcmp(key, "echo_db") == 0)
        p->echo_db = (float)x;
    else if (strcmp(key, "alone_s") == 0)
        p->alone_s = (int)x;
    else if (strcmp(key, "system_ms") == 0)
        p->system_ms = (int)x;
    else
        *known = false;
    return !*known || x >= -200 ? 0 : -EINVAL;
}

static int set(struct plan *p, char *line, char *why, size_t size)
{
    char *value = strchr(line, '=');
    bool known = false;
    double x;
    int ret = 0;

    line[strcspn(line, "\r\n")] = '\0';
    if (value != NULL && line[0] != '#') {
        *value++ = '\0';
        if (strcmp(line, "assistant") == 0)
            return add_clip(p, value, why, size);
        if (strcmp(line, "trial") == 0)
            return add_trial(p, value, why, size);
        if (number(value, &x))
            ret = set_number(p, line, x, &known);
        value[-1] = '=';
    }
    return known ? ret : room_knobs_line(&p->knobs, line, why, size);
}

struct listener {
    float *x;
    size_t n;
};

static void on_samples(void *user, int16_t speaker, int16_t mic, int16_t said)
{
    struct listener *l = user;

    (void)speaker;
    (void)said;
    l->x[l->n++] = (float)mic / 32768;
}

static void on_event(void *user, enum room_event event, uint64_t at, int detail)
{
    (void)user;
    (void)event;
    (void)at;
    (void)detail;
}

/* What the echo of the assistant's speech comes to through one path at a gain of 0 dB. */
static int measure(const struct plan *p, const struct room_echo *echo, double *db, char *why,
                   size_t size)
{
    struct listener heard = {calloc(MEASURE, sizeof(float)), 0};
    struct room_sink sink = {on_samples, on_event, &heard};
    struct room_air *air = NULL;
    struct player player;
    struct room_knobs k;
    int16_t x[DSP_FRAME];
    int ret = heard.x == NULL ? -ENOMEM : 0;

    room_knobs_default(&k);
    k.rate_hz = DSP_HZ;
    k.drive = p->knobs.drive;
    k.clip_db = p->knobs.clip_db;
    k.echo[0] = *echo;
    k.echo[0].at_ms = 0;
    k.echo[0].gain_db = 0;
    k.echoes = 1;
    player_init(&player, p->clips, p->clip_count);
    player_begin(&player);
    if (ret == 0)
        ret = room_air_new(&air, &k, &sink, why, size);
    while (ret == 0 && heard.n < MEASURE) {
        player_fill(&player, x, DSP_FRAME);
        room_air_play(air, heard.n, x, DSP_FRAME);
        room_air_advance(air, heard.n + DSP_FRAME);
    }
    if (ret == 0)
        *db = sound_level_db(heard.x, MEASURE);
    room_air_free(air);
    free(heard.x);
    return ret;
}

/* The gain of each path, so that the echo is as loud as the plan says. One that is mostly that of
 * another room is about as loud as the one before. */
static int calibrate(struct plan *p, char *why, size_t size)
{
    double db = 0;
    int i, ret = 0;

    for (i = 0; ret == 0 && i < p->knobs.echoes; i++) {
        if (i == 0 || p->knobs.echo[i].share < 0.9f)
            ret = measure(p, &p->knobs.echo[i], &db, why, size);
        p->knobs.echo[i].gain_db += p->user_db + p->echo_db - (float)db;
    }
    return ret;
}

int plan_load(struct plan *p, const char *file, char *why, size_t size)
{
    FILE *f = fopen(file, "re");
    char line[LINE];
    int ret = 0;

    memset(p, 0, sizeof *p);
    room_knobs_default(&p->knobs);
    p->knobs.rate_hz = DSP_HZ;
    p->user_db = -30;
    p->system_ms = 25;
    snprintf(why, size, "'%s' cannot be read", file);
    if (f == NULL)
        return -errno;
    while (ret == 0 && fgets(line, sizeof line, f) != NULL)
        ret = set(p, line, why, size);
    fclose(f);
    if (ret == 0 && (p->clip_count == 0 || p->knobs.rate_hz != DSP_HZ)) {
        snprintf(why, size, "'%s' has no assistant, or another rate than %d", file, DSP_HZ);
        ret = -EINVAL;
    }
    return ret == 0 ? calibrate(p, why, size) : ret;
}

void plan_free(struct plan *p)
{
    size_t i;

    for (i = 0; i < p->clip_count; i++)
        sound_free(&p->clips[i]);
    for (i = 0; i < p->trial_count; i++)
        sound_free(&p->trials[i].sound);
}
