/* GPT-Live: a stream each way, and what can be made out in it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_wire.h"
#include "realtime/wire_parts.h"

static void open_voice(struct fake_wire *f)
{
    fake_wire_open(f, dialect_find("gpt-live"), BACKEND_CONVERSE, NULL, true);
}

static void open_ready(struct fake_wire *f)
{
    open_voice(f);
    assert_int_equal(wire_gpt_live.start(f->wire), 0);
    assert_int_equal(fake_wire_take(f, "{\"type\":\"session.started\",\"session\":{}}"), 0);
    fake_wire_sent(f);
    assert_string_equal(fake_wire_told(f), "ready\nsettled\n");
}

static void expect_told(struct fake_wire *f, const char *json, const char *events)
{
    assert_int_equal(fake_wire_take(f, json), 0);
    assert_string_equal(fake_wire_told(f), events);
}

static void a_session_begins_with_what_was_said_before(void **state)
{
    struct fake_wire f = {.settings = {.instructions = "Be brief.", .voice = "quartz"}};

    (void)state;
    open_voice(&f);
    assert_true(wire_gpt_live.caps(f.wire)->early);
    assert_int_equal(wire_gpt_live.user_text(f.wire, "hello"), 0);
    assert_int_equal(wire_gpt_live.assistant_text(f.wire, "hi"), 0);
    assert_int_equal(wire_gpt_live.assistant_text(f.wire, " "), 0);
    assert_int_equal(wire_gpt_live.start(f.wire), 0);
    assert_string_equal(fake_wire_sent(&f),
                        "{\"type\":\"session.start\",\"session\":{\"model\":\"gpt-live-1\","
                        "\"instructions\":\"Be brief.\","
                        "\"audio\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},"
                        "\"output\":{\"voice\":\"quartz\"}},"
                        "\"delegation\":{\"type\":\"client\"},"
                        "\"input\":[{\"type\":\"message\",\"role\":\"user\","
                        "\"content\":[{\"type\":\"input_text\",\"text\":\"hello\"}]},"
                        "{\"type\":\"message\",\"role\":\"assistant\","
                        "\"content\":[{\"type\":\"output_text\",\"text\":\"hi\"}]}]}}\n");
    fake_wire_close(&f);
}

static void of_a_long_history_the_newest_is_told(void **state)
{
    static char big[20 << 10];
    struct fake_wire f = {0};
    const char *sent;

    (void)state;
    memset(big, 'x', sizeof big - 1);
    open_voice(&f);
    for (int i = 0; i < 200; i++)
        assert_int_equal(wire_gpt_live.user_text(f.wire, i < 72 ? "old" : "new"), 0);
    wire_gpt_live.start(f.wire);
    sent = fake_wire_sent(&f);
    assert_null(strstr(sent, "old"));
    assert_non_null(strstr(sent, "new"));
    fake_wire_close(&f);

    open_voice(&f);
    wire_gpt_live.user_text(f.wire, "old");
    wire_gpt_live.user_text(f.wire, big);
    wire_gpt_live.user_text(f.wire, big);
    wire_gpt_live.start(f.wire);
    assert_true(strlen(fake_wire_sent(&f)) < sizeof big * 3 / 2);
    fake_wire_close(&f);
}

static void audio_and_words_go_out_as_they_come(void **state)
{
    const int16_t x[] = {1, -1, 2};
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f);
    wire_gpt_live.audio(f.wire, x, 3);
    wire_gpt_live.user_text(f.wire, "what time is it?");
    wire_gpt_live.user_text(f.wire, "\n");
    wire_gpt_live.assistant_text(f.wire, "ten");
    wire_gpt_live.finish(f.wire);
    assert_string_equal(
        fake_wire_sent(&f),
        "{\"type\":\"session.input_audio.append\",\"audio\":\"AQD//wIA\"}\n"
        "{\"type\":\"session.instructions.append\",\"delegation_id\":null,\"content\":\"The user "
        "does not say but writes this to you; answer it aloud: what time is it?\"}\n"
        "{\"type\":\"session.close\"}\n");
    fake_wire_close(&f);
}

static void what_is_written_at_length_goes_in_parts(void **state)
{
    char text[3001];
    struct fake_wire f = {0};
    const char *sent;
    int lines = 0;

    (void)state;
    for (size_t i = 0; i + 3 < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    open_ready(&f);
    assert_int_equal(wire_gpt_live.user_text(f.wire, text), 0);
    sent = fake_wire_sent(&f);
    assert_null(strchr(sent, '?'));
    for (; *sent != '\0'; sent++)
        lines += *sent == '\n';
    assert_int_equal(lines, 3);
    fake_wire_close(&f);
}

static void words_of_both_are_told(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f);
    expect_told(&f,
                "{\"type\":\"session.input_transcript.delta\",\"delta\":\"hel\",\"start_ms\":0,"
                "\"end_ms\":9}",
                "heard_part 'hel'\n");
    expect_told(&f, "{\"type\":\"session.output_transcript.delta\",\"delta\":\"Hi\\u0007\"}",
                "reply_text 'Hi'\n");
    expect_told(&f, "{\"type\":\"session.output_transcript.delta\",\"delta\":7}", "");
    fake_wire_close(&f);
}

/* A message with so many samples of one value. */
static void take_sound(struct fake_wire *f, int16_t value, size_t n)
{
    struct buf json = BUF_INIT;
    int16_t x[2400];

    for (size_t i = 0; i < n; i++)
        x[i] = value;
    buf_adds(&json, "{\"type\":\"session.output_audio.delta\",\"delta\":\"");
    wire_put_pcm(&json, x, n);
    buf_adds(&json, "\"}");
    assert_int_equal(fake_wire_take(f, buf_str(&json)), 0);
    buf_free(&json);
}

static void silence_is_kept_back(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f);
    for (int i = 0; i < 20; i++)
        take_sound(&f, 3, 2400);
    assert_string_equal(fake_wire_told(&f), "");
    /* Speech, with the 50 ms before it, and a pause of 400 ms behind it. */
    take_sound(&f, 500, 2400);
    assert_string_equal(fake_wire_told(&f), "reply_audio 1200@24000 first 3\n"
                                            "reply_audio 2400@24000 first 500\n");
    for (int i = 0; i < 5; i++)
        take_sound(&f, 0, 2400);
    assert_string_equal(fake_wire_told(&f), "reply_audio 2400@24000 first 0\n"
                                            "reply_audio 2400@24000 first 0\n"
                                            "reply_audio 2400@24000 first 0\n"
                                            "reply_audio 2400@24000 first 0\n");
    /* Speech again soon after the end: of the silence, what is left. */
    take_sound(&f, 500, 480);
    for (int i = 0; i < 20; i++)
        take_sound(&f, 0, 480);
    fake_wire_told(&f);
    take_sound(&f, 1, 480);
    take_sound(&f, 500, 480);
    assert_string_equal(fake_wire_told(&f), "reply_audio 480@24000 first 1\n"
                                            "reply_audio 480@24000 first 500\n");
    for (int i = 0; i < 30; i++)
        take_sound(&f, 0, 480);
    fake_wire_told(&f);
    /* Pieces shorter than a block. */
    take_sound(&f, 7, 100);
    take_sound(&f, -500, 10);
    assert_string_equal(fake_wire_told(&f), "reply_audio 1200@24000 first 0\n"
                                            "reply_audio 10@24000 first -500\n");
    fake_wire_close(&f);
}

static void seconds_are_counted_once(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f);
    expect_told(&f, "{\"type\":\"session.usage.updated\",\"usage\":{\"seconds\":2.5}}",
                "usage 2.5 s\n");
    expect_told(&f, "{\"type\":\"session.usage.updated\",\"usage\":{\"seconds\":2.5}}", "");
    expect_told(&f, "{\"type\":\"session.usage.updated\",\"usage\":{\"seconds\":1}}", "");
    expect_told(&f, "{\"type\":\"session.usage.updated\",\"usage\":{\"seconds\":1e99}}", "");
    expect_told(&f,
                "{\"type\":\"session.closed\",\"reason\":\"close_requested\","
                "\"usage\":{\"seconds\":4}}",
                "usage 1.5 s\nended\n");
    fake_wire_close(&f);
}

static void the_end_of_a_session_says_why(void **state)
{
    static const struct {
        const char *json, *told, *text;
    } cases[] = {
        {"{\"type\":\"session.closed\",\"reason\":\"expired\"}", "error over -1 ms\nended\n",
         "'OpenAI GPT-Live' has ended the session: it lasts no longer"},
        {"{\"type\":\"session.closed\",\"reason\":\"content\"}", "error over -1 ms\nended\n",
         "'OpenAI GPT-Live' has ended the session: its safety filter did not like what was said"},
        {"{\"type\":\"session.closed\"}", "error server -1 ms\nended\n",
         "'OpenAI GPT-Live' has a problem of its own: the session was lost"},
        {"{\"type\":\"error\",\"error\":{\"code\":\"invalid_api_key\",\"message\":\"no\"}}",
         "error forbidden -1 ms\n",
         "'OpenAI GPT-Live' does not accept the key (no); put a valid one into OPENAI_API_KEY"},
        {"{\"type\":\"error\",\"error\":{\"code\":\"unknown_parameter\",\"message\":\"no\"}}",
         "error refused -1 ms\n", "'OpenAI GPT-Live' refuses a request: no"},
    };
    struct fake_wire f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_ready(&f);
        expect_told(&f, cases[i].json, cases[i].told);
        assert_string_equal(f.error.text, cases[i].text);
        fake_wire_close(&f);
    }
    open_voice(&f);
    wire_gpt_live.start(f.wire);
    expect_told(&f, "{\"type\":\"error\",\"error\":{\"code\":\"unknown_parameter\"}}",
                "error wrong -1 ms\n");
    fake_wire_close(&f);
}

static void work_that_is_handed_to_us_is_handed_back(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f);
    expect_told(&f,
                "{\"type\":\"session.delegation.created\",\"offset_ms\":0,\"delegation\":{"
                "\"id\":\"d-1\",\"type\":\"delegation\",\"target\":\"client\"}}",
                "");
    assert_string_equal(fake_wire_sent(&f),
                        "{\"type\":\"session.commentary.append\",\"delegation_id\":\"d-1\","
                        "\"content\":\"Nobody is there to do this: no tools are connected. Answer "
                        "from what you know, or say that you cannot.\"}\n");
    expect_told(&f,
                "{\"type\":\"session.delegation.created\",\"delegation\":{\"id\":\"d-1\","
                "\"target\":\"responses\"}}",
                "");
    expect_told(&f, "{\"type\":\"session.delegation.created\",\"delegation\":7}", "");
    assert_string_equal(fake_wire_sent(&f), "");
    fake_wire_close(&f);
}

static void nonsense_is_no_news(void **state)
{
    static const struct {
        const char *json;
        int rc;
        const char *told;
    } cases[] = {
        {"{", -EBADMSG, ""},
        {"{\"delta\":\"x\"}", -EBADMSG, ""},
        {"{\"type\":\"session.output_audio.delta\"}", -EBADMSG, ""},
        {"{\"type\":\"session.output_audio.delta\",\"delta\":\"AQ==\"}", -EBADMSG, ""},
        {"{\"type\":\"session.output_audio.delta\",\"delta\":\"\"}", 0, ""},
        {"{\"type\":\"session.started\"}", 0, ""},
        {"{\"type\":\"session.commentary.appended\"}", 0, ""},
        {"{\"type\":\"session.whatever\"}", 0, "unknown 'session.whatever'\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_wire f = {0};
        open_ready(&f);
        assert_int_equal(fake_wire_take(&f, cases[i].json), cases[i].rc);
        assert_string_equal(fake_wire_told(&f), cases[i].told);
        fake_wire_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_begins_with_what_was_said_before),
        cmocka_unit_test(of_a_long_history_the_newest_is_told),
        cmocka_unit_test(audio_and_words_go_out_as_they_come),
        cmocka_unit_test(what_is_written_at_length_goes_in_parts),
        cmocka_unit_test(words_of_both_are_told),
        cmocka_unit_test(silence_is_kept_back),
        cmocka_unit_test(seconds_are_counted_once),
        cmocka_unit_test(the_end_of_a_session_says_why),
        cmocka_unit_test(work_that_is_handed_to_us_is_handed_back),
        cmocka_unit_test(nonsense_is_no_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
