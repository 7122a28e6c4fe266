/* The backend for realtime endpoints: conversations over one connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake/scene.h"

#define OPS(st) ((st)->backend->ops)

static void it_begins_with_the_settings(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    assert_string_equal(scene_sent(st), "update");
    assert_string_equal(scene_told(st), "");
    scene_ready(st);
    assert_string_equal(scene_told(st), "ready");
}

static void what_is_said_goes_out_in_the_same_call(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_sent(st);
    scene_speak(st, 3);
    assert_string_equal(scene_sent(st), "a0-2");
}

static void what_is_said_before_there_is_a_connection_is_kept(void **state)
{
    struct scene *st = *state;

    fake_transport_plan(st->net, NULL, &(struct fake_plan){.does = FAKE_WAIT});
    scene_open(st);
    scene_speak(st, 30);
    fake_transport_open(st->net, 0);
    scene_pass(st, 1);
    assert_string_equal(scene_sent(st), "update a0-29");
}

static void a_turn_is_answered(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_ready(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_heard(st, "u1", "hello");
    scene_reply(st, "r1");
    scene_text(st, "r1", "Hi.");
    scene_audio(st, "r1", "i1", 20);
    scene_done(st, "r1", "completed");
    assert_string_equal(scene_told(st),
                        "ready started:1600 stopped:12800 heard(hello) reply1 text1(Hi.) "
                        "audio1:480 done1");
    assert_string_equal(scene_sent(st), "update a0-99");
}

static void words_may_come_after_the_reply_has_begun(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_heard(st, "u1", "hello");
    scene_done(st, "r1", "completed");
    assert_string_equal(scene_told(st),
                        "started:1600 stopped:12800 reply1 heard(hello)+late done1");
}

static void words_come_in_the_order_of_the_turns(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 300);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_done(st, "r1", "completed");
    scene_speech(st, 1200, 1800, "u2");
    scene_reply(st, "r2");
    scene_told(st);
    scene_heard(st, "u2", "second");
    assert_string_equal(scene_told(st), "");
    scene_heard(st, "u1", "first");
    assert_string_equal(scene_told(st), "heard(first)+late heard(second)+late");
}

static void pieces_of_words_add_up(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_told(st);
    for (int i = 0; i < 2; i++)
        scene_saysf(st,
                    "{\"type\":\"conversation.item.input_audio_transcription.delta\","
                    "\"item_id\":\"u1\",\"delta\":\"%s\"}",
                    i == 0 ? "hel" : "lo");
    scene_heard(st, "u1", "Hello!");
    assert_string_equal(scene_told(st), "part(hel) part(hello) heard(Hello!)");
}

static void words_that_never_come_hold_up_nobody_for_ever(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 300);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_done(st, "r1", "completed");
    scene_speech(st, 1200, 1800, "u2");
    scene_reply(st, "r2");
    scene_heard(st, "u2", "second");
    scene_told(st);
    scene_pass(st, 16000);
    assert_string_equal(scene_told(st), "ready heard(second)+late");
}

static void positions_count_since_clear(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    OPS(st)->clear(st->backend);
    scene_sent(st);
    scene_speak(st, 100);
    scene_speech(st, 1100, 1800, "u1");
    assert_string_equal(scene_told(st), "started:1600 stopped:12800");
    assert_string_equal(scene_sent(st), "a100-199");
}

static void clearing_drops_what_is_no_turn_yet(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 10);
    scene_sent(st);
    OPS(st)->clear(st->backend);
    assert_string_equal(scene_sent(st), "clear");
    OPS(st)->clear(st->backend); /* nothing is there */
    assert_string_equal(scene_sent(st), "");
}

static void cancelling_is_sent_in_the_same_call(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_audio(st, "r1", "i1", 500);
    scene_sent(st);
    scene_told(st);
    OPS(st)->truncate(st->backend, 1, 200);
    OPS(st)->cancel(st->backend);
    assert_string_equal(scene_sent(st), "cancel(r1) truncate(i1:200)");
    assert_string_equal(scene_told(st), ""); /* never from inside a call */
    scene_pass(st, 1);
    assert_string_equal(scene_told(st), "done1-cancelled");
}

static void nothing_of_a_cancelled_reply_is_told(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    OPS(st)->cancel(st->backend);
    scene_told(st);
    scene_text(st, "r1", "x");
    scene_audio(st, "r1", "i1", 500);
    scene_done(st, "r1", "cancelled");
    scene_audio(st, "r1", "i1", 500);
    assert_string_equal(scene_told(st), "done1-cancelled");
}

static void audio_for_replies_that_are_not_there_is_dropped(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_audio(st, "r9", "i9", 500);
    scene_text(st, "r9", "x");
    scene_done(st, "r9", "completed");
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_audio(st, "r9", "i9", 500);
    scene_done(st, "r9", "completed");
    assert_string_equal(scene_told(st), "started:1600 stopped:12800 reply1");
}

static void truncation_is_within_what_was_received(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_audio(st, "r1", "i1", 300); /* a preamble, and then the answer */
    scene_audio(st, "r1", "i2", 400);
    scene_sent(st);
    OPS(st)->truncate(st->backend, 1, 99999);
    OPS(st)->cancel(st->backend);
    assert_string_equal(scene_sent(st), "cancel(r1) truncate(i2:400)");
}

static void truncation_finds_the_part_that_was_played(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_audio(st, "r1", "i1", 300);
    scene_audio(st, "r1", "i2", 400);
    scene_done(st, "r1", "completed");
    scene_sent(st);
    OPS(st)->truncate(st->backend, 1, 450);
    assert_string_equal(scene_sent(st), "truncate(i2:150)");
    OPS(st)->truncate(st->backend, 1, 100); /* once */
    assert_string_equal(scene_sent(st), "");
}

static void nothing_is_truncated_at_zero_or_when_all_was_heard(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_audio(st, "r1", "i1", 300);
    scene_done(st, "r1", "completed");
    scene_reply(st, "r2");
    scene_audio(st, "r2", "i2", 300);
    scene_done(st, "r2", "completed");
    scene_sent(st);
    OPS(st)->truncate(st->backend, 1, 300);
    OPS(st)->truncate(st->backend, 2, 0);
    OPS(st)->truncate(st->backend, 7, 100);
    scene_pass(st, 10);
    assert_string_equal(scene_sent(st), "");
}

static void what_was_heard_is_remembered(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_text(st, "r1", "one two three four");
    scene_audio(st, "r1", "i1", 1800);
    scene_done(st, "r1", "completed");
    assert_string_equal(OPS(st)->remembered(st->backend, 1), "one two three four");
    OPS(st)->truncate(st->backend, 1, 900);
    assert_string_equal(OPS(st)->remembered(st->backend, 1), "one two");
    assert_null(OPS(st)->remembered(st->backend, 2));
}

static void a_written_turn_is_told_and_answered(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_sent(st);
    assert_int_equal(OPS(st)->send_text(st->backend, "hi"), 0);
    assert_string_equal(scene_sent(st), "user(hi) respond");
    assert_string_equal(scene_told(st), "");
    scene_pass(st, 1);
    assert_string_equal(scene_told(st), "heard(hi)+committed");
    scene_reply(st, "r1");
    scene_done(st, "r1", "completed");
    assert_string_equal(scene_told(st), "reply1 done1");
}

static void requests_wait_for_the_reply_in_hand(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    OPS(st)->send_text(st->backend, "two");
    scene_pass(st, 1);
    assert_string_equal(scene_sent(st), "update user(one) respond");
    scene_reply(st, "r1");
    scene_done(st, "r1", "completed");
    assert_string_equal(scene_sent(st), "user(two) respond");
    assert_string_equal(scene_told(st), "heard(one)+committed reply1 done1 heard(two)+committed");
}

static void a_request_after_cancel_waits_for_the_end(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_reply(st, "r1");
    scene_sent(st);
    OPS(st)->cancel(st->backend);
    OPS(st)->send_text(st->backend, "two");
    scene_pass(st, 1);
    assert_string_equal(scene_sent(st), "cancel(r1)");
    scene_done(st, "r1", "cancelled");
    assert_string_equal(scene_sent(st), "user(two) respond");
}

static void a_server_that_never_ends_a_cancelled_reply_is_asked_all_the_same(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_reply(st, "r1");
    OPS(st)->cancel(st->backend);
    OPS(st)->send_text(st->backend, "two");
    scene_sent(st);
    scene_pass(st, 5000);
    assert_string_equal(scene_sent(st), "user(two) respond");
}

static void a_request_that_came_too_early_is_made_again(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_sent(st);
    scene_says(st, "{\"type\":\"error\",\"error\":{\"code\":"
                   "\"conversation_already_has_active_response\",\"message\":\"no\"}}");
    assert_string_equal(scene_sent(st), "");
    scene_done(st, "r0", "completed"); /* whatever it was */
    assert_string_equal(scene_sent(st), "respond");
    scene_reply(st, "r1");
    assert_string_equal(scene_told(st), "heard(one)+committed reply1");
}

static void cancelling_without_a_reply_is_nothing(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_sent(st);
    OPS(st)->cancel(st->backend);
    scene_pass(st, 1);
    assert_string_equal(scene_sent(st), "");
    assert_string_equal(scene_told(st), "");
}

static void a_reply_that_is_cancelled_before_it_begins_never_sounds(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_pass(st, 1);
    OPS(st)->cancel(st->backend);
    scene_sent(st);
    scene_reply(st, "r1");
    assert_string_equal(scene_sent(st), "cancel(r1)");
    scene_audio(st, "r1", "i1", 100);
    assert_string_equal(scene_told(st), "heard(one)+committed reply1 done1-cancelled");
}

static void refusals_change_nothing(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_reply(st, "r1");
    scene_told(st);
    scene_says(st, "{\"type\":\"error\",\"error\":{\"code\":\"response_cancel_not_active\","
                   "\"message\":\"no\"}}");
    scene_audio(st, "r1", "i1", 10);
    assert_string_equal(scene_told(st), "audio1:240");
}

static void push_to_talk_commits_and_asks(void **state)
{
    struct scene *st = *state;

    st->config.turn_detection = false;
    scene_open(st);
    scene_speak(st, 50);
    assert_int_equal(OPS(st)->commit(st->backend), 0);
    assert_string_equal(scene_sent(st), "update a0-49 commit respond");
    scene_says(st, "{\"type\":\"input_audio_buffer.committed\",\"item_id\":\"u1\"}");
    scene_heard(st, "u1", "hello");
    scene_reply(st, "r1");
    scene_done(st, "r1", "completed");
    assert_string_equal(scene_told(st), "stopped:8000 heard(hello)+committed reply1 done1");
}

static void each_commit_is_heard_once_without_words_too(void **state)
{
    struct scene *st = *state;
    int16_t quiet[1600] = {0};

    st->config.turn_detection = false;
    scene_open(st);
    OPS(st)->commit(st->backend);
    scene_pass(st, 1);
    OPS(st)->append(st->backend, quiet, 1600);
    OPS(st)->commit(st->backend);
    scene_pass(st, 1);
    assert_string_equal(scene_told(st), "heard()+committed+late heard()+committed+late");
    scene_speak(st, 50);
    OPS(st)->commit(st->backend);
    scene_says(st, "{\"type\":\"input_audio_buffer.committed\",\"item_id\":\"u1\"}");
    scene_heard(st, "u1", "");
    assert_string_equal(scene_told(st), "stopped:9600");
    scene_reply(st, "r1"); /* it answers all the same */
    assert_string_equal(scene_told(st), "reply1 heard()+committed+late");
}

static void the_timing_counts_from_the_end_of_input(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 100);
    scene_speech(st, 100, 800, "u1");
    scene_pass(st, 200);
    scene_reply(st, "r1");
    scene_text(st, "r1", "Hi.");
    scene_pass(st, 100);
    scene_audio(st, "r1", "i1", 100);
    scene_done(st, "r1", "completed");
    assert_true(st->timing.first_token_ms >= 200 && st->timing.first_token_ms < 250);
    assert_true(st->timing.first_audio_ms >= 300 && st->timing.first_audio_ms < 350);
}

static void usage_is_told(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_reply(st, "r1");
    scene_told(st);
    scene_says(st, "{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":"
                   "\"completed\",\"usage\":{\"output_token_details\":{\"audio_tokens\":12}}}}");
    assert_string_equal(scene_told(st), "usage:12 done1");
    assert_string_equal(st->usage.model, "m");
}

static void the_server_may_stop_a_reply_itself(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_speak(st, 300);
    scene_speech(st, 100, 800, "u1");
    scene_reply(st, "r1");
    scene_audio(st, "r1", "i1", 100);
    scene_told(st);
    scene_speech(st, 900, 1800, "u2");
    scene_done(st, "r1", "cancelled");
    scene_reply(st, "r2");
    scene_done(st, "r2", "completed");
    assert_string_equal(scene_told(st), "started:14400 stopped:28800 done1-cancelled reply2 done2");
}

static void a_reply_that_fails_is_asked_for_again_once(void **state)
{
    struct scene *st = *state;
    static const char failed[] =
        "{\"type\":\"response.done\",\"response\":{\"id\":\"%s\",\"status\":\"failed\","
        "\"status_details\":{\"error\":{\"type\":\"server_error\",\"code\":\"server_error\","
        "\"message\":\"oops\"}}}}";
    char text[512];

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_reply(st, "r1");
    scene_told(st);
    scene_sent(st);
    snprintf(text, sizeof text, failed, "r1");
    scene_says(st, text);
    scene_pass(st, 3000);
    assert_string_equal(scene_sent(st), "respond");
    scene_reply(st, "r2");
    snprintf(text, sizeof text, failed, "r2");
    scene_says(st, text);
    assert_string_equal(scene_told(st), "ready error done1");
}

static void an_endless_reply_is_ended(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_reply(st, "r1");
    for (int i = 0; i < 200 && strstr(buf_str(&st->told), "done") == NULL; i++)
        scene_audio(st, "r1", "i1", 20000);
    assert_non_null(strstr(scene_told(st), "done1-cancelled"));
    assert_non_null(strstr(scene_sent(st), "cancel(r1)"));
}

static void nonsense_costs_the_connection_in_the_end(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    for (int i = 0; i < 19; i++)
        scene_says(st, "[]");
    assert_int_equal(fake_transport_lines(st->net), 1);
    scene_says(st, "{\"type\":\"session.created\"}"); /* that is in order */
    for (int i = 0; i < 20; i++)
        scene_says(st, "[]");
    scene_pass(st, 3000);
    assert_true(fake_transport_lines(st->net) > 1);
    assert_string_equal(scene_told(st), "ready link- link+");
}

static void a_wrong_key_is_final(void **state)
{
    struct scene *st = *state;

    fake_transport_plan(st->net, NULL, &(struct fake_plan){.does = FAKE_REFUSE, .status = 401});
    scene_open(st);
    scene_pass(st, 10);
    assert_string_equal(scene_told(st), "fatal");
    scene_speak(st, 10); /* harms nobody */
    OPS(st)->send_text(st->backend, "one");
    scene_pass(st, 10);
    assert_string_equal(scene_told(st), "");
}

static void backpressure_keeps_the_audio(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    scene_sent(st);
    fake_transport_hold(st->net, 0, 1 << 20);
    scene_speak(st, 20);
    assert_string_equal(scene_sent(st), "");
    assert_int_equal(OPS(st)->append(st->backend, NULL, 0), 20 * FRAME);
    fake_transport_hold(st->net, 0, 0);
    scene_pass(st, 1);
    assert_string_equal(scene_sent(st), "a0-19");
}

static void other_settings_are_sent(void **state)
{
    struct scene *st = *state;
    struct backend_settings s = {.instructions = "be brief"};
    struct err e;

    scene_open(st);
    scene_ready(st);
    scene_sent(st);
    assert_int_equal(OPS(st)->adjust(st->backend, &s, &e), 0);
    assert_string_equal(scene_sent(st), "update");
}

static void settings_that_are_refused_or_not_known_there_are_told(void **state)
{
    struct scene *st = *state;

    st->endpoints[0].dialect = "xai";
    st->config.settings.effort = "low";
    scene_open(st);
    scene_ready(st);
    assert_string_equal(scene_told(st), "ready notice");
    scene_says(st, "{\"type\":\"error\",\"error\":{\"message\":\"no such voice\","
                   "\"event_id\":\"settings\"}}");
    assert_string_equal(scene_told(st), "notice");
    scene_says(st, "{\"type\":\"error\",\"error\":{\"message\":\"too late\"}}");
    assert_string_equal(scene_told(st), "");
}

static void another_voice_has_another_session(void **state)
{
    struct scene *st = *state;
    struct backend_settings s = {.voice = "cedar"};
    struct err e;

    scene_open(st);
    scene_ready(st);
    OPS(st)->send_text(st->backend, "one");
    scene_reply(st, "r1");
    scene_audio(st, "r1", "i1", 100);
    scene_done(st, "r1", "completed");
    assert_int_equal(OPS(st)->adjust(st->backend, &s, &e), 0);
    scene_pass(st, 1000);
    assert_int_equal(fake_transport_lines(st->net), 2);
    assert_int_equal(OPS(st)->adjust(st->backend, &s, &e), 0);
    scene_pass(st, 1000);
    assert_int_equal(fake_transport_lines(st->net), 2);
}

static void forgetting_begins_a_session_without_memory(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_reply(st, "r1");
    scene_told(st);
    OPS(st)->forget(st->backend);
    scene_speak(st, 5);
    scene_pass(st, 10);
    assert_int_equal(fake_transport_lines(st->net), 2);
    assert_string_equal(scene_sent_on(st, 1), "update a0-4");
    OPS(st)->send_text(st->backend, "two");
    assert_string_equal(scene_sent_on(st, 1), "user(two) respond");
    assert_string_equal(scene_told(st), "");
}

static void forgetting_nothing_keeps_the_connection(void **state)
{
    struct scene *st = *state;

    scene_open(st);
    OPS(st)->forget(st->backend);
    scene_pass(st, 100);
    assert_int_equal(fake_transport_lines(st->net), 1);
}

static void cancel_from_inside(struct scene *st, const struct backend_event *ev)
{
    if (ev->type == BACKEND_REPLY_AUDIO) {
        OPS(st)->truncate(st->backend, ev->item, 5);
        OPS(st)->cancel(st->backend);
    }
    if (ev->type == BACKEND_REPLY_TEXT)
        OPS(st)->forget(st->backend);
}

static void a_handler_may_call_the_backend(void **state)
{
    struct scene *st = *state;

    st->on_event = cancel_from_inside;
    scene_open(st);
    OPS(st)->send_text(st->backend, "one");
    scene_reply(st, "r1");
    scene_audio(st, "r1", "i1", 100);
    scene_done(st, "r1", "cancelled");
    OPS(st)->send_text(st->backend, "two");
    scene_pass(st, 1);
    scene_reply(st, "r2");
    scene_text(st, "r2", "Hi.");
    scene_pass(st, 100);
    assert_string_equal(scene_told(st), "heard(one)+committed reply1 audio1:2400 done1-cancelled "
                                        "heard(two)+committed reply2 text2(Hi.)");
    assert_string_equal(scene_sent_on(st, 1), "update");
}

/* --- rate limits */

static void limits_are_waited_out(void **state)
{
    static const char limited[] = "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\","
                                  "\"code\":\"rate_limit_exceeded\","
                                  "\"message\":\"Please try again in 3s.\"}}";
    struct scene *sc = *state;

    scene_open(sc);
    scene_ready(sc);
    OPS(sc)->send_text(sc->backend, "one");
    scene_pass(sc, 1);
    scene_told(sc);
    scene_sent(sc);
    scene_says(sc, limited);
    assert_string_equal(scene_told(sc), "notice");
    scene_pass(sc, 2500);
    assert_string_equal(scene_sent(sc), "");
    scene_pass(sc, 1000);
    assert_string_equal(scene_sent(sc), "respond");
    scene_says(sc, limited); /* told once */
    assert_string_equal(scene_told(sc), "");
    assert_int_equal(fake_transport_lines(sc->net), 1);
}

/* --- other tasks */

static void a_transcription_has_words_and_no_replies(void **state)
{
    struct scene *sc = *state;

    sc->config.task = BACKEND_TRANSCRIBE;
    sc->endpoints[0].model = "gpt-4o-transcribe";
    scene_open(sc);
    scene_ready(sc);
    scene_speak(sc, 300);
    scene_speech(sc, 1000, 2000, "u1");
    scene_saysf(sc, "{\"type\":\"conversation.item.input_audio_transcription.delta\","
                    "\"item_id\":\"u1\",\"delta\":\"hel\"}");
    scene_heard(sc, "u1", "hello");
    assert_string_equal(scene_told(sc),
                        "ready started:16000 stopped:32000 part(hel) heard(hello)+late");
    assert_string_equal(scene_sent(sc), "update a0-299");
}

static void the_end_of_a_recording_is_told_behind_its_words(void **state)
{
    struct scene *sc = *state;

    sc->config.task = BACKEND_TRANSCRIBE;
    sc->endpoints[0].model = "gpt-4o-transcribe";
    scene_open(sc);
    scene_ready(sc);
    scene_speak(sc, 200);
    scene_speech(sc, 1000, 2000, "u1");
    OPS(sc)->commit(sc->backend);
    scene_pass(sc, 1);
    assert_string_equal(scene_told(sc), "ready started:16000 stopped:32000");
    scene_heard(sc, "u1", "hello");
    assert_string_equal(scene_told(sc), "heard(hello)+late heard()+committed+late");
}

static void translate(struct scene *sc)
{
    sc->config.task = BACKEND_TRANSLATE;
    sc->endpoints[0].dialect = "openai";
    sc->endpoints[0].model = "gpt-realtime-translate";
    sc->config.settings.to = "es";
    scene_open(sc);
    scene_ready(sc);
    scene_sent(sc);
    scene_told(sc);
}

static void translated(struct scene *sc, unsigned ms)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "{\"type\":\"session.output_audio.delta\",\"delta\":\"");
    for (unsigned i = 0; i < ms * 16; i++) /* 24 samples of 2 bytes, 4 characters for 3 */
        buf_adds(&b, "AAAA");
    buf_adds(&b, "\"}");
    scene_says(sc, buf_str(&b));
    buf_free(&b);
}

static void a_translation_comes_in_bursts(void **state)
{
    struct scene *sc = *state;

    translate(sc);
    translated(sc, 100);
    scene_says(sc, "{\"type\":\"session.output_transcript.delta\",\"delta\":\"Hola\"}");
    scene_pass(sc, 800);
    translated(sc, 100);
    assert_string_equal(scene_told(sc), "reply1 audio1:2400 text1(Hola) audio1:2400");
    scene_pass(sc, 1500);
    assert_string_equal(scene_told(sc), "done1");
    translated(sc, 100);
    assert_string_equal(scene_told(sc), "reply2 audio2:2400");
}

static void what_a_translation_hears_is_told_by_sentences(void **state)
{
    struct scene *sc = *state;

    translate(sc);
    scene_says(sc, "{\"type\":\"session.input_transcript.delta\",\"delta\":\"Good mor\"}");
    scene_says(sc, "{\"type\":\"session.input_transcript.delta\",\"delta\":\"ning.\"}");
    scene_says(sc, "{\"type\":\"session.input_transcript.delta\",\"delta\":\"And\"}");
    assert_string_equal(scene_told(sc), "part(Good mor) part(Good morning.) "
                                        "heard(Good morning.)+late part(And)");
    scene_pass(sc, 2000);
    assert_string_equal(scene_told(sc), "heard(And)+late");
}

static void the_end_of_a_translation_is_asked_for_and_told(void **state)
{
    struct scene *sc = *state;

    translate(sc);
    scene_speak(sc, 10);
    OPS(sc)->commit(sc->backend);
    assert_non_null(strstr(scene_sent(sc), "session.close"));
    scene_pass(sc, 1000);
    translated(sc, 100);
    scene_says(sc, "{\"type\":\"session.input_transcript.delta\",\"delta\":\"Hello\"}");
    assert_string_equal(scene_told(sc), "reply1 audio1:2400 part(Hello)");
    scene_says(sc, "{\"type\":\"session.closed\"}");
    fake_transport_end(sc->net, 0, 1000, "");
    scene_pass(sc, 500);
    assert_string_equal(scene_told(sc), "heard(Hello)+late heard()+committed+late done1");
}

static void a_translation_that_breaks_at_its_end_is_ended_on_the_next_connection(void **state)
{
    struct scene *sc = *state;

    translate(sc);
    scene_speak(sc, 10);
    OPS(sc)->commit(sc->backend);
    scene_cut(sc);
    scene_pass(sc, 300);
    assert_non_null(strstr(scene_sent_on(sc, 1), "session.close"));
    scene_says(sc, "{\"type\":\"session.closed\"}");
    assert_string_equal(scene_told(sc), "link- link+ heard()+committed+late");
}

static void a_server_that_never_says_that_it_has_finished_is_not_awaited(void **state)
{
    struct scene *sc = *state;

    translate(sc);
    OPS(sc)->commit(sc->backend);
    scene_pass(sc, 6000);
    assert_string_equal(scene_told(sc), "heard()+committed+late");
}

static void stopping_a_translation_silences_it_until_the_next_pause(void **state)
{
    struct scene *sc = *state;

    translate(sc);
    translated(sc, 100);
    OPS(sc)->cancel(sc->backend);
    scene_pass(sc, 1);
    translated(sc, 100);
    scene_pass(sc, 800);
    translated(sc, 100);
    assert_string_equal(scene_told(sc), "reply1 audio1:2400 done1-cancelled");
    scene_pass(sc, 1500);
    translated(sc, 100);
    assert_string_equal(scene_told(sc), "reply2 audio2:2400");
}

/* --- a server that wants to be waited for, and names nothing */

static void gemini(struct scene *sc)
{
    sc->endpoints[0].dialect = "gemini";
    sc->endpoints[0].url = "ws://one/live";
    sc->endpoints[0].model = "g";
    sc->config.settings.turns = BACKEND_TURNS_SERVER;
    scene_open(sc);
}

static void what_is_said_waits_until_the_server_is_ready(void **state)
{
    struct scene *sc = *state;

    gemini(sc);
    scene_speak(sc, 10);
    assert_int_equal(fake_transport_line(sc->net, 0)->sent, 1);
    scene_says(sc, "{\"setupComplete\":{}}");
    assert_true(fake_transport_line(sc->net, 0)->sent > 1);
    assert_string_equal(scene_told(sc), "ready");
}

static void turns_that_are_told_of_by_their_words_alone(void **state)
{
    struct scene *sc = *state;

    gemini(sc);
    scene_says(sc, "{\"setupComplete\":{}}");
    scene_speak(sc, 300);
    scene_told(sc);
    scene_says(sc, "{\"serverContent\":{\"inputTranscription\":{\"text\":\"hello\"}}}");
    assert_string_equal(scene_told(sc), "started:16000 part(hello)");
    scene_says(sc, "{\"serverContent\":{\"outputTranscription\":{\"text\":\"Hi.\"}}}");
    assert_string_equal(scene_told(sc), "stopped:48000 heard(hello) reply1 text1(Hi.)");
    scene_says(sc, "{\"serverContent\":{\"generationComplete\":true,\"turnComplete\":true}}");
    assert_string_equal(scene_told(sc), "done1");
}

static void the_model_itself_hears_the_user_speak(void **state)
{
    struct scene *sc = *state;

    gemini(sc);
    scene_says(sc, "{\"setupComplete\":{}}");
    OPS(sc)->send_text(sc->backend, "hello");
    scene_pass(sc, 1);
    scene_says(sc, "{\"serverContent\":{\"outputTranscription\":{\"text\":\"Hi.\"}}}");
    scene_told(sc);
    scene_says(sc, "{\"serverContent\":{\"interrupted\":true}}");
    assert_string_equal(scene_told(sc), "done1-cancelled started:0");
}

static void a_session_is_gone_on_with_by_its_handle(void **state)
{
    struct scene *sc = *state;
    const char *setup;

    gemini(sc);
    scene_says(sc, "{\"setupComplete\":{}}");
    OPS(sc)->send_text(sc->backend, "hello");
    scene_pass(sc, 1);
    scene_says(sc, "{\"serverContent\":{\"outputTranscription\":{\"text\":\"Hi.\"}}}");
    scene_says(sc, "{\"serverContent\":{\"generationComplete\":true,\"turnComplete\":true}}");
    scene_says(sc, "{\"sessionResumptionUpdate\":{\"newHandle\":\"h1\",\"resumable\":true}}");
    scene_says(sc, "{\"goAway\":{\"timeLeft\":\"50s\"}}");
    scene_told(sc);
    scene_pass(sc, 500);
    assert_int_equal(fake_transport_lines(sc->net), 2);
    setup = fake_transport_sent(sc->net, 1, 0);
    assert_non_null(strstr(setup, "\"handle\":\"h1\""));
    assert_string_equal(scene_told(sc), "");
    scene_says(sc, "{\"setupComplete\":{}}");
    scene_pass(sc, 3000);
    assert_int_equal(fake_transport_line(sc->net, 1)->sent, 1); /* it knows all of it */
    OPS(sc)->send_text(sc->backend, "bye");
    assert_non_null(strstr(fake_transport_sent(sc->net, 1, 1), "bye"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_begins_with_the_settings),
        T(what_is_said_goes_out_in_the_same_call),
        T(what_is_said_before_there_is_a_connection_is_kept),
        T(a_turn_is_answered),
        T(words_may_come_after_the_reply_has_begun),
        T(words_come_in_the_order_of_the_turns),
        T(pieces_of_words_add_up),
        T(words_that_never_come_hold_up_nobody_for_ever),
        T(positions_count_since_clear),
        T(clearing_drops_what_is_no_turn_yet),
        T(cancelling_is_sent_in_the_same_call),
        T(nothing_of_a_cancelled_reply_is_told),
        T(audio_for_replies_that_are_not_there_is_dropped),
        T(truncation_is_within_what_was_received),
        T(truncation_finds_the_part_that_was_played),
        T(nothing_is_truncated_at_zero_or_when_all_was_heard),
        T(what_was_heard_is_remembered),
        T(a_written_turn_is_told_and_answered),
        T(requests_wait_for_the_reply_in_hand),
        T(a_request_after_cancel_waits_for_the_end),
        T(a_server_that_never_ends_a_cancelled_reply_is_asked_all_the_same),
        T(a_request_that_came_too_early_is_made_again),
        T(cancelling_without_a_reply_is_nothing),
        T(a_reply_that_is_cancelled_before_it_begins_never_sounds),
        T(refusals_change_nothing),
        T(push_to_talk_commits_and_asks),
        T(each_commit_is_heard_once_without_words_too),
        T(the_timing_counts_from_the_end_of_input),
        T(usage_is_told),
        T(the_server_may_stop_a_reply_itself),
        T(a_reply_that_fails_is_asked_for_again_once),
        T(an_endless_reply_is_ended),
        T(nonsense_costs_the_connection_in_the_end),
        T(a_wrong_key_is_final),
        T(backpressure_keeps_the_audio),
        T(other_settings_are_sent),
        T(settings_that_are_refused_or_not_known_there_are_told),
        T(another_voice_has_another_session),
        T(forgetting_begins_a_session_without_memory),
        T(forgetting_nothing_keeps_the_connection),
        T(a_handler_may_call_the_backend),
        T(limits_are_waited_out),
        T(a_transcription_has_words_and_no_replies),
        T(the_end_of_a_recording_is_told_behind_its_words),
        T(a_translation_comes_in_bursts),
        T(what_a_translation_hears_is_told_by_sentences),
        T(the_end_of_a_translation_is_asked_for_and_told),
        T(a_translation_that_breaks_at_its_end_is_ended_on_the_next_connection),
        T(a_server_that_never_says_that_it_has_finished_is_not_awaited),
        T(stopping_a_translation_silences_it_until_the_next_pause),
        T(what_is_said_waits_until_the_server_is_ready),
        T(turns_that_are_told_of_by_their_words_alone),
        T(the_model_itself_hears_the_user_speak),
        T(a_session_is_gone_on_with_by_its_handle),
    };

    return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
