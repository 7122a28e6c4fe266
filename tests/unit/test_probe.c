/* probe: from a microphone that was made up, the figures that it was made up from. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/probe.h"

#define QUIET  (DSP_HZ / 2)
#define START  (QUIET + 1000.25)
#define LENGTH (QUIET + 1000 + PROBE_SAMPLES + PROBE_TAIL)
#define PI     3.14159265358979323846

/* A microphone: each field is what the room does; zero is a quiet room without echo. */
struct room {
    double delay_ms, gain, ppm, noise; /* noise: rms */
    double lost;                       /* samples that are missing between the chirps */
    bool reverb;
};

static int16_t played[PROBE_SAMPLES], mic[LENGTH];

static double sinc(double x)
{
    return fabs(x) < 1e-9 ? 1 : sin(PI * x) / (PI * x);
}

/* The sound at a time between samples. */
static double sound_at(double t)
{
    long middle = lrint(floor(t));
    double sum = 0;

    if (t < -20 || t > PROBE_SAMPLES + 20)
        return 0;
    for (long k = middle - 15; k <= middle + 16; k++)
        if (k >= 0 && k < PROBE_SAMPLES)
            sum += played[k] * sinc(t - (double)k) * (0.5 + 0.5 * cos(PI * (t - (double)k) / 17));
    return sum;
}

static double noise(uint64_t *seed)
{
    double sum = 0;

    for (int i = 0; i < 12; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(*seed >> 33) / 0x1p31;
    }
    return sum - 6;
}

static double echo_at(const struct room *r, double t)
{
    static const struct {
        double ms, gain;
    } wall[] = {{3.1, 0.5}, {7.7, -0.4}, {13.3, 0.3}, {23.9, -0.25}, {41.2, 0.2}, {80.4, -0.1}};
    double sum = sound_at(t);

    for (size_t i = 0; r->reverb && i < sizeof wall / sizeof *wall; i++)
        sum += wall[i].gain * sound_at(t - wall[i].ms * DSP_HZ / 1000);
    return r->gain * sum;
}

static struct probe measure(const struct room *r)
{
    struct probe out;
    uint64_t seed = 7;

    probe_chirps(played);
    for (int i = 0; i < LENGTH; i++) {
        double since = i - START, t, x;
        if (since > PROBE_APART - 2000)
            since += r->lost;
        /* The loudspeaker's clock counts more samples in the same time. */
        t = since * (1 + r->ppm * 1e-6) - r->delay_ms * DSP_HZ / 1000;
        x = echo_at(r, t) + r->noise * noise(&seed);
        mic[i] = (int16_t)lrint(fmax(-32768, fmin(32767, x)));
    }
    assert_int_equal(probe_measure(&out, mic, LENGTH, START, mic, QUIET), 0);
    return out;
}

static void the_delay_is_found_to_a_hundredth_of_a_millisecond(void **state)
{
    static const double delays[] = {-30, 0, 0.3, 42.42, 199.9, 500};

    (void)state;
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        struct probe p = measure(&(struct room){.delay_ms = delays[i], .gain = 0.3, .noise = 30});
        assert_true(p.heard && !p.unsteady && !p.silent && !p.exact);
        assert_true(fabs(p.delay_ms - delays[i]) < 0.01);
    }
}

static void the_drift_is_found_to_2_ppm(void **state)
{
    static const double drifts[] = {0, 5, -20, 50, -100, 200};

    (void)state;
    for (size_t i = 0; i < sizeof drifts / sizeof *drifts; i++) {
        struct room r = {
            .delay_ms = 65, .gain = 0.3, .noise = 30, .ppm = drifts[i], .reverb = true};
        struct probe p = measure(&r);
        assert_true(p.heard && p.drift_known);
        assert_true(fabs(p.drift_ppm - drifts[i]) < 2);
    }
}

static void the_levels_are_what_they_were(void **state)
{
    struct probe p = measure(&(struct room){.delay_ms = 20, .gain = 0.1, .noise = 100});

    (void)state;
    assert_true(fabs(p.noise_db - 20 * log10(100 / 32768.0)) < 1);
    assert_true(fabs(p.echo_db - 20 * log10(0.1)) < 1);
    assert_int_equal(p.clipped, 0);
    p = measure(&(struct room){.delay_ms = 20, .gain = 1.5, .noise = 10});
    assert_true(fabs(p.echo_db - 20 * log10(1.5)) < 1);
    p = measure(&(struct room){.delay_ms = 20, .gain = 0.03, .noise = 170});
    assert_true(fabs(p.echo_db - 20 * log10(0.03)) < 1.5);
}

static void a_noise_that_was_short_is_not_the_noise_of_the_room(void **state)
{
    struct probe p;
    int16_t quiet[QUIET];

    (void)state;
    for (int i = 0; i < QUIET; i++)
        quiet[i] = (int16_t)(i < QUIET / 3 ? (i % 2 ? 9000 : -9000) : (i % 2 ? 33 : -33));
    memset(mic, 0, sizeof mic);
    assert_int_equal(probe_measure(&p, mic, LENGTH, START, quiet, QUIET), 0);
    assert_true(fabs(p.noise_db + 60) < 1);
}

static void without_an_echo_none_is_heard(void **state)
{
    struct probe p = measure(&(struct room){.gain = 0, .noise = 300});

    (void)state;
    assert_false(p.heard || p.drift_known || p.silent || p.exact);
    /* Nor one that is far below the noise. */
    p = measure(&(struct room){.gain = 0.0005, .noise = 2000});
    assert_false(p.heard);
}

static void a_faint_echo_is_heard(void **state)
{
    struct probe p = measure(&(struct room){.delay_ms = 90, .gain = 0.01, .noise = 60});

    (void)state;
    assert_true(p.heard);
    assert_true(fabs(p.delay_ms - 90) < 0.5);
}

static void zeros_and_any_other_constant_are_silence(void **state)
{
    static const int16_t constants[] = {0, -1, 77};
    struct probe p;

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        for (int i = 0; i < LENGTH; i++)
            mic[i] = constants[c];
        assert_int_equal(probe_measure(&p, mic, LENGTH, START, mic, QUIET), 0);
        assert_true(p.silent);
        assert_false(p.heard);
    }
    assert_int_equal(probe_measure(&p, mic, 0, 0, mic, 0), 0);
    assert_true(p.silent);
}

static void clipping_is_counted(void **state)
{
    struct probe p = measure(&(struct room){.delay_ms = 20, .gain = 8, .noise = 10});

    (void)state;
    assert_true(p.clipped > 1000);
    assert_true(p.heard);
    assert_true(fabs(p.delay_ms - 20) < 0.5);
}

static void samples_lost_between_the_chirps_are_no_drift(void **state)
{
    struct probe p = measure(&(struct room){.delay_ms = 60, .gain = 0.3, .noise = 30, .lost = 160});

    (void)state;
    assert_true(p.heard && p.unsteady);
    assert_false(p.drift_known);
}

static void a_wire_is_told_from_air(void **state)
{
    struct probe p = measure(&(struct room){.delay_ms = 21.37, .gain = 0.7});

    (void)state;
    assert_true(p.exact);
    p = measure(&(struct room){.delay_ms = 21.37, .gain = -1});
    assert_true(p.exact);
    p = measure(&(struct room){.delay_ms = 21.37, .gain = 0.7, .reverb = true});
    assert_false(p.exact);
    p = measure(&(struct room){.delay_ms = 21.37, .gain = 0.7, .noise = 5});
    assert_false(p.exact);
}

static void a_recording_that_ends_early_is_silence_from_there(void **state)
{
    struct probe p;

    (void)state;
    measure(&(struct room){.delay_ms = 60, .gain = 0.3, .noise = 30});
    assert_int_equal(probe_measure(&p, mic, QUIET + 20000, START, mic, QUIET), 0);
    assert_true(p.heard);
    assert_false(p.drift_known);
    assert_int_equal(probe_measure(&p, mic, LENGTH, 1e6, mic, QUIET), 0);
    assert_false(p.heard);
}

static void the_noise_is_gentle_and_the_same_wherever_it_is_cut(void **state)
{
    static int16_t whole[4 * DSP_HZ], part[4 * DSP_HZ];
    double power = 0;
    int peak = 0;

    (void)state;
    probe_noise(whole, 4 * DSP_HZ, 100);
    probe_noise(part, 1234, 100);
    probe_noise(part + 1234, 4 * DSP_HZ - 1234, 1334);
    assert_memory_equal(whole, part, sizeof whole);
    for (int i = 0; i < 4 * DSP_HZ; i++) {
        power += (double)whole[i] * whole[i] / (4 * DSP_HZ);
        peak = abs(whole[i]) > peak ? abs(whole[i]) : peak;
    }
    assert_true(fabs(10 * log10(power) - 20 * log10(32768) + 29) < 2);
    assert_true(peak < 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_delay_is_found_to_a_hundredth_of_a_millisecond),
        cmocka_unit_test(the_drift_is_found_to_2_ppm),
        cmocka_unit_test(the_levels_are_what_they_were),
        cmocka_unit_test(a_noise_that_was_short_is_not_the_noise_of_the_room),
        cmocka_unit_test(without_an_echo_none_is_heard),
        cmocka_unit_test(a_faint_echo_is_heard),
        cmocka_unit_test(zeros_and_any_other_constant_are_silence),
        cmocka_unit_test(clipping_is_counted),
        cmocka_unit_test(samples_lost_between_the_chirps_are_no_drift),
        cmocka_unit_test(a_wire_is_told_from_air),
        cmocka_unit_test(a_recording_that_ends_early_is_silence_from_there),
        cmocka_unit_test(the_noise_is_gentle_and_the_same_wherever_it_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
