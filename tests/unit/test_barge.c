/* barge: what ducks, what holds, what stops, and what goes on playing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dsp/barge.h"

static const struct barge_input quiet = {
    .playing = true, .converged = true, .echo = true, .speech = 0.02f, .near_db = -60};
static const struct barge_input speech = {
    .playing = true, .converged = true, .echo = true, .speech = 0.97f, .snr_db = 9, .near_db = -30};
/* What the canceller leaves of a loud echo: speech, but hardly above what is expected. */
static const struct barge_input residue = {.playing = true,
                                           .converged = true,
                                           .echo = true,
                                           .speech = 0.97f,
                                           .snr_db = 0.5f,
                                           .near_db = -40};
static const struct barge_input knock = {
    .playing = true, .converged = true, .echo = true, .speech = 0.1f, .snr_db = 12, .near_db = -20};

/* Feeds `in` for so many frames, or until the state is `until`; returns how many it took. */
static int feed(struct barge *b, struct barge_input in, int frames, enum barge_state until,
                enum barge_state *last)
{
    for (int i = 1; i <= frames; i++) {
        *last = barge_step(b, &in);
        if (*last == until)
            return i;
    }
    return frames + 1;
}

/* The same until STOP; the loudspeaker is out of earshot `lag` frames after HOLD. */
static int speak(struct barge *b, struct barge_input in, int frames, int lag)
{
    int held = 0;

    for (int i = 1; i <= frames; i++) {
        in.echo = held < lag;
        enum barge_state s = barge_step(b, &in);
        if (s == BARGE_STOP)
            return i;
        held = s == BARGE_HOLD ? held + 1 : 0;
    }
    return 0;
}

static void speech_ducks_holds_and_stops_in_this_order(void **state)
{
    (void)state;
    for (enum barge_level level = BARGE_LOW; level <= BARGE_HIGH; level++) {
        struct barge b;
        enum barge_state s, before = BARGE_PLAY;
        struct barge_input in = speech;
        int i;

        barge_init(&b, level);
        feed(&b, quiet, 100, BARGE_STOP, &s);
        for (i = 0; i < 150; i++) {
            s = barge_step(&b, &in);
            assert_true(s >= before);
            in.echo = s < BARGE_HOLD;
            before = s;
            if (s == BARGE_STOP)
                break;
        }
        assert_int_equal(s, BARGE_STOP);
        in.playing = false;                                /* the session has flushed the reply */
        assert_int_equal(barge_step(&b, &in), BARGE_PLAY); /* once */
    }
}

static void a_higher_sensitivity_holds_and_stops_earlier(void **state)
{
    (void)state;
    int hold[3], stop[3];
    struct barge_input in = speech;

    in.speech = 0.65f; /* one may be of two minds about this */
    for (enum barge_level level = BARGE_LOW; level <= BARGE_HIGH; level++) {
        struct barge b;
        enum barge_state s;
        barge_init(&b, level);
        hold[level] = feed(&b, in, 100, BARGE_HOLD, &s);
        barge_init(&b, level);
        stop[level] = speak(&b, speech, 200, 8);
    }
    assert_true(hold[BARGE_HIGH] <= 2 && hold[BARGE_MEDIUM] > 100 && hold[BARGE_LOW] > 100);
    assert_true(stop[BARGE_HIGH] < stop[BARGE_MEDIUM] && stop[BARGE_MEDIUM] < stop[BARGE_LOW]);
    for (enum barge_level level = BARGE_LOW; level <= BARGE_HIGH; level++) {
        struct barge b;
        enum barge_state s;
        barge_init(&b, level);
        hold[level] = feed(&b, speech, 100, BARGE_HOLD, &s);
    }
    assert_true(hold[BARGE_MEDIUM] <= 3 && hold[BARGE_LOW] > hold[BARGE_MEDIUM]);
    assert_true(stop[BARGE_LOW] <= 120);
}

static void a_knock_never_holds_and_is_over_within_400_ms(void **state)
{
    (void)state;
    struct barge b;
    enum barge_state s;

    barge_init(&b, BARGE_HIGH);
    for (int round = 0; round < 50; round++) {
        feed(&b, knock, 8, BARGE_HOLD, &s);
        assert_int_equal(s, BARGE_DUCK);
        assert_true(feed(&b, quiet, 40, BARGE_PLAY, &s) <= 40);
        feed(&b, quiet, 100, BARGE_STOP, &s);
        assert_int_equal(s, BARGE_PLAY);
    }
}

/* "mhm", "yeah", "okay": 300 to 550 ms of speech. */
static void a_backchannel_holds_and_then_the_reply_goes_on(void **state)
{
    (void)state;
    for (int frames = 30; frames <= 55; frames += 5) {
        struct barge b;
        enum barge_state s;
        struct barge_input after = quiet;

        barge_init(&b, BARGE_MEDIUM);
        feed(&b, quiet, 100, BARGE_STOP, &s);
        assert_int_equal(speak(&b, speech, frames, 8), 0);
        assert_int_equal(b.state, BARGE_HOLD);
        after.echo = false;
        assert_true(feed(&b, after, 60, BARGE_PLAY, &s) <= 40);
    }
}

/* A word, a breath, and the rest: the reply may have gone on meanwhile, but it does not again. */
static void who_goes_on_after_a_pause_stops_it(void **state)
{
    struct barge b;
    enum barge_state s;
    struct barge_input pause = quiet;

    (void)state;
    barge_init(&b, BARGE_MEDIUM);
    feed(&b, quiet, 100, BARGE_STOP, &s);
    pause.echo = false;
    assert_int_equal(speak(&b, speech, 35, 8), 0);
    assert_true(feed(&b, pause, 60, BARGE_PLAY, &s) <= 40);
    feed(&b, quiet, 20, BARGE_STOP, &s);
    int took = speak(&b, speech, 100, 8);
    assert_true(took > 0 && took < 50);
}

static void a_second_cough_does_not(void **state)
{
    struct barge b;
    enum barge_state s;
    struct barge_input pause = quiet;

    (void)state;
    barge_init(&b, BARGE_MEDIUM);
    feed(&b, quiet, 100, BARGE_STOP, &s);
    pause.echo = false;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(speak(&b, speech, 25, 8), 0);
        assert_true(feed(&b, pause, 60, BARGE_PLAY, &s) <= 40);
    }
}

static void our_own_echo_dies_in_a_hold_and_stops_nothing(void **state)
{
    (void)state;
    struct barge b;
    int stops = 0, holds = 0, heard = 0;

    /* The worst canceller: all that is played passes for speech, 150 ms after it is played. */
    barge_init(&b, BARGE_HIGH);
    for (int i = 0; i < 60000; i++) {
        struct barge_input in = heard > 0 ? speech : quiet;
        in.echo = heard > 0;
        enum barge_state before = b.state, s = barge_step(&b, &in);
        stops += s == BARGE_STOP;
        holds += s == BARGE_HOLD && before != BARGE_HOLD;
        heard = s == BARGE_HOLD ? heard - 1 : 15;
    }
    assert_int_equal(stops, 0);
    assert_true(holds > 0);
}

static void residual_echo_that_sounds_like_speech_needs_more_than_that(void **state)
{
    (void)state;
    struct barge b;
    enum barge_state s;

    barge_init(&b, BARGE_MEDIUM);
    assert_int_equal(feed(&b, residue, 1000, BARGE_HOLD, &s), 1001);
}

/* Until the echo is found, everything may be one; and then there may be none. */
static void what_may_be_any_echo_holds_nothing(void **state)
{
    (void)state;
    struct barge b;
    enum barge_state s;
    struct barge_input in = speech;

    in.converged = false;
    in.blind = true;
    barge_init(&b, BARGE_HIGH);
    assert_int_equal(feed(&b, in, 1000, BARGE_DUCK, &s), 1001);
    in.blind = false;
    assert_true(feed(&b, in, 100, BARGE_HOLD, &s) <= 20);
}

static void a_canceller_that_has_not_learnt_needs_more_to_hold(void **state)
{
    (void)state;
    struct barge b;
    enum barge_state s;
    struct barge_input early = speech;

    early.converged = false;
    for (enum barge_level level = BARGE_LOW; level <= BARGE_HIGH; level++) {
        int later;
        barge_init(&b, level);
        later = feed(&b, speech, 200, BARGE_HOLD, &s);
        barge_init(&b, level);
        assert_true(feed(&b, early, 200, BARGE_HOLD, &s) > later + 3);
        assert_int_equal(s, BARGE_HOLD); /* but it does */
    }
}

static void holds_that_come_to_nothing_raise_the_bar_and_time_lowers_it(void **state)
{
    (void)state;
    struct barge b;
    enum barge_state s;
    struct barge_input weak = speech;
    int fresh, tired;

    barge_init(&b, BARGE_MEDIUM);
    weak.snr_db = 3;
    weak.speech = 0.9f;
    fresh = feed(&b, weak, 200, BARGE_HOLD, &s);
    assert_int_equal(s, BARGE_HOLD);
    for (int i = 0; i < 12; i++) {
        feed(&b, quiet, 60, BARGE_PLAY, &s);
        feed(&b, speech, 60, BARGE_HOLD, &s);
    }
    feed(&b, quiet, 60, BARGE_PLAY, &s);
    tired = feed(&b, weak, 200, BARGE_HOLD, &s);
    assert_true(tired > fresh);
    feed(&b, quiet, 20000, BARGE_STOP, &s);
    assert_int_equal(feed(&b, weak, 200, BARGE_HOLD, &s), fresh);
}

static void nothing_happens_while_nothing_plays(void **state)
{
    (void)state;
    struct barge b;
    enum barge_state s;
    struct barge_input in = speech;

    in.playing = false;
    barge_init(&b, BARGE_HIGH);
    for (int i = 0; i < 500; i++)
        assert_int_equal(barge_step(&b, &in), BARGE_PLAY);
    /* A reply that ends while it is held leaves nothing behind. */
    feed(&b, speech, 100, BARGE_HOLD, &s);
    assert_int_equal(barge_step(&b, &in), BARGE_PLAY);
    assert_int_equal(barge_step(&b, &quiet), BARGE_PLAY);
}

static void the_onset_is_where_the_speech_began(void **state)
{
    (void)state;
    struct barge b;
    enum barge_state s;
    int n;

    barge_init(&b, BARGE_MEDIUM);
    feed(&b, quiet, 500, BARGE_STOP, &s);
    n = speak(&b, speech, 200, 8);
    assert_true(n > 0);
    assert_true(b.onset <= 500 && b.onset >= 480);
}

static void no_input_makes_it_last_for_ever(void **state)
{
    (void)state;
    struct barge b;
    enum barge_state s;
    struct barge_input in = speech;

    in.echo = true; /* a loudspeaker that is heard although it was told to be silent */
    barge_init(&b, BARGE_MEDIUM);
    feed(&b, in, 100, BARGE_HOLD, &s);
    assert_int_equal(s, BARGE_HOLD);
    for (int i = 0; i < 400 && s != BARGE_PLAY; i++) {
        s = barge_step(&b, &in);
        assert_true(s != BARGE_STOP);
    }
    assert_int_equal(s, BARGE_PLAY);
    in.speech = in.snr_db = in.near_db = in.noise_db = __builtin_nanf("");
    for (int i = 0; i < 1000; i++)
        s = barge_step(&b, &in);
    assert_int_equal(s, BARGE_PLAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speech_ducks_holds_and_stops_in_this_order),
        cmocka_unit_test(a_higher_sensitivity_holds_and_stops_earlier),
        cmocka_unit_test(a_knock_never_holds_and_is_over_within_400_ms),
        cmocka_unit_test(a_backchannel_holds_and_then_the_reply_goes_on),
        cmocka_unit_test(who_goes_on_after_a_pause_stops_it),
        cmocka_unit_test(a_second_cough_does_not),
        cmocka_unit_test(our_own_echo_dies_in_a_hold_and_stops_nothing),
        cmocka_unit_test(residual_echo_that_sounds_like_speech_needs_more_than_that),
        cmocka_unit_test(what_may_be_any_echo_holds_nothing),
        cmocka_unit_test(a_canceller_that_has_not_learnt_needs_more_to_hold),
        cmocka_unit_test(holds_that_come_to_nothing_raise_the_bar_and_time_lowers_it),
        cmocka_unit_test(nothing_happens_while_nothing_plays),
        cmocka_unit_test(the_onset_is_where_the_speech_began),
        cmocka_unit_test(no_input_makes_it_last_for_ever),
    };
    return cmocka_run_group_tests_name("barge", tests, NULL, NULL);
}
