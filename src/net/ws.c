#include "net/ws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/frames.h"
#include "net/handshake.h"
#include "net/http_error.h"
#include "net/pulse.h"
#include "net/stream.h"
#include "util/clock.h"
#include "util/text.h"

enum {
    CONNECT_MS = 5000,
    CLOSE_MS = 2000,
    WORDS_MS = 1000, /* for the rest of a refusal */
    MAX_MESSAGE = 16 << 20,
    REASON = 128,
    READ_BYTES = 16 << 10,
    MAX_PONG_BEHIND = 64 << 10,
    /* What one turn of the loop may be kept busy with. */
    MAX_READS = 8,
    MAX_EVENTS = 32,
};

enum state {
    CONNECTING,
    ASKING, /* the request is sent: its answer is to come */
    OPEN,
    CLOSING, /* we have sent a close frame, and wait for the server's */
    LEAVING, /* it is over; what is to be sent is being sent, what comes is dropped */
    OVER,    /* closed was told */
};

struct ws {
    struct ws_config c;
    struct stream *stream;
    struct frames *frames;
    uv_timer_t deadline, watch;
    int handles;
    bool dead;
    enum state state;

    struct handshake handshake;
    struct pulse pulse;

    char in[READ_BYTES]; /* what was read and not taken yet */
    const char *at;
    size_t left;
    bool taken; /* all of it; frames keeps some of it as well */

    char pong[125]; /* to be sent when what waits before it is gone */
    size_t pong_n;
    bool pong_due;

    struct ws_closed how;
    struct err error;
    char reason[REASON];
};

/* The end. */

static void stop(struct ws *w)
{
    uv_timer_stop(&w->deadline);
    uv_timer_stop(&w->watch);
    stream_free(w->stream);
    w->stream = NULL;
}

/* From the loop only; w may be gone afterwards. */
static void tell_closed(struct ws *w)
{
    stop(w);
    w->state = OVER;
    w->how.error = &w->error;
    w->c.closed(w->c.user, &w->how);
}

/* How it ends; w->error says why. */
static void end_as(struct ws *w, enum ws_end end, int code, int http_status)
{
    w->how.end = end;
    w->how.code = code;
    w->how.http_status = http_status;
    w->how.reason = w->reason;
}

static void break_off(struct ws *w)
{
    if (w->state == CLOSING || w->state == LEAVING)
        end_as(w, w->state == LEAVING ? w->how.end : WS_CLOSED,
               w->state == LEAVING ? w->how.code : 1006, 0);
    else
        end_as(w, WS_BROKEN, 0, 0);
    tell_closed(w);
}

static void on_deadline(uv_timer_t *timer);

/* It ends when what waits is sent, and after 2 s at the latest. */
static void leave(struct ws *w)
{
    w->state = LEAVING;
    if (stream_waiting(w->stream) == 0)
        tell_closed(w);
    else
        uv_timer_start(&w->deadline, on_deadline, CLOSE_MS, 0);
}

static void send_close(struct ws *w, int code, const char *reason)
{
    /* Out of memory, it goes without a word. */
    (void)frames_write_close(w->frames, stream_out(w->stream), code, reason);
    stream_flush(w->stream);
}

/* What comes. */

static void send_pong(struct ws *w, const char *bytes, size_t n)
{
    /* A server that pings without reading gets an answer to the last one only. */
    w->pong_due = stream_waiting(w->stream) >= MAX_PONG_BEHIND;
    if (!w->pong_due) {
        (void)frames_write(w->frames, stream_out(w->stream), FRAMES_PONG, bytes, n);
        stream_flush(w->stream);
    } else if (bytes != w->pong) {
        memcpy(w->pong, bytes, n);
        w->pong_n = n;
    }
}

static void describe_close(struct ws *w, int code)
{
    const char *asked = w->state == CLOSING ? "" : "by the server ";

    if (w->reason[0] != '\0')
        err_set(&w->error, STATUS_FAILED, -ECONNRESET,
                "the connection to '%s' was closed %s(code %d): \"%s\"", w->handshake.shown, asked,
                code, w->reason);
    else
        err_set(&w->error, STATUS_FAILED, -ECONNRESET,
                "the connection to '%s' was closed %s(code %d)", w->handshake.shown, asked, code);
}

static void take_close(struct ws *w, const struct frames_event *event)
{
    size_t n = event->n < REASON - 1 ? event->n : REASON - 1;

    memcpy(w->reason, event->bytes, n);
    w->reason[n] = '\0';
    handshake_redact(&w->handshake, w->reason);
    text_line(w->reason);
    describe_close(w, event->code);
    end_as(w, WS_CLOSED, event->code, 0);
    if (w->state == CLOSING) {
        tell_closed(w);
        return;
    }
    send_close(w, event->code, "");
    leave(w);
}

static void take_invalid(struct ws *w, const struct frames_event *event)
{
    err_set(&w->error, STATUS_FAILED, -EPROTO, "'%s' breaks the rules of WebSocket: %s",
            w->handshake.shown, event->why);
    if (w->state == CLOSING) {
        break_off(w);
        return;
    }
    end_as(w, WS_INVALID, 0, 0);
    send_close(w, event->code, "");
    leave(w);
}

static void take_event(struct ws *w, const struct frames_event *event)
{
    switch (event->kind) {
    case FRAMES_TEXT:
    case FRAMES_BINARY:
        w->c.message(w->c.user, event->bytes, event->n, event->kind == FRAMES_BINARY);
        break;
    case FRAMES_PING:
        if (w->state == OPEN)
            send_pong(w, event->bytes, event->n);
        break;
    case FRAMES_PONG:
        pulse_pong(&w->pulse, clock_ns(), event->bytes, event->n);
        break;
    case FRAMES_CLOSE:
        take_close(w, event);
        break;
    case FRAMES_INVALID:
        take_invalid(w, event);
        break;
    case FRAMES_FAILED:
        err_set(&w->error, STATUS_FAILED, -ENOMEM, "out of memory in a message from '%s'",
                w->handshake.shown);
        break_off(w);
        break;
    case FRAMES_NONE:
        break;
    }
}

/* The answer to the request. */

static void watch_again(struct ws *w);

static void open_up(struct ws *w)
{
    uv_timer_stop(&w->deadline);
    w->state = OPEN;
    pulse_start(&w->pulse, w->pulse.interval_ms, w->pulse.patience_ms, clock_ns());
    watch_again(w);
    w->c.opened(w->c.user);
}

/* Takes what was read; frames that rode along with the answer stay for the next step. ended:
 * nothing more will come. False when it is still not complete. */
static bool take_answer(struct ws *w, bool ended)
{
    struct upgrade_answer a;
    size_t used;
    enum upgrade_step step = handshake_take(&w->handshake, w->at, w->left, ended, &a, &used);

    w->at += used;
    w->left -= used;
    if (step == UPGRADE_OPEN) {
        open_up(w);
        return true;
    }
    w->taken = true;
    if (buf_failed(&w->handshake.answer)) {
        err_set(&w->error, STATUS_FAILED, -ENOMEM, "out of memory in an answer of '%s'",
                w->handshake.shown);
        break_off(w);
        return true;
    }
    if (step == UPGRADE_MORE) {
        if (a.head > 0 && uv_timer_get_due_in(&w->deadline) > WORDS_MS)
            uv_timer_start(&w->deadline, on_deadline, WORDS_MS, 0);
        return false;
    }
    handshake_describe(&w->handshake, step, &a, &w->error);
    w->how.retry_after_s = a.retry_after_s;
    end_as(w, WS_REFUSED, 0, a.status);
    tell_closed(w);
    return true;
}

/* Nothing more will come: the server has gone (why is none), or cannot be heard any more. */
static void take_end(struct ws *w, const struct err *why)
{
    w->left = 0;
    if (w->state == ASKING && w->handshake.answer.len > 0 && take_answer(w, true))
        return;
    if (why->code != 0 && w->state != LEAVING)
        w->error = *why;
    else if (w->state != LEAVING)
        err_set(&w->error, STATUS_NETWORK, -ECONNRESET,
                "'%s' has hung up without a word: try again", w->handshake.shown);
    break_off(w);
}

/* Reading: what was read is taken to its end before more is. */

/* False when there is nothing to take, or it is over. */
static bool fill(struct ws *w)
{
    struct err e = {0};
    ssize_t n = stream_read(w->stream, w->in, sizeof w->in, &e);

    if (n == -EAGAIN)
        return false;
    if (n <= 0) {
        take_end(w, &e);
        return false;
    }
    pulse_heard(&w->pulse, clock_ns());
    w->at = w->in;
    w->left = (size_t)n;
    w->taken = false;
    return true;
}

static bool is_reading(const struct ws *w)
{
    return !w->dead && w->state != CONNECTING && w->state != OVER;
}

static void take_input(struct ws *w)
{
    struct frames_event event;

    if (w->state == LEAVING) {
        w->taken = true;
    } else if (w->state == ASKING) {
        take_answer(w, false);
    } else {
        event = frames_read(w->frames, &w->at, &w->left);
        w->taken = event.kind == FRAMES_NONE;
        take_event(w, &event);
    }
}

static void on_readable(void *user)
{
    struct ws *w = user;
    int reads = 0, events = 0;

    while (is_reading(w) && events < MAX_EVENTS && reads < MAX_READS) {
        if (w->taken) {
            reads++;
            if (!fill(w))
                return;
        }
        take_input(w);
        events++;
    }
    if (is_reading(w))
        stream_again(w->stream);
}

static void on_drained(void *user)
{
    struct ws *w = user;

    if (w->state == LEAVING) {
        if (stream_waiting(w->stream) == 0)
            tell_closed(w);
        return;
    }
    if (w->pong_due && w->state == OPEN)
        send_pong(w, w->pong, w->pong_n);
    if (w->c.drained != NULL && w->state == OPEN)
        w->c.drained(w->c.user);
}

static void on_broken(void *user, const struct err *why)
{
    struct ws *w = user;

    take_end(w, why);
}

static void on_ready(void *user)
{
    struct ws *w = user;

    if (w->state != CONNECTING)
        return;
    w->state = ASKING;
    handshake_request(&w->handshake, stream_out(w->stream));
    if (buf_failed(stream_out(w->stream))) {
        err_set(&w->error, STATUS_FAILED, -ENOMEM, "out of memory in a connection to '%s'",
                w->handshake.shown);
        break_off(w);
        return;
    }
    stream_flush(w->stream);
}

/* Time. */

static void on_deadline(uv_timer_t *timer)
{
    struct ws *w = timer->data;

    if (w->state == CONNECTING)
        http_error_transport(&w->error, w->handshake.shown, CURLE_OPERATION_TIMEDOUT, "", 0);
    else if (w->state == ASKING && w->handshake.answer.len > 0 && take_answer(w, true))
        return;
    else if (w->state == ASKING)
        err_set(&w->error, STATUS_NETWORK, -ETIMEDOUT,
                "'%s' did not answer in time: it hangs or is overloaded; try again",
                w->handshake.shown);
    else if (w->state == CLOSING)
        err_set(&w->error, STATUS_FAILED, -ETIMEDOUT,
                "'%s' did not answer that the connection is to be closed", w->handshake.shown);
    break_off(w);
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
        on_readable(w);
    if (w->dead || w->state != OPEN)
        return;
    now = clock_ns();
    if (pulse_silent(&w->pulse, now)) {
        err_set(&w->error, STATUS_NETWORK, -ETIMEDOUT,
                "nothing has come from '%s' for %.1f s: the connection is dead", w->handshake.shown,
                w->pulse.patience_ms / 1000.0);
        break_off(w);
        return;
    }
    if (pulse_wants_ping(&w->pulse, now))
        ping(w, now);
    watch_again(w);
}

static void watch_again(struct ws *w)
{
    int64_t due = pulse_due_ns(&w->pulse), now = clock_ns();

    if (w->state != OPEN)
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

    if (w->state != OPEN)
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

    if (w->state > OPEN)
        return;
    err_set(&w->error, STATUS_FAILED, -ECONNABORTED, "the connection to '%s' was given up",
            w->handshake.shown);
    if (w->state == OPEN) {
        send_close(w, code, reason);
        w->state = CLOSING;
        uv_timer_stop(&w->watch);
    } else {
        end_as(w, WS_CLOSED, 1006, 0);
        w->state = LEAVING;
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
