/* stop: signals arrive on the loop, and end a process whose loop does not take them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ui/stop.h"

/* Each case is a process of its own, for signals are the whole process's. */
static int status_of(void (*child)(void))
{
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        child();
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct seen {
    int signals[8], count, enough;
    uv_loop_t *loop;
};

static void on_stop(void *user, int signum)
{
    struct seen *s = user;

    s->signals[s->count++] = signum;
    if (s->count == s->enough)
        uv_stop(s->loop);
}

static void each_signal_is_told(void)
{
    struct seen s = {.enough = 3};
    struct stop stop;
    uv_loop_t loop;

    uv_loop_init(&loop);
    s.loop = &loop;
    if (stop_init(&stop, &loop, on_stop, &s) != 0)
        _exit(1);
    kill(getpid(), SIGINT);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGINT);
    uv_run(&loop, UV_RUN_DEFAULT);
    stop_close(&stop);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0)
        _exit(2);
    if (s.count != 3 || s.signals[0] + s.signals[1] + s.signals[2] != 2 * SIGINT + SIGTERM)
        _exit(3);
    kill(getpid(), SIGTERM); /* nobody's any more */
}

static void a_loop_hangs(int signum)
{
    struct stop stop;
    uv_loop_t loop;
    int ends[2];
    char byte;

    uv_loop_init(&loop);
    if (pipe(ends) != 0 || stop_init(&stop, &loop, on_stop, NULL) != 0)
        _exit(1);
    kill(getpid(), signum);
    (void)!read(ends[0], &byte, 1); /* never comes, and starts again after a signal */
}

static void hangs_at_ctrl_c(void)
{
    a_loop_hangs(SIGINT);
}

static void hangs_at_sigterm(void)
{
    a_loop_hangs(SIGTERM);
}

static void signals_come_to_the_loop(void **state)
{
    (void)state;
    assert_int_equal(status_of(each_signal_is_told), 128 + SIGTERM);
}

static void a_loop_that_hangs_is_not_waited_for(void **state)
{
    (void)state;
    assert_int_equal(status_of(hangs_at_ctrl_c), 130);
    assert_int_equal(status_of(hangs_at_sigterm), 143);
}

static void without_a_loop_it_closes_all_the_same(void **state)
{
    struct stop none = {.pipe = {-1, -1}};

    (void)state;
    stop_close(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_come_to_the_loop),
        cmocka_unit_test(a_loop_that_hangs_is_not_waited_for),
        cmocka_unit_test(without_a_loop_it_closes_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
