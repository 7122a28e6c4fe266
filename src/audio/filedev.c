/* filedev - a sound device made of files: what the microphone hears comes from one, what the
 * loudspeaker plays goes into another; drivers.h says how. */
#include "audio/drivers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audiofile.h"
#include "audio/paced.h"

#define FILE_HZ 16000 /* what audiofile_read yields */

struct file_stream {
    struct audio_stream base;
    const struct log *log;
    struct paced *paced;
    struct audiofile *input;    /* NULL: silence */
    struct audiowriter *output; /* NULL: nobody listens */
};

/* The device's thread. */
static void source(void *user, int16_t *x, size_t n)
{
    struct file_stream *s = user;
    struct err e = {0};
    size_t done = 0, got = 1;

    while (s->input != NULL && done < n && got > 0) {
        if (audiofile_read(s->input, x + done, n - done, &got, &e) < 0) {
            log_warn(s->log, "%s", e.text);
            got = 0;
        }
        done += got;
    }
    if (done < n && s->input != NULL) {
        audiofile_close(s->input);
        s->input = NULL;
    }
    memset(x + done, 0, (n - done) * sizeof *x);
}

static void sink(void *user, const int16_t *x, size_t n)
{
    struct file_stream *s = user;
    struct err e = {0};

    if (s->output == NULL || audiowriter_write(s->output, x, n, &e) == 0)
        return;
    log_warn(s->log, "%s", e.text);
    audiowriter_abandon(s->output);
    s->output = NULL;
}

/* The loudspeaker's first sample is heard that much after the microphone's first was spoken. */
static int lead_in(struct file_stream *s, const struct paced_knobs *k, struct err *e)
{
    static const int16_t silence[FILE_HZ / 100];
    size_t left = (size_t)(k->period_ms + 2 * k->latency_ms) * FILE_HZ / 1000;

    while (left > 0) {
        size_t n = left < FILE_HZ / 100 ? left : FILE_HZ / 100;
        int rc = audiowriter_write(s->output, silence, n, e);
        if (rc < 0)
            return rc;
        left -= n;
    }
    return 0;
}

static int open_files(struct file_stream *s, const struct paced_knobs *k,
                      const struct audio_config *config, struct err *e)
{
    int rc = 0;

    if (config->capture && config->input != NULL)
        rc = audiofile_open(&s->input, config->input, 0, s->log, e);
    if (rc < 0 || !config->playback || config->output == NULL)
        return rc;
    rc = audiowriter_open(&s->output, config->output, FILE_HZ, k->force, e);
    return rc < 0 ? rc : lead_in(s, k, e);
}

static void file_close(struct audio_stream *base)
{
    struct file_stream *s = (struct file_stream *)base;
    struct err e = {0};

    if (s == NULL)
        return;
    paced_free(s->paced);
    audiofile_close(s->input);
    if (s->output != NULL && audiowriter_finish(s->output, &e) < 0)
        log_warn(s->log, "%s", e.text);
    free(s);
}

/* After a failure to open: nothing is left behind. */
static void discard(struct file_stream *s)
{
    audiowriter_abandon(s->output);
    s->output = NULL;
    file_close(&s->base);
}

static int file_open(struct audio_stream **out, const char *argument,
                     const struct audio_config *config, const struct log *log, struct err *e)
{
    struct paced_knobs k = {
        .rate_hz = FILE_HZ, .period_ms = 10, .pace = 1, .echo_db = PACED_NO_ECHO};
    struct file_stream *s;
    int rc;

    *out = NULL;
    rc = paced_parse(&k, "file", argument, e);
    if (rc < 0)
        return rc;
    if (k.rate_hz != FILE_HZ || k.refuse_rate || k.no_device || k.echo_db >= PACED_ECHO_LEAST)
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "cannot open sound driver 'file': it is there always, at %d Hz, and hears a "
                       "recording only",
                       FILE_HZ);
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    s->log = log;
    rc = open_files(s, &k, config, e);
    if (rc == 0) {
        struct paced_ends ends = {source, sink, s};
        rc = paced_new(&s->paced, &k, config, &ends);
        if (rc < 0)
            err_set(e, STATUS_FAILED, rc, "out of memory");
    }
    if (rc < 0) {
        discard(s);
        return rc;
    }
    s->base.driver = &audio_file;
    s->base.in_hz = config->capture ? FILE_HZ : 0;
    s->base.out_hz = config->playback ? FILE_HZ : 0;
    s->base.in_latency_ms = s->base.out_latency_ms = k.latency_ms;
    snprintf(s->base.in_name, sizeof s->base.in_name, "%s",
             s->input != NULL  ? config->input
             : config->capture ? "silence"
                               : "");
    snprintf(s->base.out_name, sizeof s->base.out_name, "%s",
             s->output != NULL  ? config->output
             : config->playback ? "nobody"
                                : "");
    *out = &s->base;
    return 0;
}

static int file_start(struct audio_stream *base, struct err *e)
{
    struct file_stream *s = (struct file_stream *)base;
    int rc = paced_start(s->paced);

    return rc < 0 ? err_set(e, STATUS_AUDIO, rc, "cannot start sound device 'file': no thread") : 0;
}

const struct audio_driver audio_file = {
    .name = "file",
    .help = "recordings: --input-device is heard, --output-device is written",
    .open = file_open,
    .start = file_start,
    .close = file_close,
};
