/* upgrade - how an HTTP/1.1 connection becomes a WebSocket (RFC 6455, section 4, the client's
 * side): the request and the answer. Pure; any thread. The answer is a stranger's. */
#ifndef HULLO_NET_UPGRADE_H
#define HULLO_NET_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "net/http_error.h"
#include "util/buf.h"

enum {
    UPGRADE_KEY = 25,             /* of a Sec-WebSocket-Key with its NUL */
    UPGRADE_ACCEPT = 29,          /* of a Sec-WebSocket-Accept */
    UPGRADE_MAX_HEAD = 64 << 10,  /* a longer header is no answer */
    UPGRADE_MAX_WORDS = 16 << 10, /* of the body of another answer; more is not read */
};

int upgrade_key(char key[UPGRADE_KEY]); /* random; 0, -EIO when there is no randomness */
int upgrade_accept(char accept[UPGRADE_ACCEPT], const char *key); /* 0, -EIO */

/* The request for url (http or https, valid) into out, whose failure says -ENOMEM. User and
 * password of the address go into an Authorization unless there is one. No extension is offered. */
void upgrade_request(struct buf *out, const char *url, const struct curl_slist *headers,
                     const char *key);

enum upgrade_step {
    UPGRADE_MORE,    /* not complete yet */
    UPGRADE_OPEN,    /* a WebSocket: its frames begin at .head */
    UPGRADE_REFUSED, /* another answer, complete */
    UPGRADE_INVALID, /* 101, but not to our request: .why */
    UPGRADE_GARBAGE, /* no HTTP */
    UPGRADE_TOO_LONG,
};

struct upgrade_answer {
    int status;                   /* 0: not known yet */
    size_t head;                  /* bytes of the header; 0: not complete yet */
    int retry_after_s;            /* -1: none in seconds */
    const char *why;              /* of UPGRADE_INVALID, for people: "its ... is missing" */
    char location[256];           /* of 3xx, as the server wrote it; "": none */
    char words[HTTP_ERROR_WORDS]; /* what the server says about a refusal; "": nothing */
};

/* Judges all that has come so far. ended: nothing more will come, which completes an answer whose
 * header is complete. */
enum upgrade_step upgrade_read(const char *bytes, size_t n, bool ended, const char *key,
                               const struct curl_slist *headers, struct upgrade_answer *a);

#endif
