/* captions: transcripts as text, JSON Lines, SubRip and WebVTT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ui/captions.h"

static void is(enum captions_format format, const struct captions_segment *s, size_t count,
               const char *expected)
{
    struct captions c;
    struct buf out = BUF_INIT;

    captions_begin(&c, format, &out);
    for (size_t i = 0; i < count; i++)
        captions_add(&c, &s[i], &out);
    assert_string_equal(buf_str(&out), expected);
    buf_free(&out);
}

static const struct captions_segment two[] = {
    {"a.wav", " Good\n morning. ", NULL, 500, 1999.6},
    {"a.wav", "How are you?", NULL, 2500, 3725004},
};

static void text_is_a_line_for_each_segment(void **state)
{
    (void)state;
    is(CAPTIONS_TEXT, two, 2, "Good morning.\nHow are you?\n");
}

static void subrip_counts_its_cues(void **state)
{
    (void)state;
    is(CAPTIONS_SRT, two, 2,
       "1\n00:00:00,500 --> 00:00:02,000\nGood morning.\n\n"
       "2\n00:00:02,500 --> 01:02:05,004\nHow are you?\n\n");
}

static void webvtt_has_a_head(void **state)
{
    (void)state;
    is(CAPTIONS_VTT, two, 2,
       "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nGood morning.\n\n"
       "00:00:02.500 --> 01:02:05.004\nHow are you?\n\n");
}

static void json_has_an_object_for_each_segment_and_one_for_the_end(void **state)
{
    const struct captions_segment s = {"b.wav", "Hola.", "Hello.", 500, 1999.6};
    struct captions c;
    struct buf out = BUF_INIT;

    (void)state;
    captions_begin(&c, CAPTIONS_JSONL, &out);
    captions_add(&c, two, &out);
    captions_add(&c, &s, &out);
    captions_end(&c, "b.wav", "failed", "no \"luck\"", 2000, &out);
    captions_end(&c, NULL, "ok", NULL, 61000, &out);
    assert_string_equal(
        buf_str(&out),
        "{\"type\":\"segment\",\"v\":1,\"input\":\"a.wav\",\"from_ms\":500,\"to_ms\":2000,"
        "\"text\":\"Good morning.\"}\n"
        "{\"type\":\"segment\",\"v\":1,\"input\":\"b.wav\",\"from_ms\":500,\"to_ms\":2000,"
        "\"text\":\"Hola.\",\"source\":\"Hello.\"}\n"
        "{\"type\":\"transcript\",\"v\":1,\"input\":\"b.wav\",\"length_ms\":2000,"
        "\"status\":\"failed\",\"error\":\"no \\\"luck\\\"\"}\n"
        "{\"type\":\"transcript\",\"v\":1,\"input\":null,\"length_ms\":61000,\"status\":\"ok\"}\n");
    buf_free(&out);
}

static void the_end_is_told_in_json_only(void **state)
{
    struct captions c;
    struct buf out = BUF_INIT;

    (void)state;
    captions_begin(&c, CAPTIONS_SRT, &out);
    captions_end(&c, NULL, "ok", NULL, 1, &out);
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

static void a_segment_without_words_is_none(void **state)
{
    const struct captions_segment s = {"a.wav", " \n", NULL, 0, 100};

    (void)state;
    is(CAPTIONS_TEXT, &s, 1, "");
    is(CAPTIONS_JSONL, &s, 1, "");
    is(CAPTIONS_SRT, &s, 1, "");
}

static void what_means_something_is_escaped(void **state)
{
    const struct captions_segment s = {"a", "<b>R&D</b> --> a ---> b -- c", NULL, 0, 1000};

    (void)state;
    is(CAPTIONS_SRT, &s, 1, "1\n00:00:00,000 --> 00:00:01,000\n<b>R&D</b> -> a -> b -- c\n\n");
    is(CAPTIONS_VTT, &s, 1,
       "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n"
       "&lt;b&gt;R&amp;D&lt;/b&gt; -&gt; a -&gt; b -- c\n\n");
}

static void line_ends_and_escapes_of_others_do_no_harm(void **state)
{
    const struct captions_segment s = {"a", "one\r\n\r\n2\n00:00 \x1b[2Jtwo\xff", NULL, 0, 1000};

    (void)state;
    is(CAPTIONS_SRT, &s, 1, "1\n00:00:00,000 --> 00:00:01,000\none 2 00:00 [2Jtwo?\n\n");
}

/* 120 columns in 12 s. */
static void a_long_segment_is_split_in_proportion_to_time(void **state)
{
    const struct captions_segment s = {
        "a",
        "aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee fffffffff ggggggggg hhhhhhhhh iiiiiiiii "
        "jjjjjjjjj kkkkkkkkk lllllllll.",
        NULL, 10000, 22000};

    (void)state;
    is(CAPTIONS_SRT, &s, 1,
       "1\n00:00:10,000 --> 00:00:18,000\n"
       "aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd\neeeeeeeee fffffffff ggggggggg hhhhhhhhh\n\n"
       "2\n00:00:18,000 --> 00:00:22,000\niiiiiiiii jjjjjjjjj kkkkkkkkk lllllllll.\n\n");
}

/* Each is two columns wide, and there are no spaces: 21 to a line. */
static void text_without_spaces_is_cut_between_characters(void **state)
{
    struct buf text = BUF_INIT, out = BUF_INIT;
    struct captions c;
    struct captions_segment s = {"a", NULL, NULL, 0, 4300};

    (void)state;
    for (int i = 0; i < 43; i++)
        buf_adds(&text, "\xe6\x97\xa5");
    s.text = buf_str(&text);
    captions_begin(&c, CAPTIONS_SRT, &out);
    captions_add(&c, &s, &out);
    assert_non_null(strstr(buf_str(&out), "2\n00:00:04,200 --> 00:00:04,300\n\xe6\x97\xa5\n\n"));
    buf_free(&text);
    buf_free(&out);
}

static void cues_do_not_overlap_nor_go_back(void **state)
{
    const struct captions_segment s[] = {{"a", "One.", NULL, 1000, 3000},
                                         {"a", "Two.", NULL, 2000, 2500},
                                         {"a", "Three.", NULL, 0, 0},
                                         {"a", "Four.", NULL, 5000, 4000}};

    (void)state;
    is(CAPTIONS_SRT, s, 4,
       "1\n00:00:01,000 --> 00:00:03,000\nOne.\n\n"
       "2\n00:00:03,000 --> 00:00:03,001\nTwo.\n\n"
       "3\n00:00:03,001 --> 00:00:03,002\nThree.\n\n"
       "4\n00:00:05,000 --> 00:00:05,001\nFour.\n\n");
}

static void hours_may_be_many(void **state)
{
    const struct captions_segment s = {"a", "Late.", NULL, 359999999, 360000000};

    (void)state;
    is(CAPTIONS_VTT, &s, 1, "WEBVTT\n\n99:59:59.999 --> 100:00:00.000\nLate.\n\n");
}

static void formats_have_names_and_endings(void **state)
{
    enum captions_format f;

    (void)state;
    assert_true(captions_find(&f, "jsonl") && f == CAPTIONS_JSONL);
    assert_true(captions_find(&f, "SRT") && f == CAPTIONS_SRT);
    assert_true(captions_find(&f, "txt") && f == CAPTIONS_TEXT);
    assert_true(captions_find(&f, "text") && f == CAPTIONS_TEXT);
    assert_false(captions_find(&f, "wav"));
    assert_string_equal(captions_ending(CAPTIONS_VTT), "vtt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_a_line_for_each_segment),
        cmocka_unit_test(subrip_counts_its_cues),
        cmocka_unit_test(webvtt_has_a_head),
        cmocka_unit_test(json_has_an_object_for_each_segment_and_one_for_the_end),
        cmocka_unit_test(the_end_is_told_in_json_only),
        cmocka_unit_test(a_segment_without_words_is_none),
        cmocka_unit_test(what_means_something_is_escaped),
        cmocka_unit_test(line_ends_and_escapes_of_others_do_no_harm),
        cmocka_unit_test(a_long_segment_is_split_in_proportion_to_time),
        cmocka_unit_test(text_without_spaces_is_cut_between_characters),
        cmocka_unit_test(cues_do_not_overlap_nor_go_back),
        cmocka_unit_test(hours_may_be_many),
        cmocka_unit_test(formats_have_names_and_endings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
