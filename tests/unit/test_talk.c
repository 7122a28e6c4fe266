/* The conversation and the microphone in the user's hand: push-to-talk and mute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake/stage.h"

static void a_reply_that_comes_while_the_user_talks_is_not_for_them(void **state)
{
    struct stage *st = *state;

    session_talk(st->session, true);
    question(st, 1);
    SAW(&st->noted, "clear truncate1:0 cancel ");
    speech(st, 1, 1600);
    assert_null(strstr(buf_str(&st->sound.noted), "play"));
}

static void a_talked_turn_has_a_response_gap_and_a_written_one_has_none(void **state)
{
    struct stage *st = *state;
    struct backend_event committed = {.type = BACKEND_HEARD, .text = "hello", .committed = true};

    session_talk(st->session, true);
    capture(st, 1, 1000);
    session_talk(st->session, false);
    capture(st, 1, 100);
    turn(st, BACKEND_SPEECH_STOPPED, 900 * MS);
    says(st, committed);
    says(st, (struct backend_event){.type = BACKEND_REPLY_STARTED, .item = 1});
    speech(st, 1, 1600);
    held(st, DUPLEX_STARTED, 1, (1000 + 900 + 400) * ms);
    generated(st, 1);
    ended(st, 1, 1600, false);
    assert_true(st->done.gap_ms > 399 && st->done.gap_ms < 401);

    turn(st, BACKEND_SPEECH_STOPPED, 950 * MS);
    session_text(st->session, "hello");
    says(st, committed);
    says(st, (struct backend_event){.type = BACKEND_REPLY_STARTED, .item = 2});
    speech(st, 2, 1600);
    held(st, DUPLEX_STARTED, 2, st->sound.now_ns);
    generated(st, 2);
    ended(st, 2, 1600, false);
    assert_true(st->done.gap_ms < 0);
}

static void mute_reaches_the_sound_path_and_can_be_asked_for(void **state)
{
    struct stage *st = *state;

    assert_false(session_muted(st->session));
    session_mute(st->session, true);
    assert_true(session_muted(st->session));
    SAW(&st->sound.noted, "mute1 ");
    capture(st, 5, 100);
    GIVEN(st, "0*100 ");
    session_mute(st->session, false);
    SAW(&st->sound.noted, "mute0 ");
}

static void only_what_is_talked_reaches_the_backend(void **state)
{
    struct stage *st = *state;

    SAW(&st->sound.noted, "barge0 mute1 ");
    capture(st, 1, 500);
    GIVEN(st, "");
    session_talk(st->session, true);
    assert_true(session_talking(st->session));
    SAW(&st->sound.noted, "mute0 ");
    capture(st, 2, 500);
    session_talk(st->session, false);
    SAW(&st->noted, "clear ");
    capture(st, 3, 60); /* what was said before the key is still on its way: 70 ms */
    SAW(&st->noted, "");
    capture(st, 3, 20);
    SAW(&st->noted, "commit ");
    SAW(&st->sound.noted, "mute1 ");
    capture(st, 4, 500);
    GIVEN(st, "2*500 3*80 ");
}

static void talking_again_at_once_makes_two_turns(void **state)
{
    struct stage *st = *state;

    session_talk(st->session, true);
    capture(st, 1, 100);
    session_talk(st->session, false);
    session_talk(st->session, true);
    capture(st, 2, 100);
    SAW(&st->noted, "clear commit clear ");
    GIVEN(st, "1*100 2*100 ");
    session_talk(st->session, true); /* said twice: nothing */
    session_talk(st->session, false);
    session_talk(st->session, false);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST}); /* no sound will come to finish it */
    SAW(&st->noted, "commit ");
    session_talk(st->session, true);
    session_talk(st->session, false);
    SAW(&st->noted, "clear commit ");
}

static void talking_stops_the_reply(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    st->sound.played = 1600;
    session_talk(st->session, true);
    SAW(&st->noted, "truncate1:100 cancel clear ");
    capture(st, 2, 100);
    GIVEN(st, "2*100 ");
    ended(st, 1, 1600, true);
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    capture(st, 2, 100);
    GIVEN(st, "2*100 ");
}

static void without_push_to_talk_there_is_no_talking(void **state)
{
    struct stage *st = *state;

    session_talk(st->session, true);
    assert_false(session_talking(st->session));
    SAW(&st->noted, "");
}

static void talking_unmutes(void **state)
{
    struct stage *st = *state;

    session_mute(st->session, true);
    session_talk(st->session, true);
    assert_false(session_muted(st->session));
    assert_false(st->sound.muted);
    session_mute(st->session, true);
    assert_true(st->sound.muted);
}

#define TEST(f)      cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_PUSH(f) cmocka_unit_test_setup_teardown(f, setup_push, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PUSH(a_reply_that_comes_while_the_user_talks_is_not_for_them),
        TEST_PUSH(a_talked_turn_has_a_response_gap_and_a_written_one_has_none),
        TEST(mute_reaches_the_sound_path_and_can_be_asked_for),
        TEST_PUSH(only_what_is_talked_reaches_the_backend),
        TEST_PUSH(talking_again_at_once_makes_two_turns),
        TEST_PUSH(talking_stops_the_reply),
        TEST(without_push_to_talk_there_is_no_talking),
        TEST_PUSH(talking_unmutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
