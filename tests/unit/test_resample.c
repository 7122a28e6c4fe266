/* resample: what a stream sounds like, when and how long, after a change of rate. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/resample.h"

#define PI 3.14159265358979323846

struct signal {
    int16_t *x;
    size_t n;
};

static struct signal signal_new(size_t n)
{
    struct signal s = {calloc(n ? n : 1, sizeof(int16_t)), n};
    assert_non_null(s.x);
    return s;
}

static struct signal tone(double hz, int rate_hz, size_t n, double level)
{
    struct signal s = signal_new(n);
    for (size_t i = 0; i < n; i++)
        s.x[i] = (int16_t)lrint(level * sin(2 * PI * hz * (double)i / rate_hz));
    return s;
}

/* Runs a whole stream and its tail through r in pieces of in_step and out_step samples. */
static struct signal convert(struct resample *r, struct signal in, size_t room, size_t in_step,
                             size_t out_step)
{
    struct signal padded = signal_new(in.n + resample_tail(r));
    struct signal out = signal_new(room);
    size_t at = 0, made = 0;

    memcpy(padded.x, in.x, in.n * sizeof(int16_t));
    while (at < padded.n && made < room) {
        size_t n = padded.n - at < in_step ? padded.n - at : in_step;
        size_t m = room - made < out_step ? room - made : out_step;
        resample_run(r, padded.x + at, &n, out.x + made, &m);
        assert_true(n > 0 || m > 0);
        at += n;
        made += m;
    }
    assert_int_equal(at, padded.n);
    free(padded.x);
    out.n = made;
    return out;
}

static struct signal convert_rates(int from, int to, struct signal in, size_t in_step,
                                   size_t out_step)
{
    struct resample *r = NULL;
    assert_int_equal(resample_new(&r, from, to), 0);
    size_t room = (size_t)((double)in.n * to / from) + 1000;
    struct signal out = convert(r, in, room, in_step, out_step);
    resample_free(r);
    return out;
}

/* Amplitude and phase of a sine of `hz` in the middle half of s (whole periods are assumed). */
static double level_at(struct signal s, double hz, int rate_hz, double *phase)
{
    double re = 0, im = 0;
    size_t from = s.n / 4, to = from + s.n / 2;
    for (size_t i = from; i < to; i++) {
        double a = 2 * PI * hz * (double)i / rate_hz;
        re += s.x[i] * sin(a);
        im += s.x[i] * cos(a);
    }
    if (phase)
        *phase = atan2(im, re);
    return 2 * hypot(re, im) / (double)(to - from);
}

static const int rates[][2] = {
    {48000, 16000}, {44100, 16000}, {8000, 16000},  {16000, 22050}, {16000, 48000},
    {24000, 16000}, {16000, 24000}, {11025, 16000}, {96000, 16000}, {44101, 16000},
};
#define PAIRS (sizeof(rates) / sizeof(rates[0]))

static void a_tone_keeps_frequency_level_and_phase(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        int from = rates[i][0], to = rates[i][1];
        struct signal in = tone(1000, from, (size_t)from, 10000);
        struct signal out = convert_rates(from, to, in, in.n, in.n);
        double phase = 0;
        double level = level_at(out, 1000, to, &phase);
        assert_true(fabs(20 * log10(level / 10000)) < 0.1);
        assert_true(fabs(phase) < 0.01); /* 0.01 rad of 1 kHz is 1.6 microseconds */
        double energy = 0;
        for (size_t k = out.n / 4; k < out.n / 4 + out.n / 2; k++)
            energy += (double)out.x[k] * out.x[k];
        energy /= (double)(out.n / 2);
        double tone_energy = level * level / 2;
        assert_true(energy - tone_energy < tone_energy * 1e-5); /* all else is 50 dB below */
        free(in.x);
        free(out.x);
    }
}

static void what_the_lower_rate_cannot_hold_is_removed(void **state)
{
    (void)state;
    struct signal in = tone(10000, 48000, 48000, 10000);
    struct signal out = convert_rates(48000, 16000, in, in.n, in.n);
    assert_true(level_at(out, 6000, 16000, NULL) < 10); /* the alias, 60 dB down */
    free(in.x);
    free(out.x);
}

static void an_impulse_lands_where_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        int from = rates[i][0], to = rates[i][1];
        struct signal in = signal_new((size_t)from / 2);
        size_t at = (size_t)from / 10;
        /* A short raised-cosine click: wide enough to survive the change of rate. */
        int half = from / 1000;
        for (int k = -half; k <= half; k++)
            in.x[(size_t)((int)at + k)] = (int16_t)lrint(10000 * (1 + cos(PI * k / half)));
        struct signal out = convert_rates(from, to, in, in.n, in.n);
        double centre = 0, sum = 0;
        for (size_t k = 0; k < out.n; k++) {
            centre += (double)k * out.x[k];
            sum += out.x[k];
        }
        double expected = (double)at * to / from;
        assert_true(fabs(centre / sum - expected) < 0.25);
        free(in.x);
        free(out.x);
    }
}

static void any_chunking_gives_the_same_samples(void **state)
{
    (void)state;
    static const size_t steps[][2] = {{1, 1},      {1, 4096}, {160, 7},
                                      {333, 1000}, {4096, 1}, {441, 160}};
    for (size_t i = 0; i < PAIRS; i++) {
        int from = rates[i][0], to = rates[i][1];
        struct signal in = tone(440, from, 5000, 12000);
        uint32_t noise = 1;
        for (size_t k = 0; k < in.n; k++) {
            noise = noise * 1664525u + 1013904223u;
            in.x[k] = (int16_t)(in.x[k] + (int16_t)(noise >> 16) / 8);
        }
        struct signal whole = convert_rates(from, to, in, in.n * 2, in.n * 8);
        for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
            struct signal parts = convert_rates(from, to, in, steps[s][0], steps[s][1]);
            assert_int_equal(parts.n, whole.n);
            assert_memory_equal(parts.x, whole.x, whole.n * sizeof(int16_t));
            free(parts.x);
        }
        free(in.x);
        free(whole.x);
    }
}

static void the_length_is_kept_once_the_tail_was_fed(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 10, 160, 1001, 44100};
    for (size_t i = 0; i < PAIRS; i++) {
        for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
            struct signal in = signal_new(lengths[k]);
            struct signal out = convert_rates(rates[i][0], rates[i][1], in, 512, 512);
            double expected = (double)in.n * rates[i][1] / rates[i][0];
            assert_true(fabs((double)out.n - expected) <= 1.5);
            free(in.x);
            free(out.x);
        }
    }
}

static void extreme_ratios_work(void **state)
{
    (void)state;
    static const int far[][2] = {{768000, 16000}, {1000, 16000},   {768000, 1000},
                                 {1000, 768000},  {767999, 16000}, {1001, 16000}};
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        int from = far[i][0], to = far[i][1];
        struct signal in = tone(100, from, (size_t)from, 10000);
        struct signal out = convert_rates(from, to, in, 4096, 4096);
        double phase = 0;
        assert_true(fabs((double)out.n - to) <= 2);
        assert_true(fabs(20 * log10(level_at(out, 100, to, &phase) / 10000)) < 0.2);
        assert_true(fabs(phase) < 0.01);
        free(in.x);
        free(out.x);
    }
}

static void equal_rates_copy(void **state)
{
    (void)state;
    struct resample *r = NULL;
    int16_t x[5] = {1, -2, 32767, -32768, 5}, y[5] = {0};
    size_t n = 5, m = 3;

    assert_int_equal(resample_new(&r, 16000, 16000), 0);
    assert_int_equal(resample_tail(r), 0);
    resample_run(r, x, &n, y, &m);
    assert_int_equal(n, 3);
    assert_int_equal(m, 3);
    n = 2;
    m = 5;
    resample_run(r, x + 3, &n, y + 3, &m);
    assert_int_equal(n, 2);
    assert_int_equal(m, 2);
    assert_memory_equal(x, y, sizeof(x));
    resample_free(r);
}

static void full_scale_saturates_instead_of_wrapping(void **state)
{
    (void)state;
    struct signal in = signal_new(4800);
    for (size_t i = 0; i < in.n; i++)
        in.x[i] = (i / 100) % 2 ? INT16_MIN : INT16_MAX;
    struct signal out = convert_rates(48000, 16000, in, in.n, in.n);
    for (size_t i = 50; i + 50 < out.n; i++) {
        size_t within = (i * 3) % 100; /* away from the edges the sign must be the input's */
        if (within > 20 && within < 80)
            assert_true(in.x[i * 3] > 0 ? out.x[i] > 25000 : out.x[i] < -25000);
    }
    free(in.x);
    free(out.x);
}

static void rates_out_of_range_are_refused(void **state)
{
    (void)state;
    static const int bad[][2] = {
        {0, 16000}, {16000, 0}, {999, 16000}, {16000, 768001}, {-16000, 16000}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct resample *r = (struct resample *)&i;
        assert_int_equal(resample_new(&r, bad[i][0], bad[i][1]), -EINVAL);
        assert_null(r);
    }
    resample_free(NULL);
}

static void nothing_in_nothing_out(void **state)
{
    (void)state;
    struct resample *r = NULL;
    int16_t y[4], x[4] = {0};
    size_t n = 0, m = 4;

    assert_int_equal(resample_new(&r, 48000, 16000), 0);
    resample_run(r, NULL, &n, y, &m);
    assert_int_equal(n, 0);
    assert_int_equal(m, 0);
    n = 4;
    m = 0;
    resample_run(r, x, &n, NULL, &m);
    assert_int_equal(m, 0);
    resample_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tone_keeps_frequency_level_and_phase),
        cmocka_unit_test(what_the_lower_rate_cannot_hold_is_removed),
        cmocka_unit_test(an_impulse_lands_where_it_should),
        cmocka_unit_test(any_chunking_gives_the_same_samples),
        cmocka_unit_test(the_length_is_kept_once_the_tail_was_fed),
        cmocka_unit_test(extreme_ratios_work),
        cmocka_unit_test(equal_rates_copy),
        cmocka_unit_test(full_scale_saturates_instead_of_wrapping),
        cmocka_unit_test(rates_out_of_range_are_refused),
        cmocka_unit_test(nothing_in_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
