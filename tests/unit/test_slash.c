/* Lines of a conversation that change a setting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cmd/slash.h"

static const enum option_id allowed[] = {OPT_EFFORT, OPT_SPEED, OPT_VOICE, OPT_AUDIO, OPT_COUNT};

static int setup(void **state)
{
    static char name[] = "--effort", value[] = "low"; /* the options borrow them */
    static struct options o;
    char *argv[] = {name, value};

    *state = &o;
    return options_parse(&o, 2, argv, allowed, NULL);
}

static int teardown(void **state)
{
    options_free(*state);
    return 0;
}

static void a_setting_changes_as_it_would_on_the_command_line(void **state)
{
    assert_int_equal(slash_take(*state, "/effort high", NULL), 0);
    assert_string_equal(options_text(*state, OPT_EFFORT), "high");
    assert_int_equal(slash_take(*state, "/voice  the second one", NULL), 0);
    assert_string_equal(options_text(*state, OPT_VOICE), "the second one");
    assert_int_equal(slash_take(*state, "/speed 1.25", NULL), 0);
    assert_true(options_number(*state, OPT_SPEED) == 1.25);
}

static void what_will_not_do_changes_nothing_and_says_why(void **state)
{
    static const struct {
        const char *line, *says;
    } bad[] = {{"/effort", "wants a value"},
               {"/effort  ", "wants a value"},
               {"/effort loud", "low, medium"},
               {"/speed fast", "0.25"},
               {"/", "/effort"},
               {"/ effort high", "/effort"},
               {"/nonsense 1", "/effort"},
               {"/audio null", "/effort"},   /* not now */
               {"/language de", "/effort"}}; /* not of this command */

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        assert_true(slash_take(*state, bad[i].line, &e) < 0);
        assert_int_equal(e.status, STATUS_USAGE);
        assert_non_null(strstr(e.text, bad[i].says));
    }
    assert_string_equal(options_text(*state, OPT_EFFORT), "low");
}

static void two_slashes_are_a_line_that_begins_with_one(void **state)
{
    (void)state;
    assert_true(slash_is_setting("/effort high"));
    assert_false(slash_is_setting("//tmp/x"));
    assert_false(slash_is_setting("hello /effort"));
    assert_false(slash_is_setting(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_setting_changes_as_it_would_on_the_command_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_will_not_do_changes_nothing_and_says_why, setup,
                                        teardown),
        cmocka_unit_test(two_slashes_are_a_line_that_begins_with_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
