/* progress - how far a fetch or a recording is: one line on stderr that is drawn again and again,
 * with rate and the time that is left, where stderr is a terminal (and TERM is not dumb); elsewhere
 * a line every ten percent. Nothing with -q. One thread. */
#ifndef HULLO_UI_PROGRESS_H
#define HULLO_UI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/log.h"

struct progress {
    const struct log *log;
    bool bar;    /* else lines */
    bool drawn;  /* there is a line to wipe */
    int percent; /* said last, or -1 */
    int64_t began_ns;
    uint64_t first; /* bytes that were there when it began */
};

void progress_begin(struct progress *p, const struct log *log);
/* done of total bytes of `what`. Fits models_progress, with the struct as `user`. */
void progress_update(void *progress, const char *what, uint64_t done, uint64_t total);
/* done of total seconds of a recording; on a terminal only. */
void progress_seconds(struct progress *p, const char *what, double done, double total);

void progress_end(struct progress *p); /* wipes the line */

/* The text of the line, narrower than `columns`: for progress_update, and for tests. elapsed_ms is
 * the time in which `done - first` bytes came. */
void progress_line(char *out, size_t size, int columns, const char *what, uint64_t first,
                   uint64_t done, uint64_t total, double elapsed_ms);

/* The same, for progress_seconds. */
void progress_seconds_line(char *out, size_t size, int columns, const char *what, double done,
                           double total, double elapsed_ms);

#endif
