/* multi - libcurl's multi interface, driven by a libuv loop: for who has transfers on their way
 * (http.c, ws.c). The loop's thread only. */
#ifndef HULLO_NET_MULTI_H
#define HULLO_NET_MULTI_H

#include <stdbool.h>

#include <curl/curl.h>
#include <uv.h>

struct multi;

/* turned comes from the loop after each turn of libcurl's, for its owner to look at multi_done.
 * With failed set no transfer gets any further: out of memory, or a socket could not be watched. It
 * may call anything here, also multi_free. 0, -ENOMEM. */
int multi_new(struct multi **out, uv_loop_t *loop, void (*turned)(void *user, bool failed),
              void *user);

CURLM *multi_handle(struct multi *m); /* to add handles to, and to remove them from */

/* The next transfer that is complete and how it ended; NULL: none. Borrowed. */
CURL *multi_done(struct multi *m, CURLcode *result);

/* The handles in it have been removed, or are not used any more. Its own close on the next run of
 * the loop. NULL is fine. */
void multi_free(struct multi *m);

#endif
