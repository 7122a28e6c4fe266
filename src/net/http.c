#include "net/http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "net/http_error.h"
#include "util/buf.h"

enum {
    CONNECT_MS = 5000,
    IDLE_MS = 60000,
    MAX_BYTES = 16 << 20,
    MAX_HEADER_BYTES = 256 << 10,
    MAX_ERROR_BYTES = 64 << 10,
    MAX_REDIRECTS = 5,
    SHOWN_URL_BYTES = 200,
};

/* A socket of libcurl's that the loop watches. */
struct watch {
    uv_poll_t poll;
    struct http *h;
    curl_socket_t fd;
    struct watch *next, **at;
};

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t curl_timer, idle_timer;
    int open_handles; /* freed when both timers are closed */
    bool dead;
    bool starved; /* a socket could not be watched */
    struct http_call *calls;
    struct http_call *current; /* in its callback: not freed before that returns */
    struct watch *watches;
};

/* Why we ended a transfer ourselves. */
enum why { NOT_ENDED, UNWANTED, TOO_LONG, IDLE, NO_MEMORY, ENOUGH };

struct http_call {
    struct http *h;
    struct http_call *next, **at;
    CURL *easy;
    struct curl_slist *headers;
    char url[SHOWN_URL_BYTES];
    int (*data)(void *user, const char *bytes, size_t n);
    void (*done)(void *user, int code, int http_status, const char *body, size_t n,
                 const struct err *e);
    void *user;
    struct buf in; /* came in, but was not delivered yet */
    size_t max_bytes, bytes, header_bytes;
    curl_off_t moved;
    uint64_t stamp_ms; /* when the last byte moved */
    uint64_t patience_ms, connect_ms, idle_ms;
    long http_status;
    bool finished; /* done is due */
    bool gone;     /* cancelled from inside its own callback */
    enum why why;
    CURLcode result;
    char detail[CURL_ERROR_SIZE];
};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void moved(struct http_call *c)
{
    c->stamp_ms = now_ms();
}

/* The call's end: taken away from libcurl, then from the list, then freed. */

static void detach(struct http_call *c)
{
    if (c->easy == NULL)
        return;
    curl_multi_remove_handle(c->h->multi, c->easy);
    curl_easy_cleanup(c->easy);
    c->easy = NULL;
}

static void unlink_call(struct http_call *c)
{
    if (c->at == NULL)
        return;
    *c->at = c->next;
    if (c->next != NULL)
        c->next->at = c->at;
    c->at = NULL;
}

static void destroy(struct http_call *c)
{
    detach(c);
    unlink_call(c);
    curl_slist_free_all(c->headers);
    buf_free(&c->in);
    free(c);
}

void http_cancel(struct http_call *c)
{
    if (c->h->current != c) {
        destroy(c);
        return;
    }
    c->gone = true;
    detach(c);
    unlink_call(c);
}

/* What libcurl calls while it works. Nothing of ours runs from here: the user's callbacks come from
 * deliver, where everything may be called. */

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct http_call *c = user;
    size_t n = size * count;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->http_status);
    c->bytes += n;
    if (c->http_status / 100 != 2 && c->bytes > MAX_ERROR_BYTES)
        c->why = ENOUGH;
    else if (c->bytes > c->max_bytes)
        c->why = TOO_LONG;
    else
        buf_add(&c->in, bytes, n);
    if (buf_failed(&c->in))
        c->why = NO_MEMORY;
    moved(c);
    return c->why == NOT_ENDED ? n : 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *user)
{
    struct http_call *c = user;

    (void)bytes;
    c->header_bytes += size * count;
    if (c->header_bytes > MAX_HEADER_BYTES)
        c->why = TOO_LONG;
    moved(c);
    return c->why == NOT_ENDED ? size * count : 0;
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

/* Delivering. */

static bool wants_pieces(const struct http_call *c)
{
    return c->data != NULL && c->http_status / 100 == 2;
}

static struct http_call *next_due(struct http *h)
{
    struct http_call *c = h->calls;

    while (c != NULL && !c->finished && (c->in.len == 0 || !wants_pieces(c)))
        c = c->next;
    return c;
}

static void end_by_us(struct http_call *c, enum why why)
{
    c->why = why;
    c->finished = true;
    curl_multi_remove_handle(c->h->multi, c->easy);
}

static void give_piece(struct http_call *c)
{
    struct buf piece = c->in;
    int rc;

    c->in = (struct buf)BUF_INIT;
    rc = c->data(c->user, piece.data, piece.len);
    if (rc != 0 && !c->gone)
        end_by_us(c, UNWANTED);
    buf_free(&piece);
}

/* What the server echoes must not hold what we sent in confidence. */
static void redact(const struct http_call *c, char *s)
{
    for (const struct curl_slist *l = c->headers; l != NULL; l = l->next) {
        const char *value = strchr(l->data, ':');
        const char *word = value != NULL ? strrchr(value, ' ') : NULL;

        if (word != NULL && strncasecmp(l->data, "content-type:", 13) != 0)
            http_error_redact(s, word + 1);
    }
}

static int describe_status(struct http_call *c, struct err *e)
{
    char words[HTTP_ERROR_WORDS], location[SHOWN_URL_BYTES] = "";
    char *to = NULL;

    if (c->in.len > 0) {
        redact(c, c->in.data);
        c->in.len = strlen(c->in.data);
    }
    http_error_words(words, buf_str(&c->in), c->in.len);
    redact(c, words);
    if (c->http_status / 100 == 3 && c->easy != NULL)
        curl_easy_getinfo(c->easy, CURLINFO_REDIRECT_URL, &to);
    if (to != NULL)
        http_error_url(location, sizeof location, to);
    return http_error_status(e, c->url, (int)c->http_status, location, words);
}

/* Why the call ended, as code and message. */
static int judge(struct http_call *c, struct err *e)
{
    long os_errno = 0;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->http_status);
    curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &os_errno);
    switch (c->why) {
    case UNWANTED:
        return err_set(e, STATUS_FAILED, -ECANCELED, "the answer of '%s' was not read to its end",
                       c->url);
    case TOO_LONG:
        return err_set(e, STATUS_FAILED, -EMSGSIZE,
                       "the answer of '%s' is longer than %zu bytes: is the address right?", c->url,
                       c->max_bytes);
    case IDLE:
        return err_set(e, STATUS_NETWORK, -ETIMEDOUT,
                       "'%s' has sent nothing for %.0f s: it hangs or is overloaded; try again",
                       c->url, (double)c->patience_ms / 1000);
    case NO_MEMORY:
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory in a request to '%s'", c->url);
    case NOT_ENDED:
        if (c->result != CURLE_OK)
            return http_error_transport(e, c->url, c->result, c->detail, os_errno);
        break;
    case ENOUGH:
        break;
    }
    return c->http_status / 100 == 2 ? 0 : describe_status(c, e);
}

static void give_done(struct http_call *c)
{
    struct err e = {0};
    int code = judge(c, &e);

    detach(c);
    unlink_call(c);
    c->done(c->user, code, (int)c->http_status, buf_str(&c->in), c->in.len, code != 0 ? &e : NULL);
    c->gone = true;
}

static void deliver(struct http *h)
{
    struct http_call *c;

    while (!h->dead && (c = next_due(h)) != NULL) {
        h->current = c;
        if (c->in.len > 0 && wants_pieces(c))
            give_piece(c);
        else
            give_done(c);
        h->current = NULL;
        if (c->gone)
            destroy(c);
    }
}

/* Time limits. */

static void on_idle_timer(uv_timer_t *timer);

static void set_idle_timer(struct http *h)
{
    uint64_t now = now_ms(), first = UINT64_MAX;

    for (const struct http_call *c = h->calls; c != NULL; c = c->next) {
        uint64_t end = c->stamp_ms + c->patience_ms;
        if (!c->finished && end < first)
            first = end;
    }
    if (h->dead)
        return;
    if (first == UINT64_MAX)
        uv_timer_stop(&h->idle_timer);
    else
        uv_timer_start(&h->idle_timer, on_idle_timer, first > now ? first - now : 1, 0);
}

static void on_idle_timer(uv_timer_t *timer)
{
    struct http *h = timer->data;
    uint64_t now = now_ms();

    for (struct http_call *c = h->calls; c != NULL; c = c->next)
        if (!c->finished && now >= c->stamp_ms + c->patience_ms)
            end_by_us(c, IDLE);
    deliver(h);
    set_idle_timer(h);
}

/* libcurl on libuv. */

static void act(struct http *h, curl_socket_t fd, int flags)
{
    int running, left;
    CURLMsg *m;
    bool failed = curl_multi_socket_action(h->multi, fd, flags, &running) != CURLM_OK;

    while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
        struct http_call *c = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
        c->finished = true;
        c->result = m->data.result;
    }
    if (failed || h->starved)
        for (struct http_call *c = h->calls; c != NULL; c = c->next)
            if (!c->finished)
                end_by_us(c, NO_MEMORY);
    h->starved = false;
    deliver(h);
    set_idle_timer(h);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct watch *w = poll->data;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    act(w->h, w->fd, status < 0 ? CURL_CSELECT_ERR : flags);
}

static void on_curl_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_curl_timer(CURLM *multi, long ms, void *user)
{
    struct http *h = user;

    (void)multi;
    if (ms < 0)
        uv_timer_stop(&h->curl_timer);
    else
        uv_timer_start(&h->curl_timer, on_curl_timer, (uint64_t)ms, 0);
    return 0;
}

static void poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void unwatch(struct watch *w)
{
    *w->at = w->next;
    if (w->next != NULL)
        w->next->at = w->at;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, poll_closed);
}

static struct watch *watch_new(struct http *h, curl_socket_t fd)
{
    struct watch *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    if (uv_poll_init_socket(h->loop, &w->poll, fd) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->h = h;
    w->fd = fd;
    w->next = h->watches;
    w->at = &h->watches;
    if (w->next != NULL)
        w->next->at = &w->next;
    h->watches = w;
    return w;
}

static int set_watch(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned)
{
    struct http *h = user;
    struct watch *w = assigned;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL)
            unwatch(w);
        curl_multi_assign(h->multi, fd, NULL);
        return 0;
    }
    if (w == NULL)
        w = watch_new(h, fd);
    /* Told to act(), which ends the calls: an error from here would spoil the multi handle. */
    if (w == NULL || uv_poll_start(&w->poll, events, on_poll) != 0)
        h->starved = true;
    curl_multi_assign(h->multi, fd, w);
    return 0;
}

/* Starting a request. */

/* Headers that may be sent to wherever a redirect leads. */
static bool is_harmless(const char *header)
{
    static const char *const names[] = {"accept:", "range:", "if-range:", "user-agent:"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncasecmp(header, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static int add_header(struct http_call *c, const char *header)
{
    struct curl_slist *l = curl_slist_append(c->headers, header);

    if (l == NULL)
        return -ENOMEM;
    c->headers = l;
    return 0;
}

static int add_headers(struct http_call *c, const struct http_request *r, bool *harmless,
                       struct err *e)
{
    char type[256];
    int rc = 0;

    *harmless = true;
    for (size_t i = 0; r->headers != NULL && r->headers[i] != NULL && rc == 0; i++) {
        const char *header = r->headers[i];

        /* The value may be a secret: the message does not hold it. */
        if (strpbrk(header, "\r\n") != NULL || strchr(header, ':') == NULL)
            return err_set(e, STATUS_USAGE, -EINVAL,
                           "cannot send a request to '%s': header %zu has a line break or no colon",
                           c->url, i + 1);
        *harmless = *harmless && is_harmless(header);
        rc = add_header(c, header);
    }
    if (rc == 0 && r->body != NULL) {
        snprintf(type, sizeof type, "Content-Type: %s",
                 r->content_type != NULL ? r->content_type : "application/json");
        rc = add_header(c, type);
        /* Waiting for a "100 Continue" costs a second with servers that do not know it. */
        if (rc == 0)
            rc = add_header(c, "Expect:");
    }
    return rc < 0 ? err_set(e, STATUS_FAILED, rc, "out of memory in a request to '%s'", c->url) : 0;
}

/* Each returns nonzero when an option was refused. */

static unsigned set_callbacks(struct http_call *c)
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
    return bad;
}

static unsigned set_transport(struct http_call *c, const struct http_request *r)
{
    CURL *easy = c->easy;
    unsigned bad = 0;

    bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Without it, ending a call while its name is being resolved waits for the resolver. */
    bad |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_ms);
    bad |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "hullo/" HULLO_VERSION);
    bad |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, c->headers);
    bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(easy, CURLOPT_URL, r->url);
    return bad;
}

/* libcurl itself does not look at these variables, the curl program does. */
static unsigned set_trust(CURL *easy, const char *cacert)
{
    const char *dir = NULL;
    unsigned bad = 0;

    if (cacert == NULL && (cacert = getenv("CURL_CA_BUNDLE")) == NULL) {
        dir = getenv("SSL_CERT_DIR");
        cacert = getenv("SSL_CERT_FILE");
    }
    if (cacert != NULL && cacert[0] != '\0')
        bad |= curl_easy_setopt(easy, CURLOPT_CAINFO, cacert);
    if (dir != NULL && dir[0] != '\0')
        bad |= curl_easy_setopt(easy, CURLOPT_CAPATH, dir);
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

static bool is_http(const char *url)
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

static struct http_call *call_new(struct http *h, const struct http_request *r)
{
    struct http_call *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->h = h;
    c->data = r->data;
    c->done = r->done;
    c->user = r->user;
    c->max_bytes = r->max_bytes > 0 ? r->max_bytes : MAX_BYTES;
    c->connect_ms = r->connect_ms > 0 ? (uint64_t)r->connect_ms : CONNECT_MS;
    c->idle_ms = r->idle_ms > 0 ? (uint64_t)r->idle_ms : IDLE_MS;
    /* Until the connection stands libcurl keeps the time; this is the net below it. */
    c->patience_ms = c->connect_ms + c->idle_ms;
    http_error_url(c->url, sizeof c->url, r->url);
    return c;
}

static void link_call(struct http_call *c)
{
    struct http *h = c->h;

    c->next = h->calls;
    c->at = &h->calls;
    if (c->next != NULL)
        c->next->at = &c->next;
    h->calls = c;
}

int http_start(struct http_call **out, struct http *h, const struct http_request *r, struct err *e)
{
    struct http_call *c = call_new(h, r);
    bool follow;
    int rc;

    *out = NULL;
    if (c == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    if (!is_http(r->url)) {
        rc = err_set(e, STATUS_USAGE, -EINVAL,
                     "cannot use '%s': write an address such as http://localhost:8080", c->url);
        goto failed;
    }
    rc = add_headers(c, r, &follow, e);
    if (rc < 0)
        goto failed;
    c->easy = curl_easy_init();
    if (c->easy == NULL || set_callbacks(c) != 0 || set_transport(c, r) != 0 ||
        set_trust(c->easy, r->cacert) != 0 || set_method(c->easy, r, follow) != 0 ||
        curl_multi_add_handle(h->multi, c->easy) != CURLM_OK) {
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "cannot start a request to '%s': out of memory",
                     c->url);
        goto failed;
    }
    link_call(c);
    moved(c);
    set_idle_timer(h);
    *out = c;
    return 0;
failed:
    destroy(c);
    return rc;
}

/* The whole. */

static void timer_closed(uv_handle_t *handle)
{
    struct http *h = handle->data;

    if (--h->open_handles == 0)
        free(h);
}

int http_new(struct http **out, uv_loop_t *loop)
{
    struct http *h = calloc(1, sizeof *h);

    *out = NULL;
    if (h == NULL)
        return -ENOMEM;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(h);
        return -ENOMEM;
    }
    h->multi = curl_multi_init();
    if (h->multi == NULL) {
        curl_global_cleanup();
        free(h);
        return -ENOMEM;
    }
    h->loop = loop;
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, set_watch);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    uv_timer_init(loop, &h->curl_timer);
    uv_timer_init(loop, &h->idle_timer);
    h->curl_timer.data = h->idle_timer.data = h;
    h->open_handles = 2;
    *out = h;
    return 0;
}

void http_free(struct http *h)
{
    if (h == NULL)
        return;
    h->dead = true;
    while (h->calls != NULL)
        http_cancel(h->calls);
    /* The sockets are about to be closed: let go of them first. */
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, NULL);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, NULL);
    while (h->watches != NULL)
        unwatch(h->watches);
    curl_multi_cleanup(h->multi);
    curl_global_cleanup();
    uv_close((uv_handle_t *)&h->curl_timer, timer_closed);
    uv_close((uv_handle_t *)&h->idle_timer, timer_closed);
}
