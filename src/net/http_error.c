#include "net/http_error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

/* Cuts s to `most` bytes without cutting a character, and says so. Needs room for 4 more bytes. */
static void shorten(char *s, size_t most)
{
    if (strlen(s) > most)
        memcpy(s + text_utf8_whole(s, most), "...", 4);
}

static bool url_parts(char *out, size_t size, CURLU *u)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL;
    bool ok = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK;

    curl_url_get(u, CURLUPART_PORT, &port, 0);
    if (ok)
        snprintf(out, size, "%s://%s%s%s%s", scheme, host, port != NULL ? ":" : "",
                 port != NULL ? port : "", strcmp(path, "/") != 0 ? path : "");
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    return ok;
}

void http_error_url(char *out, size_t size, const char *url)
{
    CURLU *u = curl_url();
    const char *at;

    if (u == NULL || curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !url_parts(out, size, u)) {
        /* Not an address: what stands before an @ may still be a password. */
        at = strrchr(url, '@');
        snprintf(out, size, "%s", at != NULL ? at + 1 : url);
        out[strcspn(out, "?#\r\n\t")] = '\0';
    }
    curl_url_cleanup(u);
    text_clean(out);
}

/* Text of any length to one cleaned line of at most 200 bytes. */
static void one_line(char out[HTTP_ERROR_WORDS], const char *s, size_t n)
{
    size_t len = 0;
    bool space = true; /* none at the start */

    for (size_t i = 0; i < n && s[i] != '\0' && len < HTTP_ERROR_WORDS - 1; i++) {
        bool white = s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n';
        if (!white)
            out[len++] = s[i];
        else if (!space)
            out[len++] = ' ';
        space = white;
    }
    if (len > 0 && space)
        len--;
    out[text_utf8_whole(out, len)] = '\0';
    text_clean(out);
    shorten(out, 200);
}

void http_error_words_json(char out[HTTP_ERROR_WORDS], const cJSON *body)
{
    static const char *const paths[] = {"error.message",  "error.detail", "error",
                                        "message",        "detail",       "detail.0.msg",
                                        "0.error.message"};

    out[0] = '\0';
    if (cJSON_IsString(body))
        one_line(out, body->valuestring, strlen(body->valuestring));
    for (size_t i = 0; i < sizeof paths / sizeof *paths && out[0] == '\0'; i++) {
        const char *s = cJSON_GetStringValue(json_path(body, paths[i]));
        if (s != NULL)
            one_line(out, s, strlen(s));
    }
}

void http_error_words(char out[HTTP_ERROR_WORDS], const char *body, size_t n)
{
    size_t skip = 0;
    cJSON *j;

    out[0] = '\0';
    if (json_parse(&j, body, n) == 0) {
        http_error_words_json(out, j);
        cJSON_Delete(j);
        return;
    }
    while (skip < n && body[skip] != '\0' && strchr(" \t\r\n", body[skip]) != NULL)
        skip++;
    if (skip < n && body[skip] != '<')
        one_line(out, body + skip, n - skip);
}

static int unreachable(struct err *e, const char *url, const char *detail, long os_errno)
{
    int code = os_errno > 0 ? -(int)os_errno : -ECONNREFUSED;

    if (os_errno > 0)
        detail = strerror((int)os_errno);
    return err_set(
        e, STATUS_NETWORK, code,
        "cannot connect to '%s': %s; check that the server runs and the address is right", url,
        detail[0] != '\0' ? detail : "no connection");
}

static const char *advice_on_trust(const char *detail)
{
    if (strstr(detail, "expired") != NULL || strstr(detail, "not yet valid") != NULL)
        return "its operator has to renew it, if the clock of this machine is right";
    if (strstr(detail, "subject") != NULL)
        return "check the address";
    return "name its CA file in CURL_CA_BUNDLE";
}

int http_error_transport(struct err *e, const char *url, CURLcode result, const char *detail,
                         long os_errno)
{
    const enum status net = STATUS_NETWORK;

    /* Some of libcurl's own words hold the address of a proxy with its password. */
    if (detail[0] == '\0' || strchr(detail, '@') != NULL)
        detail = curl_easy_strerror(result);
    switch (result) {
    case CURLE_COULDNT_CONNECT:
        return unreachable(e, url, detail, os_errno);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(e, net, -EHOSTUNREACH,
                       "cannot find the host of '%s': check its name and the network", url);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return err_set(e, net, -EHOSTUNREACH,
                       "cannot find the proxy on the way to '%s': check the variables http_proxy, "
                       "https_proxy, all_proxy and no_proxy",
                       url);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(
            e, net, -ETIMEDOUT,
            "cannot connect to '%s': no answer in time; check the address and the network", url);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(e, net, -EACCES, "cannot trust the server '%s': %s; %s", url, detail,
                       advice_on_trust(detail));
    case CURLE_SSL_CONNECT_ERROR:
        return err_set(e, net, -EPROTO,
                       "cannot speak TLS with '%s': %s; if the server has none, write %s://", url,
                       detail, strncmp(url, "ws", 2) == 0 ? "ws" : "http");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return err_set(e, net, -EPROTO, "'%s' does not answer in HTTP: check the address", url);
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2_STREAM:
        return err_set(
            e, net, -ECONNRESET,
            "the connection to '%s' broke before the answer was complete (%s): try again", url,
            detail);
    case CURLE_OUT_OF_MEMORY:
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory in a request to '%s'", url);
    default:
        return err_set(e, net, -EIO, "the request to '%s' failed: %s", url, detail);
    }
}

int http_error_proxy(struct err *e, const char *url, int http_status)
{
    const char *advice = "; check the variables http_proxy, https_proxy, all_proxy and no_proxy";

    if (http_status == 407)
        advice = ": it wants a name and a password; write http://NAME:PASSWORD@HOST:PORT into the "
                 "variable https_proxy (http_proxy where there is no TLS)";
    return err_set(e, STATUS_NETWORK, http_status == 407 ? -EACCES : -ECONNREFUSED,
                   "the proxy on the way to '%s' answered HTTP %d%s", url, http_status, advice);
}

static const char *advice(int http_status)
{
    switch (http_status) {
    case 401:
    case 403:
        return "; check the API key";
    case 404:
    case 405:
        return "; check the address";
    case 413:
        return "; ask for less";
    case 408:
    case 429:
    case 503:
    case 504:
    case 529:
        return "; try again later";
    default:
        return http_status >= 500 ? "; see the server's log" : "";
    }
}

static int code_of(int http_status)
{
    switch (http_status) {
    case 401:
    case 403:
        return -EACCES;
    case 404:
        return -ENOENT;
    case 429:
    case 503:
        return -EAGAIN;
    default:
        return -EIO;
    }
}

int http_error_status(struct err *e, const char *url, int http_status, const char *location,
                      const char *words, const char *key)
{
    bool refused = http_status == 401 || http_status == 403;
    enum status status = refused ? STATUS_AUTH : STATUS_FAILED;
    char where[64] = "";

    if (location[0] != '\0')
        return err_set(e, status, code_of(http_status),
                       "'%s' has moved (HTTP %d): if you trust it, use the address '%s'", url,
                       http_status, location);
    if (refused && key != NULL)
        snprintf(where, sizeof where, " (%s)", key);
    return err_set(e, status, code_of(http_status), "'%s' answered HTTP %d%s%s%s%s%s", url,
                   http_status, words[0] != '\0' ? ": \"" : "", words, words[0] != '\0' ? "\"" : "",
                   advice(http_status), where);
}
