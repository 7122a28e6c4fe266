/* What the language model is told of the conversation. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "local/memory.h"

static int setup(void **state)
{
    return memory_new((struct memory **)state, "be kind");
}

static int teardown(void **state)
{
    memory_free(*state);
    return 0;
}

static void assert_messages(struct memory *m, const char *const *texts, size_t n)
{
    size_t count;
    const struct chat_message *got = memory_messages(m, &count);

    assert_int_equal(count, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(got[i].text, texts[i]);
}

#define ASSERT_MESSAGES(m, ...)                                    \
    do {                                                           \
        const char *const texts[] = {__VA_ARGS__};                 \
        assert_messages((m), texts, sizeof texts / sizeof *texts); \
    } while (0)

static void exchange(struct memory *m, uint32_t item, const char *user, const char *reply)
{
    memory_user(m, user);
    memory_reply_begin(m, item);
    memory_reply_text(m, item, reply);
}

/* A clause that the voice has spoken to its end. */
static void clause(struct memory *m, uint32_t item, uint32_t id, const char *text, double end_ms)
{
    memory_reply_clause(m, item, id, text);
    memory_reply_speech(m, item, end_ms);
    memory_reply_spoken(m, item, id, end_ms);
}

static void the_prompt_comes_first_and_replies_grow(void **state)
{
    struct memory *m = *state;

    exchange(m, 1, "hello", "good");
    memory_reply_text(m, 1, " day");
    ASSERT_MESSAGES(m, "be kind", "hello", "good day");
}

static void a_reply_that_is_still_empty_is_left_out(void **state)
{
    struct memory *m = *state;

    memory_user(m, "hello");
    memory_reply_begin(m, 1);
    ASSERT_MESSAGES(m, "be kind", "hello");
}

static void a_reply_is_cut_to_the_words_that_were_heard(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two. Three four five six. Seven.");
    clause(m, 7, 1, "One two.", 1000);
    clause(m, 7, 2, "Three four five six.", 3000);
    clause(m, 7, 3, "Seven.", 4000);
    memory_reply_cut(m, 7, 2100);
    ASSERT_MESSAGES(m, "be kind", "count", "One two. Three four");
}

static void what_comes_after_the_cut_is_ignored(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two.");
    clause(m, 7, 4, "One two.", 1000);
    memory_reply_cut(m, 7, 1000);
    memory_reply_text(m, 7, " Three.");
    clause(m, 7, 5, "Three.", 2000);
    memory_reply_cut(m, 7, 5000);
    ASSERT_MESSAGES(m, "be kind", "count", "One two.");
}

/* Half of the first clause was heard, and nobody knows yet how long it will be: about 60 ms for
 * each letter, with the voice still unknown. */
static void a_reply_that_is_cut_in_its_first_clause_keeps_the_words_heard(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two three four five six, seven.");
    memory_reply_clause(m, 7, 1, "One two three four five six,"); /* 28 letters: 1680 ms */
    memory_reply_speech(m, 7, 500);
    memory_reply_cut(m, 7, 820); /* 13.7 of them */
    ASSERT_MESSAGES(m, "be kind", "count", "One two three");
}

static void the_voice_shows_how_fast_it_speaks(void **state)
{
    struct memory *m = *state;
    char slow[1001];

    memset(slow, 'a', sizeof slow - 1);
    slow[sizeof slow - 1] = '\0';
    exchange(m, 1, "read", slow);
    clause(m, 1, 1, slow, 1e6); /* a second for each letter */
    exchange(m, 7, "count", "One two three four five six.");
    memory_reply_clause(m, 7, 2, "One two three four five six.");
    memory_reply_cut(m, 7, 10000);
    ASSERT_MESSAGES(m, "be kind", "read", slow, "count", "One two");
}

/* More of the clause was made than was guessed for all of it. */
static void a_clause_lasts_at_least_as_long_as_what_there_is_of_it(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two three four.");
    memory_reply_clause(m, 7, 1, "One two three four.");
    memory_reply_speech(m, 7, 19000);
    memory_reply_cut(m, 7, 8000);
    ASSERT_MESSAGES(m, "be kind", "count", "One two");
}

static void clauses_that_were_not_begun_were_not_heard(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two. Three four five. Six.");
    clause(m, 7, 1, "One two.", 1000);
    memory_reply_clause(m, 7, 2, "Three four five.");
    memory_reply_clause(m, 7, 3, "Six.");
    memory_reply_cut(m, 7, 1000);
    ASSERT_MESSAGES(m, "be kind", "count", "One two.");
}

static void a_clause_that_the_voice_failed_at_was_not_heard(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two. Three. Four five.");
    clause(m, 7, 1, "One two.", 1000);
    clause(m, 7, 2, "Three.", 1000);
    clause(m, 7, 3, "Four five.", 2000);
    memory_reply_cut(m, 7, 1900);
    ASSERT_MESSAGES(m, "be kind", "count", "One two. Four");
}

static void what_is_remembered_of_a_reply_can_be_asked_for(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two.");
    clause(m, 7, 1, "One two.", 1000);
    assert_string_equal(memory_reply(m, 7), "One two.");
    memory_reply_cut(m, 7, 600);
    assert_string_equal(memory_reply(m, 7), "One");
    assert_null(memory_reply(m, 8));
}

/* What has no number, and what is about a reply that nobody knows. */
static void nonsense_does_no_harm(void **state)
{
    struct memory *m = *state;

    memory_reply_clause(m, 9, 1, "no");
    memory_reply_speech(m, 9, 100);
    memory_reply_spoken(m, 9, 1, 100);
    memory_reply_cut(m, 9, 100);
    exchange(m, 7, "count", "One two.");
    memory_reply_spoken(m, 7, 5, 100);
    clause(m, 7, 1, "One two.", -5);
    memory_reply_spoken(m, 7, 1, 50);
    memory_reply_cut(m, 7, (double)NAN);
    ASSERT_MESSAGES(m, "be kind", "count");
}

static void a_reply_of_which_nothing_was_heard_is_forgotten(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two.");
    clause(m, 7, 6, "One two.", 1000);
    memory_reply_cut(m, 7, 0);
    ASSERT_MESSAGES(m, "be kind", "count");
}

/* They went on before they heard anything of the reply. */
static void what_the_user_said_in_two_parts_is_one_message(void **state)
{
    struct memory *m = *state;
    size_t mark;

    exchange(m, 1, "what is", "It is");
    memory_reply_cut(m, 1, 0);
    exchange(m, 2, "the capital", "Of");
    memory_reply_cut(m, 2, 0);
    mark = memory_mark(m);
    memory_user(m, "of France");
    ASSERT_MESSAGES(m, "be kind", "what is the capital of France");
    ASSERT_MESSAGES(m, "be kind", "what is the capital of France");
    memory_rollback(m, mark);
    ASSERT_MESSAGES(m, "be kind", "what is the capital");
    exchange(m, 3, "of Spain", "Madrid.");
    memory_user(m, "thanks");
    ASSERT_MESSAGES(m, "be kind", "what is the capital of Spain", "Madrid.", "thanks");
}

static void rollback_forgets_what_came_after_the_mark(void **state)
{
    struct memory *m = *state;
    size_t mark;

    exchange(m, 1, "a", "b");
    mark = memory_mark(m);
    exchange(m, 2, "c", "d");
    memory_rollback(m, mark);
    ASSERT_MESSAGES(m, "be kind", "a", "b");
}

static void a_long_conversation_forgets_its_beginning_but_not_the_prompt(void **state)
{
    struct memory *m = *state;
    size_t count;
    char text[32];

    for (uint32_t i = 1; i <= 1000; i++) {
        snprintf(text, sizeof text, "turn %u", i);
        exchange(m, i, text, "yes");
    }
    const struct chat_message *got = memory_messages(m, &count);
    assert_true(count < 1000);
    assert_string_equal(got[0].text, "be kind");
    assert_string_equal(got[count - 2].text, "turn 1000");
}

static void rollback_works_when_the_memory_is_full(void **state)
{
    struct memory *m = *state;
    size_t before, after, mark;

    for (uint32_t i = 1; i <= 1000; i++)
        exchange(m, i, "more", "yes");
    mark = memory_mark(m);
    memory_messages(m, &before);
    exchange(m, 1001, "draft", "no");
    memory_rollback(m, mark);
    const struct chat_message *got = memory_messages(m, &after);
    assert_int_equal(after, before);
    assert_string_equal(got[after - 1].text, "yes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_prompt_comes_first_and_replies_grow, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reply_that_is_still_empty_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reply_is_cut_to_the_words_that_were_heard, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_comes_after_the_cut_is_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_reply_that_is_cut_in_its_first_clause_keeps_the_words_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(the_voice_shows_how_fast_it_speaks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clause_lasts_at_least_as_long_as_what_there_is_of_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(clauses_that_were_not_begun_were_not_heard, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_clause_that_the_voice_failed_at_was_not_heard, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_remembered_of_a_reply_can_be_asked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nonsense_does_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reply_of_which_nothing_was_heard_is_forgotten, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_user_said_in_two_parts_is_one_message, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rollback_forgets_what_came_after_the_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_long_conversation_forgets_its_beginning_but_not_the_prompt, setup, teardown),
        cmocka_unit_test_setup_teardown(rollback_works_when_the_memory_is_full, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
