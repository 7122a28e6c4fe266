/* fraction: a signal between its samples. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dsp/fraction.h"

#define PI 3.14159265358979323846

/* Reads a tone along a path from `from` to `to`; the error against the tone itself in dB. */
static double error_db(const struct fraction *f, double hz, double from, double to)
{
    float x[FRACTION_SPAN], y[DSP_FRAME];
    double w = 2 * PI * hz / DSP_HZ, wrong = 0, right = 0;

    for (int i = 0; i < FRACTION_SPAN; i++)
        x[i] = (float)sin(w * (i - FRACTION_BEFORE) + 0.3);
    fraction_read(f, x, y, from, to);
    for (int i = 0; i < DSP_FRAME; i++) {
        double want = sin(w * (i + from + (to - from) * i / DSP_FRAME) + 0.3);
        wrong += (want - (double)y[i]) * (want - (double)y[i]);
        right += want * want;
    }
    return 10 * log10(wrong / right + 1e-20);
}

static void tones_up_to_6_khz_are_right_to_60_db(void **state)
{
    struct fraction f;

    (void)state;
    fraction_init(&f);
    for (double hz = 100; hz <= 6000; hz += 295)
        for (double part = 0; part <= 1; part += 0.0371)
            assert_true(error_db(&f, hz, part, part) < -60);
}

static void a_moving_place_is_as_good(void **state)
{
    const double moves[] = {0.0333, -0.0333, 0.001, -0.0005};
    struct fraction f;

    (void)state;
    fraction_init(&f);
    for (size_t i = 0; i < sizeof(moves) / sizeof(*moves); i++)
        for (double hz = 100; hz <= 6000; hz += 590)
            for (double part = 0; part <= 1; part += 0.0913)
                assert_true(error_db(&f, hz, part, part + moves[i]) < -60);
}

static void whole_places_are_the_samples_themselves(void **state)
{
    float x[FRACTION_SPAN], y[DSP_FRAME];
    struct fraction f;

    (void)state;
    fraction_init(&f);
    for (int i = 0; i < FRACTION_SPAN; i++)
        x[i] = (float)(i * 7919 % 20011 - 10000);
    fraction_read(&f, x, y, 0, 0);
    for (int i = 0; i < DSP_FRAME; i++)
        assert_true(fabsf(y[i] - x[i + FRACTION_BEFORE]) < 0.01f);
    fraction_read(&f, x, y, 1, 1);
    for (int i = 0; i < DSP_FRAME; i++)
        assert_true(fabsf(y[i] - x[i + FRACTION_BEFORE + 1]) < 0.01f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tones_up_to_6_khz_are_right_to_60_db),
        cmocka_unit_test(a_moving_place_is_as_good),
        cmocka_unit_test(whole_places_are_the_samples_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
