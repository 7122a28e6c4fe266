#include "room_knobs.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void room_knobs_default(struct room_knobs *k)
{
    memset(k, 0, sizeof *k);
    k->rate_hz = 48000;
    k->channels_min[0] = k->channels_min[1] = 1;
    k->channels_max[0] = k->channels_max[1] = 2;
    k->period_min = 32;
    k->period_max = 8192;
    k->buffer_min = 64;
    k->buffer_max = 65536;
    k->noise_db = -200;
    k->noise_seed = 1;
    k->lost_ms = k->back_ms = k->stall_ms = -1;
    k->sound_level = 100;
}

static bool number(const char *s, double low, double high, double *out)
{
    char *end;

    errno = 0;
    *out = strtod(s, &end);
    return errno == 0 && end != s && *end == '\0' && *out >= low && *out <= high;
}

static bool whole(const char *s, int low, int high, int *out)
{
    double x;

    if (!number(s, low, high, &x) || x > (int)x || x < (int)x)
        return false;
    *out = (int)x;
    return true;
}

static bool real(const char *s, double low, double high, float *out)
{
    double x;

    if (!number(s, low, high, &x))
        return false;
    *out = (float)x;
    return true;
}

static bool seed(const char *s, uint64_t *out)
{
    int x;

    if (!whole(s, 0, 1 << 30, &x))
        return false;
    *out = (uint64_t)x;
    return true;
}

static bool times(const char *s, struct room_times *out)
{
    char copy[512], *at, *save = NULL;

    if (strlen(s) >= sizeof copy)
        return false;
    memcpy(copy, s, strlen(s) + 1);
    for (at = strtok_r(copy, ", ", &save); at != NULL; at = strtok_r(NULL, ", ", &save)) {
        if (out->n == ROOM_TIMES || !whole(at, 0, 1 << 30, &out->ms[out->n]))
            return false;
        out->n++;
    }
    return true;
}

/* "N" or "MIN-MAX" */
static bool range(const char *s, int high, int *min, int *max)
{
    char copy[64], *dash;

    if (strlen(s) >= sizeof copy)
        return false;
    memcpy(copy, s, strlen(s) + 1);
    dash = strchr(copy, '-');
    if (dash != NULL)
        *dash++ = '\0';
    return whole(copy, 1, high, min) && whole(dash != NULL ? dash : copy, *min, high, max);
}

static bool path(const char *s, char *out)
{
    size_t n = strlen(s);

    if (n == 0 || n >= ROOM_PATH)
        return false;
    memcpy(out, s, n + 1);
    return true;
}

/* Takes "key:value" off the front of *s. */
static bool word(const char **s, char *key, char *value, size_t size)
{
    const char *at = *s + strspn(*s, " \t");
    size_t n = strcspn(at, ": \t"), m;

    if (at[n] != ':' || n == 0 || n >= size)
        return false;
    m = strcspn(at + n + 1, " \t");
    if (m == 0 || m >= size)
        return false;
    memcpy(key, at, n);
    key[n] = '\0';
    memcpy(value, at + n + 1, m);
    value[m] = '\0';
    *s = at + n + 1 + m;
    return true;
}

static bool echo_word(struct room_echo *e, const char *key, const char *value)
{
    if (strcmp(key, "at") == 0)
        return whole(value, 0, 1 << 30, &e->at_ms);
    if (strcmp(key, "delay") == 0)
        return whole(value, 0, 2000, &e->delay_ms);
    if (strcmp(key, "gain") == 0)
        return real(value, -120, 40, &e->gain_db);
    if (strcmp(key, "t60") == 0)
        return whole(value, 0, 5000, &e->t60_ms);
    if (strcmp(key, "base") == 0)
        return seed(value, &e->base);
    if (strcmp(key, "share") == 0)
        return real(value, 0, 1, &e->share);
    return strcmp(key, "seed") == 0 && seed(value, &e->seed);
}

static bool echo(struct room_knobs *k, const char *s)
{
    char key[32], value[32];
    struct room_echo e = {.delay_ms = 30, .gain_db = -12, .seed = 1};

    while (word(&s, key, value, sizeof key))
        if (!echo_word(&e, key, value))
            return false;
    if (s[strspn(s, " \t")] != '\0' || k->echoes == ROOM_ECHOES ||
        (k->echoes > 0 && k->echo[k->echoes - 1].at_ms > e.at_ms))
        return false;
    k->echo[k->echoes++] = e;
    return true;
}

static bool user_word(struct room_user *u, const char *key, const char *value)
{
    static const char *const when[] = {"at", "sound", "silence"};
    int i;

    if (strcmp(key, "gain") == 0)
        return real(value, -120, 40, &u->gain_db);
    for (i = 0; i < 3; i++) {
        if (strcmp(key, when[i]) == 0) {
            u->when = (enum room_when)i;
            return whole(value, 0, 1 << 30, &u->ms);
        }
    }
    return false;
}

static bool user(struct room_knobs *k, const char *s)
{
    char key[32], value[32];
    struct room_user u = {.when = ROOM_AT};

    while (word(&s, key, value, sizeof key))
        if (!user_word(&u, key, value))
            return false;
    if (k->users == ROOM_USERS || !path(s + strspn(s, " \t"), u.file))
        return false;
    k->user[k->users++] = u;
    return true;
}

/* The keys that are one whole number. */
static const struct {
    const char *key;
    size_t at;
    int low, high;
} numbers[] = {
    {"rate", offsetof(struct room_knobs, rate_hz), 4000, 192000},
    {"busy_capture", offsetof(struct room_knobs, busy[ROOM_CAPTURE]), 0, 1},
    {"busy_playback", offsetof(struct room_knobs, busy[ROOM_PLAYBACK]), 0, 1},
    {"lost_ms", offsetof(struct room_knobs, lost_ms), 0, 1 << 30},
    {"back_ms", offsetof(struct room_knobs, back_ms), 0, 1 << 30},
    {"lost_error", offsetof(struct room_knobs, lost_error), 0, 1},
    {"stall_ms", offsetof(struct room_knobs, stall_ms), 0, 1 << 30},
    {"stall_for_ms", offsetof(struct room_knobs, stall_for_ms), 1, 1 << 30},
    {"capture_silence", offsetof(struct room_knobs, capture_silence), 0, 1},
    {"sound_level", offsetof(struct room_knobs, sound_level), 1, 32767},
};

static bool set_number(struct room_knobs *k, const char *key, const char *value, bool *known)
{
    size_t i;

    for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(key, numbers[i].key) == 0) {
            *known = true;
            return whole(value, numbers[i].low, numbers[i].high,
                         (int *)(void *)((char *)k + numbers[i].at));
        }
    }
    return false;
}

static bool set(struct room_knobs *k, const char *key, const char *v)
{
    bool known = false, ok = set_number(k, key, v, &known);

    if (known)
        return ok;
    if (strcmp(key, "channels_in") == 0)
        return range(v, 8, &k->channels_min[ROOM_CAPTURE], &k->channels_max[ROOM_CAPTURE]);
    if (strcmp(key, "channels_out") == 0)
        return range(v, 8, &k->channels_min[ROOM_PLAYBACK], &k->channels_max[ROOM_PLAYBACK]);
    if (strcmp(key, "period_frames") == 0)
        return range(v, 65536, &k->period_min, &k->period_max);
    if (strcmp(key, "buffer_frames") == 0)
        return range(v, 65536, &k->buffer_min, &k->buffer_max);
    if (strcmp(key, "refuse_rates") == 0)
        return times(v, &k->refused_rates);
    if (strcmp(key, "xrun_capture_ms") == 0)
        return times(v, &k->xruns[ROOM_CAPTURE]);
    if (strcmp(key, "xrun_playback_ms") == 0)
        return times(v, &k->xruns[ROOM_PLAYBACK]);
    if (strcmp(key, "user") == 0)
        return user(k, v);
    if (strcmp(key, "echo") == 0)
        return echo(k, v);
    if (strcmp(key, "drive") == 0)
        return real(v, 0, 100, &k->drive);
    if (strcmp(key, "clip_db") == 0)
        return real(v, -60, 0, &k->clip_db);
    if (strcmp(key, "noise_db") == 0)
        return real(v, -200, 0, &k->noise_db);
    if (strcmp(key, "noise_seed") == 0)
        return seed(v, &k->noise_seed);
    if (strcmp(key, "drift_ppm") == 0)
        return number(v, -10000, 10000, &k->drift_ppm);
    if (strcmp(key, "record") == 0)
        return path(v, k->record);
    return strcmp(key, "events") == 0 && path(v, k->events);
}

int room_knobs_line(struct room_knobs *k, const char *line, char *why, size_t size)
{
    char copy[ROOM_PATH + 128], *key = copy, *value, *end;

    if (strlen(line) >= sizeof copy) {
        snprintf(why, size, "line too long");
        return -EINVAL;
    }
    memcpy(copy, line, strlen(line) + 1);
    key += strspn(key, " \t");
    for (end = key + strlen(key); end > key && isspace((unsigned char)end[-1]);)
        *--end = '\0';
    if (*key == '\0' || *key == '#')
        return 0;
    value = strchr(key, '=');
    if (value != NULL) {
        *value++ = '\0';
        value += strspn(value, " \t");
        key[strcspn(key, " \t")] = '\0';
        if (set(k, key, value))
            return 0;
    }
    snprintf(why, size, "unknown key or bad value: '%.200s'", line);
    return -EINVAL;
}

int room_knobs_load(struct room_knobs *k, const char *file, char *why, size_t size)
{
    char line[ROOM_PATH + 128];
    FILE *f;
    int ret = 0;

    room_knobs_default(k);
    if (file == NULL)
        return 0;
    f = fopen(file, "re");
    if (f == NULL) {
        ret = -errno;
        snprintf(why, size, "cannot open '%s': %s", file, strerror(errno));
        return ret;
    }
    while (ret == 0 && fgets(line, sizeof line, f) != NULL)
        ret = room_knobs_line(k, line, why, size);
    fclose(f);
    return ret;
}
