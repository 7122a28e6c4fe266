/* Gemini Live: what is sent, and what its messages mean. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_wire.h"

#define OURS                          \
    {                                 \
        .turns = BACKEND_TURNS_CLIENT \
    }

static void open_as(struct fake_wire *f, enum backend_task task)
{
    fake_wire_open(f, dialect_find("gemini"), task, "a-model", task != BACKEND_TRANSCRIBE);
}

static void make_ready(struct fake_wire *f)
{
    assert_int_equal(f->ops->start(f->wire), 0);
    assert_int_equal(fake_wire_take(f, "{\"setupComplete\":{}}"), 0);
    fake_wire_sent(f);
    fake_wire_told(f);
}

/* A session that is ready, with nothing noted. */
static void open_ready(struct fake_wire *f, enum backend_task task)
{
    open_as(f, task);
    make_ready(f);
}

static void expect_told(struct fake_wire *f, const char *json, const char *events)
{
    assert_int_equal(fake_wire_take(f, json), 0);
    assert_string_equal(fake_wire_told(f), events);
}

/* serverContent, which most messages are. */
static void expect_content(struct fake_wire *f, const char *content, const char *events)
{
    char json[600];

    snprintf(json, sizeof json, "{\"serverContent\":{%s}}", content);
    expect_told(f, json, events);
}

#define HEARD(text) "\"inputTranscription\":{\"text\":\"" text "\"}"
#define SAID(text)  "\"outputTranscription\":{\"text\":\"" text "\"}"
#define SPOKEN(data)                                                   \
    "\"modelTurn\":{\"parts\":[{\"inlineData\":{\"mimeType\":\"audio/" \
    "pcm;rate=24000\",\"data\":\"" data "\"}}]}"
#define GENERATED "\"generationComplete\":true"
#define COMPLETE  "\"turnComplete\":true"

/* --- what is sent */

static void the_setup_says_as_little_as_the_settings(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_as(&f, BACKEND_CONVERSE);
    assert_int_equal(wire_gemini.start(f.wire), 0);
    assert_string_equal(
        fake_wire_sent(&f),
        "{\"setup\":{\"model\":\"models/a-model\","
        "\"generationConfig\":{\"responseModalities\":[\"AUDIO\"]},"
        "\"inputAudioTranscription\":{},\"outputAudioTranscription\":{},"
        "\"realtimeInputConfig\":{\"automaticActivityDetection\":{},"
        "\"activityHandling\":\"START_OF_ACTIVITY_INTERRUPTS\"},"
        "\"sessionResumption\":{},\"contextWindowCompression\":{\"slidingWindow\":{}}}}\n");
    fake_wire_close(&f);
}

static void the_setup_says_all_that_is_set(void **state)
{
    struct fake_wire f = {.handle = "h-1",
                          .settings = {.instructions = "Be\033 brief.",
                                       .voice = "Puck",
                                       .effort = "xhigh",
                                       .eagerness = "high",
                                       .language = "de",
                                       .max_tokens = 300}};

    (void)state;
    fake_wire_open(&f, dialect_find("gemini"), BACKEND_CONVERSE, "tunedModels/mine", true);
    assert_int_equal(wire_gemini.start(f.wire), 0);
    assert_string_equal(
        fake_wire_sent(&f),
        "{\"setup\":{\"model\":\"tunedModels/mine\","
        "\"generationConfig\":{\"responseModalities\":[\"AUDIO\"],\"maxOutputTokens\":300,"
        "\"speechConfig\":{\"voiceConfig\":{\"prebuiltVoiceConfig\":{\"voiceName\":\"Puck\"}}},"
        "\"thinkingConfig\":{\"thinkingLevel\":\"XHIGH\"}},"
        "\"inputAudioTranscription\":{\"languageCodes\":[\"de\"]},"
        "\"outputAudioTranscription\":{},"
        "\"realtimeInputConfig\":{"
        "\"automaticActivityDetection\":{\"endOfSpeechSensitivity\":\"END_SENSITIVITY_HIGH\","
        "\"silenceDurationMs\":350},"
        "\"activityHandling\":\"START_OF_ACTIVITY_INTERRUPTS\"},"
        "\"systemInstruction\":{\"parts\":[{\"text\":\"Be brief.\"}]},"
        "\"sessionResumption\":{\"handle\":\"h-1\"},"
        "\"contextWindowCompression\":{\"slidingWindow\":{}}}}\n");
    fake_wire_close(&f);
}

static void a_model_that_takes_no_level_of_thinking_gets_none(void **state)
{
    struct fake_wire f = {.settings = {.effort = "high"}};

    (void)state;
    fake_wire_open(&f, dialect_find("gemini"), BACKEND_CONVERSE, "gemini-3.8-live", true);
    assert_int_equal(wire_gemini.start(f.wire), 0);
    assert_null(strstr(fake_wire_sent(&f), "thinking"));
    fake_wire_close(&f);
}

static void a_transcription_and_a_translation_are_no_conversations(void **state)
{
    const struct backend_settings to = {.to = "es", .instructions = "Be brief.", .language = "en"};
    struct fake_wire f = {.settings = to};

    (void)state;
    open_as(&f, BACKEND_TRANSCRIBE);
    assert_int_equal(wire_gemini.start(f.wire), 0);
    assert_string_equal(fake_wire_sent(&f),
                        "{\"setup\":{\"model\":\"models/a-model\","
                        "\"generationConfig\":{\"responseModalities\":[\"TEXT\"]},"
                        "\"inputAudioTranscription\":{\"languageCodes\":[\"en\"]},"
                        "\"realtimeInputConfig\":{\"automaticActivityDetection\":{},"
                        "\"activityHandling\":\"START_OF_ACTIVITY_INTERRUPTS\"}}}\n");
    fake_wire_close(&f);

    f.settings = to;
    open_as(&f, BACKEND_TRANSLATE);
    assert_int_equal(wire_gemini.start(f.wire), 0);
    assert_string_equal(fake_wire_sent(&f),
                        "{\"setup\":{\"model\":\"models/a-model\","
                        "\"generationConfig\":{\"responseModalities\":[\"AUDIO\"],"
                        "\"translationConfig\":{\"targetLanguageCode\":\"es\"}},"
                        "\"inputAudioTranscription\":{\"languageCodes\":[\"en\"]},"
                        "\"outputAudioTranscription\":{}}}\n");
    assert_true(wire_gemini.caps(f.wire)->continuous);
    fake_wire_close(&f);
}

static void what_was_said_before_goes_ahead_of_the_microphone(void **state)
{
    const int16_t x[] = {1, -1, 2};
    struct fake_wire f = {0};

    (void)state;
    open_as(&f, BACKEND_CONVERSE);
    assert_int_equal(wire_gemini.user_text(f.wire, "say \"hi\""), 0);
    assert_int_equal(wire_gemini.assistant_text(f.wire, "hi"), 0);
    assert_int_equal(wire_gemini.user_text(f.wire, " "), 0);
    assert_int_equal(wire_gemini.start(f.wire), 0);
    assert_non_null(
        strstr(fake_wire_sent(&f), "\"historyConfig\":{\"initialHistoryInClientContent\":true}"));
    expect_told(&f, "{\"setupComplete\":{}}", "ready\nsettled\n");
    assert_int_equal(wire_gemini.audio(f.wire, x, 3), 0);
    assert_int_equal(wire_gemini.audio(f.wire, x, 3), 0);
    assert_string_equal(fake_wire_sent(&f),
                        "{\"clientContent\":{\"turnComplete\":true,\"turns\":["
                        "{\"role\":\"user\",\"parts\":[{\"text\":\"say \\\"hi\\\"\"}]},"
                        "{\"role\":\"model\",\"parts\":[{\"text\":\"hi\"}]}]}}\n"
                        "{\"realtimeInput\":{\"audio\":{\"mimeType\":\"audio/pcm;rate=16000\","
                        "\"data\":\"AQD//wIA\"}}}\n"
                        "{\"realtimeInput\":{\"audio\":{\"mimeType\":\"audio/pcm;rate=16000\","
                        "\"data\":\"AQD//wIA\"}}}\n");
    fake_wire_close(&f);
}

static void the_last_question_of_before_is_asked_again(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_as(&f, BACKEND_CONVERSE);
    wire_gemini.user_text(f.wire, "one");
    wire_gemini.assistant_text(f.wire, "two");
    wire_gemini.user_text(f.wire, "three");
    make_ready(&f);
    assert_int_equal(wire_gemini.respond(f.wire, NULL), 0);
    assert_string_equal(fake_wire_sent(&f),
                        "{\"clientContent\":{\"turnComplete\":true,\"turns\":["
                        "{\"role\":\"user\",\"parts\":[{\"text\":\"one\"}]},"
                        "{\"role\":\"model\",\"parts\":[{\"text\":\"two\"}]}]}}\n"
                        "{\"realtimeInput\":{\"text\":\"three\"}}\n");
    fake_wire_close(&f);
}

static void a_session_that_goes_on_is_not_told_what_it_knows(void **state)
{
    struct fake_wire f = {.handle = "h", .settings = {.instructions = "You are Ada."}};

    (void)state;
    open_as(&f, BACKEND_CONVERSE);
    wire_gemini.user_text(f.wire, "one");
    wire_gemini.assistant_text(f.wire, "two");
    wire_gemini.start(f.wire);
    assert_null(strstr(fake_wire_sent(&f), "historyConfig"));
    fake_wire_take(&f, "{\"setupComplete\":{}}");
    wire_gemini.respond(f.wire, "You are Ada.\n\nGo on where you stopped.");
    assert_string_equal(fake_wire_sent(&f),
                        "{\"realtimeInput\":{\"text\":\"Go on where you stopped.\"}}\n");
    fake_wire_close(&f);
}

static void a_written_question_is_asked_once(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    wire_gemini.user_text(f.wire, "what time is it?");
    assert_string_equal(fake_wire_sent(&f), "");
    wire_gemini.respond(f.wire, "Be brief.");
    wire_gemini.respond(f.wire, NULL);
    assert_string_equal(fake_wire_sent(&f),
                        "{\"realtimeInput\":{\"text\":\"what time is it?\\n\\n(Be brief.)\"}}\n");
    fake_wire_close(&f);
}

static void turns_are_told_where_we_detect_them(void **state)
{
    const int16_t x[] = {0};
    struct fake_wire f = {.settings = OURS};

    (void)state;
    open_as(&f, BACKEND_CONVERSE);
    wire_gemini.start(f.wire);
    assert_non_null(strstr(fake_wire_sent(&f),
                           "\"realtimeInputConfig\":{\"automaticActivityDetection\":{"
                           "\"disabled\":true},"
                           "\"activityHandling\":\"START_OF_ACTIVITY_INTERRUPTS\","
                           "\"turnCoverage\":\"TURN_INCLUDES_ALL_INPUT\"}"));
    fake_wire_take(&f, "{\"setupComplete\":{}}");
    wire_gemini.activity(f.wire, true);
    wire_gemini.activity(f.wire, false);
    wire_gemini.activity(f.wire, true);
    wire_gemini.audio(f.wire, x, 1);
    wire_gemini.commit(f.wire);
    wire_gemini.respond(f.wire, NULL);
    assert_string_equal(fake_wire_sent(&f),
                        "{\"realtimeInput\":{\"activityStart\":{}}}\n"
                        "{\"realtimeInput\":{\"audio\":{\"mimeType\":\"audio/pcm;rate=16000\","
                        "\"data\":\"AAA=\"}}}\n"
                        "{\"realtimeInput\":{\"activityEnd\":{}}}\n");
    /* A turn whose begin nobody saw is one all the same. */
    wire_gemini.commit(f.wire);
    assert_string_equal(fake_wire_sent(&f), "{\"realtimeInput\":{\"activityStart\":{}}}\n"
                                            "{\"realtimeInput\":{\"activityEnd\":{}}}\n");
    wire_gemini.finish(f.wire);
    assert_string_equal(fake_wire_sent(&f), "");
    wire_gemini.activity(f.wire, true);
    wire_gemini.finish(f.wire);
    assert_string_equal(fake_wire_sent(&f), "{\"realtimeInput\":{\"activityStart\":{}}}\n"
                                            "{\"realtimeInput\":{\"activityEnd\":{}}}\n");
    fake_wire_close(&f);
}

static void the_service_is_told_when_the_audio_stops(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    wire_gemini.activity(f.wire, true);
    wire_gemini.activity(f.wire, false);
    assert_string_equal(fake_wire_sent(&f), "");
    wire_gemini.commit(f.wire);
    wire_gemini.finish(f.wire);
    assert_string_equal(fake_wire_sent(&f), "{\"realtimeInput\":{\"audioStreamEnd\":true}}\n"
                                            "{\"realtimeInput\":{\"audioStreamEnd\":true}}\n");
    fake_wire_close(&f);
}

static void turns_are_best_detected_here(void **state)
{
    static const struct {
        enum backend_task task;
        enum backend_turns turns;
        bool detects;
    } cases[] = {
        {BACKEND_CONVERSE, BACKEND_TURNS_OWN, false},
        {BACKEND_CONVERSE, BACKEND_TURNS_CLIENT, false},
        {BACKEND_CONVERSE, BACKEND_TURNS_SERVER, true},
        {BACKEND_CONVERSE, BACKEND_TURNS_SEMANTIC, true},
        {BACKEND_TRANSCRIBE, BACKEND_TURNS_OWN, true},
        {BACKEND_TRANSLATE, BACKEND_TURNS_OWN, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_wire f = {.settings = {.turns = cases[i].turns}};
        open_as(&f, cases[i].task);
        assert_int_equal(wire_gemini.caps(f.wire)->detects, cases[i].detects);
        fake_wire_close(&f);
    }
}

static void a_failure_to_send_is_handed_back(void **state)
{
    const int16_t x[] = {0};
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    f.send_rc = -EPIPE;
    assert_int_equal(wire_gemini.audio(f.wire, x, 1), -EPIPE);
    assert_int_equal(wire_gemini.commit(f.wire), -EPIPE);
    assert_int_equal(wire_gemini.respond(f.wire, "Go on."), -EPIPE);
    fake_wire_close(&f);
}

/* --- what its messages mean */

static void a_turn_is_heard_and_answered(void **state)
{
    const int16_t x[] = {0};
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    wire_gemini.audio(f.wire, x, 1);
    expect_content(&f, "\"interimInputTranscription\":{\"text\":\"wot\"}",
                   "speech_started u1 -1 ms\nheard_part u1 'wot' anew\n");
    expect_content(&f, HEARD("what time"), "heard_part u1 'what time' anew\n");
    expect_content(&f, "\"interimInputTranscription\":{\"text\":\"what tie\"}",
                   ""); /* known better */
    expect_content(&f, HEARD(" is it"), "heard_part u1 ' is it'\n");
    expect_content(&f, SPOKEN("AQD//wIA"),
                   "speech_stopped u1 -1 ms\n"
                   "committed u1\n"
                   "heard u1 'what time is it'\n"
                   "reply_started r1\n"
                   "reply_audio r1 r1 3@24000 first 1\n");
    expect_content(&f, SAID("It is"), "reply_text r1 r1 'It is'\n");
    expect_content(&f, SAID(" ten."), "reply_text r1 r1 ' ten.'\n");
    expect_content(&f, GENERATED, "reply_done r1 complete\n");
    expect_content(&f, COMPLETE, "");
    expect_content(&f, HEARD("thanks"), "speech_started u2 -1 ms\nheard_part u2 'thanks' anew\n");
    fake_wire_close(&f);
}

static void words_that_come_late_belong_to_their_turn(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    fake_wire_take(&f, "{\"serverContent\":{" HEARD("what time") "}}");
    fake_wire_take(&f, "{\"serverContent\":{" SAID("Ten.") "}}");
    fake_wire_told(&f);
    expect_content(&f, HEARD(" is it"), "heard_part u1 ' is it'\n");
    expect_content(&f, GENERATED, "heard u1 'what time is it'\nreply_done r1 complete\n");
    expect_content(&f, SAID(" Bye."), "reply_text r1 r1 ' Bye.'\n");
    expect_content(&f, HEARD(" now"), "heard_part u1 ' now'\n");
    expect_content(&f, COMPLETE, "heard u1 'what time is it now'\n");
    fake_wire_close(&f);
}

static void who_interrupts_is_heard(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    fake_wire_take(&f, "{\"serverContent\":{" HEARD("tell me") "}}");
    fake_wire_take(&f, "{\"serverContent\":{" SAID("Once") "}}");
    fake_wire_told(&f);
    expect_content(&f, "\"interrupted\":true",
                   "interrupted r1\nreply_done r1 cancelled\nspeech_started u2 -1 ms\n");
    expect_content(&f, SAID(" upon"), "");
    expect_content(&f, HEARD("no, "), "heard_part u2 'no, ' anew\n");
    expect_content(&f, COMPLETE, "");
    expect_content(&f, HEARD("stop"), "heard_part u2 'stop'\n");
    expect_content(&f, SAID("Fine."),
                   "speech_stopped u2 -1 ms\ncommitted u2\nheard u2 'no, stop'\n"
                   "reply_started r2\nreply_text r2 r2 'Fine.'\n");
    /* Whoever writes does not speak. */
    wire_gemini.user_text(f.wire, "wait");
    wire_gemini.respond(f.wire, NULL);
    expect_content(&f, "\"interrupted\":true", "interrupted r2\nreply_done r2 cancelled\n");
    fake_wire_close(&f);
}

static void a_turn_without_words_is_told_too(void **state)
{
    const int16_t x[] = {0};
    struct fake_wire f = {.settings = OURS};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    wire_gemini.audio(f.wire, x, 1);
    wire_gemini.commit(f.wire);
    expect_content(&f, COMPLETE,
                   "committed u1\nreply_started r1\nheard_failed u1\nreply_done r1 complete\n");
    assert_string_equal(f.error.text, "the provider did not tell what it understood");
    /* Asked in writing: nothing was heard. */
    wire_gemini.user_text(f.wire, "hello");
    wire_gemini.respond(f.wire, NULL);
    expect_content(&f,
                   "\"modelTurn\":{\"parts\":[{\"text\":\"Hm\",\"thought\":true},"
                   "{\"text\":\"Hi.\"}]}," COMPLETE,
                   "reply_started r2\nreply_text r2 r2 'Hi.'\nreply_done r2 complete\n");
    fake_wire_close(&f);
}

static void an_unheard_turn_that_is_answered_was_one(void **state)
{
    const int16_t x[] = {0};
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    wire_gemini.audio(f.wire, x, 1);
    expect_content(&f, SAID("Yes?"), "committed u1\nreply_started r1\nreply_text r1 r1 'Yes?'\n");
    expect_content(&f, COMPLETE, "heard_failed u1\nreply_done r1 complete\n");
    fake_wire_close(&f);
}

static void speech_is_told_where_the_service_tells_it(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    expect_told(&f, "{\"voiceActivity\":{\"type\":\"ACTIVITY_START\",\"audioOffset\":\"1.25s\"}}",
                "speech_started u1 1250 ms\n");
    expect_content(&f, HEARD("hi"), "heard_part u1 'hi' anew\n");
    expect_told(&f, "{\"voiceActivity\":{\"type\":\"ACTIVITY_END\",\"audioOffset\":\"2s\"}}",
                "speech_stopped u1 2000 ms\n");
    expect_told(&f, "{\"voiceActivity\":{\"type\":\"ACTIVITY_END\",\"audioOffset\":2}}", "");
    expect_told(&f, "{\"voiceActivity\":{\"type\":\"ACTIVITY_SOMETHING\"}}", "");
    expect_told(&f, "{\"voiceActivity\":{\"type\":\"ACTIVITY_START\",\"audioOffset\":2}}",
                "committed u1\nheard u1 'hi'\nspeech_started u2 -1 ms\n");
    fake_wire_close(&f);
}

static void each_utterance_of_a_transcription_is_told(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_TRANSCRIBE);
    expect_content(&f, "\"interimInputTranscription\":{\"text\":\"o\"}",
                   "speech_started u1 -1 ms\nheard_part u1 'o' anew\n");
    expect_content(&f, "\"interimInputTranscription\":{\"text\":\"on\"}",
                   "heard_part u1 'on' anew\n");
    expect_content(&f, HEARD("One."), "heard_part u1 'One.' anew\n");
    expect_content(&f, "\"modelTurn\":{\"parts\":[{\"text\":\"One.\"}]}", "");
    expect_content(&f, GENERATED, "speech_stopped u1 -1 ms\ncommitted u1\nheard u1 'One.'\n");
    expect_content(&f, "\"inputTranscription\":{\"text\":\"Two.\",\"finished\":true}",
                   "speech_started u2 -1 ms\nheard_part u2 'Two.' anew\n"
                   "speech_stopped u2 -1 ms\ncommitted u2\nheard u2 'Two.'\n");
    expect_content(&f, COMPLETE, "");
    /* Nobody has said anything. */
    wire_gemini.commit(f.wire);
    expect_content(&f, GENERATED, "committed u3\nheard u3 ''\n");
    fake_wire_close(&f);
}

static void a_translation_is_a_stream(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_TRANSLATE);
    expect_content(&f, "\"interimInputTranscription\":{\"text\":\"o\"}", "");
    expect_content(&f, HEARD("one"), "heard_part 'one'\n");
    expect_content(&f, SPOKEN("AQD//wIA") "," SAID("uno"),
                   "reply_audio 3@24000 first 1\nreply_text 'uno'\n");
    expect_content(&f, GENERATED "," COMPLETE, "");
    expect_content(&f, "\"interrupted\":true", "");
    expect_content(&f, SAID(" dos"), "reply_text ' dos'\n");
    wire_gemini.finish(f.wire);
    expect_content(&f, COMPLETE, "ended\n");
    fake_wire_close(&f);
}

static void a_reply_that_is_broken_off_says_why(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    expect_content(&f, COMPLETE ",\"turnCompleteReason\":\"PROHIBITED_INPUT_CONTENT\"",
                   "reply_started r1\nreply_done r1 incomplete refused 0 ms\n");
    assert_string_equal(f.error.text, "the provider broke the reply off, because of "
                                      "'PROHIBITED_INPUT_CONTENT': try other words");
    /* Nothing to answer to, and nothing to wait for. */
    expect_content(&f, COMPLETE ",\"turnCompleteReason\":\"NEED_MORE_INPUT\"", "");
    expect_content(&f, COMPLETE ",\"interactionStatus\":\"IN_PROGRESS\"", "");
    expect_content(&f, "\"groundingMetadata\":{}", "");
    fake_wire_close(&f);
}

static void what_a_turn_costs_is_told(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    expect_told(&f,
                "{\"usageMetadata\":{"
                "\"promptTokenCount\":100,\"cachedContentTokenCount\":30,"
                "\"responseTokenCount\":50,\"thoughtsTokenCount\":7,"
                "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":40},"
                "{\"modality\":\"AUDIO\",\"tokenCount\":60}],"
                "\"cacheTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":10}],"
                "\"responseTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":45}]}}",
                "usage in 20+20 text 50+10 audio, out 12 text 45 audio\n");
    expect_told(&f, "{\"usageMetadata\":{\"promptTokenCount\":-5,\"responseTokenCount\":\"9\"}}",
                "");
    fake_wire_close(&f);
}

static void tools_that_are_called_do_not_exist(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    expect_told(&f,
                "{\"toolCall\":{\"functionCalls\":[{\"id\":\"c1\",\"name\":\"now\","
                "\"args\":{}},7,{\"name\":\"x\"}]}}",
                "");
    assert_string_equal(
        fake_wire_sent(&f),
        "{\"toolResponse\":{\"functionResponses\":["
        "{\"id\":\"c1\",\"name\":\"now\",\"response\":{\"error\":\"no such tool\"}},"
        "{\"name\":\"x\",\"response\":{\"error\":\"no such tool\"}}]}}\n");
    expect_told(&f, "{\"toolCall\":{\"functionCalls\":[]}}", "");
    expect_told(&f, "{\"toolCallCancellation\":{\"ids\":[\"c1\"]}}", "");
    assert_string_equal(fake_wire_sent(&f), "");
    fake_wire_close(&f);
}

static void the_end_of_a_connection_is_told_ahead(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    expect_told(&f, "{\"sessionResumptionUpdate\":{\"newHandle\":\"abc\",\"resumable\":true}}",
                "handle 'abc'\n");
    expect_told(&f, "{\"sessionResumptionUpdate\":{\"resumable\":false}}", "");
    expect_told(&f, "{\"sessionResumptionUpdate\":{\"newHandle\":\"abc\"}}", "");
    expect_told(&f, "{\"sessionResumptionUpdate\":{\"newHandle\":\"a b\",\"resumable\":true}}", "");
    expect_told(&f, "{\"goAway\":{\"timeLeft\":\"9.5s\"}}", "going 9500 ms\n");
    expect_told(&f, "{\"goAway\":{\"timeLeft\":\"soon\"}}", "going -1 ms\n");
    expect_told(&f, "{\"goAway\":{}}", "going -1 ms\n");
    expect_told(&f, "{\"goAway\":null}", "");
    fake_wire_close(&f);
}

static void errors_say_what_follows_from_them(void **state)
{
    static const struct {
        const char *error, *told;
    } cases[] = {
        {"{\"code\":401,\"message\":\"m\"}", "error forbidden -1 ms\n"},
        {"{\"status\":\"PERMISSION_DENIED\",\"message\":\"m\"}", "error forbidden -1 ms\n"},
        {"{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}", "error limited -1 ms\n"},
        {"{\"code\":404}", "error wrong -1 ms\n"},
        {"{\"code\":503}", "error server -1 ms\n"},
        {"{\"code\":400}", "error refused -1 ms\n"},
        {"\"words\"", "error refused -1 ms\n"},
    };
    struct fake_wire f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[200];
        open_ready(&f, BACKEND_CONVERSE);
        snprintf(json, sizeof json, "{\"error\":%s}", cases[i].error);
        expect_told(&f, json, cases[i].told);
        fake_wire_close(&f);
    }
    /* A setup that is refused will be refused again. */
    open_as(&f, BACKEND_CONVERSE);
    wire_gemini.start(f.wire);
    expect_told(&f, "{\"error\":{\"code\":400,\"message\":\"no \\u001bsuch model\"}}",
                "error wrong -1 ms\n");
    assert_string_equal(f.error.text,
                        "'Gemini Live' does not speak as it was configured (no such model); check "
                        "the model, the URL and the dialect");
    fake_wire_close(&f);
}

static void a_close_says_why_in_words(void **state)
{
    static const struct {
        int code;
        const char *reason;
        enum wire_fault fault;
    } cases[] = {
        {1007, "API key not valid. Please pass a valid API key.", WIRE_FORBIDDEN},
        {1007, "API key expired. Please renew the API key.", WIRE_FORBIDDEN},
        {1008, "Method doesn't allow unregistered callers (callers without established identity).",
         WIRE_FORBIDDEN},
        {1011, "You exceeded your current quota, please check your plan and billing details.",
         WIRE_SPENT},
        {1011, "Your prepayment credits are depleted.", WIRE_SPENT},
        {1008, "models/x is not found for API version v1beta, or is not supported", WIRE_WRONG},
        {1011, "Resource exhausted", WIRE_LIMITED},
        {1007, "Request contains an invalid argument.", WIRE_SERVER},
        {1011, "Deadline expired before operation could complete.", WIRE_SERVER},
        {1001, "", WIRE_SERVER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(wire_gemini.closed(cases[i].code, cases[i].reason), cases[i].fault);
}

static void nonsense_is_no_news(void **state)
{
#define BLOB(mime, data)                                                                  \
    "{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"inlineData\":{\"mimeType\":\"" mime \
    "\",\"data\":\"" data "\"}}]}}}"
    static const struct {
        const char *json;
        int rc;
        const char *told;
    } cases[] = {
        {"", -EBADMSG, ""},
        {"[]", -EBADMSG, ""},
        {"{\"serverContent\":", -EBADMSG, ""},
        {"{}", 0, ""},
        {"{\"serverContent\":[]}", 0, ""},
        {"{\"serverContent\":{\"modelTurn\":{\"parts\":{\"text\":\"x\"}}}}", 0, ""},
        {"{\"serverContent\":{\"modelTurn\":{\"parts\":[null,1,[],{}]}}}", 0, ""},
        {"{\"serverContent\":{\"inputTranscription\":{\"text\":7},\"interrupted\":\"yes\","
         "\"turnComplete\":1}}",
         0, ""},
        {BLOB("audio/pcm;rate=24000", "AQD/"), -EBADMSG, "reply_started r1\n"},
        {BLOB("audio/pcm;rate=99999999999", "AQD/"), 0, "unknown 'audio/pcm;rate=99999999999'\n"},
        {BLOB("audio/pcm;rate=16000", "AQA="), 0,
         "reply_started r1\nreply_audio r1 r1 1@16000 first 1\n"},
        {BLOB("audio/pcm", ""), 0, ""},
        {BLOB("image/png", "AQD/"), 0, "unknown 'image/png'\n"},
        {"{\"serverContent\":{\"outputTranscription\":{\"text\":\"a\\u001b[2Jb\"}}}", 0,
         "reply_started r1\nreply_text r1 r1 'a[2Jb'\n"},
        {"{\"newThing\":{},\"setupComplete\":7}", 0, "unknown 'newThing'\n"},
        {"{\"setupComplete\":{}}", 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_wire f = {0};
        open_ready(&f, BACKEND_CONVERSE);
        assert_int_equal(fake_wire_take(&f, cases[i].json), cases[i].rc);
        assert_string_equal(fake_wire_told(&f), cases[i].told);
        fake_wire_close(&f);
    }
}

static void words_that_come_twice_are_told_once(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    open_ready(&f, BACKEND_CONVERSE);
    expect_content(&f, "\"modelTurn\":{\"parts\":[{\"text\":\"Hi.\"}]}," SAID("Hi."),
                   "reply_started r1\nreply_text r1 r1 'Hi.'\n");
    expect_content(&f, COMPLETE, "reply_done r1 complete\n");
    expect_content(&f, SAID("Bye."), "reply_started r2\nreply_text r2 r2 'Bye.'\n");
    expect_content(&f, "\"modelTurn\":{\"parts\":[{\"text\":\"Bye.\"}]}", "");
    fake_wire_close(&f);
}

static void who_wants_no_speech_gets_none(void **state)
{
    struct fake_wire f = {0};

    (void)state;
    fake_wire_open(&f, dialect_find("gemini"), BACKEND_CONVERSE, NULL, false);
    expect_content(&f, SPOKEN("AQD//wIA") "," SAID("Hi."),
                   "reply_started r1\nreply_text r1 r1 'Hi.'\n");
    fake_wire_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_setup_says_as_little_as_the_settings),
        cmocka_unit_test(the_setup_says_all_that_is_set),
        cmocka_unit_test(a_model_that_takes_no_level_of_thinking_gets_none),
        cmocka_unit_test(a_transcription_and_a_translation_are_no_conversations),
        cmocka_unit_test(what_was_said_before_goes_ahead_of_the_microphone),
        cmocka_unit_test(the_last_question_of_before_is_asked_again),
        cmocka_unit_test(a_session_that_goes_on_is_not_told_what_it_knows),
        cmocka_unit_test(a_written_question_is_asked_once),
        cmocka_unit_test(turns_are_told_where_we_detect_them),
        cmocka_unit_test(the_service_is_told_when_the_audio_stops),
        cmocka_unit_test(turns_are_best_detected_here),
        cmocka_unit_test(a_failure_to_send_is_handed_back),
        cmocka_unit_test(a_turn_is_heard_and_answered),
        cmocka_unit_test(words_that_come_late_belong_to_their_turn),
        cmocka_unit_test(who_interrupts_is_heard),
        cmocka_unit_test(a_turn_without_words_is_told_too),
        cmocka_unit_test(an_unheard_turn_that_is_answered_was_one),
        cmocka_unit_test(speech_is_told_where_the_service_tells_it),
        cmocka_unit_test(each_utterance_of_a_transcription_is_told),
        cmocka_unit_test(a_translation_is_a_stream),
        cmocka_unit_test(a_reply_that_is_broken_off_says_why),
        cmocka_unit_test(what_a_turn_costs_is_told),
        cmocka_unit_test(tools_that_are_called_do_not_exist),
        cmocka_unit_test(the_end_of_a_connection_is_told_ahead),
        cmocka_unit_test(errors_say_what_follows_from_them),
        cmocka_unit_test(a_close_says_why_in_words),
        cmocka_unit_test(nonsense_is_no_news),
        cmocka_unit_test(words_that_come_twice_are_told_once),
        cmocka_unit_test(who_wants_no_speech_gets_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
