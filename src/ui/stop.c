#include "ui/stop.h"

#include <signal.h>
#include <unistd.h>

static void on_signal(uv_signal_t *handle, int signum)
{
    struct stop *s = handle->data;

    s->event(s->user, signum);
}

static int watch(struct stop *s, uv_loop_t *loop, uv_signal_t *handle, int signum)
{
    int rc = uv_signal_init(loop, handle);

    if (rc < 0)
        return rc;
    handle->data = s;
    s->handles++;
    return uv_signal_start(handle, on_signal, signum);
}

int stop_init(struct stop *s, uv_loop_t *loop, void (*event)(void *user, int signum), void *user)
{
    int rc;

    s->event = event;
    s->user = user;
    s->handles = 0;
    rc = watch(s, loop, &s->interrupt, SIGINT);
    return rc < 0 ? rc : watch(s, loop, &s->terminate, SIGTERM);
}

void stop_close(struct stop *s)
{
    if (s->handles > 0)
        uv_close((uv_handle_t *)&s->interrupt, NULL);
    if (s->handles > 1)
        uv_close((uv_handle_t *)&s->terminate, NULL);
}

static void die(int signum)
{
    _exit(128 + signum);
}

void stop_at_once(void)
{
    struct sigaction action = {.sa_handler = die};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
