/* delay: how much one signal follows another, between samples, and how sure that is. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/delay.h"
#include "room/room_dsp.h"

#define FROM  (-800)
#define TO    8800
#define LONG  32000
#define SOUND (1 << 17)

struct fixture {
    struct delay *d;
    int16_t far[SOUND], near[LONG];
};

/* Where in far the stretch begins. */
#define BEGIN 16000

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct room_rng rng;
    float low = 0;

    assert_non_null(f);
    assert_int_equal(delay_new(&f->d, FROM, TO), 0);
    room_rng_init(&rng, 1);
    for (size_t i = 0; i < SOUND; i++) { /* low frequencies are strong, as in speech */
        low += 0.1f * (room_rng_gauss(&rng) - low);
        f->far[i] = (int16_t)fmaxf(-32768, fminf(32767, 8000 * low));
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    delay_free(f->d);
    free(f);
    return 0;
}

/* near = far, delayed, times gain, plus noise. */
static void echo(struct fixture *f, double delay, double ppm, float gain, float noise)
{
    struct room_rng rng;

    room_rng_init(&rng, 2);
    for (int i = 0; i < LONG; i++) {
        double at = BEGIN + i - delay - ppm * 1e-6 * i;
        float x = 32768 * gain * room_between(f->far, SOUND - 1, at) + noise * room_rng_gauss(&rng);
        f->near[i] = (int16_t)lrintf(fmaxf(-32768, fminf(32767, x)));
    }
}

static struct delay_found find(struct fixture *f, size_t n, const struct delay_hint *hint)
{
    struct delay_found found = {-1, -1, -1};

    delay_find(f->d, f->far + BEGIN - TO, f->near, n, hint, &found);
    return found;
}

static void a_delay_is_found_to_a_fraction_of_a_sample(void **state)
{
    const double delays[] = {FROM + 1, -100.5, 0, 0.25, 37.5, 960, 4800.875, 8000.3, TO - 1};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
        echo(f, delays[i], 0, 0.5f, 30);
        struct delay_found found = find(f, LONG, NULL);
        assert_true(fabs(found.samples - delays[i]) < 0.05);
        assert_true(found.quality > 30);
        assert_true(found.at > LONG * 0.4 && found.at < LONG * 0.6);
    }
}

static void half_a_second_is_enough(void **state)
{
    struct fixture *f = *state;

    echo(f, 960.5, 0, 0.5f, 30);
    struct delay_found found = find(f, 8000, NULL);
    assert_true(fabs(found.samples - 960.5) < 0.05);
    assert_true(found.quality > 20);
}

static void an_inverted_echo_is_an_echo(void **state)
{
    struct fixture *f = *state;

    echo(f, 960.5, 0, -0.5f, 30);
    assert_true(fabs(find(f, LONG, NULL).samples - 960.5) < 0.05);
}

static void noise_as_loud_as_the_echo_costs_little(void **state)
{
    struct fixture *f = *state;

    echo(f, 960.5, 0, 0.5f, 900);
    struct delay_found found = find(f, LONG, NULL);
    assert_true(fabs(found.samples - 960.5) < 0.2);
    assert_true(found.quality > 10);
}

static void signals_of_their_own_have_no_quality(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < LONG; i++)
        f->near[i] = f->far[SOUND - LONG + i];
    for (size_t n = 4000; n <= LONG; n += 4000)
        assert_true(find(f, n, NULL).quality < 9);
}

static void silence_at_either_end_has_no_quality(void **state)
{
    struct fixture *f = *state;

    assert_true(find(f, LONG, NULL).quality == 0);
    assert_true(find(f, 0, NULL).quality == 0);
    echo(f, 960, 0, 0.5f, 30);
    memset(f->far, 0, sizeof(f->far));
    assert_true(find(f, LONG, NULL).quality == 0);
    for (size_t i = 0; i < SOUND; i++) /* dither is silence */
        f->far[i] = (int16_t)((i * i / 7) % 3) - 1;
    assert_true(find(f, LONG, NULL).quality == 0);
}

static void drift_within_the_stretch_is_taken_out(void **state)
{
    const struct delay_hint hint = {.ppm = 200};
    struct fixture *f = *state;

    echo(f, 960, 200, 0.5f, 30);
    struct delay_found plain = find(f, LONG, NULL), found = find(f, LONG, &hint);
    assert_true(fabs(found.samples - 960 - 200e-6 * found.at) < 0.3);
    assert_true(found.quality > 1.1 * plain.quality);
}

static void an_expected_peak_is_preferred_to_a_higher_one(void **state)
{
    struct fixture *f = *state;
    int16_t first[LONG];

    echo(f, 960, 0, 0.3f, 0);
    memcpy(first, f->near, sizeof(first));
    echo(f, 1200, 0, 0.4f, 30);
    for (int i = 0; i < LONG; i++)
        f->near[i] = (int16_t)(f->near[i] + first[i]);
    struct delay_hint hint = {.samples = 970, .within = 32};
    assert_true(fabs(find(f, LONG, NULL).samples - 1200) < 0.5);
    assert_true(fabs(find(f, LONG, &hint).samples - 960) < 0.5);
    hint.samples = 3000; /* where there is none */
    assert_true(fabs(find(f, LONG, &hint).samples - 1200) < 0.5);
    hint.samples = 1e9; /* out of the range */
    assert_true(fabs(find(f, LONG, &hint).samples - 1200) < 0.5);
}

static void a_loud_block_without_echo_does_not_drown_the_rest(void **state)
{
    struct fixture *f = *state;

    echo(f, 960.5, 0, 0.05f, 5);
    for (int i = 0; i < 8000; i++)
        f->near[i] = (int16_t)(4 * f->far[SOUND - 8000 + i]);
    struct delay_found found = find(f, LONG, NULL);
    assert_true(fabs(found.samples - 960.5) < 0.2);
    assert_true(found.quality > 10);
}

/* A hum at both ends correlates with itself at any number of periods. */
static void a_loud_hum_does_not_hide_the_echo(void **state)
{
    struct fixture *f = *state;

    echo(f, 960.5, 0, 0.2f, 10);
    for (int i = 0; i < SOUND; i++)
        f->far[i] = (int16_t)(f->far[i] / 5 + 3000 * sin(i * 0.1571));
    for (int i = 0; i < LONG; i++)
        f->near[i] = (int16_t)(f->near[i] + 3000 * sin(i * 0.1571 + 1));
    struct delay_found found = find(f, LONG, NULL);
    assert_true(fabs(found.samples - 960.5) < 0.2);
    assert_true(found.quality > 10);
}

/* Two bursts that have nothing to do with each other: they correlate, but all over the place. */
static void two_short_sounds_of_their_own_have_no_quality(void **state)
{
    struct fixture *f = *state;
    struct room_rng rng;

    room_rng_init(&rng, 9);
    memset(f->far, 0, sizeof(f->far));
    for (int i = 0; i < 600; i++) {
        f->far[BEGIN + 2000 + i] = (int16_t)(6000 * room_rng_gauss(&rng));
        f->near[5000 + i] = (int16_t)(6000 * room_rng_gauss(&rng));
    }
    assert_true(find(f, 8000, NULL).quality < 10);
}

static void full_scale_is_fine(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < SOUND; i++)
        f->far[i] = f->far[i] < 0 ? INT16_MIN : INT16_MAX;
    for (int i = 0; i < LONG; i++)
        f->near[i] = f->far[BEGIN + i - 960];
    struct delay_found found = find(f, LONG, NULL);
    assert_true(fabs(found.samples - 960) < 0.1);
    assert_true(isfinite(found.quality));
}

static void other_ranges_work(void **state)
{
    const int ranges[][2] = {{0, 1}, {-1, 0}, {0, 400}, {-16000, -100}, {0, 40000}};
    int16_t *sound = calloc(80000, sizeof(*sound));
    struct room_rng rng;

    (void)state;
    assert_non_null(sound);
    room_rng_init(&rng, 3);
    for (int i = 0; i < 80000; i++)
        sound[i] = (int16_t)(3000 * room_rng_gauss(&rng));
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        int from = ranges[i][0], to = ranges[i][1], delay = (from + to) / 2;
        struct delay_found found;
        struct delay *d;
        assert_int_equal(delay_new(&d, from, to), 0);
        delay_find(d, sound, sound + to - delay, 16000, NULL, &found);
        assert_true(fabs(found.samples - delay) < 0.1);
        delay_free(d);
    }
    free(sound);
}

static void a_range_that_is_none_is_refused(void **state)
{
    struct delay *d = (struct delay *)state;

    assert_int_equal(delay_new(&d, 5, 5), -EINVAL);
    assert_null(d);
    assert_int_equal(delay_new(&d, 5, 4), -EINVAL);
    assert_int_equal(delay_new(&d, 0, INT32_MAX), -EINVAL);
    assert_int_equal(delay_new(&d, INT32_MIN, 0), -EINVAL);
    delay_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_delay_is_found_to_a_fraction_of_a_sample, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(half_a_second_is_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(an_inverted_echo_is_an_echo, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_as_loud_as_the_echo_costs_little, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_of_their_own_have_no_quality, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_at_either_end_has_no_quality, setup, teardown),
        cmocka_unit_test_setup_teardown(drift_within_the_stretch_is_taken_out, setup, teardown),
        cmocka_unit_test_setup_teardown(an_expected_peak_is_preferred_to_a_higher_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_loud_block_without_echo_does_not_drown_the_rest, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_loud_hum_does_not_hide_the_echo, setup, teardown),
        cmocka_unit_test_setup_teardown(two_short_sounds_of_their_own_have_no_quality, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(full_scale_is_fine, setup, teardown),
        cmocka_unit_test(other_ranges_work),
        cmocka_unit_test(a_range_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
