/* Gemini Live: what is sent, and what its messages mean. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/wire_notes.h"

static const struct dialect gemini = {.info = {.name = "gemini"}};

static void open_as(struct wire_notes *n, enum backend_task task,
                    const struct backend_settings *settings)
{
    wire_notes_open(n, &wire_gemini, wire_notes_config(&gemini, task, settings));
}

/* A session that is ready, with nothing noted. */
static void open_ready(struct wire_notes *n, enum backend_task task,
                       const struct backend_settings *settings)
{
    open_as(n, task, settings);
    assert_int_equal(wire_gemini.start(n->wire), 0);
    assert_int_equal(wire_notes_take(n, "{\"setupComplete\":{}}"), 0);
    buf_clear(&n->sent);
    buf_clear(&n->told);
}

static const struct backend_settings plain = {0};
static const struct backend_settings ours = {.turns = BACKEND_TURNS_CLIENT};

/* --- what is sent */

static void the_setup_says_as_little_as_the_settings(void **state)
{
    struct wire_notes n;

    (void)state;
    open_as(&n, BACKEND_CONVERSE, &plain);
    assert_int_equal(wire_gemini.start(n.wire), 0);
    wire_notes_assert_sent(
        &n, "{\"setup\":{\"model\":\"models/a-model\","
            "\"generationConfig\":{\"responseModalities\":[\"AUDIO\"]},"
            "\"inputAudioTranscription\":{},\"outputAudioTranscription\":{},"
            "\"realtimeInputConfig\":{\"activityHandling\":\"START_OF_ACTIVITY_INTERRUPTS\","
            "\"automaticActivityDetection\":{}},"
            "\"sessionResumption\":{},\"contextWindowCompression\":{\"slidingWindow\":{}}}}\n");
    wire_notes_close(&n);
}

static void the_setup_says_all_that_is_set(void **state)
{
    const struct backend_settings all = {.instructions = "Be\033 brief.",
                                         .voice = "Puck",
                                         .effort = "xhigh",
                                         .eagerness = "high",
                                         .language = "de",
                                         .max_tokens = 300};
    struct wire_config config = wire_notes_config(&gemini, BACKEND_CONVERSE, &all);
    struct wire_notes n;

    (void)state;
    config.model = "tunedModels/mine";
    config.handle = "h-1";
    wire_notes_open(&n, &wire_gemini, config);
    assert_int_equal(wire_gemini.start(n.wire), 0);
    wire_notes_assert_sent(
        &n, "{\"setup\":{\"model\":\"tunedModels/mine\","
            "\"generationConfig\":{\"responseModalities\":[\"AUDIO\"],\"maxOutputTokens\":300,"
            "\"speechConfig\":{\"voiceConfig\":{\"prebuiltVoiceConfig\":{\"voiceName\":\"Puck\"}}},"
            "\"thinkingConfig\":{\"thinkingLevel\":\"XHIGH\"}},"
            "\"inputAudioTranscription\":{\"languageCodes\":[\"de\"]},"
            "\"outputAudioTranscription\":{},"
            "\"realtimeInputConfig\":{\"activityHandling\":\"START_OF_ACTIVITY_INTERRUPTS\","
            "\"automaticActivityDetection\":{\"endOfSpeechSensitivity\":\"END_SENSITIVITY_HIGH\","
            "\"silenceDurationMs\":350}},"
            "\"systemInstruction\":{\"parts\":[{\"text\":\"Be brief.\"}]},"
            "\"sessionResumption\":{\"handle\":\"h-1\"},"
            "\"contextWindowCompression\":{\"slidingWindow\":{}}}}\n");
    wire_notes_close(&n);
}

static void a_transcription_and_a_translation_are_no_conversations(void **state)
{
    const struct backend_settings to = {.to = "es", .instructions = "Be brief.", .language = "en"};
    struct wire_notes n;

    (void)state;
    open_as(&n, BACKEND_TRANSCRIBE, &to);
    assert_int_equal(wire_gemini.start(n.wire), 0);
    wire_notes_assert_sent(
        &n, "{\"setup\":{\"model\":\"models/a-model\","
            "\"generationConfig\":{\"responseModalities\":[\"TEXT\"]},"
            "\"inputAudioTranscription\":{\"languageCodes\":[\"en\"]},"
            "\"realtimeInputConfig\":{\"activityHandling\":\"START_OF_ACTIVITY_INTERRUPTS\","
            "\"automaticActivityDetection\":{}}}}\n");
    wire_notes_close(&n);

    open_as(&n, BACKEND_TRANSLATE, &to);
    assert_int_equal(wire_gemini.start(n.wire), 0);
    wire_notes_assert_sent(&n, "{\"setup\":{\"model\":\"models/a-model\","
                               "\"generationConfig\":{\"responseModalities\":[\"AUDIO\"],"
                               "\"translationConfig\":{\"targetLanguageCode\":\"es\"}},"
                               "\"inputAudioTranscription\":{\"languageCodes\":[\"en\"]},"
                               "\"outputAudioTranscription\":{}}}\n");
    assert_true(wire_gemini.caps(n.wire)->continuous);
    wire_notes_close(&n);
}

static void what_was_said_before_goes_ahead_of_the_microphone(void **state)
{
    const int16_t x[] = {1, -1, 2};
    struct wire_notes n;

    (void)state;
    open_as(&n, BACKEND_CONVERSE, &plain);
    assert_int_equal(wire_gemini.user_text(n.wire, "say \"hi\""), 0);
    assert_int_equal(wire_gemini.assistant_text(n.wire, "hi"), 0);
    assert_int_equal(wire_gemini.user_text(n.wire, " "), 0);
    assert_int_equal(wire_gemini.start(n.wire), 0);
    assert_non_null(
        strstr(buf_str(&n.sent), "\"historyConfig\":{\"initialHistoryInClientContent\":true}"));
    buf_clear(&n.sent);
    wire_notes_take(&n, "{\"setupComplete\":{}}");
    wire_notes_assert_told(&n, "READY\nSETTLED\n");
    assert_int_equal(wire_gemini.audio(n.wire, x, 3), 0);
    assert_int_equal(wire_gemini.audio(n.wire, x, 3), 0);
    wire_notes_assert_sent(&n,
                           "{\"clientContent\":{\"turnComplete\":true,\"turns\":["
                           "{\"role\":\"user\",\"parts\":[{\"text\":\"say \\\"hi\\\"\"}]},"
                           "{\"role\":\"model\",\"parts\":[{\"text\":\"hi\"}]}]}}\n"
                           "{\"realtimeInput\":{\"audio\":{\"mimeType\":\"audio/pcm;rate=16000\","
                           "\"data\":\"AQD//wIA\"}}}\n"
                           "{\"realtimeInput\":{\"audio\":{\"mimeType\":\"audio/pcm;rate=16000\","
                           "\"data\":\"AQD//wIA\"}}}\n");
    wire_notes_close(&n);
}

static void the_last_question_of_before_is_asked_again(void **state)
{
    struct wire_notes n;

    (void)state;
    open_as(&n, BACKEND_CONVERSE, &plain);
    wire_gemini.user_text(n.wire, "one");
    wire_gemini.assistant_text(n.wire, "two");
    wire_gemini.user_text(n.wire, "three");
    wire_gemini.start(n.wire);
    wire_notes_take(&n, "{\"setupComplete\":{}}");
    buf_clear(&n.sent);
    assert_int_equal(wire_gemini.respond(n.wire, NULL), 0);
    wire_notes_assert_sent(&n, "{\"clientContent\":{\"turnComplete\":true,\"turns\":["
                               "{\"role\":\"user\",\"parts\":[{\"text\":\"one\"}]},"
                               "{\"role\":\"model\",\"parts\":[{\"text\":\"two\"}]}]}}\n"
                               "{\"realtimeInput\":{\"text\":\"three\"}}\n");
    wire_notes_close(&n);
}

static void a_session_that_goes_on_is_not_told_what_it_knows(void **state)
{
    struct wire_config config = wire_notes_config(&gemini, BACKEND_CONVERSE, &plain);
    struct wire_notes n;

    (void)state;
    config.handle = "h";
    wire_notes_open(&n, &wire_gemini, config);
    wire_gemini.user_text(n.wire, "one");
    wire_gemini.assistant_text(n.wire, "two");
    wire_gemini.start(n.wire);
    assert_null(strstr(buf_str(&n.sent), "historyConfig"));
    wire_notes_take(&n, "{\"setupComplete\":{}}");
    buf_clear(&n.sent);
    wire_gemini.respond(n.wire, "Go on where you stopped.");
    wire_notes_assert_sent(&n, "{\"realtimeInput\":{\"text\":\"Go on where you stopped.\"}}\n");
    wire_notes_close(&n);
}

static void a_written_question_is_asked_once(void **state)
{
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_gemini.user_text(n.wire, "what time is it?");
    wire_notes_assert_sent(&n, "");
    wire_gemini.respond(n.wire, "Be brief.");
    wire_gemini.respond(n.wire, NULL);
    wire_notes_assert_sent(
        &n, "{\"realtimeInput\":{\"text\":\"what time is it?\\n\\n(Be brief.)\"}}\n");
    wire_notes_close(&n);
}

static void turns_are_told_where_we_detect_them(void **state)
{
    const int16_t x[] = {0};
    struct wire_notes n;

    (void)state;
    open_as(&n, BACKEND_CONVERSE, &ours);
    wire_gemini.start(n.wire);
    assert_non_null(strstr(buf_str(&n.sent), "\"automaticActivityDetection\":{\"disabled\":true},"
                                             "\"turnCoverage\":\"TURN_INCLUDES_ALL_INPUT\""));
    wire_notes_take(&n, "{\"setupComplete\":{}}");
    buf_clear(&n.sent);
    wire_gemini.activity(n.wire, true);
    wire_gemini.activity(n.wire, false);
    wire_gemini.activity(n.wire, true);
    wire_gemini.audio(n.wire, x, 1);
    wire_gemini.commit(n.wire);
    wire_gemini.respond(n.wire, NULL);
    wire_notes_assert_sent(&n,
                           "{\"realtimeInput\":{\"activityStart\":{}}}\n"
                           "{\"realtimeInput\":{\"audio\":{\"mimeType\":\"audio/pcm;rate=16000\","
                           "\"data\":\"AAA=\"}}}\n"
                           "{\"realtimeInput\":{\"activityEnd\":{}}}\n");
    /* A turn whose begin nobody saw is one all the same. */
    wire_gemini.commit(n.wire);
    wire_notes_assert_sent(&n, "{\"realtimeInput\":{\"activityStart\":{}}}\n"
                               "{\"realtimeInput\":{\"activityEnd\":{}}}\n");
    wire_gemini.finish(n.wire);
    wire_notes_assert_sent(&n, "");
    wire_gemini.activity(n.wire, true);
    wire_gemini.finish(n.wire);
    wire_notes_assert_sent(&n, "{\"realtimeInput\":{\"activityStart\":{}}}\n"
                               "{\"realtimeInput\":{\"activityEnd\":{}}}\n");
    wire_notes_close(&n);
}

static void the_service_is_told_when_the_audio_stops(void **state)
{
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_gemini.activity(n.wire, true);
    wire_gemini.activity(n.wire, false);
    wire_notes_assert_sent(&n, "");
    wire_gemini.commit(n.wire);
    wire_gemini.finish(n.wire);
    wire_notes_assert_sent(&n, "{\"realtimeInput\":{\"audioStreamEnd\":true}}\n"
                               "{\"realtimeInput\":{\"audioStreamEnd\":true}}\n");
    wire_notes_close(&n);
}

static void a_failure_to_send_is_handed_back(void **state)
{
    const int16_t x[] = {0};
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    n.send_result = -EPIPE;
    assert_int_equal(wire_gemini.audio(n.wire, x, 1), -EPIPE);
    assert_int_equal(wire_gemini.commit(n.wire), -EPIPE);
    assert_int_equal(wire_gemini.respond(n.wire, "Go on."), -EPIPE);
    wire_notes_close(&n);
}

/* --- what its messages mean */

static void a_turn_is_heard_and_answered(void **state)
{
    const int16_t x[] = {0};
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_gemini.audio(n.wire, x, 1);
    wire_notes_take(&n, "{\"serverContent\":{\"interimInputTranscription\":{\"text\":\"wot\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\"what time\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\" is it\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"inlineData\":{"
                        "\"mimeType\":\"audio/pcm;rate=24000\",\"data\":\"AQD//wIA\"}}]}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"outputTranscription\":{\"text\":\"It is\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"outputTranscription\":{\"text\":\" ten.\"}}}");
    wire_notes_assert_told(&n, "HEARD_PART u1 'wot' anew\n"
                               "HEARD_PART u1 'what time' anew\n"
                               "HEARD_PART u1 ' is it'\n"
                               "COMMITTED u1\n"
                               "HEARD u1 'what time is it'\n"
                               "REPLY_STARTED r1\n"
                               "REPLY_AUDIO r1 3 at 24000\n"
                               "REPLY_TEXT r1 'It is'\n"
                               "REPLY_TEXT r1 ' ten.'\n");
    assert_int_equal(n.samples[1], -1);
    wire_notes_take(&n, "{\"serverContent\":{\"generationComplete\":true}}");
    wire_notes_assert_told(&n, "REPLY_DONE r1 complete\n");
    wire_notes_take(&n, "{\"serverContent\":{\"turnComplete\":true},\"usageMetadata\":{"
                        "\"promptTokenCount\":100,\"cachedContentTokenCount\":30,"
                        "\"responseTokenCount\":50,\"thoughtsTokenCount\":7,"
                        "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":40},"
                        "{\"modality\":\"AUDIO\",\"tokenCount\":60}],"
                        "\"cacheTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":10}],"
                        "\"responseTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":45}]}}");
    wire_notes_assert_told(&n, "USAGE text_in=40 text_cached=20 audio_in=60 audio_cached=10 "
                               "text_out=12 audio_out=45\n");
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\"thanks\"}}}");
    wire_notes_assert_told(&n, "HEARD_PART u2 'thanks' anew\n");
    wire_notes_close(&n);
}

static void words_that_come_late_belong_to_their_turn(void **state)
{
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\"what time\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"outputTranscription\":{\"text\":\"Ten.\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\" is it\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"generationComplete\":true}}");
    wire_notes_take(&n, "{\"serverContent\":{\"outputTranscription\":{\"text\":\" Bye.\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"turnComplete\":true}}");
    wire_notes_assert_told(&n, "HEARD_PART u1 'what time' anew\n"
                               "COMMITTED u1\n"
                               "HEARD u1 'what time'\n"
                               "REPLY_STARTED r1\n"
                               "REPLY_TEXT r1 'Ten.'\n"
                               "HEARD_PART u1 ' is it'\n"
                               "HEARD u1 'what time is it'\n"
                               "REPLY_DONE r1 complete\n"
                               "REPLY_TEXT r1 ' Bye.'\n");
    wire_notes_close(&n);
}

static void who_interrupts_is_heard(void **state)
{
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\"tell me\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"outputTranscription\":{\"text\":\"Once\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"interrupted\":true}}");
    wire_notes_take(&n, "{\"serverContent\":{\"outputTranscription\":{\"text\":\" upon\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\"no, stop\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"turnComplete\":true}}");
    wire_notes_take(&n, "{\"serverContent\":{\"outputTranscription\":{\"text\":\"Fine.\"}}}");
    wire_notes_assert_told(&n, "HEARD_PART u1 'tell me' anew\n"
                               "COMMITTED u1\n"
                               "HEARD u1 'tell me'\n"
                               "REPLY_STARTED r1\n"
                               "REPLY_TEXT r1 'Once'\n"
                               "INTERRUPTED r1\n"
                               "REPLY_DONE r1 cancelled\n"
                               "HEARD_PART u2 'no, stop' anew\n"
                               "COMMITTED u2\n"
                               "HEARD u2 'no, stop'\n"
                               "REPLY_STARTED r2\n"
                               "REPLY_TEXT r2 'Fine.'\n");
    wire_notes_close(&n);
}

static void a_turn_without_words_is_told_too(void **state)
{
    const int16_t x[] = {0};
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &ours);
    wire_gemini.audio(n.wire, x, 1);
    wire_gemini.commit(n.wire);
    wire_notes_take(&n, "{\"serverContent\":{\"turnComplete\":true}}");
    wire_notes_assert_told(&n, "COMMITTED u1\n"
                               "REPLY_STARTED r1\n"
                               "HEARD_FAILED u1 'the provider did not tell what it understood'\n"
                               "REPLY_DONE r1 complete\n");
    /* Asked in writing: nothing was heard. */
    wire_gemini.user_text(n.wire, "hello");
    wire_gemini.respond(n.wire, NULL);
    wire_notes_take(&n, "{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"text\":\"Hm\","
                        "\"thought\":true},{\"text\":\"Hi.\"}]},\"turnComplete\":true}}");
    wire_notes_assert_told(&n, "REPLY_STARTED r2\nREPLY_TEXT r2 'Hi.'\nREPLY_DONE r2 complete\n");
    wire_notes_close(&n);
}

static void an_unheard_turn_that_is_answered_was_one(void **state)
{
    const int16_t x[] = {0};
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_gemini.audio(n.wire, x, 1);
    wire_notes_take(&n, "{\"serverContent\":{\"outputTranscription\":{\"text\":\"Yes?\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"turnComplete\":true}}");
    wire_notes_assert_told(&n, "COMMITTED u1\n"
                               "REPLY_STARTED r1\n"
                               "REPLY_TEXT r1 'Yes?'\n"
                               "HEARD_FAILED u1 'the provider did not tell what it understood'\n"
                               "REPLY_DONE r1 complete\n");
    wire_notes_close(&n);
}

static void speech_is_told_where_the_service_tells_it(void **state)
{
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_notes_take(&n,
                    "{\"voiceActivity\":{\"type\":\"ACTIVITY_START\",\"audioOffset\":\"1.25s\"}}");
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\"hi\"}}}");
    wire_notes_take(&n, "{\"voiceActivity\":{\"type\":\"ACTIVITY_END\",\"audioOffset\":\"2s\"}}");
    wire_notes_take(&n, "{\"voiceActivity\":{\"type\":\"ACTIVITY_END\",\"audioOffset\":2}}");
    wire_notes_take(&n, "{\"voiceActivity\":{\"type\":\"ACTIVITY_SOMETHING\"}}");
    wire_notes_assert_told(&n, "SPEECH_STARTED u1 1250\nHEARD_PART u1 'hi' anew\n"
                               "SPEECH_STOPPED u1 2000\nSPEECH_STOPPED u1 -1\n");
    wire_notes_close(&n);
}

static void each_utterance_of_a_transcription_is_told(void **state)
{
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_TRANSCRIBE, &plain);
    wire_notes_take(&n, "{\"serverContent\":{\"interimInputTranscription\":{\"text\":\"o\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"interimInputTranscription\":{\"text\":\"on\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\"One.\"}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"text\":\"One.\"}]}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"generationComplete\":true}}");
    wire_notes_take(&n, "{\"serverContent\":{\"inputTranscription\":{\"text\":\"Two.\","
                        "\"finished\":true}}}");
    wire_notes_take(&n, "{\"serverContent\":{\"turnComplete\":true}}");
    wire_notes_assert_told(&n, "HEARD_PART u1 'o' anew\nHEARD_PART u1 'on' anew\n"
                               "HEARD_PART u1 'One.' anew\nCOMMITTED u1\nHEARD u1 'One.'\n"
                               "HEARD_PART u2 'Two.' anew\nCOMMITTED u2\nHEARD u2 'Two.'\n");
    wire_notes_close(&n);
}

static void a_reply_that_is_broken_off_says_why(void **state)
{
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_notes_take(&n, "{\"serverContent\":{\"turnComplete\":true,"
                        "\"turnCompleteReason\":\"PROHIBITED_INPUT_CONTENT\"}}");
    wire_notes_assert_told(&n,
                           "REPLY_STARTED r1\n"
                           "REPLY_DONE r1 incomplete 'the provider broke the reply off, because "
                           "of 'PROHIBITED_INPUT_CONTENT': try other words'\n");
    /* Nothing to answer to, and nothing to wait for. */
    wire_notes_take(&n, "{\"serverContent\":{\"turnComplete\":true,"
                        "\"turnCompleteReason\":\"NEED_MORE_INPUT\"}}");
    wire_notes_take(&n, "{\"serverContent\":{\"turnComplete\":true,"
                        "\"interactionStatus\":\"IN_PROGRESS\"}}");
    wire_notes_take(&n, "{\"serverContent\":{}}");
    wire_notes_assert_told(&n, "");
    wire_notes_close(&n);
}

static void tools_that_are_called_do_not_exist(void **state)
{
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_notes_take(&n, "{\"toolCall\":{\"functionCalls\":[{\"id\":\"c1\",\"name\":\"now\","
                        "\"args\":{}},7,{\"name\":\"x\"}]}}");
    wire_notes_assert_sent(
        &n, "{\"toolResponse\":{\"functionResponses\":["
            "{\"response\":{\"error\":\"no such tool\"},\"id\":\"c1\",\"name\":\"now\"},"
            "{\"response\":{\"error\":\"no such tool\"},\"name\":\"x\"}]}}\n");
    wire_notes_take(&n, "{\"toolCall\":{\"functionCalls\":[]}}");
    wire_notes_take(&n, "{\"toolCallCancellation\":{\"ids\":[\"c1\"]}}");
    wire_notes_assert_sent(&n, "");
    wire_notes_assert_told(&n, "");
    wire_notes_close(&n);
}

static void the_end_of_a_connection_is_told_ahead(void **state)
{
    struct wire_notes n;

    (void)state;
    open_ready(&n, BACKEND_CONVERSE, &plain);
    wire_notes_take(&n, "{\"sessionResumptionUpdate\":{\"newHandle\":\"abc\",\"resumable\":true}}");
    wire_notes_take(&n, "{\"sessionResumptionUpdate\":{\"resumable\":false}}");
    wire_notes_take(&n, "{\"sessionResumptionUpdate\":{\"newHandle\":\"abc\"}}");
    wire_notes_take(&n, "{\"sessionResumptionUpdate\":{\"newHandle\":\"a b\",\"resumable\":true}}");
    wire_notes_take(&n, "{\"goAway\":{\"timeLeft\":\"9.5s\"}}");
    wire_notes_take(&n, "{\"goAway\":{\"timeLeft\":\"soon\"}}");
    wire_notes_take(&n, "{\"goAway\":{}}");
    wire_notes_take(&n, "{\"goAway\":null}");
    wire_notes_assert_told(&n, "HANDLE 'abc'\nGOING 9500\nGOING -1\nGOING -1\n");
    wire_notes_close(&n);
}

static void errors_say_what_follows_from_them(void **state)
{
    static const struct {
        const char *error, *told;
    } cases[] = {
        {"{\"code\":401,\"message\":\"bad key\"}", "forbidden"},
        {"{\"status\":\"PERMISSION_DENIED\",\"message\":\"bad key\"}", "forbidden"},
        {"{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"bad key\"}", "limited"},
        {"{\"code\":404,\"message\":\"bad key\"}", "wrong"},
        {"{\"code\":503,\"message\":\"bad key\"}", "server"},
        {"{\"code\":400,\"message\":\"bad key\"}", "refused"},
    };
    struct wire_notes n;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[200], told[200];
        open_ready(&n, BACKEND_CONVERSE, &plain);
        snprintf(json, sizeof json, "{\"error\":%s}", cases[i].error);
        snprintf(told, sizeof told, "ERROR %s 'the provider reports an error: \"bad key\"'\n",
                 cases[i].told);
        wire_notes_take(&n, json);
        wire_notes_assert_told(&n, told);
        wire_notes_close(&n);
    }
    /* A setup that is refused will be refused again. */
    open_as(&n, BACKEND_CONVERSE, &plain);
    wire_gemini.start(n.wire);
    wire_notes_take(&n, "{\"error\":{\"code\":400}}");
    wire_notes_assert_told(&n, "ERROR wrong 'the provider reports an error'\n");
    wire_notes_close(&n);
}

static void nonsense_is_no_news(void **state)
{
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
        {"{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"inlineData\":{\"mimeType\":"
         "\"audio/pcm;rate=24000\",\"data\":\"AQD/\"}}]}}}",
         -EBADMSG, "REPLY_STARTED r1\n"},
        {"{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"inlineData\":{\"mimeType\":"
         "\"audio/pcm;rate=99999999999\",\"data\":\"AQD/\"}}]}}}",
         0, "UNKNOWN 'audio/pcm;rate=99999999999'\n"},
        {"{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"inlineData\":{\"mimeType\":"
         "\"image/png\",\"data\":\"AQD/\"}}]}}}",
         0, "UNKNOWN 'image/png'\n"},
        {"{\"serverContent\":{\"outputTranscription\":{\"text\":\"a\\u001b[2Jb\"}}}", 0,
         "REPLY_STARTED r1\nREPLY_TEXT r1 'a[2Jb'\n"},
        {"{\"usageMetadata\":{\"promptTokenCount\":-5,\"responseTokenCount\":\"9\"}}", 0, ""},
        {"{\"newThing\":{},\"setupComplete\":7}", 0, "UNKNOWN 'newThing'\n"},
        {"{\"setupComplete\":{}}", 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire_notes n;
        open_ready(&n, BACKEND_CONVERSE, &plain);
        assert_int_equal(wire_notes_take(&n, cases[i].json), cases[i].rc);
        wire_notes_assert_told(&n, cases[i].told);
        wire_notes_close(&n);
    }
}

static void who_wants_no_speech_gets_none(void **state)
{
    struct wire_config config = wire_notes_config(&gemini, BACKEND_CONVERSE, &plain);
    struct wire_notes n;

    (void)state;
    config.speak = false;
    wire_notes_open(&n, &wire_gemini, config);
    wire_notes_take(&n, "{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"inlineData\":{"
                        "\"mimeType\":\"audio/pcm\",\"data\":\"AQD//wIA\"}}]},"
                        "\"outputTranscription\":{\"text\":\"Hi.\"}}}");
    wire_notes_assert_told(&n, "REPLY_STARTED r1\nREPLY_TEXT r1 'Hi.'\n");
    wire_notes_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_setup_says_as_little_as_the_settings),
        cmocka_unit_test(the_setup_says_all_that_is_set),
        cmocka_unit_test(a_transcription_and_a_translation_are_no_conversations),
        cmocka_unit_test(what_was_said_before_goes_ahead_of_the_microphone),
        cmocka_unit_test(the_last_question_of_before_is_asked_again),
        cmocka_unit_test(a_session_that_goes_on_is_not_told_what_it_knows),
        cmocka_unit_test(a_written_question_is_asked_once),
        cmocka_unit_test(turns_are_told_where_we_detect_them),
        cmocka_unit_test(the_service_is_told_when_the_audio_stops),
        cmocka_unit_test(a_failure_to_send_is_handed_back),
        cmocka_unit_test(a_turn_is_heard_and_answered),
        cmocka_unit_test(words_that_come_late_belong_to_their_turn),
        cmocka_unit_test(who_interrupts_is_heard),
        cmocka_unit_test(a_turn_without_words_is_told_too),
        cmocka_unit_test(an_unheard_turn_that_is_answered_was_one),
        cmocka_unit_test(speech_is_told_where_the_service_tells_it),
        cmocka_unit_test(each_utterance_of_a_transcription_is_told),
        cmocka_unit_test(a_reply_that_is_broken_off_says_why),
        cmocka_unit_test(tools_that_are_called_do_not_exist),
        cmocka_unit_test(the_end_of_a_connection_is_told_ahead),
        cmocka_unit_test(errors_say_what_follows_from_them),
        cmocka_unit_test(nonsense_is_no_news),
        cmocka_unit_test(who_wants_no_speech_gets_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
