/* The conversation with a backend that is far away: replies that begin before the words of their
 * turn are known, replies that the provider stops, and backends that hear all the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>

#include "fake/stage.h"

static void late_words(struct stage *st, const char *text)
{
    says(st, (struct backend_event){.type = BACKEND_HEARD, .text = text, .late = true});
}

static void starts(struct stage *st, uint32_t item)
{
    says(st, (struct backend_event){.type = BACKEND_REPLY_STARTED, .item = item});
}

static void heard_now(struct stage *st, uint32_t item)
{
    happens(st,
            (struct duplex_event){.type = DUPLEX_STARTED, .item = item, .at_ns = st->sound.now_ns});
}

static void a_reply_may_begin_before_its_turns_words(void **state)
{
    struct stage *st = *state;

    capture(st, 1, 1000);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    turn(st, BACKEND_SPEECH_STOPPED, 800 * MS);
    starts(st, 1);
    speech(st, 1, 16000);
    heard_now(st, 1);
    late_words(st, "hello");
    generated(st, 1);
    ended(st, 1, 16000, false);
    SAW(&st->events, "heard(hello) done ");
    assert_true(st->done.gap_ms >= 200 - 1 && st->done.gap_ms < 1000);
}

/* The provider waited for half a second of silence, and says that the turn ended behind it. */
static void the_gap_counts_from_the_last_speech_not_from_the_silence_behind_it(void **state)
{
    struct stage *st = *state;
    int64_t spoken_ns;

    st->sound.stats.speech = 0.9;
    capture(st, 1, 1000);
    spoken_ns = st->sound.now_ns;
    turn(st, BACKEND_SPEECH_STARTED, 0);
    st->sound.stats.speech = 0.1;
    capture(st, 1, 500);
    turn(st, BACKEND_SPEECH_STOPPED, 1500 * MS);
    starts(st, 1);
    speech(st, 1, 16000);
    heard_now(st, 1);
    late_words(st, "hello");
    generated(st, 1);
    ended(st, 1, 16000, false);
    assert_true(fabs(st->done.gap_ms - (double)(st->sound.now_ns - spoken_ns) / 1e6) < 1);
    assert_true(st->done.gap_ms >= 500 - 1);
}

static void late_words_change_nothing(void **state)
{
    struct stage *st = *state;

    starts(st, 1);
    speech(st, 1, 16000);
    heard_now(st, 1);
    buf_clear(&st->noted);
    late_words(st, "hello");
    SAW(&st->noted, "");
    assert_true(session_replying(st->session));
}

static void a_reply_without_words_stops_the_one_that_is_heard(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    buf_clear(&st->events);
    buf_clear(&st->noted);
    st->sound.played = 4000;
    starts(st, 2);
    SAW(&st->events, "done-cancelled(what was heard) ");
    assert_non_null(strstr(buf_str(&st->noted), "truncate1:250"));
    assert_null(strstr(buf_str(&st->noted), "cancel"));
}

static void what_the_provider_stops_is_silenced(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    buf_clear(&st->noted);
    buf_clear(&st->events);
    st->sound.played = 8000;
    says(st, (struct backend_event){.type = BACKEND_REPLY_DONE, .item = 1, .cancelled = true});
    assert_non_null(strstr(buf_str(&st->noted), "truncate1:500"));
    ended(st, 1, 8000, true);
    SAW(&st->events, "done-cancelled(what was heard) ");
}

static void who_hears_all_the_time_hears_over_replies(void **state)
{
    struct stage *st = *state;

    capture(st, 1, 100);
    GIVEN(st, "1*100 ");
    starts(st, 1);
    speech(st, 1, 16000);
    heard_now(st, 1);
    capture(st, 2, 300);
    GIVEN(st, "2*300 ");
    buf_clear(&st->noted);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    turn(st, BACKEND_SPEECH_STOPPED, 16000);
    assert_true(session_replying(st->session));
    SAW(&st->noted, "");
    generated(st, 1);
    ended(st, 1, 16000, false);
    capture(st, 3, 100);
    GIVEN(st, "3*100 ");
    SAW(&st->noted, ""); /* nothing is cleared either */
}

static void what_follows_continuously_is_heard_one_after_the_other(void **state)
{
    struct stage *st = *state;

    starts(st, 1);
    speech(st, 1, 16000);
    heard_now(st, 1);
    generated(st, 1);
    buf_clear(&st->noted);
    starts(st, 2);
    speech(st, 2, 16000);
    SAW(&st->noted, "");
    SAW(&st->events, "done ");
}

#define TEST(f)            cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_CONTINUOUS(f) cmocka_unit_test_setup_teardown(f, setup_continuous, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reply_may_begin_before_its_turns_words),
        TEST(the_gap_counts_from_the_last_speech_not_from_the_silence_behind_it),
        TEST(late_words_change_nothing),
        TEST(a_reply_without_words_stops_the_one_that_is_heard),
        TEST(what_the_provider_stops_is_silenced),
        TEST_CONTINUOUS(who_hears_all_the_time_hears_over_replies),
        TEST_CONTINUOUS(what_follows_continuously_is_heard_one_after_the_other),
    };

    return cmocka_run_group_tests_name("session, remote", tests, NULL, NULL);
}
