/* scribe: files that are whole or grow, and the line that is revised. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fake/scratch.h"
#include "ui/scribe.h"
#include "util/path.h"

static const struct captions_segment one = {NULL, "One.", NULL, 0, 1000};

static void holds(const char *file, const char *text)
{
    char *bytes;
    size_t n;
    struct err e;

    assert_int_equal(path_read(&bytes, &n, file, 10000, &e), 0);
    assert_string_equal(bytes, text);
    free(bytes);
}

static bool is_there(const char *file)
{
    struct stat st;

    return stat(file, &st) == 0;
}

static int open_dir(void **state)
{
    struct scratch *dir = calloc(1, sizeof *dir);

    scratch_new(dir);
    *state = dir;
    return 0;
}

static int close_dir(void **state)
{
    scratch_free(*state);
    free(*state);
    return 0;
}

static void a_whole_file_appears_at_the_end(void **state)
{
    const char *file = scratch_path(*state, "a.srt");
    struct scribe s;
    struct err e;

    assert_int_equal(scribe_open(&s, file, CAPTIONS_SRT, SCRIBE_WHOLE, false, &e), 0);
    assert_int_equal(scribe_add(&s, &one, &e), 0);
    assert_false(is_there(file));
    assert_int_equal(scribe_close(&s, &e), 0);
    holds(file, "1\n00:00:00,000 --> 00:00:01,000\nOne.\n\n");
}

static void an_abandoned_one_never_does(void **state)
{
    const char *file = scratch_path(*state, "a.srt");
    struct scribe s;
    struct err e;

    assert_int_equal(scribe_open(&s, file, CAPTIONS_SRT, SCRIBE_WHOLE, false, &e), 0);
    assert_int_equal(scribe_add(&s, &one, &e), 0);
    scribe_abandon(&s);
    assert_false(is_there(file));
}

static void a_growing_file_is_complete_at_any_moment(void **state)
{
    const char *file = scratch_path(*state, "a.vtt");
    struct scribe s;
    struct err e;

    assert_int_equal(scribe_open(&s, file, CAPTIONS_VTT, SCRIBE_GROWING, false, &e), 0);
    holds(file, "WEBVTT\n\n");
    assert_int_equal(scribe_add(&s, &one, &e), 0);
    holds(file, "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nOne.\n\n");
    scribe_abandon(&s);
    assert_true(is_there(file));
}

static void an_existing_file_grows_only_by_force(void **state)
{
    const char *file;
    struct scribe s;
    struct err e;

    scratch_put(*state, "a.txt", "mine", 4);
    file = scratch_path(*state, "a.txt");
    assert_int_equal(scribe_open(&s, file, CAPTIONS_TEXT, SCRIBE_GROWING, false, &e), -EEXIST);
    scribe_abandon(&s);
    holds(file, "mine");
    assert_int_equal(scribe_open(&s, file, CAPTIONS_TEXT, SCRIBE_GROWING, true, &e), 0);
    assert_int_equal(scribe_add(&s, &one, &e), 0);
    assert_int_equal(scribe_close(&s, &e), 0);
    holds(file, "One.\n");
}

static void a_device_is_written_to(void **state)
{
    struct scribe s;
    struct err e;

    (void)state;
    assert_int_equal(scribe_open(&s, "/dev/null", CAPTIONS_TEXT, SCRIBE_WHOLE, false, &e), 0);
    assert_int_equal(scribe_add(&s, &one, &e), 0);
    assert_int_equal(scribe_close(&s, &e), 0);
}

static void shows(const char *text, size_t columns, const char *expected)
{
    struct buf line = BUF_INIT;

    scribe_line(&line, text, columns);
    assert_string_equal(buf_str(&line), expected);
    buf_free(&line);
}

static void the_end_of_a_long_text_is_shown(void **state)
{
    (void)state;
    shows("what is being said", 80, "what is being said");
    shows("what is being said", 12, "...ing said");
    shows("what is being said", 19, "what is being said"); /* the last column stays free */
    shows("\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5", 6, "...\xe6\x97\xa5");
    shows("what", 0, "...");
    shows("", 80, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_file_appears_at_the_end, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(an_abandoned_one_never_does, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(a_growing_file_is_complete_at_any_moment, open_dir,
                                        close_dir),
        cmocka_unit_test_setup_teardown(an_existing_file_grows_only_by_force, open_dir, close_dir),
        cmocka_unit_test(a_device_is_written_to),
        cmocka_unit_test(the_end_of_a_long_text_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
