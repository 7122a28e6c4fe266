/* local - the backend that runs in this process: no network, no key, no account.
 * Four engines behind queues (listening, speech-to-text, language model, voice), each on a thread
 * of its own, and the pipeline between them (turns.h). The best engines that are there are used,
 * and a lower step is announced (ladder.h). */
#ifndef HULLO_LOCAL_LOCAL_H
#define HULLO_LOCAL_LOCAL_H

#include "backend/backend.h"

extern const struct backend_kind backend_local;

#endif
