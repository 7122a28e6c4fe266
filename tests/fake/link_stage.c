#include "fake/link_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct link_place STAGE_PLACES[STAGE_PLACE_COUNT] = {
    {.name = "one", .url = "wss://one/", .headers = (const char *const[]){"Key: 1", NULL}},
    {.name = "two", .url = "wss://two/"},
    {.name = "three", .url = "wss://three/"},
};

static void on_event(void *user, const struct link_event *ev)
{
    struct link_stage *s = user;
    struct stage_event *h = &s->events[s->count++];

    assert_true(s->count < STAGE_EVENTS);
    assert_false(s->inside);
    assert_non_null(s->link);
    *h = (struct stage_event){.type = ev->type, .place = ev->place, .next = ev->next};
    h->again = ev->again;
    h->wait_ms = ev->wait_ms;
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
    struct link_stage *s = user;

    s->freed++;
}

int stage_setup(void **state)
{
    struct link_stage *s = calloc(1, sizeof *s);

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

int stage_teardown(void **state)
{
    struct link_stage *s = *state;
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

struct link_config stage_config(struct link_stage *s, size_t places)
{
    return (struct link_config){
        .loop = &s->loop,
        .log = &s->log,
        .transport = &fake_transport_ops,
        .context = s->net,
        .places = STAGE_PLACES,
        .place_count = places,
        .seed = 1,
        .event = on_event,
        .freed = on_freed,
        .user = s,
    };
}

void stage_start(struct link_stage *s, size_t places)
{
    struct link_config config = stage_config(s, places);
    struct err e;

    s->inside = true;
    assert_int_equal(link_open(&s->link, &config, &e), 0);
    s->inside = false;
}

void stage_run(struct link_stage *s, double ms)
{
    fake_clock_run(&s->loop, ms);
}

void stage_plan(struct link_stage *s, const char *url, enum fake_does does, int status, int retry)
{
    fake_transport_plan(s->net, url, &(struct fake_plan){does, status, retry});
}

const struct fake_line *stage_line(const struct link_stage *s, size_t i)
{
    return fake_transport_line(s->net, i);
}

double stage_begun(const struct link_stage *s, size_t i)
{
    return (double)stage_line(s, i)->begun_ms;
}

size_t stage_lines(const struct link_stage *s)
{
    return fake_transport_lines(s->net);
}

size_t stage_count(const struct link_stage *s, enum link_event_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < s->count; i++)
        n += s->events[i].type == type;
    return n;
}

const struct stage_event *stage_last(const struct link_stage *s)
{
    assert_true(s->count > 0);
    return &s->events[s->count - 1];
}

void stage_open(struct link_stage *s, size_t places)
{
    stage_start(s, places);
    stage_run(s, 0);
    assert_int_equal(stage_last(s)->type, LINK_OPEN);
}

void stage_fail(struct link_stage *s, bool final, double wait_ms)
{
    struct err why;

    err_set(&why, STATUS_FAILED, -EPROTO, "the session is of no use");
    s->inside = true;
    link_fail(s->link, &why, final, wait_ms);
    s->inside = false;
}
