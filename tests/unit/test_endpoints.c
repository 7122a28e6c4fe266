/* Where a conversation goes: this machine unless something says otherwise; with which key; and over
 * which links. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/address.h"
#include "conf/endpoints.h"

static const enum option_id allowed[] = {OPT_MODEL,  OPT_LOCAL_MODEL, OPT_LLM_URL, OPT_STT_URL,
                                         OPT_VOICE,  OPT_URL,         OPT_DIALECT, OPT_PROFILE,
                                         OPT_CONFIG, OPT_CACERT,      OPT_COUNT};

static bool dialect(void *user, size_t i, struct endpoint_dialect *out)
{
    static const char *const openai[] = {"gpt-realtime", "gpt-live", NULL};
    static const char *const gemini[] = {"gemini-", NULL};
    static const char *const qwen[] = {"qwen*realtime", NULL};
    static const struct endpoint_dialect all[] = {
        {"openai", "OPENAI_API_KEY", openai, false},
        {"gemini", "GEMINI_API_KEY", gemini, false},
        {"localai", NULL, NULL, true},
        {"qwen", NULL, qwen, false},
        {"generic", NULL, NULL, true},
    };
    (void)user;

    if (i >= sizeof all / sizeof *all)
        return false;
    *out = all[i];
    return true;
}

/* A command line and a file, and what came of them. */
struct world {
    struct options options;
    struct config *config;
    struct endpoints *endpoints;
    const struct endpoint *list;
    size_t count;
    struct err e;
    char said[2048]; /* by the log */
    struct log log;
    FILE *to;
};

static int setup(void **state)
{
    static const char *const names[] = {"OPENAI_API_KEY", "GEMINI_API_KEY", "HULLO_API_KEY",
                                        "A_KEY",          "HULLO_MODEL",    "HULLO_LLM_URL",
                                        "HULLO_PROFILE",  "HULLO_VOICE",    "HULLO_STT_URL"};
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    *state = w;
    return 0;
}

static void put_away(struct world *w)
{
    endpoints_free(w->endpoints);
    options_free(&w->options);
    config_free(w->config);
    w->endpoints = NULL;
    w->config = NULL;
}

static int teardown(void **state)
{
    put_away(*state);
    free(*state);
    return 0;
}

static int open_with(struct world *w, const char *file, const char *const *words)
{
    struct endpoints_config c = {
        .options = &w->options, .log = &w->log, .dialect = dialect, .user = w};
    char *copy[12];
    int n = 0, rc;

    put_away(w);
    w->e = (struct err){0};
    for (; words[n] != NULL; n++)
        copy[n] = (char *)(uintptr_t)words[n];
    assert_int_equal(options_parse(&w->options, n, copy, allowed, &w->e), 0);
    rc = config_parse(&w->config, file, strlen(file), "conf", &w->e);
    if (rc == 0)
        rc = config_apply(w->config, &w->options, &w->e);
    if (rc < 0)
        fail_msg("%s", w->e.text);
    c.config = w->config;
    memset(w->said, 0, sizeof w->said);
    w->to = fmemopen(w->said, sizeof w->said - 1, "w");
    w->log = (struct log){.level = LOG_DEBUG, .to = w->to};
    rc = endpoints_open(&w->endpoints, &c, &w->e);
    fclose(w->to);
    w->list = NULL;
    w->count = 0;
    if (rc == 0)
        w->list = endpoints_list(w->endpoints, &w->count);
    return rc;
}
#define OPEN(w, file, ...) open_with((w), (file), (const char *const[]){__VA_ARGS__, NULL})

static void assert_told(const struct world *w, int rc, enum status status, const char *about)
{
    assert_true(rc < 0);
    if (w->e.status != status || strstr(w->e.text, about) == NULL ||
        strstr(w->e.text, "sk-") != NULL)
        fail_msg("%d: %s", w->e.status, w->e.text);
}

static void a_key_alone_sends_nothing_anywhere(void **state)
{
    struct world *w = *state;

    setenv("OPENAI_API_KEY", "sk-1", 1);
    setenv("HULLO_API_KEY", "sk-2", 1);
    assert_int_equal(OPEN(w, "", "x"), 0);
    assert_int_equal(w->count, 0);
    assert_string_equal(getenv("OPENAI_API_KEY"), "sk-1");
    assert_int_equal(OPEN(w, "profile a { endpoint b { dialect = openai } }", "x"), 0);
    assert_int_equal(w->count, 0);
    assert_int_equal(OPEN(w, "", "-m", "smollm2-360m"), 0);
    assert_int_equal(w->count, 0);
}

static void a_models_name_may_say_whose_it_is(void **state)
{
    struct world *w = *state;

    setenv("OPENAI_API_KEY", "sk-1", 1);
    setenv("GEMINI_API_KEY", "sk-g", 1);
    assert_int_equal(OPEN(w, "", "-m", "gpt-realtime-2"), 0);
    assert_int_equal(w->count, 1);
    assert_string_equal(w->list[0].dialect, "openai");
    assert_string_equal(w->list[0].name, "openai");
    assert_string_equal(w->list[0].model, "gpt-realtime-2");
    assert_null(w->list[0].url);
    assert_string_equal(w->list[0].key, "sk-1");
    assert_null(getenv("OPENAI_API_KEY"));
    assert_string_equal(getenv("GEMINI_API_KEY"), "sk-g");
    assert_int_equal(OPEN(w, "", "-m", "gemini-live-x"), 0);
    assert_string_equal(w->list[0].dialect, "gemini");
    assert_string_equal(w->list[0].key, "sk-g");
    assert_int_equal(OPEN(w, "", "-m", "qwen3-0.6b"), 0);
    assert_int_equal(w->count, 0);
    setenv("HULLO_API_KEY", "sk-q", 1);
    assert_int_equal(OPEN(w, "", "-m", "qwen3-omni-flash-realtime"), 0);
    assert_string_equal(w->list[0].dialect, "qwen");
}

static void a_server_of_the_local_backend_keeps_the_name_for_itself(void **state)
{
    struct world *w = *state;

    assert_int_equal(OPEN(w, "", "-m", "gpt-realtime-2", "--llm-url", "http://localhost:1"), 0);
    assert_int_equal(w->count, 0);
    setenv("HULLO_LLM_URL", "http://localhost:1", 1);
    assert_int_equal(OPEN(w, "", "-m", "gpt-realtime-2"), 0); /* wherever that was said */
    assert_int_equal(w->count, 0);
}

static void an_address_on_the_command_line_is_enough(void **state)
{
    struct world *w = *state;

    setenv("HULLO_API_KEY", "sk-any", 1);
    assert_int_equal(OPEN(w, "", "--url", "wss://user@voice.example/v1?model=m", "--dialect",
                          "localai", "-m", "pipe"),
                     0);
    assert_int_equal(w->count, 1);
    assert_string_equal(w->list[0].name, "voice.example");
    assert_string_equal(w->list[0].url, "wss://user@voice.example/v1?model=m");
    assert_string_equal(w->list[0].dialect, "localai");
    assert_string_equal(w->list[0].model, "pipe");
    assert_string_equal(w->list[0].key, "sk-any");
    assert_null(getenv("HULLO_API_KEY"));
    assert_int_equal(OPEN(w, "", "--url", "ws://localhost:8080"), 0); /* no key: none is sent */
    assert_string_equal(w->list[0].dialect, "openai");
    assert_null(w->list[0].key);
}

static void a_providers_key_goes_to_no_server_that_is_only_like_it(void **state)
{
    struct world *w = *state;

    setenv("OPENAI_API_KEY", "sk-1", 1);
    assert_int_equal(OPEN(w, "", "--url", "wss://other.example", "-m", "gpt-realtime"), 0);
    assert_null(w->list[0].key);
    assert_non_null(getenv("OPENAI_API_KEY"));
    assert_int_equal(OPEN(w, "", "--url", "wss://other.example", "--dialect", "openai"), 0);
    assert_string_equal(w->list[0].key, "sk-1");
}

static const char office[] =
    "voice = anna\n"
    "profile work {\n"
    "  model = gpt-realtime-2\n"
    "  endpoint first { url = \"wss://a.example\" model = own voice = bert\n"
    "    api_key_env = A_KEY header = \"X-Who: me\" resource = west }\n"
    "  endpoint second { api_key_command = \"echo sk-cmd\" }\n"
    "  endpoint third { url = \"ws://192.168.0.9\" dialect = generic\n"
    "    events { a = b } }\n"
    "}\n";

static void a_profile_gives_its_list(void **state)
{
    struct world *w = *state;

    setenv("A_KEY", "sk-a", 1);
    assert_int_equal(OPEN(w, office, "--profile", "work"), 0);
    assert_int_equal(w->count, 3);
    assert_string_equal(w->list[0].name, "first");
    assert_string_equal(w->list[0].model, "own");
    assert_string_equal(w->list[0].voice, "bert");
    assert_string_equal(w->list[0].values[0].name, "resource");
    assert_string_equal(w->list[0].values[0].value, "west");
    assert_string_equal(w->list[0].key, "sk-a");
    assert_string_equal(w->list[0].headers[0], "X-Who: me");
    assert_null(w->list[0].headers[1]);
    assert_null(getenv("A_KEY"));
    assert_string_equal(w->list[1].name, "second");
    assert_string_equal(w->list[1].dialect, "openai");
    assert_string_equal(w->list[1].model, "gpt-realtime-2");
    assert_string_equal(w->list[1].key, "sk-cmd");
    assert_null(w->list[1].voice);
    assert_string_equal(w->list[2].dialect, "generic");
    assert_null(w->list[2].key);
    assert_int_equal(w->list[2].value_count, 1);
    assert_string_equal(w->list[2].values[0].name, "events.a");
}

static void what_is_typed_goes_before_the_endpoints_own(void **state)
{
    struct world *w = *state;

    setenv("A_KEY", "sk-a", 1);
    setenv("HULLO_MODEL", "habit", 1);
    assert_int_equal(OPEN(w, office, "--profile", "work"), 0);
    assert_string_equal(w->list[0].model, "own");
    assert_string_equal(w->list[1].model, "habit");
    setenv("A_KEY", "sk-a", 1);
    assert_int_equal(
        OPEN(w, office, "--profile", "work", "-m", "now", "--voice", "carl", "--cacert", "c.pem"),
        0);
    assert_string_equal(w->list[2].cacert, "c.pem");
    assert_string_equal(w->list[0].model, "now");
    assert_null(w->list[0].voice);
}

static void a_model_for_this_machine_is_not_asked_of_an_endpoint(void **state)
{
    struct world *w = *state;

    setenv("OPENAI_API_KEY", "sk-1", 1);
    assert_int_equal(
        OPEN(w, "model = smollm2\nprofile p { endpoint e { dialect = openai } }", "--profile", "p"),
        0);
    assert_null(w->list[0].model);
}

static void what_contradicts_itself_is_refused(void **state)
{
    struct world *w = *state;
    const char *llm = "http://localhost:1";

    assert_told(w, OPEN(w, "", "--url", "wss://a.example", "--llm-url", llm), STATUS_USAGE,
                "--url");
    assert_told(w, OPEN(w, office, "--profile", "work", "--llm-url", llm), STATUS_USAGE,
                "--profile");
    /* A habit gives way to what is typed. */
    setenv("HULLO_PROFILE", "work", 1);
    assert_int_equal(OPEN(w, office, "--llm-url", llm), 0);
    assert_int_equal(w->count, 0);
    setenv("A_KEY", "sk-a", 1);
    setenv("HULLO_LLM_URL", llm, 1);
    assert_int_equal(OPEN(w, office, "x"), 0);
    assert_int_equal(w->count, 3);
    assert_int_equal(OPEN(w, office, "--url", "wss://a.example"), 0);
    assert_int_equal(w->count, 1);
}

static void mistakes_name_the_endpoint(void **state)
{
    static const struct {
        const char *what, *about;
    } mistakes[] = {
        {"dialect = opneai", "did you mean 'openai'"},
        {"dialect = nobody", "openai, gemini, localai, qwen, generic"},
        {"dialect = localai", "no server of its own"},
        {"url = nonsense", "wss://"},
        {"url = \"ftp://a.example/v1\"", "not ftp://"},
        {"key_header = \"A: {key}\"", "generic"},
        {"session = beta", "'session'"},
        {"events { a = b }", "'events'"},
        {"url = \"wss://u:sk-secret@a.example\"", "password"},
        {"url = \"wss://\"", "no address"},
        {"url = \"wss://u:sk-secret@a b/\"", "no address"},
    };
    struct world *w = *state;
    char file[256];

    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        snprintf(file, sizeof file, "profile p { endpoint far { %s } }", mistakes[i].what);
        int rc = OPEN(w, file, "--profile", "p");
        assert_told(w, rc, STATUS_USAGE, mistakes[i].about);
        assert_non_null(strstr(w->e.text, "'far'"));
    }
    assert_told(w, OPEN(w, "", "--dialect", "localai"), STATUS_USAGE, "--url");
}

static void a_provider_without_a_key_is_told_where_to_put_it(void **state)
{
    struct world *w = *state;

    assert_told(w, OPEN(w, "", "-m", "gpt-realtime-2"), STATUS_AUTH,
                "OPENAI_API_KEY or HULLO_API_KEY");
    setenv("HULLO_API_KEY", "sk-any", 1);
    assert_int_equal(OPEN(w, "", "-m", "gpt-realtime-2"), 0);
    assert_string_equal(w->list[0].key, "sk-any");
}

static void who_has_no_key_is_left_out_while_others_have(void **state)
{
    struct world *w = *state;

    assert_int_equal(OPEN(w, office, "--profile", "work"), 0); /* A_KEY is not set */
    assert_int_equal(w->count, 2);
    assert_string_equal(w->list[0].name, "second");
    assert_string_equal(w->list[0].key, "sk-cmd");
    assert_string_equal(w->list[1].name, "third");
    assert_non_null(strstr(w->said, "endpoint 'first': the variable 'A_KEY' is not set"));
    assert_told(w,
                OPEN(w,
                     "profile p { endpoint a { api_key_env = A_KEY } endpoint b { api_key_command "
                     "= \"exit 3\" } }",
                     "--profile", "p"),
                STATUS_AUTH, "status 3");
}

static void a_key_for_two_is_read_once_and_serves_both(void **state)
{
    struct world *w = *state;

    setenv("OPENAI_API_KEY", "sk-1", 1);
    assert_int_equal(OPEN(w,
                          "profile p { endpoint a { model = x } endpoint b { model = y } endpoint "
                          "c { api_key_command = \"echo sk-${OPENAI_API_KEY:-gone}\" } }",
                          "--profile", "p"),
                     0);
    assert_int_equal(w->count, 3);
    assert_string_equal(w->list[0].key, "sk-1");
    assert_string_equal(w->list[1].key, "sk-1");
    assert_string_equal(w->list[2].key, "sk-gone"); /* commands do not inherit it */
}

static void no_key_goes_in_the_clear(void **state)
{
    struct world *w = *state;

    assert_int_equal(OPEN(w, "", "--url", "ws://voice.example/v1"), 0);
    assert_true(w->list[0].open);
    assert_non_null(strstr(w->said, "unencrypted to 'voice.example'"));
    setenv("HULLO_API_KEY", "sk-any", 1);
    assert_told(w, OPEN(w, "", "--url", "ws://voice.example/v1"), STATUS_USAGE, "wss://");
    setenv("HULLO_API_KEY", "sk-any", 1);
    assert_int_equal(OPEN(w, "", "--url", "ws://127.0.0.1:8080"), 0);
    assert_string_equal(w->said, "");
    assert_string_equal(w->list[0].key, "sk-any");
    assert_told(w,
                OPEN(w,
                     "profile p { endpoint a { url = \"ws://voice.example\" header = "
                     "\"X-Api-Key: sk-1\" } }",
                     "--profile", "p"),
                STATUS_USAGE, "unencrypted");
    assert_int_equal(OPEN(w,
                          "profile p { endpoint a { url = \"ws://voice.example\" header = "
                          "\"X-Room: 1\" } }",
                          "--profile", "p"),
                     0);
}

static void near_is_this_machine_and_private_networks(void **state)
{
    static const struct {
        const char *url;
        enum address_way way;
    } urls[] = {
        {"wss://anywhere.example", ADDRESS_SEALED},
        {"WSS://anywhere.example", ADDRESS_SEALED},
        {"https://anywhere.example", ADDRESS_SEALED},
        {"wss://anywhere.example/{a}[?model={model}]", ADDRESS_SEALED},
        {"http://anywhere.example", ADDRESS_OPEN},
        {"ws://localhost:8080/v1", ADDRESS_NEAR},
        {"ws://127.9.9.9", ADDRESS_NEAR},
        {"ws://2130706433/", ADDRESS_NEAR}, /* 127.0.0.1, as curl reads it */
        {"ws://[::1]:80", ADDRESS_NEAR},
        {"ws://[::ffff:10.0.0.1]", ADDRESS_NEAR},
        {"ws://10.1.2.3", ADDRESS_NEAR},
        {"ws://172.16.0.1", ADDRESS_NEAR},
        {"ws://172.31.255.1", ADDRESS_NEAR},
        {"ws://192.168.1.1", ADDRESS_NEAR},
        {"ws://100.64.0.1", ADDRESS_NEAR},
        {"ws://[fd00::1]", ADDRESS_NEAR},
        {"ws://[fe80::1%25eth0]", ADDRESS_NEAR},
        {"ws://box:8080", ADDRESS_NEAR},
        {"ws://box.local.", ADDRESS_NEAR},
        {"ws://a.box.home.arpa", ADDRESS_NEAR},
        {"ws://172.32.0.1", ADDRESS_OPEN},
        {"ws://172.15.0.1", ADDRESS_OPEN},
        {"ws://128.0.0.1", ADDRESS_OPEN},
        {"ws://192.169.0.1", ADDRESS_OPEN},
        {"ws://[2001:db8::1]", ADDRESS_OPEN},
        {"ws://[::ffff:8.8.8.8]", ADDRESS_OPEN},
        {"ws://localhost.example", ADDRESS_OPEN},
        {"ws://127.0.0.1.example", ADDRESS_OPEN},
        {"ws://10.0.0.1@far.example/", ADDRESS_OPEN},
        {"ws://notlocal", ADDRESS_NEAR},
        {"ws://far.notlocal", ADDRESS_OPEN},
    };
    (void)state;

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct err e = {0};
        enum address_way way;
        char host[64];
        if (address_check(urls[i].url, &way, host, sizeof host, "x", &e) != 0 || way != urls[i].way)
            fail_msg("%s: %d %s", urls[i].url, (int)way, e.text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_key_alone_sends_nothing_anywhere),
        TEST(a_models_name_may_say_whose_it_is),
        TEST(a_server_of_the_local_backend_keeps_the_name_for_itself),
        TEST(an_address_on_the_command_line_is_enough),
        TEST(a_providers_key_goes_to_no_server_that_is_only_like_it),
        TEST(a_profile_gives_its_list),
        TEST(what_is_typed_goes_before_the_endpoints_own),
        TEST(a_model_for_this_machine_is_not_asked_of_an_endpoint),
        TEST(what_contradicts_itself_is_refused),
        TEST(mistakes_name_the_endpoint),
        TEST(a_provider_without_a_key_is_told_where_to_put_it),
        TEST(who_has_no_key_is_left_out_while_others_have),
        TEST(a_key_for_two_is_read_once_and_serves_both),
        TEST(no_key_goes_in_the_clear),
        TEST(near_is_this_machine_and_private_networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
