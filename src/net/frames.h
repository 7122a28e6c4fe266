/* frames - WebSocket frames and messages, both ways, without I/O (RFC 6455, sections 5 and 7, the
 * client's side). wslay reads and writes the frames; what they may be, and what they make together,
 * is judged here. The peer is hostile: nothing is kept beyond max_message and the frame at hand,
 * and room is taken only for what has come. One thread at a time. */
#ifndef HULLO_NET_FRAMES_H
#define HULLO_NET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

struct frames;

enum frames_kind {
    FRAMES_NONE, /* all input is taken in */
    FRAMES_TEXT, /* a whole message; valid UTF-8 */
    FRAMES_BINARY,
    FRAMES_PING,
    FRAMES_PONG,
    FRAMES_CLOSE,   /* .code: 1005 when there is none; the bytes are the reason, valid UTF-8 */
    FRAMES_INVALID, /* the peer broke a rule: .code to close with, .why for people */
    FRAMES_FAILED,  /* out of memory */
};

struct frames_event {
    enum frames_kind kind;
    const char *bytes; /* NUL-terminated besides; borrowed until the next call */
    size_t n;
    int code;
    const char *why;
};

int frames_new(struct frames **out, size_t max_message); /* 0, -ENOMEM */

/* Takes input from *bytes on, of which there are *n, and moves both. Some of it is kept: to be
 * called until there is no event, also with *n of 0. After CLOSE, INVALID and FAILED there is
 * nothing more to read: FRAMES_NONE. */
struct frames_event frames_read(struct frames *f, const char **bytes, size_t *n);

/* Appends one frame, masked, header and payload. kind: TEXT, BINARY, PING, PONG or CLOSE (whose
 * bytes hold the code already: frames_write_close). At most 125 bytes but for messages. 0, -EINVAL,
 * -ENOMEM, -EIO when there is no randomness; out is as it was after an error. */
int frames_write(struct frames *f, struct buf *out, enum frames_kind kind, const char *bytes,
                 size_t n);

/* code 0 (or 1005): none is sent. The reason is cut where it is too long. */
int frames_write_close(struct frames *f, struct buf *out, int code, const char *reason);

void frames_free(struct frames *f); /* NULL is fine */

#endif
