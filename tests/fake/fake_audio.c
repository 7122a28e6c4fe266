#include "fake/fake_audio.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 8192

/* As a driver promises: no callback runs any more once close returns. One for all fakes. */
static pthread_mutex_t calling = PTHREAD_MUTEX_INITIALIZER;

struct stream {
    struct audio_stream base;
    struct fake_audio *fake;
};

const char *fake_audio_argument(struct fake_audio *f)
{
    snprintf(f->argument, sizeof f->argument, "%p", (void *)f);
    return f->argument;
}

static void name(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from != NULL ? from : "");
}

static int open_stream(struct audio_stream **out, const char *argument,
                       const struct audio_config *config, const struct log *log, struct err *e)
{
    struct stream *s;
    void *p = NULL;

    (void)log;
    *out = NULL;
    if (sscanf(argument, "%p", &p) != 1)
        return err_set(e, STATUS_USAGE, -EINVAL, "the fake driver needs its fake");
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    s->fake = p;
    s->fake->opens++;
    if (s->fake->open_error < 0) {
        int rc = s->fake->open_error;
        free(s);
        return err_set(e, STATUS_AUDIO, rc, "the fake driver refuses");
    }
    s->fake->config = *config;
    s->base.driver = &fake_audio_driver;
    s->base.in_hz = config->capture ? (s->fake->in_hz > 0 ? s->fake->in_hz : 16000) : 0;
    s->base.out_hz = config->playback ? (s->fake->out_hz > 0 ? s->fake->out_hz : 16000) : 0;
    s->base.in_latency_ms = s->base.out_latency_ms = s->fake->latency_ms;
    name(s->base.in_name, sizeof s->base.in_name, s->fake->in_name);
    name(s->base.out_name, sizeof s->base.out_name, s->fake->out_name);
    s->base.two_streams = s->fake->two_streams;
    s->fake->closed = false;
    *out = &s->base;
    return 0;
}

static int start_stream(struct audio_stream *base, struct err *e)
{
    struct fake_audio *f = ((struct stream *)base)->fake;
    int rc = atomic_exchange(&f->start_error, 0);

    if (rc < 0)
        return err_set(e, STATUS_AUDIO, rc, "the fake driver does not start");
    f->started = true;
    return 0;
}

static void close_stream(struct audio_stream *base)
{
    struct stream *s = (struct stream *)base;

    if (s == NULL)
        return;
    pthread_mutex_lock(&calling);
    s->fake->started = false;
    s->fake->closed = true;
    pthread_mutex_unlock(&calling);
    free(s);
}

void fake_audio_run(struct fake_audio *f, const int16_t *in, int16_t *out, size_t n)
{
    static const int16_t silence[MOST];
    int16_t unheard[MOST];
    int hz = f->out_hz > 0 ? f->out_hz : f->in_hz > 0 ? f->in_hz : 16000;
    struct audio_when when = {.in_ns = f->now_ns - (int64_t)(f->latency_ms * 1e6),
                              .out_ns = f->now_ns + (int64_t)(f->latency_ms * 1e6)};

    if (n > MOST)
        abort();
    pthread_mutex_lock(&calling);
    if (f->started)
        f->config.callback(f->config.user, f->config.capture ? (in != NULL ? in : silence) : NULL,
                           f->config.playback ? (out != NULL ? out : unheard) : NULL, n, &when);
    else if (out != NULL)
        memset(out, 0, n * sizeof *out);
    pthread_mutex_unlock(&calling);
    f->now_ns += (int64_t)n * 1000000000 / hz;
}

void fake_audio_hear(struct fake_audio *f, const int16_t *in, size_t n)
{
    struct audio_when when = {.in_ns = f->now_ns - (int64_t)(f->latency_ms * 1e6)};

    f->config.callback(f->config.user, in, NULL, n, &when);
}

void fake_audio_run_one(struct fake_audio *f, const int16_t *in, int16_t *out, size_t n,
                        int64_t now_ns)
{
    struct audio_when when = {.in_ns = now_ns - (int64_t)(f->latency_ms * 1e6),
                              .out_ns = now_ns + (int64_t)(f->latency_ms * 1e6)};

    pthread_mutex_lock(&calling);
    if (f->started)
        f->config.callback(f->config.user, in, out, n, &when);
    pthread_mutex_unlock(&calling);
}

void fake_audio_lose(struct fake_audio *f)
{
    pthread_mutex_lock(&calling);
    if (atomic_exchange(&f->started, false))
        f->config.lost(f->config.user);
    pthread_mutex_unlock(&calling);
}

const struct audio_driver fake_audio_driver = {
    .name = "fake",
    .help = "driven by a test",
    .open = open_stream,
    .start = start_stream,
    .close = close_stream,
};
