/* ring: no sample lost, doubled or out of order, also between two threads. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "util/ring.h"

static void sizes_are_checked_and_rounded_up(void **state)
{
    (void)state;
    struct ring *r = (struct ring *)&state;
    int16_t x[300] = {0};

    assert_int_equal(ring_new(&r, 0), -EINVAL);
    assert_null(r);
    r = (struct ring *)&state;
    assert_int_equal(ring_new(&r, SIZE_MAX), -EINVAL);
    assert_null(r);
    assert_int_equal(ring_new(&r, 129), 0);
    assert_int_equal(ring_write(r, x, 300), 256);
    ring_free(r);
    assert_int_equal(ring_new(&r, 1), 0);
    assert_int_equal(ring_write(r, x, 2), 1);
    ring_free(r);
    ring_free(NULL);
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    struct ring *r = NULL;
    int16_t in[64], out[64], next_in = 0, next_out = 0;

    assert_int_equal(ring_new(&r, 64), 0);
    for (size_t round = 0; round < 5000; round++) {
        size_t n = round * 7 % 65, m = round * 11 % 65, before = ring_level(r);
        for (size_t i = 0; i < n; i++)
            in[i] = (int16_t)(next_in + (int16_t)i);
        size_t wrote = ring_write(r, in, n);
        assert_int_equal(wrote, n < 64 - before ? n : 64 - before);
        next_in = (int16_t)(next_in + (int16_t)wrote);
        assert_int_equal(ring_level(r), before + wrote);
        size_t got = ring_read(r, out, m);
        assert_int_equal(got, m < before + wrote ? m : before + wrote);
        for (size_t i = 0; i < got; i++)
            assert_int_equal(out[i], (int16_t)(next_out + (int16_t)i));
        next_out = (int16_t)(next_out + (int16_t)got);
    }
    ring_free(r);
}

#define STRESS 2000000u

/* The n-th sample of the stress run: a sequence in which a slip of any length shows. */
static int16_t nth(uint32_t n)
{
    return (int16_t)((n * 2654435761u) >> 16);
}

static void *produce(void *user)
{
    struct ring *r = user;
    int16_t x[96];
    uint32_t sent = 0, noise = 5;

    while (sent < STRESS) {
        noise = noise * 1664525u + 1013904223u;
        uint32_t n = 1 + (noise >> 16) % 96;
        if (n > STRESS - sent)
            n = STRESS - sent;
        for (uint32_t i = 0; i < n; i++)
            x[i] = nth(sent + i);
        uint32_t wrote = (uint32_t)ring_write(r, x, n);
        sent += wrote;
        if (wrote < n)
            sched_yield();
    }
    return NULL;
}

static void two_threads_lose_nothing(void **state)
{
    (void)state;
    struct ring *r = NULL;
    pthread_t producer;
    int16_t x[128];
    uint32_t got = 0, wrong = 0, noise = 9;

    assert_int_equal(ring_new(&r, 256), 0);
    assert_int_equal(pthread_create(&producer, NULL, produce, r), 0);
    while (got < STRESS) {
        noise = noise * 1664525u + 1013904223u;
        size_t n = ring_read(r, x, 1 + (noise >> 16) % 128);
        for (size_t i = 0; i < n; i++)
            wrong += x[i] != nth(got + (uint32_t)i);
        got += (uint32_t)n;
        if (n == 0)
            sched_yield();
    }
    pthread_join(producer, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(got, STRESS);
    assert_int_equal(ring_level(r), 0);
    ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_checked_and_rounded_up),
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(two_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
