#include "net/easy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http_error.h"
#include "util/text.h"

bool easy_is_http(const char *url)
{
    CURLU *u = curl_url();
    char *scheme = NULL;
    bool ok = u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);

    curl_free(scheme);
    curl_url_cleanup(u);
    return ok;
}

int easy_headers(struct curl_slist **out, const char *const *headers, const char *url,
                 struct err *e)
{
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
        struct curl_slist *l;

        /* The value may be a secret: the message does not hold it. */
        if (strpbrk(headers[i], "\r\n") != NULL || strchr(headers[i], ':') == NULL)
            return err_set(e, STATUS_USAGE, -EINVAL,
                           "cannot send a request to '%s': header %zu has a line break or no colon",
                           url, i + 1);
        l = curl_slist_append(*out, headers[i]);
        if (l == NULL)
            return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory in a request to '%s'", url);
        *out = l;
    }
    return 0;
}

void easy_redact(const struct curl_slist *headers, char *s)
{
    for (const struct curl_slist *l = headers; l != NULL; l = l->next) {
        const char *value = strchr(l->data, ':');
        const char *word = value != NULL ? strrchr(value, ' ') : NULL;

        if (value == NULL || strncasecmp(l->data, "content-type:", 13) == 0)
            continue;
        text_redact(s, word != NULL ? word + 1 : value + 1);
    }
}

unsigned easy_set_transport(CURL *easy, const char *url)
{
    unsigned bad = 0;

    bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Without it, ending a transfer while its name is being resolved waits for the resolver. */
    bad |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "hullo/" HULLO_VERSION);
    bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(easy, CURLOPT_URL, url);
    return bad;
}

/* libcurl itself does not look at these variables, the curl program does. */
unsigned easy_set_trust(CURL *easy, const char *cacert)
{
    const char *bundle = getenv("CURL_CA_BUNDLE"), *dir = NULL;
    unsigned bad = 0;

    if (bundle == NULL) {
        dir = getenv("SSL_CERT_DIR");
        bundle = getenv("SSL_CERT_FILE");
    }
    if (bundle != NULL && bundle[0] != '\0')
        bad |= curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, bundle);
    if (dir != NULL && dir[0] != '\0')
        bad |= curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, dir);
    if (cacert != NULL) {
        bundle = cacert;
        dir = NULL;
    }
    if (bundle != NULL && bundle[0] != '\0')
        bad |= curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
    if (dir != NULL && dir[0] != '\0')
        bad |= curl_easy_setopt(easy, CURLOPT_CAPATH, dir);
    return bad;
}

int easy_judge(struct err *e, CURL *easy, const char *url, CURLcode result, const char *detail)
{
    long os_errno = 0, proxy_status = 0, proxy_verify = 0;

    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    curl_easy_getinfo(easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &proxy_verify);
    if (result == CURLE_PEER_FAILED_VERIFICATION && proxy_verify != 0)
        return err_set(e, STATUS_NETWORK, -EACCES,
                       "cannot trust the proxy on the way to '%s': %s; name its CA file in "
                       "CURL_CA_BUNDLE",
                       url, detail);
    if (proxy_status >= 300)
        return http_error_proxy(e, url, (int)proxy_status);
    return http_error_transport(e, url, result, detail, os_errno);
}
