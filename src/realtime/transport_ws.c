/* A WebSocket as a transport: a struct transport is a struct ws under another name. */
#include "realtime/transport.h"

static struct ws *ws_of(struct transport *t)
{
    return (struct ws *)t;
}

static int open_ws(struct transport **out, void *context, const struct ws_config *config,
                   struct err *e)
{
    struct ws *w;
    int rc = ws_open(&w, config, e);

    (void)context;
    *out = (struct transport *)w;
    return rc;
}

static int send_ws(struct transport *t, const char *text, size_t n)
{
    return ws_send(ws_of(t), text, n);
}

static size_t waiting_ws(const struct transport *t)
{
    return ws_waiting((const struct ws *)t);
}

static void watch_ws(struct transport *t, int interval_ms, int patience_ms)
{
    ws_watch(ws_of(t), interval_ms, patience_ms);
}

static double rtt_ws(const struct transport *t)
{
    return ws_rtt_ms((const struct ws *)t);
}

static void close_ws(struct transport *t, int code, const char *reason)
{
    ws_close(ws_of(t), code, reason);
}

static void free_ws(struct transport *t)
{
    ws_free(ws_of(t));
}

const struct transport_ops transport_ws = {
    .open = open_ws,
    .send = send_ws,
    .waiting = waiting_ws,
    .watch = watch_ws,
    .rtt_ms = rtt_ws,
    .close = close_ws,
    .free = free_ws,
};
