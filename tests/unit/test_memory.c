/* What the language model is told of the conversation. */
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
    memory_reply(m, item);
    memory_reply_text(m, item, reply);
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
    memory_reply(m, 1);
    ASSERT_MESSAGES(m, "be kind", "hello");
}

static void a_reply_is_cut_to_the_words_that_were_heard(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two. Three four five six. Seven.");
    memory_reply_span(m, 7, "One two.", 1000);
    memory_reply_span(m, 7, "Three four five six.", 3000);
    memory_reply_span(m, 7, "Seven.", 4000);
    memory_reply_cut(m, 7, 2100);
    ASSERT_MESSAGES(m, "be kind", "count", "One two. Three four");
}

static void what_comes_after_the_cut_is_ignored(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two.");
    memory_reply_span(m, 7, "One two.", 1000);
    memory_reply_cut(m, 7, 1000);
    memory_reply_text(m, 7, " Three.");
    memory_reply_span(m, 7, "Three.", 2000);
    memory_reply_cut(m, 7, 5000);
    ASSERT_MESSAGES(m, "be kind", "count", "One two.");
}

static void a_reply_of_which_nothing_was_heard_is_forgotten(void **state)
{
    struct memory *m = *state;

    exchange(m, 7, "count", "One two.");
    memory_reply_span(m, 7, "One two.", 1000);
    memory_reply_cut(m, 7, 0);
    ASSERT_MESSAGES(m, "be kind", "count");
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
        cmocka_unit_test_setup_teardown(a_reply_of_which_nothing_was_heard_is_forgotten, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rollback_forgets_what_came_after_the_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_long_conversation_forgets_its_beginning_but_not_the_prompt, setup, teardown),
        cmocka_unit_test_setup_teardown(rollback_works_when_the_memory_is_full, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
