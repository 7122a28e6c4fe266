/* The espeak-ng voice: the last step of the ladder, for it is there wherever the program is. */
#include <errno.h>
#include <stdio.h>

#include "local/engines.h"
#include "local/espeaklib.h"
#include "local/voice.h"

struct speech {
    struct worker_job *job;
    int rate_hz, rc;
};

static int espeak_load(void **self, const struct engine_config *config,
                       const struct worker_job *job, char *name, size_t size, struct err *e)
{
    int rc = espeaklib_open(e);

    (void)config;
    (void)job;
    *self = rc == 0 ? (void *)&engine_espeak : NULL; /* there is nothing to keep */
    snprintf(name, size, "espeak-ng");
    return rc;
}

static int on_samples(void *user, const int16_t *x, size_t n)
{
    struct speech *s = user;

    if (worker_cancelled(s->job))
        return 1;
    s->rc = worker_audio(s->job, x, n, s->rate_hz);
    return s->rc < 0;
}

static int espeak_say(void *self, const char *clause, struct worker_job *job, struct err *e)
{
    struct speech s = {.job = job};
    int rc = espeaklib_speak(clause, &s.rate_hz, on_samples, &s);

    (void)self;
    if (s.rc < 0)
        return err_set(e, STATUS_FAILED, s.rc, "cannot speak: out of memory");
    return rc < 0 ? err_set(e, STATUS_FAILED, rc, "espeak-ng cannot speak '%.40s'", clause) : 0;
}

static int espeak_run(void *self, const struct engine_request *r, struct worker_job *job,
                      struct err *e)
{
    return voice_run(self, r, job, espeak_say, e);
}

static void espeak_unload(void *self)
{
    (void)self; /* the library stays: see espeaklib_open */
}

static const struct worker_model espeak_model = {
    .thread = "espeak",
    .load = espeak_load,
    .run = espeak_run,
    .unload = espeak_unload,
};

static int espeak_open(struct engine **out, const struct engine_config *config, struct err *e)
{
    return worker_open(out, &espeak_model, config, e);
}

const struct engine_kind engine_espeak = {
    .name = "espeak",
    .help = "espeak-ng: a plain voice that needs no model",
    .open = espeak_open,
};
