#include "net/http_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/easy.h"
#include "net/http_error.h"

enum {
    CONNECT_MS = 5000,
    IDLE_MS = 60000,
    MAX_BYTES = 16 << 20,
    MAX_HEADER_BYTES = 256 << 10,
    MAX_ERROR_BYTES = 64 << 10,
    MAX_REDIRECTS = 5,
};

uint64_t http_call_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void moved(struct http_call *c)
{
    c->stamp_ms = http_call_now_ms();
}

/* What libcurl calls while it works. */

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct http_call *c = user;
    size_t n = size * count;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->http_status);
    c->bytes += n;
    if (c->http_status / 100 != 2 && c->bytes > MAX_ERROR_BYTES)
        c->why = HTTP_CALL_ENOUGH;
    else if (c->bytes > c->max_bytes)
        c->why = HTTP_CALL_TOO_LONG;
    else
        buf_add(&c->in, bytes, n);
    if (buf_failed(&c->in))
        c->why = HTTP_CALL_NO_MEMORY;
    moved(c);
    return c->why == HTTP_CALL_NOT_ENDED ? n : 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *user)
{
    struct http_call *c = user;

    (void)bytes;
    c->header_bytes += size * count;
    if (c->header_bytes > MAX_HEADER_BYTES)
        c->why = HTTP_CALL_TOO_LONG;
    moved(c);
    return c->why == HTTP_CALL_NOT_ENDED ? size * count : 0;
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct http_call *c = user;

    (void)down_total;
    (void)up_total;
    if (down + up != c->moved)
        moved(c);
    c->moved = down + up;
    return 0;
}

/* Connected (or an old connection taken): from here on only silence is timed. */
static int on_request(void *user, char *remote, char *local, int remote_port, int local_port)
{
    struct http_call *c = user;

    (void)remote, (void)local, (void)remote_port, (void)local_port;
    c->patience_ms = c->idle_ms;
    moved(c);
    return CURL_PREREQFUNC_OK;
}

/* The end. */

bool http_call_wants_pieces(const struct http_call *c)
{
    return c->data != NULL && c->http_status / 100 == 2;
}

static int describe_status(struct http_call *c, struct err *e)
{
    char words[HTTP_ERROR_WORDS], location[HTTP_CALL_SHOWN_URL] = "";
    char *to = NULL;

    if (c->in.len > 0) {
        easy_redact(c->headers, c->in.data);
        c->in.len = strlen(c->in.data);
    }
    http_error_words(words, buf_str(&c->in), c->in.len);
    easy_redact(c->headers, words);
    if (c->http_status / 100 == 3 && c->easy != NULL)
        curl_easy_getinfo(c->easy, CURLINFO_REDIRECT_URL, &to);
    if (to != NULL)
        http_error_url(location, sizeof location, to);
    return http_error_status(e, c->url, (int)c->http_status, location, words, "HULLO_API_KEY");
}

/* Why the call ended, as code and message. */
int http_call_judge(struct http_call *c, struct err *e)
{
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->http_status);
    switch (c->why) {
    case HTTP_CALL_UNWANTED:
        return err_set(e, STATUS_FAILED, -ECANCELED, "the answer of '%s' was not read to its end",
                       c->url);
    case HTTP_CALL_TOO_LONG:
        return err_set(e, STATUS_FAILED, -EMSGSIZE,
                       "the answer of '%s' is longer than %zu bytes: is the address right?", c->url,
                       c->max_bytes);
    case HTTP_CALL_IDLE:
        return err_set(e, STATUS_NETWORK, -ETIMEDOUT,
                       "'%s' has sent nothing for %.0f s: it hangs or is overloaded; try again",
                       c->url, (double)c->patience_ms / 1000);
    case HTTP_CALL_NO_MEMORY:
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory in a request to '%s'", c->url);
    case HTTP_CALL_NOT_ENDED:
        if (c->result != CURLE_OK)
            return easy_judge(e, c->easy, c->url, c->result, c->detail);
        break;
    case HTTP_CALL_ENOUGH:
        break;
    }
    return c->http_status / 100 == 2 ? 0 : describe_status(c, e);
}

/* The beginning. */

/* Headers that may be sent to wherever a redirect leads. */
static bool is_harmless(const char *header)
{
    static const char *const names[] = {"accept:", "range:", "if-range:", "user-agent:"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncasecmp(header, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* Those of the body come last. */
static int add_headers(struct http_call *c, const struct http_request *r, bool *harmless,
                       struct err *e)
{
    char type[256];
    /* Waiting for a "100 Continue" costs a second with servers that do not know it. */
    const char *body[] = {type, "Expect:", NULL};
    int rc = easy_headers(&c->headers, r->headers, c->url, e);

    *harmless = true;
    for (const struct curl_slist *l = c->headers; l != NULL; l = l->next)
        *harmless = *harmless && is_harmless(l->data);
    snprintf(type, sizeof type, "Content-Type: %s",
             r->content_type != NULL ? r->content_type : "application/json");
    if (rc == 0 && r->body != NULL)
        rc = easy_headers(&c->headers, body, c->url, e);
    return rc;
}

/* Each returns nonzero when an option was refused. */

static unsigned set_call(struct http_call *c)
{
    CURL *easy = c->easy;
    unsigned bad = 0;

    bad |= curl_easy_setopt(easy, CURLOPT_PRIVATE, c);
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
    bad |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    bad |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, c);
    bad |= curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    bad |= curl_easy_setopt(easy, CURLOPT_XFERINFODATA, c);
    bad |= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    bad |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
    bad |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, c);
    bad |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->detail);
    bad |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_ms);
    bad |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, c->headers);
    return bad;
}

static unsigned set_method(CURL *easy, const struct http_request *r, bool follow)
{
    bool tls = strncasecmp(r->url, "https:", 6) == 0;
    unsigned bad = 0;

    if (r->body != NULL) {
        bad |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
        bad |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->length);
        bad |= curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, r->body);
    } else if (follow) {
        bad |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        bad |= curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
        bad |= curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
    }
    return bad;
}

static void fill_in(struct http_call *c, const struct http_request *r)
{
    c->data = r->data;
    c->done = r->done;
    c->user = r->user;
    c->max_bytes = r->max_bytes > 0 ? r->max_bytes : MAX_BYTES;
    c->connect_ms = r->connect_ms > 0 ? (uint64_t)r->connect_ms : CONNECT_MS;
    c->idle_ms = r->idle_ms > 0 ? (uint64_t)r->idle_ms : IDLE_MS;
    /* Until the connection stands libcurl keeps the time; this is the net below it. */
    c->patience_ms = c->connect_ms + c->idle_ms;
    moved(c);
    http_error_url(c->url, sizeof c->url, r->url);
}

int http_call_new(struct http_call **out, const struct http_request *r, struct err *e)
{
    struct http_call *c = calloc(1, sizeof *c);
    bool follow;
    int rc;

    *out = NULL;
    if (c == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    fill_in(c, r);
    if (!easy_is_http(r->url)) {
        rc = err_set(e, STATUS_USAGE, -EINVAL,
                     "cannot use '%s': write an address such as http://localhost:8080", c->url);
        goto failed;
    }
    rc = add_headers(c, r, &follow, e);
    if (rc < 0)
        goto failed;
    c->easy = curl_easy_init();
    if (c->easy == NULL || set_call(c) != 0 || easy_set_transport(c->easy, r->url) != 0 ||
        easy_set_trust(c->easy, r->cacert) != 0 || set_method(c->easy, r, follow) != 0) {
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "cannot start a request to '%s': out of memory",
                     c->url);
        goto failed;
    }
    *out = c;
    return 0;
failed:
    http_call_free(c);
    return rc;
}

void http_call_free(struct http_call *c)
{
    if (c->easy != NULL)
        curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    buf_free(&c->in);
    free(c);
}
