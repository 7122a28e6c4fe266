/* ws_stage - a WebSocket for a test: a scripted server (fake_ws.h) on the same loop, what it tells
 * noted, and libcurl's writes in the test's hand. For the one file of a test program that includes
 * it. */
#ifndef HULLO_FAKE_WS_STAGE_H
#define HULLO_FAKE_WS_STAGE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "fake/fake_ws.h"
#include "net/upgrade.h"
#include "net/ws.h"
#include "util/buf.h"

/* libcurl writes through this where the linker lets it: what it writes is counted, and refused or
 * broken as a test says. libuv, of the server, writes by other calls. */
static int writes, written_to;
static bool refuse_writes, break_writes;
static size_t room; /* what is taken before writes are refused */

ssize_t send(int fd, const void *bytes, size_t n, int flags);

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    writes++;
    written_to = fd;
    if (break_writes || (refuse_writes && room == 0)) {
        errno = break_writes ? EPIPE : EAGAIN;
        return -1;
    }
    if (refuse_writes) {
        n = n < room ? n : room;
        room -= n;
    }
    return sendto(fd, bytes, n, flags, NULL, 0);
}

/* Once something was sent. */
static inline bool counts_writes(void)
{
    return writes > 0;
}

struct fixture {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct fake_ws *server;
    char url[128];
    struct ws *ws;
    struct ws_config config;
    /* What was told. */
    int opened, closed, drained, messages;
    bool binary;
    struct buf last; /* message */
    struct ws_closed how;
    struct err error;
    char reason[128];
    /* What the handlers do. */
    bool free_in_opened, free_in_message, free_in_closed, free_in_drained;
    size_t requests, waiting;
};

static inline void too_long(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "a test of ws hangs\n");
    abort();
}

static inline void let_go(struct fixture *f)
{
    ws_free(f->ws);
    f->ws = NULL;
}

static inline void on_opened(void *user)
{
    struct fixture *f = user;

    f->opened++;
    uv_stop(&f->loop);
    if (f->free_in_opened)
        let_go(f);
}

static inline void on_message(void *user, const char *bytes, size_t n, bool binary)
{
    struct fixture *f = user;

    assert_int_equal(bytes[n], '\0');
    f->messages++;
    f->binary = binary;
    buf_clear(&f->last);
    buf_add(&f->last, bytes, n);
    uv_stop(&f->loop);
    if (f->free_in_message)
        let_go(f);
}

static inline void on_drained(void *user)
{
    struct fixture *f = user;

    f->drained++;
    f->waiting = ws_waiting(f->ws);
    uv_stop(&f->loop);
    if (f->free_in_drained)
        let_go(f);
}

static inline void on_closed(void *user, const struct ws_closed *how)
{
    struct fixture *f = user;

    f->closed++;
    f->how = *how;
    f->error = *how->error;
    snprintf(f->reason, sizeof f->reason, "%s", how->reason);
    uv_stop(&f->loop);
    if (f->free_in_closed)
        let_go(f);
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    writes = 0;
    room = 0;
    refuse_writes = break_writes = false;
    if (f == NULL || uv_loop_init(&f->loop) < 0)
        return -1;
    uv_timer_init(&f->loop, &f->watchdog);
    uv_timer_start(&f->watchdog, too_long, 60000, 0);
    uv_unref((uv_handle_t *)&f->watchdog);
    f->server = fake_ws_new(&f->loop);
    snprintf(f->url, sizeof f->url, "ws://127.0.0.1:%d/v1/realtime?model=m&key=topsecretkey",
             fake_ws_port(f->server));
    f->config = (struct ws_config){
        .loop = &f->loop,
        .url = f->url,
        .opened = on_opened,
        .message = on_message,
        .drained = on_drained,
        .closed = on_closed,
        .user = f,
    };
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    ws_free(f->ws);
    fake_ws_free(f->server);
    uv_close((uv_handle_t *)&f->watchdog, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&f->loop) != 0)
        return -1;
    buf_free(&f->last);
    free(f);
    return 0;
}

static inline void begin(struct fixture *f)
{
    struct err e = {0};

    assert_int_equal(ws_open(&f->ws, &f->config, &e), 0);
    assert_int_equal(f->opened + f->closed, 0);
}

/* Runs the loop until the count is reached. */
static inline void wait_for(struct fixture *f, const int *count, int n)
{
    while (*count < n)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static inline void turn(struct fixture *f, int times)
{
    while (times-- > 0)
        uv_run(&f->loop, UV_RUN_NOWAIT);
}

static inline void wait_for_frames(struct fixture *f, size_t n)
{
    while (fake_ws_frames(f->server) < n)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static inline void wait_for_request(struct fixture *f)
{
    while (fake_ws_requests(f->server) <= f->requests)
        uv_run(&f->loop, UV_RUN_ONCE);
}

/* The next one is waited for. */
static inline void forget_request(struct fixture *f)
{
    f->requests = fake_ws_requests(f->server);
}

static inline void open_up(struct fixture *f)
{
    begin(f);
    wait_for(f, &f->opened, 1);
    assert_int_equal(f->closed, 0);
}

static inline void wait_closed(struct fixture *f, enum ws_end end)
{
    wait_for(f, &f->closed, 1);
    turn(f, 3);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->how.end, end);
    assert_null(strstr(f->error.text, "secret"));
}

static inline void assert_frame(struct fixture *f, size_t i, int first, const char *payload,
                                size_t n)
{
    const char *got = NULL;
    size_t length = 0;

    assert_int_equal(fake_ws_got(f->server, i, &got, &length), first);
    assert_int_equal(length, n);
    assert_memory_equal(got, payload, n);
}

#define BYTES(s)   s, sizeof(s) - 1
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
