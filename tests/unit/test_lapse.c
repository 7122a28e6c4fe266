/* lapse: a gap that stays is told with its length; jitter, late callbacks and two clocks are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audio/lapse.h"

#define HZ    48000
#define BLOCK 480
#define MS    (int64_t)1000000

struct stream {
    struct lapse lapse;
    int64_t now_ns; /* by the clock of the listener */
    double ppm;     /* the device's clock runs faster by */
    int64_t missing;
    uint32_t seed;
};

static uint32_t next(struct stream *s)
{
    s->seed = s->seed * 1664525u + 1013904223u;
    return s->seed >> 8;
}

/* n blocks, each late by up to jitter_ms. */
static void blocks(struct stream *s, int n, int jitter_ms)
{
    for (int i = 0; i < n; i++) {
        int64_t late = jitter_ms > 0 ? (int64_t)(next(s) % (uint32_t)(jitter_ms * 1000)) * 1000 : 0;
        s->missing += lapse_step(&s->lapse, BLOCK, s->now_ns + late, 0);
        s->now_ns += (int64_t)(BLOCK * 1e9 / HZ * (1 - s->ppm * 1e-6));
    }
}

static struct stream begin(void)
{
    struct stream s = {.now_ns = 5 * MS, .seed = 1};

    lapse_init(&s.lapse, HZ);
    return s;
}

static void a_steady_stream_misses_nothing(void **state)
{
    static const double ppms[] = {0, 250, -250};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct stream s = begin();
        s.ppm = ppms[i];
        blocks(&s, 60 * 100, 6);
        assert_int_equal(s.missing, 0);
    }
}

static void a_gap_is_told_once_it_has_stayed(void **state)
{
    struct stream s = begin();

    (void)state;
    blocks(&s, 200, 3);
    s.now_ns += 100 * MS;
    blocks(&s, 20, 3);
    assert_int_equal(s.missing, 0);
    blocks(&s, 30, 3);
    assert_in_range(s.missing, 4800 - 150, 4800 + 150);
    blocks(&s, 1000, 3);
    assert_in_range(s.missing, 4800 - 150, 4800 + 150);
    /* And back: there were too many. */
    s.now_ns -= 100 * MS;
    blocks(&s, 100, 3);
    assert_in_range(s.missing + 300, 0, 600);
}

static void a_late_callback_is_no_gap(void **state)
{
    struct stream s = begin();

    (void)state;
    blocks(&s, 200, 0);
    for (int i = 0; i < 20; i++) {
        s.now_ns += 200 * MS;
        blocks(&s, 5, 0);
        s.now_ns -= 200 * MS;
        blocks(&s, 40, 0);
    }
    blocks(&s, 200, 20); /* nor is heavy jitter */
    assert_int_equal(s.missing, 0);
}

static void an_odd_first_callback_is_no_gap(void **state)
{
    struct stream s = begin();

    (void)state;
    s.missing += lapse_step(&s.lapse, BLOCK, s.now_ns + 80 * MS, 0);
    s.now_ns += 10 * MS;
    blocks(&s, 500, 0);
    assert_int_equal(s.missing, 0);
}

static void what_is_known_to_be_missing_is_not_told_again(void **state)
{
    struct stream s = begin();

    (void)state;
    blocks(&s, 200, 0);
    s.now_ns += 100 * MS;
    s.missing += lapse_step(&s.lapse, BLOCK, s.now_ns, 4800);
    s.now_ns += 10 * MS;
    blocks(&s, 200, 0);
    assert_int_equal(s.missing, 0);
}

static void long_periods_take_a_few_of_them(void **state)
{
    struct lapse l;
    int64_t now = 0, missing = 0;

    (void)state;
    lapse_init(&l, 8000);
    for (int i = 0; i < 40; i++) {
        if (i == 10)
            now += 2000 * MS;
        missing += lapse_step(&l, 8192, now, 0);
        now += 1024 * MS;
    }
    assert_int_equal(missing, 16000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_stream_misses_nothing),
        cmocka_unit_test(a_gap_is_told_once_it_has_stayed),
        cmocka_unit_test(a_late_callback_is_no_gap),
        cmocka_unit_test(an_odd_first_callback_is_no_gap),
        cmocka_unit_test(what_is_known_to_be_missing_is_not_told_again),
        cmocka_unit_test(long_periods_take_a_few_of_them),
    };

    return cmocka_run_group_tests_name("lapse", tests, NULL, NULL);
}
