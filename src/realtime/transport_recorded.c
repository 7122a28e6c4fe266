/* The transport that has everything recorded that passes through it. */
#include <errno.h>
#include <stdlib.h>

#include "realtime/recorder.h"

struct transport {
    const struct transport_ops *ops;
    struct transport *inner;
    struct recorder *recorder;
    unsigned connection;
    bool closing;            /* by its owner */
    struct ws_config config; /* of whoever opened it */
};

static void on_opened(void *user)
{
    struct transport *t = user;

    recorder_note(t->recorder, t->connection, RECORDING_OPENED);
    t->config.opened(t->config.user);
}

static void on_message(void *user, const char *bytes, size_t n, bool binary)
{
    struct transport *t = user;

    recorder_message(t->recorder, t->connection, RECORDING_RECEIVED, bytes, n);
    t->config.message(t->config.user, bytes, n, binary);
}

static void on_drained(void *user)
{
    struct transport *t = user;

    if (t->config.drained != NULL)
        t->config.drained(t->config.user);
}

static void on_closed(void *user, const struct ws_closed *how)
{
    struct transport *t = user;

    recorder_closed(t->recorder, t->connection, how, t->closing);
    t->config.closed(t->config.user, how);
}

static int recorded_open(struct transport **out, void *context, const struct ws_config *config,
                         struct err *e)
{
    const struct transport_recorded *c = context;
    struct transport *t = calloc(1, sizeof *t);
    struct ws_config ours = *config;
    int rc;

    *out = NULL;
    if (t == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    *t = (struct transport){.ops = c->inner, .recorder = c->recorder, .config = *config};
    t->connection = recorder_connection(c->recorder);
    ours.opened = on_opened;
    ours.message = on_message;
    ours.drained = on_drained;
    ours.closed = on_closed;
    ours.user = t;
    rc = c->inner->open(&t->inner, c->context, &ours, e);
    if (rc < 0)
        free(t);
    else
        *out = t;
    return rc;
}

static int recorded_send(struct transport *t, const char *text, size_t n)
{
    int rc = t->ops->send(t->inner, text, n);

    if (rc == 0)
        recorder_message(t->recorder, t->connection, RECORDING_SENT, text, n);
    return rc;
}

static size_t recorded_waiting(const struct transport *t)
{
    return t->ops->waiting(t->inner);
}

static void recorded_watch(struct transport *t, int interval_ms, int patience_ms)
{
    t->ops->watch(t->inner, interval_ms, patience_ms);
}

static double recorded_rtt_ms(const struct transport *t)
{
    return t->ops->rtt_ms(t->inner);
}

static void recorded_close(struct transport *t, int code, const char *reason)
{
    t->closing = true;
    t->ops->close(t->inner, code, reason);
}

static void recorded_free(struct transport *t)
{
    if (t == NULL)
        return;
    t->ops->free(t->inner);
    free(t);
}

const struct transport_ops transport_recorded = {
    .open = recorded_open,
    .send = recorded_send,
    .waiting = recorded_waiting,
    .watch = recorded_watch,
    .rtt_ms = recorded_rtt_ms,
    .close = recorded_close,
    .free = recorded_free,
};
