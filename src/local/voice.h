/* voice - what all voices in this process share: a request's text becomes speakable clauses. */
#ifndef HULLO_LOCAL_VOICE_H
#define HULLO_LOCAL_VOICE_H

#include "local/worker.h"

/* Speaks one clause through worker_audio. 0 or a negative errno. */
typedef int voice_say(void *self, const char *clause, struct worker_job *job, struct err *e);

/* Calls say for each clause of r->text until the request is cancelled. Text with nothing to say in
 * it is silence, not an error. For a worker_model's run. */
int voice_run(void *self, const struct engine_request *r, struct worker_job *job, voice_say *say,
              struct err *e);

#endif
