/* OpenAI Realtime: what we say, and what becomes of what the server says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_wire.h"

static void open_voice(struct fake_wire *f)
{
    fake_wire_open(f, dialect_find("openai"), BACKEND_CONVERSE, NULL, true);
}

static void expect_sent(struct fake_wire *f, int rc, const char *json)
{
    assert_int_equal(rc, 0);
    assert_string_equal(fake_wire_sent(f), json);
}

static void expect_told(struct fake_wire *f, const char *json, const char *events)
{
    assert_int_equal(fake_wire_take(f, json), 0);
    assert_string_equal(fake_wire_told(f), events);
}

static void a_session_says_all_that_the_user_asked_for(void **state)
{
    struct fake_wire f = {.settings = {.instructions = "be \"brief\"",
                                       .voice = "cedar",
                                       .effort = "low",
                                       .eagerness = "high",
                                       .noise = "far",
                                       .language = "de",
                                       .speed = 1.25,
                                       .retention = 0.8,
                                       .max_tokens = 500,
                                       .turns = BACKEND_TURNS_SEMANTIC}};

    (void)state;
    open_voice(&f);
    expect_sent(
        &f, f.ops->start(f.wire),
        "{\"type\":\"session.update\",\"event_id\":\"settings\",\"session\":{\"type\":\"realtime\","
        "\"instructions\":\"be \\\"brief\\\"\",\"output_modalities\":[\"audio\"],"
        "\"max_output_tokens\":500,\"truncation\":{\"type\":\"retention_ratio\","
        "\"retention_ratio\":0.8},\"reasoning\":{\"effort\":\"low\"},"
        "\"audio\":{\"input\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},"
        "\"noise_reduction\":{\"type\":\"far_field\"},"
        "\"transcription\":{\"model\":\"gpt-transcribe\",\"languages\":[\"de\"]},"
        "\"turn_detection\":{\"type\":\"semantic_vad\",\"eagerness\":\"high\","
        "\"create_response\":true,\"interrupt_response\":true}},"
        "\"output\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},\"voice\":\"cedar\","
        "\"speed\":1.25}}}}\n");
    fake_wire_close(&f);
}

static void nothing_is_said_of_what_is_the_servers_own(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    expect_sent(
        &f, f.ops->start(f.wire),
        "{\"type\":\"session.update\",\"event_id\":\"settings\",\"session\":{\"type\":\"realtime\","
        "\"output_modalities\":[\"audio\"],"
        "\"audio\":{\"input\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},"
        "\"transcription\":{\"model\":\"gpt-transcribe\"},"
        "\"turn_detection\":{\"type\":\"server_vad\",\"create_response\":true,"
        "\"interrupt_response\":true}},"
        "\"output\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},"
        "\"voice\":\"marin\"}}}}\n");
    fake_wire_close(&f);
}

static void without_speech_only_text_is_asked_for(void **state)
{
    struct fake_wire f = {.settings = {.voice = "cedar", .speed = 1.5}};
    const char *sent;

    (void)state;
    fake_wire_open(&f, dialect_find("openai"), BACKEND_CONVERSE, NULL, false);
    assert_int_equal(f.ops->start(f.wire), 0);
    sent = fake_wire_sent(&f);
    assert_non_null(strstr(sent, "\"output_modalities\":[\"text\"]"));
    assert_null(strstr(sent, "cedar"));
    assert_null(strstr(sent, "speed"));
    fake_wire_close(&f);
}

static void who_ends_turns_is_said(void **state)
{
    static const struct {
        enum backend_turns turns;
        const char *eagerness, *says;
    } cases[] = {
        {BACKEND_TURNS_OWN, NULL, "{\"type\":\"server_vad\","},
        {BACKEND_TURNS_OWN, "low", "{\"type\":\"semantic_vad\",\"eagerness\":\"low\","},
        {BACKEND_TURNS_SERVER, "low", "{\"type\":\"server_vad\","},
        {BACKEND_TURNS_SEMANTIC, NULL, "{\"type\":\"semantic_vad\",\"create_response\":true"},
        {BACKEND_TURNS_CLIENT, "low", "null}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_wire f = {
            .settings = {.turns = cases[i].turns, .eagerness = cases[i].eagerness}};
        const char *at;
        open_voice(&f);
        assert_int_equal(f.ops->start(f.wire), 0);
        at = strstr(fake_wire_sent(&f), "\"turn_detection\":");
        assert_non_null(at);
        at += strlen("\"turn_detection\":");
        assert_memory_equal(at, cases[i].says, strlen(cases[i].says));
        fake_wire_close(&f);
    }
}

static void settings_that_are_taken_back_are_the_servers_own_again(void **state)
{
    struct fake_wire f = {.settings = {.instructions = "a",
                                       .noise = "near",
                                       .speed = 1.25,
                                       .retention = 0.5,
                                       .max_tokens = 9}};
    const struct backend_settings none = {0};

    (void)state;
    open_voice(&f);
    assert_int_equal(f.ops->start(f.wire), 0);
    fake_wire_sent(&f);
    expect_sent(
        &f, f.ops->settings(f.wire, &none),
        "{\"type\":\"session.update\",\"event_id\":\"settings\",\"session\":{\"type\":\"realtime\","
        "\"instructions\":\"\",\"output_modalities\":[\"audio\"],"
        "\"max_output_tokens\":\"inf\",\"truncation\":\"auto\","
        "\"audio\":{\"input\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},"
        "\"noise_reduction\":null,\"transcription\":{\"model\":\"gpt-transcribe\"},"
        "\"turn_detection\":{\"type\":\"server_vad\",\"create_response\":true,"
        "\"interrupt_response\":true}},"
        "\"output\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},\"speed\":1}}}}\n");
    fake_wire_close(&f);
}

static void the_voice_is_not_touched_once_audio_has_come(void **state)
{
    struct fake_wire f = {.settings = {.voice = "cedar", .speed = 1.5}};
    struct backend_settings other = {.voice = "marin", .speed = 1.5};

    (void)state;
    open_voice(&f);
    assert_int_equal(f.ops->start(f.wire), 0);
    assert_non_null(strstr(fake_wire_sent(&f), "\"voice\":\"cedar\",\"speed\":1.5"));
    assert_int_equal(f.ops->settings(f.wire, &other), 0);
    assert_non_null(strstr(fake_wire_sent(&f), "\"voice\":\"marin\"}"));
    assert_int_equal(fake_wire_take(&f, "{\"type\":\"response.output_audio.delta\","
                                        "\"delta\":\"AAA=\"}"),
                     0);
    other.speed = 1;
    assert_int_equal(f.ops->settings(f.wire, &other), 0);
    assert_null(strstr(fake_wire_sent(&f), "\"voice\""));
    other.voice = "cedar";
    assert_int_equal(f.ops->settings(f.wire, &other), 1);
    assert_null(strstr(fake_wire_sent(&f), "\"voice\""));
    other.voice = NULL; /* the dialect's, which is the one in use */
    assert_int_equal(f.ops->settings(f.wire, &other), 0);
    fake_wire_close(&f);
}

static void whispers_session_has_its_own_shape(void **state)
{
    struct fake_wire f = {
        .settings = {.language = "en", .delay = "minimal", .noise = "near", .effort = "low"}};

    (void)state;
    fake_wire_open(&f, dialect_find("openai"), BACKEND_TRANSCRIBE, NULL, false);
    expect_sent(&f, f.ops->start(f.wire),
                "{\"type\":\"session.update\",\"event_id\":\"settings\",\"session\":{\"type\":"
                "\"transcription\","
                "\"audio\":{\"input\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},"
                "\"noise_reduction\":{\"type\":\"near_field\"},"
                "\"transcription\":{\"model\":\"gpt-realtime-whisper\",\"language\":\"en\","
                "\"delay\":\"minimal\"},\"turn_detection\":null}}}}\n");
    assert_false(f.ops->caps(f.wire)->detects);
    assert_false(f.ops->caps(f.wire)->asks);
    assert_true(f.ops->caps(f.wire)->transcribes);
    fake_wire_close(&f);
}

static void another_transcriber_detects_turns(void **state)
{
    struct fake_wire f = {.settings = {.delay = "minimal"}};
    const char *sent;

    (void)state;
    fake_wire_open(&f, dialect_find("openai"), BACKEND_TRANSCRIBE, "gpt-4o-transcribe", false);
    assert_int_equal(f.ops->start(f.wire), 0);
    sent = fake_wire_sent(&f);
    assert_non_null(strstr(sent, "\"turn_detection\":{\"type\":\"server_vad\"}"));
    assert_null(strstr(sent, "delay"));
    assert_true(f.ops->caps(f.wire)->detects);
    fake_wire_close(&f);
}

static void everything_else_is_said_in_the_words_of_the_protocol(void **state)
{
    static const int16_t x[] = {1, 2, 3};
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    expect_sent(&f, f.ops->audio(f.wire, x, 3),
                "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AQACAAMA\"}\n");
    expect_sent(&f, f.ops->commit(f.wire), "{\"type\":\"input_audio_buffer.commit\"}\n");
    expect_sent(&f, f.ops->clear(f.wire), "{\"type\":\"input_audio_buffer.clear\"}\n");
    expect_sent(&f, f.ops->user_text(f.wire, "a\nb"),
                "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\","
                "\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a\\nb\"}]}}\n");
    expect_sent(&f, f.ops->user_audio(f.wire, x, 3),
                "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\","
                "\"role\":\"user\",\"content\":[{\"type\":\"input_audio\","
                "\"audio\":\"AQACAAMA\"}]}}\n");
    expect_sent(&f, f.ops->assistant_text(f.wire, "hi"),
                "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\","
                "\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
                "\"text\":\"hi\"}]}}\n");
    expect_sent(&f, f.ops->respond(f.wire, NULL), "{\"type\":\"response.create\"}\n");
    expect_sent(&f, f.ops->respond(f.wire, "go on"),
                "{\"type\":\"response.create\",\"response\":{\"instructions\":\"go on\"}}\n");
    expect_sent(&f, f.ops->cancel(f.wire, "resp_1"),
                "{\"type\":\"response.cancel\",\"response_id\":\"resp_1\"}\n");
    expect_sent(&f, f.ops->cancel(f.wire, ""), "{\"type\":\"response.cancel\"}\n");
    expect_sent(&f, f.ops->truncate(f.wire, "item_1", 1234.9),
                "{\"type\":\"conversation.item.truncate\",\"item_id\":\"item_1\","
                "\"content_index\":0,\"audio_end_ms\":1234}\n");
    fake_wire_close(&f);
}

static void a_truncation_that_could_only_fail_is_not_sent(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    expect_sent(&f, f.ops->truncate(f.wire, "item_1", 0), "");
    expect_sent(&f, f.ops->truncate(f.wire, "item_1", 0.9), "");
    expect_sent(&f, f.ops->truncate(f.wire, "item_1", -5), "");
    expect_sent(&f, f.ops->truncate(f.wire, "", 100), "");
    fake_wire_close(&f);
}

/* Its own detector ends the turn, and it answers by itself: asking for that would make two. */
static void a_server_that_always_detects_is_given_silence(void **state)
{
    static const int16_t x[] = {1, 2, 3};
    static const char held[] = "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AgADAA==\"}\n";
    struct fake_wire f = {0};
    const char *sent;
    size_t letters = 0;

    (void)state;
    fake_wire_open(&f, dialect_find("huggingface"), BACKEND_CONVERSE, "m", true);
    assert_int_equal(f.ops->audio(f.wire, x, 3), 0);
    assert_non_null(strstr(fake_wire_sent(&f), "AQACAAMA"));
    f.settings.turns = BACKEND_TURNS_CLIENT;
    assert_int_equal(f.ops->audio(f.wire, x, 3), 0);
    assert_int_equal(f.ops->clear(f.wire), 0);
    assert_int_equal(f.ops->audio(f.wire, x + 1, 2), 0);
    assert_string_equal(fake_wire_sent(&f), "");
    assert_int_equal(f.ops->commit(f.wire), 0);
    sent = fake_wire_sent(&f);
    assert_null(strstr(sent, "commit"));
    assert_memory_equal(sent, held, strlen(held));
    sent += strlen(held);
    for (; *sent != '\0'; sent++)
        letters += *sent == 'A';
    assert_int_equal(letters, 24000 * 2 / 3 * 4);
    expect_sent(&f, f.ops->respond(f.wire, NULL), "");
    expect_sent(&f, f.ops->respond(f.wire, NULL), "{\"type\":\"response.create\"}\n");
    expect_sent(&f, f.ops->clear(f.wire), "");
    fake_wire_close(&f);
}

/* What is held back does not grow without end, and goes out when the server's detector is wanted.
 */
static void what_is_held_back_is_bounded_and_not_forgotten(void **state)
{
    static const int16_t second[24000] = {1};
    struct fake_wire f = {.settings = {.turns = BACKEND_TURNS_CLIENT}};
    const struct backend_settings theirs = {.turns = BACKEND_TURNS_SERVER};
    const char *sent;

    (void)state;
    fake_wire_open(&f, dialect_find("huggingface"), BACKEND_CONVERSE, "m", true);
    for (int i = 0; i < 121; i++)
        assert_int_equal(f.ops->audio(f.wire, second, 24000), 0);
    assert_string_equal(fake_wire_sent(&f), "");
    assert_int_equal(f.ops->audio(f.wire, second, 24000), 0);
    assert_true(strlen(fake_wire_sent(&f)) > 121 * sizeof second);
    assert_int_equal(f.ops->settings(f.wire, &theirs), 0);
    sent = fake_wire_sent(&f);
    assert_non_null(strstr(sent, "input_audio_buffer.append"));
    assert_non_null(strstr(sent, "session.update"));
    fake_wire_close(&f);
}

static void what_sending_answers_is_passed_on(void **state)
{
    static const int16_t x[] = {1};
    struct fake_wire f = {.send_rc = -ENOTCONN};

    (void)state;
    open_voice(&f);
    assert_int_equal(f.ops->start(f.wire), -ENOTCONN);
    assert_int_equal(f.ops->audio(f.wire, x, 1), -ENOTCONN);
    assert_int_equal(f.ops->respond(f.wire, NULL), -ENOTCONN);
    fake_wire_close(&f);
}

static void a_turn_and_its_reply_are_told(void **state)
{
    static const struct {
        const char *json, *told;
    } steps[] = {
        {"{\"type\":\"session.created\",\"session\":{}}", "ready\n"},
        {"{\"type\":\"session.created\",\"session\":{}}", ""},
        {"{\"type\":\"session.updated\",\"session\":{}}", "settled\n"},
        {"{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":1200,"
         "\"item_id\":\"i1\"}",
         "speech_started i1 1200 ms\n"},
        {"{\"type\":\"input_audio_buffer.speech_stopped\",\"audio_end_ms\":2400,"
         "\"item_id\":\"i1\"}",
         "speech_stopped i1 2400 ms\n"},
        {"{\"type\":\"input_audio_buffer.committed\",\"item_id\":\"i1\"}", "committed i1\n"},
        {"{\"type\":\"conversation.item.added\",\"item\":{\"id\":\"i1\"}}", ""},
        {"{\"type\":\"conversation.item.input_audio_transcription.delta\",\"item_id\":\"i1\","
         "\"delta\":\"What \"}",
         "heard_part i1 'What '\n"},
        {"{\"type\":\"response.created\",\"response\":{\"id\":\"r1\"}}", "reply_started r1\n"},
        {"{\"type\":\"response.output_item.added\",\"response_id\":\"r1\","
         "\"item\":{\"id\":\"i2\",\"phase\":\"commentary\"}}",
         ""},
        {"{\"type\":\"response.output_audio.delta\",\"response_id\":\"r1\",\"item_id\":\"i2\","
         "\"delta\":\"AQACAAMA\"}",
         "reply_audio r1 i2 3@24000 first 1\n"},
        {"{\"type\":\"response.output_audio_transcript.delta\",\"response_id\":\"r1\","
         "\"item_id\":\"i2\",\"delta\":\"Paris.\"}",
         "reply_text r1 i2 'Paris.'\n"},
        {"{\"type\":\"response.output_audio_transcript.done\",\"response_id\":\"r1\","
         "\"item_id\":\"i2\",\"transcript\":\"Paris.\"}",
         ""},
        {"{\"type\":\"conversation.item.input_audio_transcription.completed\",\"item_id\":\"i1\","
         "\"transcript\":\"What is it?\",\"usage\":{\"type\":\"duration\",\"seconds\":1.5}}",
         "heard i1 'What is it?'\nusage 1.5 s by gpt-transcribe\n"},
        {"{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":\"completed\","
         "\"usage\":{\"input_tokens\":100,\"output_tokens\":50,\"input_token_details\":{"
         "\"text_tokens\":60,\"audio_tokens\":40,\"cached_tokens\":30,\"cached_tokens_details\":{"
         "\"text_tokens\":20,\"audio_tokens\":10}},\"output_token_details\":{\"text_tokens\":20,"
         "\"audio_tokens\":30}}}}",
         "reply_done r1 complete in 40+20 text 30+10 audio, out 20 text 30 audio\n"},
    };
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        expect_told(&f, steps[i].json, steps[i].told);
    fake_wire_close(&f);
}

static void words_that_come_only_whole_are_told_once(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    expect_told(&f, "{\"type\":\"response.output_audio_transcript.done\",\"transcript\":\"One.\"}",
                "reply_text 'One.'\n");
    expect_told(&f, "{\"type\":\"response.output_audio_transcript.done\",\"transcript\":\"Two.\"}",
                "reply_text ' '\nreply_text 'Two.'\n");
    expect_told(&f, "{\"type\":\"response.created\",\"response\":{}}", "reply_started\n");
    expect_told(&f, "{\"type\":\"response.output_text.delta\",\"delta\":\"Three.\"}",
                "reply_text 'Three.'\n");
    expect_told(&f, "{\"type\":\"response.output_text.done\",\"text\":\"Three.\"}", "");
    expect_told(&f, "{\"type\":\"response.created\",\"response\":{}}", "reply_started\n");
    expect_told(&f, "{\"type\":\"response.output_text.done\",\"text\":\"Four.\"}",
                "reply_text 'Four.'\n");
    expect_told(&f, "{\"type\":\"response.created\",\"response\":{}}", "reply_started\n");
    expect_told(&f, "{\"type\":\"response.output_text.done\",\"text\":\"Five.\"}",
                "reply_text 'Five.'\n");
    fake_wire_close(&f);
}

static void a_reply_says_how_it_ended(void **state)
{
    static const struct {
        const char *response, *told;
    } cases[] = {
        {"{\"id\":\"r\",\"status\":\"cancelled\",\"status_details\":{\"reason\":"
         "\"turn_detected\"}}",
         "reply_done r cancelled\n"},
        {"{\"id\":\"r\",\"status\":\"incomplete\"}", "reply_done r incomplete\n"},
        {"{\"id\":\"r\",\"status\":\"failed\"}", "reply_done r failed refused -1 ms\n"},
        {"{\"id\":\"r\",\"status\":\"failed\",\"status_details\":{\"error\":{\"type\":"
         "\"tokens\",\"code\":\"rate_limit_exceeded\",\"message\":\"Rate limit reached. Please "
         "try again in 1.5s.\"}}}",
         "reply_done r failed limited 1500 ms\n"},
        {"{\"id\":\"r\",\"status\":\"failed\",\"status_details\":{\"error\":{\"type\":"
         "\"server_error\"}}}",
         "reply_done r failed server -1 ms\n"},
        {"{\"id\":\"r\",\"status\":\"new one\"}", "reply_done r complete\n"},
    };
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT;
        buf_addf(&b, "{\"type\":\"response.done\",\"response\":%s}", cases[i].response);
        expect_told(&f, buf_str(&b), cases[i].told);
        buf_free(&b);
    }
    fake_wire_close(&f);
}

static void errors_are_told_apart(void **state)
{
    static const struct {
        const char *error, *told;
        int status;
    } cases[] = {
        {"{\"type\":\"invalid_request_error\",\"code\":\"conversation_already_has_active_response\""
         ",\"message\":\"m\"}",
         "error active -1 ms\n", STATUS_FAILED},
        {"{\"type\":\"invalid_request_error\",\"code\":\"response_cancel_not_active\"}",
         "error refused -1 ms\n", STATUS_FAILED},
        {"{\"type\":\"invalid_request_error\",\"code\":\"input_audio_buffer_commit_empty\"}",
         "error refused -1 ms\n", STATUS_FAILED},
        {"{\"type\":\"invalid_request_error\",\"code\":\"something_new\"}", "error refused -1 ms\n",
         STATUS_FAILED},
        {"{\"type\":\"invalid_request_error\",\"code\":\"session_expired\"}", "error over -1 ms\n",
         STATUS_NETWORK},
        {"{\"type\":\"requests\",\"code\":\"rate_limit_exceeded\",\"message\":\"try again in "
         "350ms.\"}",
         "error limited 350 ms\n", STATUS_NETWORK},
        {"{\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\",\"message\":\"m\"}",
         "error spent -1 ms\n", STATUS_AUTH},
        {"{\"type\":\"invalid_request_error\",\"code\":\"invalid_api_key\"}",
         "error forbidden -1 ms\n", STATUS_AUTH},
        {"{\"type\":\"invalid_request_error\",\"code\":\"model_not_found\"}", "error wrong -1 ms\n",
         STATUS_USAGE},
        {"{\"type\":\"invalid_request_error\",\"code\":\"beta_api_shape_disabled\"}",
         "error wrong -1 ms\n", STATUS_USAGE},
        {"{\"type\":\"server_error\",\"code\":null,\"event_id\":null}", "error server -1 ms\n",
         STATUS_NETWORK},
        {"{\"type\":\"conversation_already_has_active_response\"}", "error active -1 ms\n",
         STATUS_FAILED},
        {"{\"type\":7,\"code\":[],\"message\":{}}", "error refused -1 ms\n", STATUS_FAILED},
        {"\"just words\"", "error refused -1 ms\n", STATUS_FAILED},
    };
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT;
        buf_addf(&b, "{\"type\":\"error\",\"error\":%s}", cases[i].error);
        expect_told(&f, buf_str(&b), cases[i].told);
        assert_int_equal(f.error.status, cases[i].status);
        buf_free(&b);
    }
    fake_wire_close(&f);
}

/* By the name of the request, or by what is wrong with it. */
static void a_refusal_of_settings_is_told_apart(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    expect_told(&f, "{\"type\":\"error\",\"error\":{\"message\":\"no\",\"event_id\":\"settings\"}}",
                "error 'settings' refused -1 ms\n");
    expect_told(&f,
                "{\"type\":\"error\",\"error\":{\"message\":\"no\",\"param\":"
                "\"session.audio.output.voice\",\"event_id\":null}}",
                "error 'settings' refused -1 ms\n");
    assert_string_equal(f.error.text, "'OpenAI' refuses these settings, all of them: no");
    expect_told(&f, "{\"type\":\"error\",\"error\":{\"message\":\"no\",\"param\":\"sessions\"}}",
                "error refused -1 ms\n");
    fake_wire_close(&f);
}

static void a_message_says_what_to_do(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    assert_int_equal(fake_wire_take(&f,
                                    "{\"type\":\"error\",\"error\":{\"code\":\"invalid_api_key\","
                                    "\"message\":\"no\\u001b[31m such\\nkey\"}}"),
                     0);
    assert_string_equal(f.error.text, "'OpenAI' does not accept the key (no[31m such key); put a "
                                      "valid one into OPENAI_API_KEY");
    assert_int_equal(
        fake_wire_take(&f, "{\"type\":\"conversation.item.input_audio_transcription.failed\","
                           "\"item_id\":\"i1\",\"error\":{\"message\":\"too noisy\"}}"),
        0);
    assert_string_equal(f.error.text, "'OpenAI' refuses a request: too noisy");
    assert_non_null(strstr(fake_wire_told(&f), "heard_failed i1\n"));
    fake_wire_close(&f);
}

/* All 46 of the official types. */
static void every_event_of_the_protocol_is_known(void **state)
{
    static const char *const all[] = {
        "conversation.created",
        "conversation.item.created",
        "conversation.item.deleted",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.failed",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "error",
        "input_audio_buffer.cleared",
        "input_audio_buffer.committed",
        "input_audio_buffer.dtmf_event_received",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "rate_limits.updated",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.created",
        "response.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.output_text.done",
        "session.created",
        "session.updated",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "output_audio_buffer.cleared",
        "conversation.item.added",
        "conversation.item.done",
        "input_audio_buffer.timeout_triggered",
        "conversation.item.input_audio_transcription.segment",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "mcp_list_tools.failed",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
    };
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    assert_int_equal(sizeof all / sizeof *all, 46);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct buf b = BUF_INIT;
        int rc;
        buf_addf(&b, "{\"type\":\"%s\"}", all[i]);
        rc = fake_wire_take(&f, buf_str(&b));
        assert_true(rc == 0 || rc == -EBADMSG);
        assert_null(strstr(fake_wire_told(&f), "unknown"));
        buf_free(&b);
    }
    expect_told(&f, "{\"type\":\"response.sung\"}", "unknown 'response.sung'\n");
    expect_told(&f, "{\"type\":\"response.sung\"}", "");
    fake_wire_close(&f);
}

static void what_makes_no_sense_is_refused_without_an_event(void **state)
{
    static const struct {
        const char *json;
        int rc;
    } cases[] = {
        {"", -EBADMSG},
        {"[]", -EBADMSG},
        {"{}", -EBADMSG},
        {"{\"type\":1}", -EBADMSG},
        {"{\"type\":\"\"}", -EBADMSG},
        {"{\"type\":\"response.output_audio.delta\"}", -EBADMSG},
        {"{\"type\":\"response.output_audio.delta\",\"delta\":7}", -EBADMSG},
        {"{\"type\":\"response.output_audio.delta\",\"delta\":\"%%%%\"}", -EBADMSG},
        {"{\"type\":\"response.output_audio.delta\",\"delta\":\"AAAA\"}", -EBADMSG},
        {"{\"type\":\"response.output_audio.delta\",\"delta\":\"\"}", 0},
        {"{\"type\":\"response.output_text.delta\",\"delta\":null}", 0},
        {"{\"type\":\"conversation.item.input_audio_transcription.completed\"}", -EBADMSG},
        {"{\"type\":\"conversation.item.input_audio_transcription.delta\"}", 0},
    };
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fake_wire_take(&f, cases[i].json), cases[i].rc);
        assert_string_equal(fake_wire_told(&f), "");
    }
    fake_wire_close(&f);
}

static void wrong_types_and_huge_numbers_are_as_if_not_there(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_voice(&f);
    expect_told(&f,
                "{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":1e300,"
                "\"item_id\":{}}",
                "speech_started -1 ms\n");
    expect_told(&f, "{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":-4}",
                "speech_started -1 ms\n");
    expect_told(&f, "{\"type\":\"response.created\",\"response\":[1]}", "reply_started\n");
    expect_told(&f,
                "{\"type\":\"response.done\",\"response\":{\"usage\":{\"input_tokens\":1e99,"
                "\"output_tokens\":-1,\"input_token_details\":7}}}",
                "reply_done complete\n");
    fake_wire_close(&f);
}

static void deep_nesting_is_beyond_the_limits(void **state)
{
    struct fake_wire f = {0};
    struct buf b = BUF_INIT;

    (void)state;
    open_voice(&f);
    buf_adds(&b, "{\"type\":\"session.created\",\"x\":");
    for (int i = 0; i < 100000; i++)
        buf_adds(&b, "[");
    assert_int_equal(f.ops->take(f.wire, buf_str(&b), b.len), -EMSGSIZE);
    assert_string_equal(fake_wire_told(&f), "");
    buf_free(&b);
    fake_wire_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_says_all_that_the_user_asked_for),
        cmocka_unit_test(nothing_is_said_of_what_is_the_servers_own),
        cmocka_unit_test(without_speech_only_text_is_asked_for),
        cmocka_unit_test(who_ends_turns_is_said),
        cmocka_unit_test(settings_that_are_taken_back_are_the_servers_own_again),
        cmocka_unit_test(the_voice_is_not_touched_once_audio_has_come),
        cmocka_unit_test(whispers_session_has_its_own_shape),
        cmocka_unit_test(another_transcriber_detects_turns),
        cmocka_unit_test(everything_else_is_said_in_the_words_of_the_protocol),
        cmocka_unit_test(a_truncation_that_could_only_fail_is_not_sent),
        cmocka_unit_test(a_server_that_always_detects_is_given_silence),
        cmocka_unit_test(what_is_held_back_is_bounded_and_not_forgotten),
        cmocka_unit_test(what_sending_answers_is_passed_on),
        cmocka_unit_test(a_turn_and_its_reply_are_told),
        cmocka_unit_test(words_that_come_only_whole_are_told_once),
        cmocka_unit_test(a_reply_says_how_it_ended),
        cmocka_unit_test(errors_are_told_apart),
        cmocka_unit_test(a_refusal_of_settings_is_told_apart),
        cmocka_unit_test(a_message_says_what_to_do),
        cmocka_unit_test(every_event_of_the_protocol_is_known),
        cmocka_unit_test(what_makes_no_sense_is_refused_without_an_event),
        cmocka_unit_test(wrong_types_and_huge_numbers_are_as_if_not_there),
        cmocka_unit_test(deep_nesting_is_beyond_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
