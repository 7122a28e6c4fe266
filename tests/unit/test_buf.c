/* buf: a string that grows, and an error that stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/buf.h"

static void an_empty_one_reads_as_an_empty_string(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;

    assert_string_equal(buf_str(&b), "");
    assert_false(buf_failed(&b));
    buf_drop(&b, 10);
    buf_clear(&b);
    buf_add(&b, NULL, 0);
    assert_string_equal(buf_str(&b), "");
    buf_free(&b);
    buf_free(&b);
}

static void what_is_added_stays_in_order(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;

    buf_adds(&b, "one");
    buf_addf(&b, " %d %s", 2, "three");
    buf_add(&b, "\0x", 2);
    assert_int_equal(b.len, 13);
    assert_memory_equal(b.data, "one 2 three\0x", 14);
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len + b.cap, 0);
}

static void it_grows_at_every_length(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < 5000; i++) {
        char c = (char)('a' + i % 26);
        if (i % 2)
            buf_add(&b, &c, 1);
        else
            buf_addf(&b, "%c", c);
        assert_int_equal(b.len, i + 1);
        assert_int_equal(b.data[i + 1], '\0');
    }
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    buf_free(&b);
}

static void the_front_can_be_dropped(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;

    buf_adds(&b, "abcdef");
    buf_drop(&b, 0);
    buf_drop(&b, 2);
    assert_string_equal(buf_str(&b), "cdef");
    buf_adds(&b, "g");
    assert_string_equal(buf_str(&b), "cdefg");
    buf_drop(&b, SIZE_MAX);
    assert_string_equal(buf_str(&b), "");
    buf_adds(&b, "again");
    assert_string_equal(buf_str(&b), "again");
    buf_free(&b);
}

static void a_failure_stays_until_it_is_cleared(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;

    buf_adds(&b, "kept");
    buf_add(&b, "", SIZE_MAX - 2); /* more than any memory: refused before anything is read */
    assert_true(buf_failed(&b));
    buf_adds(&b, "ignored");
    buf_addf(&b, "%d", 1);
    assert_string_equal(buf_str(&b), "kept");
    buf_clear(&b);
    assert_false(buf_failed(&b));
    buf_adds(&b, "new");
    assert_string_equal(buf_str(&b), "new");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_reads_as_an_empty_string),
        cmocka_unit_test(what_is_added_stays_in_order),
        cmocka_unit_test(it_grows_at_every_length),
        cmocka_unit_test(the_front_can_be_dropped),
        cmocka_unit_test(a_failure_stays_until_it_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
