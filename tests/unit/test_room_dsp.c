/* The acoustics of the virtual room: a test bench that is wrong would make every measurement wrong.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "room/room_dsp.h"

static void the_same_seed_gives_the_same_noise_of_unit_power(void **state)
{
    struct room_rng a, b;
    double sum = 0, power = 0;
    int i;

    (void)state;
    room_rng_init(&a, 7);
    room_rng_init(&b, 7);
    for (i = 0; i < 20000; i++) {
        float x = room_rng_gauss(&a);

        assert_true(fabsf(x - room_rng_gauss(&b)) < 1e-9f);
        sum += (double)x;
        power += (double)x * (double)x;
    }
    assert_true(fabs(sum / 20000) < 0.03);
    assert_true(fabs(power / 20000 - 1) < 0.05);
}

static double energy_db(const float *h, size_t from, size_t to)
{
    double e = 0;

    for (; from < to; from++)
        e += (double)h[from] * (double)h[from];
    return 10 * log10(e);
}

static void a_response_decays_by_60_db_and_has_unit_energy(void **state)
{
    float *h, *other;
    size_t n, m;

    (void)state;
    assert_int_equal(room_rir_new(&h, &n, 48000, 400, 3), 0);
    assert_int_equal(n, 19201);
    assert_true(fabs(energy_db(h, 0, n)) < 0.01);
    /* from 20..60 ms to 220..260 ms is half of T60 */
    assert_true(fabs(energy_db(h, 960, 2880) - energy_db(h, 10560, 12480) - 30) < 1.5);
    assert_int_equal(room_rir_new(&other, &m, 48000, 400, 4), 0);
    assert_true(fabsf(other[5000] - h[5000]) > 1e-6f);
    free(other);
    free(h);
}

static void without_reverberation_a_response_is_one_sample(void **state)
{
    float *h;
    size_t n;

    (void)state;
    assert_int_equal(room_rir_new(&h, &n, 48000, 0, 1), 0);
    assert_int_equal(n, 1);
    assert_true(h[0] >= 1 && h[0] <= 1);
    free(h);
    assert_int_equal(room_rir_new(&h, &n, 48000, -1, 1), -22);
    assert_null(h);
}

/* The fast convolution against the definition, for responses around the sizes of blocks. */
static void convolve(size_t taps, size_t silence)
{
    size_t n = 2000, i, k;
    float *h = calloc(taps, sizeof *h), *x = calloc(n, sizeof *x);
    struct room_path *path;
    struct room_conv *conv;
    struct room_rng rng;

    room_rng_init(&rng, taps);
    for (i = silence; i < taps; i++)
        h[i] = room_rng_uniform(&rng);
    assert_int_equal(room_path_new(&path, h, taps), 0);
    assert_int_equal(room_conv_new(&conv, taps), 0);
    room_conv_set(conv, path);
    for (i = 0; i < n; i++) {
        double want = 0;

        x[i] = room_rng_uniform(&rng);
        for (k = 0; k < taps && k <= i; k++)
            want += (double)h[k] * (double)x[i - k];
        assert_true(fabs(want - (double)room_conv_step(conv, x[i])) < 1e-3);
    }
    room_conv_free(conv);
    room_path_free(path);
    free(x);
    free(h);
}

static void the_fast_convolution_is_the_convolution(void **state)
{
    (void)state;
    convolve(1, 0);
    convolve(ROOM_BLOCK, 0);
    convolve(ROOM_BLOCK + 1, 0);
    convolve(1500, 0);
    convolve(1500, 1499);
    convolve(700, 300);
}

static void a_path_without_echo_is_silent(void **state)
{
    struct room_conv *conv;
    int i;

    (void)state;
    assert_int_equal(room_conv_new(&conv, 10), 0);
    for (i = 0; i < 600; i++)
        assert_true(fabsf(room_conv_step(conv, 1)) < 1e-9f);
    room_conv_free(conv);
}

static void a_loudspeaker_clips_and_bends(void **state)
{
    (void)state;
    assert_true(fabsf(room_distort(0.9f, 0, 0.5f) - 0.5f) < 1e-6f);
    assert_true(fabsf(room_distort(-0.9f, 0, 0.5f) + 0.5f) < 1e-6f);
    assert_true(fabsf(room_distort(0.3f, 0, 1) - 0.3f) < 1e-6f);
    assert_true(room_distort(0.8f, 2, 1) < 0.5f);
    assert_true(fabsf(room_distort(0.001f, 2, 1) - 0.001f) < 1e-5f);
}

static void between_samples_lies_the_sine(void **state)
{
    int16_t ring[1024];
    double at;
    int i;

    (void)state;
    for (i = 0; i < 1024; i++)
        ring[i] = (int16_t)lrint(20000 * sin(0.3 * i));
    for (at = 100; at < 900; at += 1.37)
        assert_true(fabs((double)room_between(ring, 1023, at) * 32768 - 20000 * sin(0.3 * at)) <
                    60);
    assert_true(fabsf(room_between(ring, 1023, 200) * 32768 - (float)ring[200]) < 1);
}

static void a_resampled_sine_keeps_its_place_and_level(void **state)
{
    static const int rates[][2] = {{16000, 48000}, {48000, 16000}, {22050, 48000}, {44100, 16000}};
    float *x = calloc(8000, sizeof *x), *y;
    size_t m, i, r;

    (void)state;
    for (r = 0; r < 4; r++) {
        for (i = 0; i < 8000; i++)
            x[i] = 0.5f * (float)sin(2 * 3.14159265 * 500 * (double)i / rates[r][0]);
        assert_int_equal(room_resample(&y, &m, x, 8000, rates[r][0], rates[r][1]), 0);
        assert_true(llabs((long long)m - 8000LL * rates[r][1] / rates[r][0]) <= 1);
        for (i = m / 4; i < m / 2; i++)
            assert_true(fabs((double)y[i] -
                             0.5 * sin(2 * 3.14159265 * 500 * (double)i / rates[r][1])) < 0.01);
        free(y);
    }
    assert_int_equal(room_resample(&y, &m, x, 8000, 0, 48000), -22);
    assert_null(y);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_noise_of_unit_power),
        cmocka_unit_test(a_response_decays_by_60_db_and_has_unit_energy),
        cmocka_unit_test(without_reverberation_a_response_is_one_sample),
        cmocka_unit_test(the_fast_convolution_is_the_convolution),
        cmocka_unit_test(a_path_without_echo_is_silent),
        cmocka_unit_test(a_loudspeaker_clips_and_bends),
        cmocka_unit_test(between_samples_lies_the_sine),
        cmocka_unit_test(a_resampled_sine_keeps_its_place_and_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
