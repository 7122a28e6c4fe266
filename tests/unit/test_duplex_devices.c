/* duplex: a device that goes away and comes back, as itself or as another one, costs no word. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "audio/duplex.h"
#include "audio/rooms.h"
#include "fake/fake_audio.h"
#include "fake/fake_nearend.h"
#include "fake/scratch.h"
#include "util/clock.h"

#define PERIOD 160
#define LOUD   10000 /* not silent even where it comes up softly */

struct rig {
    struct fake_audio fake;
    struct duplex *duplex;
    uint64_t loud, last_loud; /* samples */
    struct duplex_event events[64];
    char names[64][128];
    size_t n_events;
};

static int open_rig(struct rig *r, const struct duplex_config *more)
{
    struct duplex_config config = *more;
    struct err e = {0};

    config.argument = fake_audio_argument(&r->fake);
    config.capture = config.playback = true;
    if (config.driver == NULL)
        config.driver = &fake_audio_driver;
    return duplex_open(&r->duplex, &config, NULL, &e);
}

static void rig_open(struct rig *r)
{
    fake_nearend_reset();
    assert_int_equal(open_rig(r, &(struct duplex_config){.latency_ms = 0}), 0);
}

static void collect(struct rig *r)
{
    while (r->n_events < 64 && duplex_poll(r->duplex, &r->events[r->n_events])) {
        struct duplex_event *ev = &r->events[r->n_events];
        if (ev->name != NULL)
            memcpy(r->names[r->n_events], ev->name, strlen(ev->name) + 1);
        r->n_events++;
    }
}

static void nap(struct rig *r)
{
    struct timespec ms = {0, 1000000};

    nanosleep(&ms, NULL);
    collect(r);
}

static void run(struct rig *r)
{
    int16_t out[PERIOD];

    fake_audio_run(&r->fake, NULL, out, PERIOD);
    for (size_t i = 0; i < PERIOD; i++)
        r->loud += out[i] != 0;
    nap(r);
}

/* Lets time pass until an event of the type is there, with callbacks while a device runs. */
static struct duplex_event *until(struct rig *r, enum duplex_event_type type)
{
    size_t seen = r->n_events;

    for (int64_t began = clock_ns(); clock_ms_since(began) < 20000;) {
        for (; seen < r->n_events; seen++)
            if (r->events[seen].type == type)
                return &r->events[seen];
        if (r->fake.started)
            run(r);
        else
            nap(r);
    }
    fail_msg("no event of type %d", (int)type);
    return NULL;
}

static void play(struct rig *r, uint32_t item, size_t n)
{
    int16_t *x = malloc(n * sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = LOUD;
    assert_int_equal(duplex_play(r->duplex, item, 16000, x, n), 0);
    free(x);
}

/* The device goes away; nobody calls back until it is open again. */
static void lose(struct rig *r)
{
    fake_audio_lose(&r->fake);
    for (int i = 0; i < 20000 && !r->fake.closed && r->fake.started; i++) {
        struct timespec pause = {0, 100000};
        nanosleep(&pause, NULL);
    }
    collect(r);
    while (r->n_events == 0 || r->events[r->n_events - 1].type != DUPLEX_LOST)
        nap(r);
}

static void a_reply_goes_on_where_it_was(void **state)
{
    struct rig r = {0};
    struct duplex_event *ended;

    (void)state;
    rig_open(&r);
    play(&r, 1, 4000);
    play(&r, 1, 4000);
    duplex_end(r.duplex, 1);
    play(&r, 2, 50);
    duplex_end(r.duplex, 2);
    until(&r, DUPLEX_STARTED);
    run(&r);
    run(&r);
    lose(&r);
    uint64_t before = duplex_played(r.duplex, 1);
    assert_int_equal(before, r.loud);
    assert_int_equal(r.n_events, 2);
    until(&r, DUPLEX_BACK);
    ended = until(&r, DUPLEX_ENDED);
    assert_int_equal(ended->item, 1);
    assert_int_equal(ended->played, 8000);
    assert_false(ended->flushed);
    if (r.events[r.n_events - 1].type != DUPLEX_ENDED || r.events[r.n_events - 1].item != 2)
        until(&r, DUPLEX_ENDED);
    assert_int_equal(r.loud, 8050);
    assert_int_equal(r.fake.opens, 2);
    duplex_close(r.duplex);
    assert_true(r.fake.closed);
    assert_int_equal(fake_nearend.made, 2);
    assert_int_equal(fake_nearend.freed, 2);
}

static void another_device_may_have_another_rate(void **state)
{
    static const int rates[] = {48000, 8000, 44100};
    struct rig r = {.fake = {.in_name = "mic", .out_name = "one"}};
    struct duplex_stats stats;
    struct duplex_event *ev;
    uint64_t played = 0, loud = 0;
    double expected = 0;
    int hz = 16000;

    (void)state;
    rig_open(&r);
    play(&r, 1, 40000);
    duplex_end(r.duplex, 1);
    until(&r, DUPLEX_STARTED);
    for (size_t i = 0; i < 3; i++) {
        for (int k = 0; k < 20; k++)
            run(&r);
        r.fake.in_hz = r.fake.out_hz = rates[i];
        r.fake.out_name = "another";
        lose(&r);
        expected += (double)(duplex_played(r.duplex, 1) - played) * hz / 16000;
        played = duplex_played(r.duplex, 1);
        loud = r.loud;
        assert_true((double)loud > expected - 8 && (double)loud < expected + 8);
        hz = rates[i];
        ev = until(&r, DUPLEX_BACK);
        if (i == 0)
            assert_string_equal(r.names[ev - r.events], "another");
        duplex_stats(r.duplex, &stats);
        assert_int_equal(stats.out_hz, hz);
        assert_string_equal(stats.out_name, "another");
    }
    ev = until(&r, DUPLEX_ENDED);
    assert_int_equal(ev->played, 40000);
    expected += (double)(40000 - played) * hz / 16000;
    assert_true((double)r.loud > expected - 8 && (double)r.loud < expected + 8);
    duplex_close(r.duplex);
}

static void a_flush_is_obeyed_without_a_device(void **state)
{
    struct rig r = {0};
    struct duplex_event *ev;
    uint64_t played;

    (void)state;
    rig_open(&r);
    play(&r, 1, 8000);
    until(&r, DUPLEX_STARTED);
    run(&r);
    r.fake.open_error = -ENODEV;
    lose(&r);
    played = r.loud;
    duplex_flush(r.duplex);
    ev = until(&r, DUPLEX_ENDED);
    assert_true(ev->flushed);
    assert_int_equal(ev->played, played);
    /* What comes meanwhile is heard afterwards. */
    play(&r, 2, 700);
    duplex_end(r.duplex, 2);
    r.fake.open_error = 0;
    until(&r, DUPLEX_BACK);
    ev = until(&r, DUPLEX_ENDED);
    assert_int_equal(ev->item, 2);
    assert_int_equal(r.loud, played + 700);
    duplex_close(r.duplex);
}

static void devices_are_looked_for_again_and_again(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r);
    run(&r);
    r.fake.open_error = -ENODEV;
    lose(&r);
    while (r.fake.opens < 3)
        nap(&r);
    assert_int_equal(r.n_events, 1);
    r.fake.start_error = -EIO;
    r.fake.open_error = 0;
    /* One that does not start is not there: nothing is said of it. */
    until(&r, DUPLEX_BACK);
    assert_int_equal(r.n_events, 2);
    assert_true(r.fake.opens >= 5);
    duplex_close(r.duplex);
}

static void closing_does_not_wait_for_devices(void **state)
{
    struct rig r = {0};
    int64_t began;

    (void)state;
    rig_open(&r);
    run(&r);
    r.fake.open_error = -ENODEV;
    lose(&r);
    while (r.fake.opens < 3)
        nap(&r);
    began = clock_ns();
    duplex_close(r.duplex);
    assert_true(clock_ms_since(began) < 500);
}

static int no_list(void (*each)(void *user, const struct audio_device *d), void *user,
                   const struct log *log, struct err *e)
{
    (void)each;
    (void)user;
    (void)log;
    (void)e;
    return 0;
}

static int only_the_default(struct audio_stream **out, const char *argument,
                            const struct audio_config *config, const struct log *log, struct err *e)
{
    int rc = fake_audio_driver.open(out, argument, config, log, e);
    void *fake = NULL;

    assert_int_equal(sscanf(argument, "%p", &fake), 1);
    if (rc < 0 || (((struct fake_audio *)fake)->opens > 1 &&
                   (config->input != NULL || config->output != NULL))) {
        if (rc == 0)
            fake_audio_driver.close(*out);
        *out = NULL;
        return err_set(e, STATUS_AUDIO, -ENOENT, "not there");
    }
    return 0;
}

static void the_default_device_will_do_after_a_while(void **state)
{
    struct audio_driver driver = fake_audio_driver;
    struct rig r = {0};

    (void)state;
    driver.list = no_list;
    driver.open = only_the_default;
    fake_nearend_reset();
    assert_int_equal(open_rig(&r, &(struct duplex_config){.driver = &driver, .output = "headset"}),
                     0);
    run(&r);
    lose(&r);
    until(&r, DUPLEX_BACK);
    /* The one that was asked for was looked for first. */
    assert_true(r.fake.opens >= 5);
    assert_null(r.fake.config.output);
    duplex_close(r.duplex);
}

static void a_hold_does_not_outlive_the_device(void **state)
{
    struct rig r = {0};
    struct duplex_event *ev;

    (void)state;
    rig_open(&r);
    play(&r, 1, 4000);
    duplex_end(r.duplex, 1);
    until(&r, DUPLEX_STARTED);
    fake_nearend_verdict(&(struct nearend_verdict){.state = BARGE_HOLD});
    until(&r, DUPLEX_HELD);
    fake_nearend_verdict(&(struct nearend_verdict){.state = BARGE_PLAY});
    lose(&r);
    assert_int_equal(r.events[r.n_events - 2].type, DUPLEX_RESUMED);
    ev = until(&r, DUPLEX_ENDED);
    assert_int_equal(ev->played, 4000);
    duplex_close(r.duplex);
}

static void a_stalled_device_is_opened_again(void **state)
{
    struct rig r = {0};
    struct duplex_event *ev;

    (void)state;
    rig_open(&r);
    play(&r, 1, 1000);
    duplex_end(r.duplex, 1);
    run(&r);
    for (int i = 0; i < 20000 && r.n_events == 0; i++)
        nap(&r);
    while (r.events[r.n_events - 1].type != DUPLEX_LOST)
        nap(&r);
    while (r.fake.opens < 2 || !r.fake.started)
        nap(&r);
    ev = until(&r, DUPLEX_ENDED);
    assert_int_equal(ev->played, 1000);
    duplex_close(r.duplex);
}

static void what_was_learnt_is_kept_for_the_same_devices(void **state)
{
    struct rig r = {.fake = {.in_name = "mic", .out_name = "speaker"}};
    struct nearend_memory *m = calloc(1, sizeof *m);
    struct scratch scratch;

    (void)state;
    assert_non_null(m);
    scratch_new(&scratch);
    fake_nearend_reset();
    m->align = (struct align_state){.known = true, .delay_ms = 42, .quality = 20, .measured = 9};
    m->n = 100;
    m->response[3] = 0.5f;
    struct duplex_config config = {.rooms = scratch.dir};
    assert_int_equal(open_rig(&r, &config), 0);
    assert_false(fake_nearend_seen().had_memory);
    pthread_mutex_lock(&fake_nearend.lock);
    fake_nearend.memory = *m;
    pthread_mutex_unlock(&fake_nearend.lock);
    run(&r);
    /* The devices come back: they are the same. */
    lose(&r);
    until(&r, DUPLEX_BACK);
    assert_true(fake_nearend_seen().had_memory);
    duplex_close(r.duplex);

    fake_nearend_reset();
    assert_int_equal(open_rig(&r, &config), 0);
    assert_true(fake_nearend_seen().had_memory);
    assert_int_equal((int)fake_nearend.memory.align.delay_ms, 42);
    assert_true(fake_nearend.memory.response[3] == 0.5f);
    duplex_close(r.duplex);

    fake_nearend_reset();
    r.fake.out_name = "headset";
    assert_int_equal(open_rig(&r, &config), 0);
    assert_false(fake_nearend_seen().had_memory);
    duplex_close(r.duplex);
    scratch_free(&scratch);
    free(m);
}

static void a_device_that_does_not_start_is_an_error_of_the_opening(void **state)
{
    struct rig r = {.fake.start_error = -EIO};

    (void)state;
    fake_nearend_reset();
    r.duplex = (struct duplex *)&r;
    assert_int_equal(open_rig(&r, &(struct duplex_config){.latency_ms = 0}), -EIO);
    assert_null(r.duplex);
    assert_true(r.fake.closed);
    assert_int_equal(r.fake.opens, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_does_not_start_is_an_error_of_the_opening),
        cmocka_unit_test(a_reply_goes_on_where_it_was),
        cmocka_unit_test(another_device_may_have_another_rate),
        cmocka_unit_test(a_flush_is_obeyed_without_a_device),
        cmocka_unit_test(devices_are_looked_for_again_and_again),
        cmocka_unit_test(closing_does_not_wait_for_devices),
        cmocka_unit_test(the_default_device_will_do_after_a_while),
        cmocka_unit_test(a_hold_does_not_outlive_the_device),
        cmocka_unit_test(a_stalled_device_is_opened_again),
        cmocka_unit_test(what_was_learnt_is_kept_for_the_same_devices),
    };

    return cmocka_run_group_tests_name("duplex and its devices", tests, NULL, NULL);
}
