#include "net/frames.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>
#include <wslay/wslay.h>

#include "util/text.h"

enum { MAX_CONTROL = 125 };

struct frames {
    wslay_frame_context_ptr wslay;
    size_t max_message;
    const char *in; /* what wslay may take */
    size_t in_left;
    struct buf *out;     /* what it writes to */
    struct buf message;  /* so far */
    uint8_t opcode;      /* of the message that is not complete; 0: there is none */
    size_t checked;      /* bytes of the message that are known to be UTF-8 */
    struct buf control;  /* a control frame, of which another may stand inside a message */
    uint64_t frame_left; /* payload of the frame at hand that has not come yet */
    bool in_frame, over;
};

/* What wslay calls. */

static ssize_t give_input(uint8_t *to, size_t n, int flags, void *user)
{
    struct frames *f = user;

    (void)flags;
    if (n > f->in_left)
        n = f->in_left;
    if (n == 0)
        return -1;
    memcpy(to, f->in, n);
    f->in += n;
    f->in_left -= n;
    return (ssize_t)n;
}

static ssize_t take_output(const uint8_t *bytes, size_t n, int flags, void *user)
{
    struct frames *f = user;

    (void)flags;
    buf_add(f->out, bytes, n);
    return (ssize_t)n; /* a failed buffer says so at the end */
}

static int make_mask(uint8_t *to, size_t n, void *user)
{
    (void)user;
    return RAND_bytes(to, (int)n) == 1 ? 0 : -1;
}

int frames_new(struct frames **out, size_t max_message)
{
    const struct wslay_frame_callbacks callbacks = {take_output, give_input, make_mask};
    struct frames *f = calloc(1, sizeof *f);

    *out = NULL;
    if (f == NULL)
        return -ENOMEM;
    f->max_message = max_message;
    if (wslay_frame_context_init(&f->wslay, &callbacks, f) != 0) {
        free(f);
        return -ENOMEM;
    }
    *out = f;
    return 0;
}

void frames_free(struct frames *f)
{
    if (f == NULL)
        return;
    wslay_frame_context_free(f->wslay);
    buf_free(&f->message);
    buf_free(&f->control);
    free(f);
}

/* Reading. */

static struct frames_event invalid(struct frames *f, int code, const char *why)
{
    f->over = true;
    return (struct frames_event){.kind = FRAMES_INVALID, .bytes = "", .code = code, .why = why};
}

static bool is_control(uint8_t opcode)
{
    return wslay_is_ctrl_frame(opcode);
}

/* The rules for a frame's header, in the light of what came before. NULL when it keeps them. */
static const char *broken_rule(const struct frames *f, const struct wslay_frame_iocb *frame)
{
    if (frame->rsv != 0)
        return "a frame uses an extension that was not offered";
    if (frame->mask)
        return "a frame is masked";
    switch (frame->opcode) {
    case WSLAY_CONTINUATION_FRAME:
        return f->opcode == 0 ? "a message has no beginning" : NULL;
    case WSLAY_TEXT_FRAME:
    case WSLAY_BINARY_FRAME:
        return f->opcode != 0 ? "a message begins within another one" : NULL;
    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG:
        return NULL;
    default:
        return "a frame is of a kind that nobody knows";
    }
}

/* Whether s, the beginning of a character, can become one. */
static bool may_become_character(const char *s, size_t n)
{
    char low[4] = "\x80\x80\x80\x80", high[4] = "\xbf\xbf\xbf\xbf";

    memcpy(low, s, n);
    memcpy(high, s, n);
    return text_utf8(low, sizeof low, NULL) > 0 || text_utf8(high, sizeof high, NULL) > 0;
}

/* Looks at what came of a text since the last time. A character may be cut in two; the last piece
 * of a message must be whole. */
static bool check_text(struct frames *f, bool whole)
{
    const char *text = buf_str(&f->message);
    size_t end = whole ? f->message.len : text_utf8_whole(text, f->message.len);

    while (f->checked < end) {
        size_t n = text_utf8(text + f->checked, end - f->checked, NULL);

        if (n == 0)
            return false;
        f->checked += n;
    }
    return end == f->message.len || may_become_character(text + end, f->message.len - end);
}

static bool is_close_code(int code)
{
    return (code >= 3000 && code <= 4999) ||
           (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006);
}

static struct frames_event control_event(struct frames *f, enum frames_kind kind)
{
    return (struct frames_event){.kind = kind, .bytes = buf_str(&f->control), .n = f->control.len};
}

static struct frames_event close_event(struct frames *f)
{
    struct frames_event event = control_event(f, FRAMES_CLOSE);

    event.code = 1005;
    if (event.n == 1)
        return invalid(f, 1002, "half a close code");
    if (event.n >= 2) {
        event.code = (uint8_t)event.bytes[0] << 8 | (uint8_t)event.bytes[1];
        event.bytes += 2;
        event.n -= 2;
        if (!is_close_code(event.code))
            return invalid(f, 1002, "a close code that does not exist");
    }
    for (size_t i = 0, n; i < event.n; i += n) {
        n = text_utf8(event.bytes + i, event.n - i, NULL);
        if (n == 0)
            return invalid(f, 1007, "text that is not UTF-8");
    }
    f->over = true;
    return event;
}

/* A frame is complete: the event that it makes, or FRAMES_NONE. */
static struct frames_event end_frame(struct frames *f, const struct wslay_frame_iocb *frame)
{
    struct frames_event event = {.kind = FRAMES_NONE};

    f->in_frame = false;
    switch (frame->opcode) {
    case WSLAY_CONNECTION_CLOSE:
        return close_event(f);
    case WSLAY_PING:
        return control_event(f, FRAMES_PING);
    case WSLAY_PONG:
        return control_event(f, FRAMES_PONG);
    default:
        break;
    }
    if (f->opcode == WSLAY_TEXT_FRAME && !check_text(f, frame->fin))
        return invalid(f, 1007, "text that is not UTF-8");
    if (frame->fin) {
        event.kind = f->opcode == WSLAY_TEXT_FRAME ? FRAMES_TEXT : FRAMES_BINARY;
        event.bytes = buf_str(&f->message);
        event.n = f->message.len;
        f->opcode = 0;
    }
    return event;
}

/* The first piece of a frame, with its header. */
static const char *begin_frame(struct frames *f, const struct wslay_frame_iocb *frame)
{
    const char *why = broken_rule(f, frame);

    f->in_frame = true;
    f->frame_left = frame->payload_length;
    if (why != NULL)
        return why;
    if (is_control(frame->opcode))
        buf_clear(&f->control);
    else if (frame->opcode != WSLAY_CONTINUATION_FRAME) {
        f->opcode = frame->opcode;
        f->checked = 0;
        /* The room of an unusually long message is given back. */
        if (f->message.cap > 1 << 20)
            buf_free(&f->message);
        buf_clear(&f->message);
    }
    return NULL;
}

static struct frames_event take_piece(struct frames *f, const struct wslay_frame_iocb *frame)
{
    struct buf *to = is_control(frame->opcode) ? &f->control : &f->message;
    const char *why = f->in_frame ? NULL : begin_frame(f, frame);

    if (why != NULL)
        return invalid(f, 1002, why);
    if (to == &f->message && f->frame_left > f->max_message - f->message.len)
        return invalid(f, 1009, "a message is longer than what is read");
    buf_add(to, frame->data, frame->data_length);
    if (buf_failed(to)) {
        f->over = true;
        return (struct frames_event){.kind = FRAMES_FAILED};
    }
    f->frame_left -= frame->data_length;
    if (f->frame_left == 0)
        return end_frame(f, frame);
    if (to == &f->message && f->opcode == WSLAY_TEXT_FRAME && !check_text(f, false))
        return invalid(f, 1007, "text that is not UTF-8");
    return (struct frames_event){.kind = FRAMES_NONE};
}

struct frames_event frames_read(struct frames *f, const char **bytes, size_t *n)
{
    struct frames_event event = {.kind = FRAMES_NONE};

    f->in = *bytes;
    f->in_left = *n;
    while (!f->over && event.kind == FRAMES_NONE) {
        struct wslay_frame_iocb frame = {0};
        ssize_t rc = wslay_frame_recv(f->wslay, &frame);

        if (rc == WSLAY_ERR_WANT_READ && f->in_left == 0)
            break;
        if (rc == WSLAY_ERR_WANT_READ)
            continue;
        if (rc < 0)
            event = invalid(f, 1002, "a frame has an impossible length");
        else
            event = take_piece(f, &frame);
    }
    *bytes = f->in;
    *n = f->in_left;
    f->in = NULL;
    f->in_left = 0;
    return event;
}

/* Writing. */

static uint8_t opcode_of(enum frames_kind kind)
{
    switch (kind) {
    case FRAMES_TEXT:
        return WSLAY_TEXT_FRAME;
    case FRAMES_BINARY:
        return WSLAY_BINARY_FRAME;
    case FRAMES_PING:
        return WSLAY_PING;
    case FRAMES_PONG:
        return WSLAY_PONG;
    case FRAMES_CLOSE:
        return WSLAY_CONNECTION_CLOSE;
    default:
        return 0;
    }
}

int frames_write(struct frames *f, struct buf *out, enum frames_kind kind, const char *bytes,
                 size_t n)
{
    struct wslay_frame_iocb frame = {.fin = 1, .mask = 1, .opcode = opcode_of(kind)};
    size_t before = out->len;
    ssize_t sent;

    if (frame.opcode == 0 || (is_control(frame.opcode) && n > MAX_CONTROL))
        return -EINVAL;
    frame.data = (const uint8_t *)bytes;
    frame.data_length = n;
    frame.payload_length = n;
    f->out = out;
    sent = wslay_frame_send(f->wslay, &frame);
    f->out = NULL;
    if (buf_failed(out)) {
        out->len = before;
        out->failed = false;
        if (out->data != NULL)
            out->data[before] = '\0';
        return -ENOMEM;
    }
    return sent == (ssize_t)n ? 0 : -EIO;
}

int frames_write_close(struct frames *f, struct buf *out, int code, const char *reason)
{
    char payload[MAX_CONTROL];
    size_t n = strlen(reason);

    if (code == 0 || code == 1005)
        return frames_write(f, out, FRAMES_CLOSE, "", 0);
    if (n > sizeof payload - 2)
        n = text_utf8_whole(reason, sizeof payload - 2);
    payload[0] = (char)(code >> 8);
    payload[1] = (char)(code & 0xff);
    memcpy(payload + 2, reason, n);
    return frames_write(f, out, FRAMES_CLOSE, payload, n + 2);
}
