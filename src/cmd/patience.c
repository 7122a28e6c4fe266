#include "cmd/patience.h"

#include <errno.h>

int patience_open(struct patience *p, uv_loop_t *loop, struct err *e)
{
    int rc = uv_timer_init(loop, &p->timer);

    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "cannot start a timer: %s", uv_strerror(rc));
    p->timer.data = p;
    p->open = true;
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct patience *p = timer->data;
    struct err why;

    err_set(&why, p->why.status, p->why.code, "%s (tried for %u s)", p->why.text, p->waits_s);
    p->over(p->user, &why);
}

static void lost(struct patience *p, const struct session_event *ev)
{
    p->waits_s = p->reached ? p->again_s : p->first_s;
    if (ev->error != NULL)
        p->why = *ev->error;
    else
        err_set(&p->why, STATUS_NETWORK, -ENOTCONN, "%s", ev->text);
    if (p->why.status == STATUS_DONE)
        p->why.status = STATUS_NETWORK;
    if (p->waits_s > 0 && !uv_is_active((uv_handle_t *)&p->timer))
        uv_timer_start(&p->timer, on_timer, (uint64_t)p->waits_s * 1000, 0);
}

void patience_event(struct patience *p, const struct session_event *ev)
{
    if (!p->open)
        return;
    if (ev->type == SESSION_LINK && !ev->connected) {
        lost(p, ev);
    } else if (ev->type == SESSION_READY || ev->type == SESSION_LINK) {
        p->reached |= ev->type == SESSION_READY;
        uv_timer_stop(&p->timer);
    }
}

void patience_close(struct patience *p)
{
    if (!p->open)
        return;
    p->open = false;
    uv_close((uv_handle_t *)&p->timer, NULL);
}
