/* What of a conversation is kept, and what of it must be read anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "local/fit.h"

/* System prompt, then ten exchanges of 10 + 10. */
enum { COUNT = 21 };
static void conversation(struct chat_message *m, size_t *cost)
{
    for (size_t i = 0; i < COUNT; i++) {
        m[i].role = i == 0 ? CHAT_SYSTEM : i % 2 ? CHAT_USER : CHAT_ASSISTANT;
        m[i].text = "";
        cost[i] = i == 0 ? 50 : 10;
    }
}

static void all_is_kept_when_it_fits(void **state)
{
    struct chat_message m[COUNT];
    size_t cost[COUNT];

    (void)state;
    conversation(m, cost);
    assert_int_equal(fit_start(m, cost, COUNT, 250, 0), 1);
    assert_int_equal(fit_start(m, cost, COUNT, 250, 7), 1);
}

static void old_exchanges_go_down_to_half_the_room(void **state)
{
    struct chat_message m[COUNT];
    size_t cost[COUNT];

    (void)state;
    conversation(m, cost);
    /* 249 - 50 = 199, half is 99: with the odd last message, the newest 9 fit, from a user's on */
    assert_int_equal(fit_start(m, cost, COUNT, 249, 0), 13);
    assert_int_equal(m[13].role, CHAT_USER);
}

static void what_was_kept_before_is_kept_as_long_as_it_fits(void **state)
{
    struct chat_message m[COUNT];
    size_t cost[COUNT];

    (void)state;
    conversation(m, cost);
    assert_int_equal(fit_start(m, cost, COUNT, 249, 3), 3);
    assert_int_equal(fit_start(m, cost, COUNT, 249, 4), 13); /* not where an exchange begins */
    assert_int_equal(fit_start(m, cost, COUNT, 100, 3), 19); /* does not fit any more */
    assert_int_equal(fit_start(m, cost, COUNT, 249, 99), 13);
}

static void the_last_user_message_always_stays(void **state)
{
    struct chat_message m[COUNT];
    size_t cost[COUNT];

    (void)state;
    conversation(m, cost);
    cost[19] = 5000;
    assert_int_equal(fit_start(m, cost, COUNT, 200, 0), 19);
    assert_int_equal(fit_start(m, cost, COUNT, 10, 0), 19);
    assert_int_equal(fit_start(m, cost, 1, 10, 0), 1);
    assert_int_equal(fit_start(m, cost, 0, 10, 0), 0);
}

static void the_common_beginning_is_kept(void **state)
{
    const int32_t old[] = {1, 2, 3, 4, 5}, want[] = {1, 2, 3, 9, 9, 9};
    struct fit_plan p = fit_plan(old, 5, want, 6, 1);

    (void)state;
    assert_int_equal(p.keep, 3);
    assert_int_equal(p.moved, 0);
    p = fit_plan(old, 0, want, 6, 1);
    assert_int_equal(p.keep, 0);
    p = fit_plan(old, 5, want, 0, 1);
    assert_int_equal(p.keep, 0);
}

static void one_token_is_always_read(void **state)
{
    const int32_t old[] = {1, 2, 3, 4, 5};
    struct fit_plan p = fit_plan(old, 5, old, 5, 1);

    (void)state;
    assert_int_equal(p.keep, 4);
    assert_int_equal(p.moved, 0);
    p = fit_plan(old, 5, old, 3, 1);
    assert_int_equal(p.keep, 2);
}

static void what_comes_after_a_gap_is_moved(void **state)
{
    const int32_t old[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, want[] = {1, 2, 6, 7, 8, 9, 10, 11};
    struct fit_plan p = fit_plan(old, 9, want, 8, 3);

    (void)state;
    assert_int_equal(p.keep, 2);
    assert_int_equal(p.gap, 3);
    assert_int_equal(p.moved, 4);
    p = fit_plan(old, 9, want, 8, 5); /* not worth it */
    assert_int_equal(p.keep, 2);
    assert_int_equal(p.moved, 0);
    p = fit_plan(old, 9, want, 8, SIZE_MAX); /* not possible */
    assert_int_equal(p.moved, 0);
    p = fit_plan(old, 9, want, 6, 3); /* one is left to read */
    assert_int_equal(p.moved, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_kept_when_it_fits),
        cmocka_unit_test(old_exchanges_go_down_to_half_the_room),
        cmocka_unit_test(what_was_kept_before_is_kept_as_long_as_it_fits),
        cmocka_unit_test(the_last_user_message_always_stays),
        cmocka_unit_test(the_common_beginning_is_kept),
        cmocka_unit_test(one_token_is_always_read),
        cmocka_unit_test(what_comes_after_a_gap_is_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
