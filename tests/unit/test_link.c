/* link: a connection that is made again whenever it breaks. A scripted network, a clock of the
 * test's own. */
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

/* --- in good weather */

static void the_first_attempt_is_at_once(void **state)
{
    struct link_stage *s = *state;

    stage_start(s, 1);
    assert_false(link_up(s->link));
    assert_int_equal(link_send(s->link, "a", 1), -ENOTCONN);
    stage_run(s, 0);
    assert_int_equal(s->count, 1);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    assert_int_equal(stage_last(s)->place, 0);
    assert_true(link_up(s->link));
    assert_string_equal(stage_line(s, 0)->url, "wss://one/");
    assert_string_equal(stage_line(s, 0)->headers, "Key: 1\n");
    stage_run(s, 120000);
    assert_int_equal(stage_lines(s), 1);
}

static void what_is_said_goes_both_ways(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 1);
    assert_int_equal(link_send(s->link, "{}", 2), 0);
    assert_string_equal(fake_transport_sent(s->net, 0, 0), "{}");
    fake_transport_deliver(s->net, 0, "hello");
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_MESSAGE);
    assert_string_equal(stage_last(s)->text, "hello");
    assert_false(stage_last(s)->next);
    fake_transport_hold(s->net, 0, 1000);
    assert_int_equal(link_waiting(s->link), 1000);
    fake_transport_hold(s->net, 0, 0);
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_DRAINED);
    assert_true(link_rtt_ms(s->link) < 0);
    fake_transport_rtt(s->net, 0, 12);
    assert_true(link_rtt_ms(s->link) == 12);
    fake_transport_send_fails(s->net, 0, -ENOMEM);
    assert_int_equal(link_send(s->link, "{}", 2), -ENOMEM);
}

static void a_line_is_watched_closely_while_somebody_talks(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 1);
    assert_int_equal(stage_line(s, 0)->interval_ms, 15000);
    assert_int_equal(stage_line(s, 0)->patience_ms, 30000);
    link_attend(s->link, true);
    assert_int_equal(stage_line(s, 0)->interval_ms, 1000);
    assert_int_equal(stage_line(s, 0)->patience_ms, 2500);
    fake_transport_break(s->net, 0);
    stage_run(s, 250);
    assert_int_equal(stage_line(s, 1)->patience_ms, 2500); /* the next one from its beginning */
    link_attend(s->link, false);
    assert_int_equal(stage_line(s, 1)->patience_ms, 30000);
}

/* --- attempts */

static void attempts_are_a_quarter_of_a_second_apart_and_then_ever_rarer(void **state)
{
    struct link_stage *s = *state;
    size_t quick = 0, n;

    stage_plan(s, NULL, FAKE_BREAK, 0, 0);
    stage_start(s, 1);
    stage_run(s, 600000);
    n = stage_lines(s);
    for (size_t i = 1; i < n; i++) {
        double gap = stage_begun(s, i) - stage_begun(s, i - 1);
        if (stage_begun(s, i) - stage_begun(s, 0) < 30000) {
            assert_true(gap >= 100 && gap <= 250);
            quick = i;
        } else {
            assert_true(gap <= 30001);
        }
    }
    assert_true(quick >= 120);
    assert_true(n - quick < 50); /* ten minutes less half of one */
    assert_true(n - quick > 20);
    assert_int_equal(s->count, 1); /* told once */
    assert_int_equal(stage_last(s)->type, LINK_LOST);
    assert_int_equal(stage_last(s)->status, STATUS_NETWORK);
}

static void endpoints_are_tried_in_order_without_waiting_in_the_first_round(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, NULL, FAKE_REFUSE, 503, 0);
    stage_start(s, 3);
    stage_run(s, 2000);
    for (size_t i = 0; i < stage_lines(s); i++)
        assert_string_equal(stage_line(s, i)->url, STAGE_PLACES[i % 3].url);
    assert_true(stage_begun(s, 2) - stage_begun(s, 0) <= 1);
    assert_true(stage_begun(s, 3) - stage_begun(s, 2) >= 100);
    assert_true(stage_lines(s) >= 8);
    stage_plan(s, "wss://two/", FAKE_OPEN, 0, 0);
    stage_run(s, 1000);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    assert_int_equal(stage_last(s)->place, 1);
}

static void a_refusal_that_will_not_change_is_final(void **state)
{
    static const int final[] = {200, 204, 301, 302, 307, 400, 401, 402,
                                403, 404, 405, 410, 418, 426, 501, 505};
    struct link_stage *s = *state;

    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        if (i > 0) {
            stage_teardown(state);
            stage_setup(state);
            s = *state;
        }
        stage_plan(s, NULL, FAKE_REFUSE, final[i], 0);
        stage_start(s, 1);
        stage_run(s, 100000);
        assert_int_equal(s->count, 1);
        assert_int_equal(stage_last(s)->type, LINK_DEAD);
        assert_int_equal(stage_last(s)->status,
                         final[i] == 401 || final[i] == 403 ? STATUS_AUTH : STATUS_FAILED);
        assert_int_equal(stage_lines(s), 1);
        assert_int_equal(link_send(s->link, "a", 1), -ENOTCONN);
    }
}

/* A server behind others that is being replaced, say. */
static void a_place_that_has_served_is_asked_three_times(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 1);
    stage_run(s, 6000);
    stage_plan(s, NULL, FAKE_REFUSE, 404, 0);
    fake_transport_break(s->net, 0);
    stage_run(s, 1500);
    assert_int_equal(stage_lines(s), 3);
    stage_plan(s, NULL, FAKE_OPEN, 0, 0);
    stage_run(s, 2000);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    stage_run(s, 6000);
    stage_plan(s, NULL, FAKE_REFUSE, 401, 0);
    fake_transport_break(s->net, 3);
    stage_run(s, 2900);
    assert_int_equal(stage_last(s)->type, LINK_LOST);
    assert_int_equal(stage_last(s)->status, STATUS_AUTH); /* people know what is wrong */
    stage_run(s, 200);
    assert_int_equal(stage_last(s)->type, LINK_DEAD);
    assert_int_equal(stage_lines(s), 7);
}

static void a_refusal_that_may_change_is_not(void **state)
{
    static const int passing[] = {0, 408, 425, 500, 502, 503, 504, 520, 529, 599};
    struct link_stage *s = *state;

    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        if (i > 0) {
            stage_teardown(state);
            stage_setup(state);
            s = *state;
        }
        stage_plan(s, NULL, FAKE_REFUSE, passing[i], 0);
        stage_start(s, 1);
        stage_run(s, 2000);
        assert_true(stage_lines(s) > 7);
        assert_int_equal(stage_count(s, LINK_DEAD), 0);
        stage_plan(s, NULL, FAKE_OPEN, 0, 0);
        stage_run(s, 250);
        assert_int_equal(stage_last(s)->type, LINK_OPEN);
    }
}

static void an_address_that_is_none_is_told_by_the_loop(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, "wss://one/", FAKE_FAIL, -EINVAL, 0);
    stage_start(s, 1);
    assert_int_equal(s->count, 0);
    stage_run(s, 0);
    assert_int_equal(s->count, 1);
    assert_int_equal(stage_last(s)->type, LINK_DEAD);
    assert_int_equal(stage_last(s)->status, STATUS_USAGE);
}

static void a_place_that_is_out_leaves_the_others(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, "wss://one/", FAKE_REFUSE, 401, 0);
    stage_plan(s, "wss://two/", FAKE_REFUSE, 500, 0);
    stage_plan(s, "wss://three/", FAKE_FAIL, -ENOMEM, 0);
    stage_start(s, 3);
    stage_run(s, 3000);
    for (size_t i = 1; i < stage_lines(s); i++)
        assert_string_equal(stage_line(s, i)->url, "wss://two/");
    assert_int_equal(stage_count(s, LINK_LOST), 3); /* each for its own reason, once */
    assert_int_equal(s->events[0].status, STATUS_AUTH);
    stage_plan(s, "wss://two/", FAKE_REFUSE, 404, 0);
    stage_run(s, 3000);
    assert_int_equal(stage_last(s)->type, LINK_LOST); /* three may have memory again */
    stage_plan(s, "wss://three/", FAKE_REFUSE, 403, 0);
    stage_run(s, 3000);
    assert_int_equal(stage_last(s)->type, LINK_DEAD);
    assert_int_equal(stage_last(s)->place, 2);
}

static void too_many_requests_are_waited_out(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, NULL, FAKE_REFUSE, 429, 7);
    stage_start(s, 1);
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_LOST);
    assert_true(stage_last(s)->wait_ms > 6900 && stage_last(s)->wait_ms <= 7000);
    stage_plan(s, NULL, FAKE_REFUSE, 503, 100000);
    stage_run(s, 6990);
    assert_int_equal(stage_lines(s), 1);
    stage_run(s, 10);
    assert_int_equal(stage_lines(s), 2);
    assert_true(stage_last(s)->wait_ms > 59000 &&
                stage_last(s)->wait_ms <= 60000); /* at most a minute */
    stage_run(s, 59990);
    assert_int_equal(stage_lines(s), 2);
    stage_plan(s, NULL, FAKE_REFUSE, 429, 0); /* it does not say how long */
    stage_run(s, 20);
    assert_int_equal(stage_lines(s), 3);
    stage_run(s, 1000 + 2000 + 4000 + 8000 + 16000 + 30000 + 30000 + 100);
    assert_int_equal(stage_lines(s), 10);
    stage_plan(s, NULL, FAKE_OPEN, 0, 0);
    stage_run(s, 30000);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    stage_plan(s, NULL, FAKE_REFUSE, 429, 0);
    link_good(s->link);
    fake_transport_break(s->net, 10);
    stage_run(s, 0);
    stage_run(s, 1000 + 2000 + 100);
    assert_int_equal(stage_lines(s), 14); /* from the beginning again */
}

static void while_one_place_is_limited_another_one_serves(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, "wss://one/", FAKE_REFUSE, 429, 30);
    stage_plan(s, "wss://two/", FAKE_BREAK, 0, 0);
    stage_start(s, 2);
    stage_run(s, 1000);
    assert_true(stage_lines(s) > 4);
    for (size_t i = 1; i < stage_lines(s); i++)
        assert_string_equal(stage_line(s, i)->url, "wss://two/");
    stage_plan(s, "wss://two/", FAKE_OPEN, 0, 0);
    stage_run(s, 250);
    assert_int_equal(stage_last(s)->place, 1);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
}

static void an_attempt_that_hangs_is_raced(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, "wss://one/", FAKE_WAIT, 0, 0);
    stage_plan(s, "wss://two/", FAKE_WAIT, 0, 0);
    stage_start(s, 2);
    stage_run(s, 999);
    assert_int_equal(stage_lines(s), 1);
    stage_run(s, 1);
    assert_int_equal(stage_lines(s), 2);
    assert_string_equal(stage_line(s, 1)->url, "wss://two/");
    stage_run(s, 300);
    fake_transport_open(s->net, 0);
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    assert_int_equal(stage_last(s)->place, 0);
    assert_true(stage_line(s, 1)->gone);
    stage_run(s, 60000);
    assert_int_equal(stage_lines(s), 2);
    assert_int_equal(s->count, 1);
}

static void a_final_refusal_ends_the_race(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, NULL, FAKE_WAIT, 0, 0);
    stage_start(s, 1);
    stage_run(s, 2500);
    assert_int_equal(stage_lines(s), 3);
    fake_transport_refuse(s->net, 1, 403, 0);
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_DEAD);
    assert_true(stage_line(s, 0)->gone && stage_line(s, 2)->gone);
}

/* The link is blackholed: SYNs are lost, and the system repeats them ever more rarely. */
static void a_place_that_was_quick_is_raced_for_sooner(void **state)
{
    struct link_stage *s = *state;
    size_t n;

    stage_open(s, 1);
    stage_run(s, 6000);
    stage_plan(s, NULL, FAKE_WAIT, 0, 0);
    fake_transport_break(s->net, 0);
    stage_run(s, 20000);
    n = stage_lines(s);
    assert_true(n > 70);
    for (size_t i = 2; i < n; i++)
        assert_true(stage_begun(s, i) - stage_begun(s, i - 1) <= 250);
    stage_plan(s, NULL, FAKE_OPEN, 0, 0);
    stage_run(s, 250);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    for (size_t i = 0; i < n; i++)
        assert_true(stage_line(s, i)->gone);
}

/* However long the handshake takes now, up to the limit of one, some attempt lives to see it. */
static void attempts_that_hang_are_not_all_young(void **state)
{
    struct link_stage *s = *state;
    double now;
    size_t alive = 0;

    stage_open(s, 1);
    stage_run(s, 6000);
    stage_plan(s, NULL, FAKE_WAIT, 0, 0);
    fake_transport_break(s->net, 0);
    stage_run(s, 4900);
    now = (double)uv_now(&s->loop);
    for (double age = 300; age < 4900; age *= 2.5) {
        bool found = false;
        for (size_t i = 1; i < stage_lines(s); i++)
            found = found || (!stage_line(s, i)->gone && now - stage_begun(s, i) >= age &&
                              now - stage_begun(s, i) <= age * 2.5);
        assert_true(found);
    }
    for (size_t i = 1; i < stage_lines(s); i++)
        alive += !stage_line(s, i)->gone;
    assert_true(alive <= 6);
    assert_false(stage_line(s, 1)->gone);
    fake_transport_open(s->net, 1);
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
}

/* --- breaks */

static void a_break_is_mended_at_once_and_at_the_same_place(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, "wss://one/", FAKE_BREAK, 0, 0);
    stage_start(s, 3);
    stage_run(s, 10000);
    stage_plan(s, "wss://one/", FAKE_OPEN, 0, 0);
    assert_int_equal(stage_last(s)->place, 1);
    fake_transport_break(s->net, 1);
    stage_run(s, 0);
    assert_int_equal(stage_lines(s), 3);
    assert_string_equal(stage_line(s, 2)->url, "wss://two/");
    assert_int_equal(s->events[2].type, LINK_LOST);
    assert_true(s->events[2].wait_ms == 0);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    stage_plan(s, "wss://two/", FAKE_BREAK, 0, 0);
    stage_run(s, 10000);
    fake_transport_end(s->net, 2, 1001, "going away");
    stage_run(s, 0);
    assert_string_equal(stage_line(s, 3)->url, "wss://two/");
    assert_string_equal(stage_line(s, 4)->url, "wss://three/"); /* and on without waiting */
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    stage_run(s, 10000);
    stage_plan(s, "wss://three/", FAKE_BREAK, 0, 0);
    fake_transport_break(s->net, 4);
    stage_run(s, 0);
    assert_string_equal(stage_line(s, 6)->url, "wss://one/"); /* each time */
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
}

static void a_new_outage_is_met_with_haste_again(void **state)
{
    struct link_stage *s = *state;
    size_t n;

    stage_plan(s, NULL, FAKE_BREAK, 0, 0);
    stage_start(s, 1);
    stage_run(s, 300000);
    stage_plan(s, NULL, FAKE_OPEN, 0, 0);
    stage_run(s, 31000);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    stage_plan(s, NULL, FAKE_BREAK, 0, 0);
    n = fake_transport_last(s->net);
    fake_transport_break(s->net, n);
    stage_run(s, 29000);
    for (size_t i = n + 2; i < stage_lines(s); i++)
        assert_true(stage_begun(s, i) - stage_begun(s, i - 1) <= 250);
    assert_true(stage_lines(s) > n + 116);
}

static size_t flaps; /* connections that the server ends as soon as they are there */

static void fail_at_once(struct link_stage *s, const struct link_event *ev)
{
    struct err why;

    if (ev->type != LINK_OPEN)
        return;
    flaps++;
    err_set(&why, STATUS_FAILED, -EPROTO, "the server has a problem");
    link_fail(s->link, &why, false, 0);
}

static void sessions_that_fail_at_once_are_not_hammered(void **state)
{
    struct link_stage *s = *state;
    size_t n;

    flaps = 0;
    s->on_event = fail_at_once;
    stage_start(s, 1);
    stage_run(s, 300000);
    n = stage_lines(s);
    for (size_t i = 1; i < n; i++)
        assert_true(stage_begun(s, i) - stage_begun(s, i - 1) >= 100);
    assert_true(stage_begun(s, n - 1) - stage_begun(s, n - 2) > 5000);
    assert_int_equal(flaps, n);
    assert_int_equal(stage_count(s, LINK_LOST), n);
    for (size_t i = 1; i < s->count; i++)
        assert_int_not_equal(s->events[i].type, s->events[i - 1].type);
    for (size_t i = 0; i < s->count; i++)
        assert_int_equal(s->events[i].again, i >= 6 && s->events[i].type == LINK_OPEN);
    s->on_event = NULL;
    stage_run(s, 40000);
    assert_true(stage_last(s)->again);
    fake_transport_break(s->net, fake_transport_last(s->net));
    stage_run(s, 0);
    assert_false(stage_last(s)->again); /* it had done its work */
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
}

static void a_connection_that_did_its_work_is_made_again_at_once(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 1);
    for (int i = 0; i < 300; i++) { /* a line that breaks each 200 ms, and serves in between */
        link_good(s->link);
        stage_run(s, 200);
        fake_transport_break(s->net, fake_transport_last(s->net));
        stage_run(s, 0);
        assert_int_equal(stage_last(s)->type, LINK_OPEN);
    }
    for (int i = 0; i < 30; i++) { /* one that lasts for 5 s */
        stage_run(s, 5000);
        fake_transport_break(s->net, fake_transport_last(s->net));
        stage_run(s, 0);
        assert_int_equal(stage_last(s)->type, LINK_OPEN);
    }
}

static void a_server_that_shows_the_door_three_times_is_left(void **state)
{
    struct link_stage *s = *state;

    stage_start(s, 2);
    for (int i = 0; i < 2; i++) {
        stage_run(s, 300);
        assert_true(link_up(s->link));
        fake_transport_end(s->net, fake_transport_last(s->net), 1008, "no such model");
    }
    stage_run(s, 300);
    for (int i = 0; i < 20 && stage_count(s, LINK_DEAD) == 0; i++) {
        fake_transport_end(s->net, fake_transport_last(s->net), 4001, "no");
        stage_run(s, 300);
    }
    assert_int_equal(stage_last(s)->type, LINK_DEAD);
    assert_int_equal(stage_lines(s), 6); /* three at each */
}

/* "final" is, "busy" has to wait, anything else says nothing. */
static void judge(void *user, size_t place, int code, const char *reason, struct link_verdict *v)
{
    (void)user;
    (void)place;
    v->final = code == 1007 && strcmp(reason, "final") == 0;
    v->wait_ms = strcmp(reason, "busy") == 0 ? 5000 : 0;
    if (v->final)
        err_set(v->why, STATUS_AUTH, -EACCES, "not with this key");
}

static void a_close_is_judged_by_who_understands_it(void **state)
{
    struct link_stage *s = *state;
    struct link_config config = stage_config(s, 1);
    struct err e;

    config.judge = judge;
    assert_int_equal(link_open(&s->link, &config, &e), 0);
    stage_run(s, 300);
    fake_transport_end(s->net, 0, 1011, "busy");
    stage_run(s, 4500);
    assert_false(link_up(s->link));
    stage_run(s, 1000);
    assert_true(link_up(s->link));
    fake_transport_end(s->net, 1, 1011, "for some reason");
    stage_run(s, 300);
    assert_true(link_up(s->link));
    fake_transport_end(s->net, 2, 1007, "final");
    stage_run(s, 300);
    assert_int_equal(stage_last(s)->type, LINK_DEAD);
    assert_int_equal(stage_last(s)->status, STATUS_AUTH);
    assert_string_equal(stage_last(s)->text, "not with this key");
    assert_int_equal(stage_lines(s), 3);
}

static void a_server_that_served_in_between_is_not(void **state)
{
    struct link_stage *s = *state;

    stage_start(s, 1);
    for (int i = 0; i < 12; i++) {
        stage_run(s, i % 3 == 2 ? 6000 : 300);
        assert_true(link_up(s->link));
        fake_transport_end(s->net, fake_transport_last(s->net), 1008, "for some reason");
    }
    stage_run(s, 300);
    assert_true(link_up(s->link));
}

static void a_server_that_has_to_go_is_not(void **state)
{
    struct link_stage *s = *state;

    stage_start(s, 1);
    for (int i = 0; i < 20; i++) {
        stage_run(s, 300);
        fake_transport_end(s->net, fake_transport_last(s->net), i % 2 ? 1011 : 1001, "");
    }
    stage_run(s, 300);
    assert_true(link_up(s->link));
}

static void a_link_that_its_owner_fails_is_made_again(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 2);
    stage_run(s, 10000);
    stage_fail(s, false, 0);
    assert_false(link_up(s->link));
    assert_int_equal(s->count, 1);
    assert_int_equal(stage_line(s, 0)->code, 1000); /* the server is told */
    fake_transport_deliver(s->net, 0, "late");
    stage_run(s, 0);
    assert_int_equal(s->events[1].type, LINK_LOST);
    assert_string_equal(s->events[1].text, "the session is of no use");
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    assert_int_equal(s->count, 3);
    stage_run(s, 10000);
    stage_fail(s, false, 20000); /* limited there: the other one serves */
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    assert_int_equal(stage_last(s)->place, 1);
    stage_run(s, 10000);
    stage_fail(s, true, 0);
    stage_fail(s, true, 0); /* nothing is in use: nothing */
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_LOST);
    assert_true(stage_last(s)->wait_ms > 9000 && stage_last(s)->wait_ms < 11000);
    stage_run(s, 11000);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    assert_int_equal(stage_last(s)->place, 0);
    stage_fail(s, true, 0);
    stage_run(s, 100000);
    assert_int_equal(stage_last(s)->type, LINK_DEAD);
    assert_string_equal(stage_last(s)->text, "the session is of no use");
}

static void a_wait_that_a_server_asks_for_is_a_minute_at_most(void **state)
{
    struct link_stage *s = *state;

    stage_open(s, 1);
    stage_fail(s, false, 1e12);
    stage_run(s, 59900);
    assert_int_equal(stage_last(s)->type, LINK_LOST);
    stage_run(s, 200);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
}

static void who_begins_to_talk_does_not_wait_for_the_backoff(void **state)
{
    struct link_stage *s = *state;
    size_t n;

    stage_plan(s, NULL, FAKE_BREAK, 0, 0);
    stage_start(s, 1);
    stage_run(s, 300000);
    n = stage_lines(s);
    while (stage_lines(s) == n)
        stage_run(s, 100);
    stage_run(s, 200);
    n = stage_lines(s);
    stage_plan(s, NULL, FAKE_OPEN, 0, 0);
    link_attend(s->link, true);
    stage_run(s, 0);
    assert_int_equal(stage_lines(s), n + 1);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
    stage_fail(s, false, 10000);
    stage_run(s, 0);
    link_attend(s->link, false);
    link_attend(s->link, true); /* but for what the server told */
    stage_run(s, 9000);
    assert_int_equal(stage_last(s)->type, LINK_LOST);
}

static void a_reason_is_told_once(void **state)
{
    struct link_stage *s = *state;

    stage_plan(s, NULL, FAKE_BREAK, 0, 0);
    stage_plan(s, "wss://two/", FAKE_REFUSE, 500, 0);
    stage_start(s, 2);
    stage_run(s, 3000);
    assert_int_equal(s->count, 2);
    stage_plan(s, "wss://two/", FAKE_REFUSE, 502, 0);
    stage_run(s, 3000);
    assert_int_equal(s->count, 3);
    stage_plan(s, NULL, FAKE_OPEN, 0, 0);
    stage_run(s, 500);
    assert_int_equal(s->count, 4);
    stage_plan(s, NULL, FAKE_BREAK, 0, 0);
    stage_run(s, 6000);
    fake_transport_break(s->net, fake_transport_last(s->net));
    stage_run(s, 3000);
    assert_int_equal(s->count, 6); /* a new outage: told anew */
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(the_first_attempt_is_at_once),
        ON_STAGE(what_is_said_goes_both_ways),
        ON_STAGE(a_line_is_watched_closely_while_somebody_talks),
        ON_STAGE(attempts_are_a_quarter_of_a_second_apart_and_then_ever_rarer),
        ON_STAGE(endpoints_are_tried_in_order_without_waiting_in_the_first_round),
        ON_STAGE(a_refusal_that_will_not_change_is_final),
        ON_STAGE(a_place_that_has_served_is_asked_three_times),
        ON_STAGE(a_refusal_that_may_change_is_not),
        ON_STAGE(an_address_that_is_none_is_told_by_the_loop),
        ON_STAGE(a_place_that_is_out_leaves_the_others),
        ON_STAGE(too_many_requests_are_waited_out),
        ON_STAGE(while_one_place_is_limited_another_one_serves),
        ON_STAGE(an_attempt_that_hangs_is_raced),
        ON_STAGE(a_final_refusal_ends_the_race),
        ON_STAGE(a_place_that_was_quick_is_raced_for_sooner),
        ON_STAGE(attempts_that_hang_are_not_all_young),
        ON_STAGE(a_break_is_mended_at_once_and_at_the_same_place),
        ON_STAGE(a_new_outage_is_met_with_haste_again),
        ON_STAGE(sessions_that_fail_at_once_are_not_hammered),
        ON_STAGE(a_connection_that_did_its_work_is_made_again_at_once),
        ON_STAGE(a_server_that_shows_the_door_three_times_is_left),
        ON_STAGE(a_close_is_judged_by_who_understands_it),
        ON_STAGE(a_server_that_served_in_between_is_not),
        ON_STAGE(a_server_that_has_to_go_is_not),
        ON_STAGE(a_link_that_its_owner_fails_is_made_again),
        ON_STAGE(a_wait_that_a_server_asks_for_is_a_minute_at_most),
        ON_STAGE(who_begins_to_talk_does_not_wait_for_the_backoff),
        ON_STAGE(a_reason_is_told_once),
    };

    if (!fake_clock_works())
        return 0;
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
