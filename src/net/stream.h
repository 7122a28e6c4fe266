/* stream - a stream of bytes to and from a server that libcurl connected: through proxies and TLS,
 * by IPv6, as in http.h. Main loop only; nothing blocks, neither connecting nor a name that is
 * looked up. The handlers come from the loop, never from inside a call made here, and may call
 * anything here, also stream_free. */
#ifndef HULLO_NET_STREAM_H
#define HULLO_NET_STREAM_H

#include <sys/types.h>

#include <uv.h>

#include "util/buf.h"
#include "util/err.h"

struct stream;

struct stream_config {
    uv_loop_t *loop;
    const char *url;    /* http or https: host and port of it, and whether to speak TLS */
    const char *shown;  /* the address as it may be shown; kept, not copied */
    const char *cacert; /* as http_request's */
    void (*ready)(void *user);
    void (*readable)(void *user);                      /* once more after each stream_again */
    void (*drained)(void *user);                       /* as in ws.h */
    void (*broken)(void *user, const struct err *why); /* no connection, or writing failed and all
                                                          that had come was read; the last event */
    void *user;
};

int stream_open(struct stream **out, const struct stream_config *config); /* 0, -ENOMEM */

/* Up to n bytes. 0: the server has ended the stream; -EAGAIN: nothing there; else *e says why it
 * broke. Reads until -EAGAIN, or asks for another turn: TLS keeps bytes of which the loop knows
 * nothing. */
ssize_t stream_read(struct stream *s, char *bytes, size_t n, struct err *e);
void stream_again(struct stream *s); /* readable comes in the next turn of the loop */

/* What is appended here is sent by stream_flush, in as few writes as the system allows; what it
 * does not take waits. */
struct buf *stream_out(struct stream *s);
void stream_flush(struct stream *s);
size_t stream_waiting(const struct stream *s); /* in steps of 64 KiB at most */

void stream_free(struct stream *s); /* at once; NULL is fine */

#endif
