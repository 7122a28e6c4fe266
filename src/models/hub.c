#include "models/hub.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/buf.h"
#include "util/clock.h"

enum {
    ANSWER_WITHIN_MS = 3000,
    POLL_MS = 100,
    MOVES_BYTES = 1 << 20,
    STALL_SECONDS = 20, /* without a byte: the connection is taken as broken */
};

struct transfer {
    struct fetch *x;
    const struct file *f;
    struct partial *p;
    CURL *curl;
    uint64_t start;       /* bytes that were there before this request */
    uint64_t range_start; /* of a 206 answer */
    bool body;            /* something of the body has come */
    int rc;               /* why the body was refused */
    struct err *e;
};

bool hub_usable(const struct models *m)
{
    return !atomic_load(&m->hub->down);
}

static const char *endpoint(void)
{
    const char *env = getenv("HF_ENDPOINT");

    return env != NULL && env[0] != '\0' ? env : "https://huggingface.co";
}

static size_t on_header(char *line, size_t one, size_t n, void *user)
{
    static const char name[] = "content-range: bytes ";
    struct transfer *t = user;
    char number[32];
    size_t k = sizeof name - 1;

    atomic_store(&t->x->m->hub->answered, true);
    if (n > k && strncasecmp(line, name, k) == 0) {
        size_t digits = n - k < sizeof number - 1 ? n - k : sizeof number - 1;
        memcpy(number, line + k, digits);
        number[digits] = '\0';
        t->range_start = strtoull(number, NULL, 10);
    }
    return one * n;
}

/* Looks at the answer before its first byte is kept. */
static int begin_body(struct transfer *t)
{
    long code = 0;

    t->body = true;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    if (code == 206 && t->range_start == t->p->bytes)
        return 0;
    if (code == 200)
        return t->p->bytes > 0 ? partial_cut(t->p, 0, t->e) : 0;
    return err_set(t->e, STATUS_NETWORK, -EPROTO, "the model hub answered something else than '%s'",
                   t->f->name);
}

static size_t on_body(char *data, size_t one, size_t n, void *user)
{
    struct transfer *t = user;

    if (!t->body)
        t->rc = begin_body(t);
    if (t->rc == 0 && n > t->f->bytes - t->p->bytes)
        t->rc = err_set(t->e, STATUS_NETWORK, -EBADMSG,
                        "the model hub's '%s' is longer than it should be", t->f->name);
    if (t->rc == 0)
        t->rc = partial_add(t->p, data, one * n, t->e);
    return t->rc == 0 ? one * n : 0;
}

static void set_protocols(CURL *c, bool tls_only)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    const char *allowed = tls_only ? "https" : "http,https";
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, allowed);
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, allowed);
#else
    long allowed = tls_only ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS;
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, allowed);
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS, allowed);
#endif
}

/* How long to wait for the first answer, until which nobody knows whether there is a hub at all. */
static int answer_within_ms(const struct models *m)
{
    int64_t since = atomic_load(&m->hub->since_ns);
    double left = ANSWER_WITHIN_MS - clock_ms_since(since);

    return left > 1 ? (int)left : 1;
}

static int set_up(struct transfer *t, const char *url)
{
    CURL *c = t->curl;
    char range[32];

    curl_easy_setopt(c, CURLOPT_URL, url);
    set_protocols(c, strncasecmp(url, "https:", 6) == 0);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "hullo/" HULLO_VERSION);
    /* What a proxy says is not an answer of the hub. */
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(atomic_load(&t->x->m->hub->answered) ? ANSWER_WITHIN_MS
                                                                 : answer_within_ms(t->x->m)));
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    if (t->start > 0) {
        snprintf(range, sizeof range, "%llu-", (unsigned long long)t->start);
        curl_easy_setopt(c, CURLOPT_RANGE, range);
    }
    return curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK ? 0 : -ENOMEM;
}

/* Moves the transfer on until it ends, is cancelled, or has had no answer for too long. */
static CURLcode drive(struct transfer *t, CURLM *multi)
{
    struct hub_state *hub = t->x->m->hub;
    int running = 1, queued;
    CURLMsg *message;

    while (running) {
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return CURLE_FAILED_INIT;
        fetch_tell(t->x, t->p->bytes > t->start ? t->p->bytes - t->start : 0);
        if (fetch_cancelled(t->x))
            return CURLE_ABORTED_BY_CALLBACK;
        if (!atomic_load(&hub->answered) && answer_within_ms(t->x->m) <= 1)
            return CURLE_OPERATION_TIMEDOUT;
        if (running)
            curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
    }
    message = curl_multi_info_read(multi, &queued);
    return message != NULL ? message->data.result : CURLE_FAILED_INIT;
}

static bool is_passing(long code)
{
    return code == 408 || code == 416 || code == 425 || code == 429 || code >= 500;
}

static int refused(struct transfer *t, long code)
{
    /* What we have is no prefix of what the hub has. */
    if (code == 416 && partial_cut(t->p, 0, t->e) < 0)
        return t->e != NULL ? t->e->code : -EIO;
    return err_set(t->e, STATUS_NETWORK, is_passing(code) ? -EPROTO : -ENOENT,
                   "cannot fetch '%s' from the model hub at '%s': it answers %ld", t->f->name,
                   endpoint(), code);
}

static bool is_silence(const struct transfer *t, CURLcode result)
{
    return !atomic_load(&t->x->m->hub->answered) || result == CURLE_COULDNT_RESOLVE_HOST ||
           result == CURLE_COULDNT_RESOLVE_PROXY || result == CURLE_COULDNT_CONNECT;
}

static int conclude(struct transfer *t, CURLcode result)
{
    long code = 0;

    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    if (t->rc < 0)
        return t->rc;
    if (result == CURLE_ABORTED_BY_CALLBACK)
        return fetch_interrupted(t->e);
    if (is_silence(t, result))
        return err_set(t->e, STATUS_NETWORK, -ENETUNREACH,
                       "cannot fetch '%s': the model hub at '%s' does not answer (%s); check the "
                       "network, https_proxy and HF_ENDPOINT",
                       t->f->name, endpoint(), curl_easy_strerror(result));
    if (result == CURLE_HTTP_RETURNED_ERROR)
        return refused(t, code);
    if (result == CURLE_OK && t->p->bytes == t->f->bytes)
        return 0;
    return err_set(t->e, STATUS_NETWORK, -EPROTO, "cannot fetch '%s' from the model hub: %s",
                   t->f->name,
                   result == CURLE_OK ? "it sent too little" : curl_easy_strerror(result));
}

static int attempt(struct transfer *t, const char *url)
{
    CURLM *multi = curl_multi_init();
    int rc;

    t->curl = curl_easy_init();
    t->start = t->p->bytes;
    t->range_start = 0;
    t->body = false;
    t->rc = 0;
    if (multi == NULL || t->curl == NULL || set_up(t, url) < 0 ||
        curl_multi_add_handle(multi, t->curl) != CURLM_OK) {
        rc = err_set(t->e, STATUS_FAILED, -ENOMEM, "out of memory");
    } else {
        rc = conclude(t, drive(t, multi));
        curl_multi_remove_handle(multi, t->curl);
    }
    if (t->p->bytes > t->start)
        t->x->done += t->p->bytes - t->start;
    curl_easy_cleanup(t->curl);
    curl_multi_cleanup(multi);
    return rc;
}

static int make_url(char **out, const struct source *s)
{
    struct buf b = BUF_INIT;
    size_t n = strlen(endpoint());

    while (n > 0 && endpoint()[n - 1] == '/')
        n--;
    buf_add(&b, endpoint(), n);
    buf_addf(&b, "/%s/resolve/%s/%s", s->hub, s->revision, s->path);
    *out = b.data;
    return buf_failed(&b) ? -ENOMEM : 0;
}

int hub_fetch(struct fetch *x, const struct source *s, const struct file *f, struct partial *p,
              struct err *e)
{
    struct transfer t = {.x = x, .f = f, .p = p, .e = e};
    char *url;
    int64_t none = 0;
    int rc = -ENETUNREACH;

    if (p->bytes == f->bytes)
        return 0;
    if (make_url(&url, s) < 0) {
        free(url);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    atomic_compare_exchange_strong(&x->m->hub->since_ns, &none, clock_ns());
    for (int i = 0; i < FETCH_ATTEMPTS; i++) {
        uint64_t had = p->bytes;
        rc = fetch_back_off(x, i, e);
        if (rc == 0)
            rc = attempt(&t, url);
        if (rc != -EPROTO && rc != -ENETUNREACH)
            break;
        log_debug(x->m->log, "%s", e->text);
        if (p->bytes >= had + MOVES_BYTES)
            i = 0; /* it moves: only failures in a row count */
        if (!atomic_load(&x->m->hub->answered) && answer_within_ms(x->m) <= 1)
            break;
    }
    if (rc == -ENETUNREACH)
        atomic_store(&x->m->hub->down, true);
    free(url);
    return rc;
}
