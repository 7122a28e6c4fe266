#include "ui/stop.h"

#include <signal.h>

static void on_signal(uv_signal_t *handle, int signum)
{
    struct stop *s = handle->data;

    s->event(s->user, signum);
}

int stop_init(struct stop *s, uv_loop_t *loop, void (*event)(void *user, int signum), void *user)
{
    s->event = event;
    s->user = user;
    s->interrupt.data = s->terminate.data = s;
    int rc = uv_signal_init(loop, &s->interrupt);
    if (rc == 0)
        rc = uv_signal_init(loop, &s->terminate);
    if (rc == 0)
        rc = uv_signal_start(&s->interrupt, on_signal, SIGINT);
    if (rc == 0)
        rc = uv_signal_start(&s->terminate, on_signal, SIGTERM);
    return rc;
}

void stop_close(struct stop *s)
{
    uv_close((uv_handle_t *)&s->interrupt, NULL);
    uv_close((uv_handle_t *)&s->terminate, NULL);
}
