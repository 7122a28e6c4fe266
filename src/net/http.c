#include "net/http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "net/http_call.h"
#include "net/multi.h"

struct http {
    struct multi *multi;
    uv_timer_t idle_timer; /* freed when it is closed */
    bool dead;
    struct http_call *calls;
    struct http_call *current; /* in its callback: not freed before that returns */
};

/* The call's end: taken away from libcurl, then from the list, then freed. */

static void detach(struct http_call *c)
{
    if (c->easy == NULL)
        return;
    curl_multi_remove_handle(multi_handle(c->h->multi), c->easy);
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
    curl_multi_remove_handle(multi_handle(c->h->multi), c->easy);
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

static void on_turn(void *user, bool failed)
{
    struct http *h = user;
    CURLcode result;
    CURL *easy;

    while ((easy = multi_done(h->multi, &result)) != NULL) {
        struct http_call *c = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &c);
        c->finished = true;
        c->result = result;
    }
    for (struct http_call *c = failed ? h->calls : NULL; c != NULL; c = c->next)
        if (!c->finished)
            end_by_us(c, HTTP_CALL_NO_MEMORY);
    deliver(h);
    set_idle_timer(h);
}

int http_start(struct http_call **out, struct http *h, const struct http_request *r, struct err *e)
{
    struct http_call *c;
    int rc = http_call_new(&c, r, e);

    *out = NULL;
    if (rc < 0)
        return rc;
    c->h = h;
    if (curl_multi_add_handle(multi_handle(h->multi), c->easy) != CURLM_OK) {
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
    free(handle->data);
}

int http_new(struct http **out, uv_loop_t *loop)
{
    struct http *h = calloc(1, sizeof *h);

    *out = NULL;
    if (h == NULL)
        return -ENOMEM;
    if (multi_new(&h->multi, loop, on_turn, h) < 0) {
        free(h);
        return -ENOMEM;
    }
    uv_timer_init(loop, &h->idle_timer);
    h->idle_timer.data = h;
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
    multi_free(h->multi);
    uv_close((uv_handle_t *)&h->idle_timer, timer_closed);
}
