#include "net/handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/easy.h"
#include "net/http_error.h"

/* ws is http, wss is https. */
static char *http_url(const char *url)
{
    struct buf b = BUF_INIT;

    if (strncasecmp(url, "ws:", 3) == 0 || strncasecmp(url, "wss:", 4) == 0) {
        buf_adds(&b, "http");
        url += 2;
    }
    buf_adds(&b, url);
    if (b.len > 0 && !buf_failed(&b))
        return b.data;
    buf_free(&b);
    return NULL;
}

/* As a header's value, for easy_redact. */
static int add_secret(struct handshake *h, const char *value)
{
    struct buf b = BUF_INIT;
    struct curl_slist *l = NULL;

    buf_addf(&b, "address:%s", value);
    if (!buf_failed(&b))
        l = curl_slist_append(h->secrets, b.data);
    buf_free(&b);
    if (l == NULL)
        return -ENOMEM;
    h->secrets = l;
    return 0;
}

static bool sounds_secret(const char *name)
{
    static const char *const parts[] = {"key", "token", "secret", "auth", "sig", "pass"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(name, parts[i]) != NULL)
            return true;
    return false;
}

/* The password in the address, and what its query says under a name that sounds like a secret. */
static int note_secrets(struct handshake *h)
{
    char *query = NULL, *password = NULL, *rest = NULL;
    CURLU *u = curl_url();
    int rc = u != NULL && curl_url_set(u, CURLUPART_URL, h->url, 0) == CURLUE_OK ? 0 : -ENOMEM;

    if (rc == 0) {
        curl_url_get(u, CURLUPART_QUERY, &query, 0);
        curl_url_get(u, CURLUPART_PASSWORD, &password, CURLU_URLDECODE);
    }
    if (password != NULL)
        rc = add_secret(h, password);
    for (char *s = query != NULL ? strtok_r(query, "&", &rest) : NULL; s != NULL && rc == 0;
         s = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(s, '=');

        if (value == NULL)
            continue;
        *value = '\0';
        if (sounds_secret(s))
            rc = add_secret(h, value + 1);
    }
    curl_free(query);
    curl_free(password);
    curl_url_cleanup(u);
    return rc;
}

int handshake_init(struct handshake *h, const char *url, const char *const *headers, struct err *e)
{
    int rc;

    *h = (struct handshake){.url = http_url(url)};
    http_error_url(h->shown, sizeof h->shown, url);
    if (h->url == NULL || !easy_is_http(h->url))
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "cannot use '%s': write an address such as wss://localhost:8080/v1",
                       h->shown);
    rc = easy_headers(&h->headers, headers, h->shown, e);
    if (rc == 0)
        rc = easy_headers(&h->secrets, headers, h->shown, e);
    if (rc < 0)
        return rc;
    rc = note_secrets(h);
    if (rc == 0)
        rc = upgrade_key(h->key);
    return rc < 0 ? err_set(e, STATUS_FAILED, rc, "cannot begin a connection to '%s': %s", h->shown,
                            strerror(-rc))
                  : 0;
}

void handshake_free(struct handshake *h)
{
    curl_slist_free_all(h->headers);
    curl_slist_free_all(h->secrets);
    buf_free(&h->answer);
    free(h->url);
    *h = (struct handshake){0};
}

void handshake_request(const struct handshake *h, struct buf *out)
{
    upgrade_request(out, h->url, h->headers, h->key);
}

void handshake_redact(const struct handshake *h, char *s)
{
    easy_redact(h->secrets, s);
}

enum upgrade_step handshake_take(struct handshake *h, const char *bytes, size_t n, bool ended,
                                 struct upgrade_answer *a, size_t *used)
{
    size_t before = h->answer.len;
    enum upgrade_step step;

    *a = (struct upgrade_answer){.retry_after_s = -1};
    *used = n;
    buf_add(&h->answer, bytes, n);
    step = upgrade_read(buf_str(&h->answer), h->answer.len, ended, h->key, h->headers, a);
    if (step == UPGRADE_OPEN) {
        *used = a->head - before;
        buf_free(&h->answer);
    }
    handshake_redact(h, a->words);
    return step;
}

/* Where it redirects to, whole and as it may be shown. */
static void resolve(const struct handshake *h, const char *location, char shown[HANDSHAKE_SHOWN])
{
    CURLU *u = curl_url();
    char *whole = NULL;

    shown[0] = '\0';
    if (location[0] != '\0' && u != NULL &&
        curl_url_set(u, CURLUPART_URL, h->url, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, location, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &whole, 0) == CURLUE_OK)
        http_error_url(shown, HANDSHAKE_SHOWN, whole);
    curl_free(whole);
    curl_url_cleanup(u);
}

void handshake_describe(const struct handshake *h, enum upgrade_step step,
                        const struct upgrade_answer *a, struct err *e)
{
    char location[HANDSHAKE_SHOWN];

    if (step == UPGRADE_INVALID)
        err_set(e, STATUS_FAILED, -EPROTO, "'%s' does not answer as a WebSocket server: %s",
                h->shown, a->why);
    else if (step == UPGRADE_TOO_LONG)
        err_set(e, STATUS_FAILED, -EMSGSIZE,
                "the header of the answer of '%s' is longer than %d bytes: is the address right?",
                h->shown, UPGRADE_MAX_HEAD);
    else if (step == UPGRADE_GARBAGE)
        http_error_transport(e, h->shown, CURLE_WEIRD_SERVER_REPLY, "", 0);
    else if (a->status / 100 == 2)
        err_set(e, STATUS_FAILED, -EPROTO,
                "'%s' answered HTTP %d and no WebSocket: check the address", h->shown, a->status);
    else {
        resolve(h, a->location, location);
        handshake_redact(h, location);
        http_error_status(e, h->shown, a->status, location, a->words, NULL);
    }
}
