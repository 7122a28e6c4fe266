#include "room_air.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "room_dsp.h"
#include "room_wav.h"

#define QUIET_MS 300 /* so long must the speaker be quiet to have fallen silent */
#define NEVER    UINT64_MAX

struct said {
    float *x;
    size_t n;
};

struct path {
    struct room_path *path;
    uint64_t from;
};

struct room_air {
    const struct room_knobs *k;
    const struct room_sink *sink;
    int16_t *speaker, *mic; /* rings, by the speaker's and the microphone's clock */
    uint64_t now, cleared;  /* the speaker's ring is zero before `cleared` */
    double speed;           /* speaker samples per microphone sample */
    struct room_conv *conv;
    struct path paths[ROOM_ECHOES];
    int next_path;
    struct room_rng noise;
    float noise_level, clip;

    bool sounding;      /* speaker, for the events */
    uint64_t last_loud; /* NEVER before the first */
    struct said said[ROOM_USERS];
    int turn;            /* which user audio is next, or being said */
    uint64_t turn_start; /* NEVER while it waits */
    uint64_t first_loud; /* the first speaker sound since it waits, or NEVER */
    const float *aloud;  /* what room_air_say was told, its length and when it began */
    size_t aloud_n;
    uint64_t aloud_from;
};

static uint64_t to_samples(const struct room_air *a, int ms)
{
    return (uint64_t)ms * (uint64_t)a->k->rate_hz / 1000;
}

/* Moves a response towards that of another seed, of the same length and energy. */
static int add_base(float *rir, size_t n, int rate_hz, const struct room_echo *e)
{
    float *base, rest = sqrtf(1 - e->share * e->share);
    size_t m, i;
    int ret = room_rir_new(&base, &m, rate_hz, e->t60_ms, e->base);

    if (ret < 0)
        return ret;
    for (i = 0; i < n && i < m; i++)
        rir[i] = rest * rir[i] + e->share * base[i];
    free(base);
    return 0;
}

/* The impulse response of one echo knob: silence for the delay, then the room, at its gain. */
static int make_path(struct room_air *a, const struct room_echo *e, struct room_path **out,
                     size_t *length)
{
    size_t delay = to_samples(a, e->delay_ms), n, i;
    float *rir, *h;
    int ret = room_rir_new(&rir, &n, a->k->rate_hz, e->t60_ms, e->seed);

    *out = NULL;
    if (ret < 0)
        return ret;
    if (e->share > 0)
        ret = add_base(rir, n, a->k->rate_hz, e);
    h = ret == 0 ? calloc(delay + n, sizeof *h) : NULL;
    if (h == NULL) {
        free(rir);
        return ret < 0 ? ret : -ENOMEM;
    }
    for (i = 0; i < n; i++)
        h[delay + i] = rir[i] * room_db(e->gain_db);
    ret = room_path_new(out, h, delay + n);
    *length = delay + n;
    free(h);
    free(rir);
    return ret;
}

static int make_paths(struct room_air *a)
{
    size_t longest = 1, n = 0;
    int i, ret;

    for (i = 0; i < a->k->echoes; i++) {
        ret = make_path(a, &a->k->echo[i], &a->paths[i].path, &n);
        if (ret < 0)
            return ret;
        a->paths[i].from = to_samples(a, a->k->echo[i].at_ms);
        if (n > longest)
            longest = n;
    }
    return room_conv_new(&a->conv, longest);
}

static int load_users(struct room_air *a, char *why, size_t size)
{
    int i, ret;
    size_t j;

    for (i = 0; i < a->k->users; i++) {
        const struct room_user *u = &a->k->user[i];
        struct said *s = &a->said[i];

        ret = room_wav_load(&s->x, &s->n, u->file, a->k->rate_hz, why, size);
        if (ret < 0)
            return ret;
        for (j = 0; j < s->n; j++)
            s->x[j] *= room_db(u->gain_db);
    }
    return 0;
}

int room_air_new(struct room_air **out, const struct room_knobs *k, const struct room_sink *sink,
                 char *why, size_t size)
{
    struct room_air *a = calloc(1, sizeof *a);
    int ret;

    *out = NULL;
    snprintf(why, size, "out of memory");
    if (a == NULL)
        return -ENOMEM;
    a->k = k;
    a->sink = sink;
    a->speed = 1 + k->drift_ppm * 1e-6;
    a->last_loud = a->turn_start = a->first_loud = NEVER;
    a->clip = room_db(k->clip_db);
    a->noise_level = k->noise_db < -150 ? 0 : room_db(k->noise_db);
    room_rng_init(&a->noise, k->noise_seed);
    a->speaker = calloc(ROOM_RING, sizeof *a->speaker);
    a->mic = calloc(ROOM_RING, sizeof *a->mic);
    ret = a->speaker != NULL && a->mic != NULL ? make_paths(a) : -ENOMEM;
    if (ret == 0)
        ret = load_users(a, why, size);
    if (ret < 0) {
        room_air_free(a);
        return ret;
    }
    *out = a;
    return 0;
}

void room_air_free(struct room_air *a)
{
    int i;

    if (a == NULL)
        return;
    for (i = 0; i < ROOM_ECHOES; i++)
        room_path_free(a->paths[i].path);
    for (i = 0; i < ROOM_USERS; i++)
        free(a->said[i].x);
    room_conv_free(a->conv);
    free(a->speaker);
    free(a->mic);
    free(a);
}

/* The speaker's clock at sample n of the microphone's. */
static uint64_t speaker_time(const struct room_air *a, uint64_t n)
{
    return (uint64_t)ceil((double)n * a->speed);
}

void room_air_play(struct room_air *a, uint64_t at, const int16_t *x, size_t n)
{
    uint64_t first = speaker_time(a, a->now);
    size_t i;

    for (i = 0; i < n; i++)
        if (at + i >= first && at + i < first + ROOM_RING - 4 * ROOM_SINC_HALF)
            a->speaker[(at + i) & (ROOM_RING - 1)] = x[i];
}

void room_air_cut(struct room_air *a, uint64_t from)
{
    uint64_t first = speaker_time(a, a->now), i;

    if (from < first)
        from = first;
    for (i = from; i < first + ROOM_RING - 4 * ROOM_SINC_HALF; i++)
        a->speaker[i & (ROOM_RING - 1)] = 0;
}

static int16_t speaker_sample(struct room_air *a, uint64_t n)
{
    double at = (double)n * a->speed;
    int16_t x;

    if (a->k->drift_ppm > 0 || a->k->drift_ppm < 0) {
        float y = room_between(a->speaker, ROOM_RING - 1, at) * 32768;

        x = (int16_t)lrintf(y > 32767 ? 32767 : y < -32768 ? -32768 : y);
    } else {
        x = a->speaker[n & (ROOM_RING - 1)];
    }
    /* What has been heard makes place for what comes a ring later. */
    while ((double)(a->cleared + 2 * ROOM_SINC_HALF) < at)
        a->speaker[a->cleared++ & (ROOM_RING - 1)] = 0;
    return x;
}

static void tell(struct room_air *a, enum room_event e, uint64_t at, int detail)
{
    a->sink->event(a->sink->user, e, at, detail);
}

static void listen_to_speaker(struct room_air *a, int16_t x)
{
    uint64_t quiet = to_samples(a, QUIET_MS);

    if (x >= a->k->sound_level || x <= -a->k->sound_level) {
        a->last_loud = a->now;
        if (a->first_loud == NEVER)
            a->first_loud = a->now;
        if (!a->sounding)
            tell(a, ROOM_SPEAKER_ON, a->now, 0);
        a->sounding = true;
    } else if (a->sounding && a->now - a->last_loud >= quiet) {
        a->sounding = false;
        tell(a, ROOM_SPEAKER_OFF, a->last_loud + 1, 0);
    }
}

static bool is_time(const struct room_air *a, const struct room_user *u)
{
    uint64_t wait = to_samples(a, u->ms);

    switch (u->when) {
    case ROOM_AT:
        return a->now >= wait;
    case ROOM_SOUND:
        return a->first_loud != NEVER && a->now - a->first_loud >= wait;
    case ROOM_SILENCE:
        return a->first_loud != NEVER && a->now - a->last_loud > wait;
    }
    return false;
}

void room_air_say(struct room_air *a, const float *x, size_t n)
{
    a->aloud = x;
    a->aloud_n = n;
    a->aloud_from = a->now;
}

static float aloud_sample(const struct room_air *a)
{
    return a->now - a->aloud_from < a->aloud_n ? a->aloud[a->now - a->aloud_from] : 0;
}

static float user_sample(struct room_air *a)
{
    const struct said *s;

    if (a->turn >= a->k->users)
        return 0;
    if (a->turn_start == NEVER && is_time(a, &a->k->user[a->turn])) {
        a->turn_start = a->now;
        tell(a, ROOM_USER_START, a->now, a->turn);
    }
    if (a->turn_start == NEVER)
        return 0;
    s = &a->said[a->turn];
    if (a->now - a->turn_start < s->n)
        return s->x[a->now - a->turn_start];
    tell(a, ROOM_USER_END, a->now, a->turn);
    a->turn++;
    a->turn_start = a->first_loud = NEVER;
    return 0;
}

static int16_t to_s16(float x)
{
    x *= 32768;
    return (int16_t)lrintf(x > 32767 ? 32767 : x < -32768 ? -32768 : x);
}

static void step(struct room_air *a)
{
    int16_t speaker = speaker_sample(a, a->now), mic;
    float said, heard;

    while (a->next_path < a->k->echoes && a->now >= a->paths[a->next_path].from) {
        room_conv_set(a->conv, a->paths[a->next_path].path);
        tell(a, ROOM_ECHO, a->now, a->next_path++);
    }
    listen_to_speaker(a, speaker);
    said = user_sample(a) + aloud_sample(a);
    heard = room_conv_step(a->conv, room_distort((float)speaker / 32768, a->k->drive, a->clip));
    heard += said;
    if (a->noise_level > 0)
        heard += a->noise_level * room_rng_gauss(&a->noise);
    mic = a->k->capture_silence ? 0 : to_s16(heard);
    a->mic[a->now & (ROOM_RING - 1)] = mic;
    a->sink->samples(a->sink->user, speaker, mic, to_s16(said));
    a->now++;
}

void room_air_advance(struct room_air *a, uint64_t to)
{
    while (a->now < to)
        step(a);
}

uint64_t room_air_now(const struct room_air *a)
{
    return a->now;
}

void room_air_heard(const struct room_air *a, uint64_t at, int16_t *x, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        x[i] =
            at + i < a->now && at + i + ROOM_RING > a->now ? a->mic[(at + i) & (ROOM_RING - 1)] : 0;
}
