/* worker - an engine that is a thread of this process around one model.
 * The model's code is plain and blocking (struct worker_model); the worker gives it a thread with
 * lowered priority, a queue in, a queue out, and a cancel flag. */
#ifndef HULLO_LOCAL_WORKER_H
#define HULLO_LOCAL_WORKER_H

#include "local/engine.h"

struct worker_job; /* one request, seen from the model's thread */

struct worker_model {
    const char *thread; /* name of its thread, at most 15 bytes */
    /* All three on the worker's thread. load fills *self, and `name` with what the model is called.
     */
    int (*load)(void **self, const struct engine_config *config, char *name, size_t size,
                struct err *e);
    int (*run)(void *self, const struct engine_request *r, struct worker_job *job, struct err *e);
    void (*unload)(void *self); /* NULL is fine */
};

int worker_open(struct engine **out, const struct worker_model *model,
                const struct engine_config *config, struct err *e);

/* For run(), on the worker's thread. text and audio copy. */
bool worker_cancelled(const struct worker_job *job); /* cheap: ask for each token */
int worker_text(struct worker_job *job, const char *text);
int worker_audio(struct worker_job *job, const int16_t *x, size_t n, int rate_hz);

#endif
