/* words - what `transcribe` and `translate` are: a job (job.h) whose results are transcripts, and
 * of a translation speech as well. */
#ifndef HULLO_CMD_WORDS_H
#define HULLO_CMD_WORDS_H

#include "cmd/cmd.h"

/* BACKEND_TRANSCRIBE or BACKEND_TRANSLATE, as the options say. The exit status, with *e. */
enum status words_run(const struct app *app, enum backend_task task, struct err *e);

#endif
