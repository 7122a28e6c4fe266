/* A WebSocket against a scripted server on the same loop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_ws.h"
#include "net/ws.h"
#include "util/buf.h"

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
    bool free_in_opened, free_in_message, free_in_closed, stop_in_message;
};

static void too_long(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "a test of ws hangs\n");
    abort();
}

static void let_go(struct fixture *f)
{
    ws_free(f->ws);
    f->ws = NULL;
}

static void on_opened(void *user)
{
    struct fixture *f = user;

    f->opened++;
    uv_stop(&f->loop);
    if (f->free_in_opened)
        let_go(f);
}

static void on_message(void *user, const char *bytes, size_t n, bool binary)
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

static void on_drained(void *user)
{
    struct fixture *f = user;

    f->drained++;
    uv_stop(&f->loop);
}

static void on_closed(void *user, const struct ws_closed *how)
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

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

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

static int tear_down(void **state)
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

static void begin(struct fixture *f)
{
    struct err e = {0};

    assert_int_equal(ws_open(&f->ws, &f->config, &e), 0);
    assert_int_equal(f->opened + f->closed, 0);
}

/* Runs the loop until the count is reached. */
static void wait_for(struct fixture *f, const int *count, int n)
{
    while (*count < n)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void turn(struct fixture *f, int times)
{
    while (times-- > 0)
        uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void wait_for_frames(struct fixture *f, size_t n)
{
    while (fake_ws_frames(f->server) < n)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void open_up(struct fixture *f)
{
    begin(f);
    wait_for(f, &f->opened, 1);
    assert_int_equal(f->closed, 0);
}

static void wait_closed(struct fixture *f, enum ws_end end)
{
    wait_for(f, &f->closed, 1);
    turn(f, 3);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->how.end, end);
    assert_null(strstr(f->error.text, "secret"));
}

static void assert_frame(struct fixture *f, size_t i, int first, const char *payload, size_t n)
{
    const char *got = NULL;
    size_t length = 0;

    assert_int_equal(fake_ws_got(f->server, i, &got, &length), first);
    assert_int_equal(length, n);
    assert_memory_equal(got, payload, n);
}

static void a_message_goes_out_and_one_comes_in(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    assert_int_equal(ws_send(f->ws, "hello", 5), 0);
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_TEXT, "hello", 5);
    assert_false(fake_ws_unmasked(f->server));
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "hi there", 8);
    wait_for(f, &f->messages, 1);
    assert_string_equal(f->last.data, "hi there");
    assert_false(f->binary);
}

/* Some of what was read lies in wslay, where neither the loop nor libcurl sees it. */
static void messages_in_one_piece_come_one_after_the_other(void **state)
{
    static const char three[] = "\x81\x03one\x82\x03two\x81\x05three";
    struct fixture *f = *state;

    open_up(f);
    fake_ws_send(f->server, three, sizeof three - 1);
    wait_for(f, &f->messages, 3);
    assert_string_equal(f->last.data, "three");
}

static void a_close_of_ours_is_answered(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    ws_send(f->ws, "last", 4);
    ws_close(f->ws, 1000, "bye");
    assert_int_equal(ws_send(f->ws, "too late", 8), -ENOTCONN);
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->how.code, 1000);
    assert_frame(f, 0, FAKE_FIN | FAKE_TEXT, "last", 4);
    assert_frame(f, 1, FAKE_FIN | FAKE_CLOSE,
                 "\x03\xe8"
                 "bye",
                 5);
}

static void a_close_of_the_servers_is_answered(void **state)
{
    struct fixture *f = *state;

    fake_ws_mute(f->server);
    open_up(f);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_CLOSE, "\x03\xf0no topsecretkey\n", 18);
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->how.code, 1008);
    assert_string_equal(f->reason, "no *** ");
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_CLOSE, "\x03\xf0", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_goes_out_and_one_comes_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_in_one_piece_come_one_after_the_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_close_of_ours_is_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_close_of_the_servers_is_answered, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
