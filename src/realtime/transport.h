/* transport - what carries a wire's messages: a WebSocket, or a recording that is played back. Main
 * loop only; events come from the loop, never from inside a call. */
#ifndef HULLO_REALTIME_TRANSPORT_H
#define HULLO_REALTIME_TRANSPORT_H

#include "net/ws.h"

struct transport;

struct transport_ops {
    /* As ws_open: config's handlers get a struct ws_closed in the end. */
    int (*open)(struct transport **out, void *context, const struct ws_config *config,
                struct err *e);
    int (*send)(struct transport *t, const char *text, size_t n);
    size_t (*waiting)(const struct transport *t);
    void (*watch)(struct transport *t, int interval_ms, int patience_ms);
    double (*rtt_ms)(const struct transport *t);
    void (*close)(struct transport *t, int code, const char *reason);
    void (*free)(struct transport *t);
};

extern const struct transport_ops transport_ws; /* context is not used */

#endif
