/* Replies cut into clauses, and made speakable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "local/clause.h"
#include "local/speakable.h"

static void take_all(struct clause *c, bool ended, struct buf *said)
{
    struct buf out = BUF_INIT;

    while (clause_next(c, ended, &out))
        buf_addf(said, "%s%s", said->len > 0 ? "|" : "", buf_str(&out));
    buf_free(&out);
}

/* The clauses of a reply that arrives `step` bytes at a time, with bars between them. */
static void cut(struct buf *said, const char *reply, size_t step)
{
    struct clause c = CLAUSE_INIT;
    char piece[64];

    buf_clear(said);
    for (size_t at = 0; at < strlen(reply); at += step) {
        snprintf(piece, step + 1, "%s", reply + at);
        clause_add(&c, piece);
        take_all(&c, false, said);
    }
    take_all(&c, true, said);
    assert_int_equal(c.taken, strlen(reply));
    assert_int_equal(c.text.len, 0);
    clause_free(&c);
}

static void assert_cut(const char *reply, const char *expected)
{
    struct buf said = BUF_INIT;

    for (size_t step = 1; step < 64; step += 6) {
        cut(&said, reply, step);
        assert_string_equal(buf_str(&said), expected);
    }
    buf_free(&said);
}

static void assert_said(const char *text, const char *expected)
{
    struct buf out = BUF_INIT;

    speakable_add(&out, text);
    assert_string_equal(buf_str(&out), expected);
    buf_free(&out);
}

static void the_first_clause_ends_at_the_first_mark(void **state)
{
    (void)state;
    assert_cut("Sure, here is the answer. It is four.", "Sure,|here is the answer.|It is four.");
    assert_cut("Yes! That is right.", "Yes!|That is right.");
    assert_cut("Paris.", "Paris.");
    assert_cut("", "");
}

static void without_a_mark_it_ends_after_a_few_words(void **state)
{
    (void)state;
    assert_cut("Whales eat small fish every single day of their long lives.",
               "Whales eat small|fish every single day of their long lives.");
    assert_cut("The capital of France is the beautiful Paris and more.",
               "The capital of France|is the beautiful Paris and more.");
    assert_cut("Paris is the capital", "Paris is the capital");
}

static void later_clauses_end_at_sentences_and_at_commas_after_enough_words(void **state)
{
    (void)state;
    assert_cut("Well, I like red, green and blue things most of all, but others like grey. Good?",
               "Well,|I like red, green and blue things most of all,|but others like grey.|Good?");
    assert_cut(
        "Go. one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty alpha beta gamma delta last more",
        "Go.|one two three four five six seven eight nine ten eleven twelve thirteen "
        "fourteen fifteen sixteen seventeen eighteen nineteen twenty alpha beta gamma delta "
        "last|more");
}

static void numbers_times_and_abbreviations_are_not_cut(void **state)
{
    (void)state;
    assert_cut("Pi is 3.14 roughly. At 10:30, 1,000 came.",
               "Pi is 3.14 roughly.|At 10:30, 1,000 came.");
    assert_cut("Ask Dr. Smith now. See e.g. Mr. J. Doe of the U.S. army. Done.",
               "Ask Dr. Smith|now.|See e.g. Mr. J. Doe of the U.S. army.|Done.");
    assert_cut("It opens 9 a.m. daily. It closes 5 p.m. Then we go.",
               "It opens 9 a.m.|daily.|It closes 5 p.m.|Then we go.");
    assert_cut("No. Take No. 5 instead.", "No.|Take No. 5 instead.");
    assert_cut("Well, it is 20 degrees and then it will be a bit warmer.",
               "Well,|it is 20 degrees and then it will be a bit warmer.");
    assert_cut("You want 20 degrees of it.", "You want 20 degrees|of it.");
}

static void quotes_and_brackets_stay_with_their_mark(void **state)
{
    (void)state;
    assert_cut("\"Stop!\" he said. (It was late.) Good.",
               "\"Stop!\"|he said.|(It was late.)|Good.");
    assert_cut("Wait... what? Really?!", "Wait...|what?|Really?!");
}

static void lists_are_read_line_by_line(void **state)
{
    (void)state;
    assert_cut("Here:\n\n1. **Milk**\n2. Eggs\n- `bread`\n", "Here:|1. Milk|2. Eggs|bread");
}

static void code_is_not_read(void **state)
{
    (void)state;
    assert_cut("Try this:\n```python\nprint('x y. z')\n\nx = 1\n```\nIt prints.",
               "Try this:|It prints.");
    assert_cut("```\nnever closed, so all of it is code", "");
    assert_cut("`ls` lists.", "ls lists.");
}

static void what_cannot_be_said_is_passed_over(void **state)
{
    (void)state;
    assert_cut("*** --- ***\n\xf0\x9f\x98\x80 \xf0\x9f\x98\x80\n", "");
    assert_cut("Hi \xf0\x9f\x98\x80! \"...\" There.", "Hi !|There.");
}

static void text_without_end_is_cut_all_the_same(void **state)
{
    struct clause c = CLAUSE_INIT;
    struct buf out = BUF_INIT;
    size_t clauses = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        clause_add(&c, "\xc3\xa9");
        while (clause_next(&c, false, &out)) {
            assert_true(out.len <= 400);
            assert_null(strchr(buf_str(&out), '?')); /* no sequence was cut in two */
            clauses++;
        }
        assert_true(c.text.len <= 400);
    }
    assert_true(clauses >= 9);
    buf_free(&out);
    clause_free(&c);
}

static void counts_what_the_voice_was_given(void **state)
{
    struct clause c = CLAUSE_INIT;
    struct buf out = BUF_INIT;
    const char *reply = "**Yes.**  It is so. More";

    (void)state;
    clause_add(&c, reply);
    assert_true(clause_next(&c, false, &out));
    assert_string_equal(buf_str(&out), "Yes.");
    assert_string_equal(reply + c.taken, "It is so. More");
    assert_true(clause_next(&c, false, &out));
    assert_string_equal(reply + c.taken, "More");
    assert_false(clause_next(&c, false, &out));
    assert_true(clause_next(&c, true, &out));
    assert_string_equal(reply + c.taken, "");
    buf_free(&out);
    clause_free(&c);
}

static void markdown_is_taken_out(void **state)
{
    (void)state;
    assert_said("## A *small* __title__", "A small title");
    assert_said("> quoted `code`", "quoted code");
    assert_said("- one", "one");
    assert_said("See [the manual](https://example.org/a_b) now", "See the manual now");
    assert_said("![a cat](cat.png) sleeps", "a cat sleeps");
    assert_said("At https://www.example.com/path?q=1. Go", "At example.com. Go");
    assert_said("At <http://example.com/x>, see", "At example.com , see");
    assert_said("a<br>b", "a b");
    assert_said("snake_case", "snake case");
    assert_said("x < y", "x y");
}

static void signs_are_said_as_words(void **state)
{
    (void)state;
    assert_said("2 * 3 is 2*3", "2 times 3 is 2 times 3");
    assert_said("It costs $5.50, or \xe2\x82\xac"
                "3 million.",
                "It costs 5.50 dollars, or 3 million euros.");
    assert_said("salt & pepper", "salt and pepper");
    assert_said("C# is #1", "C sharp is number 1");
    assert_said("It\xe2\x80\x99s \xe2\x80\x9cgood\xe2\x80\x9d \xe2\x80\x94 very",
                "It's \"good\", very");
    assert_said("pages 3\xe2\x80\x93"
                "5",
                "pages 3 to 5");
    assert_said("10 - 3", "10 - 3");
    assert_said("good - bad", "good, bad");
}

static void any_bytes_will_do(void **state)
{
    char s[4];

    (void)state;
    assert_said("a\xff\x80\x01\033[31mb", "a 31mb");
    assert_said("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80", "");
    assert_said("na\xc3\xafve", "na\xc3\xafve");
    for (unsigned i = 1; i < 256 * 256; i++) {
        struct buf out = BUF_INIT;
        snprintf(s, sizeof s, "%c%c", (char)(i & 255), (char)(i >> 8));
        speakable_add(&out, s);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_clause_ends_at_the_first_mark),
        cmocka_unit_test(without_a_mark_it_ends_after_a_few_words),
        cmocka_unit_test(later_clauses_end_at_sentences_and_at_commas_after_enough_words),
        cmocka_unit_test(numbers_times_and_abbreviations_are_not_cut),
        cmocka_unit_test(quotes_and_brackets_stay_with_their_mark),
        cmocka_unit_test(lists_are_read_line_by_line),
        cmocka_unit_test(code_is_not_read),
        cmocka_unit_test(what_cannot_be_said_is_passed_over),
        cmocka_unit_test(text_without_end_is_cut_all_the_same),
        cmocka_unit_test(counts_what_the_voice_was_given),
        cmocka_unit_test(markdown_is_taken_out),
        cmocka_unit_test(signs_are_said_as_words),
        cmocka_unit_test(any_bytes_will_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
