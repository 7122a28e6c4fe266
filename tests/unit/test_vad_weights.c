/* vad_weights: files that are not what they say. None may crash, leak or be taken. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/vad.h"
#include "fake/silero.h"
#include "util/path.h"

/* The exact bytes in memory of their own, so that a sanitizer sees one read too many. */
static int parse(const void *bytes, size_t len, struct err *e)
{
    struct vad_weights *w = NULL;
    char *exact = malloc(len ? len : 1);

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    *e = (struct err){0};
    int rc = vad_weights_parse(&w, exact, len, "made.safetensors", e);
    assert_true((rc == 0) == (w != NULL));
    assert_true((rc == 0) == (e->text[0] == '\0'));
    assert_true(rc == 0 || rc == -EINVAL);
    assert_true(rc == 0 || e->status == STATUS_NO_MODEL);
    vad_weights_free(w);
    free(exact);
    return rc;
}

static int parse_header(const char *header, struct err *e)
{
    static const float zeros[SILERO_FLOATS];
    struct buf file = BUF_INIT;

    silero_file(&file, header, zeros, SILERO_FLOATS);
    int rc = parse(file.data, file.len, e);
    buf_free(&file);
    return rc;
}

/* The published header with the first `old` replaced by `new`; the caller frees it. */
static char *changed(const char *old, const char *new)
{
    const char *at = strstr(silero_header, old);
    struct buf b = BUF_INIT;

    assert_non_null(at);
    buf_add(&b, silero_header, (size_t)(at - silero_header));
    buf_adds(&b, new);
    buf_adds(&b, at + strlen(old));
    return b.data;
}

static void the_published_layout_is_taken(void **state)
{
    (void)state;
    struct err e;
    char *noted = changed("{", "{\"__metadata__\":{\"format\":\"pt\"},");

    assert_int_equal(parse_header(silero_header, &e), 0);
    assert_int_equal(parse_header(noted, &e), 0);
    free(noted);
}

static void a_header_that_says_something_else_is_refused(void **state)
{
    (void)state;
    static const char *const changes[][3] = {
        {"conv1.bias", "conv1.base", "conv1.bias is missing"},
        {"conv1.weight", "conv2.weight", "conv1.weight is missing"},
        {"{", "{\"more\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},", "list the"},
        {"{", "{\"__metadata__\":1,\"__metadata__\":2,", "list the tensors"},
        {"{", "[", "list the tensors"},
        {"\"F32\"", "\"F16\"", "stft_conv.weight is not of type F32"},
        {"\"F32\"", "32", "type F32"},
        {"\"dtype\"", "\"type\"", "type F32"},
        {"[258,1,256]", "[258,256]", "another shape"},
        {"[258,1,256]", "[256,1,258]", "another shape"},
        {"[258,1,256]", "[258,1,256,1]", "another shape"},
        {"[258,1,256]", "[258,1,256.5]", "another shape"},
        {"[258,1,256]", "[4294967554,1,256]", "another shape"},
        {"[258,1,256]", "[]", "another shape"},
        {"[258,1,256]", "{\"a\":258,\"b\":1,\"c\":256}", "another shape"},
        {"[258,1,256]", "null", "another shape"},
        {"[0,264192]", "[4,264192]", "inside the file"},
        {"[0,264192]", "[0,264188]", "inside the file"},
        {"[0,264192]", "[-4,264188]", "inside the file"},
        {"[0,264192]", "[0.5,264192.5]", "inside the file"},
        {"[0,264192]", "[1e300,1e300]", "inside the file"},
        {"[0,264192]", "[18446744073709551612,264188]", "inside the file"},
        {"[0,264192]", "[1238532,1502724]", "inside the file"},
        {"[0,264192]", "[264192,0]", "inside the file"},
        {"[0,264192]", "[0,264192,0]", "inside the file"},
        {"[0,264192]", "[\"0\",\"264192\"]", "inside the file"},
        {"[0,264192]", "{}", "inside the file"},
        {"[1238528,1238532]", "[1238532,1238536]", "inside the file"},
        {"{\"dtype\"", "[\"dtype\"", "list the tensors"},
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct err e;
        char *header = changed(changes[i][0], changes[i][1]);
        assert_int_equal(parse_header(header, &e), -EINVAL);
        if (!strstr(e.text, changes[i][2]))
            fail_msg("'%s' for %s does not say '%s'", e.text, changes[i][1], changes[i][2]);
        assert_non_null(strstr(e.text, "'made.safetensors'"));
        free(header);
    }
}

static void headers_that_are_no_object_are_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {"",     "{}",   "[]",        "null", "1",    "\"x\"",
                                          "{\"a", "\xff", "{\"a\":1}", "{{{",  "}{",   "{}{}",
                                          "nan",  "\\",   "{\"\":}",   " ",    "//x\n"};
    struct err e;

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        assert_int_equal(parse_header(headers[i], &e), -EINVAL);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    static const char *const opening[] = {"[", "{\"a\":", "{\"stft_conv.weight\":["};

    for (size_t k = 0; k < sizeof(opening) / sizeof(opening[0]); k++) {
        struct buf header = BUF_INIT;
        struct err e;
        while (header.len + strlen(opening[k]) <= 16384)
            buf_adds(&header, opening[k]);
        assert_int_equal(parse_header(buf_str(&header), &e), -EINVAL);
        buf_free(&header);
    }
}

static void a_file_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    static const float zeros[SILERO_FLOATS];
    struct buf file = BUF_INIT;
    struct err e;

    silero_file(&file, silero_header, zeros, SILERO_FLOATS);
    for (size_t len = 0; len < file.len; len += len < 1300 ? 1 : 9973)
        assert_int_equal(parse(file.data, len, &e), -EINVAL);
    assert_int_equal(parse(file.data, file.len - 1, &e), -EINVAL);
    assert_int_equal(parse(file.data, file.len, &e), 0);
    buf_free(&file);
}

static void a_header_length_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const float zeros[SILERO_FLOATS];
    struct buf file = BUF_INIT;
    struct err e;

    silero_file(&file, silero_header, zeros, SILERO_FLOATS);
    const uint64_t header = strlen(silero_header);
    const uint64_t lengths[] = {0,
                                1,
                                header - 2,
                                16385,
                                file.len,
                                UINT32_MAX,
                                (uint64_t)1 << 63,
                                UINT64_MAX,
                                UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (int k = 0; k < 8; k++)
            file.data[k] = (char)(lengths[i] >> (8 * k));
        assert_int_equal(parse(file.data, file.len, &e), -EINVAL);
    }
    buf_free(&file);
}

static void a_header_has_a_longest_length(void **state)
{
    (void)state;
    struct buf header = BUF_INIT;
    struct err e;

    buf_adds(&header, silero_header);
    while (header.len < 16384)
        buf_adds(&header, " "); /* as the format pads it */
    assert_int_equal(parse_header(buf_str(&header), &e), 0);
    buf_adds(&header, " ");
    assert_int_equal(parse_header(buf_str(&header), &e), -EINVAL);
    buf_free(&header);
}

static void numbers_that_are_no_weights_are_refused(void **state)
{
    (void)state;
    static const size_t places[] = {0, 66047, 66048, 200000, 309632};
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY, 1000.1f, -1e30f};
    float *weights = calloc(SILERO_FLOATS, sizeof(float));

    assert_non_null(weights);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
            struct buf file = BUF_INIT;
            struct err e;
            weights[places[i]] = bad[k];
            silero_file(&file, silero_header, weights, SILERO_FLOATS);
            assert_int_equal(parse(file.data, file.len, &e), -EINVAL);
            assert_non_null(strstr(e.text, "numbers that no weight has"));
            buf_free(&file);
        }
        weights[places[i]] = 0;
    }
    free(weights);
}

static void what_is_no_file_is_told_by_name(void **state)
{
    (void)state;
    static const char *const files[] = {"/", "/dev/null", "/no/such/file"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct vad_weights *w = (struct vad_weights *)&i;
        struct err e = {0};
        assert_true(vad_weights_load(&w, files[i], &e) < 0);
        assert_null(w);
        assert_non_null(strstr(e.text, files[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_layout_is_taken),
        cmocka_unit_test(a_header_that_says_something_else_is_refused),
        cmocka_unit_test(headers_that_are_no_object_are_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(a_file_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_header_length_that_cannot_be_is_refused),
        cmocka_unit_test(a_header_has_a_longest_length),
        cmocka_unit_test(numbers_that_are_no_weights_are_refused),
        cmocka_unit_test(what_is_no_file_is_told_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
