/* null driver: a device made of a clock, and its faults. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "audio/drivers.h"
#include "util/clock.h"

struct heard {
    _Atomic int callbacks, lost, xruns, loud, wrong;
    _Atomic int64_t first_out_ns, last_out_ns;
    size_t frames;
    bool in, out;
};

static void callback(void *user, const int16_t *in, int16_t *out, size_t frames,
                     const struct audio_when *when)
{
    struct heard *h = user;

    if ((in != NULL) != h->in || (out != NULL) != h->out || frames != h->frames)
        h->wrong++;
    for (size_t i = 0; in != NULL && i < frames; i++)
        h->loud += in[i] != 0;
    if (out != NULL)
        memset(out, 0x55, frames * sizeof *out);
    h->xruns += when->output_underflow;
    if (h->callbacks == 0)
        h->first_out_ns = when->out_ns;
    h->last_out_ns = when->out_ns;
    h->callbacks++;
}

static void lost(void *user)
{
    ((struct heard *)user)->lost++;
}

static struct audio_stream *open_null(const char *argument, struct heard *h)
{
    struct audio_config config = {.capture = h->in,
                                  .playback = h->out,
                                  .latency_ms = 20,
                                  .callback = callback,
                                  .lost = lost,
                                  .user = h};
    struct audio_stream *s;
    struct err e = {0};

    assert_int_equal(audio_null.open(&s, argument, &config, NULL, &e), 0);
    return s;
}

/* Plays a click in the second callback, and looks for it in the microphone. */
struct clicks {
    _Atomic int played, heard; /* at which sample; -1: not */
    int level, samples, callbacks;
};

static void click(void *user, const int16_t *in, int16_t *out, size_t frames,
                  const struct audio_when *when)
{
    struct clicks *c = user;

    (void)when;
    memset(out, 0, frames * sizeof *out);
    for (size_t i = 0; i < frames; i++)
        if (in[i] != 0 && c->heard < 0) {
            c->level = in[i];
            c->heard = c->samples + (int)i;
        }
    if (++c->callbacks == 2) {
        out[7] = 10000;
        c->played = c->samples + 7;
    }
    c->samples += (int)frames;
}

static void an_echo_comes_after_both_latencies(void **state)
{
    static const struct {
        const char *argument;
        int samples, level;
    } echoes[] = {{"rate=16000,pace=0,latency=20,echo=-6", 640, 5011},
                  {"rate=16000,pace=0,latency=0,echo=0", 160, 10000},
                  {"rate=8000,pace=0,latency=5,period=100,echo=20", 800, 32767}};

    (void)state;
    for (size_t i = 0; i < sizeof echoes / sizeof *echoes; i++) {
        struct clicks c = {.played = -1, .heard = -1};
        struct audio_config config = {
            .capture = true, .playback = true, .latency_ms = 20, .callback = click, .user = &c};
        struct audio_stream *s;
        struct err e = {0};
        assert_int_equal(audio_null.open(&s, echoes[i].argument, &config, NULL, &e), 0);
        assert_int_equal(audio_null.start(s, &e), 0);
        for (int k = 0; k < 5000 && c.heard < 0; k++) {
            struct timespec ms = {0, 1000000};
            nanosleep(&ms, NULL);
        }
        audio_null.close(s);
        assert_int_equal(c.heard - c.played, echoes[i].samples);
        assert_in_range(c.level, echoes[i].level, echoes[i].level + 1);
    }
}

static bool wait_for(_Atomic int *counter, int n)
{
    struct timespec ms = {0, 1000000};

    for (int i = 0; i < 10000 && *counter < n; i++)
        nanosleep(&ms, NULL);
    return *counter >= n;
}

static void calls_back_in_periods_until_closed(void **state)
{
    struct heard h = {.in = true, .out = true, .frames = 80};
    struct audio_stream *s = open_null("rate=16000,period=5", &h);
    struct err e;

    (void)state;
    assert_int_equal(s->in_hz, 16000);
    assert_int_equal(s->out_hz, 16000);
    assert_true(s->out_latency_ms == 20);
    assert_int_equal(h.callbacks, 0);
    assert_int_equal(audio_null.start(s, &e), 0);
    assert_true(wait_for(&h.callbacks, 5));
    audio_null.close(s);
    int before = h.callbacks;
    struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
    assert_int_equal(h.callbacks, before);
    assert_int_equal(h.wrong, 0);
    assert_int_equal(h.loud, 0);
    assert_int_equal(h.lost, 0);
}

static void keeps_to_the_clock(void **state)
{
    struct heard h = {.out = true, .frames = 480};
    struct audio_stream *s = open_null(NULL, &h);
    struct err e;
    int64_t before = clock_ns();

    (void)state;
    assert_int_equal(s->in_hz, 0);
    audio_null.start(s, &e);
    assert_true(wait_for(&h.callbacks, 10));
    /* Never ahead of it; a busy machine may be behind. */
    assert_true(clock_ns() - before >= 100000000);
    assert_true(h.first_out_ns >= before + 10000000 + 20000000);
    audio_null.close(s);
}

static void goes_as_fast_as_it_can_without_a_pace(void **state)
{
    struct heard h = {.in = true, .frames = 160};
    struct audio_stream *s = open_null("rate=16000,pace=0,drop-after=60", &h);
    struct err e;

    (void)state;
    audio_null.start(s, &e);
    assert_true(wait_for(&h.lost, 1));
    assert_int_equal(h.callbacks, 6000);
    audio_null.close(s);
    assert_int_equal(h.lost, 1);
}

static void stalls_in_silence(void **state)
{
    struct heard h = {.in = true, .frames = 160};
    struct audio_stream *s = open_null("rate=16000,pace=0,stall-after=0.1", &h);
    struct err e;

    (void)state;
    audio_null.start(s, &e);
    assert_true(wait_for(&h.callbacks, 10));
    struct timespec pause = {0, 30000000};
    nanosleep(&pause, NULL);
    assert_int_equal(h.callbacks, 10);
    assert_int_equal(h.lost, 0);
    audio_null.close(s);
}

static void a_late_callback_reports_what_it_cost(void **state)
{
    struct heard h = {.in = true, .out = true, .frames = 480};
    struct audio_stream *s = open_null("late=50,pace=20", &h);
    struct err e;

    (void)state;
    audio_null.start(s, &e);
    assert_true(wait_for(&h.callbacks, 200));
    audio_null.close(s);
    /* Callbacks 50, 150, 250 ... were late. */
    assert_int_equal(h.xruns, (h.callbacks + 49) / 100);
}

static void bad_knobs_and_missing_devices_are_told(void **state)
{
    static const char *const bad[] = {"rate",        "rate=",         "rate=0",   "rate=1e9",
                                      "rate=16k",    "refuse-rate=1", "colour=1", "pace=nan",
                                      "pace=1e-300", "drop-after=-1", ",",        "period=10,,"};
    struct audio_config config = {.capture = true, .latency_ms = 20, .callback = callback};
    struct audio_stream *s;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&e, 0, sizeof e);
        assert_int_equal(audio_null.open(&s, bad[i], &config, NULL, &e), -EINVAL);
        assert_null(s);
        assert_int_equal(e.status, STATUS_USAGE);
        assert_non_null(strstr(e.text, "'null'"));
    }
    assert_true(audio_null.open(&s, "no-device", &config, NULL, &e) < 0);
    assert_int_equal(e.status, STATUS_AUDIO);
    assert_true(audio_null.open(&s, "refuse-rate", &config, NULL, &e) < 0);
    assert_int_equal(e.status, STATUS_AUDIO);
    assert_null(s);
    audio_null.close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_echo_comes_after_both_latencies),
        cmocka_unit_test(calls_back_in_periods_until_closed),
        cmocka_unit_test(keeps_to_the_clock),
        cmocka_unit_test(goes_as_fast_as_it_can_without_a_pace),
        cmocka_unit_test(stalls_in_silence),
        cmocka_unit_test(a_late_callback_reports_what_it_cost),
        cmocka_unit_test(bad_knobs_and_missing_devices_are_told),
    };

    return cmocka_run_group_tests_name("null driver", tests, NULL, NULL);
}
