/* The conversation in words, and how much of a reply was heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "realtime/journal.h"

static int setup(void **state)
{
    return journal_new((struct journal **)state);
}

static int teardown(void **state)
{
    journal_free(*state);
    return 0;
}

static void entries_come_in_order(void **state)
{
    struct journal *j = *state;
    struct journal_entry en;

    journal_add(j, JOURNAL_USER, 1, NULL);
    journal_add(j, JOURNAL_ASSISTANT, 1, "Hel");
    journal_append(j, JOURNAL_ASSISTANT, 1, "lo.");
    journal_set(j, JOURNAL_USER, 1, "Hi");
    assert_true(journal_entry(j, 0, &en));
    assert_int_equal(en.role, JOURNAL_USER);
    assert_string_equal(en.text, "Hi");
    assert_true(journal_entry(j, 1, &en));
    assert_int_equal(en.role, JOURNAL_ASSISTANT);
    assert_string_equal(en.text, "Hello.");
    assert_false(journal_entry(j, 2, &en));
}

static void words_that_are_not_known_are_null(void **state)
{
    struct journal *j = *state;
    struct journal_entry en;

    journal_add(j, JOURNAL_USER, 7, NULL);
    assert_true(journal_entry(j, 0, &en));
    assert_null(en.text);
    assert_null(journal_text(j, JOURNAL_USER, 7));
    journal_set(j, JOURNAL_USER, 7, "");
    assert_string_equal(journal_text(j, JOURNAL_USER, 7), "");
}

static void an_entry_that_is_not_there_is_nothing(void **state)
{
    struct journal *j = *state;
    struct journal_entry en;

    assert_int_equal(journal_append(j, JOURNAL_ASSISTANT, 3, "x"), 0);
    assert_int_equal(journal_set(j, JOURNAL_USER, 3, "x"), 0);
    journal_remove(j, JOURNAL_USER, 3);
    assert_null(journal_text(j, JOURNAL_USER, 3));
    assert_false(journal_entry(j, 0, &en));
}

static void an_entry_can_be_set_to_a_part_of_itself(void **state)
{
    struct journal *j = *state;

    journal_add(j, JOURNAL_ASSISTANT, 1, "one two three");
    journal_set(j, JOURNAL_ASSISTANT, 1, journal_text(j, JOURNAL_ASSISTANT, 1) + 4);
    assert_string_equal(journal_text(j, JOURNAL_ASSISTANT, 1), "two three");
}

static void the_oldest_goes_when_it_is_long(void **state)
{
    struct journal *j = *state;
    struct journal_entry en;
    char text[1025];
    size_t n = 0, bytes = 0;

    memset(text, 'a', 1024);
    text[1024] = '\0';
    for (uint32_t i = 0; i < 1000; i++)
        journal_add(j, i % 2 ? JOURNAL_ASSISTANT : JOURNAL_USER, i, text);
    for (; journal_entry(j, n, &en); n++)
        bytes += strlen(en.text);
    assert_int_equal(bytes, 64 << 10);
    assert_int_equal(n, 64);
    assert_non_null(journal_text(j, JOURNAL_ASSISTANT, 999));
}

static void of_one_that_is_too_long_the_end_stays(void **state)
{
    struct journal *j = *state;

    journal_add(j, JOURNAL_ASSISTANT, 1, "");
    for (int i = 0; i < 40000; i++) /* two bytes each */
        journal_append(j, JOURNAL_ASSISTANT, 1, "\u00e4");
    assert_int_equal(strlen(journal_text(j, JOURNAL_ASSISTANT, 1)), 64 << 10);
    assert_memory_equal(journal_text(j, JOURNAL_ASSISTANT, 1), "\u00e4", 2);
}

static void removed_entries_leave_the_others(void **state)
{
    struct journal *j = *state;

    for (uint32_t i = 1; i <= 3; i++)
        journal_add(j, JOURNAL_USER, i, i == 2 ? "two" : "other");
    journal_remove(j, JOURNAL_USER, 1);
    journal_remove(j, JOURNAL_USER, 3);
    assert_string_equal(journal_text(j, JOURNAL_USER, 2), "two");
    assert_null(journal_text(j, JOURNAL_USER, 1));
    journal_clear(j);
    assert_null(journal_text(j, JOURNAL_USER, 2));
}

static const char TEXT[] = "one two three four"; /* 18 bytes */

static void all_of_it_is_heard_at_the_end(void **state)
{
    (void)state;
    assert_int_equal(journal_heard(TEXT, 1800, true, 1800, 0), 18);
    assert_int_equal(journal_heard(TEXT, 1800, true, 99999, 0), 18);
}

static void nothing_is_heard_of_what_was_not_played(void **state)
{
    (void)state;
    assert_int_equal(journal_heard(TEXT, 1800, true, 0, 0), 0);
    assert_int_equal(journal_heard(TEXT, 0, false, 500, 0), 0);
    assert_int_equal(journal_heard("", 1800, true, 1800, 0), 0);
}

static void a_share_of_the_speech_is_a_share_of_the_words(void **state)
{
    (void)state;
    assert_int_equal(journal_heard(TEXT, 1800, true, 900, 0), 7); /* "one two" */
    assert_int_equal(journal_heard(TEXT, 1800, true, 690, 0), 3);
    assert_int_equal(journal_heard(TEXT, 1800, true, 290, 0), 0);
}

static void text_that_is_ahead_of_its_speech_was_not_heard(void **state)
{
    (void)state;
    assert_int_equal(journal_heard(TEXT, 800, false, 800, 100), 7);
    assert_int_equal(journal_heard(TEXT, 800, false, 400, 100), 3);
    assert_int_equal(journal_heard(TEXT, 520, false, 520, 0), 7); /* 65 ms each */
    assert_int_equal(journal_heard(TEXT, 99999, false, 99999, 100), 18);
}

static void scripts_without_spaces_are_cut_between_characters(void **state)
{
    static const char text[] = "\u4f60\u597d\u4f60\u597d"; /* four of three bytes */

    (void)state;
    assert_int_equal(journal_heard(text, 1000, true, 500, 0), 6);
    assert_int_equal(journal_heard(text, 1000, true, 700, 0), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_come_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(words_that_are_not_known_are_null, setup, teardown),
        cmocka_unit_test_setup_teardown(an_entry_that_is_not_there_is_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_entry_can_be_set_to_a_part_of_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_goes_when_it_is_long, setup, teardown),
        cmocka_unit_test_setup_teardown(of_one_that_is_too_long_the_end_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(removed_entries_leave_the_others, setup, teardown),
        cmocka_unit_test(all_of_it_is_heard_at_the_end),
        cmocka_unit_test(nothing_is_heard_of_what_was_not_played),
        cmocka_unit_test(a_share_of_the_speech_is_a_share_of_the_words),
        cmocka_unit_test(text_that_is_ahead_of_its_speech_was_not_heard),
        cmocka_unit_test(scripts_without_spaces_are_cut_between_characters),
    };

    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
