#include "net/ws_parts.h"

#include <errno.h>
#include <string.h>

#include "util/clock.h"
#include "util/text.h"

enum {
    MAX_PONG_BEHIND = 64 << 10,
    /* What one turn of the loop may be kept busy with. */
    MAX_READS = 8,
    MAX_EVENTS = 32,
};

/* What comes. */

void ws_send_pong(struct ws *w, const char *bytes, size_t n)
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
    const char *asked = w->state == WS_CLOSING ? "" : "by the server ";

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
    size_t n = event->n < WS_REASON - 1 ? event->n : WS_REASON - 1;

    memcpy(w->reason, event->bytes, n);
    w->reason[n] = '\0';
    handshake_redact(&w->handshake, w->reason);
    text_line(w->reason);
    describe_close(w, event->code);
    ws_end_as(w, WS_CLOSED, event->code, 0);
    if (w->state == WS_CLOSING) {
        ws_tell_closed(w);
        return;
    }
    ws_send_close(w, event->code, "");
    ws_leave(w);
}

static void take_invalid(struct ws *w, const struct frames_event *event)
{
    err_set(&w->error, STATUS_FAILED, -EPROTO, "'%s' breaks the rules of WebSocket: %s",
            w->handshake.shown, event->why);
    if (w->state == WS_CLOSING) {
        ws_break_off(w);
        return;
    }
    ws_end_as(w, WS_INVALID, 0, 0);
    ws_send_close(w, event->code, "");
    ws_leave(w);
}

static void take_event(struct ws *w, const struct frames_event *event)
{
    switch (event->kind) {
    case FRAMES_TEXT:
    case FRAMES_BINARY:
        w->c.message(w->c.user, event->bytes, event->n, event->kind == FRAMES_BINARY);
        break;
    case FRAMES_PING:
        if (w->state == WS_OPEN)
            ws_send_pong(w, event->bytes, event->n);
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
        ws_break_off(w);
        break;
    case FRAMES_NONE:
        break;
    }
}

/* The answer to the request. */

/* Takes what was read; frames that rode along with the answer stay for the next step. ended:
 * nothing more will come. False when it is still not complete. */
bool ws_take_answer(struct ws *w, bool ended)
{
    struct upgrade_answer a;
    size_t used;
    enum upgrade_step step = handshake_take(&w->handshake, w->at, w->left, ended, &a, &used);

    w->at += used;
    w->left -= used;
    if (step == UPGRADE_OPEN) {
        ws_open_up(w);
        return true;
    }
    w->taken = true;
    if (buf_failed(&w->handshake.answer)) {
        err_set(&w->error, STATUS_FAILED, -ENOMEM, "out of memory in an answer of '%s'",
                w->handshake.shown);
        ws_break_off(w);
        return true;
    }
    if (step == UPGRADE_MORE) {
        if (a.head > 0)
            ws_answer_soon(w);
        return false;
    }
    handshake_describe(&w->handshake, step, &a, &w->error);
    w->how.retry_after_s = a.retry_after_s;
    ws_end_as(w, WS_REFUSED, 0, a.status);
    ws_tell_closed(w);
    return true;
}

/* Nothing more will come: the server has gone (why is none), or cannot be heard any more. */
void ws_take_end(struct ws *w, const struct err *why)
{
    w->left = 0;
    if (w->state == WS_ASKING && w->handshake.answer.len > 0 && ws_take_answer(w, true))
        return;
    if (why->code != 0 && w->state != WS_LEAVING)
        w->error = *why;
    else if (w->state != WS_LEAVING)
        err_set(&w->error, STATUS_NETWORK, -ECONNRESET,
                "'%s' has hung up without a word: try again", w->handshake.shown);
    ws_break_off(w);
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
        ws_take_end(w, &e);
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
    return !w->dead && w->state != WS_CONNECTING && w->state != WS_OVER;
}

static void take_some(struct ws *w)
{
    struct frames_event event;

    if (w->state == WS_LEAVING) {
        w->taken = true;
    } else if (w->state == WS_ASKING) {
        ws_take_answer(w, false);
    } else {
        event = frames_read(w->frames, &w->at, &w->left);
        w->taken = event.kind == FRAMES_NONE;
        take_event(w, &event);
    }
}

void ws_take_input(struct ws *w)
{
    int reads = 0, events = 0;

    while (is_reading(w) && events < MAX_EVENTS && reads < MAX_READS) {
        if (w->taken) {
            reads++;
            if (!fill(w))
                return;
        }
        take_some(w);
        events++;
    }
    if (is_reading(w))
        stream_again(w->stream);
}
