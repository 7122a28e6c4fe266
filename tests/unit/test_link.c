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

#include "fake/fake_clock.h"
#include "fake/fake_transport.h"
#include "fake/rt_guard.h"
#include "realtime/link.h"

enum { MOST = 4096 };

struct happened {
    enum link_event_type type;
    size_t place;
    bool next;
    double wait_ms, at;
    enum status status;
    char text[128]; /* of the message, or of the error */
};

struct stage {
    uv_loop_t loop;
    struct fake_transport *net;
    struct link *link;
    struct log log;
    struct happened events[MOST];
    size_t count, freed;
    bool inside; /* a call of the test's into the link is under way */
    bool close;  /* the link is closed from inside the next event of this type: */
    enum link_event_type close_at;
    void (*on_event)(struct stage *s, const struct link_event *ev);
};

static const struct link_place PLACES[] = {
    {.name = "one", .url = "wss://one/", .headers = (const char *const[]){"Key: 1", NULL}},
    {.name = "two", .url = "wss://two/"},
    {.name = "three", .url = "wss://three/"},
};

static void on_event(void *user, const struct link_event *ev)
{
    struct stage *s = user;
    struct happened *h = &s->events[s->count++];

    assert_true(s->count < MOST);
    assert_false(s->inside);
    assert_non_null(s->link);
    *h = (struct happened){ev->type, ev->place, ev->next, ev->wait_ms, 0, STATUS_DONE, ""};
    h->at = (double)uv_now(&s->loop);
    if (ev->type == LINK_MESSAGE)
        snprintf(h->text, sizeof h->text, "%.*s", (int)ev->count, ev->text);
    if (ev->type == LINK_LOST || ev->type == LINK_NEXT_LOST || ev->type == LINK_DEAD) {
        assert_non_null(ev->error);
        assert_true(ev->error->text[0] != '\0');
        h->status = ev->error->status;
        snprintf(h->text, sizeof h->text, "%.120s", ev->error->text);
    }
    if (s->on_event != NULL)
        s->on_event(s, ev);
    if (s->close && s->close_at == ev->type) {
        link_close(s->link);
        s->link = NULL;
    }
}

static void on_freed(void *user)
{
    struct stage *s = user;

    s->freed++;
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);

    assert_non_null(s);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    if (!fake_clock_works())
        fail_msg("there is no clock for these tests on this system");
    fake_clock_start();
    s->net = fake_transport_new(&s->loop);
    s->log.level = LOG_WARN;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    size_t events;

    link_close(s->link);
    s->link = NULL;
    events = s->count;
    fake_clock_run(&s->loop, 600);
    assert_int_equal(s->count, events); /* none after link_close */
    assert_int_equal(s->freed, 1);
    fake_transport_free(s->net);
    fake_clock_run(&s->loop, 0);
    fake_clock_stop();
    assert_int_equal(uv_loop_close(&s->loop), 0);
    free(s);
    return 0;
}

static void start_at(struct stage *s, size_t places)
{
    struct link_config config = {
        .loop = &s->loop,
        .log = &s->log,
        .transport = &fake_transport_ops,
        .context = s->net,
        .places = PLACES,
        .place_count = places,
        .seed = 1,
        .event = on_event,
        .freed = on_freed,
        .user = s,
    };
    struct err e;

    s->inside = true;
    assert_int_equal(link_open(&s->link, &config, &e), 0);
    s->inside = false;
}

static void run(struct stage *s, double ms)
{
    fake_clock_run(&s->loop, ms);
}

static void plan(struct stage *s, const char *url, enum fake_does does, int status, int retry)
{
    fake_transport_plan(s->net, url, &(struct fake_plan){does, status, retry});
}

static const struct fake_line *line(const struct stage *s, size_t i)
{
    return fake_transport_line(s->net, i);
}

static double begun(const struct stage *s, size_t i)
{
    return (double)line(s, i)->begun_ms;
}

static size_t lines(const struct stage *s)
{
    return fake_transport_lines(s->net);
}

static size_t count(const struct stage *s, enum link_event_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < s->count; i++)
        n += s->events[i].type == type;
    return n;
}

static const struct happened *last(const struct stage *s)
{
    assert_true(s->count > 0);
    return &s->events[s->count - 1];
}

static void open_at(struct stage *s, size_t places)
{
    start_at(s, places);
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_OPEN);
}

static void fail_link(struct stage *s, bool final, double wait_ms)
{
    struct err why;

    err_set(&why, STATUS_FAILED, -EPROTO, "the session is of no use");
    s->inside = true;
    link_fail(s->link, &why, final, wait_ms);
    s->inside = false;
}

/* --- in good weather */

static void the_first_attempt_is_at_once(void **state)
{
    struct stage *s = *state;

    start_at(s, 1);
    assert_false(link_up(s->link));
    assert_int_equal(link_send(s->link, "a", 1), -ENOTCONN);
    run(s, 0);
    assert_int_equal(s->count, 1);
    assert_int_equal(last(s)->type, LINK_OPEN);
    assert_int_equal(last(s)->place, 0);
    assert_true(link_up(s->link));
    assert_string_equal(line(s, 0)->url, "wss://one/");
    assert_string_equal(line(s, 0)->headers, "Key: 1\n");
    run(s, 120000);
    assert_int_equal(lines(s), 1);
}

static void what_is_said_goes_both_ways(void **state)
{
    struct stage *s = *state;

    open_at(s, 1);
    assert_int_equal(link_send(s->link, "{}", 2), 0);
    assert_string_equal(fake_transport_sent(s->net, 0, 0), "{}");
    fake_transport_deliver(s->net, 0, "hello");
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_MESSAGE);
    assert_string_equal(last(s)->text, "hello");
    assert_false(last(s)->next);
    fake_transport_hold(s->net, 0, 1000);
    assert_int_equal(link_waiting(s->link), 1000);
    fake_transport_hold(s->net, 0, 0);
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_DRAINED);
    assert_true(link_rtt_ms(s->link) < 0);
    fake_transport_rtt(s->net, 0, 12);
    assert_true(link_rtt_ms(s->link) == 12);
    fake_transport_send_fails(s->net, 0, -ENOMEM);
    assert_int_equal(link_send(s->link, "{}", 2), -ENOMEM);
}

static void a_line_is_watched_closely_while_somebody_talks(void **state)
{
    struct stage *s = *state;

    open_at(s, 1);
    assert_int_equal(line(s, 0)->interval_ms, 15000);
    assert_int_equal(line(s, 0)->patience_ms, 30000);
    link_attend(s->link, true);
    assert_int_equal(line(s, 0)->interval_ms, 1000);
    assert_int_equal(line(s, 0)->patience_ms, 2500);
    fake_transport_break(s->net, 0);
    run(s, 250);
    assert_int_equal(line(s, 1)->patience_ms, 2500); /* the next one from its beginning */
    link_attend(s->link, false);
    assert_int_equal(line(s, 1)->patience_ms, 30000);
}

/* --- attempts */

static void attempts_are_a_quarter_of_a_second_apart_and_then_ever_rarer(void **state)
{
    struct stage *s = *state;
    size_t quick = 0, n;

    plan(s, NULL, FAKE_BREAK, 0, 0);
    start_at(s, 1);
    run(s, 600000);
    n = lines(s);
    for (size_t i = 1; i < n; i++) {
        double gap = begun(s, i) - begun(s, i - 1);
        if (begun(s, i) - begun(s, 0) < 30000) {
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
    assert_int_equal(last(s)->type, LINK_LOST);
    assert_int_equal(last(s)->status, STATUS_NETWORK);
}

static void endpoints_are_tried_in_order_without_waiting_in_the_first_round(void **state)
{
    struct stage *s = *state;

    plan(s, NULL, FAKE_REFUSE, 503, 0);
    start_at(s, 3);
    run(s, 2000);
    for (size_t i = 0; i < lines(s); i++)
        assert_string_equal(line(s, i)->url, PLACES[i % 3].url);
    assert_true(begun(s, 2) - begun(s, 0) <= 1);
    assert_true(begun(s, 3) - begun(s, 2) >= 100);
    assert_true(lines(s) >= 8);
    plan(s, "wss://two/", FAKE_OPEN, 0, 0);
    run(s, 1000);
    assert_int_equal(last(s)->type, LINK_OPEN);
    assert_int_equal(last(s)->place, 1);
}

static void a_refusal_that_will_not_change_is_final(void **state)
{
    static const int final[] = {200, 204, 301, 302, 307, 400, 401, 402,
                                403, 404, 405, 410, 418, 426, 501, 505};
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        if (i > 0) {
            teardown(state);
            setup(state);
            s = *state;
        }
        plan(s, NULL, FAKE_REFUSE, final[i], 0);
        start_at(s, 1);
        run(s, 100000);
        assert_int_equal(s->count, 1);
        assert_int_equal(last(s)->type, LINK_DEAD);
        assert_int_equal(last(s)->status,
                         final[i] == 401 || final[i] == 403 ? STATUS_AUTH : STATUS_FAILED);
        assert_int_equal(lines(s), 1);
        assert_int_equal(link_send(s->link, "a", 1), -ENOTCONN);
    }
}

static void a_refusal_that_may_change_is_not(void **state)
{
    static const int passing[] = {0, 408, 425, 500, 502, 503, 504, 520, 529, 599};
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        if (i > 0) {
            teardown(state);
            setup(state);
            s = *state;
        }
        plan(s, NULL, FAKE_REFUSE, passing[i], 0);
        start_at(s, 1);
        run(s, 2000);
        assert_true(lines(s) > 7);
        assert_int_equal(count(s, LINK_DEAD), 0);
        plan(s, NULL, FAKE_OPEN, 0, 0);
        run(s, 250);
        assert_int_equal(last(s)->type, LINK_OPEN);
    }
}

static void an_address_that_is_none_is_told_by_the_loop(void **state)
{
    struct stage *s = *state;

    plan(s, "wss://one/", FAKE_FAIL, -EINVAL, 0);
    start_at(s, 1);
    assert_int_equal(s->count, 0);
    run(s, 0);
    assert_int_equal(s->count, 1);
    assert_int_equal(last(s)->type, LINK_DEAD);
    assert_int_equal(last(s)->status, STATUS_USAGE);
}

static void a_place_that_is_out_leaves_the_others(void **state)
{
    struct stage *s = *state;

    plan(s, "wss://one/", FAKE_REFUSE, 401, 0);
    plan(s, "wss://two/", FAKE_REFUSE, 500, 0);
    plan(s, "wss://three/", FAKE_FAIL, -ENOMEM, 0);
    start_at(s, 3);
    run(s, 3000);
    for (size_t i = 1; i < lines(s); i++)
        assert_string_equal(line(s, i)->url, "wss://two/");
    assert_int_equal(count(s, LINK_LOST), 3); /* each for its own reason, once */
    assert_int_equal(s->events[0].status, STATUS_AUTH);
    plan(s, "wss://two/", FAKE_REFUSE, 404, 0);
    run(s, 3000);
    assert_int_equal(last(s)->type, LINK_LOST); /* three may have memory again */
    plan(s, "wss://three/", FAKE_REFUSE, 403, 0);
    run(s, 3000);
    assert_int_equal(last(s)->type, LINK_DEAD);
    assert_int_equal(last(s)->place, 2);
}

static void too_many_requests_are_waited_out(void **state)
{
    struct stage *s = *state;

    plan(s, NULL, FAKE_REFUSE, 429, 7);
    start_at(s, 1);
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_LOST);
    assert_true(last(s)->wait_ms > 6900 && last(s)->wait_ms <= 7000);
    plan(s, NULL, FAKE_REFUSE, 503, 100000);
    run(s, 6990);
    assert_int_equal(lines(s), 1);
    run(s, 10);
    assert_int_equal(lines(s), 2);
    assert_true(last(s)->wait_ms > 59000 && last(s)->wait_ms <= 60000); /* at most a minute */
    run(s, 59990);
    assert_int_equal(lines(s), 2);
    plan(s, NULL, FAKE_REFUSE, 429, 0); /* it does not say how long */
    run(s, 20);
    assert_int_equal(lines(s), 3);
    run(s, 1000 + 2000 + 4000 + 8000 + 16000 + 30000 + 30000 + 100);
    assert_int_equal(lines(s), 10);
}

static void while_one_place_is_limited_another_one_serves(void **state)
{
    struct stage *s = *state;

    plan(s, "wss://one/", FAKE_REFUSE, 429, 30);
    plan(s, "wss://two/", FAKE_BREAK, 0, 0);
    start_at(s, 2);
    run(s, 1000);
    assert_true(lines(s) > 4);
    for (size_t i = 1; i < lines(s); i++)
        assert_string_equal(line(s, i)->url, "wss://two/");
    plan(s, "wss://two/", FAKE_OPEN, 0, 0);
    run(s, 250);
    assert_int_equal(last(s)->place, 1);
    assert_int_equal(last(s)->type, LINK_OPEN);
}

static void an_attempt_that_hangs_is_raced(void **state)
{
    struct stage *s = *state;

    plan(s, "wss://one/", FAKE_WAIT, 0, 0);
    plan(s, "wss://two/", FAKE_WAIT, 0, 0);
    start_at(s, 2);
    run(s, 999);
    assert_int_equal(lines(s), 1);
    run(s, 1);
    assert_int_equal(lines(s), 2);
    assert_string_equal(line(s, 1)->url, "wss://two/");
    run(s, 300);
    fake_transport_open(s->net, 0);
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_OPEN);
    assert_int_equal(last(s)->place, 0);
    assert_true(line(s, 1)->gone);
    run(s, 60000);
    assert_int_equal(lines(s), 2);
    assert_int_equal(s->count, 1);
}

/* The link is blackholed: SYNs are lost, and the system repeats them ever more rarely. */
static void a_place_that_was_quick_is_raced_for_sooner(void **state)
{
    struct stage *s = *state;
    size_t n;

    open_at(s, 1);
    run(s, 6000);
    plan(s, NULL, FAKE_WAIT, 0, 0);
    fake_transport_break(s->net, 0);
    run(s, 20000);
    n = lines(s);
    assert_true(n > 70);
    for (size_t i = 2; i < n; i++)
        assert_true(begun(s, i) - begun(s, i - 1) <= 250);
    plan(s, NULL, FAKE_OPEN, 0, 0);
    run(s, 250);
    assert_int_equal(last(s)->type, LINK_OPEN);
    for (size_t i = 0; i < n; i++)
        assert_true(line(s, i)->gone);
}

/* However long the handshake takes now, up to the limit of one, some attempt lives to see it. */
static void attempts_that_hang_are_not_all_young(void **state)
{
    struct stage *s = *state;
    double now;
    size_t alive = 0;

    open_at(s, 1);
    run(s, 6000);
    plan(s, NULL, FAKE_WAIT, 0, 0);
    fake_transport_break(s->net, 0);
    run(s, 4900);
    now = (double)uv_now(&s->loop);
    for (double age = 300; age < 4900; age *= 2.5) {
        bool found = false;
        for (size_t i = 1; i < lines(s); i++)
            found = found || (!line(s, i)->gone && now - begun(s, i) >= age &&
                              now - begun(s, i) <= age * 2.5);
        assert_true(found);
    }
    for (size_t i = 1; i < lines(s); i++)
        alive += !line(s, i)->gone;
    assert_true(alive <= 6);
    assert_false(line(s, 1)->gone);
    fake_transport_open(s->net, 1);
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_OPEN);
}

/* --- breaks */

static void a_break_is_mended_at_once_and_at_the_same_place(void **state)
{
    struct stage *s = *state;

    plan(s, "wss://one/", FAKE_BREAK, 0, 0);
    start_at(s, 3);
    run(s, 10000);
    plan(s, "wss://one/", FAKE_OPEN, 0, 0);
    assert_int_equal(last(s)->place, 1);
    fake_transport_break(s->net, 1);
    run(s, 0);
    assert_int_equal(lines(s), 3);
    assert_string_equal(line(s, 2)->url, "wss://two/");
    assert_int_equal(s->events[2].type, LINK_LOST);
    assert_true(s->events[2].wait_ms == 0);
    assert_int_equal(last(s)->type, LINK_OPEN);
    plan(s, "wss://two/", FAKE_BREAK, 0, 0);
    run(s, 10000);
    fake_transport_end(s->net, 2, 1001, "going away");
    run(s, 0);
    assert_string_equal(line(s, 3)->url, "wss://two/");
    assert_string_equal(line(s, 4)->url, "wss://three/"); /* and on without waiting */
    assert_int_equal(last(s)->type, LINK_OPEN);
}

static size_t flaps; /* connections that the server ends as soon as they are there */

static void fail_at_once(struct stage *s, const struct link_event *ev)
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
    struct stage *s = *state;
    size_t n;

    flaps = 0;
    s->on_event = fail_at_once;
    start_at(s, 1);
    run(s, 300000);
    n = lines(s);
    for (size_t i = 1; i < n; i++)
        assert_true(begun(s, i) - begun(s, i - 1) >= 100);
    assert_true(begun(s, n - 1) - begun(s, n - 2) > 5000);
    assert_int_equal(flaps, n);
    assert_int_equal(count(s, LINK_LOST), n);
    for (size_t i = 1; i < s->count; i++)
        assert_int_not_equal(s->events[i].type, s->events[i - 1].type);
}

static void a_connection_that_did_its_work_is_made_again_at_once(void **state)
{
    struct stage *s = *state;

    open_at(s, 1);
    for (int i = 0; i < 300; i++) { /* a line that breaks each 200 ms, and serves in between */
        link_good(s->link);
        run(s, 200);
        fake_transport_break(s->net, fake_transport_last(s->net));
        run(s, 0);
        assert_int_equal(last(s)->type, LINK_OPEN);
    }
    for (int i = 0; i < 30; i++) { /* one that lasts for 5 s */
        run(s, 5000);
        fake_transport_break(s->net, fake_transport_last(s->net));
        run(s, 0);
        assert_int_equal(last(s)->type, LINK_OPEN);
    }
}

static void a_server_that_shows_the_door_three_times_is_left(void **state)
{
    struct stage *s = *state;

    start_at(s, 2);
    for (int i = 0; i < 2; i++) {
        run(s, 300);
        assert_true(link_up(s->link));
        fake_transport_end(s->net, fake_transport_last(s->net), 1008, "no such model");
    }
    run(s, 300);
    for (int i = 0; i < 20 && count(s, LINK_DEAD) == 0; i++) {
        fake_transport_end(s->net, fake_transport_last(s->net), 4001, "no");
        run(s, 300);
    }
    assert_int_equal(last(s)->type, LINK_DEAD);
    assert_int_equal(lines(s), 6); /* three at each */
}

static void a_server_that_has_to_go_is_not(void **state)
{
    struct stage *s = *state;

    start_at(s, 1);
    for (int i = 0; i < 20; i++) {
        run(s, 300);
        fake_transport_end(s->net, fake_transport_last(s->net), i % 2 ? 1011 : 1001, "");
    }
    run(s, 300);
    assert_true(link_up(s->link));
}

static void a_link_that_its_owner_fails_is_made_again(void **state)
{
    struct stage *s = *state;

    open_at(s, 2);
    run(s, 10000);
    fail_link(s, false, 0);
    assert_false(link_up(s->link));
    assert_int_equal(s->count, 1);
    assert_int_equal(line(s, 0)->code, 1000); /* the server is told */
    fake_transport_deliver(s->net, 0, "late");
    run(s, 0);
    assert_int_equal(s->events[1].type, LINK_LOST);
    assert_string_equal(s->events[1].text, "the session is of no use");
    assert_int_equal(last(s)->type, LINK_OPEN);
    assert_int_equal(s->count, 3);
    run(s, 10000);
    fail_link(s, false, 20000); /* limited there: the other one serves */
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_OPEN);
    assert_int_equal(last(s)->place, 1);
    run(s, 10000);
    fail_link(s, true, 0);
    fail_link(s, true, 0); /* nothing is in use: nothing */
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_LOST);
    assert_true(last(s)->wait_ms > 9000 && last(s)->wait_ms < 11000);
    run(s, 11000);
    assert_int_equal(last(s)->type, LINK_OPEN);
    assert_int_equal(last(s)->place, 0);
    fail_link(s, true, 0);
    run(s, 100000);
    assert_int_equal(last(s)->type, LINK_DEAD);
    assert_string_equal(last(s)->text, "the session is of no use");
}

static void a_wait_that_a_server_asks_for_is_a_minute_at_most(void **state)
{
    struct stage *s = *state;

    open_at(s, 1);
    fail_link(s, false, 1e12);
    run(s, 59900);
    assert_int_equal(last(s)->type, LINK_LOST);
    run(s, 200);
    assert_int_equal(last(s)->type, LINK_OPEN);
}

static void who_begins_to_talk_does_not_wait_for_the_backoff(void **state)
{
    struct stage *s = *state;
    size_t n;

    plan(s, NULL, FAKE_BREAK, 0, 0);
    start_at(s, 1);
    run(s, 300000);
    n = lines(s);
    while (lines(s) == n)
        run(s, 100);
    run(s, 200);
    n = lines(s);
    plan(s, NULL, FAKE_OPEN, 0, 0);
    link_attend(s->link, true);
    run(s, 0);
    assert_int_equal(lines(s), n + 1);
    assert_int_equal(last(s)->type, LINK_OPEN);
    fail_link(s, false, 10000);
    run(s, 0);
    link_attend(s->link, false);
    link_attend(s->link, true); /* but for what the server told */
    run(s, 9000);
    assert_int_equal(last(s)->type, LINK_LOST);
}

static void a_reason_is_told_once(void **state)
{
    struct stage *s = *state;

    plan(s, NULL, FAKE_BREAK, 0, 0);
    plan(s, "wss://two/", FAKE_REFUSE, 500, 0);
    start_at(s, 2);
    run(s, 3000);
    assert_int_equal(s->count, 2);
    plan(s, "wss://two/", FAKE_REFUSE, 502, 0);
    run(s, 3000);
    assert_int_equal(s->count, 3);
    plan(s, NULL, FAKE_OPEN, 0, 0);
    run(s, 500);
    assert_int_equal(s->count, 4);
    plan(s, NULL, FAKE_BREAK, 0, 0);
    run(s, 6000);
    fake_transport_break(s->net, fake_transport_last(s->net));
    run(s, 3000);
    assert_int_equal(s->count, 6); /* a new outage: told anew */
}

/* --- renewal */

static void a_second_connection_takes_over_without_a_gap(void **state)
{
    struct stage *s = *state;

    plan(s, "wss://one/", FAKE_REFUSE, 500, 0);
    open_at(s, 2);
    s->inside = true;
    link_attend(s->link, true);
    link_renew(s->link);
    link_renew(s->link);
    s->inside = false;
    assert_int_equal(link_send_next(s->link, "a", 1), -ENOTCONN);
    run(s, 0);
    assert_int_equal(lines(s), 3);
    assert_string_equal(line(s, 2)->url, "wss://two/"); /* the place in use */
    assert_int_equal(line(s, 2)->patience_ms, 2500);
    assert_int_equal(last(s)->type, LINK_NEXT);
    assert_int_equal(link_send(s->link, "old", 3), 0);
    assert_int_equal(link_send_next(s->link, "new", 3), 0);
    assert_string_equal(fake_transport_sent(s->net, 1, 0), "old");
    assert_string_equal(fake_transport_sent(s->net, 2, 0), "new");
    fake_transport_deliver(s->net, 1, "from the old");
    fake_transport_deliver(s->net, 2, "from the new");
    run(s, 0);
    assert_string_equal(s->events[s->count - 2].text, "from the old");
    assert_false(s->events[s->count - 2].next);
    assert_string_equal(last(s)->text, "from the new");
    assert_true(last(s)->next);
    fake_transport_deliver(s->net, 1, "too late");
    link_switch(s->link);
    link_switch(s->link);
    assert_true(link_up(s->link));
    assert_int_equal(link_send(s->link, "newer", 5), 0);
    assert_string_equal(fake_transport_sent(s->net, 2, 1), "newer");
    fake_transport_deliver(s->net, 2, "yes");
    run(s, 0);
    assert_string_equal(last(s)->text, "yes");
    assert_string_equal(s->events[s->count - 2].text, "from the new");
    assert_false(last(s)->next);
    assert_true(line(s, 1)->gone);
    assert_int_equal(line(s, 1)->code, 1000);
}

static void a_second_connection_that_fails_leaves_the_first(void **state)
{
    struct stage *s = *state;

    open_at(s, 1);
    plan(s, NULL, FAKE_REFUSE, 401, 0);
    link_renew(s->link);
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_NEXT_LOST);
    assert_int_equal(last(s)->status, STATUS_AUTH);
    assert_true(link_up(s->link));
    plan(s, NULL, FAKE_FAIL, -ENOMEM, 0);
    s->inside = true;
    link_renew(s->link);
    s->inside = false;
    run(s, 0);
    assert_int_equal(count(s, LINK_NEXT_LOST), 2);
    plan(s, NULL, FAKE_OPEN, 0, 0);
    link_renew(s->link);
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_NEXT);
    fake_transport_break(s->net, fake_transport_last(s->net));
    run(s, 0);
    assert_int_equal(last(s)->type, LINK_NEXT_LOST);
    assert_int_equal(link_send(s->link, "a", 1), 0);
    link_renew(s->link);
    link_drop_next(s->link);
    run(s, 0);
    link_renew(s->link);
    run(s, 0);
    link_drop_next(s->link);
    run(s, 1000);
    assert_int_equal(last(s)->type, LINK_NEXT);
    assert_true(line(s, fake_transport_last(s->net))->gone);
    assert_true(link_up(s->link));
}

static void switch_over(struct stage *s, const struct link_event *ev)
{
    if (ev->type == LINK_LOST && ev->next)
        link_switch(s->link);
}

static void when_the_first_breaks_the_second_may_go_on(void **state)
{
    struct stage *s = *state;

    s->on_event = switch_over;
    open_at(s, 1);
    link_renew(s->link);
    run(s, 0);
    fake_transport_break(s->net, 0);
    run(s, 100);
    assert_int_equal(last(s)->type, LINK_LOST);
    assert_true(last(s)->next);
    assert_true(link_up(s->link));
    assert_int_equal(link_send(s->link, "a", 1), 0);
    assert_string_equal(fake_transport_sent(s->net, 1, 0), "a");
    assert_int_equal(lines(s), 2);
    link_renew(s->link);
    run(s, 0);
    fail_link(s, false, 0); /* the same when it was given up */
    link_switch(s->link);
    run(s, 100);
    assert_int_equal(link_send(s->link, "b", 1), 0);
    assert_string_equal(fake_transport_sent(s->net, 2, 0), "b");
    s->on_event = NULL;
    link_renew(s->link);
    run(s, 0);
    fake_transport_break(s->net, 2); /* its owner has no use for the second */
    run(s, 100);
    assert_true(line(s, 3)->gone);
    assert_int_equal(line(s, 3)->code, 1000);
    assert_int_equal(lines(s), 5);
    assert_int_equal(last(s)->type, LINK_OPEN);
}

static void a_second_on_its_way_becomes_the_one_in_use(void **state)
{
    struct stage *s = *state;

    open_at(s, 1);
    plan(s, NULL, FAKE_WAIT, 0, 0);
    link_renew(s->link);
    run(s, 10);
    fake_transport_break(s->net, 0);
    fake_transport_open(s->net, 1);
    run(s, 0);
    assert_int_equal(s->events[1].type, LINK_LOST);
    assert_false(s->events[1].next);
    assert_int_equal(last(s)->type, LINK_OPEN);
    assert_int_equal(s->count, 3);
    assert_int_equal(link_send(s->link, "a", 1), 0);
    assert_string_equal(fake_transport_sent(s->net, 1, 0), "a");
    link_renew(s->link); /* and one that is still to be begun is not */
    fake_transport_break(s->net, 1);
    run(s, 0);
    assert_int_equal(count(s, LINK_NEXT_LOST) + count(s, LINK_NEXT), 0);
}

static void a_final_failure_takes_the_second_along(void **state)
{
    struct stage *s = *state;

    open_at(s, 1);
    link_renew(s->link);
    run(s, 0);
    fail_link(s, true, 0);
    run(s, 1000);
    assert_int_equal(last(s)->type, LINK_DEAD);
    assert_int_equal(lines(s), 2);
    assert_true(line(s, 1)->gone);
}

/* --- the end */

static void a_link_is_closed_politely_but_not_for_ever(void **state)
{
    struct stage *s = *state;

    open_at(s, 1);
    fake_transport_mute(s->net, 0);
    link_close(s->link);
    s->link = NULL;
    run(s, 499);
    assert_int_equal(line(s, 0)->code, 1000);
    assert_false(line(s, 0)->gone);
    assert_int_equal(s->freed, 0);
    fake_transport_deliver(s->net, 0, "nobody hears this");
    run(s, 1);
    assert_true(line(s, 0)->gone);
    assert_int_equal(s->freed, 1);
}

static void a_link_that_is_answered_goes_at_once(void **state)
{
    struct stage *s = *state;

    open_at(s, 1);
    link_close(s->link);
    s->link = NULL;
    run(s, 0);
    assert_int_equal(s->freed, 1);
    link_close(NULL);
}

/* What leads to each kind of event. */
static void stir(struct stage *s, enum link_event_type type)
{
    if (type == LINK_DEAD) {
        plan(s, NULL, FAKE_REFUSE, 401, 0);
        start_at(s, 2);
        run(s, 1000);
        return;
    }
    start_at(s, 2);
    run(s, 0);
    if (s->link == NULL)
        return;
    link_renew(s->link);
    run(s, 0);
    if (s->link == NULL)
        return;
    if (type == LINK_MESSAGE)
        fake_transport_deliver(s->net, 0, "x");
    fake_transport_hold(s->net, 0, 10);
    fake_transport_hold(s->net, 0, 0);
    fake_transport_break(s->net, type == LINK_NEXT_LOST ? 1 : 0);
    run(s, 1000);
}

static void the_owner_may_close_it_inside_any_event(void **state)
{
    struct stage *s = *state;

    for (int type = LINK_OPEN; type <= LINK_DEAD; type++) {
        s->close = true;
        s->close_at = (enum link_event_type)type;
        stir(s, s->close_at);
        assert_null(s->link);
        assert_int_equal(last(s)->type, type);
        teardown(state);
        setup(state);
        s = *state;
    }
    start_at(s, 1); /* and before anything has happened */
    link_close(s->link);
    s->link = NULL;
    run(s, 1000);
    assert_int_equal(s->count, 0);
}

/* --- anything, in any order */

static uint32_t chance(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 9) % n;
}

static void storm_weather(struct stage *s, uint32_t *seed)
{
    static const enum fake_does does[] = {FAKE_OPEN, FAKE_OPEN,   FAKE_OPEN, FAKE_WAIT,
                                          FAKE_WAIT, FAKE_REFUSE, FAKE_BREAK};
    static const int status[] = {429, 500, 503, 503, 408};
    size_t i = lines(s) > 0 ? lines(s) - 1 - chance(seed, lines(s) < 4 ? 1 : 4) : 0;

    plan(s, PLACES[chance(seed, 3)].url, does[chance(seed, 7)], status[chance(seed, 5)],
         (int)chance(seed, 3));
    if (lines(s) == 0)
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

static void storm_owner(struct stage *s, uint32_t *seed)
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
        link_send_next(s->link, "b", 1);
    }
}

static uint32_t storm_seed;

static void storm_inside(struct stage *s, const struct link_event *ev)
{
    assert_int_equal(ev->type == LINK_OPEN, ev->type == LINK_OPEN && link_up(s->link));
    assert_int_not_equal(ev->type, LINK_DEAD);
    if (chance(&storm_seed, 3) == 0)
        storm_owner(s, &storm_seed);
}

static void in_any_weather_there_is_one_line_in_use_and_the_end_is_clean(void **state)
{
    struct stage *s = *state;

    for (uint32_t seed = 1; seed <= 40; seed++) {
        size_t alive = 0;
        storm_seed = seed;
        s->on_event = storm_inside;
        start_at(s, 3);
        for (int i = 0; i < 400 && lines(s) < 3000 && s->count < 3000; i++) {
            storm_weather(s, &storm_seed);
            storm_owner(s, &storm_seed);
            run(s, chance(&storm_seed, 20) == 0 ? 2000 : chance(&storm_seed, 120));
        }
        for (size_t i = 0; i < 3; i++)
            plan(s, PLACES[i].url, FAKE_OPEN, 0, 0);
        s->on_event = NULL;
        run(s, 61000); /* whatever was waited for is over */
        assert_true(link_up(s->link));
        link_drop_next(s->link);
        run(s, 1000);
        for (size_t i = 0; i < lines(s); i++)
            alive += !line(s, i)->gone;
        assert_int_equal(alive, 1);
        teardown(state);
        setup(state);
        s = *state;
    }
    start_at(s, 1);
}

static void every_allocation_may_fail(void **state)
{
    struct stage *s = *state;
    struct link_config config = {.loop = &s->loop,
                                 .log = &s->log,
                                 .transport = &fake_transport_ops,
                                 .context = s->net,
                                 .places = PLACES,
                                 .place_count = 3,
                                 .event = on_event,
                                 .freed = on_freed,
                                 .user = s};
    int failed = 0, rc = -ENOMEM;

    if (!rt_guard_works())
        skip();
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
    struct stage *s = *state;

    if (!rt_guard_works()) {
        start_at(s, 1);
        skip();
    }
    start_at(s, 1);
    rt_guard_starve(0);
    run(s, 0);
    rt_guard_starve(-1);
    assert_int_equal(lines(s), 0);
    assert_int_equal(last(s)->type, LINK_LOST);
    assert_string_equal(last(s)->text, "out of memory");
    run(s, 250);
    assert_int_equal(last(s)->type, LINK_OPEN);
    link_renew(s->link);
    rt_guard_starve(0);
    run(s, 0);
    rt_guard_starve(-1);
    assert_int_equal(last(s)->type, LINK_NEXT_LOST);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(the_first_attempt_is_at_once),
        ON_STAGE(what_is_said_goes_both_ways),
        ON_STAGE(a_line_is_watched_closely_while_somebody_talks),
        ON_STAGE(attempts_are_a_quarter_of_a_second_apart_and_then_ever_rarer),
        ON_STAGE(endpoints_are_tried_in_order_without_waiting_in_the_first_round),
        ON_STAGE(a_refusal_that_will_not_change_is_final),
        ON_STAGE(a_refusal_that_may_change_is_not),
        ON_STAGE(an_address_that_is_none_is_told_by_the_loop),
        ON_STAGE(a_place_that_is_out_leaves_the_others),
        ON_STAGE(too_many_requests_are_waited_out),
        ON_STAGE(while_one_place_is_limited_another_one_serves),
        ON_STAGE(an_attempt_that_hangs_is_raced),
        ON_STAGE(a_place_that_was_quick_is_raced_for_sooner),
        ON_STAGE(attempts_that_hang_are_not_all_young),
        ON_STAGE(a_break_is_mended_at_once_and_at_the_same_place),
        ON_STAGE(sessions_that_fail_at_once_are_not_hammered),
        ON_STAGE(a_connection_that_did_its_work_is_made_again_at_once),
        ON_STAGE(a_server_that_shows_the_door_three_times_is_left),
        ON_STAGE(a_server_that_has_to_go_is_not),
        ON_STAGE(a_link_that_its_owner_fails_is_made_again),
        ON_STAGE(a_wait_that_a_server_asks_for_is_a_minute_at_most),
        ON_STAGE(who_begins_to_talk_does_not_wait_for_the_backoff),
        ON_STAGE(a_reason_is_told_once),
        ON_STAGE(a_second_connection_takes_over_without_a_gap),
        ON_STAGE(a_second_connection_that_fails_leaves_the_first),
        ON_STAGE(when_the_first_breaks_the_second_may_go_on),
        ON_STAGE(a_second_on_its_way_becomes_the_one_in_use),
        ON_STAGE(a_final_failure_takes_the_second_along),
        ON_STAGE(a_link_is_closed_politely_but_not_for_ever),
        ON_STAGE(a_link_that_is_answered_goes_at_once),
        ON_STAGE(the_owner_may_close_it_inside_any_event),
        ON_STAGE(in_any_weather_there_is_one_line_in_use_and_the_end_is_clean),
        ON_STAGE(every_allocation_may_fail),
        ON_STAGE(without_memory_for_a_line_it_is_tried_again),
    };

    if (!fake_clock_works())
        return 0;
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
