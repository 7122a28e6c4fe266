/* The language model and speech-to-text behind a scripted OpenAI-compatible server. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_http.h"
#include "local/engines.h"
#include "net/endpoint.h"
#include "util/json.h"

#define HEAD           "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
#define JSON(body)     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body
#define MODELS         JSON("{\"data\":[{\"id\":\"nomic-embed\"},{\"id\":\"llama\"}]}")
#define CHUNK(content) "data: {\"choices\":[{\"delta\":{\"content\":\"" content "\"}}]}\n\n"
#define STOP           "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE           "data: [DONE]\n\n"

/* Events are written down, one a line: "ready TEXT", "1 text TEXT", "1 done", "1 cancelled",
 * "1 failed STATUS". */
struct fixture {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct fake_http *server;
    struct engine *engine;
    struct buf seen;
    struct err error; /* of the last FAILED */
    char url[64];
    bool inside; /* a call into the engine is under way */
    /* What to do on the first text. */
    enum { NOTHING, CANCEL, CLOSE, SUBMIT } on_text;
};

static void submit(struct fixture *f, uint32_t id);

static void on_event(void *user, const struct engine_event *ev)
{
    struct fixture *f = user;

    assert_false(f->inside);
    uv_stop(&f->loop); /* so that waiting ends though it was a timer that brought this */
    switch (ev->type) {
    case ENGINE_READY:
        buf_addf(&f->seen, "ready %s\n", ev->text);
        break;
    case ENGINE_TEXT:
        buf_addf(&f->seen, "%u text %s\n", ev->id, ev->text);
        break;
    case ENGINE_DONE:
        buf_addf(&f->seen, "%u %s\n", ev->id, ev->cancelled ? "cancelled" : "done");
        break;
    case ENGINE_FAILED:
        f->error = *ev->error;
        buf_addf(&f->seen, "%u failed %d\n", ev->id, (int)ev->error->status);
        break;
    case ENGINE_AUDIO:
        fail();
    }
    if (ev->type != ENGINE_TEXT)
        return;
    if (f->on_text == CANCEL)
        f->engine->ops->cancel(f->engine, ev->id);
    if (f->on_text == SUBMIT)
        submit(f, ev->id + 1);
    if (f->on_text == CLOSE) {
        f->engine->ops->close(f->engine);
        f->engine = NULL;
    }
    f->on_text = NOTHING;
}

static void too_long(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "a test of llm_http hangs\n");
    abort();
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL || uv_loop_init(&f->loop) < 0)
        return -1;
    uv_timer_init(&f->loop, &f->watchdog);
    uv_timer_start(&f->watchdog, too_long, 60000, 0);
    uv_unref((uv_handle_t *)&f->watchdog);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->engine != NULL)
        f->engine->ops->close(f->engine);
    if (f->server != NULL)
        fake_http_free(f->server);
    uv_close((uv_handle_t *)&f->watchdog, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&f->loop) != 0)
        return -1;
    buf_free(&f->seen);
    free(f);
    return 0;
}

static void open_kind(struct fixture *f, const struct engine_kind *kind, const char *name,
                      const char *key, const struct fake_reply *script, size_t count)
{
    struct engine_config config = {.loop = &f->loop,
                                   .event = on_event,
                                   .user = f,
                                   .model = f->url,
                                   .name = name,
                                   .api_key = key};
    struct err e = {0};

    f->server = fake_http_new(&f->loop, script, count);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d", fake_http_port(f->server));
    f->inside = true;
    assert_int_equal(kind->open(&f->engine, &config, &e), 0);
    f->inside = false;
}

static void submit(struct fixture *f, uint32_t id)
{
    const struct chat_message messages[] = {{CHAT_SYSTEM, "Be brief."},
                                            {CHAT_USER, "Hi \"you\"\n\x1b"},
                                            {CHAT_ASSISTANT, "Yes?"},
                                            {CHAT_USER, "Go on."}};
    const struct engine_request r = {.id = id, .messages = messages, .count = 4, .max_tokens = 64};

    f->inside = true;
    assert_int_equal(f->engine->ops->submit(f->engine, &r), 0);
    f->inside = false;
}

static void cancel(struct fixture *f, uint32_t up_to)
{
    f->inside = true;
    f->engine->ops->cancel(f->engine, up_to);
    f->inside = false;
}

static void wait_for(struct fixture *f, const char *line)
{
    while (strstr(buf_str(&f->seen), line) == NULL)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void turn(struct fixture *f, int times)
{
    while (times-- > 0)
        uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* What was seen, less the line of READY. */
static const char *after_ready(const struct fixture *f)
{
    const char *s = buf_str(&f->seen);

    assert_int_equal(strncmp(s, "ready ", 6), 0);
    return strchr(s, '\n') + 1;
}

static void a_reply_streams_from_the_first_model_listed(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = MODELS},
                                  {.bytes = JSON(CHUNK("Hel") CHUNK("lo.") STOP DONE)}};
    const char *request;
    char ready[128];
    cJSON *j;

    open_kind(f, &engine_llm_http, NULL, NULL, script, 2);
    submit(f, 1);
    assert_string_equal(buf_str(&f->seen), "");
    wait_for(f, "1 done");
    snprintf(ready, sizeof ready, "ready llama at %s\n", f->url);
    assert_memory_equal(buf_str(&f->seen), ready, strlen(ready));
    assert_string_equal(after_ready(f), "1 text Hello.\n1 done\n");
    request = fake_http_request(f->server, 0, NULL);
    assert_int_equal(strncmp(request, "GET /v1/models ", 15), 0);
    assert_null(strstr(request, "Authorization"));
    request = fake_http_request(f->server, 1, NULL);
    assert_int_equal(strncmp(request, "POST /v1/chat/completions ", 26), 0);
    request = strstr(request, "\r\n\r\n") + 4;
    assert_int_equal(json_parse(&j, request, strlen(request)), 0);
    assert_string_equal(json_str(j, "model"), "llama");
    assert_true(json_bool(j, "stream", false));
    assert_int_equal(json_int(j, "max_tokens", 0, 1000, 0), 64);
    assert_string_equal(json_str(json_path(j, "messages.0"), "role"), "system");
    assert_string_equal(json_str(json_path(j, "messages.1"), "content"), "Hi \"you\"\n");
    assert_string_equal(json_str(json_path(j, "messages.2"), "role"), "assistant");
    assert_string_equal(json_str(json_path(j, "messages.3"), "content"), "Go on.");
    cJSON_Delete(j);
}

static void name_and_key_are_sent_when_given(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = MODELS}, {.bytes = JSON(CHUNK("x") STOP)}};

    open_kind(f, &engine_llm_http, "qwen", "sk-123456", script, 2);
    submit(f, 1);
    wait_for(f, "1 done");
    assert_non_null(
        strstr(fake_http_request(f->server, 0, NULL), "\r\nAuthorization: Bearer sk-123456\r\n"));
    assert_non_null(
        strstr(fake_http_request(f->server, 1, NULL), "\r\nAuthorization: Bearer sk-123456\r\n"));
    assert_non_null(strstr(fake_http_request(f->server, 1, NULL), "\"model\":\"qwen\""));
    assert_null(strstr(buf_str(&f->seen), "sk-"));
}

static void a_server_that_does_not_stream_or_list_models_will_do(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {
        {.bytes = "HTTP/1.1 404 No\r\n\r\n"},
        {.bytes = JSON("{\"choices\":[{\"message\":{\"content\":\"Hello.\"}}]}"), .piece = 5}};
    char ready[128];

    open_kind(f, &engine_llm_http, NULL, NULL, script, 2);
    submit(f, 1);
    wait_for(f, "1 done");
    snprintf(ready, sizeof ready, "ready %s\n1 text Hello.\n1 done\n", f->url);
    assert_string_equal(buf_str(&f->seen), ready);
    assert_null(strstr(fake_http_request(f->server, 1, NULL), "\"model\""));
}

static void a_reply_is_done_at_its_end_though_the_server_hangs_on(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {
        {.bytes = MODELS},
        {.bytes = HEAD "\r\n" CHUNK("One.") DONE, .hold = true},
        {.bytes = HEAD "\r\n" CHUNK("Two.") STOP, .hold = true},
        {.bytes = HEAD "\r\n" CHUNK("Three.") STOP DONE, .piece = 8, .hold = true},
    };

    open_kind(f, &engine_llm_http, NULL, NULL, script, 4);
    for (uint32_t id = 1; id <= 3; id++)
        submit(f, id);
    wait_for(f, "3 done");
    turn(f, 50);
    assert_string_equal(after_ready(f), "1 text One.\n1 done\n2 text Two.\n2 done\n"
                                        "3 text Three.\n3 done\n");
}

static void connections_are_used_again(void **state)
{
    static const char models[] = "{\"data\":[{\"id\":\"m\"}]}";
    struct fixture *f = *state;
    char list[256], reply[512];
    struct fake_reply script[] = {{.bytes = list, .hold = true}, {.bytes = reply, .hold = true}};

    snprintf(list, sizeof list, HEAD "Content-Length: %zu\r\n\r\n%s", strlen(models), models);
    snprintf(reply, sizeof reply, HEAD "Content-Length: %zu\r\n\r\n%s",
             strlen(CHUNK("Yes.") STOP DONE), CHUNK("Yes.") STOP DONE);
    open_kind(f, &engine_llm_http, NULL, NULL, script, 2);
    submit(f, 1);
    wait_for(f, "1 done");
    turn(f, 3);
    submit(f, 2);
    wait_for(f, "2 done");
    assert_int_equal(fake_http_connections(f->server), 1);
}

static void a_cancelled_reply_hangs_up_and_says_no_more(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = MODELS},
                                  {.bytes = HEAD "\r\n" CHUNK("One."), .hold = true},
                                  {.bytes = JSON(CHUNK("Four.") STOP)}};

    open_kind(f, &engine_llm_http, NULL, NULL, script, 3);
    for (uint32_t id = 1; id <= 3; id++)
        submit(f, id);
    wait_for(f, "1 text One.");
    cancel(f, 2);
    cancel(f, 3);
    assert_null(strstr(buf_str(&f->seen), "cancelled"));
    submit(f, 4);
    wait_for(f, "4 done");
    assert_string_equal(after_ready(f), "1 text One.\n1 cancelled\n2 cancelled\n3 cancelled\n"
                                        "4 text Four.\n4 done\n");
    while (fake_http_open(f->server) > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(fake_http_requests(f->server), 3);
}

static void a_handler_may_cancel_submit_and_close(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = MODELS},
                                  {.bytes = JSON(CHUNK("a") CHUNK("b") STOP DONE)}};

    open_kind(f, &engine_llm_http, NULL, NULL, script, 2);
    f->on_text = CANCEL;
    submit(f, 1);
    wait_for(f, "1 cancelled");
    f->on_text = SUBMIT;
    submit(f, 2);
    wait_for(f, "3 done");
    f->on_text = CLOSE;
    submit(f, 4);
    wait_for(f, "4 text");
    turn(f, 5);
    assert_string_equal(after_ready(f), "1 text ab\n1 cancelled\n2 text ab\n2 done\n3 text ab\n"
                                        "3 done\n4 text ab\n");
}

static void a_server_that_is_of_no_use_fails_the_engine_and_every_request(void **state)
{
    static const struct {
        const char *answer;
        enum status status;
        const char *words;
    } cases[] = {
        {"HTTP/1.1 401 No\r\n\r\n{\"error\":{\"message\":\"bad key sk-123456\"}}", STATUS_AUTH,
         "bad key ***"},
        {JSON("<html>hello"), STATUS_FAILED, "does not speak the OpenAI-compatible API"},
        {JSON("[[[[[["), STATUS_FAILED, "does not speak"},
        {JSON("{\"data\":[]}"), STATUS_NO_MODEL, "has no model"},
        {JSON("{\"data\":[{\"id\":7},null,{}]}"), STATUS_NO_MODEL, "has no model"},
        {"HTTP/1.1 302 No\r\nLocation: http://other/v1\r\n\r\n", STATUS_FAILED, "http://other/v1"},
        {"garbage\r\n\r\n", STATUS_NETWORK, "does not answer in HTTP"},
        {"", STATUS_NETWORK, "broke"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_reply script[] = {{.bytes = cases[i].answer}};
        char seen[64];
        void *one;
        struct fixture *f;

        assert_int_equal(set_up(&one), 0);
        f = one;
        open_kind(f, &engine_llm_http, NULL, "sk-123456", script, 1);
        submit(f, 1);
        wait_for(f, "1 failed");
        snprintf(seen, sizeof seen, "0 failed %d\n1 failed %d\n", (int)cases[i].status,
                 (int)cases[i].status);
        assert_string_equal(buf_str(&f->seen), seen);
        if (strstr(f->error.text, cases[i].words) == NULL)
            fail_msg("'%s' lacks '%s'", f->error.text, cases[i].words);
        submit(f, 2);
        wait_for(f, "2 failed");
        assert_int_equal(tear_down(&one), 0);
    }
    (void)state;
}

static void a_server_that_is_down_is_named(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = NULL}};

    open_kind(f, &engine_llm_http, NULL, NULL, script, 1);
    fake_http_free(f->server);
    f->server = NULL;
    wait_for(f, "0 failed");
    assert_int_equal(f->error.status, STATUS_NETWORK);
    assert_non_null(strstr(f->error.text, f->url));
}

static void a_server_that_loads_its_model_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {
        {.bytes = "HTTP/1.1 503 No\r\n\r\n{\"error\":{\"message\":\"Loading model\"}}"},
        {.bytes = MODELS}};

    open_kind(f, &engine_llm_http, NULL, NULL, script, 2);
    wait_for(f, "ready llama");
    assert_int_equal(fake_http_requests(f->server), 2);
}

static void a_request_that_fails_leaves_the_next_one_alone(void **state)
{
    static const struct {
        const char *answer;
        enum status status;
        const char *words;
    } cases[] = {
        {"HTTP/1.1 500 No\r\n\r\nkey sk-123456 is bad", STATUS_FAILED, "key *** is bad"},
        {"HTTP/1.1 429 No\r\n\r\n{\"error\":{\"message\":\"slow down\"}}", STATUS_FAILED,
         "slow down"},
        {JSON(CHUNK("a") "data: {\"error\":{\"message\":\"sk-123456\"}}\n\n"), STATUS_FAILED,
         "error: \"***\""},
        {JSON(CHUNK("a") "data: {\n\n" CHUNK("b")), STATUS_FAILED, "not JSON"},
        {JSON(CHUNK("a")), STATUS_NETWORK, "broke off"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" CHUNK("a"), STATUS_NETWORK, "broke"},
        {JSON(""), STATUS_FAILED, "no reply"},
    };
    struct fixture *f = *state;
    struct fake_reply script[9] = {{.bytes = MODELS}};

    for (size_t i = 0; i < 7; i++)
        script[i + 1] = (struct fake_reply){.bytes = cases[i].answer, .piece = 11};
    script[8] = (struct fake_reply){.bytes = JSON(CHUNK("Fine.") STOP DONE)};
    open_kind(f, &engine_llm_http, NULL, "sk-123456", script, 9);
    for (uint32_t id = 1; id <= 7; id++) {
        char line[64];
        submit(f, id);
        snprintf(line, sizeof line, "%u failed %d", id, (int)cases[id - 1].status);
        wait_for(f, line);
        if (strstr(f->error.text, cases[id - 1].words) == NULL)
            fail_msg("'%s' lacks '%s'", f->error.text, cases[id - 1].words);
        assert_null(strstr(f->error.text, "sk-"));
    }
    submit(f, 8);
    wait_for(f, "8 text Fine.\n8 done");
    assert_null(strstr(buf_str(&f->seen), "text b"));
}

static void a_reply_without_end_is_hung_up_on(void **state)
{
    struct fixture *f = *state;
    struct buf endless = BUF_INIT, whole = BUF_INIT;
    struct fake_reply script[3] = {{.bytes = MODELS}};

    buf_adds(&endless, HEAD "\r\n");
    buf_adds(&whole, JSON("{\"choices\":[{\"message\":{\"content\":\""));
    for (int i = 0; i < 10000; i++) {
        buf_adds(&endless, CHUNK("and on and on and on and on "));
        buf_adds(&whole, "and on and on ");
    }
    buf_adds(&whole, "\"}}]}");
    script[1] = (struct fake_reply){.bytes = endless.data, .length = endless.len, .hold = true};
    script[2] = (struct fake_reply){.bytes = whole.data, .length = whole.len};
    open_kind(f, &engine_llm_http, NULL, NULL, script, 3);
    submit(f, 1);
    submit(f, 2);
    wait_for(f, "2 failed 1");
    assert_non_null(strstr(buf_str(&f->seen), "1 failed 1"));
    assert_non_null(strstr(f->error.text, "does not end its reply"));
    assert_true(f->seen.len < 20000);
    while (fake_http_open(f->server) > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    buf_free(&endless);
    buf_free(&whole);
}

static void a_request_to_read_ahead_asks_nothing(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = MODELS}};
    const struct chat_message m = {CHAT_USER, "Hi"};
    const struct engine_request r = {.id = 1, .messages = &m, .count = 1, .max_tokens = 0};

    open_kind(f, &engine_llm_http, NULL, NULL, script, 1);
    assert_int_equal(f->engine->ops->submit(f->engine, &r), 0);
    wait_for(f, "1 done");
    assert_string_equal(after_ready(f), "1 done\n");
    assert_int_equal(fake_http_requests(f->server), 1);
}

static void an_engine_closes_at_any_time(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = MODELS}, {.bytes = NULL}};

    open_kind(f, &engine_llm_http, NULL, NULL, script, 2);
    submit(f, 1);
    submit(f, 2);
    cancel(f, 1);
    f->engine->ops->close(f->engine);
    f->engine = NULL;
    turn(f, 5);
    assert_string_equal(buf_str(&f->seen), "");
}

static void what_is_no_address_is_refused_at_once(void **state)
{
    static const char *const bad[] = {"", "localhost:11434", "ftp://x", "/v1"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 5; i++) {
        struct engine_config config = {
            .loop = &f->loop, .event = on_event, .user = f, .model = i < 4 ? bad[i] : NULL};
        struct err e = {0};
        assert_int_equal(engine_llm_http.open(&f->engine, &config, &e), -EINVAL);
        assert_int_equal(e.status, STATUS_USAGE);
        assert_null(f->engine);
    }
}

static void addresses_are_taken_in_every_usual_form(void **state)
{
    static const char *const forms[][2] = {
        {"http://h:1", "http://h:1/v1/models"},
        {"http://h:1/", "http://h:1/v1/models"},
        {"http://h:1/v1", "http://h:1/v1/models"},
        {"http://h:1/v1/", "http://h:1/v1/models"},
        {"http://h:1/v1/chat/completions", "http://h:1/v1/models"},
        {"http://h:1/v1/audio/transcriptions/", "http://h:1/v1/models"},
        {"https://h/api/v1", "https://h/api/v1/models"},
        {"https://h/openai/v1?api-version=1#x", "https://h/openai/v1/models?api-version=1"},
        {"https://h?a=/b", "https://h/v1/models?a=/b"},
        {"http://[::1]:8080", "http://[::1]:8080/v1/models"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char *url = endpoint_url(forms[i][0], "models");
        assert_string_equal(url, forms[i][1]);
        free(url);
    }
}

static void open_stt(struct fixture *f, const char *name, const struct fake_reply *script,
                     size_t count)
{
    open_kind(f, &engine_stt_http, name, NULL, script, count);
}

static void say(struct fixture *f, uint32_t id, size_t samples)
{
    int16_t *pcm = calloc(samples + 1, sizeof *pcm);
    const struct engine_request r = {.id = id, .pcm = pcm, .samples = samples};

    assert_non_null(pcm);
    for (size_t i = 0; i < samples; i++)
        pcm[i] = (int16_t)(i * 37);
    assert_int_equal(f->engine->ops->submit(f->engine, &r), 0);
    free(pcm);
}

static void speech_is_sent_as_a_wav_in_a_form(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {
        {.bytes = "HTTP/1.1 404 No\r\n\r\n"},
        {.bytes = JSON("{\"text\":\" Hello \\u001b[1mthere.\\nFriend.\\n\"}")}};
    const char *request, *wav;
    size_t length;

    open_stt(f, NULL, script, 2);
    say(f, 1, 5000);
    wait_for(f, "1 done");
    assert_string_equal(after_ready(f), "1 text Hello [1mthere. Friend.\n1 done\n");
    request = fake_http_request(f->server, 1, &length);
    assert_int_equal(strncmp(request, "POST /v1/audio/transcriptions ", 30), 0);
    assert_non_null(strstr(request, "\r\nContent-Type: multipart/form-data; boundary=hullo-"));
    assert_non_null(strstr(request, "name=\"model\"\r\n\r\nwhisper-1\r\n--hullo-"));
    assert_non_null(strstr(request, "name=\"response_format\"\r\n\r\njson\r\n--hullo-"));
    wav = strstr(request, "Content-Type: audio/wav\r\n\r\n") + 27;
    assert_memory_equal(wav,
                        "RIFF\x34\x27\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0"
                        "data\x10\x27\0\0\0\0\x25\0\x4a\0",
                        50);
    assert_memory_equal(wav + 44 + 2 * 4999, "\x83\xd2\r\n--hullo-", 12);
    assert_int_equal(request[length - 4], '-');
}

static void speech_answers_that_are_none_are_errors(void **state)
{
    static const char *const words[] = {"no transcript", "no transcript", "no transcript",
                                        "error: \"no\"", "longer than"};
    struct fixture *f = *state;
    size_t n = 2 << 20;
    char *huge = malloc(n);
    struct fake_reply script[] = {
        {.bytes = MODELS},
        {.bytes = JSON("hello")},
        {.bytes = JSON("{\"text\":7}")},
        {.bytes = JSON("")},
        {.bytes = JSON("{\"error\":\"no\"}")},
        {.bytes = huge, .length = n},
    };

    assert_non_null(huge);
    memset(huge, ' ', n);
    memcpy(huge, HEAD "\r\n{", strlen(HEAD) + 3);
    open_stt(f, "base", script, 6);
    for (uint32_t id = 1; id <= 5; id++) {
        char line[32];
        say(f, id, 100);
        snprintf(line, sizeof line, "%u failed 1", id);
        wait_for(f, line);
        if (strstr(f->error.text, words[id - 1]) == NULL)
            fail_msg("'%s' lacks '%s'", f->error.text, words[id - 1]);
    }
    assert_non_null(strstr(fake_http_request(f->server, 1, NULL), "\r\n\r\nbase\r\n"));
    free(huge);
}

static void no_speech_is_an_empty_transcript(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = MODELS}, {.bytes = JSON("{\"text\":\" \"}")}};
    struct engine_request r = {.id = 3, .samples = (size_t)ENGINE_MAX_SECONDS * 16000 + 1};

    open_stt(f, NULL, script, 2);
    say(f, 1, 0);
    say(f, 2, 1);
    wait_for(f, "2 done");
    assert_string_equal(after_ready(f), "1 text \n1 done\n2 text \n2 done\n");
    assert_int_equal(f->engine->ops->submit(f->engine, &r), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_reply_streams_from_the_first_model_listed),
        TEST(name_and_key_are_sent_when_given),
        TEST(a_server_that_does_not_stream_or_list_models_will_do),
        TEST(a_reply_is_done_at_its_end_though_the_server_hangs_on),
        TEST(connections_are_used_again),
        TEST(a_cancelled_reply_hangs_up_and_says_no_more),
        TEST(a_handler_may_cancel_submit_and_close),
        cmocka_unit_test(a_server_that_is_of_no_use_fails_the_engine_and_every_request),
        TEST(a_server_that_is_down_is_named),
        TEST(a_server_that_loads_its_model_is_waited_for),
        TEST(a_request_that_fails_leaves_the_next_one_alone),
        TEST(a_reply_without_end_is_hung_up_on),
        TEST(a_request_to_read_ahead_asks_nothing),
        TEST(an_engine_closes_at_any_time),
        TEST(what_is_no_address_is_refused_at_once),
        cmocka_unit_test(addresses_are_taken_in_every_usual_form),
        TEST(speech_is_sent_as_a_wav_in_a_form),
        TEST(speech_answers_that_are_none_are_errors),
        TEST(no_speech_is_an_empty_transcript),
    };

    setenv("no_proxy", "127.0.0.1", 1);
    return cmocka_run_group_tests_name("llm_http", tests, NULL, NULL);
}
