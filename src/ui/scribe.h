/* scribe - writes a transcript as it comes: segment by segment to stdout or into a file. On a
 * terminal it also shows what is being said, dim, on a line that it revises in place; elsewhere
 * (pipes, files, TERM=dumb) lines are appended and nothing is revised. One thread. */
#ifndef HULLO_UI_SCRIBE_H
#define HULLO_UI_SCRIBE_H

#include <stdbool.h>
#include <stdio.h>

#include "ui/captions.h"
#include "util/err.h"

enum scribe_way {
    SCRIBE_WHOLE,   /* a file appears when it is complete, or not at all */
    SCRIBE_GROWING, /* it grows with each segment, and is complete at any moment */
};

struct scribe {
    struct captions captions;
    const char *file; /* borrowed; NULL: stdout */
    FILE *to;         /* NULL: not open, or kept in `bytes` until it is whole */
    bool whole;       /* ... the latter */
    bool revises, dim;
    bool shown; /* what is being said stands on the last line */
    struct buf bytes;
};

/* file NULL: stdout. An existing one is an error unless `force`; a device is written to directly.
 * Without an error the scribe is for scribe_close. */
int scribe_open(struct scribe *s, const char *file, enum captions_format format,
                enum scribe_way way, bool force, struct err *e);

void scribe_part(struct scribe *s, const char *text); /* what is being said, so far */
void scribe_hide(struct scribe *s); /* takes it away, before anybody else writes to the terminal */

/* 0, or a negative errno: -EPIPE when who reads stdout has had enough. */
int scribe_add(struct scribe *s, const struct captions_segment *segment, struct err *e);
int scribe_add_source(struct scribe *s, const struct captions_segment *segment, struct err *e);
int scribe_end(struct scribe *s, const char *input, const char *status, const char *error,
               double length_ms, struct err *e); /* captions_end */

/* Completes the file; stdout stays open. 0 or negative errno. */
int scribe_close(struct scribe *s, struct err *e);
void scribe_abandon(struct scribe *s); /* a whole file does not appear; one that grows stays */

/* What scribe_part shows of a text where there are so many columns: its end. For tests. */
void scribe_line(struct buf *out, const char *text, size_t columns);

#endif
