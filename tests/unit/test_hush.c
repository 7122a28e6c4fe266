/* hush: what is written to descriptor 2 meanwhile is lost, and it has one owner at a time. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/hush.h"

static void what_is_written_meanwhile_is_lost(void **state)
{
    int fds[2], saved = dup(STDERR_FILENO);
    char got[8];
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    close(fds[1]);
    hush_begin();
    n = write(STDERR_FILENO, "a", 1);
    hush_end();
    n += write(STDERR_FILENO, "b", 1);
    hush_begin();
    n += write(STDERR_FILENO, "c", 1);
    hush_end();
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(n, 3);
    assert_int_equal(read(fds[0], got, sizeof got), 1);
    assert_int_equal(got[0], 'b');
    assert_int_equal(read(fds[0], got, sizeof got), 0); /* nothing holds the other end any more */
    close(fds[0]);
}

static void *hush_once(void *passed)
{
    hush_begin();
    atomic_store((atomic_bool *)passed, true);
    hush_end();
    return NULL;
}

static void one_owner_waits_for_the_other(void **state)
{
    const struct timespec pause = {0, 5000000};
    atomic_bool passed = false;
    pthread_t thread;

    (void)state;
    hush_take();
    assert_int_equal(pthread_create(&thread, NULL, hush_once, &passed), 0);
    nanosleep(&pause, NULL);
    assert_false(atomic_load(&passed));
    hush_give();
    pthread_join(thread, NULL);
    assert_true(atomic_load(&passed));
}

static void a_closed_stderr_stays_closed(void **state)
{
    int saved = dup(STDERR_FILENO), after;

    (void)state;
    close(STDERR_FILENO);
    hush_begin();
    hush_end();
    after = fcntl(STDERR_FILENO, F_GETFD);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(after, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_meanwhile_is_lost),
        cmocka_unit_test(one_owner_waits_for_the_other),
        cmocka_unit_test(a_closed_stderr_stays_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
