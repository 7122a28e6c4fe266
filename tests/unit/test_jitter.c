/* jitter: what is kept ready grows with trouble and shrinks in peace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audio/jitter.h"

#define MS     (int64_t)1000000
#define SECOND (1000 * MS)

static bool step(struct jitter *j, uint64_t dry, double ready_ms, int64_t now_ns)
{
    return jitter_step(
        j,
        &(struct jitter_look){
            .dry = dry, .ready_ms = ready_ms, .fresh_ms = -1, .period_ms = 10, .now_ns = now_ns});
}

/* An item is to begin, of which so much is there. */
static bool may_begin(struct jitter *j, uint64_t dry, double fresh_ms, int64_t now_ns)
{
    return jitter_step(
        j,
        &(struct jitter_look){
            .dry = dry, .ready_ms = -1, .fresh_ms = fresh_ms, .period_ms = 10, .now_ns = now_ns});
}

/* The source of an item was late by so many ms. */
static int64_t late_by(struct jitter *j, uint64_t dry, int ms, int64_t now)
{
    step(j, dry, 0, now);
    step(j, dry, 100, now += ms * MS);
    return now + step(j, dry, 500, now);
}

static void nothing_is_waited_for_without_trouble(void **state)
{
    struct jitter j = {0};

    (void)state;
    for (int64_t i = 0; i < 100; i++)
        assert_true(step(&j, 0, i % 2 == 0 ? -1 : 0, i * SECOND));
    assert_true(jitter_ahead_ms(&j, 10) == JITTER_LEAST_MS);
    /* A large callback needs more, and there is a most. */
    assert_true(jitter_ahead_ms(&j, 100) == 220);
    assert_true(jitter_ahead_ms(&j, 800) == 1620); /* two periods: one is being heard */
    assert_true(jitter_ahead_ms(&j, 5000) == JITTER_LONG_MS);
}

static void a_late_worker_keeps_more_ahead_and_less_again_in_peace(void **state)
{
    struct jitter j = {0};
    double before = 0;
    int64_t now = 0;

    (void)state;
    for (uint64_t dry = 1; dry <= 8; dry++) {
        /* There was something to feed: it is fed at once. */
        assert_true(step(&j, dry, 200, now += SECOND));
        assert_true(jitter_ahead_ms(&j, 10) > before || before == JITTER_MOST_MS);
        before = jitter_ahead_ms(&j, 10);
    }
    assert_true(before == JITTER_MOST_MS);
    for (int i = 0; i < 9; i++)
        step(&j, 8, 200, now += SECOND);
    assert_true(jitter_ahead_ms(&j, 10) == before);
    for (int i = 0; i < 3600; i++)
        step(&j, 8, 200, now += SECOND);
    assert_true(jitter_ahead_ms(&j, 10) == JITTER_LEAST_MS);
}

static void a_slow_source_is_waited_for_a_little_longer_each_time(void **state)
{
    struct jitter j = {0};
    double waited, before = 0;
    int64_t now = SECOND;
    uint64_t dry = 0;

    (void)state;
    for (int k = 0; k < 8; k++) {
        assert_false(step(&j, ++dry, 0, now));
        /* It runs dry all the while, which is one trouble. */
        for (waited = 10; !step(&j, ++dry, waited, now); waited += 10)
            now += SECOND / 100;
        assert_true(waited > before || before == JITTER_WAIT_MS);
        assert_true(waited <= JITTER_WAIT_MS);
        before = waited;
        now += SECOND;
    }
    /* The rest of an item is not waited for. */
    assert_false(step(&j, ++dry, 0, now));
    assert_true(step(&j, dry, -1, now));
}

static void a_source_that_says_no_more_is_not_waited_for_for_ever(void **state)
{
    struct jitter j = {0};
    int64_t now = SECOND;

    (void)state;
    assert_false(step(&j, 1, 0, now));
    assert_false(step(&j, 1, 0, now += 10 * SECOND - 1));
    assert_false(step(&j, 1, 20, now));
    assert_false(step(&j, 1, 20, now += SECOND / 100));
    assert_true(step(&j, 1, 20, now += SECOND / 10));
}

static void items_begin_at_once_while_no_source_was_late(void **state)
{
    struct jitter j = {0};

    (void)state;
    assert_true(may_begin(&j, 0, 0, SECOND));
    assert_true(may_begin(&j, 0, 20, SECOND));
}

static void after_a_source_that_was_a_little_late_items_begin_later_by_that(void **state)
{
    struct jitter j = {0};
    int64_t now = late_by(&j, 1, 20, SECOND);

    (void)state;
    assert_false(may_begin(&j, 1, 100, now += SECOND));
    assert_false(may_begin(&j, 1, 100, now + 29 * MS));
    assert_true(may_begin(&j, 1, 100, now + 30 * MS));
    /* The next one too, counted from its own first speech. */
    assert_true(may_begin(&j, 1, -1, now += SECOND));
    assert_false(may_begin(&j, 1, 100, now));
    assert_true(may_begin(&j, 1, 100, now + 30 * MS));
}

static void who_sends_faster_than_it_is_heard_is_not_waited_for(void **state)
{
    struct jitter j = {0};
    int64_t now = late_by(&j, 1, 20, SECOND);

    (void)state;
    assert_false(may_begin(&j, 1, 399, now));
    assert_true(may_begin(&j, 1, 400, now));
}

static void a_source_that_thinks_makes_nothing_begin_later(void **state)
{
    struct jitter j = {0};
    int64_t now = late_by(&j, 1, 300, SECOND);

    (void)state;
    assert_true(may_begin(&j, 1, 20, now));
}

static void the_later_beginning_has_a_bound_and_is_given_up_in_peace(void **state)
{
    struct jitter j = {0};
    int64_t now = SECOND;

    (void)state;
    for (uint64_t dry = 1; dry <= 10; dry++)
        now = late_by(&j, dry, 90, now + SECOND);
    assert_false(may_begin(&j, 10, 20, now));
    assert_false(may_begin(&j, 10, 20, now + (JITTER_SHORT_MS - 1) * MS));
    assert_true(may_begin(&j, 10, 20, now + JITTER_SHORT_MS * MS));
    for (int i = 0; i < 3600; i++)
        may_begin(&j, 10, -1, now += SECOND);
    assert_true(may_begin(&j, 10, 20, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_waited_for_without_trouble),
        cmocka_unit_test(a_late_worker_keeps_more_ahead_and_less_again_in_peace),
        cmocka_unit_test(a_slow_source_is_waited_for_a_little_longer_each_time),
        cmocka_unit_test(a_source_that_says_no_more_is_not_waited_for_for_ever),
        cmocka_unit_test(items_begin_at_once_while_no_source_was_late),
        cmocka_unit_test(after_a_source_that_was_a_little_late_items_begin_later_by_that),
        cmocka_unit_test(who_sends_faster_than_it_is_heard_is_not_waited_for),
        cmocka_unit_test(a_source_that_thinks_makes_nothing_begin_later),
        cmocka_unit_test(the_later_beginning_has_a_bound_and_is_given_up_in_peace),
    };

    return cmocka_run_group_tests_name("jitter", tests, NULL, NULL);
}
