/* columns: how wide text is on a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/columns.h"

#define E_ACUTE "e\xcc\x81"    /* two code points, one column */
#define SUN     "\xe6\x97\xa5" /* two columns */
#define ROCKET  "\xf0\x9f\x9a\x80"

static void marks_take_no_room_and_ideographs_take_two(void **state)
{
    (void)state;
    assert_int_equal(columns("abc", 3), 3);
    assert_int_equal(columns(E_ACUTE, 3), 1);
    assert_int_equal(columns(SUN ROCKET, 7), 4);
    assert_int_equal(columns("\xc3\xbc", 2), 1);
    assert_int_equal(columns("", 0), 0);
}

static void broken_bytes_are_a_column_each(void **state)
{
    (void)state;
    assert_int_equal(columns("\xff\xc3", 2), 2);
    assert_int_equal(columns_within("\xff\xc3", 2, 1), 1);
}

static void a_beginning_keeps_characters_whole(void **state)
{
    (void)state;
    assert_int_equal(columns_within("abc", 3, 2), 2);
    assert_int_equal(columns_within("abc", 3, 9), 3);
    assert_int_equal(columns_within("a" SUN, 4, 2), 1);
    assert_int_equal(columns_within(E_ACUTE "x", 4, 1), 3);
    assert_int_equal(columns_within("abc", 3, 0), 0);
}

static void an_end_keeps_characters_whole(void **state)
{
    (void)state;
    assert_int_equal(columns_end("abc", 3, 2), 2);
    assert_int_equal(columns_end("abc", 3, 9), 3);
    assert_int_equal(columns_end(SUN "a", 4, 2), 1);
    assert_int_equal(columns_end("x" E_ACUTE "y", 5, 1), 1);
    assert_int_equal(columns_end("abc", 3, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_take_no_room_and_ideographs_take_two),
        cmocka_unit_test(broken_bytes_are_a_column_each),
        cmocka_unit_test(a_beginning_keeps_characters_whole),
        cmocka_unit_test(an_end_keeps_characters_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
