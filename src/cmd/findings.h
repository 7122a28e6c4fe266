/* findings - what `hullo doctor` found, one line each: what it is about, how it stands, what it
 * means in plain words, and what to do. Text is made one clean line, whoever named the device or
 * the server in it. One thread. */
#ifndef HULLO_CMD_FINDINGS_H
#define HULLO_CMD_FINDINGS_H

#include <stddef.h>

#include "util/err.h"

enum finding_level {
    FINDING_OK,
    FINDING_NOTE,    /* it works, but less well than it could */
    FINDING_TROUBLE, /* something will not work */
};

struct finding {
    const char *about; /* "microphone" */
    enum finding_level level;
    enum status status; /* of trouble: the exit status that stands for it */
    char text[320];
    char advice[320]; /* what to do; "": nothing */
};

#define FINDINGS_MOST 40

struct findings {
    struct finding list[FINDINGS_MOST];
    size_t count;
};

/* Adds one; beyond FINDINGS_MOST the last one is replaced. `about` is borrowed. */
void findings_add(struct findings *f, const char *about, enum finding_level level, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));

/* Says what to do about the one that was added last. */
void findings_advise(struct findings *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes the one that was added last trouble of this status. */
void findings_fail(struct findings *f, enum status status);

/* The status of the first trouble; STATUS_DONE when there is none. */
enum status findings_status(const struct findings *f);

const char *findings_level_name(enum finding_level level); /* "ok", "note", "trouble" */

#endif
