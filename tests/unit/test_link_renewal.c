/* link: a second connection that takes over from the first, and the end of a link, whenever it
 * comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/link_stage.h"
#include "fake/rt_guard.h"

/* --- renewal */

static void a_second_connection_takes_over_without_a_gap(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, "wss://one/", FAKE_REFUSE, 500, 0);
    stage_open(s, 2);
    s->inside = true;
    link_attend(s->link, true);
    link_renew(s->link);
    link_renew(s->link);
    s->inside = false;
    stage_run(s, 0);
    assert_int_equal(stage_lines(s), 3);
    assert_string_equal(stage_line(s, 2)->url, "wss://two/"); /* the place in use */
    assert_int_equal(stage_line(s, 2)->patience_ms, 2500);
    assert_int_equal(stage_last(s)->type, LINK_NEXT);
    assert_int_equal(link_send(s->link, "old", 3), 0);
    assert_string_equal(fake_transport_sent(s->net, 1, 0), "old");
    assert_int_equal(stage_line(s, 2)->sent, 0);
    fake_transport_deliver(s->net, 1, "from the old");
    fake_transport_deliver(s->net, 2, "from the new");
    stage_run(s, 0);
    assert_string_equal(s->events[s->count - 2].text, "from the old");
    assert_false(s->events[s->count - 2].next);
    assert_string_equal(stage_last(s)->text, "from the new");
    assert_true(stage_last(s)->next);
    fake_transport_deliver(s->net, 1, "too late");
    link_switch(s->link);
    link_switch(s->link);
    assert_true(link_up(s->link));
    assert_int_equal(link_send(s->link, "newer", 5), 0);
    assert_string_equal(fake_transport_sent(s->net, 2, 0), "newer");
    fake_transport_deliver(s->net, 2, "yes");
    stage_run(s, 0);
    assert_string_equal(stage_last(s)->text, "yes");
    assert_string_equal(s->events[s->count - 2].text, "from the new");
    assert_false(stage_last(s)->next);
    assert_true(stage_line(s, 1)->gone);
    assert_int_equal(stage_line(s, 1)->code, 1000);
}

static void a_second_connection_that_fails_leaves_the_first(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 1);
    stage_plan(s, NULL, FAKE_REFUSE, 401, 0);
    link_renew(s->link);
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_NEXT_LOST);
    assert_int_equal(stage_last(s)->status, STATUS_AUTH);
    assert_true(link_up(s->link));
    stage_plan(s, NULL, FAKE_FAIL, -ENOMEM, 0);
    s->inside = true;
    link_renew(s->link);
    s->inside = false;
    stage_run(s, 0);
    assert_int_equal(stage_count(s, LINK_NEXT_LOST), 2);
    stage_plan(s, NULL, FAKE_OPEN, 0, 0);
    link_renew(s->link);
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_NEXT);
    fake_transport_break(s->net, fake_transport_last(s->net));
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_NEXT_LOST);
    assert_int_equal(link_send(s->link, "a", 1), 0);
    link_renew(s->link);
    link_drop_next(s->link);
    stage_run(s, 0);
    link_renew(s->link);
    stage_run(s, 0);
    link_drop_next(s->link);
    stage_run(s, 1000);
    assert_int_equal(stage_last(s)->type, LINK_NEXT);
    assert_true(stage_line(s, fake_transport_last(s->net))->gone);
    assert_true(link_up(s->link));
}

static void switch_over(struct link_stage *s, const struct link_event *ev)
{
    if (ev->type == LINK_LOST && ev->next)
        link_switch(s->link);
}

static void when_the_first_breaks_the_second_may_go_on(void **state)
{
    struct link_stage *s = *state;

    s->on_event = switch_over;
    stage_open(s, 1);
    link_renew(s->link);
    stage_run(s, 0);
    fake_transport_break(s->net, 0);
    stage_run(s, 100);
    assert_int_equal(stage_last(s)->type, LINK_LOST);
    assert_true(stage_last(s)->next);
    assert_true(link_up(s->link));
    assert_int_equal(link_send(s->link, "a", 1), 0);
    assert_string_equal(fake_transport_sent(s->net, 1, 0), "a");
    assert_int_equal(stage_lines(s), 2);
    link_renew(s->link);
    stage_run(s, 0);
    stage_fail(s, false, 0); /* the same when it was given up */
    link_switch(s->link);
    stage_run(s, 100);
    assert_int_equal(link_send(s->link, "b", 1), 0);
    assert_string_equal(fake_transport_sent(s->net, 2, 0), "b");
    assert_int_equal(stage_count(s, LINK_LOST), 2);
    assert_true(s->events[s->count - 1].next);
    s->on_event = NULL;
    link_renew(s->link);
    stage_run(s, 0);
    fake_transport_break(s->net, 2); /* its owner has no use for the second */
    stage_run(s, 100);
    assert_true(stage_line(s, 3)->gone);
    assert_int_equal(stage_line(s, 3)->code, 1000);
    assert_int_equal(stage_lines(s), 5);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
}

static void a_second_on_its_way_becomes_the_one_in_use(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 1);
    stage_plan(s, NULL, FAKE_WAIT, 0, 0);
    link_renew(s->link);
    stage_run(s, 10);
    fake_transport_break(s->net, 0);
    fake_transport_open(s->net, 1);
    stage_run(s, 0);
    assert_int_equal(s->events[1].type, LINK_LOST);
    assert_false(s->events[1].next);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    assert_int_equal(s->count, 3);
    assert_int_equal(link_send(s->link, "a", 1), 0);
    assert_string_equal(fake_transport_sent(s->net, 1, 0), "a");
    link_renew(s->link); /* and one that is still to be begun is not */
    fake_transport_break(s->net, 1);
    stage_run(s, 0);
    assert_int_equal(stage_count(s, LINK_NEXT_LOST) + stage_count(s, LINK_NEXT), 0);
}

static void a_final_failure_takes_the_second_along(void **state)
{
    struct link_stage *s = *state;

    for (int open = 0; open < 2; open++) {
        stage_open(s, 1);
        if (!open)
            stage_plan(s, NULL, FAKE_WAIT, 0, 0);
        link_renew(s->link);
        stage_run(s, 0);
        stage_fail(s, true, 0);
        stage_run(s, 1000);
        assert_int_equal(stage_last(s)->type, LINK_DEAD);
        assert_int_equal(stage_lines(s), 2);
        assert_true(stage_line(s, 1)->gone);
        if (open)
            return;
        stage_teardown(state);
        stage_setup(state);
        s = *state;
    }
}

static void fail_on_a_word(struct link_stage *s, const struct link_event *ev)
{
    if (ev->type == LINK_MESSAGE)
        link_fail(s->link, &(struct err){STATUS_FAILED, -EPROTO, "no"}, false, 30000);
}

/* The second one is there in the same turn of the loop in which the first one is given up. */
static void a_second_that_comes_at_the_last_moment_is_told_along(void **state)
{
    struct link_stage *s = *state;

    s->on_event = fail_on_a_word;
    stage_open(s, 1);
    stage_plan(s, NULL, FAKE_WAIT, 0, 0);
    link_renew(s->link);
    stage_run(s, 0);
    fake_transport_deliver(s->net, 0, "fail");
    fake_transport_open(s->net, 1);
    stage_run(s, 0);
    assert_int_equal(stage_count(s, LINK_NEXT), 0);
    assert_int_equal(s->events[2].type, LINK_LOST);
    assert_true(s->events[2].next);
}

static void a_second_on_its_way_is_not_waited_for(void **state)
{
    struct link_stage *s = *state;

    s->on_event = fail_on_a_word;
    stage_open(s, 1);
    stage_plan(s, NULL, FAKE_WAIT, 0, 0);
    link_renew(s->link);
    stage_run(s, 0);
    fake_transport_deliver(s->net, 0, "fail");
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_LOST);
    assert_true(stage_last(s)->wait_ms == 0); /* it is the attempt, already under way */
}

/* --- the end */

static void a_link_is_closed_politely_but_not_for_ever(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 1);
    fake_transport_mute(s->net, 0);
    link_close(s->link);
    s->link = NULL;
    stage_run(s, 499);
    assert_int_equal(stage_line(s, 0)->code, 1000);
    assert_false(stage_line(s, 0)->gone);
    assert_int_equal(s->freed, 0);
    fake_transport_deliver(s->net, 0, "nobody hears this");
    stage_run(s, 1);
    assert_true(stage_line(s, 0)->gone);
    assert_int_equal(s->freed, 1);
}

static void a_link_that_is_answered_goes_at_once(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 1);
    link_close(s->link);
    s->link = NULL;
    stage_run(s, 0);
    assert_int_equal(s->freed, 1);
    link_close(NULL);
}

/* What leads to each kind of event. */
static void stir(struct link_stage *s, enum link_event_type type)
{
    if (type == LINK_DEAD) {
        stage_plan(s, NULL, FAKE_REFUSE, 401, 0);
        stage_start(s, 2);
        stage_run(s, 1000);
        return;
    }
    stage_start(s, 2);
    stage_run(s, 0);
    if (s->link == NULL)
        return;
    link_renew(s->link);
    stage_run(s, 0);
    if (s->link == NULL)
        return;
    if (type == LINK_MESSAGE)
        fake_transport_deliver(s->net, 0, "x");
    fake_transport_hold(s->net, 0, 10);
    fake_transport_hold(s->net, 0, 0);
    fake_transport_break(s->net, type == LINK_NEXT_LOST ? 1 : 0);
    stage_run(s, 1000);
}

static void the_owner_may_close_it_inside_any_event(void **state)
{
    struct link_stage *s = *state;

    for (int type = LINK_OPEN; type <= LINK_DEAD; type++) {
        s->close = true;
        s->close_at = (enum link_event_type)type;
        stir(s, s->close_at);
        assert_null(s->link);
        assert_int_equal(stage_last(s)->type, type);
        stage_teardown(state);
        stage_setup(state);
        s = *state;
    }
    stage_start(s, 1); /* and before anything has happened */
    link_close(s->link);
    s->link = NULL;
    stage_run(s, 1000);
    assert_int_equal(s->count, 0);
}

/* --- anything, in any order */

static uint32_t chance(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 9) % n;
}

static void storm_weather(struct link_stage *s, uint32_t *seed)
{
    static const enum fake_does does[] = {FAKE_OPEN, FAKE_OPEN,   FAKE_OPEN, FAKE_WAIT,
                                          FAKE_WAIT, FAKE_REFUSE, FAKE_BREAK};
    static const int status[] = {429, 500, 503, 503, 408};
    size_t i =
        stage_lines(s) > 0 ? stage_lines(s) - 1 - chance(seed, stage_lines(s) < 4 ? 1 : 4) : 0;

    stage_plan(s, STAGE_PLACES[chance(seed, 3)].url, does[chance(seed, 7)], status[chance(seed, 5)],
               (int)chance(seed, 3));
    if (stage_lines(s) == 0)
        return;
    switch (chance(seed, 6)) {
    case 0:
        fake_transport_break(s->net, i);
        break;
    case 1:
        fake_transport_end(s->net, i, 1011, "");
        break;
    case 2:
        fake_transport_open(s->net, i);
        break;
    case 3:
        fake_transport_mute(s->net, i);
        break;
    default:
        fake_transport_deliver(s->net, i, "x");
    }
}

static void storm_owner(struct link_stage *s, uint32_t *seed)
{
    switch (chance(seed, 9)) {
    case 0:
        link_renew(s->link);
        break;
    case 1:
        link_switch(s->link);
        break;
    case 2:
        link_drop_next(s->link);
        break;
    case 3:
        link_attend(s->link, chance(seed, 2));
        break;
    case 4:
        link_good(s->link);
        break;
    case 5:
        if (chance(seed, 3) == 0)
            link_fail(s->link, &(struct err){STATUS_FAILED, -EPROTO, "enough"}, false,
                      chance(seed, 2) * 500.0);
        break;
    default:
        link_send(s->link, "a", 1);
    }
}

static uint32_t storm_seed;

static void storm_inside(struct link_stage *s, const struct link_event *ev)
{
    assert_int_equal(ev->type == LINK_OPEN, ev->type == LINK_OPEN && link_up(s->link));
    assert_int_not_equal(ev->type, LINK_DEAD);
    if (chance(&storm_seed, 3) == 0)
        storm_owner(s, &storm_seed);
}

static void in_any_weather_there_is_one_line_in_use_and_the_end_is_clean(void **state)
{
    struct link_stage *s = *state;

    for (uint32_t seed = 1; seed <= 40; seed++) {
        size_t alive = 0;
        storm_seed = seed;
        s->on_event = storm_inside;
        stage_start(s, 3);
        for (int i = 0; i < 400 && stage_lines(s) < 3000 && s->count < 3000; i++) {
            storm_weather(s, &storm_seed);
            storm_owner(s, &storm_seed);
            stage_run(s, chance(&storm_seed, 20) == 0 ? 2000 : chance(&storm_seed, 120));
        }
        for (size_t i = 0; i < 3; i++)
            stage_plan(s, STAGE_PLACES[i].url, FAKE_OPEN, 0, 0);
        s->on_event = NULL;
        stage_run(s, 61000); /* whatever was waited for is over */
        assert_true(link_up(s->link));
        link_drop_next(s->link);
        stage_run(s, 1000);
        for (size_t i = 0; i < stage_lines(s); i++)
            alive += !stage_line(s, i)->gone;
        assert_int_equal(alive, 1);
        stage_teardown(state);
        stage_setup(state);
        s = *state;
    }
    stage_start(s, 1);
}

static void every_allocation_may_fail(void **state)
{
    struct link_stage *s = *state;
    struct link_config config = stage_config(s, 3);
    int failed = 0, rc = -ENOMEM;

    if (!rt_guard_works()) {
        stage_start(s, 1);
        return;
    }
    for (; rc != 0; failed++) {
        long held = rt_guard_held();
        struct err e = {0};
        rt_guard_starve(failed);
        rc = link_open(&s->link, &config, &e);
        rt_guard_starve(-1);
        if (rc == 0)
            break;
        assert_int_equal(rc, -ENOMEM);
        assert_string_equal(e.text, "out of memory");
        assert_int_equal(rt_guard_held(), held);
        assert_true(failed < 20);
    }
    assert_true(failed > 1);
    config.place_count = 0;
    assert_int_equal(link_open(&(struct link *){NULL}, &config, NULL), -EINVAL);
}

/* A line that cannot be made for want of memory is made later. */
static void without_memory_for_a_line_it_is_tried_again(void **state)
{
    struct link_stage *s = *state;

    if (!rt_guard_works()) {
        stage_start(s, 1);
        return;
    }
    stage_start(s, 1);
    rt_guard_starve(0);
    stage_run(s, 0);
    rt_guard_starve(-1);
    assert_int_equal(stage_lines(s), 0);
    assert_int_equal(stage_last(s)->type, LINK_LOST);
    assert_string_equal(stage_last(s)->text, "out of memory");
    stage_run(s, 250);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    link_renew(s->link);
    rt_guard_starve(0);
    stage_run(s, 0);
    rt_guard_starve(-1);
    assert_int_equal(stage_last(s)->type, LINK_NEXT_LOST);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_second_connection_takes_over_without_a_gap),
        ON_STAGE(a_second_connection_that_fails_leaves_the_first),
        ON_STAGE(when_the_first_breaks_the_second_may_go_on),
        ON_STAGE(a_second_on_its_way_becomes_the_one_in_use),
        ON_STAGE(a_final_failure_takes_the_second_along),
        ON_STAGE(a_second_that_comes_at_the_last_moment_is_told_along),
        ON_STAGE(a_second_on_its_way_is_not_waited_for),
        ON_STAGE(a_link_is_closed_politely_but_not_for_ever),
        ON_STAGE(a_link_that_is_answered_goes_at_once),
        ON_STAGE(the_owner_may_close_it_inside_any_event),
        ON_STAGE(in_any_weather_there_is_one_line_in_use_and_the_end_is_clean),
        ON_STAGE(every_allocation_may_fail),
        ON_STAGE(without_memory_for_a_line_it_is_tried_again),
    };

    if (!fake_clock_works())
        return 0;
    return cmocka_run_group_tests_name("link renewal", tests, NULL, NULL);
}
