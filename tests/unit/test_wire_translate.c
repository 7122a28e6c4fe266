/* OpenAI's translation sessions: continuous, without turns and replies. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_wire.h"

static void open_translation(struct fake_wire *f)
{
    fake_wire_open(f, dialect_find("openai"), BACKEND_TRANSLATE, NULL, true);
}

static void expect_sent(struct fake_wire *f, int rc, const char *json)
{
    assert_int_equal(rc, 0);
    assert_string_equal(fake_wire_sent(f), json);
}

static void a_session_says_the_language_and_sends_all_it_hears(void **state)
{
    static const int16_t silence[3] = {0};
    struct fake_wire f = {.settings = {.to = "es", .noise = "near", .voice = "cedar"}};

    (void)state;
    open_translation(&f);
    expect_sent(
        &f, f.ops->start(f.wire),
        "{\"type\":\"session.update\",\"event_id\":\"settings\",\"session\":{\"audio\":{\"input\":{"
        "\"noise_reduction\":{\"type\":\"near_field\"},"
        "\"transcription\":{\"model\":\"gpt-realtime-whisper\"}},"
        "\"output\":{\"language\":\"es\"}}}}\n");
    expect_sent(&f, f.ops->audio(f.wire, silence, 3),
                "{\"type\":\"session.input_audio_buffer.append\",\"audio\":\"AAAAAAAA\"}\n");
    expect_sent(&f, f.ops->finish(f.wire), "{\"type\":\"session.close\"}\n");
    fake_wire_close(&f);
}

static void the_language_changes_in_mid_session(void **state)
{
    struct fake_wire f = {.settings = {.to = "es", .noise = "near"}};
    const struct backend_settings other = {.to = "fr"};

    (void)state;
    open_translation(&f);
    assert_int_equal(f.ops->start(f.wire), 0);
    fake_wire_sent(&f);
    expect_sent(
        &f, f.ops->settings(f.wire, &other),
        "{\"type\":\"session.update\",\"event_id\":\"settings\",\"session\":{\"audio\":{\"input\":{"
        "\"noise_reduction\":null,"
        "\"transcription\":{\"model\":\"gpt-realtime-whisper\"}},"
        "\"output\":{\"language\":\"fr\"}}}}\n");
    fake_wire_close(&f);
}

static void nothing_that_needs_turns_is_offered(void **state)
{
    struct fake_wire f = {0};
    const struct wire_caps *caps;

    (void)state;
    open_translation(&f);
    caps = f.ops->caps(f.wire);
    assert_true(caps->continuous && caps->eager && caps->transcribes && caps->adjusts);
    assert_false(caps->asks || caps->cancels || caps->writes || caps->detects || caps->commits);
    assert_int_equal(caps->input_hz, 24000);
    assert_null(f.ops->respond);
    assert_null(f.ops->commit);
    assert_null(f.ops->cancel);
    fake_wire_close(&f);
}

static void what_the_server_says_is_told(void **state)
{
    static const struct {
        const char *json;
        int rc;
        const char *told;
    } steps[] = {
        {"{\"type\":\"session.created\"}", 0, "ready\n"},
        {"{\"type\":\"session.updated\"}", 0, "settled\n"},
        {"{\"type\":\"session.input_transcript.delta\",\"delta\":\"Good \"}", 0,
         "heard_part 'Good '\n"},
        {"{\"type\":\"session.output_transcript.delta\",\"delta\":\"Buenos\"}", 0,
         "reply_text 'Buenos'\n"},
        {"{\"type\":\"session.output_audio.delta\",\"delta\":\"AQACAAMA\",\"elapsed_ms\":200}", 0,
         "reply_audio 3@24000 first 1\n"},
        {"{\"type\":\"session.output_audio.delta\",\"delta\":\"AQACAAMA\",\"sample_rate\":16000,"
         "\"channels\":1,\"format\":\"pcm16\"}",
         0, "reply_audio 3@16000 first 1\n"},
        {"{\"type\":\"session.output_audio.delta\",\"delta\":\"AQACAAMA\",\"sample_rate\":1e9}", 0,
         "reply_audio 3@24000 first 1\n"},
        {"{\"type\":\"session.output_audio.delta\",\"delta\":\"AQACAAMA\",\"channels\":2}",
         -EBADMSG, ""},
        {"{\"type\":\"session.output_audio.delta\",\"delta\":\"AQACAAMA\",\"format\":\"opus\"}",
         -EBADMSG, ""},
        {"{\"type\":\"session.output_audio.delta\",\"delta\":\"A\"}", -EBADMSG, ""},
        {"{\"type\":\"session.output_audio.delta\"}", -EBADMSG, ""},
        {"{\"type\":\"session.output_transcript.delta\",\"delta\":[]}", 0, ""},
        {"{\"type\":\"error\",\"error\":{\"code\":\"session_expired\",\"message\":\"over\"}}", 0,
         "error over -1 ms\n"},
        {"{\"type\":\"response.created\"}", 0, "unknown 'response.created'\n"},
        {"{\"type\":\"session.closed\"}", 0, "ended\n"},
    };
    struct fake_wire f = {0};

    (void)state;
    open_translation(&f);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(fake_wire_take(&f, steps[i].json), steps[i].rc);
        assert_string_equal(fake_wire_told(&f), steps[i].told);
    }
    fake_wire_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_says_the_language_and_sends_all_it_hears),
        cmocka_unit_test(the_language_changes_in_mid_session),
        cmocka_unit_test(nothing_that_needs_turns_is_offered),
        cmocka_unit_test(what_the_server_says_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
