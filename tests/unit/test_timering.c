/* timering: samples keep their time through the ring. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audio/timering.h"

static void a_read_knows_when_its_first_sample_was_captured(void **state)
{
    int16_t x[160] = {1, 2, 3}, y[160];
    struct timering *r;
    int64_t at = -1;

    (void)state;
    assert_int_equal(timering_new(&r, 1000, 16000), 0);
    assert_int_equal(timering_read(r, y, 160, &at), 0);
    assert_int_equal(at, -1);
    assert_int_equal(timering_write(r, x, 160, 5000000), 160);
    assert_int_equal(timering_write(r, x, 160, 25000000), 160); /* 10 ms late */
    assert_int_equal(timering_read(r, y, 16, &at), 16);
    assert_int_equal(at, 5000000);
    assert_int_equal(y[2], 3);
    assert_int_equal(timering_read(r, y, 160, &at), 160);
    assert_int_equal(at, 6000000);
    assert_int_equal(timering_read(r, y, 160, &at), 144);
    assert_int_equal(at, 26000000);
    timering_free(r);
}

static void what_does_not_fit_is_said_and_times_stay_right(void **state)
{
    int16_t x[64] = {0}, y[64];
    struct timering *r;
    int64_t at = 0;

    (void)state;
    assert_int_equal(timering_new(&r, 64, 1000), 0);
    assert_int_equal(timering_write(r, x, 50, 0), 50);
    assert_int_equal(timering_write(r, x, 50, 50000000), 14);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(timering_write(r, x, 50, 100000000), 0);
    assert_int_equal(timering_read(r, y, 64, &at), 64);
    assert_int_equal(timering_write(r, x, 10, 900000000), 10);
    assert_int_equal(timering_read(r, y, 64, &at), 10);
    assert_int_equal(at, 900000000);
    timering_free(r);
}

static void refuses_no_rate(void **state)
{
    struct timering *r;

    (void)state;
    assert_int_equal(timering_new(&r, 64, 0), -EINVAL);
    assert_null(r);
    timering_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_knows_when_its_first_sample_was_captured),
        cmocka_unit_test(what_does_not_fit_is_said_and_times_stay_right),
        cmocka_unit_test(refuses_no_rate),
    };

    return cmocka_run_group_tests_name("timering", tests, NULL, NULL);
}
