/* Whether a connection is alive, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/pulse.h"

#define MS INT64_C(1000000)

static const int64_t began = INT64_C(123456789012345);

static void nothing_is_watched_unless_asked(void **state)
{
    struct pulse p = {.rtt_ms = -1};

    (void)state;
    pulse_start(&p, 0, 0, began);
    assert_true(pulse_due_ns(&p) == INT64_MAX);
    assert_false(pulse_silent(&p, began + 1000000 * MS));
    assert_false(pulse_wants_ping(&p, began + 1000000 * MS));
}

static void pings_are_due_at_their_interval(void **state)
{
    struct pulse p = {.rtt_ms = -1};
    char text[PULSE_PING];

    (void)state;
    pulse_start(&p, 1000, 0, began);
    assert_true(pulse_due_ns(&p) == began + 1000 * MS);
    assert_false(pulse_wants_ping(&p, began + 999 * MS));
    assert_true(pulse_wants_ping(&p, began + 1000 * MS));
    pulse_ping(&p, began + 1001 * MS, text);
    assert_false(pulse_wants_ping(&p, began + 2000 * MS));
    assert_true(pulse_wants_ping(&p, began + 2001 * MS));
    assert_false(pulse_silent(&p, began + 100000 * MS));
}

static void silence_counts_from_what_came_last(void **state)
{
    struct pulse p = {.rtt_ms = -1};

    (void)state;
    pulse_start(&p, 1000, 2500, began);
    pulse_heard(&p, began + 400 * MS);
    assert_false(pulse_silent(&p, began + 2899 * MS));
    assert_true(pulse_silent(&p, began + 2900 * MS));
    pulse_start(&p, 0, 100, began + 3000 * MS); /* from now on */
    assert_false(pulse_silent(&p, began + 3099 * MS));
    assert_true(pulse_due_ns(&p) == began + 3100 * MS);
}

static void the_way_is_measured_from_the_first_ping_without_an_answer(void **state)
{
    struct pulse p = {.rtt_ms = -1};
    char first[PULSE_PING], second[PULSE_PING];
    size_t n;

    (void)state;
    pulse_start(&p, 1000, 0, began);
    n = pulse_ping(&p, began, first);
    assert_int_equal(pulse_ping(&p, began + 1000 * MS, second), n);
    assert_memory_equal(first, second, n);
    pulse_pong(&p, began + 1200 * MS, first, n);
    assert_true(p.rtt_ms > 1199.9 && p.rtt_ms < 1200.1);
    pulse_pong(&p, began + 1300 * MS, first, n); /* the answer to the second one */
    assert_true(p.rtt_ms < 1200.1);
    n = pulse_ping(&p, began + 2000 * MS, second);
    assert_memory_not_equal(first, second, n);
    pulse_pong(&p, began + 2050 * MS, second, n);
    assert_true(p.rtt_ms > 49.9 && p.rtt_ms < 50.1);
}

static void answers_that_were_not_asked_for_measure_nothing(void **state)
{
    struct pulse p = {.rtt_ms = -1};
    char text[PULSE_PING];
    size_t n;

    (void)state;
    pulse_start(&p, 1000, 0, began);
    pulse_pong(&p, began, "0", 1);
    n = pulse_ping(&p, began, text);
    pulse_pong(&p, began + MS, text, n - 1);
    text[0] ^= 1;
    pulse_pong(&p, began + MS, text, n);
    pulse_pong(&p, began + MS, "", 0);
    assert_true(p.rtt_ms < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_watched_unless_asked),
        cmocka_unit_test(pings_are_due_at_their_interval),
        cmocka_unit_test(silence_counts_from_what_came_last),
        cmocka_unit_test(the_way_is_measured_from_the_first_ping_without_an_answer),
        cmocka_unit_test(answers_that_were_not_asked_for_measure_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
