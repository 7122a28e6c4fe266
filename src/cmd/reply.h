/* reply - what `ask --json` tells about one recording. */
#ifndef HULLO_CMD_REPLY_H
#define HULLO_CMD_REPLY_H

#include "backend/backend.h"

/* The words that stand for how it went; hullo-ask(1) explains them. */
#define REPLY_OK          "ok"
#define REPLY_NO_SPEECH   "no_speech"
#define REPLY_FAILED      "failed"
#define REPLY_INTERRUPTED "interrupted"

struct reply {
    const char *input, *transcript, *text;
    const char *audio; /* file that holds the speech, or NULL */
    struct backend_timing timing;
    const char *status;
    const char *error; /* or NULL */
};

/* One line on stdout. Without memory for it there is none. */
void reply_print_json(const struct reply *r);

#endif
