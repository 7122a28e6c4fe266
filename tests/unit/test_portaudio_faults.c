/* portaudio driver: devices that refuse, lie, or go away. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audio/drivers.h"
#include "fake/fake_portaudio.h"
#include "util/clock.h"

struct seen {
    int callbacks, lost;
    size_t frames;
    int16_t in[4096];
    struct audio_when when, first;
    bool has_in, has_out;
};

static void callback(void *user, const int16_t *in, int16_t *out, size_t frames,
                     const struct audio_when *when)
{
    struct seen *s = user;

    s->has_in = in != NULL;
    s->has_out = out != NULL;
    for (size_t i = 0; i < frames; i++) {
        if (in != NULL)
            s->in[s->frames + i] = in[i];
        if (out != NULL)
            out[i] = (int16_t)(s->frames + i);
    }
    if (s->callbacks == 0)
        s->first = *when;
    s->when = *when;
    s->frames += frames;
    s->callbacks++;
}

static void lost(void *user)
{
    ((struct seen *)user)->lost++;
}

static const char *const cards[] = {"card one", "card two"};

static int open_devices(struct audio_stream **s, struct seen *seen, const char *input,
                        const char *output, struct err *e)
{
    struct audio_config config = {.capture = true,
                                  .playback = true,
                                  .input = input,
                                  .output = output,
                                  .latency_ms = 20,
                                  .callback = callback,
                                  .lost = lost,
                                  .user = seen};

    return audio_portaudio.open(s, NULL, &config, NULL, e);
}

static struct audio_stream *opened(struct seen *seen, const char *input, const char *output)
{
    struct audio_stream *s;
    struct err e = {0};
    int rc = open_devices(&s, seen, input, output, &e);

    assert_string_equal(e.text, "");
    assert_int_equal(rc, 0);
    return s;
}

static void one_device_is_one_stream_with_what_was_asked_for(void **state)
{
    struct seen seen = {0};
    struct err e;

    (void)state;
    fake_pa_reset(2, cards);
    struct audio_stream *s = opened(&seen, "two", "TWO");
    assert_int_equal(fake_pa.n_streams, 1);
    struct fake_pa_stream *f = &fake_pa.streams[0];
    assert_int_equal(f->in.device, 1);
    assert_int_equal(f->out.device, 1);
    assert_int_equal(f->in.channelCount, 1);
    assert_int_equal(f->out.channelCount, 1);
    assert_true(f->in.sampleFormat == paInt16 && f->out.sampleFormat == paInt16);
    assert_true(f->in.suggestedLatency == 0.02 && f->out.suggestedLatency == 0.02);
    assert_int_equal(f->frames_per_buffer, paFramesPerBufferUnspecified);
    assert_int_equal(s->in_hz, 48000);
    assert_false(f->started);
    assert_int_equal(audio_portaudio.start(s, &e), 0);
    assert_true(f->started);
    audio_portaudio.close(s);
    assert_true(f->closed);
    assert_int_equal(fake_pa.initialized, 0);
    assert_int_equal(seen.lost, 0);
}

static void two_devices_are_two_streams(void **state)
{
    struct seen seen = {0};

    (void)state;
    fake_pa_reset(2, cards);
    fake_pa.devices[1].defaultSampleRate = 44100;
    struct audio_stream *s = opened(&seen, "one", "two");
    assert_int_equal(fake_pa.n_streams, 2);
    assert_int_equal(fake_pa.streams[0].out.channelCount, 0);
    assert_int_equal(fake_pa.streams[1].in.channelCount, 0);
    assert_int_equal(s->in_hz, 48000);
    assert_int_equal(s->out_hz, 44100);
    assert_string_equal(s->in_name, "card one");
    assert_string_equal(s->out_name, "card two");
    audio_portaudio.close(s);
}

static void defaults_that_cannot_go_together_are_two_streams(void **state)
{
    struct seen seen = {0};

    (void)state;
    fake_pa_reset(2, cards);
    fake_pa.default_out = 1;
    struct audio_stream *s = opened(&seen, NULL, NULL);
    assert_int_equal(fake_pa.n_streams, 1);
    audio_portaudio.close(s);

    fake_pa_reset(2, cards);
    fake_pa.default_out = 1;
    fake_pa.no_duplex = true;
    s = opened(&seen, NULL, NULL);
    assert_int_equal(fake_pa.n_streams, 2);
    audio_portaudio.close(s);
}

static void a_refused_rate_is_replaced_by_one_that_works(void **state)
{
    static const int rates[] = {44100, 16000, 8000, 96000};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct seen seen = {0};
        fake_pa_reset(1, cards);
        fake_pa.only_rate_hz = rates[i];
        struct audio_stream *s = opened(&seen, NULL, NULL);
        assert_int_equal(s->in_hz, rates[i]);
        assert_int_equal(s->out_hz, rates[i]);
        audio_portaudio.close(s);
    }
}

static void a_device_that_takes_no_rate_is_told_and_left_alone(void **state)
{
    struct seen seen = {0};
    struct audio_stream *s;
    struct err e = {0};

    (void)state;
    fake_pa_reset(1, cards);
    fake_pa.only_rate_hz = 12345;
    assert_int_equal(open_devices(&s, &seen, NULL, NULL, &e), -EINVAL);
    assert_null(s);
    assert_int_equal(e.status, STATUS_AUDIO);
    assert_non_null(strstr(e.text, "'card one'"));
    assert_int_equal(fake_pa.initialized, 0);
}

static void a_busy_device_is_told_at_once(void **state)
{
    struct seen seen = {0};
    struct audio_stream *s;
    struct err e = {0};

    (void)state;
    fake_pa_reset(1, cards);
    fake_pa.open_error = paDeviceUnavailable;
    assert_true(open_devices(&s, &seen, "one", "one", &e) < 0);
    assert_non_null(strstr(e.text, "Device unavailable"));
    assert_true(fake_pa.attempts <= 2);
    fake_pa.open_error = paUnanticipatedHostError;
    assert_true(open_devices(&s, &seen, "one", "one", &e) < 0);
    assert_non_null(strstr(e.text, "the host said no"));
    assert_int_equal(fake_pa.initialized, 0);
}

static void a_device_that_will_not_start_is_told(void **state)
{
    struct seen seen = {0};
    struct err e = {0};

    (void)state;
    fake_pa_reset(1, cards);
    fake_pa.start_error = paDeviceUnavailable;
    struct audio_stream *s = opened(&seen, NULL, NULL);
    assert_true(audio_portaudio.start(s, &e) < 0);
    assert_int_equal(e.status, STATUS_AUDIO);
    audio_portaudio.close(s);
}

static void a_sound_system_that_fails_is_told(void **state)
{
    struct seen seen = {0};
    struct audio_stream *s;
    struct err e = {0};

    (void)state;
    fake_pa_reset(0, NULL);
    fake_pa.init_error = paInternalError;
    assert_true(open_devices(&s, &seen, NULL, NULL, &e) < 0);
    assert_int_equal(e.status, STATUS_AUDIO);
    fake_pa.init_error = paNoError;
    assert_int_equal(open_devices(&s, &seen, NULL, NULL, &e), -ENODEV);
    assert_int_equal(e.status, STATUS_AUDIO);
    assert_int_equal(fake_pa.initialized, 0);
}

static void more_channels_are_one_to_the_caller(void **state)
{
    static const PaStreamCallbackTimeInfo time;
    static int16_t in[2 * 3000], out[2 * 3000];
    struct seen seen = {0};

    (void)state;
    fake_pa_reset(1, cards);
    fake_pa.least_channels = 2;
    struct audio_stream *s = opened(&seen, NULL, NULL);
    for (int i = 0; i < 3000; i++) {
        in[2 * i] = (int16_t)(i + 7);
        in[2 * i + 1] = -1;
    }
    fake_pa_run(&fake_pa.streams[0], in, out, 3000, &time, paInputOverflow);
    assert_int_equal(seen.frames, 3000);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(seen.in[i], i + 7);
        assert_int_equal(out[2 * i], i);
        assert_int_equal(out[2 * i + 1], i);
    }
    /* Handed over in pieces, each with its own time; what was lost is told once. */
    assert_int_equal(seen.callbacks, 3);
    assert_int_equal(seen.when.out_ns - seen.first.out_ns, 2 * (1024LL * 1000000000 / 48000));
    assert_true(seen.first.input_overflow);
    assert_false(seen.when.input_overflow);
    audio_portaudio.close(s);
}

static void one_direction_hands_over_one_direction(void **state)
{
    static const PaStreamCallbackTimeInfo time;
    int16_t out[64], in[64] = {0};
    struct seen seen = {0};

    (void)state;
    fake_pa_reset(2, cards);
    struct audio_stream *s = opened(&seen, "one", "two");
    fake_pa_run(&fake_pa.streams[0], in, NULL, 64, &time, 0);
    assert_true(seen.has_in && !seen.has_out);
    fake_pa_run(&fake_pa.streams[1], NULL, out, 64, NULL, 0);
    assert_true(!seen.has_in && seen.has_out);
    audio_portaudio.close(s);
}

static void absurd_latencies_and_times_are_made_sane(void **state)
{
    static const PaStreamCallbackTimeInfo times[] = {{0, 0, 0}, {1e9, 5, -1e9}, {NAN, INFINITY, 0}};
    int16_t out[64], in[64] = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct seen seen = {0};
        fake_pa_reset(1, cards);
        fake_pa.in_latency_s = 89478.5;
        fake_pa.out_latency_s = i == 1 ? NAN : -1;
        struct audio_stream *s = opened(&seen, NULL, NULL);
        assert_true(s->in_latency_ms == 500);
        assert_true(s->out_latency_ms == 0);
        fake_pa_run(&fake_pa.streams[0], in, out, 64, &times[i], 0);
        int64_t now = clock_ns();
        assert_true(seen.when.in_ns <= now && now - seen.when.in_ns < 10000000000);
        assert_true(seen.when.out_ns <= now && now - seen.when.out_ns < 10000000000);
        audio_portaudio.close(s);
    }
}

static void a_stream_that_ends_by_itself_is_lost_once(void **state)
{
    struct seen seen = {0};
    struct err e;

    (void)state;
    fake_pa_reset(2, cards);
    struct audio_stream *s = opened(&seen, "one", "two");
    audio_portaudio.start(s, &e);
    for (int i = 0; i < 2; i++)
        fake_pa.streams[i].finished(fake_pa.streams[i].user);
    assert_int_equal(seen.lost, 1);
    audio_portaudio.close(s);
    assert_int_equal(seen.lost, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_device_is_one_stream_with_what_was_asked_for),
        cmocka_unit_test(two_devices_are_two_streams),
        cmocka_unit_test(defaults_that_cannot_go_together_are_two_streams),
        cmocka_unit_test(a_refused_rate_is_replaced_by_one_that_works),
        cmocka_unit_test(a_device_that_takes_no_rate_is_told_and_left_alone),
        cmocka_unit_test(a_busy_device_is_told_at_once),
        cmocka_unit_test(a_device_that_will_not_start_is_told),
        cmocka_unit_test(a_sound_system_that_fails_is_told),
        cmocka_unit_test(more_channels_are_one_to_the_caller),
        cmocka_unit_test(one_direction_hands_over_one_direction),
        cmocka_unit_test(absurd_latencies_and_times_are_made_sane),
        cmocka_unit_test(a_stream_that_ends_by_itself_is_lost_once),
    };

    return cmocka_run_group_tests_name("portaudio faults", tests, NULL, NULL);
}
