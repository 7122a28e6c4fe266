/* backoff: quick at first, then patient, never all at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/backoff.h"

static void for_thirty_seconds_attempts_are_at_most_a_quarter_of_a_second_apart(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct backoff b;
        double now = 1e9, end = now + 30000;
        backoff_init(&b, seed);
        while (now < end) {
            double wait = backoff_next(&b, now);
            assert_true(wait >= 100 && wait <= 225);
            now += wait;
        }
        assert_true(backoff_next(&b, now) >= 250);
    }
}

static void then_the_wait_doubles_up_to_half_a_minute(void **state)
{
    struct backoff b;
    double now = 0, most = 500;

    (void)state;
    backoff_init(&b, 7);
    backoff_next(&b, now);
    now = 30000;
    for (int i = 0; i < 100; i++) {
        double wait = backoff_next(&b, now);
        assert_true(wait > most / 2 && wait <= most);
        now += wait;
        most = most * 2 < 30000 ? most * 2 : 30000;
    }
}

static void who_failed_together_does_not_come_back_together(void **state)
{
    double least = 1e9, most = 0, quick_least = 1e9, quick_most = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct backoff b;
        double wait;
        backoff_init(&b, seed);
        wait = backoff_next(&b, 0);
        quick_least = wait < quick_least ? wait : quick_least;
        quick_most = wait > quick_most ? wait : quick_most;
        for (int i = 0; i < 20; i++)
            wait = backoff_next(&b, 40000);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_true(quick_most - quick_least > 80);
    assert_true(most - least > 12000);
}

static void the_same_seed_waits_the_same(void **state)
{
    struct backoff a, b;

    (void)state;
    backoff_init(&a, 42);
    backoff_init(&b, 42);
    for (int i = 0; i < 100; i++)
        assert_true(backoff_next(&a, i * 1000) == backoff_next(&b, i * 1000));
}

static void a_new_failure_is_met_with_haste_again(void **state)
{
    struct backoff b;

    (void)state;
    backoff_init(&b, 1);
    backoff_next(&b, 0);
    for (int i = 0; i < 10; i++)
        backoff_next(&b, 100000);
    assert_true(backoff_next(&b, 200000) > 10000);
    backoff_reset(&b);
    assert_true(backoff_next(&b, 200000) <= 225);
    assert_true(backoff_next(&b, 229999) <= 225);
    assert_true(backoff_next(&b, 230000) > 225); /* and grows from its beginning */
    assert_true(backoff_next(&b, 230000) <= 1000);
}

static void what_the_server_says_is_waited_for_up_to_a_minute(void **state)
{
    (void)state;
    assert_true(backoff_told(0, 1) == 0);
    assert_true(backoff_told(7, 3) == 7000);
    assert_true(backoff_told(60, 1) == 60000);
    assert_true(backoff_told(86400, 1) == 60000);
    assert_true(backoff_told(INT32_MAX, 1) == 60000);
    assert_true(backoff_told(-1, 0) == 1000);
    assert_true(backoff_told(-1, 1) == 1000);
    assert_true(backoff_told(-1, 5) == 16000);
    assert_true(backoff_told(-1, 6) == 30000);
    assert_true(backoff_told(-1, UINT32_MAX) == 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_thirty_seconds_attempts_are_at_most_a_quarter_of_a_second_apart),
        cmocka_unit_test(then_the_wait_doubles_up_to_half_a_minute),
        cmocka_unit_test(who_failed_together_does_not_come_back_together),
        cmocka_unit_test(the_same_seed_waits_the_same),
        cmocka_unit_test(a_new_failure_is_met_with_haste_again),
        cmocka_unit_test(what_the_server_says_is_waited_for_up_to_a_minute),
    };

    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
