#include "net/multi.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* A socket of libcurl's that the loop watches. */
struct watch {
    uv_poll_t poll;
    struct multi *m;
    curl_socket_t fd;
    int events;
    struct watch *prev, *next;
};

struct multi {
    uv_loop_t *loop;
    CURLM *curl;
    uv_timer_t timer;
    bool starved; /* a socket could not be watched */
    struct watch *watches;
    void (*turned)(void *user, bool failed);
    void *user;
};

static void act(struct multi *m, curl_socket_t fd, int flags)
{
    int running;
    bool failed = curl_multi_socket_action(m->curl, fd, flags, &running) != CURLM_OK || m->starved;

    m->starved = false;
    m->turned(m->user, failed); /* m may be gone */
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    /* libuv has stopped watching a socket in error. Reading and writing tell libcurl which error.
     */
    if (status < 0) {
        flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
        uv_poll_start(&w->poll, w->events, on_poll);
    }
    act(w->m, w->fd, flags);
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *curl, long ms, void *user)
{
    struct multi *m = user;

    (void)curl;
    if (ms < 0)
        uv_timer_stop(&m->timer);
    else
        uv_timer_start(&m->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

static void poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void unwatch(struct watch *w)
{
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        w->m->watches = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, poll_closed);
}

static struct watch *watch_new(struct multi *m, curl_socket_t fd)
{
    struct watch *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    if (uv_poll_init_socket(m->loop, &w->poll, fd) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->m = m;
    w->fd = fd;
    w->next = m->watches;
    if (w->next != NULL)
        w->next->prev = w;
    m->watches = w;
    return w;
}

static int set_watch(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned)
{
    struct multi *m = user;
    struct watch *w = assigned;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL)
            unwatch(w);
        curl_multi_assign(m->curl, fd, NULL);
        return 0;
    }
    if (w == NULL)
        w = watch_new(m, fd);
    if (w != NULL)
        w->events = events;
    /* Told to act(), whose owner ends the transfers: an error from here would spoil the multi
     * handle. */
    if (w == NULL || uv_poll_start(&w->poll, events, on_poll) != 0)
        m->starved = true;
    curl_multi_assign(m->curl, fd, w);
    return 0;
}

int multi_new(struct multi **out, uv_loop_t *loop, void (*turned)(void *user, bool failed),
              void *user)
{
    struct multi *m = calloc(1, sizeof *m);

    *out = NULL;
    if (m == NULL)
        return -ENOMEM;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(m);
        return -ENOMEM;
    }
    m->curl = curl_multi_init();
    if (m->curl == NULL) {
        curl_global_cleanup();
        free(m);
        return -ENOMEM;
    }
    m->loop = loop;
    m->turned = turned;
    m->user = user;
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, set_watch);
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
    uv_timer_init(loop, &m->timer);
    m->timer.data = m;
    *out = m;
    return 0;
}

CURLM *multi_handle(struct multi *m)
{
    return m->curl;
}

CURL *multi_done(struct multi *m, CURLcode *result)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(m->curl, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        *result = message->data.result;
        return message->easy_handle;
    }
    return NULL;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void multi_free(struct multi *m)
{
    if (m == NULL)
        return;
    /* The sockets are about to be closed: let go of them first. */
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, NULL);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, NULL);
    while (m->watches != NULL)
        unwatch(m->watches);
    curl_multi_cleanup(m->curl);
    curl_global_cleanup();
    uv_close((uv_handle_t *)&m->timer, timer_closed);
}
