/* The option table and its parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/options.h"

static const enum option_id allowed[] = {OPT_JSON,       OPT_OUTPUT, OPT_RATE, OPT_VOICE,
                                         OPT_MAX_TOKENS, OPT_EFFORT, OPT_COUNT};

static int parse(struct options *o, struct err *e, int argc, const char *const *argv)
{
    char *copy[16];

    for (int i = 0; i < argc; i++)
        copy[i] = (char *)(uintptr_t)argv[i];
    return options_parse(o, argc, copy, allowed, e);
}

#define PARSE(o, e, ...)                                                                \
    parse((o), (e), (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), \
          (const char *const[]){__VA_ARGS__})

static void assert_usage(const struct err *e, const char *about)
{
    assert_int_equal(e->status, STATUS_USAGE);
    assert_non_null(strstr(e->text, about));
}

static void operands_and_options_come_in_any_order(void **state)
{
    struct options o;
    struct err e = {0};
    (void)state;

    assert_int_equal(PARSE(&o, &e, "a.wav", "--json", "-o", "out", "-"), 0);
    assert_int_equal(o.operand_count, 2);
    assert_string_equal(o.operands[1], "-");
    assert_true(options_has(&o, OPT_JSON));
    assert_string_equal(options_text(&o, OPT_OUTPUT), "out");
    options_free(&o);
}

static void values_stand_behind_an_equals_sign_or_a_letter(void **state)
{
    struct options o;
    struct err e = {0};
    (void)state;

    assert_int_equal(PARSE(&o, &e, "--rate=8000", "-qofile"), 0);
    assert_int_equal((int)options_number(&o, OPT_RATE), 8000);
    assert_true(options_has(&o, OPT_QUIET));
    assert_string_equal(options_text(&o, OPT_OUTPUT), "file");
    options_free(&o);
}

static void two_dashes_end_the_options(void **state)
{
    struct options o;
    struct err e = {0};
    (void)state;

    assert_int_equal(PARSE(&o, &e, "--", "--json"), 0);
    assert_false(options_has(&o, OPT_JSON));
    assert_string_equal(o.operands[0], "--json");
    options_free(&o);
}

static void mistakes_are_usage_errors_that_name_the_option(void **state)
{
    struct options o;
    struct err e = {0};
    (void)state;

    assert_true(PARSE(&o, &e, "--frob") < 0);
    assert_usage(&e, "--frob");
    assert_true(PARSE(&o, &e, "-o") < 0);
    assert_usage(&e, "-o");
    assert_true(PARSE(&o, &e, "--json=yes") < 0);
    assert_usage(&e, "--json");
    assert_true(PARSE(&o, &e, "--rate", "fast") < 0);
    assert_usage(&e, "fast");
    assert_true(PARSE(&o, &e, "--rate", "1e9") < 0);
    assert_usage(&e, "1e9");
    assert_true(PARSE(&o, &e, "--rate", "nan") < 0);
    assert_usage(&e, "nan");
    assert_true(PARSE(&o, &e, "--effort", "bob") < 0);
    assert_usage(&e, "xhigh");
    assert_true(PARSE(&o, &e, "--voise", "bob") < 0);
    assert_usage(&e, "did you mean '--voice'?");
    assert_true(PARSE(&o, &e, "--play") < 0);
    assert_usage(&e, "--play");
}

static void flag_beats_environment_beats_default(void **state)
{
    struct options o;
    struct err e = {0};
    (void)state;

    unsetenv("HULLO_VOICE");
    assert_int_equal(PARSE(&o, &e, "x"), 0);
    assert_string_equal(options_text(&o, OPT_VOICE), "auto");
    assert_int_equal((int)options_number(&o, OPT_MAX_TOKENS), 256);
    options_free(&o);
    setenv("HULLO_VOICE", "flite", 1);
    assert_int_equal(PARSE(&o, &e, "x"), 0);
    assert_string_equal(options_text(&o, OPT_VOICE), "flite");
    options_free(&o);
    assert_int_equal(PARSE(&o, &e, "--voice", "espeak"), 0);
    assert_string_equal(options_text(&o, OPT_VOICE), "espeak");
    options_free(&o);
    unsetenv("HULLO_VOICE");
}

static void a_value_that_changes_on_the_way_is_checked_like_any_other(void **state)
{
    struct options o;
    struct err e = {0};
    char effort[] = "high";
    (void)state;

    assert_int_equal(PARSE(&o, &e, "--effort", "low"), 0);
    assert_true(options_set(&o, "effort", "huge", &e) < 0);
    assert_usage(&e, "xhigh");
    assert_string_equal(options_text(&o, OPT_EFFORT), "low");
    assert_int_equal(options_set(&o, "effort", effort, &e), 0);
    effort[0] = '?'; /* it has a copy */
    assert_string_equal(options_text(&o, OPT_EFFORT), "high");
    assert_int_equal(options_set(&o, "effort", "xhigh", &e), 0);
    assert_int_equal(options_set(&o, "max-tokens", "9", &e), 0);
    assert_int_equal((int)options_number(&o, OPT_MAX_TOKENS), 9);
    assert_true(options_set(&o, "max-tokens", "0", &e) < 0);
    assert_int_equal((int)options_number(&o, OPT_MAX_TOKENS), 9);
    assert_true(options_set(&o, "efort", "low", &e) < 0);
    assert_usage(&e, "'effort'");
    assert_true(options_set(&o, "aec", "off", &e) < 0); /* not an option of this command */
    assert_int_equal(options_set(&o, "json", "on", &e), 0);
    assert_true(options_has(&o, OPT_JSON));
    assert_int_equal(options_set(&o, "json", "off", &e), 0);
    assert_false(options_has(&o, OPT_JSON));
    options_free(&o);
}

static void the_source_of_a_value_is_known(void **state)
{
    struct options o;
    struct err e = {0};
    char source[32];
    (void)state;

    setenv("HULLO_VOICE", "ann", 1);
    assert_int_equal(PARSE(&o, &e, "--effort=low"), 0);
    assert_string_equal(options_source(&o, OPT_VOICE, source, sizeof source), "HULLO_VOICE");
    assert_string_equal(options_source(&o, OPT_EFFORT, source, sizeof source), "--effort");
    assert_int_equal(options_origin(&o, OPT_MAX_TOKENS), ORIGIN_DEFAULT);
    assert_int_equal(options_origin(&o, OPT_RATE), ORIGIN_NONE);
    unsetenv("HULLO_VOICE");
    options_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands_and_options_come_in_any_order),
        cmocka_unit_test(values_stand_behind_an_equals_sign_or_a_letter),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(mistakes_are_usage_errors_that_name_the_option),
        cmocka_unit_test(flag_beats_environment_beats_default),
        cmocka_unit_test(a_value_that_changes_on_the_way_is_checked_like_any_other),
        cmocka_unit_test(the_source_of_a_value_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
