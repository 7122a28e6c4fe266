/* duplex: what is handed to it comes out once, is counted, and falls silent when told. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audio/duplex.h"
#include "fake/fake_audio.h"
#include "util/clock.h"

#define PERIOD 160

struct rig {
    struct fake_audio fake;
    struct duplex *duplex;
    _Atomic int wakes;
    _Atomic bool paced;     /* the device waits for the worker: see settle */
    uint64_t captured;      /* samples of the microphone, while paced */
    _Atomic uint64_t heard; /* and what the worker made of them */
    uint64_t nonzero;       /* samples that went out */
    struct duplex_event events[64];
    size_t n_events;
};

/* On the worker's thread, at the end of a look. While paced nobody else reads. */
static void wake(void *user)
{
    struct rig *r = user;
    int16_t x[PERIOD];
    int64_t at;
    size_t n;

    atomic_fetch_add(&r->wakes, 1);
    while (atomic_load(&r->paced) && (n = duplex_read(r->duplex, x, PERIOD, &at)) > 0)
        atomic_fetch_add(&r->heard, n);
}

static void rig_open(struct rig *r, bool capture, bool playback)
{
    struct duplex_config config = {.driver = &fake_audio_driver,
                                   .argument = fake_audio_argument(&r->fake),
                                   .capture = capture,
                                   .playback = playback,
                                   .wake = wake,
                                   .user = r};
    struct err e = {0};

    assert_int_equal(duplex_open(&r->duplex, &config, NULL, &e), 0);
    assert_true(r->fake.started);
}

static void nap(void)
{
    struct timespec ms = {0, 1000000};

    nanosleep(&ms, NULL);
}

/* Opens for a test that needs the worker to keep up, however busy the machine: after each period
 * and each duplex_play the rig waits for it. The microphone is how it sees that. */
static void rig_open_paced(struct rig *r)
{
    rig_open(r, true, true);
    atomic_store(&r->paced, true);
}

/* Until the worker has seen all that was done before: it looks at the microphone first, and wakes
 * the control thread last. */
static void settle(struct rig *r)
{
    static const int16_t frame[PERIOD];
    int64_t until = clock_ns() + 60 * INT64_C(1000000000);

    fake_audio_hear(&r->fake, frame, PERIOD);
    r->captured += PERIOD;
    while (atomic_load(&r->heard) < r->captured && clock_ns() < until) {
        struct timespec pause = {0, 50000};
        nanosleep(&pause, NULL);
    }
    assert_int_equal(atomic_load(&r->heard), r->captured);
}

static void collect(struct rig *r)
{
    while (r->n_events < 64 && duplex_poll(r->duplex, &r->events[r->n_events]))
        r->n_events++;
}

/* One period of the device, and what the worker makes of it: all of it where it is paced, and else
 * what it has a moment for. */
static void run(struct rig *r)
{
    int16_t out[PERIOD];

    fake_audio_run(&r->fake, NULL, out, PERIOD);
    for (size_t i = 0; i < PERIOD; i++)
        r->nonzero += out[i] != 0;
    r->captured += atomic_load(&r->paced) ? PERIOD : 0;
    if (atomic_load(&r->paced))
        settle(r);
    else
        nap();
    collect(r);
}

/* Runs the device until there are n events. */
static void run_until_events(struct rig *r, size_t n)
{
    for (int i = 0; i < 10000 && r->n_events < n; i++)
        run(r);
    assert_int_equal(r->n_events, n);
}

static void run_until_heard(struct rig *r, uint64_t n)
{
    for (int i = 0; i < 10000 && r->nonzero < n; i++)
        run(r);
    assert_true(r->nonzero >= n);
}

static int16_t *constant(size_t n, int16_t value)
{
    int16_t *x = malloc(n * sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = value;
    return x;
}

static void play_n(struct rig *r, uint32_t item, int rate_hz, size_t n)
{
    int16_t *x = constant(n, 1000);

    assert_int_equal(duplex_play(r->duplex, item, rate_hz, x, n), 0);
    if (atomic_load(&r->paced))
        settle(r);
    free(x);
}

static void assert_event(const struct duplex_event *ev, enum duplex_event_type type, uint32_t item)
{
    assert_int_equal(ev->type, type);
    assert_int_equal(ev->item, item);
}

static void every_sample_of_an_item_is_played_and_counted(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open_paced(&r);
    play_n(&r, 1, 16000, 5000);
    play_n(&r, 1, 16000, 3);
    assert_int_equal(duplex_end(r.duplex, 1), 0);
    play_n(&r, 2, 16000, 777);
    assert_int_equal(duplex_end(r.duplex, 2), 0);
    run_until_events(&r, 4);
    assert_event(&r.events[0], DUPLEX_STARTED, 1);
    assert_event(&r.events[1], DUPLEX_ENDED, 1);
    assert_int_equal(r.events[1].played, 5003);
    assert_false(r.events[1].flushed);
    assert_event(&r.events[2], DUPLEX_STARTED, 2);
    assert_event(&r.events[3], DUPLEX_ENDED, 2);
    assert_int_equal(r.events[3].played, 777);
    assert_int_equal(r.nonzero, 5780);
    assert_int_equal(duplex_played(r.duplex, 1), 5003);
    assert_int_equal(duplex_played(r.duplex, 3), 0);
    assert_true(r.wakes > 0);
    duplex_close(r.duplex);
    assert_true(r.fake.closed);
}

static void an_item_is_counted_at_its_own_rate(void **state)
{
    static const struct {
        int item_hz, device_hz;
    } rates[] = {{24000, 48000}, {22050, 48000}, {24000, 44100}, {44100, 16000}, {16000, 8000}};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct rig r = {.fake.out_hz = rates[i].device_hz};
        rig_open_paced(&r);
        play_n(&r, 1, rates[i].item_hz, 12345);
        duplex_end(r.duplex, 1);
        run_until_events(&r, 2);
        assert_int_equal(r.events[1].played, 12345);
        /* It lasts as long as it should: from its first sample to its last. */
        double lasted = (double)(r.events[1].at_ns - r.events[0].at_ns) / 1e9;
        double meant = 12345.0 / rates[i].item_hz;
        assert_true(lasted >= meant - 1e-4 && lasted < meant + 1.0 / rates[i].device_hz + 1e-6);
        duplex_close(r.duplex);
    }
}

static void started_says_when_it_is_heard(void **state)
{
    struct rig r = {.fake = {.latency_ms = 20, .now_ns = 7000000000}};

    (void)state;
    rig_open_paced(&r);
    play_n(&r, 1, 16000, 1000);
    run_until_events(&r, 1);
    /* Speech starts with a callback, on a grid of 10 ms. */
    assert_int_equal((r.events[0].at_ns - 7020000000) % 10000000, 0);
    assert_true(r.events[0].at_ns >= 7020000000 && r.events[0].at_ns < r.fake.now_ns + 20000000);
    duplex_close(r.duplex);
}

static void a_flush_is_obeyed_by_the_next_callback(void **state)
{
    struct rig r = {0};
    int16_t out[PERIOD];

    (void)state;
    rig_open_paced(&r);
    play_n(&r, 1, 16000, 160000);
    play_n(&r, 2, 16000, 1000);
    run_until_heard(&r, 500);
    uint64_t before = duplex_played(r.duplex, 1);
    assert_int_equal(before, r.nonzero);
    duplex_flush(r.duplex);
    fake_audio_run(&r.fake, NULL, out, PERIOD);
    r.captured += PERIOD;
    for (size_t i = 48; i < PERIOD; i++)
        assert_int_equal(out[i], 0);
    r.nonzero = 0;
    /* Stragglers of a flushed item stay silent; the next item is heard. */
    play_n(&r, 1, 16000, 5000);
    play_n(&r, 2, 16000, 5000);
    play_n(&r, 3, 16000, 50);
    duplex_end(r.duplex, 2);
    duplex_end(r.duplex, 3);
    run_until_events(&r, 5);
    assert_event(&r.events[0], DUPLEX_STARTED, 1);
    assert_event(&r.events[1], DUPLEX_ENDED, 1);
    assert_true(r.events[1].flushed);
    assert_int_equal(r.events[1].played, before);
    assert_event(&r.events[2], DUPLEX_ENDED, 2);
    assert_true(r.events[2].flushed);
    assert_int_equal(r.events[2].played, 0);
    assert_event(&r.events[3], DUPLEX_STARTED, 3);
    assert_int_equal(r.events[4].played, 50);
    assert_int_equal(r.nonzero, 50);
    duplex_close(r.duplex);
}

static void a_flushed_item_has_ended_even_when_nothing_was_heard_of_it(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r, false, true);
    play_n(&r, 9, 16000, 100);
    duplex_flush(r.duplex);
    run_until_events(&r, 1);
    assert_event(&r.events[0], DUPLEX_ENDED, 9);
    assert_true(r.events[0].flushed);
    assert_int_equal(r.events[0].played, 0);
    assert_int_equal(r.nonzero, 0);
    duplex_close(r.duplex);
}

static void an_item_without_samples_ends_at_once(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r, false, true);
    duplex_end(r.duplex, 4);
    run_until_events(&r, 1);
    assert_event(&r.events[0], DUPLEX_ENDED, 4);
    assert_false(r.events[0].flushed);
    duplex_close(r.duplex);
}

static void many_short_items_all_get_their_turn(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open_paced(&r);
    for (uint32_t item = 1; item <= 32; item++) {
        play_n(&r, item * 10, 16000, item);
        duplex_end(r.duplex, item * 10);
    }
    run_until_events(&r, 64);
    for (uint32_t i = 0; i < 32; i++) {
        assert_event(&r.events[2 * i], DUPLEX_STARTED, (i + 1) * 10);
        assert_event(&r.events[2 * i + 1], DUPLEX_ENDED, (i + 1) * 10);
        assert_int_equal(r.events[2 * i + 1].played, i + 1);
    }
    assert_int_equal(r.nonzero, 32 * 33 / 2);
    duplex_close(r.duplex);
}

static void running_dry_inside_an_item_is_counted(void **state)
{
    struct rig r = {0};
    struct duplex_stats stats;

    (void)state;
    rig_open_paced(&r);
    for (int i = 0; i < 5; i++)
        run(&r);
    duplex_stats(r.duplex, &stats);
    assert_int_equal(stats.callbacks, 5);
    assert_int_equal(stats.underruns, 0);
    play_n(&r, 1, 16000, PERIOD);
    run_until_heard(&r, PERIOD);
    run(&r);
    duplex_stats(r.duplex, &stats);
    assert_int_equal(stats.underruns, 1);
    duplex_end(r.duplex, 1);
    run_until_events(&r, 2);
    duplex_stats(r.duplex, &stats);
    uint64_t underruns = stats.underruns;
    run(&r);
    duplex_stats(r.duplex, &stats);
    assert_int_equal(stats.underruns, underruns);
    duplex_close(r.duplex);
}

static void wrong_use_is_refused(void **state)
{
    struct rig r = {0};
    int16_t x[10] = {0};

    (void)state;
    rig_open(&r, false, true);
    assert_int_equal(duplex_play(r.duplex, 0, 16000, x, 10), -EINVAL);
    assert_int_equal(duplex_play(r.duplex, 1, 12, x, 10), -EINVAL);
    assert_int_equal(duplex_play(r.duplex, 1, 16000, x, 10), 0);
    assert_int_equal(duplex_play(r.duplex, 1, 24000, x, 10), -EINVAL);
    assert_int_equal(duplex_end(r.duplex, 1), 0);
    assert_int_equal(duplex_play(r.duplex, 1, 16000, x, 10), -EINVAL);
    duplex_close(r.duplex);

    struct rig deaf = {0};
    rig_open(&deaf, true, false);
    assert_int_equal(duplex_play(deaf.duplex, 1, 16000, x, 10), -EINVAL);
    duplex_flush(deaf.duplex);
    duplex_close(deaf.duplex);
}

static void a_refusing_device_is_told_and_leaves_nothing(void **state)
{
    struct fake_audio fake = {.open_error = -ENODEV};
    struct duplex_config config = {
        .driver = &fake_audio_driver, .argument = fake_audio_argument(&fake), .capture = true};
    struct duplex *d = (struct duplex *)&fake;
    struct err e = {0};

    (void)state;
    assert_int_equal(duplex_open(&d, &config, NULL, &e), -ENODEV);
    assert_null(d);
    assert_int_equal(e.status, STATUS_AUDIO);
}

static void captured_audio_arrives_at_16_khz_with_its_time(void **state)
{
    struct rig r = {.fake = {.in_hz = 48000, .out_hz = 48000, .now_ns = 1000000000}};
    int16_t *in = constant(480, 5000), heard[16000];
    int64_t at, first = 0;
    size_t n = 0;

    (void)state;
    rig_open(&r, true, false);
    for (int i = 0; i < 50; i++)
        fake_audio_run(&r.fake, in, NULL, 480);
    for (int i = 0; i < 5000 && n < 7840; i++) {
        size_t got = duplex_read(r.duplex, heard + n, 16000 - n, &at);
        if (n == 0 && got > 0)
            first = at;
        else if (got > 0)
            assert_true(llabs(at - first - (int64_t)n * 62500) < 100000);
        n += got;
        nap();
    }
    /* Half a second, but for what the resampler still holds, in frames of 10 ms. */
    assert_true(n >= 7840 && n <= 8000);
    assert_int_equal(first, 1000000000);
    for (size_t i = 200; i < n - 200; i++)
        assert_true(abs(heard[i] - 5000) < 50);
    free(in);
    duplex_close(r.duplex);
}

static void captured_audio_that_nobody_reads_is_counted(void **state)
{
    struct rig r = {0};
    struct duplex_stats stats;

    (void)state;
    rig_open(&r, true, false);
    for (int i = 0; i < 60000; i++) {
        fake_audio_run(&r.fake, NULL, NULL, 1600);
        duplex_stats(r.duplex, &stats);
        if (stats.dropped > 0)
            break;
        nap();
    }
    assert_true(stats.dropped > 0);
    duplex_close(r.duplex);
}

static void a_lost_device_is_told_once_and_holds_what_was_playing(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open_paced(&r);
    play_n(&r, 1, 16000, 16000);
    run_until_heard(&r, 100);
    collect(&r);
    assert_int_equal(r.n_events, 1);
    fake_audio_lose(&r.fake);
    for (int i = 0; i < 5000 && r.n_events < 2; i++) {
        nap();
        collect(&r);
    }
    assert_int_equal(r.events[1].type, DUPLEX_LOST);
    for (int i = 0; i < 20; i++)
        nap();
    collect(&r);
    assert_int_equal(r.n_events, 2);
    duplex_close(r.duplex);
}

static void a_device_that_stalls_is_lost(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r, true, true);
    run(&r);
    for (int i = 0; i < 20000 && r.n_events < 1; i++) {
        /* Handing it speech all the time does not hide it. */
        play_n(&r, 1, 16000, 10);
        nap();
        collect(&r);
    }
    assert_true(r.n_events >= 1);
    assert_int_equal(r.events[r.n_events - 1].type, DUPLEX_LOST);
    duplex_close(r.duplex);
}

/* --- all threads at once: speech that is too soft to survive a fade, so that each sample that is
 * not zero was played in full */

struct race {
    struct rig *rig;
    _Atomic bool stop;
};

static void *device(void *user)
{
    struct race *race = user;
    int16_t in[PERIOD] = {1, 2, 3}, out[PERIOD];

    while (!atomic_load(&race->stop)) {
        struct timespec pause = {0, 100000};
        fake_audio_run(&race->rig->fake, in, out, PERIOD);
        for (size_t i = 0; i < PERIOD; i++)
            race->rig->nonzero += out[i] != 0;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void *flusher(void *user)
{
    struct race *race = user;
    uint32_t seed = 1;

    while (!atomic_load(&race->stop)) {
        struct timespec pause = {0, 1000000 + (long)(seed % 8) * 1000000};
        seed = seed * 1664525u + 1013904223u;
        seed ^= seed >> 16;
        nanosleep(&pause, NULL);
        duplex_flush(race->rig->duplex);
    }
    return NULL;
}

/* False when the machine was so busy that the device did not run for a second: it counts as
 * stalled, and the race is off. */
static bool race_once(void)
{
    struct rig r = {0};
    struct race race = {.rig = &r};
    struct duplex_event ev;
    pthread_t threads[2];
    uint64_t played = 0;
    size_t flushed = 0, ended = 0;
    int16_t x[2000], heard[4096];
    int64_t at;
    uint32_t items = 400;
    bool lost = false;

    for (size_t i = 0; i < 2000; i++)
        x[i] = 1;
    rig_open(&r, true, true);
    pthread_create(&threads[0], NULL, device, &race);
    pthread_create(&threads[1], NULL, flusher, &race);
    for (uint32_t item = 1; ended + flushed < items && !lost;) {
        if (item <= items && item < ended + flushed + 4) {
            assert_int_equal(duplex_play(r.duplex, item, 16000, x, item * 7919 % 2000), 0);
            assert_int_equal(duplex_play(r.duplex, item, 16000, x, 5), 0);
            assert_int_equal(duplex_end(r.duplex, item), 0);
            item++;
        }
        duplex_read(r.duplex, heard, 4096, &at);
        while (duplex_poll(r.duplex, &ev)) {
            lost |= ev.type == DUPLEX_LOST;
            if (ev.type != DUPLEX_ENDED)
                continue;
            played += ev.played;
            flushed += ev.flushed;
            ended += !ev.flushed;
            if (!ev.flushed)
                assert_int_equal(ev.played, ev.item * 7919 % 2000 + 5);
        }
        nap();
    }
    atomic_store(&race.stop, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    if (!lost) {
        assert_int_equal(played, r.nonzero);
        assert_true(flushed > 0 && ended > 0);
    }
    duplex_close(r.duplex);
    return !lost;
}

static void counts_agree_while_player_flusher_and_device_race(void **state)
{
    int tries = 1;

    (void)state;
    while (!race_once())
        assert_true(++tries < 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_of_an_item_is_played_and_counted),
        cmocka_unit_test(an_item_is_counted_at_its_own_rate),
        cmocka_unit_test(started_says_when_it_is_heard),
        cmocka_unit_test(a_flush_is_obeyed_by_the_next_callback),
        cmocka_unit_test(a_flushed_item_has_ended_even_when_nothing_was_heard_of_it),
        cmocka_unit_test(an_item_without_samples_ends_at_once),
        cmocka_unit_test(many_short_items_all_get_their_turn),
        cmocka_unit_test(running_dry_inside_an_item_is_counted),
        cmocka_unit_test(wrong_use_is_refused),
        cmocka_unit_test(a_refusing_device_is_told_and_leaves_nothing),
        cmocka_unit_test(captured_audio_arrives_at_16_khz_with_its_time),
        cmocka_unit_test(captured_audio_that_nobody_reads_is_counted),
        cmocka_unit_test(a_lost_device_is_told_once_and_holds_what_was_playing),
        cmocka_unit_test(a_device_that_stalls_is_lost),
        cmocka_unit_test(counts_agree_while_player_flusher_and_device_race),
    };

    return cmocka_run_group_tests_name("duplex", tests, NULL, NULL);
}
