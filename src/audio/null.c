/* null - a sound device that does not exist; drivers.h documents its knobs. */
#include "audio/drivers.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "audio/paced.h"

struct null_stream {
    struct audio_stream base;
    struct paced *paced;
    int16_t *echo; /* what was played and not heard yet, a ring; NULL: no echo */
    size_t size, at;
    double gain;
};

/* The device's thread. */
static void source(void *user, int16_t *x, size_t n)
{
    struct null_stream *s = user;

    for (size_t i = 0; i < n; i++) {
        double y = s->echo[(s->at + i) % s->size] * s->gain;
        x[i] = (int16_t)(y > INT16_MAX ? INT16_MAX : y < INT16_MIN ? INT16_MIN : y);
    }
}

/* After source for the same period: the place of what was heard is free. */
static void sink(void *user, const int16_t *x, size_t n)
{
    struct null_stream *s = user;

    for (size_t i = 0; i < n; i++)
        s->echo[(s->at + i) % s->size] = x[i];
    s->at = (s->at + n) % s->size;
}

/* What is played in this period is heard after both latencies, the next period at the earliest. */
static int make_echo(struct null_stream *s, const struct paced_knobs *k)
{
    size_t period = (size_t)k->rate_hz * (size_t)k->period_ms / 1000;

    s->size = (size_t)k->rate_hz * (size_t)k->latency_ms * 2 / 1000;
    if (s->size < period)
        s->size = period;
    s->gain = pow(10, k->echo_db / 20);
    s->echo = calloc(s->size + 1, sizeof *s->echo);
    return s->echo != NULL ? 0 : -ENOMEM;
}

static void null_close(struct audio_stream *base)
{
    struct null_stream *s = (struct null_stream *)base;

    if (s == NULL)
        return;
    paced_free(s->paced);
    free(s->echo);
    free(s);
}

static int null_open(struct audio_stream **out, const char *argument,
                     const struct audio_config *config, const struct log *log, struct err *e)
{
    struct paced_knobs k = {.rate_hz = 48000,
                            .period_ms = 10,
                            .latency_ms = config->latency_ms,
                            .pace = 1,
                            .echo_db = PACED_NO_ECHO};
    struct paced_ends ends = {0};
    struct null_stream *s;
    int rc;

    (void)log;
    *out = NULL;
    rc = paced_parse(&k, "null", argument, e);
    if (rc < 0)
        return rc;
    if (k.no_device)
        return err_set(e, STATUS_AUDIO, -ENODEV,
                       "cannot open sound device 'null': it is not there");
    if (k.refuse_rate)
        return err_set(e, STATUS_AUDIO, -EINVAL,
                       "cannot open sound device 'null': it refuses every sample rate");
    s = calloc(1, sizeof *s);
    if (s != NULL && k.echo_db >= PACED_ECHO_LEAST) {
        ends = (struct paced_ends){source, sink, s};
        rc = make_echo(s, &k);
    }
    if (s == NULL || rc < 0 || paced_new(&s->paced, &k, config, &ends) < 0) {
        null_close(s != NULL ? &s->base : NULL);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    s->base.driver = &audio_null;
    s->base.in_hz = config->capture ? k.rate_hz : 0;
    s->base.out_hz = config->playback ? k.rate_hz : 0;
    s->base.in_latency_ms = s->base.out_latency_ms = k.latency_ms;
    snprintf(s->base.in_name, sizeof s->base.in_name, "%s", config->capture ? "null" : "");
    snprintf(s->base.out_name, sizeof s->base.out_name, "%s", config->playback ? "null" : "");
    *out = &s->base;
    return 0;
}

static int null_start(struct audio_stream *base, struct err *e)
{
    struct null_stream *s = (struct null_stream *)base;
    int rc = paced_start(s->paced);

    return rc < 0 ? err_set(e, STATUS_AUDIO, rc, "cannot start sound device 'null': no thread") : 0;
}

const struct audio_driver audio_null = {
    .name = "null",
    .help = "no device: silence in, nothing out, with faults on demand",
    .open = null_open,
    .start = null_start,
    .close = null_close,
};
