#include "audio/paced.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/os.h"

#define PACE_LEAST 0.001 /* a thousandth of the clock: slower overflows it */

struct paced {
    struct paced_knobs knobs;
    struct audio_config config;
    struct paced_ends ends;
    size_t frames;
    int16_t *in, *out;
    struct os_sem *stop;
    pthread_t thread;
    bool running;
    uint32_t noise; /* state of the jitter's generator */
};

/* --- the argument */

enum knob_type { KNOB_INT, KNOB_DOUBLE, KNOB_FLAG };

struct knob {
    const char *name;
    enum knob_type type;
    size_t offset;
    double least, most;
};

#define KNOB(name, type, member, least, most)                         \
    {                                                                 \
        name, type, offsetof(struct paced_knobs, member), least, most \
    }

static const struct knob knobs[] = {
    KNOB("rate", KNOB_INT, rate_hz, 1000, 768000),
    KNOB("period", KNOB_INT, period_ms, 1, 1000),
    KNOB("latency", KNOB_INT, latency_ms, 0, 500),
    KNOB("pace", KNOB_DOUBLE, pace, 0, 1000), /* 0, or not less than PACE_LEAST */
    KNOB("jitter", KNOB_INT, jitter_ms, 0, 10000),
    KNOB("late", KNOB_INT, late_ms, 0, 10000),
    KNOB("drop-after", KNOB_DOUBLE, drop_after_s, 0, 1e6),
    KNOB("stall-after", KNOB_DOUBLE, stall_after_s, 0, 1e6),
    KNOB("echo", KNOB_DOUBLE, echo_db, PACED_ECHO_LEAST, 20),
    KNOB("refuse-rate", KNOB_FLAG, refuse_rate, 0, 0),
    KNOB("no-device", KNOB_FLAG, no_device, 0, 0),
    KNOB("force", KNOB_FLAG, force, 0, 0),
};

static const struct knob *find_knob(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof knobs / sizeof *knobs; i++)
        if (strlen(knobs[i].name) == n && strncmp(knobs[i].name, name, n) == 0)
            return &knobs[i];
    return NULL;
}

/* One knob, s[0..n). */
static int parse_knob(struct paced_knobs *k, const char *s, size_t n)
{
    const char *equals = memchr(s, '=', n);
    const struct knob *knob = find_knob(s, equals != NULL ? (size_t)(equals - s) : n);
    char *member, *end;
    double value;

    if (knob == NULL || (equals == NULL) != (knob->type == KNOB_FLAG))
        return -EINVAL;
    member = (char *)k + knob->offset;
    if (knob->type == KNOB_FLAG) {
        *(bool *)member = true;
        return 0;
    }
    value = strtod(equals + 1, &end);
    if (end == equals + 1 || end != s + n || !(value >= knob->least && value <= knob->most))
        return -EINVAL;
    if (knob->offset == offsetof(struct paced_knobs, pace) && value > 0 && value < PACE_LEAST)
        return -EINVAL;
    if (knob->type == KNOB_INT)
        *(int *)(void *)member = (int)value;
    else
        *(double *)(void *)member = value;
    return 0;
}

int paced_parse(struct paced_knobs *k, const char *driver, const char *argument, struct err *e)
{
    const char *s = argument;

    while (s != NULL && *s != '\0') {
        size_t n = strcspn(s, ",");
        if (parse_knob(k, s, n) < 0)
            return err_set(e, STATUS_USAGE, -EINVAL,
                           "cannot open sound driver '%s': '%.*s' is not one of its knobs or not a "
                           "value for it; see hullo(1)",
                           driver, (int)n, s);
        s += n + (s[n] == ',');
    }
    return 0;
}

/* --- the device */

int paced_new(struct paced **out, const struct paced_knobs *k, const struct audio_config *config,
              const struct paced_ends *ends)
{
    struct paced *p = calloc(1, sizeof *p);

    *out = NULL;
    if (p == NULL)
        return -ENOMEM;
    p->knobs = *k;
    p->config = *config;
    p->ends = *ends;
    p->noise = 1;
    p->frames = (size_t)k->rate_hz * (size_t)k->period_ms / 1000;
    p->in = calloc(p->frames, sizeof *p->in);
    p->out = calloc(p->frames, sizeof *p->out);
    if (p->in == NULL || p->out == NULL || os_sem_new(&p->stop) < 0) {
        paced_free(p);
        return -ENOMEM;
    }
    *out = p;
    return 0;
}

static void period(struct paced *p, int64_t now, bool xrun)
{
    int64_t latency_ns = (int64_t)p->knobs.latency_ms * 1000000;
    int64_t period_ns = (int64_t)p->frames * 1000000000 / p->knobs.rate_hz;
    struct audio_when when = {.in_ns = now - latency_ns - period_ns,
                              .out_ns = now + latency_ns,
                              .input_overflow = xrun && p->config.capture,
                              .output_underflow = xrun && p->config.playback};

    if (p->config.capture && p->ends.source != NULL)
        p->ends.source(p->ends.user, p->in, p->frames);
    p->config.callback(p->config.user, p->config.capture ? p->in : NULL,
                       p->config.playback ? p->out : NULL, p->frames, &when);
    if (p->config.playback && p->ends.sink != NULL)
        p->ends.sink(p->ends.user, p->out, p->frames);
}

/* How late the callback number `n` is to be. */
static int lateness_ms(struct paced *p, uint64_t n)
{
    uint64_t a_second = (uint64_t)(1000 / p->knobs.period_ms);

    if (p->knobs.late_ms > 0 && n % (a_second > 0 ? a_second : 1) == a_second / 2)
        return p->knobs.late_ms;
    if (p->knobs.jitter_ms == 0)
        return 0;
    p->noise = p->noise * 1664525u + 1013904223u;
    return (int)((p->noise >> 8) % (uint32_t)(p->knobs.jitter_ms + 1));
}

/* Waits until `at`. False when the device is to stop. */
static bool wait_until(struct paced *p, int64_t at)
{
    int64_t left = at - clock_ns();

    return !os_sem_wait(p->stop, left > 0 ? (int)((left + 999999) / 1000000) : 0);
}

static void *run(void *user)
{
    struct paced *p = user;
    const struct paced_knobs *k = &p->knobs;
    double pace = k->pace > 0 ? k->pace : 1;
    double period_s = (double)p->frames / k->rate_hz;
    int64_t start = clock_ns();

    os_thread_role("hullo-device", OS_ROLE_SOUND);
    for (uint64_t n = 0;; n++) {
        double at_s = (double)(n + 1) * period_s;
        int64_t due = start + (int64_t)(at_s / pace * 1e9);
        int late_ms = lateness_ms(p, n);
        if (!wait_until(p, k->pace > 0 ? due + (int64_t)late_ms * 1000000 : 0))
            return NULL;
        if (k->drop_after_s > 0 && at_s > k->drop_after_s) {
            if (p->config.lost != NULL)
                p->config.lost(p->config.user);
            return NULL;
        }
        if (k->stall_after_s > 0 && at_s > k->stall_after_s)
            return NULL;
        period(p, clock_ns(), late_ms > k->latency_ms);
        /* After the whole process was stopped, go on from now instead of catching up. */
        if (k->pace > 0 && clock_ns() - due > 1000000000)
            start += clock_ns() - due;
    }
}

int paced_start(struct paced *p)
{
    int rc = -pthread_create(&p->thread, NULL, run, p);

    p->running = rc == 0;
    return rc;
}

void paced_free(struct paced *p)
{
    if (p == NULL)
        return;
    if (p->running) {
        os_sem_post(p->stop);
        pthread_join(p->thread, NULL);
    }
    os_sem_free(p->stop);
    free(p->in);
    free(p->out);
    free(p);
}
