/* The benchmark of the duplex path measures what it says: levels and onsets of recordings, a
 * loudspeaker that obeys and loses nothing, and how much of a user comes through. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/duplex_gain.h"
#include "bench/duplex_player.h"
#include "bench/duplex_sound.h"
#include "dsp/frame.h"

#define CLIP 4000

/* Never 0, and different from one sample to the next. */
static float ramp(size_t i)
{
    return (float)(i % 1000 + 1) / 2000;
}

static void fill_ramp(float *x)
{
    size_t i;

    for (i = 0; i < CLIP; i++)
        x[i] = ramp(i);
}

static int16_t played(size_t i)
{
    return (int16_t)lrintf(ramp(i) * 32768);
}

static void pauses_do_not_lower_the_active_level(void **state)
{
    static float x[DSP_HZ];
    size_t i;

    (void)state;
    for (i = 0; i < DSP_HZ / 4; i++)
        x[DSP_HZ / 2 + i] = 0.1f * (i % 2 == 0 ? 1 : -1);
    assert_true(fabs(sound_level_db(x, DSP_HZ) + 20) < 0.01);
    memset(x, 0, sizeof x);
    assert_true(sound_level_db(x, DSP_HZ) <= -200);
}

static void what_is_played_is_the_clips_one_after_the_other(void **state)
{
    float x[CLIP];
    struct sound clip = {x, CLIP, 0};
    struct player p;
    int16_t y[2 * CLIP];
    size_t i;

    (void)state;
    fill_ramp(x);
    player_init(&p, &clip, 1);
    player_fill(&p, y, 10);
    for (i = 0; i < 10; i++)
        assert_int_equal(y[i], 0);
    player_begin(&p);
    player_fill(&p, y, CLIP);
    for (i = 0; i < CLIP; i++)
        assert_int_equal(y[i], played(i));
    player_fill(&p, y, 2 * CLIP); /* a pause of 250 ms, then again */
    for (i = 0; i < 2 * CLIP; i++)
        assert_int_equal(y[i], i < 4000 ? 0 : played(i - 4000));
}

static void a_held_reply_goes_on_where_it_was(void **state)
{
    float x[CLIP];
    struct sound clip = {x, CLIP, 0};
    struct player p;
    int16_t y[1000];
    size_t i;

    (void)state;
    fill_ramp(x);
    player_init(&p, &clip, 1);
    player_begin(&p);
    player_fill(&p, y, 100);
    player_obey(&p, BARGE_HOLD);
    player_fill(&p, y, 1000);
    assert_int_equal(p.silent_at, 100 + 63); /* 4 ms; the last one is silent */
    for (i = 63; i < 1000; i++)
        assert_int_equal(y[i], 0);
    player_obey(&p, BARGE_PLAY);
    player_fill(&p, y, 1000);
    assert_int_equal(p.resumed_at, 1100);
    for (i = 64; i < 1000; i++)
        assert_int_equal(y[i], played(100 + 63 + i));
}

static void a_ducked_reply_is_18_db_quieter(void **state)
{
    float x[CLIP];
    struct sound clip = {x, CLIP, 0};
    struct player p;
    int16_t y[1000];

    (void)state;
    fill_ramp(x);
    player_init(&p, &clip, 1);
    player_begin(&p);
    player_obey(&p, BARGE_DUCK);
    player_fill(&p, y, 1000);
    assert_true(fabs(20 * log10((double)y[900] / played(900)) + 18) < 0.1);
}

static void a_stopped_reply_is_over_after_its_fade(void **state)
{
    float x[CLIP];
    struct sound clip = {x, CLIP, 0};
    struct player p;
    int16_t y[200];
    size_t i;

    (void)state;
    fill_ramp(x);
    player_init(&p, &clip, 1);
    player_begin(&p);
    player_fill(&p, y, 50);
    player_obey(&p, BARGE_STOP);
    player_fill(&p, y, 200);
    assert_false(p.talking);
    for (i = 63; i < 200; i++)
        assert_int_equal(y[i], 0);
}

/* A tape on which the user makes noise from 1 s to 4 s, and nobody else. */
static void user_alone(struct tape *t)
{
    uint32_t seed = 1;
    size_t i;

    memset(t, 0, sizeof *t);
    t->n = 5 * DSP_HZ;
    t->said = calloc(t->n, sizeof *t->said);
    assert_non_null(t->said);
    for (i = DSP_HZ; i < 4 * DSP_HZ; i++) {
        seed = seed * 1664525u + 1013904223u;
        t->said[i] = (int16_t)((int)(seed >> 20) - 2048);
    }
    t->trials[0].from = DSP_HZ;
    t->trials[0].to = 4 * DSP_HZ;
    t->trial_count = 1;
}

static void the_gain_is_that_of_the_user_whatever_echo_is_added(void **state)
{
    struct tape t;
    struct gain g;
    int16_t *y;
    uint32_t seed = 7;
    size_t i;

    (void)state;
    user_alone(&t);
    y = calloc(t.n, sizeof *y);
    assert_non_null(y);
    for (i = 160; i < t.n; i++) {
        seed = seed * 22695477u + 1u;
        y[i] = (int16_t)(t.said[i - 160] / 2 + ((int)(seed >> 21) - 1024) / 4);
    }
    assert_int_equal(gain_measure(&g, &t, y), 0);
    assert_true(fabs(g.lag_ms - 10) < 0.01);
    assert_true(fabs(g.mean_db + 6.02) < 0.2);
    assert_true(fabs(g.median_db + 6.02) < 0.3);
    assert_true(g.frames > 150);
    free(y);
    tape_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_do_not_lower_the_active_level),
        cmocka_unit_test(what_is_played_is_the_clips_one_after_the_other),
        cmocka_unit_test(a_held_reply_goes_on_where_it_was),
        cmocka_unit_test(a_ducked_reply_is_18_db_quieter),
        cmocka_unit_test(a_stopped_reply_is_over_after_its_fade),
        cmocka_unit_test(the_gain_is_that_of_the_user_whatever_echo_is_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
