/* ws - a WebSocket connection (RFC 6455) to a server: libcurl makes the connection (proxies, TLS,
 * IPv6, the CA bundle, all as in http.h), wslay does the frames. Main loop only; nothing blocks.
 * Handlers come from the loop, never from inside a call made here, and may call anything here, also
 * ws_free. Messages of ours never hold headers, query strings or keys. */
#ifndef HULLO_NET_WS_H
#define HULLO_NET_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "util/err.h"

struct ws;

/* Why a connection is over. */
enum ws_end {
    WS_CLOSED,  /* the server closed it, or ws_close did: .code, .reason */
    WS_REFUSED, /* no WebSocket came about: the server's answer was another one; .http_status */
    WS_BROKEN,  /* network, TLS, proxy, or silence for too long */
    WS_INVALID, /* the server broke the protocol, or a limit of ours; it was told */
};

struct ws_closed {
    enum ws_end end;
    int code;           /* close code of the server; 1005: it sent none; 1006: it did not answer
                           ws_close; 0: not WS_CLOSED */
    const char *reason; /* its reason, on one line, cleaned; "" when there is none */
    int http_status;    /* of WS_REFUSED; 0 when what came was no HTTP */
    int retry_after_s;  /* of WS_REFUSED with a Retry-After in seconds; else -1 */
    const struct err *error; /* the message for people, whatever the end; STATUS_AUTH for 401 and
                                403, STATUS_NETWORK for trouble on the way, STATUS_FAILED for what
                                the server says */
};

struct ws_config {
    uv_loop_t *loop;
    const char *url;            /* ws or wss (http and https mean the same) */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none. Copied. Their values
                                   are secrets: starred out of whatever the server echoes, and so is
                                   what the query of url says of a key, token or the like */
    const char *cacert;         /* CA bundle; NULL: the system's. TLS is always verified */
    int connect_ms;             /* limit for connection and upgrade; 0: 5000 */
    size_t max_message;         /* a longer message ends the connection (1009); 0: 16 MiB */

    void (*opened)(void *user);
    /* A whole message. Borrowed; NUL-terminated besides. Text is valid UTF-8. */
    void (*message)(void *user, const char *bytes, size_t n, bool binary);
    /* The bytes that wait to be sent have fallen to half of what they were at most since this was
     * called last, or to 0; for who holds back. NULL: nobody does. */
    void (*drained)(void *user);
    /* Exactly once, unless ws_free comes first; the last event. w is still there until ws_free. */
    void (*closed)(void *user, const struct ws_closed *how);
    void *user;
};

/* Begins to connect. 0, -EINVAL (STATUS_USAGE: not an address, a header with a line break),
 * -ENOMEM. */
int ws_open(struct ws **out, const struct ws_config *config, struct err *e);

/* A message, in one frame and, where the socket takes it, one write. Copied. Sent in order; what
 * the socket does not take waits. text is UTF-8. 0, -ENOTCONN before opened and after a close,
 * -ENOMEM. Nothing is ever dropped silently: who sends without end looks at ws_waiting. */
int ws_send(struct ws *w, const char *text, size_t n);
int ws_send_binary(struct ws *w, const char *bytes, size_t n);
size_t ws_waiting(const struct ws *w); /* bytes that the system has not taken yet */

/* Pings are sent every interval_ms, and a connection from which nothing at all has come for
 * patience_ms is WS_BROKEN. 0, 0: neither. May be changed at any time; what has been silent until
 * now counts from now. */
void ws_watch(struct ws *w, int interval_ms, int patience_ms);
double ws_rtt_ms(const struct ws *w); /* of the last answered ping; -1: none yet */

/* The closing handshake, after what waits: closed follows, after 2 s at the latest. Until then
 * messages may still come. At once where the connection does not stand yet. code 0: none is sent;
 * a reason is cut at 123 bytes. */
void ws_close(struct ws *w, int code, const char *reason);

/* At once, without a word to the server; no event follows. The handles close on the next run of the
 * loop. NULL is fine. */
void ws_free(struct ws *w);

#endif
