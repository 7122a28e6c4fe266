/* handshake - how a connection to a server becomes a WebSocket: what is asked of it, what was sent
 * in confidence, and what its answer means, in words for people. Without I/O. One owner. */
#ifndef HULLO_NET_HANDSHAKE_H
#define HULLO_NET_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "net/upgrade.h"
#include "util/buf.h"
#include "util/err.h"

enum { HANDSHAKE_SHOWN = 200 };

struct handshake {
    char *url;                   /* as libcurl knows it: http or https */
    char shown[HANDSHAKE_SHOWN]; /* as it may be shown */
    char key[UPGRADE_KEY];
    struct curl_slist *headers, *secrets;
    struct buf answer; /* so far */
};

/* *h need not be set; to be freed also after an error. url: ws, wss, http or https. 0, -EINVAL
 * (STATUS_USAGE), -ENOMEM, -EIO: *e is filled. */
int handshake_init(struct handshake *h, const char *url, const char *const *headers, struct err *e);
void handshake_request(const struct handshake *h, struct buf *out); /* out's failure: -ENOMEM */

/* Judges what has come of the answer, with n more bytes (as upgrade_read). *used, when it is
 * UPGRADE_OPEN, are those of them that belong to it; else all. Out of memory: .answer has failed.
 */
enum upgrade_step handshake_take(struct handshake *h, const char *bytes, size_t n, bool ended,
                                 struct upgrade_answer *a, size_t *used);

/* Why an answer (any but UPGRADE_OPEN and UPGRADE_MORE) is not the one that was wanted. */
void handshake_describe(const struct handshake *h, enum upgrade_step step,
                        const struct upgrade_answer *a, struct err *e);

void handshake_redact(const struct handshake *h, char *s); /* stars out what was confidential */
void handshake_free(struct handshake *h);

#endif
