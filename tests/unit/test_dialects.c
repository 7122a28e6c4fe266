/* Every provider that we know, by the same table: where we connect, how the key goes there, what a
 * session says, and what becomes of its words for the same few events. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_wire.h"

/* JSON is written with ' for " in this file. */
static const char *json(struct buf *b, const char *s)
{
    buf_clear(b);
    buf_adds(b, s);
    for (size_t i = 0; i < b->len; i++)
        if (b->data[i] == '\'')
            b->data[i] = '"';
    return buf_str(b);
}

enum { NEWS = 12 };

struct provider {
    const char *name;
    const char *url, *model; /* of the endpoint */
    struct endpoint_value values[8];
    const char *goes_to, *with; /* with the key "K-1" */
    const char *update;         /* for instructions "hi", the server's turn detection */
    const char *append;         /* of the samples 1, 2, 3 */
    const char *news[NEWS];
    const char *told;
};

#define PCM24  "{'type':'audio/pcm','rate':24000}"
#define APPEND "{'type':'input_audio_buffer.append','audio':'AQACAAMA'}\n"
#define VAD \
    "'turn_detection':{'type':'server_vad','create_response':true,'interrupt_response':true}"
#define OUTPUT "'output':{'format':" PCM24 "}"

#define GA_UPDATE(input, output)                                                                   \
    "{'type':'session.update','event_id':'settings','session':{'type':'realtime','instructions':'" \
    "hi',"                                                                                         \
    "'output_modalities':['audio'],'audio':{'input':{'format':" PCM24 input "," VAD "}," output    \
    "}}}\n"

#define HEARD_NEWS                                                                        \
    "{'type':'input_audio_buffer.speech_started','audio_start_ms':40,'item_id':'i1'}",    \
        "{'type':'input_audio_buffer.speech_stopped','audio_end_ms':900,'item_id':'i1'}", \
        "{'type':'input_audio_buffer.committed','item_id':'i1'}",                         \
        "{'type':'conversation.item.input_audio_transcription.completed','item_id':'i1'," \
        "'transcript':'Hello.'}",                                                         \
        "{'type':'response.created','response':{'id':'r1'}}"
#define HEARD_TOLD                                                                         \
    "speech_started i1 40 ms\nspeech_stopped i1 900 ms\ncommitted i1\nheard i1 'Hello.'\n" \
    "reply_started r1\n"

#define GA_REPLY                                                                          \
    "{'type':'response.output_audio_transcript.delta','response_id':'r1','item_id':'i2'," \
    "'delta':'Yes.'}",                                                                    \
        "{'type':'response.output_audio.delta','response_id':'r1','item_id':'i2',"        \
        "'delta':'AQACAAMA'}"
#define BETA_REPLY                                                                 \
    "{'type':'response.audio_transcript.delta','response_id':'r1','item_id':'i2'," \
    "'delta':'Yes.'}",                                                             \
        "{'type':'response.audio.delta','response_id':'r1','item_id':'i2','delta':'AQACAAMA'}"
#define REPLY_TOLD "reply_text r1 i2 'Yes.'\nreply_audio r1 i2 3@24000 first 1\n"

#define END                                                                 \
    "{'type':'response.done','response':{'id':'r1','status':'completed'}}", \
        "{'type':'error','error':{'type':'invalid_request_error','code':"   \
        "'response_cancel_not_active','message':'no reply'}}"
#define END_TOLD "reply_done r1 complete\nerror refused -1 ms\n"

static const struct provider providers[] = {
    {.name = "openai",
     .goes_to = "wss://api.openai.com/v1/realtime?model=gpt-realtime-2",
     .with = "Authorization: Bearer K-1",
     .update = GA_UPDATE(",'transcription':{'model':'gpt-transcribe'}",
                         "'output':{'format':" PCM24 ",'voice':'marin'}"),
     .append = APPEND,
     .news = {"{'type':'session.created'}", HEARD_NEWS, GA_REPLY, END},
     .told = "ready\n" HEARD_TOLD REPLY_TOLD END_TOLD},
    {.name = "gpt-live",
     .goes_to = "wss://api.openai.com/v1/live/sessions",
     .with = "Authorization: Bearer K-1",
     .update = "{'type':'session.start','session':{'model':'m','instructions':'hi',"
               "'audio':{'format':" PCM24 ",'output':{'voice':'marin'}},"
               "'delegation':{'type':'client'}}}\n",
     .append = "{'type':'session.input_audio.append','audio':'AQACAAMA'}\n",
     .news = {"{'type':'session.started'}",
              "{'type':'session.input_transcript.delta','delta':'Hello.'}",
              "{'type':'session.output_transcript.delta','delta':'Yes.'}",
              "{'type':'session.output_audio.delta','delta':'AAEAAQAB'}",
              "{'type':'session.usage.updated','usage':{'seconds':2}}",
              "{'type':'session.closed','reason':'close_requested'}"},
     .told = "ready\nsettled\nheard_part 'Hello.'\nreply_text 'Yes.'\n"
             "reply_audio 3@24000 first 256\nusage 2 s\nended\n"},
    {.name = "gemini",
     .goes_to = "wss://generativelanguage.googleapis.com/ws/"
                "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
     .with = "x-goog-api-key: K-1",
     .update = "{'setup':{'model':'models/m','generationConfig':{'responseModalities':['AUDIO']},"
               "'inputAudioTranscription':{},'outputAudioTranscription':{},"
               "'realtimeInputConfig':{'automaticActivityDetection':{},"
               "'activityHandling':'START_OF_ACTIVITY_INTERRUPTS'},"
               "'systemInstruction':{'parts':[{'text':'hi'}]},'sessionResumption':{},"
               "'contextWindowCompression':{'slidingWindow':{}}}}\n",
     .append = "{'realtimeInput':{'audio':{'mimeType':'audio/pcm;rate=16000',"
               "'data':'AQACAAMA'}}}\n",
     .news = {"{'setupComplete':{}}", "{'serverContent':{'inputTranscription':{'text':'Hello.'}}}",
              "{'serverContent':{'outputTranscription':{'text':'Yes.'}}}",
              "{'serverContent':{'modelTurn':{'parts':[{'inlineData':{"
              "'mimeType':'audio/pcm;rate=24000','data':'AQACAAMA'}}]}}}",
              "{'serverContent':{'generationComplete':true}}",
              "{'serverContent':{'turnComplete':true}}", "{'goAway':{'timeLeft':'60s'}}"},
     .told = "ready\nsettled\nspeech_started u1 -1 ms\nheard_part u1 'Hello.' anew\n"
             "speech_stopped u1 -1 ms\ncommitted u1\nheard u1 'Hello.'\nreply_started r1\n"
             "reply_text r1 r1 'Yes.'\nreply_audio r1 r1 3@24000 first 1\n"
             "reply_done r1 complete\ngoing 60000 ms\n"},
    {.name = "azure",
     .model = "my voice/1",
     .values = {{"resource", "contoso"}},
     .goes_to = "wss://contoso.openai.azure.com/openai/v1/realtime?model=my%20voice%2F1",
     .with = "api-key: K-1",
     .update = GA_UPDATE(",'transcription':{'model':'whisper-1'}", OUTPUT),
     .append = APPEND,
     .news = {"{'type':'session.created'}", HEARD_NEWS, GA_REPLY, END},
     .told = "ready\n" HEARD_TOLD REPLY_TOLD END_TOLD},
    {.name = "xai",
     .goes_to = "wss://api.x.ai/v1/realtime",
     .with = "Authorization: Bearer K-1",
     .update = "{'type':'session.update','event_id':'settings','session':{'instructions':'hi',"
               "'turn_detection':{'type':'server_vad'},"
               "'audio':{'input':{'format':" PCM24 "}," OUTPUT "}}}\n",
     .append = APPEND,
     .news = {"{'type':'conversation.created'}", HEARD_NEWS, GA_REPLY, END},
     .told = "ready\n" HEARD_TOLD REPLY_TOLD END_TOLD},
    {.name = "elevenlabs",
     .model = "agent_1",
     .goes_to = "wss://api.elevenlabs.io/v1/convai/realtime?model=agent_1",
     .with = "Authorization: Bearer K-1",
     .update = GA_UPDATE("", OUTPUT),
     .append = APPEND,
     .news = {"{'type':'session.created'}", HEARD_NEWS, GA_REPLY, END},
     .told = "ready\n" HEARD_TOLD REPLY_TOLD END_TOLD},
    {.name = "inworld",
     .url = "wss://api.inworld.ai/api/v1/realtime/session?key=s-1&protocol=realtime",
     .goes_to = "wss://api.inworld.ai/api/v1/realtime/session?key=s-1&protocol=realtime",
     .with = "Authorization: Basic K-1",
     .update = GA_UPDATE(",'transcription':{'model':'inworld/inworld-stt-1'}", OUTPUT),
     .append = APPEND,
     .news = {"{'type':'session.created'}", HEARD_NEWS, GA_REPLY, END},
     .told = "ready\n" HEARD_TOLD REPLY_TOLD END_TOLD},
    {.name = "qwen",
     .goes_to = "wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime"
                "?model=qwen3-omni-flash-realtime",
     .with = "Authorization: Bearer K-1",
     .update =
         "{'type':'session.update','event_id':'settings','session':{'input_audio_format':'pcm',"
         "'modalities':['text','audio'],'instructions':'hi','output_audio_format':'pcm',"
         "'input_audio_transcription':{'model':'gummy-realtime-v1'}," VAD "}}\n",
     .append = APPEND,
     .news = {"{'type':'session.created'}", HEARD_NEWS, BETA_REPLY, END},
     .told = "ready\n" HEARD_TOLD REPLY_TOLD END_TOLD},
    {.name = "localai",
     .url = "http://box:8080",
     .model = "pipe",
     .goes_to = "ws://box:8080/v1/realtime?model=pipe",
     .with = "Authorization: Bearer K-1",
     .update = GA_UPDATE("", OUTPUT),
     .append = APPEND,
     .news = {"{'type':'session.created'}", HEARD_NEWS, GA_REPLY, END},
     .told = "ready\n" HEARD_TOLD REPLY_TOLD END_TOLD},
    {.name = "speaches",
     .url = "ws://[::1]:8000/",
     .model = "llama",
     .goes_to = "ws://[::1]:8000/v1/realtime?model=llama",
     .with = "Authorization: Bearer K-1",
     .update =
         "{'type':'session.update','event_id':'settings','session':{'input_audio_format':'pcm16',"
         "'modalities':['text','audio'],'instructions':'hi',"
         "'output_audio_format':'pcm16'," VAD "}}\n",
     .append = APPEND,
     .news = {"{'type':'session.created'}", HEARD_NEWS, BETA_REPLY, END},
     .told = "ready\n" HEARD_TOLD REPLY_TOLD END_TOLD},
    {.name = "huggingface",
     .url = "wss://box/v1/realtime",
     .goes_to = "wss://box/v1/realtime",
     .with = "Authorization: Bearer K-1",
     .update = GA_UPDATE("", OUTPUT),
     .append = APPEND,
     .news = {"{'type':'session.created'}", HEARD_NEWS,
              "{'type':'conversation.item.created','item':{'id':'i1'}}",
              "{'type':'response.output_audio.delta','response_id':'r1','item_id':'i2',"
              "'delta':'AQACAAMA'}",
              "{'type':'response.output_audio_transcript.done','response_id':'r1',"
              "'item_id':'i2','transcript':'Yes.'}",
              "{'type':'response.done','response':{'id':'r1','status':'completed'}}",
              "{'type':'error','error':{'type':'conversation_already_has_active_response',"
              "'message':'busy'}}"},
     .told = "ready\n" HEARD_TOLD "reply_audio r1 i2 3@24000 first 1\nreply_text r1 i2 'Yes.'\n"
             "reply_done r1 complete\nerror active -1 ms\n"},
    {.name = "generic",
     .url = "wss://x.example/{region}/talk?m={model}[&beta={beta}]",
     .model = "m1",
     .values = {{"region", "eu"},
                {"key_header", "X-Key: <{key}>"},
                {"session", "beta"},
                {"input_hz", "16000"},
                {"output_hz", "48000"},
                {"transcriber", "scribe"},
                {"events.audio_delta", "sound"},
                {"events.transcript_delta", "words"}},
     .goes_to = "wss://x.example/eu/talk?m=m1",
     .with = "X-Key: <K-1>",
     .update =
         "{'type':'session.update','event_id':'settings','session':{'input_audio_format':'pcm16',"
         "'modalities':['text','audio'],'instructions':'hi',"
         "'output_audio_format':'pcm16',"
         "'input_audio_transcription':{'model':'scribe'}," VAD "}}\n",
     .append = APPEND,
     .news = {"{'type':'session.created'}", HEARD_NEWS,
              "{'type':'words','response_id':'r1','item_id':'i2','delta':'Yes.'}",
              "{'type':'sound','response_id':'r1','item_id':'i2','delta':'AQACAAMA'}", END},
     .told = "ready\n" HEARD_TOLD
             "reply_text r1 i2 'Yes.'\nreply_audio r1 i2 3@48000 first 1\n" END_TOLD},
};

enum { PROVIDERS = sizeof providers / sizeof *providers };

static struct endpoint endpoint_of(const struct provider *p)
{
    struct endpoint ep = {.name = p->name,
                          .dialect = p->name,
                          .url = p->url,
                          .model = p->model,
                          .key = "K-1",
                          .values = p->values};

    while (ep.value_count < 8 && p->values[ep.value_count].name != NULL)
        ep.value_count++;
    return ep;
}

/* The dialect of the table, or the one that the endpoint's values make. */
static const struct dialect *dialect_of(const struct provider *p, struct dialect **made)
{
    const struct endpoint ep = endpoint_of(p);
    struct err e = {0};

    *made = NULL;
    if (strcmp(p->name, "generic") == 0)
        assert_int_equal(dialect_generic_new(made, &ep, &e), 0);
    return *made != NULL ? *made : dialect_find(p->name);
}

static void each_is_found_where_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROVIDERS; i++) {
        const struct endpoint ep = endpoint_of(&providers[i]);
        struct dialect *made;
        const struct dialect *d = dialect_of(&providers[i], &made);
        struct buf b = BUF_INIT;
        struct err e = {0};
        assert_int_equal(dialect_url(d, &ep, BACKEND_CONVERSE, &b, &e), 0);
        assert_string_equal(buf_str(&b), providers[i].goes_to);
        assert_int_equal(dialect_header(d, &ep, &b, &e), 0);
        assert_string_equal(buf_str(&b), providers[i].with);
        buf_free(&b);
        dialect_generic_free(made);
    }
}

static void each_is_told_what_the_user_wants(void **state)
{
    static const int16_t x[] = {1, 2, 3};

    (void)state;
    for (size_t i = 0; i < PROVIDERS; i++) {
        struct fake_wire f = {.settings = {.instructions = "hi", .turns = BACKEND_TURNS_SERVER}};
        struct dialect *made;
        struct buf b = BUF_INIT;
        const struct dialect *d = dialect_of(&providers[i], &made);
        fake_wire_open(&f, d, BACKEND_CONVERSE, "m", true);
        assert_int_equal(f.ops->start(f.wire), 0);
        assert_string_equal(fake_wire_sent(&f), json(&b, providers[i].update));
        assert_int_equal(f.ops->audio(f.wire, x, 3), 0);
        assert_string_equal(fake_wire_sent(&f), json(&b, providers[i].append));
        fake_wire_close(&f);
        buf_free(&b);
        dialect_generic_free(made);
    }
}

static void each_is_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROVIDERS; i++) {
        struct fake_wire f = {0};
        struct dialect *made;
        struct buf b = BUF_INIT;
        fake_wire_open(&f, dialect_of(&providers[i], &made), BACKEND_CONVERSE, "m", true);
        for (size_t k = 0; k < NEWS && providers[i].news[k] != NULL; k++)
            assert_int_equal(fake_wire_take(&f, json(&b, providers[i].news[k])), 0);
        assert_string_equal(fake_wire_told(&f), providers[i].told);
        fake_wire_close(&f);
        buf_free(&b);
        dialect_generic_free(made);
    }
}

/* What a dialect does not take is not sent to it, and can be told. */
static void nobody_is_sent_what_they_do_not_take(void **state)
{
    (void)state;
    for (size_t i = 0; dialects[i] != NULL; i++) {
        const struct dialect *d = dialects[i];
        struct fake_wire f = {.settings = {.effort = "low",
                                           .eagerness = "low",
                                           .noise = "near",
                                           .speed = 1.5,
                                           .retention = 0.5,
                                           .max_tokens = 77,
                                           .turns = BACKEND_TURNS_SEMANTIC}};
        struct buf lacks = BUF_INIT;
        const char *sent;
        if (d->wire[BACKEND_CONVERSE] != &wire_openai)
            continue;
        fake_wire_open(&f, d, BACKEND_CONVERSE, "m", true);
        assert_int_equal(f.ops->start(f.wire), 0);
        sent = fake_wire_sent(&f);
        dialect_lacks(d, &f.settings, &lacks);
        assert_int_equal(strstr(sent, "effort") == NULL,
                         strstr(buf_str(&lacks), "--effort") != NULL);
        assert_int_equal(strstr(sent, "semantic") == NULL,
                         strstr(buf_str(&lacks), "--eagerness, --turn-detection semantic") != NULL);
        assert_int_equal(strstr(sent, "near_field") == NULL,
                         strstr(buf_str(&lacks), "--noise-reduction") != NULL);
        assert_int_equal(strstr(sent, "speed") == NULL, strstr(buf_str(&lacks), "--speed") != NULL);
        assert_int_equal(strstr(sent, "retention") == NULL,
                         strstr(buf_str(&lacks), "--retention") != NULL);
        assert_int_equal(strstr(sent, ":77") == NULL,
                         strstr(buf_str(&lacks), "--max-tokens") != NULL);
        fake_wire_close(&f);
        buf_free(&lacks);
    }
}

static void what_is_lacking_is_named_as_on_the_command_line(void **state)
{
    const struct backend_settings all = {.effort = "low", .speed = 1.5, .max_tokens = 9};
    const struct backend_settings off = {.noise = "off", .turns = BACKEND_TURNS_SERVER};
    struct buf b = BUF_INIT;

    (void)state;
    dialect_lacks(dialect_find("openai"), &all, &b);
    assert_string_equal(buf_str(&b), "");
    dialect_lacks(dialect_find("xai"), &off, &b);
    assert_string_equal(buf_str(&b), "");
    dialect_lacks(dialect_find("xai"), &all, &b);
    assert_string_equal(buf_str(&b), "--effort, --speed, --max-tokens");
    buf_free(&b);
}

static void none_is_missing_here(void **state)
{
    size_t n = 0;

    (void)state;
    for (; dialects[n] != NULL; n++) {
        bool here = false;
        for (size_t i = 0; i < PROVIDERS; i++)
            here = here || strcmp(providers[i].name, dialects[n]->info.name) == 0;
        assert_true(here);
    }
    assert_int_equal(n, PROVIDERS);
    assert_ptr_equal(dialect_info(0), &dialect_find("openai")->info);
    assert_non_null(dialect_info(n - 1));
    assert_null(dialect_info(n));
    assert_null(dialect_find("nobody"));
}

/* What the tables must hold together for the codecs to work. */
static void tables_agree_with_themselves(void **state)
{
    (void)state;
    for (size_t i = 0; dialects[i] != NULL; i++) {
        const struct dialect *d = dialects[i];
        assert_non_null(d->info.title);
        assert_non_null(d->header);
        assert_true(d->input_hz >= 8000 && d->input_hz <= 48000);
        assert_true(d->output_hz >= 8000 && d->output_hz <= 48000);
        for (int task = 0; task < 3; task++) {
            assert_int_equal(d->info.tasks[task], d->wire[task] != NULL);
            assert_true((d->url[task] != NULL) >= d->info.tasks[task]);
            assert_true(d->url[task] == NULL || d->info.wants_url == (d->url[task][0] == '/'));
        }
        if (d->session == SESSION_BETA)
            assert_true(d->format_in != NULL && d->format_out != NULL);
        assert_null(d->info.run_against);
    }
}

static void expect_url(const char *name, struct endpoint ep, enum backend_task task,
                       const char *url)
{
    struct buf b = BUF_INIT;
    struct err e = {0};

    ep.name = "home";
    assert_int_equal(dialect_url(dialect_find(name), &ep, task, &b, &e), 0);
    assert_string_equal(buf_str(&b), url);
    buf_free(&b);
}

static void what_an_address_leaves_out_is_the_dialects(void **state)
{
    (void)state;
    expect_url("openai", (struct endpoint){.url = "wss://proxy:99"}, BACKEND_CONVERSE,
               "wss://proxy:99/v1/realtime?model=gpt-realtime-2");
    expect_url("openai", (struct endpoint){.url = "https://proxy/x/rt", .model = "a&b"},
               BACKEND_CONVERSE, "wss://proxy/x/rt?model=a%26b");
    expect_url("openai", (struct endpoint){.url = "ws://proxy/rt?v=1"}, BACKEND_CONVERSE,
               "ws://proxy/rt?v=1");
    expect_url("openai", (struct endpoint){.url = "ws://[fe80::1]:8/"}, BACKEND_TRANSCRIBE,
               "ws://[fe80::1]:8/v1/realtime?intent=transcription");
    expect_url("openai", (struct endpoint){0}, BACKEND_TRANSLATE,
               "wss://api.openai.com/v1/realtime/translations?model=gpt-realtime-translate");
    expect_url("xai", (struct endpoint){.model = "grok-x"}, BACKEND_CONVERSE,
               "wss://api.x.ai/v1/realtime?model=grok-x");
    expect_url("speaches", (struct endpoint){.url = "ws://box", .model = "w"}, BACKEND_TRANSCRIBE,
               "ws://box/v1/realtime?model=w&intent=transcription");
}

static void a_session_that_wants_a_name_gets_another_one_each_time(void **state)
{
    const struct endpoint ep = {.name = "i"};
    struct buf a = BUF_INIT, b = BUF_INIT;
    struct err e = {0};

    (void)state;
    assert_int_equal(dialect_url(dialect_find("inworld"), &ep, BACKEND_CONVERSE, &a, &e), 0);
    assert_int_equal(dialect_url(dialect_find("inworld"), &ep, BACKEND_CONVERSE, &b, &e), 0);
    assert_int_equal(a.len, strlen("wss://api.inworld.ai/api/v1/realtime/session?key="
                                   "0123456789abcdef&protocol=realtime"));
    assert_string_not_equal(buf_str(&a), buf_str(&b));
    buf_free(&a);
    buf_free(&b);
}

static void what_is_missing_is_said(void **state)
{
    static const struct endpoint_value long_name[] = {{"x", "y"}};
    static const struct {
        const char *dialect;
        struct endpoint ep;
        enum backend_task task;
        const char *error;
    } cases[] = {
        {"azure",
         {.model = "m"},
         BACKEND_CONVERSE,
         "no 'resource' is named for 'home' (Azure OpenAI); give the whole address with --url, or "
         "as the 'url' of the profile's endpoint"},
        {"elevenlabs",
         {0},
         BACKEND_CONVERSE,
         "no model is named for 'home' (ElevenLabs); name one with --model, or in the profile"},
        {"localai",
         {.model = "m"},
         BACKEND_CONVERSE,
         "no URL is named for 'home' (LocalAI), and there is none that everybody uses; name it "
         "with --url, or in the profile"},
        {"xai", {0}, BACKEND_TRANSLATE, "'home' (xAI) cannot translate; take another endpoint"},
        {"openai",
         {.url = "ftp://x"},
         BACKEND_CONVERSE,
         "the URL of 'home' does not begin with wss:// or ws://; that is where a realtime endpoint "
         "is found"},
        {"openai",
         {.url = "ws://x/?k={key}", .key = "secret"},
         BACKEND_CONVERSE,
         "the URL of 'home' asks for the key, which would get into logs with it; put it into a "
         "header"},
        {"openai",
         {.url = "ws://x/{reg", .values = long_name, .value_count = 1},
         BACKEND_CONVERSE,
         "a name is not closed in '{reg' of 'home'; names are written {so}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct endpoint ep = cases[i].ep;
        struct buf b = BUF_INIT;
        struct err e = {0};
        ep.name = "home";
        assert_int_equal(dialect_url(dialect_find(cases[i].dialect), &ep, cases[i].task, &b, &e),
                         -EINVAL);
        assert_int_equal(e.status, STATUS_USAGE);
        assert_string_equal(e.text, cases[i].error);
        buf_free(&b);
    }
}

static void a_key_that_could_carry_a_header_of_its_own_is_refused_unseen(void **state)
{
    static const char *const bad[] = {"sk-1\r\nX: y", "sk 1", "sk-1\n", "sk\x80", "\x1bsk-1"};
    struct endpoint ep = {.name = "home"};
    struct buf b = BUF_INIT;
    struct err e = {0};

    (void)state;
    assert_int_equal(dialect_header(dialect_find("openai"), &ep, &b, &e), 0);
    assert_string_equal(buf_str(&b), "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ep.key = bad[i];
        assert_int_equal(dialect_header(dialect_find("openai"), &ep, &b, &e), -EINVAL);
        assert_null(strstr(e.text, "sk"));
        assert_string_equal(buf_str(&b), "");
    }
    buf_free(&b);
}

static void a_generic_dialect_that_makes_no_sense_is_refused(void **state)
{
    static const struct {
        struct endpoint_value values[2];
        const char *error;
    } cases[] = {
        {{{"session", "delta"}},
         "'session' of 'home' is 'delta', which is none; it is ga, beta or top"},
        {{{"input_hz", "24k"}},
         "'input_hz' of 'home' is '24k', which is none; it is a number from 8000 to 48000"},
        {{{"output_hz", "7999"}},
         "'output_hz' of 'home' is '7999', which is none; it is a number from 8000 to 48000"},
        {{{"events.sound", "x"}},
         "'events.sound' of 'home' is no event that can be renamed; hullo-config(5) lists them"},
        {{{"events.error", "x"}, {"events.error", "y"}},
         "'events.error' of 'home' is there twice; keep one of them"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct endpoint ep = {.name = "home",
                                    .values = cases[i].values,
                                    .value_count = cases[i].values[1].name != NULL ? 2 : 1};
        struct dialect *d = NULL;
        struct err e = {0};
        assert_int_equal(dialect_generic_new(&d, &ep, &e), -EINVAL);
        assert_null(d);
        assert_int_equal(e.status, STATUS_USAGE);
        assert_string_equal(e.text, cases[i].error);
    }
}

/* Of many values, those of the URL pass, and what is empty is nothing. */
static void a_generic_dialect_outlives_its_endpoint(void **state)
{
    char theirs[] = "sound", name[] = "events.audio_delta";
    const struct endpoint_value values[] = {
        {name, theirs}, {"key_header", ""}, {"transcriber", ""}, {"resource", "r"}};
    const struct endpoint ep = {.name = "home", .key = "K", .values = values, .value_count = 4};
    struct fake_wire f = {0};
    struct dialect *d = NULL;
    struct buf b = BUF_INIT;
    struct err e = {0};

    (void)state;
    assert_int_equal(dialect_generic_new(&d, &ep, &e), 0);
    memset(theirs, 'x', strlen(theirs));
    memset(name, 'x', strlen(name));
    assert_int_equal(dialect_header(d, &ep, &b, &e), 0);
    assert_string_equal(buf_str(&b), "");
    fake_wire_open(&f, d, BACKEND_CONVERSE, "m", true);
    assert_int_equal(fake_wire_take(&f, "{\"type\":\"sound\",\"delta\":\"AQA=\"}"), 0);
    assert_string_equal(fake_wire_told(&f), "reply_audio 1@24000 first 1\n");
    fake_wire_close(&f);
    buf_free(&b);
    dialect_generic_free(d);
    dialect_generic_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_where_it_is),
        cmocka_unit_test(each_is_told_what_the_user_wants),
        cmocka_unit_test(each_is_understood),
        cmocka_unit_test(nobody_is_sent_what_they_do_not_take),
        cmocka_unit_test(what_is_lacking_is_named_as_on_the_command_line),
        cmocka_unit_test(none_is_missing_here),
        cmocka_unit_test(tables_agree_with_themselves),
        cmocka_unit_test(what_an_address_leaves_out_is_the_dialects),
        cmocka_unit_test(a_session_that_wants_a_name_gets_another_one_each_time),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(a_key_that_could_carry_a_header_of_its_own_is_refused_unseen),
        cmocka_unit_test(a_generic_dialect_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_generic_dialect_outlives_its_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
