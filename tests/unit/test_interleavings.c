/* Generation and truncation across three threads: a worker writes, a callback reads, a control
 * thread flushes, holds, ducks and lets go on, at a million random moments (HULLO_INTERLEAVINGS=N).
 * Each sample tells its item and its place in it: none of a cancelled item is played later, none is
 * lost or doubled by a hold, and what is counted is what was heard. */
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

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ACTIONS 50000
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define ACTIONS 50000
#endif
#endif
#ifndef ACTIONS
#define ACTIONS 1000000
#endif

#define HZ      16000
#define LONGEST 3000 /* samples of an item */
#define BLOCK   160
#define READ    200
#define CALM    400 /* samples of sound after which every fade and ramp is over */
#define DUCKED  4125 / 32768

/* What the threads know of the item in a slot. item 0: it is being handed over. */
struct shared {
    _Atomic uint32_t item, generation;
};

struct race {
    struct playring *ring;
    uint32_t actions;
    _Atomic bool stop;
    _Atomic uint32_t acted; /* actions, counted before and after each: odd while one is under way */
    _Atomic bool held;      /* by the latest */
    _Atomic uint64_t heard; /* samples that went out */
    struct shared slots[PLAYRING_ITEMS];

    /* The writer's. */
    uint64_t ended, flushed, wrong_ends;
    /* The callback's. */
    uint64_t calm_full, calm_ducked, wrong, late, leaked;
};

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Sample `at` of the item; never 0, and not after a duck either. */
static int16_t sample(uint32_t item, uint64_t at)
{
    return (int16_t)(2000 + (item * 977 + at * 7) % 30000);
}

/* --- the control thread */

static void act(struct race *r, uint32_t kind)
{
    atomic_fetch_add(&r->acted, 1);
    if (kind % 8 != 0)
        atomic_store(&r->held, false);
    switch (kind % 8) {
    case 0:
        playring_flush(r->ring);
        break;
    case 1:
    case 2:
        playring_set(r->ring, PLAYRING_HOLD);
        atomic_store(&r->held, true);
        break;
    case 3:
        playring_set(r->ring, PLAYRING_DUCK);
        break;
    case 4: /* a stop */
        playring_flush(r->ring);
        playring_set(r->ring, PLAYRING_FULL);
        break;
    default:
        playring_set(r->ring, PLAYRING_FULL);
    }
    atomic_fetch_add(&r->acted, 1);
}

static void wait_for(struct race *r, uint64_t samples)
{
    uint64_t from = atomic_load(&r->heard);

    for (uint32_t i = 1; atomic_load(&r->heard) < from + samples; i++)
        if (i % 1024 == 0)
            sched_yield();
}

static void *control(void *user)
{
    struct race *r = user;
    uint32_t seed = 11;

    for (uint32_t i = 0; i < r->actions; i++) {
        act(r, next(&seed));
        /* Anywhere within the next callbacks; now and then nothing happens for a while, so that all
         * can be compared. */
        wait_for(r, i % 64 == 0 ? 8 * CALM : next(&seed) % (READ / 2));
        for (uint32_t spin = next(&seed) % 256; spin > 0; spin--)
            atomic_load_explicit(&r->heard, memory_order_relaxed);
    }
    playring_set(r->ring, PLAYRING_FULL);
    atomic_store(&r->stop, true);
    return NULL;
}

/* --- the worker */

static bool put(struct race *r, uint32_t item, uint32_t generation, uint64_t at, size_t n,
                bool last)
{
    struct playring_block b = {.generation = generation,
                               .slot = item % PLAYRING_ITEMS,
                               .n = n,
                               .from = at,
                               .to = at + n,
                               .first = at == 0,
                               .last = last};
    int16_t x[BLOCK];

    for (size_t i = 0; i < n; i++)
        x[i] = sample(item, at + i);
    while (playring_write(r->ring, &b, x) < 0) {
        if (playring_generation(r->ring) != generation || atomic_load(&r->stop))
            return false;
        sched_yield();
    }
    return true;
}

/* Waits until the item has ended or is flushed for good. Returns whether it ended. */
static bool settle(struct race *r, uint32_t item, uint32_t generation)
{
    struct playring_event ev;
    int64_t cut_ns;

    for (;;) {
        uint32_t obeyed = playring_obeyed(r->ring, &cut_ns);
        bool ended = false;
        while (playring_event(r->ring, &ev))
            ended |= ev.ended && ev.slot == item % PLAYRING_ITEMS;
        if (ended)
            return true;
        if (playring_older(generation, obeyed) || atomic_load(&r->stop))
            return false;
        sched_yield();
    }
}

static void *worker(void *user)
{
    struct race *r = user;
    uint32_t seed = 5;

    for (uint32_t item = 1; !atomic_load(&r->stop); item++) {
        struct shared *slot = &r->slots[item % PLAYRING_ITEMS];
        uint32_t generation = playring_generation(r->ring), length = next(&seed) % LONGEST;
        uint64_t at = 0, played;
        bool going = true, ended;

        atomic_store(&slot->item, 0);
        playring_begin(r->ring, item % PLAYRING_ITEMS);
        atomic_store(&slot->generation, generation);
        atomic_store(&slot->item, item);
        while (going && at <= length) {
            size_t n = next(&seed) % (BLOCK + 1);
            bool last = at + n >= length;
            if (last)
                n = (size_t)(length - at);
            going = put(r, item, generation, at, n, last) && !last;
            at += n;
            /* Stragglers of an item that was flushed meanwhile come all the same. */
        }
        ended = settle(r, item, generation);
        played = playring_played(r->ring, item % PLAYRING_ITEMS);
        r->ended += ended;
        r->flushed += !ended;
        r->wrong_ends += ended && played != length;
    }
    return NULL;
}

/* --- the callback */

static bool is_calm(const int16_t *out, size_t n, uint32_t item, uint64_t from, size_t played,
                    int16_t *kind)
{
    bool full = true, ducked = true, silent = true;

    for (size_t i = 0; i < played; i++) {
        int16_t x = sample(item, from + i);
        full &= out[i] == x;
        ducked &= out[i] == x * DUCKED;
    }
    for (size_t i = played; i < n; i++)
        silent &= out[i] == 0;
    *kind = (int16_t)(played == 0 ? 0 : full ? 1 : 2);
    return silent && (full || ducked);
}

struct before {
    uint32_t item[PLAYRING_ITEMS];
    uint64_t played[PLAYRING_ITEMS];
};

static void look(struct race *r, struct before *b)
{
    for (uint32_t i = 0; i < PLAYRING_ITEMS; i++) {
        b->item[i] = atomic_load(&r->slots[i].item);
        b->played[i] = playring_played(r->ring, i);
    }
}

/* Compares a read with what it did to the one item that was played in it. Several say nothing, nor
 * does a slot that was handed over meanwhile. */
static void check(struct race *r, const int16_t *out, size_t n, const struct before *b, bool calm,
                  bool held)
{
    int64_t cut_ns;
    uint32_t obeyed = playring_obeyed(r->ring, &cut_ns), slot = 0;
    uint64_t played = 0;
    int slots = 0;
    int16_t kind;

    for (uint32_t i = 0; i < PLAYRING_ITEMS; i++) {
        uint64_t now = playring_played(r->ring, i);
        uint32_t generation = atomic_load(&r->slots[i].generation);
        if (b->item[i] == 0 || atomic_load(&r->slots[i].item) != b->item[i])
            return;
        if (now == b->played[i])
            continue;
        slot = i;
        slots++;
        played += now - b->played[i];
        r->late += playring_older(generation, obeyed);
    }
    r->leaked += held && played > 0;
    if (!calm || slots > 1)
        return;
    if (!is_calm(out, n, b->item[slot], b->played[slot], (size_t)played, &kind)) {
        r->wrong++;
        return;
    }
    r->calm_full += kind == 1;
    r->calm_ducked += kind == 2;
}

static void callbacks(struct race *r)
{
    uint32_t seed = 7, acted = 0;
    uint64_t sound = 0, heard = 0; /* since the last action; in all */

    while (!atomic_load(&r->stop)) {
        struct before before;
        int16_t out[READ];
        size_t n = 1 + next(&seed) % READ;
        bool held;
        uint32_t now;

        look(r, &before);
        playring_read(r->ring, out, n, 0);
        held = atomic_load(&r->held);
        now = atomic_load(&r->acted);
        heard += n;
        if (now != acted || now % 2 != 0)
            sound = 0;
        held &= now == acted && now % 2 == 0;
        acted = now;
        check(r, out, n, &before, sound > CALM, held);
        for (size_t i = 0; i < n; i++)
            sound += out[i] != 0;
        atomic_store(&r->heard, heard);
        if (seed % 16 == 0)
            sched_yield();
    }
}

static void a_million_random_moments(void **state)
{
    const char *wanted = getenv("HULLO_INTERLEAVINGS");
    struct race *r = calloc(1, sizeof *r);
    pthread_t c, w;

    (void)state;
    assert_non_null(r);
    r->actions = wanted != NULL ? (uint32_t)strtoul(wanted, NULL, 10) : ACTIONS;
    assert_int_equal(playring_new(&r->ring, 1024, HZ), 0);
    pthread_create(&w, NULL, worker, r);
    pthread_create(&c, NULL, control, r);
    callbacks(r);
    pthread_join(c, NULL);
    pthread_join(w, NULL);
    print_message(
        "%u moments: %llu items ended, %llu were cut off; compared while calm: %llu reads in "
        "full, %llu ducked\n",
        r->actions, (unsigned long long)r->ended, (unsigned long long)r->flushed,
        (unsigned long long)r->calm_full, (unsigned long long)r->calm_ducked);
    assert_int_equal(r->late, 0);
    assert_int_equal(r->leaked, 0);
    assert_int_equal(r->wrong, 0);
    assert_int_equal(r->wrong_ends, 0);
    /* Otherwise it has shown nothing. */
    assert_true(r->ended > 0 && r->flushed > 0 && r->calm_full > 0);
    playring_free(r->ring);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_random_moments),
    };

    return cmocka_run_group_tests_name("interleavings", tests, NULL, NULL);
}
