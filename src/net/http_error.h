/* http_error - what went wrong with an HTTP request, in words for people.
 * Pure functions. Nothing that they make holds user names, passwords, query strings or control
 * bytes: addresses are shown without them, and the caller names the secrets to leave out. */
#ifndef HULLO_NET_HTTP_ERROR_H
#define HULLO_NET_HTTP_ERROR_H

#include <stddef.h>

#include <curl/curl.h>

#include "util/err.h"
#include "util/json.h"

enum { HTTP_ERROR_WORDS = 256 }; /* what a buffer for the server's words needs */

/* The address as it may be shown: scheme, host, port and path. Into out, cut to size. */
void http_error_url(char *out, size_t size, const char *url);

/* What the server says about an error: {"error":{"message":...}}, {"error":...}, {"message":...},
 * {"detail":...}, or plain text. One line of at most 200 bytes and "...", cleaned; "" when there is
 * nothing readable (a web page). */
void http_error_words(char out[HTTP_ERROR_WORDS], const char *body, size_t n);
void http_error_words_json(char out[HTTP_ERROR_WORDS], const cJSON *body);

/* No answer came, or not all of it. detail: libcurl's own words, "" when there are none; os_errno:
 * CURLINFO_OS_ERRNO. STATUS_NETWORK. Returns the code that it sets. */
int http_error_transport(struct err *e, const char *url, CURLcode result, const char *detail,
                         long os_errno);

/* A proxy would not connect to the address. STATUS_NETWORK. */
int http_error_proxy(struct err *e, const char *url, int http_status);

/* An answer other than 2xx. location: where it redirects to, "" when it does not. key: the variable
 * that the key was in; NULL: it may have been anywhere. */
int http_error_status(struct err *e, const char *url, int http_status, const char *location,
                      const char *words, const char *key);

#endif
