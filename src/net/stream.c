#include "net/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "net/easy.h"
#include "net/http_error.h"
#include "net/multi.h"

enum { MAX_WRITE = 64 << 10 };

struct stream {
    struct stream_config c;
    struct multi *multi;
    CURL *easy; /* stays in multi: taken out, its connection is closed */
    uv_poll_t poll;
    uv_idle_t idle; /* runs while there is something to tell */
    int handles;    /* open ones */
    bool connected, dead;
    bool again, drain_due, write_failed;
    int watched; /* events */
    /* TLS wants the very same bytes again when it did not take them: what is being sent stays where
     * it is, and what comes meanwhile waits in next. */
    struct buf block, next;
    size_t sent; /* of block */
    size_t peak; /* the most that waited since drained came last */
    struct err why;
    char detail[CURL_ERROR_SIZE];
};

static void on_idle(uv_idle_t *idle);

static void tell_later(struct stream *s)
{
    if (!s->dead)
        uv_idle_start(&s->idle, on_idle);
}

/* Writing. */

size_t stream_waiting(const struct stream *s)
{
    return s->block.len - s->sent + s->next.len;
}

struct buf *stream_out(struct stream *s)
{
    return &s->next;
}

static void note_drained(struct stream *s)
{
    size_t waiting = stream_waiting(s);

    if (waiting > s->peak)
        s->peak = waiting;
    if (s->peak == 0 || (waiting > 0 && waiting > s->peak / 2))
        return;
    s->peak = waiting;
    s->drain_due = true;
    tell_later(s);
}

static void fail(struct stream *s, CURLcode rc)
{
    const char *detail = s->detail[0] != '\0' ? s->detail : curl_easy_strerror(rc);

    err_set(&s->why, STATUS_NETWORK, -ECONNRESET, "the connection to '%s' broke: %s", s->c.shown,
            detail);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct stream *s, int events)
{
    if (events == s->watched || !s->connected || s->dead)
        return;
    s->watched = events;
    uv_poll_start(&s->poll, events, on_poll);
}

static bool next_block(struct stream *s)
{
    struct buf empty = s->block;

    if (s->sent < s->block.len)
        return true;
    s->block = s->next;
    s->next = empty;
    buf_clear(&s->next);
    s->sent = 0;
    return s->block.len > 0;
}

static CURLcode write_blocks(struct stream *s)
{
    CURLcode rc = CURLE_OK;

    while (rc == CURLE_OK && next_block(s)) {
        size_t left = s->block.len - s->sent, n = 0;

        rc = curl_easy_send(s->easy, s->block.data + s->sent, left < MAX_WRITE ? left : MAX_WRITE,
                            &n);
        s->sent += rc == CURLE_OK ? n : 0;
    }
    return rc;
}

void stream_flush(struct stream *s)
{
    CURLcode rc;

    if (!s->connected || s->write_failed || s->dead)
        return;
    rc = write_blocks(s);
    if (rc != CURLE_OK && rc != CURLE_AGAIN) {
        fail(s, rc);
        s->write_failed = true;
        tell_later(s);
    }
    watch(s, UV_READABLE | (rc == CURLE_AGAIN ? UV_WRITABLE : 0));
    note_drained(s);
}

/* Reading. */

ssize_t stream_read(struct stream *s, char *bytes, size_t n, struct err *e)
{
    size_t got = 0;
    CURLcode rc = curl_easy_recv(s->easy, bytes, n, &got);

    if (rc == CURLE_OK)
        return (ssize_t)got;
    if (rc == CURLE_AGAIN)
        return -EAGAIN;
    fail(s, rc);
    *e = s->why;
    return e->code;
}

void stream_again(struct stream *s)
{
    s->again = true;
    tell_later(s);
}

/* What the loop calls. */

/* Also after a write that failed: the server may have said why before it went. */
static void tell_readable(struct stream *s)
{
    s->again = false;
    s->c.readable(s->c.user);
    if (!s->dead && !s->again && s->write_failed)
        s->c.broken(s->c.user, &s->why);
}

static void tell_drained(struct stream *s)
{
    if (!s->drain_due)
        return;
    s->drain_due = false;
    s->c.drained(s->c.user);
}

static void on_idle(uv_idle_t *idle)
{
    struct stream *s = idle->data;

    uv_idle_stop(idle);
    tell_drained(s);
    if (!s->dead && (s->again || s->write_failed))
        tell_readable(s);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *s = poll->data;

    /* libuv has stopped watching a socket in error. Reading tells which. */
    if (status < 0) {
        events = UV_READABLE;
        s->watched = 0;
        watch(s, UV_READABLE);
    }
    if (events & UV_WRITABLE)
        stream_flush(s);
    if ((events & UV_READABLE) && !s->again && !s->write_failed)
        tell_readable(s);
}

/* Connecting. */

static void take_socket(struct stream *s)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD || uv_poll_init_socket(s->c.loop, &s->poll, fd) != 0) {
        err_set(&s->why, STATUS_FAILED, -ENOMEM, "out of memory in a connection to '%s'",
                s->c.shown);
        s->c.broken(s->c.user, &s->why);
        return;
    }
    s->poll.data = s;
    s->handles++;
    s->connected = true;
    watch(s, UV_READABLE);
    s->c.ready(s->c.user);
}

static void on_turn(void *user, bool failed)
{
    struct stream *s = user;
    CURLcode result = CURLE_OK;
    bool done = multi_done(s->multi, &result) != NULL;

    if (s->connected || (!done && !failed))
        return;
    if (done && result == CURLE_OK) {
        take_socket(s);
        return;
    }
    easy_judge(&s->why, s->easy, s->c.shown, done ? result : CURLE_OUT_OF_MEMORY, s->detail);
    s->c.broken(s->c.user, &s->why);
}

/* Returns nonzero when an option was refused. */
static unsigned set_options(struct stream *s)
{
    unsigned bad = 0;

    bad |= easy_set_transport(s->easy, s->c.url);
    bad |= easy_set_trust(s->easy, s->c.cacert);
    bad |= curl_easy_setopt(s->easy, CURLOPT_ERRORBUFFER, s->detail);
    bad |= curl_easy_setopt(s->easy, CURLOPT_CONNECT_ONLY, 1L);
    /* Else TLS agrees on HTTP/2. */
    bad |= curl_easy_setopt(s->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    /* Else a proxy is sent a request of its own where there is no TLS. */
    bad |= curl_easy_setopt(s->easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    bad |= curl_easy_setopt(s->easy, CURLOPT_TCP_NODELAY, 1L);
    bad |= curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS, 0L + INT32_MAX);
    return bad;
}

int stream_open(struct stream **out, const struct stream_config *config)
{
    struct stream *s = calloc(1, sizeof *s);

    *out = NULL;
    if (s == NULL)
        return -ENOMEM;
    s->c = *config;
    uv_idle_init(config->loop, &s->idle);
    s->idle.data = s;
    s->handles = 1;
    s->easy = curl_easy_init();
    if (s->easy == NULL || set_options(s) != 0 ||
        multi_new(&s->multi, config->loop, on_turn, s) < 0 ||
        curl_multi_add_handle(multi_handle(s->multi), s->easy) != CURLM_OK) {
        stream_free(s);
        return -ENOMEM;
    }
    s->c.url = s->c.cacert = NULL;
    *out = s;
    return 0;
}

/* The end. */

static void handle_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;

    if (--s->handles > 0)
        return;
    buf_free(&s->block);
    buf_free(&s->next);
    free(s);
}

void stream_free(struct stream *s)
{
    if (s == NULL)
        return;
    s->dead = true;
    /* Before its descriptor is another one's. */
    if (s->connected)
        uv_close((uv_handle_t *)&s->poll, handle_closed);
    if (s->multi != NULL)
        curl_multi_remove_handle(multi_handle(s->multi), s->easy);
    if (s->easy != NULL)
        curl_easy_cleanup(s->easy);
    multi_free(s->multi);
    uv_close((uv_handle_t *)&s->idle, handle_closed);
}
