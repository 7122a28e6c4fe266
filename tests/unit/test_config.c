/* The configuration file: its form, its settings, its profiles, and who wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "conf/config.h"
#include "conf/syntax.h"
#include "fake/scratch.h"

static const enum option_id allowed[] = {OPT_VOICE,  OPT_MODEL,       OPT_EFFORT,
                                         OPT_SPEED,  OPT_HALF_DUPLEX, OPT_PROFILE,
                                         OPT_CONFIG, OPT_CACERT,      OPT_COUNT};

/* Options as after a command line of these words. */
static void command_line(struct options *o, const char *const *words)
{
    char *copy[8];
    int n = 0;

    for (; words[n] != NULL; n++)
        copy[n] = (char *)(uintptr_t)words[n];
    assert_int_equal(options_parse(o, n, copy, allowed, NULL), 0);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Parses and applies; *c may be freed at once only by the caller. */
static int take(struct config **c, struct options *o, const char *text, struct err *e)
{
    int rc = config_parse(c, text, strlen(text), "conf", e);

    if (rc < 0)
        return rc;
    rc = config_apply(*c, o, e);
    if (rc < 0) {
        config_free(*c);
        *c = NULL;
    }
    return rc;
}

static const char office[] =
    "voice = \"marin\"   # what stands here holds everywhere\n"
    "speed = 1.1\n"
    "half-duplex = yes\n"
    "profile work {\n"
    "  effort = low  voice = cedar\n"
    "  half-duplex = off\n"
    "  endpoint azure { url = \"wss://a.example/x?model=m\" dialect = azure\n"
    "    api_key_env = AZURE_KEY header = {\"X-A: b\", \"X-C: d, e\"} }\n"
    "  endpoint home {\n"
    "    url = ws://127.0.0.1:8080\n"
    "    model = 'gpt \"x\"'\n"
    "    api_key_file = \"~/key\"\n"
    "    key_header = \"X-Key: {key}\" input_hz = 16000\n"
    "    events { audio_delta = response.audio.delta\n"
    "             done = \"response.done\" }\n"
    "  }\n"
    "}\n"
    "profile quiet { effort = minimal }\n";

static void what_stands_outside_of_profiles_always_holds(void **state)
{
    struct options o;
    struct config *c;
    size_t n = 9;
    (void)state;

    command_line(&o, WORDS("x"));
    assert_int_equal(take(&c, &o, office, NULL), 0);
    assert_string_equal(options_text(&o, OPT_VOICE), "marin");
    assert_int_equal(options_origin(&o, OPT_VOICE), ORIGIN_FILE);
    assert_true(options_number(&o, OPT_SPEED) > 1.09 && options_number(&o, OPT_SPEED) < 1.11);
    assert_true(options_has(&o, OPT_HALF_DUPLEX));
    assert_false(options_has(&o, OPT_EFFORT));
    assert_null(config_profile(c));
    config_endpoints(c, &n);
    assert_int_equal(n, 0);
    options_free(&o);
    config_free(c);
}

static void a_profile_wins_over_the_rest_of_the_file(void **state)
{
    struct options o;
    struct config *c;
    (void)state;

    command_line(&o, WORDS("--profile", "work"));
    assert_int_equal(take(&c, &o, office, NULL), 0);
    assert_string_equal(config_profile(c), "work");
    assert_string_equal(options_text(&o, OPT_VOICE), "cedar");
    assert_string_equal(options_text(&o, OPT_EFFORT), "low");
    assert_false(options_has(&o, OPT_HALF_DUPLEX));
    assert_true(options_has(&o, OPT_SPEED));
    options_free(&o);
    config_free(c);
}

static void the_environment_wins_over_the_file_and_the_command_line_over_both(void **state)
{
    struct options o;
    struct config *c;
    (void)state;

    setenv("HULLO_VOICE", "env", 1);
    setenv("HULLO_PROFILE", "work", 1);
    command_line(&o, WORDS("--effort", "high"));
    assert_int_equal(take(&c, &o, office, NULL), 0);
    assert_string_equal(config_profile(c), "work");
    assert_string_equal(options_text(&o, OPT_VOICE), "env");
    assert_string_equal(options_text(&o, OPT_EFFORT), "high");
    options_free(&o);
    config_free(c);
    command_line(&o, WORDS("--voice", "line", "--profile=quiet"));
    assert_int_equal(take(&c, &o, office, NULL), 0);
    assert_string_equal(options_text(&o, OPT_VOICE), "line");
    assert_string_equal(options_text(&o, OPT_EFFORT), "minimal");
    unsetenv("HULLO_VOICE");
    unsetenv("HULLO_PROFILE");
    options_free(&o);
    config_free(c);
}

static void endpoints_come_in_the_order_of_the_file(void **state)
{
    const struct config_endpoint *p;
    struct options o;
    struct config *c;
    size_t n;
    (void)state;

    setenv("HOME", "/home/ann", 1);
    command_line(&o, WORDS("--profile", "work"));
    assert_int_equal(take(&c, &o, office, NULL), 0);
    p = config_endpoints(c, &n);
    assert_int_equal(n, 2);
    assert_string_equal(p[0].name, "azure");
    assert_string_equal(p[0].url, "wss://a.example/x?model=m");
    assert_string_equal(p[0].key_env, "AZURE_KEY");
    assert_string_equal(p[0].headers[1], "X-C: d, e");
    assert_null(p[0].headers[2]);
    assert_int_equal(p[0].value_count, 0);
    assert_null(p[0].model);
    assert_string_equal(p[1].name, "home");
    assert_string_equal(p[1].url, "ws://127.0.0.1:8080");
    assert_string_equal(p[1].model, "gpt \"x\"");
    assert_string_equal(p[1].key_file, "/home/ann/key");
    assert_null(p[1].headers[0]);
    assert_int_equal(p[1].value_count, 4);
    assert_string_equal(p[1].values[0].name, "key_header");
    assert_string_equal(p[1].values[0].value, "X-Key: {key}");
    assert_string_equal(p[1].values[1].name, "input_hz");
    assert_string_equal(p[1].values[2].name, "events.audio_delta");
    assert_string_equal(p[1].values[3].name, "events.done");
    assert_string_equal(p[1].values[3].value, "response.done");
    options_free(&o);
    config_free(c);
}

static void the_file_may_name_the_profile_to_use(void **state)
{
    static const char text[] =
        "profile = b\nprofile a { effort = low }\nprofile b { effort = high }";
    struct options o;
    struct config *c;
    (void)state;

    command_line(&o, WORDS("x"));
    assert_int_equal(take(&c, &o, text, NULL), 0);
    assert_string_equal(config_profile(c), "b");
    options_free(&o);
    config_free(c);
    command_line(&o, WORDS("--profile", "a"));
    assert_int_equal(take(&c, &o, text, NULL), 0);
    assert_string_equal(config_profile(c), "a");
    options_free(&o);
    config_free(c);
    command_line(&o, WORDS("--profile", "local"));
    assert_int_equal(take(&c, &o, text, NULL), 0);
    assert_null(config_profile(c));
    assert_false(options_has(&o, OPT_EFFORT));
    options_free(&o);
    config_free(c);
}

static void what_the_command_does_not_take_is_checked_and_left_alone(void **state)
{
    struct options o;
    struct config *c;
    struct err e = {0};
    (void)state;

    command_line(&o, WORDS("x"));
    assert_int_equal(take(&c, &o, "noise-reduction = near", NULL), 0);
    assert_null(options_text(&o, OPT_NOISE_REDUCTION));
    config_free(c);
    assert_true(take(&c, &o, "noise-reduction = maybe", &e) < 0);
    assert_non_null(strstr(e.text, "near, far, off"));
    options_free(&o);
}

static void mistakes_name_file_line_and_what_was_meant(void **state)
{
    static const struct {
        const char *text, *line, *about;
    } mistakes[] = {
        {"voice = a\n\nvoise = b", "line 3", "'voice'"},
        {"turn_detection = server", "line 1", "'turn-detection'"},
        {"\neffort = huge", "line 2", "minimal, low, medium, high, xhigh"},
        {"speed = fast", "line 1", "0.25 to 1.5"},
        {"speed = 9", "line 1", "'9'"},
        {"half-duplex = perhaps", "line 1", "true or false"},
        {"output = x", "line 1", "command line"},
        {"voice = a\nvoice = b", "line 2", "line 1"},
        {"voice = {a, b}", "line 1", "before"},
        {"voice a", "line 1", "'='"},
        {"voice =", "line 1", "value"},
        {"voice = a b c", "line 1", "quotes"},
        {"voice = \"a\nb", "line 1", "never closed"},
        {"voice = \"\\q\"", "line 1", "backslash"},
        {"header = {\"A: b\"}", "line 1", "'header'"},
        {"= x", "line 1", "name"},
        {"}", "line 1", "name"},
        {"profile w {\nvoice = a\n", "line 1", "never closed"},
        {"profile { }", "line 1", "name"},
        {"profile local { }", "line 1", "'local'"},
        {"profile a { }\nprofile a { }", "line 2", "line 1"},
        {"profiel a { }", "line 1", "'profile'"},
        {"profile a { profile b { } }", "line 1", "'profile'"},
        {"endpoint a { }", "line 1", "profile"},
        {"profile a { endpoint { } }", "line 1", "name"},
        {"profile a {\nendpoint b { }\nendpoint b { } }", "line 3", "line 2"},
        {"profile a { endpoint b { urn = x } }", "line 1", "'url'"},
        {"profile a { endpoint b { url = '' } }", "line 1", "empty"},
        {"profile a { endpoint b { url = x url = y } }", "line 1", "before"},
        {"profile a { endpoint b { api_key = x } }", "line 1", "api_key_file"},
        {"profile a { endpoint b {\napi_key_env = A\napi_key_file = /f } }", "line 1", "one is"},
        {"profile a { endpoint b { header = \"no colon\" } }", "line 1", "Name: value"},
        {"profile a { endpoint b { header = \"A B: c\" } }", "line 1", "Name: value"},
        {"profile a { endpoint b { header = \"A: b\\nC: d\" } }", "line 1", "Name: value"},
        {"profile a { endpoint b { header = {\"A: b\" \"C: d\"} } }", "line 1", "','"},
        {"cacert = ca.pem", "line 1", "'~/'"},
        {"local-model = ../m.gguf", "line 1", "'../m.gguf'"},
        {"profile a { endpoint b { api_key_file = key } }", "line 1", "'~/'"},
        {"profile a { endpoint b { cacert = ca.pem } }", "line 1", "'ca.pem'"},
        {"profile a { endpoint b { header = {{ } }", "line 1", "list"},
        {"profile a { endpoint b { header = \"A: {key}\" } }", "line 1", "key_header"},
        {"profile a { endpoint b { events x { } } }", "line 1", "no name"},
        {"profile a { endpoint b { events { x { } } } }", "line 1", "NAME = VALUE"},
        {"a {b {c {d {e {f {g {h {i {", "line 1", "inside one another"},
    };
    struct options o;
    struct config *c;
    (void)state;

    command_line(&o, WORDS("x"));
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct err e = {0};
        assert_true(take(&c, &o, mistakes[i].text, &e) < 0);
        assert_null(c);
        assert_int_equal(e.status, STATUS_USAGE);
        if (strstr(e.text, "'conf'") == NULL || strstr(e.text, mistakes[i].line) == NULL ||
            strstr(e.text, mistakes[i].about) == NULL)
            fail_msg("%s\ngave: %s", mistakes[i].text, e.text);
    }
    options_free(&o);
}

static void a_profile_that_is_not_there_is_an_error(void **state)
{
    struct options o;
    struct config *c;
    struct err e = {0};
    (void)state;

    command_line(&o, WORDS("--profile", "wrok"));
    assert_true(take(&c, &o, office, &e) < 0);
    assert_non_null(strstr(e.text, "--profile"));
    assert_non_null(strstr(e.text, "did you mean 'work'"));
    options_free(&o);
}

static void nothing_is_expanded(void **state)
{
    struct options o;
    struct config *c;
    (void)state;

    command_line(&o, WORDS("x"));
    assert_int_equal(take(&c, &o, "voice = \"${HOME} $HOME ~ \\\\ \\\"\" model = '\\n'", NULL), 0);
    assert_string_equal(options_text(&o, OPT_VOICE), "${HOME} $HOME ~ \\ \"");
    assert_string_equal(options_text(&o, OPT_MODEL), "\\n");
    config_free(c);
    options_free(&o);
}

static void what_is_not_text_is_refused(void **state)
{
    static const char *const bad[] = {"voice = \x1b[31m", "voice = \xff", "voice = \"\x7f\"",
                                      "\xc2\x9b", "\177ELF"};
    struct config *c;
    struct err e = {0};
    char *big;
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(config_parse(&c, bad[i], strlen(bad[i]), "conf", &e) < 0);
        assert_non_null(strstr(e.text, "configuration file?"));
    }
    assert_true(config_parse(&c, "voice = a\0b", 11, "conf", &e) < 0);
    assert_non_null(strstr(e.text, "line 1"));
    big = malloc(SYNTAX_MAX_BYTES + 1);
    assert_non_null(big);
    memset(big, '\n', SYNTAX_MAX_BYTES + 1);
    assert_int_equal(config_parse(&c, big, SYNTAX_MAX_BYTES, "conf", &e), 0);
    config_free(c);
    assert_true(config_parse(&c, big, SYNTAX_MAX_BYTES + 1, "conf", &e) < 0);
    free(big);
}

static void what_an_editor_of_windows_leaves_is_read(void **state)
{
    struct options o;
    struct config *c;
    (void)state;

    command_line(&o, WORDS("x"));
    assert_int_equal(take(&c, &o, "\xef\xbb\xbfvoice = ann\r\nmodel = m\r\n", NULL), 0);
    assert_string_equal(options_text(&o, OPT_VOICE), "ann");
    assert_string_equal(options_text(&o, OPT_MODEL), "m");
    config_free(c);
    options_free(&o);
}

static void a_path_may_begin_in_the_users_folder(void **state)
{
    struct options o;
    struct config *c;
    (void)state;

    setenv("HOME", "/home/ann", 1);
    command_line(&o, WORDS("x"));
    assert_int_equal(take(&c, &o, "cacert = ~/ca.pem", NULL), 0);
    assert_string_equal(options_text(&o, OPT_CACERT), "/home/ann/ca.pem");
    options_free(&o);
    config_free(c);
    command_line(&o, WORDS("--cacert", "here.pem")); /* what is typed is the shell's business */
    assert_int_equal(take(&c, &o, "cacert = ~/ca.pem", NULL), 0);
    assert_string_equal(options_text(&o, OPT_CACERT), "here.pem");
    options_free(&o);
    config_free(c);
}

/* --- on disk */

static void a_file_is_found_in_the_users_folder_or_by_name(void **state)
{
    struct scratch s;
    struct options o;
    struct config *c;
    struct err e = {0};
    char dir[512], file[600];
    (void)state;

    scratch_new(&s);
    setenv("XDG_CONFIG_HOME", s.dir, 1);
    command_line(&o, WORDS("x"));
    assert_int_equal(config_load(&c, &o, &e), 0); /* there is none */
    assert_int_equal(e.status, STATUS_DONE);
    assert_string_equal(options_text(&o, OPT_VOICE), "auto");
    options_free(&o);
    config_free(c);

    scratch_put(&s, "mine", "voice = mine", 12);
    snprintf(file, sizeof file, "%s", scratch_path(&s, "mine"));
    command_line(&o, WORDS("--config", file));
    assert_int_equal(config_load(&c, &o, &e), 0);
    assert_string_equal(options_text(&o, OPT_VOICE), "mine");
    options_free(&o);
    config_free(c);

    assert_int_equal(chmod(file, 0666), 0);
    command_line(&o, WORDS("--config", file));
    assert_true(config_load(&c, &o, &e) < 0);
    assert_non_null(strstr(e.text, "everybody"));
    assert_null(c);
    options_free(&o);

    snprintf(dir, sizeof dir, "%s", scratch_path(&s, "hullo"));
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(file, sizeof file, "%s/config", dir);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs("voice = usual\n", f);
    fclose(f);
    command_line(&o, WORDS("x"));
    assert_int_equal(config_load(&c, &o, &e), 0);
    assert_string_equal(options_text(&o, OPT_VOICE), "usual");
    options_free(&o);
    config_free(c);
    remove(file);
    unsetenv("XDG_CONFIG_HOME");
    scratch_free(&s);
}

static void a_named_file_must_be_there(void **state)
{
    struct options o;
    struct config *c;
    struct err e = {0};
    (void)state;

    command_line(&o, WORDS("--config", "/nowhere/config"));
    assert_true(config_load(&c, &o, &e) < 0);
    assert_null(c);
    assert_non_null(strstr(e.text, "'/nowhere/config'"));
    options_free(&o);
    command_line(&o, WORDS("--config", "/dev"));
    assert_true(config_load(&c, &o, &e) < 0);
    options_free(&o);
}

static void no_profile_without_a_file(void **state)
{
    struct options o;
    struct config *c;
    struct err e = {0};
    (void)state;

    setenv("XDG_CONFIG_HOME", "/nowhere", 1);
    command_line(&o, WORDS("--profile", "work"));
    assert_true(config_load(&c, &o, &e) < 0);
    assert_non_null(strstr(e.text, "'work'"));
    assert_non_null(strstr(e.text, "'/nowhere/hullo/config'"));
    options_free(&o);
    unsetenv("XDG_CONFIG_HOME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_outside_of_profiles_always_holds),
        cmocka_unit_test(a_profile_wins_over_the_rest_of_the_file),
        cmocka_unit_test(the_environment_wins_over_the_file_and_the_command_line_over_both),
        cmocka_unit_test(endpoints_come_in_the_order_of_the_file),
        cmocka_unit_test(the_file_may_name_the_profile_to_use),
        cmocka_unit_test(what_the_command_does_not_take_is_checked_and_left_alone),
        cmocka_unit_test(mistakes_name_file_line_and_what_was_meant),
        cmocka_unit_test(a_profile_that_is_not_there_is_an_error),
        cmocka_unit_test(nothing_is_expanded),
        cmocka_unit_test(what_is_not_text_is_refused),
        cmocka_unit_test(what_an_editor_of_windows_leaves_is_read),
        cmocka_unit_test(a_path_may_begin_in_the_users_folder),
        cmocka_unit_test(a_file_is_found_in_the_users_folder_or_by_name),
        cmocka_unit_test(a_named_file_must_be_there),
        cmocka_unit_test(no_profile_without_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
