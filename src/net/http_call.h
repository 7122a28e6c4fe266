/* http_call - one request on its way: for http.c only.
 * Makes libcurl's handle of a request, takes in what comes, and says what became of it. Who drives
 * the handle, and when the user's callbacks are called, is http.c's business: nothing of the user's
 * runs from here. */
#ifndef HULLO_NET_HTTP_CALL_H
#define HULLO_NET_HTTP_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "net/http.h"
#include "util/buf.h"

enum { HTTP_CALL_SHOWN_URL = 200 };

/* Why we ended a transfer ourselves, if we did. */
enum http_call_why {
    HTTP_CALL_NOT_ENDED,
    HTTP_CALL_UNWANTED,  /* the user's data said so */
    HTTP_CALL_TOO_LONG,  /* body or header */
    HTTP_CALL_IDLE,      /* out of patience */
    HTTP_CALL_NO_MEMORY, /* also: its socket could not be watched */
    HTTP_CALL_ENOUGH,    /* of the words of an error */
};

struct http_call {
    struct http *h;
    struct http_call *prev, *next; /* http.c's */
    CURL *easy;                    /* NULL once http.c let go of it */
    struct curl_slist *headers;
    char url[HTTP_CALL_SHOWN_URL];
    int (*data)(void *user, const char *bytes, size_t n);
    void (*done)(void *user, int code, int http_status, const char *body, size_t n,
                 const struct err *e);
    void *user;
    struct buf in; /* came in, but was not delivered yet */
    size_t max_bytes, bytes, header_bytes;
    curl_off_t moved;
    uint64_t stamp_ms; /* when the last byte moved; it may rest until stamp_ms + patience_ms */
    uint64_t patience_ms, connect_ms, idle_ms;
    long http_status;
    bool finished; /* done is due: why and result say how it ended */
    bool gone;     /* http.c: cancelled from inside its own callback */
    enum http_call_why why;
    CURLcode result;
    char detail[CURL_ERROR_SIZE];
};

/* *out's handle is ready for a multi handle. 0, or as http_start. */
int http_call_new(struct http_call **out, const struct http_request *r, struct err *e);

uint64_t http_call_now_ms(void); /* the clock of stamp_ms */

/* Body that came in is for data, not for done. */
bool http_call_wants_pieces(const struct http_call *c);

/* What done is told: 0, or a negative errno with *e filled. Once, before the handle is let go. */
int http_call_judge(struct http_call *c, struct err *e);

void http_call_free(struct http_call *c); /* its handle is in no multi handle any more */

#endif
