#include "net/http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "net/http_call.h"

/* A socket of libcurl's that the loop watches. */
struct watch {
    uv_poll_t poll;
    struct http *h;
    curl_socket_t fd;
    int events;
    struct watch *prev, *next;
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
    struct http *h = c->h;

    if (c->prev != NULL)
        c->prev->next = c->next;
    else if (h->calls == c)
        h->calls = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    c->prev = c->next = NULL;
}

static void destroy(struct http_call *c)
{
    detach(c);
    unlink_call(c);
    http_call_free(c);
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

/* Delivering. */

static struct http_call *next_due(struct http *h)
{
    struct http_call *c = h->calls;

    while (c != NULL && !c->finished && (c->in.len == 0 || !http_call_wants_pieces(c)))
        c = c->next;
    return c;
}

static void end_by_us(struct http_call *c, enum http_call_why why)
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
        end_by_us(c, HTTP_CALL_UNWANTED);
    buf_free(&piece);
}

static void give_done(struct http_call *c)
{
    struct err e = {0};
    int code = http_call_judge(c, &e);

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
        if (c->in.len > 0 && http_call_wants_pieces(c))
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
    uint64_t now = http_call_now_ms(), first = UINT64_MAX;

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
    uint64_t now = http_call_now_ms();

    for (struct http_call *c = h->calls; c != NULL; c = c->next)
        if (!c->finished && now >= c->stamp_ms + c->patience_ms)
            end_by_us(c, HTTP_CALL_IDLE);
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
                end_by_us(c, HTTP_CALL_NO_MEMORY);
    h->starved = false;
    deliver(h);
    set_idle_timer(h);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    /* libuv has stopped watching a socket in error. Reading and writing tell libcurl which error.
     */
    if (status < 0) {
        flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
        uv_poll_start(&w->poll, w->events, on_poll);
    }
    act(w->h, w->fd, flags);
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
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        w->h->watches = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
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
    if (w->next != NULL)
        w->next->prev = w;
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
    if (w != NULL)
        w->events = events;
    /* Told to act(), which ends the calls: an error from here would spoil the multi handle. */
    if (w == NULL || uv_poll_start(&w->poll, events, on_poll) != 0)
        h->starved = true;
    curl_multi_assign(h->multi, fd, w);
    return 0;
}

int http_start(struct http_call **out, struct http *h, const struct http_request *r, struct err *e)
{
    struct http_call *c;
    int rc = http_call_new(&c, r, e);

    *out = NULL;
    if (rc < 0)
        return rc;
    c->h = h;
    if (curl_multi_add_handle(h->multi, c->easy) != CURLM_OK) {
        http_call_free(c);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    c->next = h->calls;
    if (c->next != NULL)
        c->next->prev = c;
    h->calls = c;
    set_idle_timer(h);
    *out = c;
    return 0;
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
        http_cancel(h->calls); /* unlinks it. NOLINT(clang-analyzer-unix.Malloc) */
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
