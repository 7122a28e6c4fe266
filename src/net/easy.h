/* easy - what every transfer with libcurl has in common here: what it may speak, whom it trusts,
 * which headers it takes. For who makes a handle of libcurl's (http_call.c, ws.c). */
#ifndef HULLO_NET_EASY_H
#define HULLO_NET_EASY_H

#include <stdbool.h>

#include <curl/curl.h>

#include "util/err.h"

bool easy_is_http(const char *url); /* an address, and its scheme is http or https */

/* Copies headers ("Name: value", NULL-terminated; NULL: none) to the end of *out. 0, -ENOMEM, or
 * -EINVAL (STATUS_USAGE) when one has a line break or no colon: the message does not hold it. url
 * is for the message, as it may be shown. */
int easy_headers(struct curl_slist **out, const char *const *headers, const char *url,
                 struct err *e);

/* Stars out of s what was sent in confidence: the last word of each header's value. */
void easy_redact(const struct curl_slist *headers, char *s);

/* Each returns nonzero when an option was refused: out of memory. */

/* Only HTTP, to url, by proxies of the environment; nothing of it waits for a resolver. */
unsigned easy_set_transport(CURL *easy, const char *url);

/* cacert: CA bundle for the server; NULL: that of the environment (CURL_CA_BUNDLE, SSL_CERT_DIR,
 * SSL_CERT_FILE), or else the system's. Proxies are always held against the latter. */
unsigned easy_set_trust(CURL *easy, const char *cacert);

/* No answer came, or not all of it: as http_error_transport, or what a proxy on the way said. */
int easy_judge(struct err *e, CURL *easy, const char *url, CURLcode result, const char *detail);

#endif
