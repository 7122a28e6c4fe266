/* ws_parts - the insides of a WebSocket, which ws.c and ws_input.c share; nobody else's. */
#ifndef HULLO_NET_WS_PARTS_H
#define HULLO_NET_WS_PARTS_H

#include "net/frames.h"
#include "net/handshake.h"
#include "net/pulse.h"
#include "net/stream.h"
#include "net/ws.h"

enum { WS_REASON = 128, WS_READ_BYTES = 16 << 10 };

enum ws_state {
    WS_CONNECTING,
    WS_ASKING, /* the request is sent: its answer is to come */
    WS_OPEN,
    WS_CLOSING, /* we have sent a close frame, and wait for the server's */
    WS_LEAVING, /* it is over; what is to be sent is being sent, what comes is dropped */
    WS_OVER,    /* closed was told */
};

struct ws {
    struct ws_config c;
    struct stream *stream;
    struct frames *frames;
    uv_timer_t deadline, watch;
    int handles;
    bool dead;
    enum ws_state state;

    struct handshake handshake;
    struct pulse pulse;

    char in[WS_READ_BYTES]; /* what was read and not taken yet */
    const char *at;
    size_t left;
    bool taken; /* all of it; frames keeps some of it as well */

    char pong[125]; /* to be sent when what waits before it is gone */
    size_t pong_n;
    bool pong_due;

    struct ws_closed how;
    struct err error;
    char reason[WS_REASON];
};

/* ws.c. All from the loop only; w may be gone after those that tell its owner. */

void ws_open_up(struct ws *w); /* tells opened */
/* How it ends; w->error says why. */
void ws_end_as(struct ws *w, enum ws_end end, int code, int http_status);
void ws_tell_closed(struct ws *w);
void ws_break_off(struct ws *w); /* tells that it broke, unless it was about to end otherwise */
void ws_leave(struct ws *w); /* tells the end when what waits is sent, after 2 s at the latest */
void ws_send_close(struct ws *w, int code, const char *reason);
void ws_answer_soon(struct ws *w); /* the rest of a refusal has a second at most */

/* ws_input.c */

void ws_take_input(struct ws *w); /* reads, and tells messages; some of it in a later turn */
/* Judges the answer with what was read. ended: nothing more will come. False when it is still not
 * complete; else it was told. */
bool ws_take_answer(struct ws *w, bool ended);
/* Nothing more will come: the server has gone (why is none), or cannot be heard any more. */
void ws_take_end(struct ws *w, const struct err *why);
void ws_send_pong(struct ws *w, const char *bytes, size_t n); /* now, or when less waits */

#endif
