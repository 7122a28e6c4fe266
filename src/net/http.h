/* http - HTTP requests on the main loop: libcurl's multi interface driven by libuv.
 * Usually one struct http per user of a loop: its connections are kept and used again. Everything
 * on the loop's thread; nothing blocks. Callbacks (data, done) come from the loop, never from
 * inside a call made here, and may call anything here.
 * Proxies come from the environment as in curl (http_proxy, https_proxy, all_proxy, no_proxy), and
 * so does the CA bundle (CURL_CA_BUNDLE, SSL_CERT_DIR, SSL_CERT_FILE). Messages never hold headers,
 * query strings or passwords; what a server echoes of a header's value is starred out. */
#ifndef HULLO_NET_HTTP_H
#define HULLO_NET_HTTP_H

#include <stddef.h>
#include <uv.h>

#include "util/err.h"

struct http;
struct http_call;

int http_new(struct http **out, uv_loop_t *loop); /* 0, -ENOMEM */
void http_free(struct http *h); /* cancels every call, without their done; run the loop once more
                                   before closing it; NULL is fine */

struct http_request {
    const char *url;            /* http or https only */
    const char *const *headers; /* "Name: value" strings, NULL-terminated; NULL: none */
    const char *body;           /* NULL: GET; else POST of `length` bytes (copied) */
    size_t length;
    const char *content_type; /* of the body; NULL: application/json */
    int connect_ms;           /* time limit for connecting; 0: 5000 */
    int idle_ms;              /* ... without a byte once connected; 0: 60000 */
    size_t max_bytes;         /* a longer answer is an error; 0: 16 MiB */
    const char *cacert;       /* CA bundle; NULL: the system's */
    /* A piece of the body of a 2xx answer. Returning nonzero ends the call with -ECANCELED. NULL:
     * collected for done. */
    int (*data)(void *user, const char *bytes, size_t n);
    /* Exactly once, and not after http_cancel. code 0, or negative errno with *e filled: network
     * trouble is STATUS_NETWORK, 401 and 403 STATUS_AUTH, other answers than 2xx STATUS_FAILED with
     * the server's own words. body (NUL-terminated, borrowed) is what was collected: of an answer
     * other than 2xx at most 64 KiB. http_status is 0 when there was no answer. */
    void (*done)(void *user, int code, int http_status, const char *body, size_t n,
                 const struct err *e);
    void *user;
};

/* A GET follows up to 5 redirects, to https only when it began there, unless it carries a header
 * other than Accept, Range, If-Range and User-Agent (it may be a secret, not for another host). A
 * POST follows none. A redirect that is not followed is an error that names the new address.
 * 0, -EINVAL (STATUS_USAGE: not an address; a header with a line break), -ENOMEM. */
int http_start(struct http_call **out, struct http *h, const struct http_request *r, struct err *e);
void http_cancel(
    struct http_call *c); /* frees c, closes its connection; done does not come. A call is freed by
                             itself after done: not to be cancelled after that */

#endif
