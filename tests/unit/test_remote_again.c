/* The backend for realtime endpoints where connections break, end, or are made anew: what the next
 * session is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake/scene.h"

#define OPS(sc) ((sc)->backend->ops)

/* The connection breaks, and the next one is there. */
static void again(struct scene *sc)
{
    size_t line = fake_transport_last(sc->net);

    scene_told(sc);
    scene_cut(sc);
    scene_pass(sc, 300);
    assert_int_equal(fake_transport_last(sc->net), line + 1);
}

/* A second of speech after a second of silence, that the server has heard. */
static void said(struct scene *sc)
{
    scene_open(sc);
    scene_ready(sc);
    scene_speak(sc, 250);
    scene_speech(sc, 1000, 2000, "u1");
}

static void nothing_was_said(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    scene_ready(sc);
    again(sc);
    assert_string_equal(scene_told(sc), "link- link+");
    assert_string_equal(scene_sent(sc), "update");
}

static void connections_that_are_good_for_nothing_are_not_told_of_each_time(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    scene_ready(sc);
    again(sc);
    again(sc);
    assert_string_equal(scene_told(sc), "link- link+");
    again(sc);
    assert_string_equal(scene_told(sc), "link-");
    again(sc);
    again(sc);
    assert_string_equal(scene_told(sc), "");
    scene_pass(sc, 6000); /* this one lasts */
    assert_string_equal(scene_told(sc), "link+");
    again(sc);
    assert_string_equal(scene_told(sc), "link- link+");
}

static void speech_that_the_server_has_not_told_of(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    scene_speak(sc, 100);
    again(sc);
    assert_string_equal(scene_sent(sc), "update a0-99");
    scene_speak(sc, 10);
    assert_string_equal(scene_sent(sc), "a100-109");
}

static void a_server_that_owes_a_reply_and_says_nothing(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    scene_ready(sc);
    OPS(sc)->send_text(sc->backend, "hi");
    scene_pass(sc, 80000);
    assert_string_equal(scene_told(sc), "ready heard(hi)+committed");
    assert_int_equal(fake_transport_lines(sc->net), 1);
    scene_pass(sc, 20000);
    assert_int_equal(fake_transport_lines(sc->net), 2);
    assert_string_equal(scene_sent_on(sc, 1), "update user(hi) respond");
    scene_told(sc);
    scene_pass(sc, 100000); /* nor does another connection help */
    assert_non_null(strstr(scene_told(sc), "error"));
    assert_int_equal(sc->error.status, STATUS_NETWORK);
    assert_non_null(strstr(sc->error.text, "has not answered for 90 s"));
    scene_pass(sc, 200000); /* the question is dropped, and the rest goes on */
    assert_null(strstr(scene_told(sc), "error"));
    scene_sent(sc);
    OPS(sc)->send_text(sc->backend, "again");
    assert_string_equal(scene_sent(sc), "user(again) respond");
}

static void a_reply_that_stands_still_is_gone_on_with_and_then_ended(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    scene_ready(sc);
    OPS(sc)->send_text(sc->backend, "hi");
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "Well, ");
    scene_audio(sc, "r1", "i1", 100);
    scene_pass(sc, 100000);
    assert_int_equal(fake_transport_lines(sc->net), 2);
    scene_told(sc);
    scene_reply(sc, "r2");
    scene_audio(sc, "r2", "i2", 100);
    scene_pass(sc, 100000);
    assert_non_null(strstr(scene_told(sc), "error done1-cancelled"));
}

static void who_answers_late_or_hears_somebody_speak_owes_nothing(void **state)
{
    struct scene *sc = *state;

    said(sc);
    scene_pass(sc, 80000);
    scene_says(sc, "{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":2500,"
                   "\"item_id\":\"u2\"}");
    scene_pass(sc, 200000);
    assert_int_equal(fake_transport_lines(sc->net), 1);
    scene_says(sc, "{\"type\":\"input_audio_buffer.speech_stopped\",\"audio_end_ms\":2600,"
                   "\"item_id\":\"u2\"}");
    scene_pass(sc, 200000); /* it takes both for noise */
    assert_int_equal(fake_transport_lines(sc->net), 1);
    assert_null(strstr(scene_told(sc), "error"));
}

static void the_silence_of_an_hour_is_not_given_again(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    scene_speak(sc, 2000);
    again(sc);
    assert_string_equal(scene_sent(sc), "update a1500-1999");
}

static void the_user_speaks(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    scene_speak(sc, 150);
    scene_says(sc, "{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":1000,"
                   "\"item_id\":\"u1\"}");
    again(sc);
    assert_string_equal(scene_sent(sc), "update a70-149");
    scene_speak(sc, 100);
    assert_string_equal(scene_sent(sc), "a150-249");
    scene_told(sc);
    scene_speech(sc, 300, 1300, "v1"); /* by the count of the new connection */
    assert_string_equal(scene_told(sc), "stopped:32000");
    scene_heard(sc, "v1", "hello");
    scene_reply(sc, "r1");
    assert_string_equal(scene_told(sc), "heard(hello) reply1");
}

static void the_user_goes_on_while_there_is_no_connection(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    scene_speak(sc, 150);
    scene_says(sc, "{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":1000,"
                   "\"item_id\":\"u1\"}");
    fake_transport_plan(sc->net, NULL, &(struct fake_plan){.does = FAKE_BREAK});
    scene_cut(sc);
    for (int i = 0; i < 600; i++) {
        scene_speak(sc, 1);
        scene_pass(sc, 10);
    }
    fake_transport_plan(sc->net, NULL, &(struct fake_plan){.does = FAKE_OPEN});
    scene_pass(sc, 300);
    assert_string_equal(scene_sent(sc), "update a70-749");
}

static void a_turn_that_waits_for_its_reply(void **state)
{
    struct scene *sc = *state;

    said(sc);
    again(sc);
    assert_string_equal(scene_sent(sc), "update said100-199 respond a200-249");
    assert_string_equal(scene_told(sc), "link- link+");
    scene_reply(sc, "s1");
    scene_audio(sc, "s1", "i1", 10);
    scene_done(sc, "s1", "completed");
    assert_string_equal(scene_told(sc), "reply1 audio1:240 done1");
    scene_pass(sc, 5000);
    assert_string_equal(scene_sent(sc), "");
}

static void words_go_where_audio_cannot(void **state)
{
    struct scene *sc = *state;

    sc->endpoints[0].values = &(struct endpoint_value){"audio_turns", "no"};
    sc->endpoints[0].value_count = 1;
    said(sc);
    scene_heard(sc, "u1", "hello");
    again(sc);
    assert_string_equal(scene_sent(sc), "update user(hello) respond a200-249");
}

static void audio_goes_as_it_came_where_nothing_else_can(void **state)
{
    struct scene *sc = *state;

    sc->endpoints[0].values = &(struct endpoint_value){"audio_turns", "no"};
    sc->endpoints[0].value_count = 1;
    said(sc);
    again(sc);
    assert_string_equal(scene_sent(sc), "update a100-199 commit respond a200-249");
}

static void a_reply_that_had_not_sounded(void **state)
{
    struct scene *sc = *state;

    said(sc);
    scene_heard(sc, "u1", "hello");
    scene_reply(sc, "r1");
    again(sc);
    assert_string_equal(scene_sent(sc), "update said100-199 respond a200-249");
    scene_reply(sc, "s1");
    scene_audio(sc, "s1", "i1", 10);
    scene_done(sc, "s1", "completed");
    assert_string_equal(scene_told(sc), "link- link+ audio1:240 done1"); /* the same one */
}

static void the_rest_of_a_reply(void **state)
{
    struct scene *sc = *state;
    const char *json;

    said(sc);
    scene_heard(sc, "u1", "hello");
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "Once upon a time there was");
    scene_audio(sc, "r1", "i1", 800); /* "Once upon a" */
    again(sc);
    json = fake_transport_sent(sc->net, 1, 3);
    assert_non_null(strstr(json, "\\\"Once upon a\\\""));
    assert_string_equal(scene_sent(sc),
                        "update said100-199 assistant(Once upon a) respond+ a200-249");
    scene_reply(sc, "s1");
    scene_text(sc, "s1", " time there was a king.");
    scene_audio(sc, "s1", "j1", 900);
    scene_done(sc, "s1", "completed");
    assert_string_equal(scene_told(sc),
                        "link- link+ text1( time there was a king.) audio1:21600 done1");
    assert_string_equal(OPS(sc)->remembered(sc->backend, 1), "Once upon a time there was a king.");
    OPS(sc)->truncate(sc->backend, 1, 1000); /* 200 ms of them over the second connection */
    assert_string_equal(scene_sent(sc), "truncate(j1:200)");
}

static void a_reply_that_broke_off_twice(void **state)
{
    struct scene *sc = *state;

    said(sc);
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "one two");
    scene_audio(sc, "r1", "i1", 1000);
    again(sc);
    scene_reply(sc, "s1");
    scene_text(sc, "s1", " three four");
    scene_audio(sc, "s1", "j1", 1000);
    again(sc);
    assert_string_equal(scene_sent(sc),
                        "update said100-199 assistant(one two three four) respond+ a200-249");
    scene_reply(sc, "t1");
    scene_done(sc, "t1", "completed");
    assert_string_equal(scene_told(sc), "link- link+ done1");
}

static void what_was_answered_is_not_asked_again(void **state)
{
    struct scene *sc = *state;

    said(sc);
    scene_heard(sc, "u1", "hello");
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "Hi.");
    scene_audio(sc, "r1", "i1", 500);
    scene_done(sc, "r1", "completed");
    again(sc);
    assert_string_equal(scene_sent(sc), "update user(hello) assistant(Hi.) a200-249");
    scene_pass(sc, 5000);
    assert_string_equal(scene_sent(sc), "");
}

static void answered_turns_of_unknown_words_are_left_out(void **state)
{
    struct scene *sc = *state;

    said(sc);
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "Hi.");
    scene_audio(sc, "r1", "i1", 500);
    scene_done(sc, "r1", "completed");
    again(sc);
    assert_string_equal(scene_sent(sc), "update assistant(Hi.) a200-249");
    scene_pass(sc, 1);
    assert_string_equal(scene_told(sc), "link- link+");
}

static void what_was_stopped_stays_stopped(void **state)
{
    struct scene *sc = *state;

    said(sc);
    scene_heard(sc, "u1", "hello");
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "one two three four");
    scene_audio(sc, "r1", "i1", 1170);
    OPS(sc)->truncate(sc->backend, 1, 600);
    OPS(sc)->cancel(sc->backend);
    scene_cut(sc);
    scene_pass(sc, 300);
    assert_string_equal(scene_sent(sc), "update user(hello) assistant(one two) a200-249");
    assert_non_null(strstr(scene_told(sc), "done1-cancelled"));
}

static void what_is_stopped_while_there_is_no_connection_stays_so(void **state)
{
    struct scene *sc = *state;

    said(sc);
    scene_heard(sc, "u1", "hello");
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "one two three four");
    scene_audio(sc, "r1", "i1", 1170);
    scene_told(sc);
    fake_transport_plan(sc->net, NULL, &(struct fake_plan){.does = FAKE_WAIT});
    scene_cut(sc);
    OPS(sc)->truncate(sc->backend, 1, 600);
    OPS(sc)->cancel(sc->backend);
    scene_pass(sc, 1);
    assert_string_equal(scene_told(sc), "link- done1-cancelled");
    scene_pass(sc, 200);
    fake_transport_open(sc->net, fake_transport_last(sc->net));
    scene_pass(sc, 1);
    assert_string_equal(scene_sent(sc), "update user(hello) assistant(one two) a200-249");
}

static void a_written_turn(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    OPS(sc)->send_text(sc->backend, "hi");
    scene_pass(sc, 1);
    again(sc);
    assert_string_equal(scene_sent(sc), "update user(hi) respond");
    scene_reply(sc, "r1");
    assert_string_equal(scene_told(sc), "link- link+ reply1");
}

static void what_is_written_without_a_connection_waits(void **state)
{
    struct scene *sc = *state;

    fake_transport_plan(sc->net, NULL, &(struct fake_plan){.does = FAKE_WAIT});
    scene_open(sc);
    OPS(sc)->send_text(sc->backend, "one");
    scene_pass(sc, 1);
    assert_string_equal(scene_told(sc), "");
    fake_transport_open(sc->net, 0);
    scene_pass(sc, 1);
    assert_string_equal(scene_sent(sc), "update user(one) respond");
    assert_string_equal(scene_told(sc), "heard(one)+committed");
}

static void what_waits_behind_a_reply_waits_on(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    OPS(sc)->send_text(sc->backend, "one");
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "one two");
    scene_audio(sc, "r1", "i1", 1000);
    OPS(sc)->send_text(sc->backend, "two");
    scene_pass(sc, 1);
    again(sc);
    assert_string_equal(scene_sent(sc), "update user(one) assistant(one two) respond+");
    scene_reply(sc, "s1");
    scene_done(sc, "s1", "completed");
    assert_string_equal(scene_sent(sc), "user(two) respond");
}

static void push_to_talk_in_the_middle(void **state)
{
    struct scene *sc = *state;

    sc->config.turn_detection = false;
    scene_open(sc);
    scene_speak(sc, 1000); /* ten seconds */
    again(sc);
    assert_string_equal(scene_sent(sc), "update a0-999");
    OPS(sc)->commit(sc->backend);
    assert_string_equal(scene_sent(sc), "commit respond");
}

static void push_to_talk_behind_the_commit(void **state)
{
    struct scene *sc = *state;

    sc->config.turn_detection = false;
    scene_open(sc);
    scene_speak(sc, 100);
    OPS(sc)->commit(sc->backend);
    scene_pass(sc, 1);
    again(sc);
    assert_string_equal(scene_sent(sc), "update a0-99 commit respond");
}

static void a_commit_without_a_connection(void **state)
{
    struct scene *sc = *state;

    sc->config.turn_detection = false;
    fake_transport_plan(sc->net, NULL, &(struct fake_plan){.does = FAKE_WAIT});
    scene_open(sc);
    scene_speak(sc, 100);
    OPS(sc)->commit(sc->backend);
    fake_transport_open(sc->net, 0);
    scene_pass(sc, 1);
    assert_string_equal(scene_sent(sc), "update a0-99 commit respond");
}

static void a_user_who_spoke_again_gives_up_the_old_reply(void **state)
{
    struct scene *sc = *state;

    said(sc);
    scene_heard(sc, "u1", "first");
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "one two");
    scene_audio(sc, "r1", "i1", 1000);
    scene_speak(sc, 100);
    scene_speech(sc, 2500, 3300, "u2");
    again(sc);
    assert_string_equal(scene_sent(sc), "update user(first) assistant(one two) said250-329 "
                                        "respond a330-349");
    scene_reply(sc, "s1");
    assert_string_equal(scene_told(sc), "link- done1-cancelled link+ reply2");
}

static void the_next_endpoint_is_told_all_of_it(void **state)
{
    struct scene *sc = *state;

    sc->config.endpoint_count = 2;
    said(sc);
    fake_transport_plan(sc->net, "ws://one/", &(struct fake_plan){.does = FAKE_BREAK});
    scene_cut(sc);
    scene_pass(sc, 1000);
    assert_string_equal(fake_transport_line(sc->net, fake_transport_last(sc->net))->url,
                        "ws://two/v1/realtime?model=m");
    assert_string_equal(scene_sent(sc), "update said100-199 respond a200-249");
}

static void a_half_open_line_is_noticed_while_the_microphone_is_open(void **state)
{
    struct scene *sc = *state;

    scene_open(sc);
    for (int i = 0; i < 30; i++) {
        scene_speak(sc, 1);
        scene_pass(sc, 10);
    }
    assert_in_range(fake_transport_line(sc->net, 0)->patience_ms, 1, 3000);
}

/* --- renewal */

static void a_session_is_renewed_before_its_end(void **state)
{
    struct scene *sc = *state;

    sc->endpoints[0].dialect = "openai"; /* an hour */
    scene_open(sc);
    scene_ready(sc);
    OPS(sc)->send_text(sc->backend, "hi");
    scene_reply(sc, "r1");
    scene_text(sc, "r1", "Hello.");
    scene_audio(sc, "r1", "i1", 500);
    scene_done(sc, "r1", "completed");
    scene_told(sc);
    scene_pass(sc, 3400e3);
    assert_int_equal(fake_transport_lines(sc->net), 1);
    scene_pass(sc, 150e3);
    assert_int_equal(fake_transport_lines(sc->net), 2);
    assert_string_equal(scene_sent(sc), "update user(hi) assistant(Hello.)");
    assert_string_equal(scene_told(sc), ""); /* nobody notices */
    assert_false(fake_transport_line(sc->net, 0)->open);
}

static void renewal_waits_for_the_end_of_a_reply(void **state)
{
    struct scene *sc = *state;

    sc->endpoints[0].dialect = "openai";
    scene_open(sc);
    scene_ready(sc);
    scene_pass(sc, 3478e3);
    OPS(sc)->send_text(sc->backend, "hi");
    scene_reply(sc, "r1");
    scene_pass(sc, 5000);
    assert_int_equal(fake_transport_lines(sc->net), 2);
    assert_string_equal(scene_sent_on(sc, 1), "");
    fake_transport_deliver(sc->net, 0,
                           "{\"type\":\"response.output_audio_transcript.delta\","
                           "\"response_id\":\"r1\",\"delta\":\"Hello.\"}");
    fake_transport_deliver(
        sc->net, 0,
        "{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":\"completed\"}}");
    scene_pass(sc, 200);
    assert_string_equal(scene_sent_on(sc, 1), "update user(hi) assistant(Hello.)");
}

static void renewal_does_not_wait_for_ever(void **state)
{
    struct scene *sc = *state;

    sc->endpoints[0].dialect = "openai";
    scene_open(sc);
    scene_ready(sc);
    scene_pass(sc, 3478e3);
    OPS(sc)->send_text(sc->backend, "hi");
    scene_reply(sc, "r1");
    scene_pass(sc, 119e3);
    assert_string_equal(scene_sent_on(sc, 1), "update user(hi) respond");
    scene_reply(sc, "s1");
    assert_string_equal(scene_told(sc), "ready heard(hi)+committed reply1");
}

static void a_break_while_the_next_connection_is_there_is_noticed_by_nobody(void **state)
{
    struct scene *sc = *state;

    sc->endpoints[0].dialect = "openai";
    scene_open(sc);
    scene_ready(sc);
    scene_pass(sc, 3478e3);
    OPS(sc)->send_text(sc->backend, "hi");
    scene_reply(sc, "r1");
    scene_pass(sc, 5000);
    scene_told(sc);
    fake_transport_break(sc->net, 0);
    scene_pass(sc, 1);
    assert_int_equal(fake_transport_lines(sc->net), 2);
    assert_string_equal(scene_sent_on(sc, 1), "update user(hi) respond");
    assert_string_equal(scene_told(sc), "");
}

static void an_expired_session_is_followed_by_another(void **state)
{
    struct scene *sc = *state;

    said(sc);
    scene_says(sc, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"code\":"
                   "\"session_expired\",\"message\":\"over\"}}");
    scene_pass(sc, 500);
    assert_int_equal(fake_transport_lines(sc->net), 2);
    assert_string_equal(scene_sent(sc), "update said100-199 respond a200-249");
}

/* --- every step */

/* An honest server that is cut off after so many steps of a conversation of two turns. What the
 * sessions that follow are given is added up: each turn must have been answered once. */
enum { STEPS = 14 };

static void step(struct scene *sc, int i)
{
    switch (i) {
    case 0:
        scene_ready(sc);
        break;
    case 1:
        scene_speak(sc, 150);
        break;
    case 2:
        scene_says(sc, "{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":500,"
                       "\"item_id\":\"u1\"}");
        break;
    case 3:
        scene_speak(sc, 50);
        break;
    case 4:
        scene_says(sc, "{\"type\":\"input_audio_buffer.speech_stopped\",\"audio_end_ms\":1500,"
                       "\"item_id\":\"u1\"}");
        break;
    case 5:
        scene_says(sc, "{\"type\":\"input_audio_buffer.committed\",\"item_id\":\"u1\"}");
        break;
    case 6:
        scene_reply(sc, "r1");
        break;
    case 7:
        scene_text(sc, "r1", "Hello there.");
        break;
    case 8:
        scene_audio(sc, "r1", "i1", 400);
        break;
    case 9:
        scene_heard(sc, "u1", "hello");
        break;
    case 10:
        scene_audio(sc, "r1", "i1", 400);
        break;
    case 11:
        scene_done(sc, "r1", "completed");
        break;
    case 12:
        OPS(sc)->send_text(sc->backend, "bye");
        scene_pass(sc, 1);
        break;
    default:
        scene_reply(sc, "r2");
    }
}

/* What a session must be given when it follows the one that was cut after so many steps. */
static const char *const GIVEN[STEPS + 1] = {
    "update",
    "update",
    "update a0-149",
    "update a20-149",
    "update a20-199",
    "update said50-149 respond a150-199",
    "update said50-149 respond a150-199",
    "update said50-149 respond a150-199",
    "update said50-149 respond a150-199",
    "update said50-149 assistant(Hello) respond+ a150-199",
    "update said50-149 assistant(Hello) respond+ a150-199",
    "update said50-149 assistant(Hello there.) respond+ a150-199",
    "update user(hello) assistant(Hello there.) a150-199",
    "update user(hello) assistant(Hello there.) user(bye) respond a150-199",
    "update user(hello) assistant(Hello there.) user(bye) respond a150-199",
};

static void each_step_once(void **state)
{
    struct scene *sc;

    (void)state;
    for (int cut = 0; cut <= STEPS; cut++) {
        scene_setup((void **)&sc);
        scene_open(sc);
        for (int i = 0; i < cut; i++)
            step(sc, i);
        scene_cut(sc);
        scene_pass(sc, 300);
        if (strcmp(scene_sent(sc), GIVEN[cut]) != 0) {
            /* once more, for the message */
            print_error("cut after step %d\n", cut);
            sc->read[fake_transport_last(sc->net)] = 0;
            assert_string_equal(scene_sent(sc), GIVEN[cut]);
        }
        scene_teardown((void **)&sc);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_was_said),
        T(connections_that_are_good_for_nothing_are_not_told_of_each_time),
        T(speech_that_the_server_has_not_told_of),
        T(a_server_that_owes_a_reply_and_says_nothing),
        T(a_reply_that_stands_still_is_gone_on_with_and_then_ended),
        T(who_answers_late_or_hears_somebody_speak_owes_nothing),
        T(the_silence_of_an_hour_is_not_given_again),
        T(the_user_speaks),
        T(the_user_goes_on_while_there_is_no_connection),
        T(a_turn_that_waits_for_its_reply),
        T(words_go_where_audio_cannot),
        T(audio_goes_as_it_came_where_nothing_else_can),
        T(a_reply_that_had_not_sounded),
        T(the_rest_of_a_reply),
        T(a_reply_that_broke_off_twice),
        T(what_was_answered_is_not_asked_again),
        T(answered_turns_of_unknown_words_are_left_out),
        T(what_was_stopped_stays_stopped),
        T(what_is_stopped_while_there_is_no_connection_stays_so),
        T(a_written_turn),
        T(what_is_written_without_a_connection_waits),
        T(what_waits_behind_a_reply_waits_on),
        T(push_to_talk_in_the_middle),
        T(push_to_talk_behind_the_commit),
        T(a_commit_without_a_connection),
        T(a_user_who_spoke_again_gives_up_the_old_reply),
        T(the_next_endpoint_is_told_all_of_it),
        T(a_half_open_line_is_noticed_while_the_microphone_is_open),
        T(a_session_is_renewed_before_its_end),
        T(renewal_waits_for_the_end_of_a_reply),
        T(renewal_does_not_wait_for_ever),
        T(a_break_while_the_next_connection_is_there_is_noticed_by_nobody),
        T(an_expired_session_is_followed_by_another),
        cmocka_unit_test(each_step_once),
    };

    return cmocka_run_group_tests_name("remote, again", tests, NULL, NULL);
}
