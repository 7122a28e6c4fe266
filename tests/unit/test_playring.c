/* playring: what the callback plays, what it counts, and how fast it forgets what was flushed. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audio/playring.h"
#include "util/clock.h"

#define HZ   16000
#define FADE 48 /* samples in 3 ms */

static struct playring *ring_of(size_t samples)
{
    struct playring *r;

    assert_int_equal(playring_new(&r, samples, HZ), 0);
    return r;
}

/* A block of n samples of `value`, which stand for as many samples of the item. */
static int put(struct playring *r, uint32_t generation, uint32_t slot, uint64_t from, size_t n,
               int16_t value, bool last)
{
    struct playring_block b = {.generation = generation,
                               .slot = slot,
                               .n = n,
                               .from = from,
                               .to = from + n,
                               .first = from == 0,
                               .last = last};
    int16_t x[4096];

    assert_true(n <= 4096);
    for (size_t i = 0; i < n; i++)
        x[i] = value;
    return playring_write(r, &b, x);
}

static size_t count_of(const int16_t *x, size_t n, int16_t value)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += x[i] == value;
    return found;
}

static void plays_what_was_written_and_counts_it(void **state)
{
    struct playring *r = ring_of(1024);
    struct playring_event ev;
    int16_t out[200];

    (void)state;
    assert_int_equal(put(r, 0, 3, 0, 100, 7, false), 0);
    assert_int_equal(put(r, 0, 3, 100, 50, 8, true), 0);
    assert_int_equal(playring_waiting(r), 150);
    playring_read(r, out, 40, 1000);
    assert_int_equal(playring_played(r, 3), 40);
    assert_true(playring_inside(r));
    assert_true(playring_event(r, &ev));
    assert_false(ev.ended);
    assert_int_equal(ev.slot, 3);
    assert_int_equal(ev.at_ns, 1000);
    assert_false(playring_event(r, &ev));

    playring_read(r, out, 200, 1000000000);
    assert_int_equal(count_of(out, 200, 7), 60);
    assert_int_equal(count_of(out, 200, 8), 50);
    assert_int_equal(out[110], 0);
    assert_int_equal(playring_played(r, 3), 150);
    assert_true(playring_event(r, &ev));
    assert_true(ev.ended);
    assert_int_equal(ev.at_ns, 1000000000 + 110 * (1000000000 / HZ));
    assert_false(playring_inside(r));
    assert_int_equal(playring_underruns(r), 0);
    playring_free(r);
}

static void counts_at_the_rate_of_the_item(void **state)
{
    struct playring *r = ring_of(1024);
    /* 300 device samples stand for 200 of the item's, from its 1000th on. */
    struct playring_block b = {.n = 300, .slot = 1, .from = 1000, .to = 1200};
    int16_t x[300] = {0}, out[300];

    (void)state;
    assert_int_equal(playring_write(r, &b, x), 0);
    playring_read(r, out, 30, 0);
    assert_int_equal(playring_played(r, 1), 1020);
    playring_read(r, out, 1, 0);
    assert_int_equal(playring_played(r, 1), 1020);
    playring_read(r, out, 269, 0);
    assert_int_equal(playring_played(r, 1), 1200);
    playring_free(r);
}

static void refuses_what_does_not_fit(void **state)
{
    struct playring *r = ring_of(256);
    int16_t out[256];

    (void)state;
    assert_int_equal(put(r, 0, 0, 0, 200, 1, false), 0);
    assert_int_equal(playring_room(r), 56);
    assert_int_equal(put(r, 0, 0, 200, 57, 2, false), -ENOSPC);
    assert_int_equal(put(r, 0, 0, 200, 56, 2, false), 0);
    playring_read(r, out, 256, 0);
    assert_int_equal(count_of(out, 256, 1), 200);
    assert_int_equal(count_of(out, 256, 2), 56);
    for (int i = 0; i < PLAYRING_BLOCKS; i++)
        assert_int_equal(put(r, 0, 0, 256, 0, 0, false), 0);
    assert_int_equal(playring_room(r), 0);
    assert_int_equal(put(r, 0, 0, 256, 0, 0, false), -ENOSPC);
    playring_free(r);
}

static void a_flush_fades_and_then_is_silent(void **state)
{
    struct playring *r = ring_of(4096);
    struct playring_event ev;
    int64_t cut_ns;
    int16_t out[400];

    (void)state;
    put(r, 0, 0, 0, 2000, 1000, false);
    playring_read(r, out, 100, 5);
    assert_true(playring_event(r, &ev));
    playring_flush(r);
    assert_int_equal(playring_obeyed(r, &cut_ns), 0);
    playring_read(r, out, 400, 77);
    assert_int_equal(playring_obeyed(r, &cut_ns), 1);
    assert_int_equal(cut_ns, 77);
    assert_true(out[0] < 1000 && out[0] > 950);
    for (size_t i = 1; i < FADE; i++)
        assert_true(out[i] < out[i - 1] && out[i] > 0);
    for (size_t i = FADE; i < 400; i++)
        assert_int_equal(out[i], 0);
    assert_int_equal(playring_played(r, 0), 100);
    assert_int_equal(playring_waiting(r), 0);
    assert_int_equal(playring_underruns(r), 0);
    assert_false(playring_event(r, &ev));
    playring_free(r);
}

static void a_fade_goes_on_through_short_callbacks(void **state)
{
    struct playring *r = ring_of(4096);
    int16_t out[16];
    int16_t before = 1000;

    (void)state;
    put(r, 0, 0, 0, 2000, 1000, false);
    playring_read(r, out, 16, 0);
    playring_flush(r);
    for (size_t i = 0; i < FADE / 16; i++) {
        playring_read(r, out, 16, 0);
        for (size_t k = 0; k < 16; k++) {
            assert_true(out[k] < before && out[k] > 0);
            before = out[k];
        }
        /* A second flush does not make it longer. */
        playring_flush(r);
    }
    playring_read(r, out, 16, 0);
    assert_int_equal(count_of(out, 16, 0), 16);
    playring_free(r);
}

static void a_fade_ends_softly_with_what_there_is(void **state)
{
    struct playring *r = ring_of(4096);
    int16_t out[100];

    (void)state;
    put(r, 0, 0, 0, 30, 1000, false);
    playring_read(r, out, 20, 0);
    playring_flush(r);
    playring_read(r, out, 100, 0);
    assert_true(out[0] < 1000 && out[9] > 0 && out[9] < 100);
    assert_int_equal(out[10], 0);
    playring_free(r);
}

static void a_flush_before_the_first_sample_is_silent_at_once(void **state)
{
    struct playring *r = ring_of(4096);
    struct playring_event ev;
    int16_t out[100];

    (void)state;
    put(r, 0, 0, 0, 500, 1000, false);
    playring_flush(r);
    playring_read(r, out, 100, 0);
    assert_int_equal(count_of(out, 100, 0), 100);
    assert_int_equal(playring_played(r, 0), 0);
    assert_false(playring_event(r, &ev));
    playring_free(r);
}

static void an_old_block_that_comes_late_is_discarded(void **state)
{
    struct playring *r = ring_of(4096);
    int16_t out[100];

    (void)state;
    playring_flush(r);
    playring_read(r, out, 10, 0);
    put(r, 0, 0, 0, 500, 1000, true);
    put(r, 1, 1, 0, 50, 9, true);
    put(r, 0, 0, 0, 500, 1000, true);
    playring_read(r, out, 100, 0);
    assert_int_equal(count_of(out, 50, 9), 50);
    assert_int_equal(count_of(out + 50, 50, 0), 50);
    assert_int_equal(playring_played(r, 0), 0);
    assert_int_equal(playring_played(r, 1), 50);
    assert_int_equal(playring_waiting(r), 0);
    playring_free(r);
}

static void new_speech_follows_the_fade_without_a_gap(void **state)
{
    struct playring *r = ring_of(4096);
    int16_t out[200];

    (void)state;
    put(r, 0, 0, 0, 500, 1000, false);
    playring_read(r, out, 100, 0);
    playring_flush(r);
    put(r, 1, 1, 0, 100, 2000, true);
    playring_read(r, out, 200, 0);
    assert_int_equal(out[FADE], 2000);
    assert_int_equal(count_of(out, 200, 2000), 100);
    assert_int_equal(playring_played(r, 0), 100);
    assert_int_equal(playring_played(r, 1), 100);
    playring_free(r);
}

static void only_running_dry_inside_an_item_is_an_underrun(void **state)
{
    struct playring *r = ring_of(4096);
    int16_t out[100];

    (void)state;
    playring_read(r, out, 100, 0);
    assert_int_equal(playring_underruns(r), 0);
    put(r, 0, 0, 0, 50, 5, false);
    playring_read(r, out, 50, 0);
    assert_int_equal(playring_underruns(r), 0);
    playring_read(r, out, 100, 0);
    playring_read(r, out, 100, 0);
    assert_int_equal(playring_underruns(r), 2);
    put(r, 0, 0, 50, 50, 5, true);
    playring_read(r, out, 100, 0);
    playring_read(r, out, 100, 0);
    assert_int_equal(playring_underruns(r), 2);
    put(r, 0, 1, 0, 50, 5, false);
    playring_read(r, out, 50, 0);
    playring_flush(r);
    playring_read(r, out, 100, 0);
    assert_int_equal(playring_underruns(r), 2);
    playring_free(r);
}

static void an_item_without_samples_ends(void **state)
{
    struct playring *r = ring_of(64);
    struct playring_event ev;
    int16_t out[10];

    (void)state;
    put(r, 0, 2, 0, 0, 0, true);
    playring_read(r, out, 10, 4);
    assert_true(playring_event(r, &ev));
    assert_true(ev.ended);
    assert_int_equal(ev.slot, 2);
    assert_int_equal(ev.at_ns, 4);
    assert_false(playring_event(r, &ev));
    playring_free(r);
}

/* --- duck, hold and resume */

static void a_duck_is_a_short_ramp_and_so_is_its_end(void **state)
{
    struct playring *r = ring_of(4096);
    int16_t out[1000];

    (void)state;
    put(r, 0, 0, 0, 3000, 10000, false);
    playring_read(r, out, 100, 0);
    playring_set(r, PLAYRING_DUCK);
    playring_read(r, out, 1000, 0);
    for (size_t i = 1; i < 1000; i++)
        assert_true(out[i] <= out[i - 1]);
    assert_true(out[0] > 9000);
    assert_int_equal(out[FADE], 1258); /* -18 dB */
    playring_set(r, PLAYRING_FULL);
    playring_read(r, out, 1000, 0);
    for (size_t i = 1; i < 1000; i++)
        assert_true(out[i] >= out[i - 1]);
    assert_true(out[0] < 1500);
    assert_int_equal(out[300], 10000);
    assert_int_equal(playring_played(r, 0), 2100);
    assert_int_equal(playring_underruns(r), 0);
    playring_free(r);
}

static void a_hold_fades_and_consumes_nothing(void **state)
{
    struct playring *r = ring_of(4096);
    struct playring_event ev;
    int16_t out[400];

    (void)state;
    put(r, 0, 0, 0, 1000, 1000, false);
    playring_read(r, out, 100, 0);
    assert_true(playring_event(r, &ev));
    playring_set(r, PLAYRING_HOLD);
    for (int k = 0; k < 3; k++) {
        playring_read(r, out, 400, 0);
        for (size_t i = 0; i < 400; i++)
            assert_true(k == 0 && i < FADE ? out[i] > 0 && (i == 0 || out[i] < out[i - 1])
                                           : out[i] == 0);
        assert_int_equal(playring_played(r, 0), 100);
        assert_int_equal(playring_waiting(r), 900);
    }
    assert_true(playring_inside(r));
    assert_int_equal(playring_underruns(r), 0);
    assert_false(playring_event(r, &ev));
    playring_free(r);
}

static void what_was_held_goes_on_where_it_was(void **state)
{
    struct playring *r = ring_of(4096);
    struct playring_block b = {.n = 2000, .to = 2000, .first = true, .last = true};
    int16_t x[2000], out[2000];

    (void)state;
    for (int i = 0; i < 2000; i++)
        x[i] = (int16_t)(1000 + i);
    playring_write(r, &b, x);
    playring_read(r, out, 100, 0);
    playring_set(r, PLAYRING_HOLD);
    playring_read(r, out, 400, 0);
    playring_set(r, PLAYRING_FULL);
    playring_read(r, out, 1900, 0);
    assert_true(out[0] < 20); /* it comes up softly */
    for (size_t i = 1; i < 1900; i++)
        assert_true(out[i] > out[i - 1] && out[i] <= 1100 + (int)i);
    assert_int_equal(out[300], 1400);
    assert_int_equal(playring_played(r, 0), 2000);
    playring_free(r);
}

static void a_hold_that_ends_within_its_fade_finishes_the_fade(void **state)
{
    struct playring *r = ring_of(4096);
    int16_t out[400], before = 1000;

    (void)state;
    put(r, 0, 0, 0, 2000, 1000, false);
    playring_read(r, out, 100, 0);
    playring_set(r, PLAYRING_HOLD);
    playring_read(r, out, 20, 0);
    before = out[19];
    playring_set(r, PLAYRING_FULL);
    playring_read(r, out, 400, 0);
    assert_true(out[0] < before);
    assert_true(out[FADE - 21] < 30);
    assert_true(out[FADE - 20] < 30);
    for (size_t i = FADE - 19; i < 400; i++)
        assert_true(out[i] >= out[i - 1]);
    assert_int_equal(out[399], 1000);
    assert_int_equal(playring_played(r, 0), 100 + 400 - (FADE - 20));
    playring_free(r);
}

static void what_was_held_is_flushed_in_silence(void **state)
{
    struct playring *r = ring_of(4096);
    int16_t out[400];
    int64_t cut_ns;

    (void)state;
    put(r, 0, 0, 0, 2000, 1000, false);
    playring_read(r, out, 100, 0);
    playring_set(r, PLAYRING_HOLD);
    playring_read(r, out, 400, 1000000000);
    playring_flush(r);
    playring_set(r, PLAYRING_FULL);
    playring_read(r, out, 400, 2000000000);
    assert_int_equal(count_of(out, 400, 0), 400);
    assert_int_equal(playring_played(r, 0), 100);
    assert_int_equal(playring_waiting(r), 0);
    /* Its end was when it fell silent. */
    assert_int_equal(playring_obeyed(r, &cut_ns), 1);
    assert_int_equal(cut_ns, 1000000000 + 3000000);
    /* Another item begins in full. */
    put(r, 1, 1, 0, 50, 500, true);
    playring_read(r, out, 400, 0);
    assert_int_equal(count_of(out, 400, 500), 50);
    playring_free(r);
}

static void a_flush_within_the_fade_of_a_hold_goes_on_with_it(void **state)
{
    struct playring *r = ring_of(4096);
    int16_t out[400], before;

    (void)state;
    put(r, 0, 0, 0, 2000, 1000, false);
    playring_read(r, out, 100, 0);
    playring_set(r, PLAYRING_HOLD);
    playring_read(r, out, 20, 0);
    before = out[19];
    playring_flush(r);
    playring_set(r, PLAYRING_FULL);
    playring_read(r, out, 400, 0);
    for (size_t i = 0; i < FADE - 20; before = out[i], i++)
        assert_true(out[i] < before && out[i] > 0);
    assert_int_equal(count_of(out + FADE - 20, 400 - (FADE - 20), 0), 400 - (FADE - 20));
    assert_int_equal(playring_played(r, 0), 100);
    assert_int_equal(playring_waiting(r), 0);
    playring_free(r);
}

static void an_item_that_comes_during_a_hold_waits(void **state)
{
    struct playring *r = ring_of(4096);
    struct playring_event ev;
    int16_t out[100];

    (void)state;
    playring_set(r, PLAYRING_HOLD);
    playring_read(r, out, 100, 0);
    put(r, 0, 0, 0, 50, 700, true);
    playring_read(r, out, 100, 0);
    assert_int_equal(count_of(out, 100, 0), 100);
    assert_false(playring_event(r, &ev));
    playring_set(r, PLAYRING_FULL);
    playring_read(r, out, 100, 0);
    assert_int_equal(count_of(out, 100, 700), 50);
    playring_free(r);
}

static void another_device_starts_empty_and_comes_up_softly(void **state)
{
    struct playring *r = ring_of(64);
    struct playring_event ev;
    int16_t out[1000];

    (void)state;
    put(r, 0, 2, 0, 60, 1000, false);
    playring_read(r, out, 40, 0);
    assert_int_equal(playring_restart(r, 4096, 48000), 0);
    assert_int_equal(playring_waiting(r), 0);
    assert_int_equal(playring_room(r), 4096);
    assert_int_equal(playring_played(r, 2), 40);
    assert_true(playring_event(r, &ev));
    put(r, 0, 2, 40, 2000, 1000, true);
    playring_read(r, out, 1000, 0);
    assert_true(out[0] < 10);
    assert_int_equal(out[600], 1000);
    assert_int_equal(playring_played(r, 2), 1040);
    assert_int_equal(playring_restart(r, 0, 48000), -EINVAL);
    assert_int_equal(playring_restart(r, 100, 0), -EINVAL);
    playring_free(r);
}

static void generations_wrap(void **state)
{
    (void)state;
    assert_true(playring_older(0, 1));
    assert_false(playring_older(1, 1));
    assert_false(playring_older(2, 1));
    assert_true(playring_older(UINT32_MAX, 0));
    assert_false(playring_older(0, UINT32_MAX));
}

/* --- three threads at once */

#define STRESS_ITEMS 3000

struct stress {
    struct playring *ring;
    bool by_item; /* samples tell their item; else they are too small to survive a fade */
    _Atomic bool stop;
    _Atomic bool flush_wanted;
    _Atomic uint32_t generation_of[STRESS_ITEMS + PLAYRING_ITEMS];
    uint64_t played[STRESS_ITEMS]; /* the writer's */
    uint64_t flushed, ended;
};

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void *flusher(void *user)
{
    struct stress *s = user;
    while (!atomic_load(&s->stop)) {
        if (atomic_exchange(&s->flush_wanted, false))
            playring_flush(s->ring);
        sched_yield();
    }
    return NULL;
}

/* Waits until the item in `slot` has ended or is flushed for good. */
static void settle_item(struct stress *s, uint32_t item)
{
    struct playring_event ev;
    uint32_t slot = item % PLAYRING_ITEMS;
    bool ended = false;
    int64_t cut_ns;

    for (;;) {
        uint32_t obeyed = playring_obeyed(s->ring, &cut_ns);
        while (playring_event(s->ring, &ev))
            if (ev.slot == slot && ev.ended)
                ended = true;
        if (ended || playring_older(atomic_load(&s->generation_of[item]), obeyed))
            break;
        sched_yield();
    }
    s->played[item] = playring_played(s->ring, slot);
    s->ended += ended;
    s->flushed += !ended;
}

static void *writer(void *user)
{
    struct stress *s = user;
    uint32_t seed = 5;

    for (uint32_t item = 0; item < STRESS_ITEMS; item++) {
        uint32_t generation = playring_generation(s->ring), length = next(&seed) % 2000;
        int16_t value = s->by_item ? (int16_t)(item + 1) : 1;
        atomic_store(&s->generation_of[item], generation);
        playring_begin(s->ring, item % PLAYRING_ITEMS);
        /* Every fourth item or so meets a flush somewhere, one in 64 for certain: however busy the
         * machine is, some are flushed and some end. */
        if (item % 64 == 0 || next(&seed) % 4 == 0)
            atomic_store(&s->flush_wanted, true);
        while (item % 64 == 0 && atomic_load(&s->flush_wanted))
            sched_yield();
        for (uint32_t at = 0; at <= length;) {
            uint32_t n = next(&seed) % 160;
            bool last = at + n >= length;
            if (last)
                n = length - at;
            while (put(s->ring, generation, item % PLAYRING_ITEMS, at, n, value, last) < 0)
                sched_yield();
            at += n;
            if (last)
                break;
        }
        settle_item(s, item);
    }
    atomic_store(&s->stop, true);
    return NULL;
}

/* The callback: checks each sample; returns how many stood for an item in full. */
static uint64_t callbacks(struct stress *s)
{
    uint32_t seed = 7, obeyed = 0, before;
    size_t fade = 0;
    uint64_t heard = 0;
    int64_t cut_ns;

    while (!atomic_load(&s->stop)) {
        int16_t out[200];
        size_t n = 1 + next(&seed) % 200;
        before = obeyed;
        playring_read(s->ring, out, n, 0);
        obeyed = playring_obeyed(s->ring, &cut_ns);
        if (obeyed != before)
            fade = FADE;
        for (size_t i = 0; i < n; i++) {
            heard += out[i] != 0;
            if (s->by_item && fade == 0 && out[i] != 0)
                assert_false(playring_older(atomic_load(&s->generation_of[out[i] - 1]), obeyed));
            fade -= fade > 0;
        }
        if (seed % 4 == 0)
            sched_yield();
    }
    return heard;
}

static void stress(bool by_item)
{
    struct stress *s = calloc(1, sizeof *s);
    pthread_t w, f;
    uint64_t heard, played = 0;

    assert_non_null(s);
    s->ring = ring_of(1024);
    s->by_item = by_item;
    pthread_create(&f, NULL, flusher, s);
    pthread_create(&w, NULL, writer, s);
    heard = callbacks(s);
    pthread_join(w, NULL);
    pthread_join(f, NULL);
    for (size_t i = 0; i < STRESS_ITEMS; i++)
        played += s->played[i];
    if (!by_item)
        assert_int_equal(heard, played);
    /* Otherwise it has shown nothing. */
    assert_true(s->flushed > 10 && s->ended > 10);
    playring_free(s->ring);
    free(s);
}

static void no_flushed_sample_is_heard_while_three_threads_race(void **state)
{
    (void)state;
    stress(true);
}

static void counts_agree_while_three_threads_race(void **state)
{
    (void)state;
    stress(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plays_what_was_written_and_counts_it),
        cmocka_unit_test(counts_at_the_rate_of_the_item),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(a_flush_fades_and_then_is_silent),
        cmocka_unit_test(a_fade_goes_on_through_short_callbacks),
        cmocka_unit_test(a_fade_ends_softly_with_what_there_is),
        cmocka_unit_test(a_flush_before_the_first_sample_is_silent_at_once),
        cmocka_unit_test(an_old_block_that_comes_late_is_discarded),
        cmocka_unit_test(new_speech_follows_the_fade_without_a_gap),
        cmocka_unit_test(only_running_dry_inside_an_item_is_an_underrun),
        cmocka_unit_test(an_item_without_samples_ends),
        cmocka_unit_test(a_duck_is_a_short_ramp_and_so_is_its_end),
        cmocka_unit_test(a_hold_fades_and_consumes_nothing),
        cmocka_unit_test(what_was_held_goes_on_where_it_was),
        cmocka_unit_test(a_hold_that_ends_within_its_fade_finishes_the_fade),
        cmocka_unit_test(what_was_held_is_flushed_in_silence),
        cmocka_unit_test(a_flush_within_the_fade_of_a_hold_goes_on_with_it),
        cmocka_unit_test(an_item_that_comes_during_a_hold_waits),
        cmocka_unit_test(another_device_starts_empty_and_comes_up_softly),
        cmocka_unit_test(generations_wrap),
        cmocka_unit_test(no_flushed_sample_is_heard_while_three_threads_race),
        cmocka_unit_test(counts_agree_while_three_threads_race),
    };

    return cmocka_run_group_tests_name("playring", tests, NULL, NULL);
}
