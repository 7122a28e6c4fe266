/* The audio callback copies, counts and leaves: no allocation, no lock, no system call of ours,
 * whatever happens to it. It runs here as PortAudio would call it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/drivers.h"
#include "audio/duplex.h"
#include "fake/fake_nearend.h"
#include "fake/fake_portaudio.h"
#include "fake/rt_guard.h"

#define FRAMES 480

struct rig {
    struct duplex *duplex;
    int callbacks, loud;
};

static void rig_open(struct rig *r)
{
    struct duplex_config config = {.driver = &audio_portaudio, .capture = true, .playback = true};
    struct err e = {0};

    if (!rt_guard_works())
        skip();
    assert_int_equal(duplex_open(&r->duplex, &config, NULL, &e), 0);
}

/* One callback for each stream, guarded, then a moment for the worker. */
static void run(struct rig *r, PaStreamCallbackFlags flags)
{
    static int16_t in[2 * FRAMES], out[2 * FRAMES];
    static const PaStreamCallbackTimeInfo time;
    struct timespec ms = {0, 1000000};

    for (int i = 0; i < fake_pa.n_streams; i++) {
        struct fake_pa_stream *s = &fake_pa.streams[i];
        const char *forbidden;
        rt_guard_up();
        fake_pa_run(s, s->in.channelCount > 0 ? in : NULL, s->out.channelCount > 0 ? out : NULL,
                    FRAMES, &time, flags);
        forbidden = rt_guard_down();
        if (forbidden != NULL)
            fail_msg("the callback called %s", forbidden);
        r->callbacks++;
        r->loud += s->out.channelCount > 0 && out[0] != 0;
    }
    nanosleep(&ms, NULL);
}

static void decide(enum barge_state state)
{
    fake_nearend_verdict(&(struct nearend_verdict){.state = state});
}

/* What the worker may do to the callback in period i of an item. */
static void interfere(struct rig *r, uint32_t item, int i)
{
    static const enum barge_state states[] = {
        [2] = BARGE_DUCK, [4] = BARGE_HOLD,  [6] = BARGE_DUCK,  [7] = BARGE_PLAY,
        [9] = BARGE_HOLD, [11] = BARGE_PLAY, [14] = BARGE_HOLD, [16] = BARGE_STOP};

    if (i < 17 && (i == 7 || i == 11 || states[i] != BARGE_PLAY))
        decide(states[i]);
    if (i == 10 && item % 2 == 0)
        duplex_flush(r->duplex);
    duplex_mute(r->duplex, item % 3 == 1);
}

/* Plays, ducks, holds, runs dry inside an item, flushes into speech, overflows, and goes on. */
static void live_through_everything(struct rig *r)
{
    static int16_t speech[24000];
    struct duplex_stats stats;
    struct duplex_event ev;
    int flushed = 0, held = 0;

    for (size_t i = 0; i < 24000; i++)
        speech[i] = 1000;
    for (uint32_t item = 1; item <= 12; item++) {
        assert_int_equal(duplex_play(r->duplex, item, 24000, speech, 1000 * item), 0);
        if (item % 3 != 0)
            assert_int_equal(duplex_end(r->duplex, item), 0);
        for (int i = 0; i < 20; i++) {
            run(r, i == 7 ? paInputOverflow | paOutputUnderflow : 0);
            interfere(r, item, i);
        }
        duplex_flush(r->duplex);
        while (duplex_poll(r->duplex, &ev)) {
            flushed += ev.flushed;
            held += ev.type == DUPLEX_HELD;
        }
    }
    /* Nobody reads the microphone: its rings overflow. */
    for (int i = 0; i < 1200; i++)
        run(r, 0);
    duplex_stats(r->duplex, &stats);
    assert_true(stats.underruns > 0);
    assert_true(stats.overruns > 0);
    assert_true(stats.dropped > 0);
    assert_true(flushed > 0 && held > 0);
    assert_true(r->loud > 0);
}

static void a_duplex_callback_is_realtime_safe(void **state)
{
    static const char *const names[] = {"card"};
    struct rig r = {0};

    (void)state;
    fake_pa_reset(1, names);
    rig_open(&r);
    assert_int_equal(fake_pa.n_streams, 1);
    live_through_everything(&r);
    duplex_close(r.duplex);
}

static void callbacks_of_two_stereo_devices_are_realtime_safe(void **state)
{
    static const char *const names[] = {"microphone", "loudspeaker"};
    struct rig r = {0};

    (void)state;
    fake_pa_reset(2, names);
    fake_pa.default_out = 1;
    fake_pa.no_duplex = true;
    fake_pa.least_channels = 2;
    rig_open(&r);
    assert_int_equal(fake_pa.n_streams, 2);
    live_through_everything(&r);
    duplex_close(r.duplex);
}

/* --- the guard itself */

static void *volatile sink;

static void the_guard_catches_what_it_should(void **state)
{
    (void)state;
    if (!rt_guard_works())
        skip();
    rt_guard_up();
    sink = malloc(16);
    assert_string_equal(rt_guard_down(), "malloc");
    rt_guard_up();
    free(sink);
    assert_string_equal(rt_guard_down(), "free");
    rt_guard_up();
    assert_null(rt_guard_down());
}

static void the_guard_catches_system_calls(void **state)
{
    const char *caught;
    long pid;

    (void)state;
    if (!rt_guard_sees_system_calls())
        skip();
    rt_guard_up();
    pid = getppid();
    caught = rt_guard_down();
    assert_non_null(caught);
    assert_non_null(strstr(caught, "system call"));
    assert_int_equal(pid, getppid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guard_catches_what_it_should),
        cmocka_unit_test(the_guard_catches_system_calls),
        cmocka_unit_test(a_duplex_callback_is_realtime_safe),
        cmocka_unit_test(callbacks_of_two_stereo_devices_are_realtime_safe),
    };

    return cmocka_run_group_tests_name("realtime callback", tests, NULL, NULL);
}
