/* fake_ws - a WebSocket server on the test's own loop, which does what the test says: no thread, no
 * clock, loopback, a free port. It answers the upgrade as it should unless told otherwise, keeps
 * what it receives, and sends what the test gives it, right or wrong. One connection at a time:
 * what is said goes to the newest one. */
#ifndef HULLO_FAKE_WS_H
#define HULLO_FAKE_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct fake_ws;

/* Opcodes (RFC 6455, 5.2), and the bit of the last frame of a message. */
enum {
    FAKE_MORE = 0,
    FAKE_TEXT = 1,
    FAKE_BINARY = 2,
    FAKE_CLOSE = 8,
    FAKE_PING = 9,
    FAKE_PONG = 10
};
enum { FAKE_FIN = 0x80 };

struct fake_ws *fake_ws_new(uv_loop_t *loop);
int fake_ws_port(const struct fake_ws *f);
void fake_ws_free(struct fake_ws *f); /* run the loop once more before closing it */

/* In place of the right answer; NULL: nothing is said. "$" stands for the right
 * Sec-WebSocket-Accept. Borrowed. */
void fake_ws_answer(struct fake_ws *f, const char *bytes);
void fake_ws_rider(struct fake_ws *f, const char *bytes,
                   size_t n); /* in one write with it. Copied */

/* By default pings are answered, and a close frame, upon which it hangs up. */
void fake_ws_mute(struct fake_ws *f);
void fake_ws_deaf(struct fake_ws *f, bool deaf); /* it does not read */

void fake_ws_send(struct fake_ws *f, const void *bytes, size_t n); /* as they are */
void fake_ws_frame(struct fake_ws *f, int first, const void *payload, size_t n);
void fake_ws_hang_up(struct fake_ws *f, bool reset);

size_t fake_ws_connections(const struct fake_ws *f);
size_t fake_ws_requests(const struct fake_ws *f);
const char *fake_ws_request(const struct fake_ws *f); /* the last one */
size_t fake_ws_frames(const struct fake_ws *f);       /* whole frames received */
/* The first byte of frame i; its payload, unmasked. */
int fake_ws_got(const struct fake_ws *f, size_t i, const char **payload, size_t *n);
bool fake_ws_unmasked(const struct fake_ws *f); /* a frame came that was not masked */

#endif
