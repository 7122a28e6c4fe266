#include "net/ws_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_error.h"
#include "util/clock.h"

enum { CONNECT_MS = 5000, CLOSE_MS = 2000, WORDS_MS = 1000, MAX_MESSAGE = 16 << 20 };

/* The end. */

static void stop(struct ws *w)
{
    uv_timer_stop(&w->deadline);
    uv_timer_stop(&w->watch);
    stream_free(w->stream);
    w->stream = NULL;
}

void ws_tell_closed(struct ws *w)
{
    stop(w);
    w->state = WS_OVER;
    w->how.error = &w->error;
    w->c.closed(w->c.user, &w->how);
}

void ws_end_as(struct ws *w, enum ws_end end, int code, int http_status)
{
    w->how.end = end;
    w->how.code = code;
    w->how.http_status = http_status;
    w->how.reason = w->reason;
}

void ws_break_off(struct ws *w)
{
    if (w->state == WS_CLOSING || w->state == WS_LEAVING)
        ws_end_as(w, w->state == WS_LEAVING ? w->how.end : WS_CLOSED,
                  w->state == WS_LEAVING ? w->how.code : 1006, 0);
    else
        ws_end_as(w, WS_BROKEN, 0, 0);
    ws_tell_closed(w);
}

static void on_deadline(uv_timer_t *timer);

void ws_leave(struct ws *w)
{
    w->state = WS_LEAVING;
    if (stream_waiting(w->stream) == 0)
        ws_tell_closed(w);
    else
        uv_timer_start(&w->deadline, on_deadline, CLOSE_MS, 0);
}

void ws_send_close(struct ws *w, int code, const char *reason)
{
    /* Out of memory, it goes without a word. */
    (void)frames_write_close(w->frames, stream_out(w->stream), code, reason);
    stream_flush(w->stream);
}

void ws_answer_soon(struct ws *w)
{
    if (uv_timer_get_due_in(&w->deadline) > WORDS_MS)
        uv_timer_start(&w->deadline, on_deadline, WORDS_MS, 0);
}

static void watch_again(struct ws *w);

void ws_open_up(struct ws *w)
{
    uv_timer_stop(&w->deadline);
    w->state = WS_OPEN;
    pulse_start(&w->pulse, w->pulse.interval_ms, w->pulse.patience_ms, clock_ns());
    watch_again(w);
    w->c.opened(w->c.user);
}

static void on_readable(void *user)
{
    ws_take_input(user);
}

static void on_drained(void *user)
{
    struct ws *w = user;

    if (w->state == WS_LEAVING) {
        if (stream_waiting(w->stream) == 0)
            ws_tell_closed(w);
        return;
    }
    if (w->pong_due && w->state == WS_OPEN)
        ws_send_pong(w, w->pong, w->pong_n);
    if (w->c.drained != NULL && w->state == WS_OPEN)
        w->c.drained(w->c.user);
}

static void on_broken(void *user, const struct err *why)
{
    struct ws *w = user;

    ws_take_end(w, why);
}

static void on_ready(void *user)
{
    struct ws *w = user;

    if (w->state != WS_CONNECTING)
        return;
    w->state = WS_ASKING;
    handshake_request(&w->handshake, stream_out(w->stream));
    if (buf_failed(stream_out(w->stream))) {
        err_set(&w->error, STATUS_FAILED, -ENOMEM, "out of memory in a connection to '%s'",
                w->handshake.shown);
        ws_break_off(w);
        return;
    }
    stream_flush(w->stream);
}

/* Time. */

static void on_deadline(uv_timer_t *timer)
{
    struct ws *w = timer->data;

    if (w->state == WS_CONNECTING)
        http_error_transport(&w->error, w->handshake.shown, CURLE_OPERATION_TIMEDOUT, "", 0);
    else if (w->state == WS_ASKING && w->handshake.answer.len > 0 && ws_take_answer(w, true))
        return;
    else if (w->state == WS_ASKING)
        err_set(&w->error, STATUS_NETWORK, -ETIMEDOUT,
                "'%s' did not answer in time: it hangs or is overloaded; try again",
                w->handshake.shown);
    else if (w->state == WS_CLOSING)
        err_set(&w->error, STATUS_FAILED, -ETIMEDOUT,
                "'%s' did not answer that the connection is to be closed", w->handshake.shown);
    ws_break_off(w);
}

static void ping(struct ws *w, int64_t now)
{
    char text[PULSE_PING];
    size_t n = pulse_ping(&w->pulse, now, text);

    (void)frames_write(w->frames, stream_out(w->stream), FRAMES_PING, text, n);
    stream_flush(w->stream);
}

static void on_watch(uv_timer_t *timer)
{
    struct ws *w = timer->data;
    int64_t now;

    /* Where the loop was late, the server need not have been. */
    if (pulse_silent(&w->pulse, clock_ns()))
        ws_take_input(w);
    if (w->dead || w->state != WS_OPEN)
        return;
    now = clock_ns();
    if (pulse_silent(&w->pulse, now)) {
        err_set(&w->error, STATUS_NETWORK, -ETIMEDOUT,
                "nothing has come from '%s' for %.1f s: the connection is dead", w->handshake.shown,
                w->pulse.patience_ms / 1000.0);
        ws_break_off(w);
        return;
    }
    if (pulse_wants_ping(&w->pulse, now))
        ping(w, now);
    watch_again(w);
}

static void watch_again(struct ws *w)
{
    int64_t due = pulse_due_ns(&w->pulse), now = clock_ns();

    if (w->state != WS_OPEN)
        return;
    if (due == INT64_MAX)
        uv_timer_stop(&w->watch);
    else /* rounded up: not before it is due */
        uv_timer_start(&w->watch, on_watch,
                       due > now ? (uint64_t)(due - now + 999999) / 1000000 : 1, 0);
}

void ws_watch(struct ws *w, int interval_ms, int patience_ms)
{
    pulse_start(&w->pulse, interval_ms, patience_ms, clock_ns());
    watch_again(w);
}

double ws_rtt_ms(const struct ws *w)
{
    return w->pulse.rtt_ms;
}

/* What the owner calls. */

static int send_message(struct ws *w, enum frames_kind kind, const char *bytes, size_t n)
{
    int rc;

    if (w->state != WS_OPEN)
        return -ENOTCONN;
    rc = frames_write(w->frames, stream_out(w->stream), kind, bytes, n);
    if (rc == 0)
        stream_flush(w->stream);
    return rc;
}

int ws_send(struct ws *w, const char *text, size_t n)
{
    return send_message(w, FRAMES_TEXT, text, n);
}

int ws_send_binary(struct ws *w, const char *bytes, size_t n)
{
    return send_message(w, FRAMES_BINARY, bytes, n);
}

size_t ws_waiting(const struct ws *w)
{
    return w->stream != NULL ? stream_waiting(w->stream) : 0;
}

void ws_close(struct ws *w, int code, const char *reason)
{
    uint64_t wait_ms = CLOSE_MS;

    if (w->state > WS_OPEN)
        return;
    err_set(&w->error, STATUS_FAILED, -ECONNABORTED, "the connection to '%s' was given up",
            w->handshake.shown);
    if (w->state == WS_OPEN) {
        ws_send_close(w, code, reason);
        w->state = WS_CLOSING;
        uv_timer_stop(&w->watch);
    } else {
        ws_end_as(w, WS_CLOSED, 1006, 0);
        w->state = WS_LEAVING;
        wait_ms = 0;
    }
    uv_timer_start(&w->deadline, on_deadline, wait_ms, 0);
}

/* Beginning and end. */

static void handle_closed(uv_handle_t *handle)
{
    struct ws *w = handle->data;

    if (--w->handles > 0)
        return;
    frames_free(w->frames);
    handshake_free(&w->handshake);
    free(w);
}

void ws_free(struct ws *w)
{
    if (w == NULL)
        return;
    w->dead = true;
    stop(w);
    uv_close((uv_handle_t *)&w->deadline, handle_closed);
    uv_close((uv_handle_t *)&w->watch, handle_closed);
}

static int begin(struct ws *w, const struct ws_config *config)
{
    const struct stream_config stream = {
        .loop = config->loop,
        .url = w->handshake.url,
        .shown = w->handshake.shown,
        .cacert = config->cacert,
        .ready = on_ready,
        .readable = on_readable,
        .drained = on_drained,
        .broken = on_broken,
        .user = w,
    };
    int ms = config->connect_ms > 0 ? config->connect_ms : CONNECT_MS;

    uv_timer_start(&w->deadline, on_deadline, (uint64_t)ms, 0);
    return stream_open(&w->stream, &stream);
}

int ws_open(struct ws **out, const struct ws_config *config, struct err *e)
{
    struct ws *w = calloc(1, sizeof *w);
    struct err own = {0};
    int rc;

    *out = NULL;
    if (w == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    w->c = *config;
    w->c.url = w->c.cacert = NULL;
    w->c.headers = NULL;
    if (w->c.max_message == 0)
        w->c.max_message = MAX_MESSAGE;
    w->pulse.rtt_ms = -1;
    w->taken = true;
    w->how.retry_after_s = -1;
    uv_timer_init(config->loop, &w->deadline);
    uv_timer_init(config->loop, &w->watch);
    w->deadline.data = w->watch.data = w;
    w->handles = 2;
    rc = handshake_init(&w->handshake, config->url, config->headers, &own);
    if (rc == 0)
        rc = frames_new(&w->frames, w->c.max_message);
    if (rc == 0)
        rc = begin(w, config);
    if (rc == 0) {
        *out = w;
        return 0;
    }
    if (own.code == 0)
        err_set(&own, STATUS_FAILED, rc, "out of memory in a connection to '%s'",
                w->handshake.shown);
    if (e != NULL)
        *e = own;
    ws_free(w);
    return rc;
}
