/* hush: what is written to descriptor 2 meanwhile is lost, what is written afterwards is not. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/hush.h"

static void only_the_last_end_lets_through(void **state)
{
    int fds[2], saved = dup(STDERR_FILENO);
    char got[8];
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    close(fds[1]);
    hush_begin();
    hush_begin();
    n = write(STDERR_FILENO, "a", 1);
    hush_end();
    n += write(STDERR_FILENO, "b", 1);
    hush_end();
    n += write(STDERR_FILENO, "c", 1);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(n, 3);
    assert_int_equal(read(fds[0], got, sizeof got), 1);
    assert_int_equal(got[0], 'c');
    assert_int_equal(read(fds[0], got, sizeof got), 0); /* nothing holds the other end any more */
    close(fds[0]);
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
        cmocka_unit_test(only_the_last_end_lets_through),
        cmocka_unit_test(a_closed_stderr_stays_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
