/* duplex with the real chain on odd devices: any rate and period, a microphone that is the
 * loudspeaker, callbacks that come late or twice, two clocks. Nothing crashes, nothing hangs, and
 * what is played and counted stays right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "audio/duplex.h"
#include "fake/fake_audio.h"
#include "util/clock.h"

#define MOST 8192
#define HALF (DUPLEX_HZ / 2)

struct rig {
    struct fake_audio fake;
    struct duplex *duplex;
    uint64_t frames, heard;
    int16_t last[MOST]; /* what went out */
    bool loopback;
    bool ended;
    uint64_t played, events;
};

static void rig_open(struct rig *r, int hz, bool loopback)
{
    struct duplex_config config = {.driver = &fake_audio_driver,
                                   .argument = fake_audio_argument(&r->fake),
                                   .capture = true,
                                   .playback = true};
    struct err e = {0};

    r->fake.in_hz = r->fake.out_hz = hz;
    r->fake.latency_ms = 20;
    r->loopback = loopback;
    assert_int_equal(duplex_open(&r->duplex, &config, NULL, &e), 0);
}

static void drain(struct rig *r)
{
    struct duplex_event ev;
    int16_t x[4000];
    int64_t at_ns;
    size_t n;

    while ((n = duplex_read(r->duplex, x, 4000, &at_ns)) > 0)
        r->heard += n;
    while (duplex_poll(r->duplex, &ev)) {
        r->events++;
        if (ev.type == DUPLEX_ENDED) {
            r->ended = true;
            r->played = ev.played;
        }
        assert_int_not_equal(ev.type, DUPLEX_LOST);
    }
}

static void callback(struct rig *r, size_t n)
{
    int16_t in[MOST];

    memcpy(in, r->last, n * sizeof *in);
    fake_audio_run(&r->fake, r->loopback ? in : NULL, r->last, n);
    r->frames += n;
}

/* Samples at 16 kHz that the worker has not handed on yet. */
static uint64_t behind(const struct rig *r)
{
    return r->frames * DUPLEX_HZ / (uint64_t)r->fake.in_hz - r->heard;
}

/* Runs `ms` of the device in callbacks of n, with a moment for the worker now and then. */
static void run_ms(struct rig *r, int ms, size_t n)
{
    int hz = r->fake.out_hz;
    uint64_t until = r->frames + (uint64_t)hz * (uint64_t)ms / 1000, nap = 0;

    while (r->frames < until) {
        callback(r, n);
        if (r->frames < nap)
            continue;
        nap = r->frames + (uint64_t)hz / 100;
        /* No faster than the worker: nothing is to be lost here. */
        for (int i = 0; i < 4000 && (i == 0 || behind(r) > HALF); i++) {
            struct timespec pause = {0, 200000};
            nanosleep(&pause, NULL);
            drain(r);
        }
    }
}

static void play_noise(struct rig *r, uint32_t item, size_t n)
{
    int16_t *x = malloc(n * sizeof *x);
    uint32_t seed = item;

    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (int16_t)((int32_t)(seed >> 16) % 8000);
    }
    assert_int_equal(duplex_play(r->duplex, item, 24000, x, n), 0);
    assert_int_equal(duplex_end(r->duplex, item), 0);
    free(x);
}

/* Waits until the worker has taken all that was captured, but for what a frame and the resampler
 * hold back. */
static void settle(struct rig *r)
{
    for (int i = 0; i < 900 && behind(r) > 1200; i++) {
        struct timespec ms = {0, 1000000};
        nanosleep(&ms, NULL);
        drain(r);
    }
    assert_true(behind(r) <= 1200);
}

static void any_rate_and_any_period_will_do(void **state)
{
    static const int rates[] = {8000, 11025, 16000, 44100, 48000, 96000, 192000};
    static const size_t periods[] = {1, 7, 160, 441, 1024, 8192};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        for (size_t k = 0; k < sizeof periods / sizeof *periods; k++) {
            struct rig *r = calloc(1, sizeof *r);
            assert_non_null(r);
            rig_open(r, rates[i], true);
            play_noise(r, 1, 2400);
            for (int n = 0; n < 40 && !r->ended; n++)
                run_ms(r, 100, periods[k]);
            assert_true(r->ended);
            assert_int_equal(r->played, 2400);
            settle(r);
            duplex_close(r->duplex);
            free(r);
        }
}

static void a_microphone_that_is_the_loudspeaker_is_heard_out(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct duplex_stats stats;

    (void)state;
    assert_non_null(r);
    rig_open(r, 48000, true);
    play_noise(r, 1, 5 * 24000);
    for (int n = 0; n < 100 && !r->ended; n++)
        run_ms(r, 100, 480);
    duplex_stats(r->duplex, &stats);
    assert_int_equal(r->played, 5 * 24000);
    assert_false(stats.silent);
    settle(r);
    duplex_close(r->duplex);
    free(r);
}

static void callbacks_that_come_late_or_twice_are_lived_with(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct duplex_stats stats;

    (void)state;
    assert_non_null(r);
    rig_open(r, 16000, true);
    play_noise(r, 1, 6 * 24000);
    for (int i = 0; i < 30; i++) {
        run_ms(r, 100, 160);
        switch (i % 4) {
        case 0: /* late: time goes by without one */
            r->fake.now_ns += 150000000;
            break;
        case 1: /* twice: two for one time */
            callback(r, 160);
            r->fake.now_ns -= 20000000;
            break;
        case 2: /* a clock that is set back, and far ahead */
            r->fake.now_ns -= 3600 * (int64_t)1000000000;
            break;
        default:
            r->fake.now_ns += 7200 * (int64_t)1000000000;
        }
    }
    for (int n = 0; n < 100 && !r->ended; n++)
        run_ms(r, 100, 160);
    duplex_stats(r->duplex, &stats);
    assert_int_equal(r->played, 6 * 24000);
    settle(r);
    duplex_close(r->duplex);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_rate_and_any_period_will_do),
        cmocka_unit_test(a_microphone_that_is_the_loudspeaker_is_heard_out),
        cmocka_unit_test(callbacks_that_come_late_or_twice_are_lived_with),
    };

    return cmocka_run_group_tests_name("duplex on odd devices", tests, NULL, NULL);
}
