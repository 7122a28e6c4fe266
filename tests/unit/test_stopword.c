/* Which short words, said over a reply, mean that it should stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "session/stopword.h"

static void words_that_tell_somebody_to_be_silent_stop(void **state)
{
    static const char *const said[] = {
        "Stop.", "stop",    "STOP!",          "Wait.",    "Wait a moment.",
        "No.",   "No, no.", "Okay, stop it!", "Hold on.", "That's enough."};

    (void)state;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        assert_true(stopword(said[i]));
}

static void backchannels_do_not(void **state)
{
    static const char *const said[] = {"",    "Mhm.", "Yeah.",      "Okay.",   "Uh-huh.", "Right.",
                                       "You", "...",  "Oh, I see.", "nothing", "know"};

    (void)state;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        assert_false(stopword(said[i]));
}

static void a_sentence_is_a_turn_not_a_word(void **state)
{
    (void)state;
    assert_false(stopword("There is no bus that goes there."));
}

static void what_is_no_text_means_nothing(void **state)
{
    (void)state;
    assert_false(stopword("\xff\xfe\x01 \xc3\xa9"));
    assert_false(stopword("stopstopstopstopstopstopstop"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_tell_somebody_to_be_silent_stop),
        cmocka_unit_test(backchannels_do_not),
        cmocka_unit_test(a_sentence_is_a_turn_not_a_word),
        cmocka_unit_test(what_is_no_text_means_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
