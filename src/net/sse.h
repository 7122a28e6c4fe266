/* sse - server-sent events (WHATWG HTML, section 9.2), parsed from pieces. Only "data" fields: that
 * is what model servers use. A pure parser, bounded: an event longer than 1 MiB is an error. */
#ifndef HULLO_NET_SSE_H
#define HULLO_NET_SSE_H

#include "util/buf.h"

struct sse {
    struct buf line, data;
    int failed;
    unsigned char cr; /* the last byte was CR: a LF that follows belongs to it */
};

/* Calls event for each complete event, its data lines joined by newlines. 0, or -EMSGSIZE / -ENOMEM
 * for good, or what event returned when that is not 0. */
int sse_feed(struct sse *s, const char *bytes, size_t n, int (*event)(void *user, const char *data),
             void *user);
void sse_free(struct sse *s); /* a zeroed struct sse is a fresh one */

#endif
