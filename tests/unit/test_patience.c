/* How long an endpoint that cannot be reached is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cmd/patience.h"

struct scene {
    uv_loop_t loop;
    struct patience patience;
    struct err why;
    int over;
};

static void on_over(void *user, const struct err *why)
{
    struct scene *sc = user;

    sc->why = *why;
    sc->over++;
    uv_stop(&sc->loop);
}

static int setup(void **state)
{
    static struct scene scene;

    scene = (struct scene){.over = 0};
    scene.patience = (struct patience){.first_s = 1, .over = on_over, .user = &scene};
    *state = &scene;
    return uv_loop_init(&scene.loop) < 0 || patience_open(&scene.patience, &scene.loop, NULL) < 0;
}

static int teardown(void **state)
{
    struct scene *sc = *state;

    patience_close(&sc->patience);
    uv_run(&sc->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&sc->loop);
}

static void link_is(struct scene *sc, bool connected)
{
    struct err why;
    struct session_event ev = {.type = SESSION_LINK, .connected = connected, .text = "it is so"};

    err_set(&why, STATUS_NETWORK, -ECONNREFUSED, "nobody is there");
    ev.error = connected ? NULL : &why;
    patience_event(&sc->patience, &ev);
}

static void what_was_never_reached_is_given_up_and_why_is_said(void **state)
{
    struct scene *sc = *state;

    link_is(sc, false);
    link_is(sc, false);
    uv_run(&sc->loop, UV_RUN_DEFAULT);
    assert_int_equal(sc->over, 1);
    assert_int_equal(sc->why.status, STATUS_NETWORK);
    assert_string_equal(sc->why.text, "nobody is there (tried for 1 s)");
}

static void what_is_reached_in_time_is_not_given_up(void **state)
{
    struct scene *sc = *state;

    link_is(sc, false);
    link_is(sc, true);
    uv_run(&sc->loop, UV_RUN_DEFAULT);
    assert_int_equal(sc->over, 0);
}

static void a_conversation_that_has_begun_is_waited_for(void **state)
{
    struct scene *sc = *state;

    patience_event(&sc->patience, &(struct session_event){.type = SESSION_READY, .text = "ready"});
    link_is(sc, false);
    uv_run(&sc->loop, UV_RUN_DEFAULT);
    assert_int_equal(sc->over, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_never_reached_is_given_up_and_why_is_said, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_reached_in_time_is_not_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_conversation_that_has_begun_is_waited_for, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
