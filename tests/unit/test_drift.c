/* drift: a line through measured delays that wild points do not move and jumps do not break. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dsp/drift.h"

#define GOOD 30.0

/* Noise of +-20 us, the same each time. */
static double noise_s(int i)
{
    return 20e-6 * sin(i * 12.9898 + sin(i * 78.233));
}

/* A delay of 60 ms at 0 s that grows by ppm, measured every 2 s. */
static double delay_at(double ppm, double at_s)
{
    return 0.06 + ppm * 1e-6 * at_s;
}

static void feed(struct drift *d, double ppm, int from, int to)
{
    for (int i = from; i < to; i++)
        drift_add(d, 2.0 * i, delay_at(ppm, 2.0 * i) + noise_s(i), GOOD);
}

static void the_slope_is_found_within_5_ppm_in_20_s(void **state)
{
    const double ppms[] = {0, 10, -20, 50, -50, 100, -100, 200, -200};

    (void)state;
    for (size_t i = 0; i < sizeof(ppms) / sizeof(*ppms); i++) {
        struct drift d;
        drift_init(&d, 0, DRIFT_PPM_ANY);
        feed(&d, ppms[i], 0, 10);
        assert_true(fabs(d.ppm - ppms[i]) < 5);
        assert_true(fabs(drift_delay(&d, 18) - delay_at(ppms[i], 18)) < 30e-6);
    }
}

static void news_say_what_happened(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    assert_int_equal(drift_add(&d, 0, 0.06, DRIFT_QUALITY - 0.1), DRIFT_IGNORED);
    assert_int_equal(d.n, 0);
    assert_int_equal(drift_add(&d, 1, 0.06, GOOD), DRIFT_FIRST);
    assert_int_equal(drift_add(&d, 2, 0.06, DRIFT_QUALITY_2), DRIFT_FITTED);
    assert_int_equal(drift_add(&d, 3, 0.06, DRIFT_QUALITY_2 - 0.1), DRIFT_IGNORED);
    assert_int_equal(drift_add(&d, 4, 0.10, DRIFT_QUALITY), DRIFT_STRAY);
    assert_int_equal(drift_add(&d, 5, 0.10, DRIFT_QUALITY), DRIFT_JUMPED);
    assert_true(fabs(drift_delay(&d, 5) - 0.10) < 1e-4);
}

static void a_third_of_wild_points_does_not_move_it(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    for (int i = 0; i < 30; i++) {
        double wild =
            i % 3 == 2 ? (i % 2 == 0 ? 250e-6 : -250e-6) : 0; /* near enough to be let in */
        drift_add(&d, 2.0 * i, delay_at(50, 2.0 * i) + wild + noise_s(i), GOOD);
    }
    assert_true(fabs(d.ppm - 50) < 3);
    assert_true(fabs(drift_delay(&d, 58) - delay_at(50, 58)) < 60e-6);
}

static void strays_that_do_not_agree_are_not_followed(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    feed(&d, 0, 0, 5);
    for (int i = 5; i < 25; i++) {
        double wild = 0.0251 + 0.01 * (i % 17);
        assert_int_equal(drift_add(&d, 2.0 * i, wild, DRIFT_QUALITY), DRIFT_STRAY);
    }
    assert_true(fabs(drift_delay(&d, 50) - 0.06) < 1e-3);
}

static void two_that_agree_are_a_jump_and_keep_the_slope(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    feed(&d, 100, 0, 10);
    double jumped = delay_at(100, 20) + 0.3;
    assert_int_equal(drift_add(&d, 20, jumped, DRIFT_QUALITY), DRIFT_STRAY);
    assert_true(fabs(drift_delay(&d, 20) - delay_at(100, 20)) < 1e-4);
    assert_int_equal(drift_add(&d, 21, jumped + 100e-6, DRIFT_QUALITY), DRIFT_JUMPED);
    assert_true(fabs(drift_delay(&d, 21) - jumped - 100e-6) < 50e-6);
    assert_true(fabs(d.ppm - 100) < 5);
}

static void one_that_is_beyond_doubt_is_a_jump(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    feed(&d, -100, 0, 10);
    assert_int_equal(drift_add(&d, 20, 0.36, DRIFT_QUALITY_1), DRIFT_JUMPED);
    assert_true(fabs(drift_delay(&d, 20) - 0.36) < 1e-6);
    assert_true(fabs(d.ppm + 100) < 5);
}

static void a_small_step_takes_two_however_sure(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    feed(&d, 0, 0, 10);
    assert_int_equal(drift_add(&d, 20, 0.061, GOOD), DRIFT_STRAY);
    assert_int_equal(drift_add(&d, 22, 0.061, GOOD), DRIFT_JUMPED);
}

static void points_close_together_say_little_about_the_slope(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    for (int i = 0; i < 12; i++) /* they rise by 20 us within 1.1 s */
        drift_add(&d, 0.1 * i, 0.06 + 20e-6 / 1.1 * 0.1 * i, GOOD);
    for (int i = 1; i < 5; i++)
        drift_add(&d, 10.0 * i, 0.06, GOOD);
    assert_true(fabs(d.ppm) < 1);
}

static void a_stray_between_good_ones_is_forgotten(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    feed(&d, 0, 0, 5);
    assert_int_equal(drift_add(&d, 10, 0.2, DRIFT_QUALITY), DRIFT_STRAY);
    assert_int_equal(drift_add(&d, 12, 0.06, GOOD), DRIFT_FITTED);
    assert_int_equal(drift_add(&d, 14, 0.2, DRIFT_QUALITY), DRIFT_STRAY);
}

static void what_was_known_holds_until_there_is_evidence(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 80, 5);
    assert_int_equal(drift_add(&d, 0, 0.06, GOOD), DRIFT_FIRST);
    assert_true(fabs(d.ppm - 80) < 1e-9);
    drift_add(&d, 0.5, 0.06, GOOD);
    assert_true(fabs(d.ppm - 80) < 5);
    feed(&d, -20, 1, 20); /* the clocks are others now */
    assert_true(fabs(d.ppm + 20) < 5);
}

static void a_drift_beyond_the_range_is_clamped_and_recovers(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    for (int i = 0; i < 60; i++) {
        drift_add(&d, 2.0 * i, 0.06 + 500e-6 * 2.0 * i, GOOD);
        assert_true(fabs(d.ppm) <= DRIFT_PPM_MAX);
        assert_true(fabs(drift_delay(&d, 2.0 * i) - 0.06 - 500e-6 * 2.0 * i) < 3e-3);
    }
    for (int i = 60; i < 120; i++)
        drift_add(&d, 2.0 * i, 0.2 + noise_s(i), GOOD);
    assert_true(fabs(d.ppm) < 5);
}

static void a_long_silence_does_not_make_any_delay_fit(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    drift_add(&d, 0, 0.06, GOOD);
    assert_int_equal(drift_add(&d, 3600, 0.2, DRIFT_QUALITY), DRIFT_STRAY);
    assert_int_equal(drift_add(&d, 3601, 0.0615, DRIFT_QUALITY), DRIFT_FITTED);
}

static void what_is_not_a_number_is_ignored(void **state)
{
    struct drift d;

    (void)state;
    drift_init(&d, 0, DRIFT_PPM_ANY);
    feed(&d, 20, 0, 10);
    assert_int_equal(drift_add(&d, 20, (double)NAN, GOOD), DRIFT_IGNORED);
    assert_int_equal(drift_add(&d, (double)INFINITY, 0.06, GOOD), DRIFT_IGNORED);
    assert_int_equal(drift_add(&d, 20, 0.06, (double)NAN), DRIFT_IGNORED);
    assert_int_equal(d.n, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slope_is_found_within_5_ppm_in_20_s),
        cmocka_unit_test(news_say_what_happened),
        cmocka_unit_test(a_third_of_wild_points_does_not_move_it),
        cmocka_unit_test(strays_that_do_not_agree_are_not_followed),
        cmocka_unit_test(two_that_agree_are_a_jump_and_keep_the_slope),
        cmocka_unit_test(one_that_is_beyond_doubt_is_a_jump),
        cmocka_unit_test(a_small_step_takes_two_however_sure),
        cmocka_unit_test(points_close_together_say_little_about_the_slope),
        cmocka_unit_test(a_stray_between_good_ones_is_forgotten),
        cmocka_unit_test(what_was_known_holds_until_there_is_evidence),
        cmocka_unit_test(a_drift_beyond_the_range_is_clamped_and_recovers),
        cmocka_unit_test(a_long_silence_does_not_make_any_delay_fit),
        cmocka_unit_test(what_is_not_a_number_is_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
