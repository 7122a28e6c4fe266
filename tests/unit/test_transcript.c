/* What is no speech is not sent to a model, and what a model made up is not believed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "local/transcript.h"
#include "util/buf.h"

enum { SECOND = 16000 };

static void sine(int16_t *x, size_t n, double hz, double amplitude)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (int16_t)(amplitude * sin(6.283185307 * hz * (double)i / SECOND));
}

static void what_is_too_short_or_silent_is_no_speech(void **state)
{
    int16_t x[SECOND] = {0};

    (void)state;
    assert_false(transcript_possible(x, 0));
    assert_false(transcript_possible(x, SECOND));
    for (size_t i = 0; i < SECOND; i++)
        x[i] = (int16_t)(i / 1000 % 2 ? 15 : -15);
    assert_false(transcript_possible(x, SECOND));
    sine(x, SECOND / 2, 300, 3000);
    assert_false(transcript_possible(x, 1000));
}

static void what_stays_level_is_no_speech(void **state)
{
    int16_t x[SECOND];
    uint32_t seed = 7;

    (void)state;
    sine(x, SECOND, 50, 8000);
    assert_false(transcript_possible(x, SECOND));
    sine(x, SECOND, 440, 30000);
    assert_false(transcript_possible(x, SECOND));
    for (size_t i = 0; i < SECOND; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (int16_t)((int32_t)(seed >> 16) - 32768);
    }
    assert_false(transcript_possible(x, SECOND));
}

static void what_rises_and_falls_may_be_speech(void **state)
{
    int16_t x[SECOND];

    (void)state;
    sine(x, SECOND, 300, 20); /* very quiet */
    for (size_t i = 0; i < SECOND; i++)
        x[i] = i / 3000 % 2 ? x[i] : 0;
    assert_true(transcript_possible(x, SECOND));
    sine(x, SECOND, 300, 20000);
    for (size_t i = 0; i < SECOND; i++) /* syllables over a loud hum: 6 dB */
        x[i] = (int16_t)(i / 3000 % 2 ? x[i] : x[i] / 2);
    assert_true(transcript_possible(x, SECOND));
}

static void tidies(const char *from, const char *to)
{
    char s[4096];

    snprintf(s, sizeof s, "%s", from);
    transcript_tidy(s);
    assert_string_equal(s, to);
}

static void transcripts_are_trimmed_and_cleaned(void **state)
{
    (void)state;
    tidies("  Hello there. \n", "Hello there.");
    tidies("\xe2\x99\xaa La la \xe2\x99\xab", "La la");
    tidies("\xe2\x99\xaa\xe2\x99\xaa", "");
    tidies(" ... ", "");
    tidies("a\033[2Jb\xff", "a[2Jb?");
    tidies("caf\xc3\xa9", "caf\xc3\xa9");
    tidies("", "");
}

static void endless_repetition_is_kept_once(void **state)
{
    struct buf s = BUF_INIT;

    (void)state;
    tidies("no no no no", "no no no no");
    tidies("very very very very very very very very", "very");
    tidies("I say you can you can you can you can you can", "I say you can");
    tidies("one two one two one two", "one two one two one two");
    buf_adds(&s, "And then ");
    for (int i = 0; i < 100; i++)
        buf_adds(&s, "to use the \"Videos\" button ");
    tidies(buf_str(&s), "And then to use the \"Videos\" button");
    buf_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_too_short_or_silent_is_no_speech),
        cmocka_unit_test(what_stays_level_is_no_speech),
        cmocka_unit_test(what_rises_and_falls_may_be_speech),
        cmocka_unit_test(transcripts_are_trimmed_and_cleaned),
        cmocka_unit_test(endless_repetition_is_kept_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
