/* null - a sound device that does not exist; drivers.h documents its knobs. */
#include "audio/drivers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "audio/paced.h"

struct null_stream {
    struct audio_stream base;
    struct paced *paced;
};

static int null_open(struct audio_stream **out, const char *argument,
                     const struct audio_config *config, const struct log *log, struct err *e)
{
    static const struct paced_ends ends = {0};
    struct paced_knobs k = {
        .rate_hz = 48000, .period_ms = 10, .latency_ms = config->latency_ms, .pace = 1};
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
    if (s == NULL || paced_new(&s->paced, &k, config, &ends) < 0) {
        free(s);
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

static void null_close(struct audio_stream *base)
{
    struct null_stream *s = (struct null_stream *)base;

    if (s == NULL)
        return;
    paced_free(s->paced);
    free(s);
}

const struct audio_driver audio_null = {
    .name = "null",
    .help = "no device: silence in, nothing out, with faults on demand",
    .open = null_open,
    .start = null_start,
    .close = null_close,
};
