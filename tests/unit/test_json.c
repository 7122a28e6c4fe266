/* JSON as strangers send it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/json.h"

static int parse(cJSON **out, const char *s)
{
    return json_parse(out, s, strlen(s));
}

static void one_value_and_nothing_else_is_read(void **state)
{
    static const char *const good[] = {"{}", " [1] \r\n", "\"x\"", "null", "-1.5e3"};
    static const char *const bad[] = {"",    " ",         "{",           "[1,",     "{} {}", "nul",
                                      "{]}", "{\"1\":1,", "\"\\ud800\"", "\"\\x\"", "'a'"};
    cJSON *j;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(parse(&j, good[i]), 0);
        assert_non_null(j);
        cJSON_Delete(j);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse(&j, bad[i]), -EBADMSG);
        assert_null(j);
    }
    assert_int_equal(json_parse(&j, "1\0", 2), -EBADMSG);
}

static void depth_values_and_bytes_are_bounded(void **state)
{
    size_t n = JSON_MAX_BYTES + 1;
    char *s = malloc(n);
    cJSON *j;

    (void)state;
    assert_non_null(s);
    memset(s, '[', JSON_MAX_DEPTH);
    memset(s + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
    assert_int_equal(json_parse(&j, s, 2 * JSON_MAX_DEPTH), 0);
    cJSON_Delete(j);
    memset(s, '[', n);
    assert_int_equal(json_parse(&j, s, JSON_MAX_DEPTH + 1), -EMSGSIZE);
    assert_int_equal(json_parse(&j, s, n), -EMSGSIZE);
    for (size_t i = 0; i < 2 * JSON_MAX_VALUES; i++)
        s[i + 1] = i % 2 == 0 ? '0' : ',';
    s[2 * JSON_MAX_VALUES + 1] = '0';
    s[2 * JSON_MAX_VALUES + 2] = ']';
    assert_int_equal(json_parse(&j, s, 2 * JSON_MAX_VALUES + 3), -EMSGSIZE);
    /* Brackets inside strings are text. */
    memset(s, '[', n);
    s[0] = s[999] = '"';
    s[500] = '\\';
    s[501] = '"';
    assert_int_equal(json_parse(&j, s, 1000), 0);
    cJSON_Delete(j);
    free(s);
}

static void a_wrong_type_is_the_same_as_none(void **state)
{
    cJSON *j;

    (void)state;
    assert_int_equal(parse(&j, "{\"s\":\"x\",\"n\":1.5,\"i\":7,\"b\":true,\"z\":null,\"o\":{},"
                               "\"big\":1e999,\"huge\":1e300}"),
                     0);
    assert_string_equal(json_str(j, "s"), "x");
    assert_null(json_str(j, "S"));
    assert_null(json_str(j, "n"));
    assert_null(json_str(j, "z"));
    assert_null(json_str(json_get(j, "s"), "s"));
    assert_null(json_str(NULL, "s"));
    assert_float_equal(json_num(j, "n", 9), 1.5, 0);
    assert_float_equal(json_num(j, "s", 9), 9, 0);
    assert_float_equal(json_num(j, "big", 9), 9, 0);
    assert_int_equal(json_int(j, "i", 0, 10, -1), 7);
    assert_int_equal(json_int(j, "i", 8, 10, -1), -1);
    assert_int_equal(json_int(j, "n", 0, 10, -1), -1);
    assert_int_equal(json_int(j, "huge", 0, INT64_MAX, -1), -1);
    assert_int_equal(json_int(j, "none", 0, 10, -1), -1);
    assert_true(json_bool(j, "b", false));
    assert_false(json_bool(j, "i", false));
    assert_true(json_bool(j, "none", true));
    cJSON_Delete(j);
}

static void a_path_goes_through_objects_and_lists(void **state)
{
    cJSON *j;

    (void)state;
    assert_int_equal(parse(&j, "{\"a\":[{\"b\":\"x\"},[1,2]],\"\":3}"), 0);
    assert_string_equal(cJSON_GetStringValue(json_path(j, "a.0.b")), "x");
    assert_int_equal((int)json_path(j, "a.1.1")->valuedouble, 2);
    assert_ptr_equal(json_path(j, ""), j);
    assert_null(json_path(j, "a.2"));
    assert_null(json_path(j, "a.-1"));
    assert_null(json_path(j, "a.x"));
    assert_null(json_path(j, "a.99999999999999999999"));
    assert_null(json_path(j, "a.0.b.c"));
    assert_null(json_path(j, "A"));
    assert_null(json_path(NULL, "a"));
    cJSON_Delete(j);
}

static void written_text_is_valid_and_clean(void **state)
{
    cJSON *j = cJSON_CreateObject();
    struct buf b = BUF_INIT;

    (void)state;
    assert_int_equal(json_add_text(j, "t", "a\x1b[31m\xff\n\xc3\xa9"), 0);
    assert_string_equal(json_str(j, "t"), "a[31m?\n\xc3\xa9");
    json_quote(&b, "say \"hi\"\n\\\x07");
    assert_string_equal(buf_str(&b), "\"say \\\"hi\\\"\\n\\\\\"");
    buf_free(&b);
    cJSON_Delete(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_value_and_nothing_else_is_read),
        cmocka_unit_test(depth_values_and_bytes_are_bounded),
        cmocka_unit_test(a_wrong_type_is_the_same_as_none),
        cmocka_unit_test(a_path_goes_through_objects_and_lists),
        cmocka_unit_test(written_text_is_valid_and_clean),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
