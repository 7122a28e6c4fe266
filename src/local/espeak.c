/* The espeak-ng voice: the last step of the ladder, for it is there wherever the program is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "local/engines.h"
#include "local/espeaklib.h"
#include "local/language.h"
#include "local/voice.h"

struct espeak {
    char language[16]; /* "": the library's own */
};

struct speech {
    struct worker_job *job;
    int rate_hz, rc;
};

static int espeak_load(void **self, const struct engine_config *config,
                       const struct worker_job *job, char *name, size_t size, struct err *e)
{
    const char *language = config->language;
    struct espeak *es;
    int rc = espeaklib_open(e);

    (void)job;
    *self = NULL;
    if (rc == 0 && language != NULL && !espeaklib_speaks(language))
        rc = err_set(e, STATUS_USAGE, -ENOENT, "no voice here speaks '%s': do without speech",
                     language);
    if (rc < 0)
        return rc;
    es = calloc(1, sizeof *es);
    if (es == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    snprintf(es->language, sizeof es->language, "%s", language != NULL ? language : "");
    snprintf(name, size, "espeak-ng%s%s", language != NULL ? ", " : "",
             language != NULL ? language_name(language) : "");
    *self = es;
    return 0;
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
    const struct espeak *es = self;
    struct speech s = {.job = job};
    int rc = espeaklib_speak(es->language[0] != '\0' ? es->language : NULL, clause, &s.rate_hz,
                             on_samples, &s);

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
    free(self); /* the library stays: see espeaklib_open */
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
