/* The conversation when the user speaks over a reply: a scripted backend on one side, a scripted
 * sound path on the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake/stage.h"

/* --- while a reply is being heard */

static void the_microphone_is_kept_while_a_reply_is_heard(void **state)
{
    struct stage *st = *state;

    capture(st, 1, 100);
    GIVEN(st, "1*100 ");
    reply(st, 1);
    capture(st, 2, 1000);
    GIVEN(st, "");
}

static void speech_over_a_reply_stops_it_and_is_heard_from_its_first_word_on(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    capture(st, 1, 100);
    reply(st, 1);
    capture(st, 2, 1000);
    GIVEN(st, "1*100 ");
    onset = st->sound.now_ns;
    capture(st, 3, 120);
    held(st, DUPLEX_HELD, 1, onset);
    capture(st, 3, 200);
    GIVEN(st, "");
    st->sound.played = 8000;
    held(st, DUPLEX_BARGED, 1, onset);
    GIVEN(st, "2*300 3*320 ");
    SAW(&st->noted, "truncate1:500 clear cancel ");
    ended(st, 1, 8000, true);
    capture(st, 3, 100);
    GIVEN(st, "3*100 "); /* from now on it goes through */
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    SAW(&st->noted, "");
    assert_true(st->done.heard_ms == 500);
    assert_true(strstr(buf_str(&st->sound.noted), "flush") != NULL);
    capture(st, 4, 100);
    GIVEN(st, "4*100 ");
}

static void a_cough_is_nobodys_turn(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    reply(st, 1);
    capture(st, 1, 500);
    onset = st->sound.now_ns;
    capture(st, 3, 100);
    held(st, DUPLEX_HELD, 1, onset);
    capture(st, 1, 200);
    held(st, DUPLEX_RESUMED, 1, 0);
    generated(st, 1);
    ended(st, 1, 16000, false);
    capture(st, 1, 300);
    GIVEN(st, "1*100 "); /* what came 200 ms behind the reply */
    SAW(&st->events, "heard(hello) done ");
    SAW(&st->noted, "glance1..1*600 clear ");
    assert_true(st->done.heard_ms == 1000);
    assert_true(st->done.complete);
}

static void said(struct stage *st, const char *text)
{
    says(st, (struct backend_event){.type = BACKEND_GLANCED, .text = text});
}

static void a_word_that_was_too_short_to_stop_the_reply_stops_it_when_it_means_that(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 500);
    held(st, DUPLEX_HELD, 1, st->sound.now_ns);
    capture(st, 3, 300);
    held(st, DUPLEX_RESUMED, 1, 0);
    SAW(&st->noted, "glance1..3*600 ");
    said(st, "Mhm.");
    SAW(&st->noted, "");
    said(st, "Stop.");
    SAW(&st->noted, "truncate1:0 cancel ");
    said(st, "Stop."); /* it has */
    ended(st, 1, 0, true);
    generated(st, 1);
    reply(st, 2);
    said(st, "Stop."); /* that was the other one */
    SAW(&st->noted, "");
}

static void speech_that_goes_on_as_the_reply_ends_is_heard_from_its_first_word_on(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    reply(st, 1);
    generated(st, 1);
    capture(st, 1, 800);
    onset = st->sound.now_ns;
    capture(st, 3, 100);
    held(st, DUPLEX_HELD, 1, onset);
    ended(st, 1, 16000, false);
    GIVEN(st, "1*300 3*100 ");
    capture(st, 3, 100);
    GIVEN(st, "3*100 ");
    SAW(&st->events, "heard(hello) done ");
}

/* Who answers at once begins before the echo has died, or even before the reply's last sound. */
static void an_answer_right_behind_the_reply_is_heard_from_its_first_word_on(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    capture(st, 1, 900);
    capture(st, 3, 100);
    ended(st, 1, 16000, false);
    SAW(&st->events, "heard(hello) done ");
    st->sound.stats.speech = 0.9;
    capture(st, 3, 20);
    capture(st, 3, 260);
    GIVEN(st, "");
    capture(st, 3, 20);
    GIVEN(st, "1*280 3*400 "); /* 300 ms and some before the speech */
    capture(st, 3, 20);
    GIVEN(st, "3*20 ");
}

static void speech_that_shows_late_was_there_before(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    st->sound.stats.speech = 0.9;
    capture(st, 1, 900); /* an echo, whatever it sounded like */
    ended(st, 1, 16000, false);
    st->sound.stats.speech = 0.1;
    capture(st, 1, 150);
    capture(st, 3, 100);
    st->sound.stats.speech = 0.8;
    capture(st, 3, 60);
    GIVEN(st, "1*240 3*160 ");
}

static void a_line_written_while_the_echo_dies_is_answered_as_ever(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    capture(st, 1, 900);
    ended(st, 1, 16000, false);
    capture(st, 1, 100);
    reply(st, 2);
    capture(st, 1, 1000);
    GIVEN(st, "");
    SAW(&st->noted, "");
    generated(st, 2);
    ended(st, 2, 16000, false);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
    SAW(&st->noted, "clear ");
}

static void words_from_before_the_reply_was_heard_and_over_it_are_one(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    capture(st, 1, 500);
    question(st, 1);
    onset = st->sound.now_ns;
    capture(st, 3, 50);
    speech(st, 1, 16000);
    capture(st, 3, 200);
    GIVEN(st, "1*500 3*50 ");
    held(st, DUPLEX_BARGED, 1, onset);
    GIVEN(st, "3*200 "); /* once, and without a gap */
    SAW(&st->noted, "truncate1:0 cancel ");
}

static void three_seconds_are_kept_at_most(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    for (int i = 1; i <= 7; i++)
        capture(st, (int16_t)i, 700);
    held(st, DUPLEX_BARGED, 1, 0);
    GIVEN(st, "3*200 4*700 5*700 6*700 7*700 ");
}

static void what_was_kept_before_a_hole_in_the_sound_is_old(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    reply(st, 1);
    capture(st, 1, 500);
    st->sound.now_ns += 2000 * ms;
    onset = st->sound.now_ns;
    capture(st, 2, 100);
    held(st, DUPLEX_BARGED, 1, onset);
    GIVEN(st, "2*100 ");
}

static void a_key_stops_the_reply_and_the_echo_dies_before_the_microphone_is_heard(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 500);
    st->sound.played = 8000;
    session_stop(st->session);
    ended(st, 1, 8160, true);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    assert_true(st->done.heard_ms == 510);
}

static void a_key_while_the_user_speaks_loses_no_word(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    reply(st, 1);
    capture(st, 1, 1000);
    onset = st->sound.now_ns;
    capture(st, 3, 100);
    held(st, DUPLEX_HELD, 1, onset);
    session_stop(st->session);
    GIVEN(st, "1*300 3*100 ");
}

static void what_is_complete_is_told_from_what_was_broken_off(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    held(st, DUPLEX_BARGED, 1, st->sound.now_ns);
    SAW(&st->noted, "truncate1:0 clear ");
    ended(st, 1, 0, true);
    assert_true(st->done.cancelled && st->done.complete);

    reply(st, 2);
    held(st, DUPLEX_BARGED, 2, st->sound.now_ns);
    says(st, (struct backend_event){.type = BACKEND_REPLY_DONE, .item = 2, .cancelled = true});
    ended(st, 2, 0, true);
    assert_true(st->done.cancelled && !st->done.complete);
    assert_null(st->done.text);
}

/* --- while a reply is being made */

static void the_backend_hears_on_while_a_reply_is_made(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    capture(st, 1, 500);
    GIVEN(st, "1*500 ");
    SAW(&st->noted, "");
}

static void a_user_who_goes_on_does_not_hear_the_reply_to_half_of_it(void **state)
{
    struct stage *st = *state;

    capture(st, 1, 1000);
    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 1000 * MS);
    speech(st, 1, 16000);
    capture(st, 2, 2000);
    GIVEN(st, "1*1000 2*2000 ");
    turn(st, BACKEND_SPEECH_STOPPED, 2000 * MS);
    SAW(&st->noted, "truncate1:0 cancel ");
    assert_null(strstr(buf_str(&st->sound.noted), "play"));
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    question(st, 2);
    speech(st, 2, 1600);
    SAW(&st->sound.noted, "flush play2:1600 ");
}

/* What the backend had begun to hear is forgotten, and with it that somebody spoke. */
static void a_turn_that_was_dropped_delays_no_reply(void **state)
{
    struct stage *st = *state;

    capture(st, 1, 100);
    reply(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    capture(st, 1, 2000);
    held(st, DUPLEX_BARGED, 1, st->sound.now_ns);
    ended(st, 1, 0, true);
    generated(st, 1);
    buf_clear(&st->sound.noted);
    question(st, 2);
    speech(st, 2, 1600);
    SAW(&st->sound.noted, "play2:1600 ");
}

static void a_device_that_goes_while_the_user_speaks_does_not_keep_the_reply_back(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    speech(st, 1, 1600);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    SAW(&st->sound.noted, "play1:1600 ");
}

/* ... whose end came while the user spoke. */
/* The backend was given the beginning of some speech, and after that nothing more. */
static void speech_that_the_backend_does_not_hear_end_does_not_keep_the_reply_back(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    generated(st, 1);
    ended(st, 1, 16000, false);
    buf_clear(&st->sound.noted);
    question(st, 2);
    speech(st, 2, 8000);
    SAW(&st->sound.noted, "");
    capture(st, 1, 400);
    speech(st, 2, 4000);
    generated(st, 2);
    SAW(&st->sound.noted, "play2:8000 play2:4000 end2 ");
}

static void a_complete_reply_is_dropped_as_well(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    speech(st, 1, 16000);
    generated(st, 1);
    SAW(&st->events, "heard(hello) ");
    turn(st, BACKEND_SPEECH_STOPPED, 1000 * MS);
    run(st);
    SAW(&st->events, "done-cancelled(what was heard) ");
    SAW(&st->noted, "truncate1:0 ");
}

static void a_cough_only_delays_the_reply(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    speech(st, 1, 16000);
    speech(st, 1, 1600);
    generated(st, 1);
    SAW(&st->sound.noted, "");
    turn(st, BACKEND_SPEECH_STOPPED, 400 * MS);
    SAW(&st->sound.noted, "play1:17600 end1 ");
    ended(st, 1, 17600, false);
    SAW(&st->events, "heard(hello) done ");
    SAW(&st->noted, "");
}

static void a_short_word_that_turns_out_to_be_one_is_a_turn(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    speech(st, 1, 16000);
    turn(st, BACKEND_SPEECH_STOPPED, 500 * MS);
    generated(st, 1);
    st->sound.played = 160;
    question(st, 2);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) heard(hello) ");
    SAW(&st->noted, "truncate1:10 clear ");
}

/* --- half duplex */

static void too_much_echo_is_announced_once_and_the_microphone_rests(void **state)
{
    struct stage *st = *state;

    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    SAW(&st->events, "note(too much of what is ) ");
    reply(st, 1);
    capture(st, 1, 500);
    generated(st, 1);
    ended(st, 1, 16000, false);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
    buf_clear(&st->events);
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = false});
    SAW(&st->events, "note(your voice can stop ) ");
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = false});
    SAW(&st->events, "");
    reply(st, 2);
    capture(st, 3, 500);
    held(st, DUPLEX_BARGED, 2, 0);
    GIVEN(st, "3*500 ");
}

static void echo_that_grows_in_mid_reply_is_not_handed_over(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 500);
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    capture(st, 1, 500);
    held(st, DUPLEX_BARGED, 1, 0);
    GIVEN(st, "");
    ended(st, 1, 100, true);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
}

static void echo_that_shows_as_the_reply_dies_away_leaves_nobody_deaf(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    capture(st, 1, 900);
    ended(st, 1, 16000, false);
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    capture(st, 5, 400);
    GIVEN(st, "5*200 ");
}

static void half_duplex_is_no_news_to_who_asked_for_it(void **state)
{
    struct stage *st = *state;

    SAW(&st->sound.noted, "barge0 ");
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    SAW(&st->events, "");
    reply(st, 1);
    st->sound.stats.speech = 0.9; /* that is what the reply's echo sounds like */
    capture(st, 1, 500);
    generated(st, 1);
    ended(st, 1, 16000, false);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
}

/* --- devices that come and go */

static void a_device_that_goes_and_comes_back_is_told_and_the_conversation_goes_on(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    happens(st, (struct duplex_event){.type = DUPLEX_BACK, .name = "USB\nspeaker"});
    SAW(&st->events, "heard(hello) note(the sound device wen) note(there is sound again) ");
    generated(st, 1);
    ended(st, 1, 16000, false);
    SAW(&st->events, "done ");
}

static void a_reply_is_stopped_while_there_is_no_device(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    buf_clear(&st->events);
    session_stop(st->session);
    SAW(&st->events, ""); /* never from inside a call */
    run(st);
    SAW(&st->events, "done-cancelled(what was heard) ");

    reply(st, 2);
    session_stop(st->session);
    generated(st, 2);
    SAW(&st->events, "heard(hello) done-cancelled ");
}

static void a_reply_that_was_stopped_as_the_device_went_is_done(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    session_stop(st->session);
    generated(st, 1);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    SAW(&st->events, "heard(hello) note(the sound device wen) done-cancelled(what was heard) ");
}

static void without_a_microphone_a_lost_device_is_the_end(void **state)
{
    struct stage *st = *state;

    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    SAW(&st->events, "error! ");
}

/* --- what must not happen, and does */

static void events_about_nothing_are_nothing(void **state)
{
    static const enum duplex_event_type types[] = {DUPLEX_STARTED, DUPLEX_ENDED, DUPLEX_HELD,
                                                   DUPLEX_RESUMED, DUPLEX_BARGED};
    struct stage *st = *state;

    for (uint32_t item = 0; item < 3; item++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            happens(st, (struct duplex_event){
                            .type = types[i], .item = item, .flushed = true, .at_ns = INT64_MIN});
    happens(st, (struct duplex_event){.type = DUPLEX_BACK});
    SAW(&st->events, "note(there is sound again) ");
    SAW(&st->noted, "");
    reply(st, 1);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        held(st, types[i], 0, 0);
        held(st, types[i], 2, INT64_MAX);
    }
    SAW(&st->noted, "");
    capture(st, 1, 100);
    GIVEN(st, "");
    generated(st, 1);
    ended(st, 1, 16000, false);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        held(st, types[i], 1, 0);
    SAW(&st->events, "heard(hello) done ");
    SAW(&st->noted, "");
}

static void speech_at_impossible_times_is_handed_over_all_the_same(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 100);
    held(st, DUPLEX_BARGED, 1, INT64_MIN);
    GIVEN(st, "1*100 ");
    generated(st, 1);
    ended(st, 1, 0, true);
    reply(st, 2);
    capture(st, 2, 100);
    held(st, DUPLEX_BARGED, 2, INT64_MAX);
    GIVEN(st, "2*100 ");
    capture(st, 3, 100);
    GIVEN(st, "3*100 ");
}

static void an_end_at_an_impossible_time_leaves_nobody_deaf(void **state)
{
    static const int64_t ends[] = {INT64_MAX / 2, INT64_MIN / 2};
    struct stage *st = *state;

    for (uint32_t item = 1; item <= 2; item++) {
        reply(st, item);
        capture(st, 1, 100);
        generated(st, item);
        happens(st,
                (struct duplex_event){.type = DUPLEX_ENDED, .item = item, .at_ns = ends[item - 1]});
        capture(st, 2, 1500);
        buf_clear(&st->appended);
        capture(st, 3, 100);
        GIVEN(st, "3*100 ");
    }
}

static void an_item_that_the_sound_path_dropped_by_itself_is_a_stopped_reply(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    st->sound.played = 3200;
    capture(st, 1, 100);
    ended(st, 1, 3200, true);
    SAW(&st->noted, "truncate1:200 cancel ");
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    capture(st, 2, 300);
    SAW(&st->noted, "clear ");
    GIVEN(st, "2*100 ");
}

static void a_user_who_speaks_twice_stops_the_reply_once(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 1000);
    held(st, DUPLEX_BARGED, 1, st->sound.now_ns);
    held(st, DUPLEX_BARGED, 1, st->sound.now_ns);
    session_stop(st->session);
    held(st, DUPLEX_RESUMED, 1, st->sound.now_ns);
    held(st, DUPLEX_HELD, 1, st->sound.now_ns);
    SAW(&st->noted, "truncate1:0 clear cancel ");
    GIVEN(st, "1*300 ");
    ended(st, 1, 0, true);
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
}

static void forgetting_in_mid_reply_opens_the_microphone(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 100);
    session_forget(st->session);
    capture(st, 2, 100);
    GIVEN(st, "2*100 ");
    held(st, DUPLEX_BARGED, 1, 0);
    ended(st, 1, 0, true);
    SAW(&st->events, "heard(hello) ");
}

/* The backend counts anew after it was to forget; people do not. */
static void where_a_turn_was_is_told_since_the_beginning(void **state)
{
    struct stage *st = *state;

    capture(st, 1, 2000);
    says(st, (struct backend_event){
                 .type = BACKEND_HEARD, .text = "one", .at = 500 * MS, .until = 1500 * MS});
    assert_int_equal(st->from_ms, 500);
    assert_int_equal(st->to_ms, 1500);
    session_forget(st->session);
    capture(st, 1, 1000);
    says(st, (struct backend_event){
                 .type = BACKEND_HEARD, .text = "two", .at = 250 * MS, .until = 750 * MS});
    assert_int_equal(st->from_ms, 2250);
    assert_int_equal(st->to_ms, 2750);
    says(st, (struct backend_event){.type = BACKEND_HEARD, .text = "three"});
    assert_int_equal(st->to_ms, 0); /* not known */
}

#define TEST(f)      cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_HALF(f) cmocka_unit_test_setup_teardown(f, setup_half, teardown)
#define TEST_PLAY(f) cmocka_unit_test_setup_teardown(f, setup_play, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_microphone_is_kept_while_a_reply_is_heard),
        TEST(speech_over_a_reply_stops_it_and_is_heard_from_its_first_word_on),
        TEST(a_cough_is_nobodys_turn),
        TEST(a_word_that_was_too_short_to_stop_the_reply_stops_it_when_it_means_that),
        TEST(speech_that_goes_on_as_the_reply_ends_is_heard_from_its_first_word_on),
        TEST(an_answer_right_behind_the_reply_is_heard_from_its_first_word_on),
        TEST(speech_that_shows_late_was_there_before),
        TEST(a_line_written_while_the_echo_dies_is_answered_as_ever),
        TEST(words_from_before_the_reply_was_heard_and_over_it_are_one),
        TEST(three_seconds_are_kept_at_most),
        TEST(what_was_kept_before_a_hole_in_the_sound_is_old),
        TEST(a_key_stops_the_reply_and_the_echo_dies_before_the_microphone_is_heard),
        TEST(a_key_while_the_user_speaks_loses_no_word),
        TEST(what_is_complete_is_told_from_what_was_broken_off),
        TEST(the_backend_hears_on_while_a_reply_is_made),
        TEST(a_user_who_goes_on_does_not_hear_the_reply_to_half_of_it),
        TEST(speech_that_the_backend_does_not_hear_end_does_not_keep_the_reply_back),
        TEST(a_complete_reply_is_dropped_as_well),
        TEST(a_turn_that_was_dropped_delays_no_reply),
        TEST(a_device_that_goes_while_the_user_speaks_does_not_keep_the_reply_back),
        TEST(a_cough_only_delays_the_reply),
        TEST(a_short_word_that_turns_out_to_be_one_is_a_turn),
        TEST(too_much_echo_is_announced_once_and_the_microphone_rests),
        TEST(echo_that_grows_in_mid_reply_is_not_handed_over),
        TEST(echo_that_shows_as_the_reply_dies_away_leaves_nobody_deaf),
        TEST_HALF(half_duplex_is_no_news_to_who_asked_for_it),
        TEST(a_device_that_goes_and_comes_back_is_told_and_the_conversation_goes_on),
        TEST(a_reply_is_stopped_while_there_is_no_device),
        TEST(a_reply_that_was_stopped_as_the_device_went_is_done),
        TEST_PLAY(without_a_microphone_a_lost_device_is_the_end),
        TEST(events_about_nothing_are_nothing),
        TEST(speech_at_impossible_times_is_handed_over_all_the_same),
        TEST(an_end_at_an_impossible_time_leaves_nobody_deaf),
        TEST(an_item_that_the_sound_path_dropped_by_itself_is_a_stopped_reply),
        TEST(a_user_who_speaks_twice_stops_the_reply_once),
        TEST(forgetting_in_mid_reply_opens_the_microphone),
        TEST(where_a_turn_was_is_told_since_the_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
