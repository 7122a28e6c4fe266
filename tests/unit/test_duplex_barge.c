/* duplex: what the chain decides is done to the loudspeaker at once, and told; what it is given is
 * what was captured and what was really played. The chain is a fake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "audio/duplex.h"
#include "fake/fake_audio.h"
#include "fake/fake_nearend.h"

#define PERIOD 160
#define FADE   48 /* samples in 3 ms */

struct rig {
    struct fake_audio fake;
    struct duplex *duplex;
    uint64_t clock;      /* samples that went out */
    uint64_t loud_until; /* after the last one that was not 0 */
    uint64_t loud;       /* not 0 */
    int16_t in, last[PERIOD];
    struct duplex_event events[64];
    size_t n_events;
};

static void rig_open(struct rig *r)
{
    struct duplex_config config = {.driver = &fake_audio_driver,
                                   .argument = fake_audio_argument(&r->fake),
                                   .capture = true,
                                   .playback = true};
    struct err e = {0};

    fake_nearend_reset();
    r->fake.now_ns = 1000000000;
    assert_int_equal(duplex_open(&r->duplex, &config, NULL, &e), 0);
}

/* One period, and until the worker has seen it. */
static void run(struct rig *r)
{
    int16_t in[PERIOD];
    uint64_t before = fake_nearend_seen().frames;

    for (size_t i = 0; i < PERIOD; i++)
        in[i] = r->in;
    fake_audio_run(&r->fake, in, r->last, PERIOD);
    for (size_t i = 0; i < PERIOD; i++) {
        r->clock++;
        r->loud += r->last[i] != 0;
        if (r->last[i] != 0)
            r->loud_until = r->clock;
    }
    for (int i = 0; i < 20000 && fake_nearend_seen().frames == before; i++) {
        struct timespec pause = {0, 100000};
        nanosleep(&pause, NULL);
    }
    /* The frame was run; what follows from it takes another moment. */
    struct timespec ms = {0, 2000000};
    nanosleep(&ms, NULL);
    while (r->n_events < 64 && duplex_poll(r->duplex, &r->events[r->n_events]))
        r->n_events++;
}

static void run_until_event(struct rig *r, enum duplex_event_type type)
{
    for (int i = 0; i < 1000; i++) {
        if (r->n_events > 0 && r->events[r->n_events - 1].type == type)
            return;
        run(r);
    }
    fail_msg("no event of type %d", (int)type);
}

static void decide(enum barge_state state, unsigned onset_ms)
{
    fake_nearend_verdict(&(struct nearend_verdict){.state = state, .onset_ms = onset_ms});
}

/* Speech that counts its own samples, so that a lost or doubled one shows. */
static void play_counting(struct rig *r, uint32_t item, size_t n)
{
    int16_t *x = malloc(n * sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (int16_t)(1 + i % 30000);
    assert_int_equal(duplex_play(r->duplex, item, 16000, x, n), 0);
    free(x);
}

static void the_far_end_is_what_was_really_played(void **state)
{
    struct rig r = {.in = 5};
    int16_t played[20 * PERIOD];
    struct fake_nearend *seen = malloc(sizeof *seen);

    (void)state;
    rig_open(&r);
    play_counting(&r, 1, 10000);
    for (size_t i = 0; i < 20; i++) {
        if (i == 8)
            decide(BARGE_DUCK, 0);
        if (i == 12)
            duplex_flush(r.duplex);
        run(&r);
        memcpy(played + i * PERIOD, r.last, sizeof r.last);
    }
    *seen = fake_nearend_seen();
    assert_int_equal(seen->n_far, 20 * PERIOD);
    assert_memory_equal(seen->far, played, sizeof played);
    assert_int_equal(seen->frames, 20);
    assert_int_equal(seen->lost_near, 0);
    assert_int_equal(seen->lost_far, 0);
    free(seen);
    duplex_close(r.duplex);
    assert_int_equal(fake_nearend.made, fake_nearend.freed);
}

static void the_microphone_comes_through_with_its_time(void **state)
{
    struct rig r = {.in = 77};
    int16_t x[4000];
    int64_t at_ns;
    size_t n;

    (void)state;
    rig_open(&r);
    for (int i = 0; i < 10; i++)
        run(&r);
    n = duplex_read(r.duplex, x, 4000, &at_ns);
    assert_int_equal(n, 1600);
    /* 10 ms of nothing, from before the start. */
    assert_int_equal(at_ns, 1000000000 - 10000000);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(x[i], i < 160 ? 0 : 77);
    duplex_close(r.duplex);
}

static void a_duck_is_heard_and_ends(void **state)
{
    struct rig r = {0};
    int16_t constant[16000];

    (void)state;
    for (size_t i = 0; i < 16000; i++)
        constant[i] = 10000;
    rig_open(&r);
    duplex_play(r.duplex, 1, 16000, constant, 16000);
    run_until_event(&r, DUPLEX_STARTED);
    decide(BARGE_DUCK, 30);
    run(&r);
    run(&r);
    run(&r);
    assert_in_range(r.last[PERIOD - 1], 1200, 1300); /* -18 dB */
    decide(BARGE_PLAY, 0);
    run(&r);
    run(&r);
    run(&r);
    assert_int_equal(r.last[PERIOD - 1], 10000);
    /* Nobody needs to know. */
    assert_int_equal(r.n_events, 1);
    duplex_close(r.duplex);
}

static void a_hold_is_silent_and_goes_on_where_it_was(void **state)
{
    struct rig r = {0};
    uint64_t held_at, silent_since;

    (void)state;
    rig_open(&r);
    play_counting(&r, 3, 8000);
    duplex_end(r.duplex, 3);
    run_until_event(&r, DUPLEX_STARTED);
    decide(BARGE_HOLD, 70);
    run_until_event(&r, DUPLEX_HELD);
    assert_int_equal(r.events[1].item, 3);
    /* Since the speech began: 70 ms before the end of the frame. */
    assert_int_equal((r.fake.now_ns - r.events[1].at_ns) % 10000000, 0);
    assert_in_range(r.fake.now_ns - r.events[1].at_ns, 70000000, 100000000);
    run(&r);
    held_at = duplex_played(r.duplex, 3);
    silent_since = r.loud_until;
    for (int i = 0; i < 30; i++)
        run(&r);
    assert_int_equal(r.loud_until, silent_since);
    assert_int_equal(duplex_played(r.duplex, 3), held_at);
    decide(BARGE_PLAY, 0);
    run_until_event(&r, DUPLEX_RESUMED);
    assert_int_equal(r.events[2].item, 3);
    run_until_event(&r, DUPLEX_ENDED);
    assert_int_equal(r.events[3].played, 8000);
    assert_false(r.events[3].flushed);
    duplex_close(r.duplex);
}

static void a_stop_is_told_before_the_end_of_the_items(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r);
    play_counting(&r, 3, 16000);
    play_counting(&r, 4, 16000);
    run_until_event(&r, DUPLEX_STARTED);
    for (int i = 0; i < 5; i++)
        run(&r);
    decide(BARGE_HOLD, 40);
    run_until_event(&r, DUPLEX_HELD);
    run(&r);
    uint64_t played = duplex_played(r.duplex, 3), loud_until = r.loud_until;
    decide(BARGE_STOP, 90);
    run(&r);
    run(&r);
    run(&r);
    /* Not a sample more was heard, and none that was is forgotten. */
    assert_int_equal(r.loud_until, loud_until);
    assert_int_equal(r.n_events, 5);
    assert_int_equal(r.events[2].type, DUPLEX_BARGED);
    assert_int_equal(r.events[2].item, 3);
    assert_int_equal(r.events[3].type, DUPLEX_ENDED);
    assert_int_equal(r.events[3].item, 3);
    assert_int_equal(r.events[3].played, played);
    assert_true(r.events[3].flushed);
    assert_int_equal(r.events[4].item, 4);
    /* The next item is heard in full. */
    play_counting(&r, 5, 500);
    duplex_end(r.duplex, 5);
    r.loud = 0;
    run_until_event(&r, DUPLEX_ENDED);
    for (int i = 0; i < 6; i++)
        run(&r);
    assert_int_equal(r.loud, 500);
    duplex_close(r.duplex);
}

static void the_chain_knows_whether_something_plays(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r);
    run(&r);
    run(&r);
    assert_int_equal(fake_nearend_seen().frames_playing, 0);
    play_counting(&r, 1, 8 * PERIOD);
    run(&r);
    decide(BARGE_HOLD, 0);
    run(&r);
    for (int i = 0; i < 20; i++)
        run(&r);
    uint64_t frames = fake_nearend_seen().frames;
    assert_true(fake_nearend_seen().frames_playing >= frames - 4);
    duplex_flush(r.duplex);
    run(&r);
    uint64_t playing = fake_nearend_seen().frames_playing;
    run(&r);
    assert_int_equal(fake_nearend_seen().frames_playing, playing);
    duplex_close(r.duplex);
}

static void nothing_stops_where_barge_in_is_off(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r);
    duplex_barge(r.duplex, false);
    play_counting(&r, 1, 4000);
    duplex_end(r.duplex, 1);
    run_until_event(&r, DUPLEX_STARTED);
    decide(BARGE_HOLD, 0);
    run(&r);
    decide(BARGE_STOP, 0);
    run_until_event(&r, DUPLEX_ENDED);
    assert_int_equal(r.n_events, 2);
    assert_int_equal(r.loud, 4000);
    assert_int_equal(fake_nearend_seen().frames_playing, 0);
    duplex_close(r.duplex);
}

static void a_hold_ends_when_barge_in_is_switched_off(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r);
    play_counting(&r, 1, 4000);
    run_until_event(&r, DUPLEX_STARTED);
    decide(BARGE_HOLD, 0);
    run_until_event(&r, DUPLEX_HELD);
    duplex_barge(r.duplex, false);
    run_until_event(&r, DUPLEX_RESUMED);
    duplex_close(r.duplex);
}

static void half_duplex_is_told_and_stops_nothing(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r);
    play_counting(&r, 1, 16000);
    run_until_event(&r, DUPLEX_STARTED);
    fake_nearend_verdict(&(struct nearend_verdict){.state = BARGE_HOLD, .hopeless = true});
    run_until_event(&r, DUPLEX_HALF);
    assert_true(r.events[1].on);
    uint64_t before = r.loud;
    run(&r);
    run(&r);
    assert_int_equal(r.loud, before + 2 * PERIOD);
    decide(BARGE_PLAY, 0);
    run(&r);
    run(&r);
    assert_int_equal(r.n_events, 3);
    assert_int_equal(r.events[2].type, DUPLEX_HALF);
    assert_false(r.events[2].on);
    duplex_close(r.duplex);
}

static void muted_no_captured_sample_leaves_the_callback(void **state)
{
    struct rig r = {.in = 77};
    int16_t x[16000];
    int64_t at_ns;
    size_t n;

    (void)state;
    rig_open(&r);
    duplex_mute(r.duplex, true);
    for (int i = 0; i < 10; i++)
        run(&r);
    n = duplex_read(r.duplex, x, 16000, &at_ns);
    assert_int_equal(n, 1600);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(x[i], 0);
    duplex_mute(r.duplex, false);
    run(&r);
    run(&r);
    n = duplex_read(r.duplex, x, 16000, &at_ns);
    assert_int_equal(n, 320);
    assert_int_equal(x[159], 0); /* still the frame before */
    assert_int_equal(x[160], 77);
    duplex_close(r.duplex);
}

static void the_alignment_is_measured_elsewhere_and_adopted_here(void **state)
{
    struct rig r = {0};

    (void)state;
    rig_open(&r);
    for (int i = 0; i < 5; i++) {
        atomic_store(&fake_nearend.due, true);
        for (int k = 0; k < 1000 && fake_nearend_seen().adopted <= i; k++)
            run(&r);
    }
    assert_int_equal(fake_nearend_seen().measured, 5);
    assert_int_equal(fake_nearend_seen().adopted, 5);
    duplex_close(r.duplex);
}

static void samples_that_did_not_fit_are_told_to_the_chain(void **state)
{
    const uint64_t all = 20 * 8000 + 200 * PERIOD;
    struct fake_nearend *seen = malloc(sizeof *seen);
    struct rig r = {0};
    int16_t x[8000];

    (void)state;
    memset(x, 0, sizeof x);
    rig_open(&r);
    /* Seconds in which the worker does not get on. */
    pthread_mutex_lock(&fake_nearend.lock);
    for (int i = 0; i < 20; i++)
        fake_audio_run(&r.fake, x, NULL, 8000);
    pthread_mutex_unlock(&fake_nearend.lock);
    for (int i = 0; i < 200; i++)
        run(&r);
    *seen = fake_nearend_seen();
    assert_true(seen->lost_near > 0 && seen->lost_far > 0);
    /* Neither count has a gap, but for a frame that is not complete. */
    assert_in_range((uint64_t)seen->lost_near + seen->frames * PERIOD, all - PERIOD + 1, all);
    assert_int_equal((uint64_t)seen->lost_far + seen->n_far, all);
    free(seen);
    duplex_close(r.duplex);
}

/* Two streams for `ms`: the microphone's clock runs from 1 s on, the loudspeaker's is apart by so
 * much. NULL: it does not run. */
static void run_two(struct rig *r, int ms, int64_t *in_ns, int64_t *out_ns)
{
    int16_t in[PERIOD] = {1}, out[PERIOD];

    for (int i = 0; i < ms / 10; i++) {
        uint64_t before = fake_nearend_seen().frames;
        if (out_ns != NULL) {
            fake_audio_run_one(&r->fake, NULL, out, PERIOD, *out_ns);
            *out_ns += 10000000;
        }
        if (in_ns == NULL)
            continue;
        fake_audio_run_one(&r->fake, in, NULL, PERIOD, *in_ns);
        *in_ns += 10000000;
        for (int k = 0; k < 20000 && fake_nearend_seen().frames == before; k++) {
            struct timespec pause = {0, 100000};
            nanosleep(&pause, NULL);
        }
    }
}

static void two_streams_are_paired_by_their_times_and_kept_so(void **state)
{
    struct rig r = {.fake = {.two_streams = true, .latency_ms = 20}};
    int64_t in_ns = 1000000000, out_ns = 1000000000 + 70000000;
    struct fake_nearend *seen = malloc(sizeof *seen);

    (void)state;
    rig_open(&r);
    /* The loudspeaker begins 70 ms after the microphone: that is what it misses. */
    run_two(&r, 70, &in_ns, NULL);
    run_two(&r, 1500, &in_ns, &out_ns);
    *seen = fake_nearend_seen();
    assert_int_equal(seen->lost_near, 0);
    assert_int_equal(seen->lost_far, 1120);
    /* Now it is interrupted for 50 ms, and its count has a gap that only its times tell. */
    run_two(&r, 50, &in_ns, NULL);
    out_ns += 50000000;
    run_two(&r, 600, &in_ns, &out_ns);
    *seen = fake_nearend_seen();
    assert_int_equal(seen->lost_near, 0);
    assert_int_equal(seen->lost_far, 1120 + 800);
    free(seen);
    duplex_close(r.duplex);
}

static void a_stream_that_began_first_is_paired_as_well(void **state)
{
    struct rig r = {.fake = {.two_streams = true, .latency_ms = 20}};
    int64_t in_ns = 1000000000 + 40000000, out_ns = 1000000000;

    (void)state;
    rig_open(&r);
    run_two(&r, 40, NULL, &out_ns);
    run_two(&r, 500, &in_ns, &out_ns);
    assert_int_equal(fake_nearend_seen().lost_near, 0);
    assert_int_equal(fake_nearend_seen().lost_far, -640);
    duplex_close(r.duplex);
}

static void a_microphone_that_gives_nothing_is_told(void **state)
{
    struct rig r = {0};
    struct duplex_stats stats;

    (void)state;
    rig_open(&r);
    for (int i = 0; i < 100; i++)
        run(&r);
    duplex_stats(r.duplex, &stats);
    assert_false(stats.silent);
    for (int i = 0; i < 110; i++)
        run(&r);
    duplex_stats(r.duplex, &stats);
    assert_true(stats.silent);
    r.in = 1;
    run(&r);
    run(&r);
    duplex_stats(r.duplex, &stats);
    assert_false(stats.silent);
    r.in = 0;
    for (int i = 0; i < 210; i++)
        run(&r);
    duplex_stats(r.duplex, &stats);
    assert_false(stats.silent);
    duplex_close(r.duplex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_far_end_is_what_was_really_played),
        cmocka_unit_test(the_microphone_comes_through_with_its_time),
        cmocka_unit_test(a_duck_is_heard_and_ends),
        cmocka_unit_test(a_hold_is_silent_and_goes_on_where_it_was),
        cmocka_unit_test(a_stop_is_told_before_the_end_of_the_items),
        cmocka_unit_test(the_chain_knows_whether_something_plays),
        cmocka_unit_test(nothing_stops_where_barge_in_is_off),
        cmocka_unit_test(a_hold_ends_when_barge_in_is_switched_off),
        cmocka_unit_test(half_duplex_is_told_and_stops_nothing),
        cmocka_unit_test(muted_no_captured_sample_leaves_the_callback),
        cmocka_unit_test(the_alignment_is_measured_elsewhere_and_adopted_here),
        cmocka_unit_test(samples_that_did_not_fit_are_told_to_the_chain),
        cmocka_unit_test(two_streams_are_paired_by_their_times_and_kept_so),
        cmocka_unit_test(a_stream_that_began_first_is_paired_as_well),
        cmocka_unit_test(a_microphone_that_gives_nothing_is_told),
    };

    return cmocka_run_group_tests_name("duplex and barge-in", tests, NULL, NULL);
}
