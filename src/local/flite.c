/* The flite voice (slt): small, quick, and needs no model file. */
#include <errno.h>
#include <stdio.h>

#include <flite/flite.h>

#include "local/engines.h"
#include "local/voice.h"

/* The library that holds the voice comes without a header. */
cst_voice *register_cmu_us_slt(const char *folder);
void unregister_cmu_us_slt(cst_voice *voice);

static int slt_load(void **self, const struct engine_config *config, const struct worker_job *job,
                    char *name, size_t size, struct err *e)
{
    (void)config;
    (void)job;
    flite_init();
    *self = register_cmu_us_slt(NULL);
    snprintf(name, size, "flite slt");
    if (*self == NULL)
        return err_set(e, STATUS_NO_MODEL, -ENOENT, "cannot start flite's voice 'slt'");
    return 0;
}

static int slt_say(void *self, const char *clause, struct worker_job *job, struct err *e)
{
    cst_wave *w = flite_text_to_wave(clause, self);
    int rc = 0;

    if (w == NULL)
        return err_set(e, STATUS_FAILED, -EIO, "flite cannot speak '%.40s'", clause);
    if (w->num_samples > 0 && w->num_channels == 1)
        rc = worker_audio(job, w->samples, (size_t)w->num_samples, w->sample_rate);
    delete_wave(w);
    return rc < 0 ? err_set(e, STATUS_FAILED, rc, "cannot speak: out of memory") : 0;
}

static int slt_run(void *self, const struct engine_request *r, struct worker_job *job,
                   struct err *e)
{
    return voice_run(self, r, job, slt_say, e);
}

static void slt_unload(void *self)
{
    unregister_cmu_us_slt(self);
}

static const struct worker_model slt_model = {
    .thread = "flite",
    .load = slt_load,
    .run = slt_run,
    .unload = slt_unload,
};

static int slt_open(struct engine **out, const struct engine_config *config, struct err *e)
{
    return worker_open(out, &slt_model, config, e);
}

const struct engine_kind engine_flite = {
    .name = "flite",
    .help = "flite slt: a small voice that needs no model",
    .open = slt_open,
};
