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
    int rc = vad_weights_parse(&w, exact, len, "made.onnx", e);
    assert_true((rc == 0) == (w != NULL));
    assert_true((rc == 0) == (e->text[0] == '\0'));
    assert_true(rc == 0 || rc == -EINVAL);
    assert_true(rc == 0 || e->status == STATUS_NO_MODEL);
    vad_weights_free(w);
    free(exact);
    return rc;
}

static int parse_tensors(const struct silero_tensor *tensors, size_t n, struct err *e)
{
    static const float zeros[SILERO_FLOATS];
    struct buf file = BUF_INIT;

    silero_file(&file, tensors, n, zeros);
    int rc = parse(file.data, file.len, e);
    buf_free(&file);
    return rc;
}

static void the_published_tensors_are_taken_in_any_order(void **state)
{
    (void)state;
    struct silero_tensor turned[SILERO_TENSORS];
    struct err e;

    for (size_t i = 0; i < SILERO_TENSORS; i++)
        turned[i] = silero_tensors[SILERO_TENSORS - 1 - i];
    assert_int_equal(parse_tensors(silero_tensors, SILERO_TENSORS, &e), 0);
    assert_int_equal(parse_tensors(turned, SILERO_TENSORS, &e), 0);
}

static void every_tensor_is_needed(void **state)
{
    (void)state;
    struct silero_tensor fewer[SILERO_TENSORS - 1];

    for (size_t gone = 0; gone < SILERO_TENSORS; gone++) {
        char expected[100];
        struct err e;
        for (size_t i = 0, at = 0; i < SILERO_TENSORS; i++)
            if (i != gone)
                fewer[at++] = silero_tensors[i];
        assert_int_equal(parse_tensors(fewer, SILERO_TENSORS - 1, &e), -EINVAL);
        snprintf(expected, sizeof(expected), "'made.onnx' as voice detector: %s is missing;",
                 silero_tensors[gone].name);
        if (!strstr(e.text, expected))
            fail_msg("'%s' does not say '%s'", e.text, expected);
    }
}

static void a_tensor_that_is_something_else_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct silero_tensor as; /* in place of model.encoder.3.reparam_conv.weight */
        const char *expected;
    } changes[] = {
        {{"model.encoder.3.reparam_conv.weigh", 1, 3, {128, 64, 3}, 0, 24576}, "is missing"},
        {{"model.encoder.3.reparam_conv.weights", 1, 3, {128, 64, 3}, 0, 24576}, "is missing"},
        {{"model.encoder.2.reparam_conv.weight", 1, 3, {64, 64, 3}, 0, 12288}, "is there twice"},
        {{"", 10, 3, {128, 64, 3}, 0, 24576}, "is not of type float"},
        {{"", 1, 3, {64, 128, 3}, 0, 24576}, "has another shape"},
        {{"", 1, 2, {128, 192}, 0, 24576}, "has another shape"},
        {{"", 1, 4, {128, 64, 3, 1}, 0, 24576}, "has another shape"},
        {{"", 1, 3, {128, 64, 1}, 0, 8192}, "has another shape"},
        {{"", 1, 0, {0}, 0, 1}, "has another shape"},
        {{"", 1, 5, {128, 64, 3, 1, 1}, 0, 24576}, "too many dimensions"},
        {{"", 1, 3, {128, 64, 3}, 0, 24575}, "numbers as its shape says"},
        {{"", 1, 3, {128, 64, 3}, 0, 24577}, "numbers as its shape says"},
        {{"", 1, 3, {128, 64, -3}, 0, 24576}, "numbers as its shape says"},
        {{"", 1, 3, {128, 64, 0}, 0, 0}, "numbers as its shape says"},
        {{"", 1, 3, {128, 64, 3 + ((int64_t)1 << 32)}, 0, 24576}, "numbers as its shape says"},
        {{"", 1, 3, {128, (int64_t)1 << 62, 3}, 0, 24576}, "numbers as its shape says"},
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct silero_tensor tensors[SILERO_TENSORS];
        struct err e;
        memcpy(tensors, silero_tensors, sizeof(tensors));
        const char *name = tensors[7].name;
        tensors[7] = changes[i].as;
        if (tensors[7].name[0] == '\0')
            tensors[7].name = name;
        assert_int_equal(parse_tensors(tensors, SILERO_TENSORS, &e), -EINVAL);
        if (!strstr(e.text, changes[i].expected))
            fail_msg("%zu: '%s' does not say '%s'", i, e.text, changes[i].expected);
    }
}

static void a_file_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    static const float zeros[SILERO_FLOATS];
    struct buf file = BUF_INIT;
    struct err e;

    silero_file(&file, silero_tensors, SILERO_TENSORS, zeros);
    for (size_t len = 0; len < file.len; len += len < 300 ? 1 : 9973)
        assert_int_equal(parse(file.data, len, &e), -EINVAL);
    assert_int_equal(parse(file.data, file.len - 1, &e), -EINVAL);
    assert_non_null(strstr(e.text, "is no ONNX model or is cut short"));
    assert_int_equal(parse(file.data, file.len, &e), 0);
    buf_free(&file);
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
            silero_file(&file, silero_tensors, SILERO_TENSORS, weights);
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
        cmocka_unit_test(the_published_tensors_are_taken_in_any_order),
        cmocka_unit_test(every_tensor_is_needed),
        cmocka_unit_test(a_tensor_that_is_something_else_is_refused),
        cmocka_unit_test(a_file_cut_short_anywhere_is_refused),
        cmocka_unit_test(numbers_that_are_no_weights_are_refused),
        cmocka_unit_test(what_is_no_file_is_told_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
