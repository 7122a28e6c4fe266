/* worker - an engine that is a thread of this process around one model.
 * The model's code is plain and blocking (struct worker_model); the worker gives it a thread with
 * lowered priority, a queue in, a queue out, and a cancel flag. */
#ifndef HULLO_LOCAL_WORKER_H
#define HULLO_LOCAL_WORKER_H

#include "local/engine.h"

#define WORKER_BATCH 16 /* events that one turn of the loop delivers at most */

struct worker_job; /* one request, seen from the model's thread */

struct worker_model {
    const char *thread; /* name of its thread, at most 15 bytes */
    /* All three on the worker's thread. load fills *self (NULL after an error), and `name` with
     * what the model is called; its job is only there to be asked whether the engine is being
     * closed. */
    int (*load)(void **self, const struct engine_config *config, const struct worker_job *job,
                char *name, size_t size, struct err *e);
    /* Answers *r through worker_text and worker_audio. 0, or a negative errno with *e filled in.
     * When the request was cancelled what it returns does not matter. */
    int (*run)(void *self, const struct engine_request *r, struct worker_job *job, struct err *e);
    void (*unload)(void *self); /* NULL is fine */
};

/* Starts the thread; the model is loaded there, and READY or FAILED (id 0) follows. After such a
 * failure every request fails with the same error. Strings of *config are copied. The loop must run
 * once more after the engine was closed, for libuv lets go of a handle only there. 0, -ENOMEM or
 * what pthread_create said. */
int worker_open(struct engine **out, const struct worker_model *model,
                const struct engine_config *config, struct err *e);

/* For run(), on the worker's thread. text and audio copy. */
bool worker_cancelled(const struct worker_job *job); /* cheap: ask for each token */
/* 0, -ENOMEM. Text is cleaned of what must not reach a terminal (util/text.h). */
int worker_text(struct worker_job *job, const char *text);
int worker_audio(struct worker_job *job, const int16_t *x, size_t n, int rate_hz);

#endif
