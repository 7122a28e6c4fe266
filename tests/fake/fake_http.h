/* fake_http - a scripted HTTP server on the test's own loop: no thread, no clock, loopback, a free
 * port. Each request is kept whole and answered by the next reply of the script (the last one again
 * and again). */
#ifndef HULLO_FAKE_HTTP_H
#define HULLO_FAKE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "util/buf.h"

struct fake_reply {
    const char *bytes; /* the raw answer, status line and all; NULL: nothing is said */
    size_t length;     /* 0: up to the NUL */
    size_t piece;      /* bytes per write; 0: all at once */
    bool hold;         /* the connection stays open behind the answer */
    bool reset;        /* ... or is reset, not closed */
};

struct fake_http;

struct fake_http *fake_http_new(uv_loop_t *loop, const struct fake_reply *script, size_t count);
int fake_http_port(const struct fake_http *f);
size_t fake_http_requests(const struct fake_http *f); /* whole requests so far */
const char *fake_http_request(const struct fake_http *f, size_t i,
                              size_t *length);           /* as received */
size_t fake_http_connections(const struct fake_http *f); /* accepted so far */
size_t fake_http_open(const struct fake_http *f); /* of these, not yet closed by either side */
void fake_http_free(struct fake_http *f);         /* run the loop once more before closing it */

#endif
