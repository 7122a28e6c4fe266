/* text: what a stranger's bytes may still do after they were cleaned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/err.h"
#include "util/log.h"
#include "util/text.h"

static void cleaning_keeps_text_and_takes_controls(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"plain, with\ttab\nand line", "plain, with\ttab\nand line"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\x1b[31mred\x1b]0;title\x07", "[31mred]0;title"},
        {"a\rb\x08"
         "c\x7f"
         "d\x01",
         "abcd"},
        {"c1 \xc2\x9b"
         "31m \xc2\x80",
         "c1 31m "},              /* the same escape in its two-byte form */
        {"\xc2\xa0", "\xc2\xa0"}, /* the first one that is no control */
        {"\xe2\x80\xae"
         "gnp.exe\xe2\x81\xa6.\xe2\x81\xa9\xe2\x80\xaa",
         "gnp.exe."}, /* writing turned around */
        {"\xe2\x80\x8f\xe2\x80\xaf\xe2\x81\xa5", "\xe2\x80\x8f\xe2\x80\xaf\xe2\x81\xa5"},
        {"\x9b\xff\xfe", "???"},           /* and bytes that are no UTF-8 */
        {"\xc0\x9b\xe0\x80\x9b", "?????"}, /* overlong forms of controls */
        {"\xed\xa0\x80", "???"},           /* a surrogate */
        {"\xf4\x90\x80\x80", "????"},      /* beyond the last code point */
        {"cut \xe2\x82", "cut ??"},
        {"\xe2\x82"
         "A",
         "??A"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *s = strdup(cases[i].in);
        assert_int_equal(text_clean(s), strlen(cases[i].out));
        assert_string_equal(s, cases[i].out);
        assert_int_equal(text_clean(s), strlen(cases[i].out)); /* a second time changes nothing */
        assert_string_equal(s, cases[i].out);
        free(s);
    }
}

/* Encodes the way RFC 3629 says. */
static size_t encode(char *s, unsigned cp)
{
    if (cp < 0x80) {
        s[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    s[0] = (char)(first[n] | cp >> (6 * (n - 1)));
    for (size_t i = 1; i < n; i++)
        s[i] = (char)(0x80 | (cp >> (6 * (n - 1 - i)) & 0x3f));
    return n;
}

static void every_code_point_is_read_back(void **state)
{
    (void)state;
    for (unsigned cp = 0; cp < 0x110000; cp++) {
        char s[4];
        unsigned got = 0xffffffff;
        size_t n = encode(s, cp);
        bool surrogate = cp >= 0xd800 && cp < 0xe000;
        assert_int_equal(text_utf8(s, n, &got), surrogate ? 0 : n);
        if (!surrogate)
            assert_int_equal(got, cp);
        assert_int_equal(text_utf8(s, n - 1, &got), 0);
    }
    assert_int_equal(text_utf8("\xe2\x82\xac", 3, NULL), 3);
    assert_int_equal(text_utf8("\xc1\xbf", 2, NULL), 0);
    assert_int_equal(text_utf8("\xe0\x9f\xbf", 3, NULL), 0);
    assert_int_equal(text_utf8("\xf0\x8f\xbf\xbf", 4, NULL), 0);
    assert_int_equal(text_utf8("\x80", 1, NULL), 0);
}

static void pieces_are_cut_between_characters(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80z";
    static const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};

    for (size_t n = 0; n < sizeof(whole) / sizeof(whole[0]); n++)
        assert_int_equal(text_utf8_whole(text, n), whole[n]);
    /* Bytes that never become a character are not held back for ever. */
    assert_int_equal(text_utf8_whole("\x80\x80\x80\x80", 4), 4);
    assert_int_equal(text_utf8_whole("\xe2xyz", 4), 4);
}

static void blank_is_white_space_alone(void **state)
{
    (void)state;
    assert_true(text_blank(""));
    assert_true(text_blank(" \t\r\n "));
    assert_false(text_blank(" . "));
    assert_false(text_blank("\xc2\xa0"));
}

static void an_error_is_one_clean_line(void **state)
{
    (void)state;
    struct err e = {0};

    assert_int_equal(err_set(&e, STATUS_AUDIO, -5, "cannot open '%s': %d", "a\x1b[2J\nb\tc", 7),
                     -5);
    assert_string_equal(e.text, "cannot open 'a[2J b c': 7");
    assert_int_equal(e.status, STATUS_AUDIO);
    assert_int_equal(e.code, -5);
    assert_int_equal(err_set(NULL, STATUS_FAILED, -7, "nobody wants to know"), -7);

    char longer[2000];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    err_set(&e, STATUS_FAILED, -1, "%s", longer);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void a_line_of_the_log_is_one_line(void **state)
{
    char *out = NULL, longer[5000];
    size_t n = 0;
    FILE *to = open_memstream(&out, &n);
    struct log log = {.level = LOG_INFO, .to = to};

    (void)state;
    log_info(&log, "heard: %s", "yes\n\thullo: no\r\n\x1b[2J\xe2\x80\xae");
    log_debug(&log, "not at this level");
    fflush(to);
    assert_string_equal(out, "heard: yes  hullo: no [2J\n");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    log_error(&log, "%s", longer);
    fclose(to);
    assert_ptr_equal(strrchr(out, '\n'), out + n - 1);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleaning_keeps_text_and_takes_controls),
        cmocka_unit_test(every_code_point_is_read_back),
        cmocka_unit_test(pieces_are_cut_between_characters),
        cmocka_unit_test(blank_is_white_space_alone),
        cmocka_unit_test(an_error_is_one_clean_line),
        cmocka_unit_test(a_line_of_the_log_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
