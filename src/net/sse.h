/* sse - server-sent events (WHATWG HTML, section 9.2), parsed from pieces. Only "data" fields: that
 * is what model servers use. A pure parser, bounded: an event longer than 1 MiB is an error. */
#ifndef HULLO_NET_SSE_H
#define HULLO_NET_SSE_H

#include <stdbool.h>

#include "util/buf.h"

enum { SSE_MAX_BYTES = 1 << 20 };

struct sse {
    struct buf line, data; /* the line that is not complete yet; the event's data so far */
    int failed;            /* what every further call returns; 0: none yet */
    bool cr;               /* the last byte was CR: a LF that follows belongs to it */
    bool started;          /* the first line is behind us: no byte order mark any more */
};

/* Calls event for each complete event, its data lines joined by newlines. 0, or -EMSGSIZE / -ENOMEM
 * for good, or what event returned when that is not 0 (for good as well: the rest is not read). An
 * event without a "data" field is none, and so is one whose end never came. data is borrowed; the
 * handler may not feed or free s. */
int sse_feed(struct sse *s, const char *bytes, size_t n, int (*event)(void *user, const char *data),
             void *user);
void sse_free(struct sse *s); /* a zeroed struct sse is a fresh one */

#endif
