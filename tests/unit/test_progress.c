/* The progress line: it fits, it does not divide by nothing, and without a terminal it is brief. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ui/progress.h"

static void the_line_shows_rate_and_time_left(void **state)
{
    char line[200];

    (void)state;
    progress_line(line, sizeof line, 200, "m", 10000000, 30000000, 50000000, 2000);
    assert_string_equal(
        line, "m  [##################            ]  60 %  30 of 50 MB  10.0 MB/s  2 s left");
}

static void the_line_is_narrower_than_the_terminal(void **state)
{
    char line[512];

    (void)state;
    for (int columns = 2; columns < 120; columns++) {
        progress_line(line, sizeof line, columns, "qwen2.5-coder-0.5b", 0, 250000000, 491400064,
                      60000);
        assert_true(strlen(line) < (size_t)columns);
    }
}

static void a_recording_is_measured_in_minutes(void **state)
{
    char line[200];

    (void)state;
    progress_seconds_line(line, sizeof line, 80, "talk.wav", 150, 600, 30000);
    assert_string_equal(
        line, "talk.wav  [#######                       ]  25 %  2.5 of 10.0 min  90 s left");
    progress_seconds_line(line, sizeof line, 30, "talk.wav", 0, 600, 0);
    assert_string_equal(line, "talk.wav    0 %  0.0 of 10.0 ");
}

static void odd_numbers_do_no_harm(void **state)
{
    static const uint64_t odd[] = {0, 1, 1000000, UINT64_MAX};
    char line[512];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        progress_line(line, sizeof line, 80, "m", odd[i & 3], odd[i >> 2 & 3], odd[i >> 4 & 3],
                      i & 1 ? 0 : 1e9);
        assert_true(strlen(line) < 80);
    }
}

static void without_a_terminal_a_line_comes_every_ten_percent(void **state)
{
    FILE *to = tmpfile();
    struct log log = {.level = LOG_INFO, .to = to};
    struct progress p;
    char line[128];
    int lines = 0;

    (void)state;
    assert_non_null(to);
    progress_begin(&p, &log);
    for (uint64_t i = 0; i <= 1000; i++)
        progress_update(&p, "m", i * 1000000, 1000000000);
    progress_end(&p);
    rewind(to);
    while (fgets(line, sizeof line, to) != NULL) {
        assert_null(strchr(line, '\r'));
        assert_null(strchr(line, '\033'));
        lines++;
    }
    assert_int_equal(lines, 11);
    assert_string_equal(line, "m: 100 %, 1000 of 1000 MB\n");
    fclose(to);
}

static void quiet_means_quiet(void **state)
{
    FILE *to = tmpfile();
    struct log log = {.level = LOG_WARN, .to = to};
    struct progress p;

    (void)state;
    assert_non_null(to);
    progress_begin(&p, &log);
    progress_update(&p, "m", 1, 2);
    progress_end(&p);
    assert_int_equal(ftell(to), 0);
    fclose(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_shows_rate_and_time_left),
        cmocka_unit_test(the_line_is_narrower_than_the_terminal),
        cmocka_unit_test(a_recording_is_measured_in_minutes),
        cmocka_unit_test(odd_numbers_do_no_harm),
        cmocka_unit_test(without_a_terminal_a_line_comes_every_ten_percent),
        cmocka_unit_test(quiet_means_quiet),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
