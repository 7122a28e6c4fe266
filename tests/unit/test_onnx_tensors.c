/* onnx_tensors: what is found in a model, and models that are not what they say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/onnx_tensors.h"
#include "fake/protobuf.h"

static const unsigned char ones[16] = {0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f,
                                       0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f};

/* Looks for `name` in a graph; the exact bytes lie in memory of their own, so that a sanitizer sees
 * one read too many. Frees `graph`. */
static int find(struct onnx_tensor *t, const char *name, struct buf *graph)
{
    struct buf model = BUF_INIT;

    pb_number(&model, 1, 8);
    pb_message(&model, 7, graph);
    unsigned char *exact = malloc(model.len);
    assert_non_null(exact);
    memcpy(exact, model.data, model.len);
    *t = (struct onnx_tensor){.name = name};
    int rc = onnx_tensors_find(t, 1, exact, model.len);
    if (rc == 0 && !t->fault) {
        assert_true(t->data >= exact && t->floats * 4 <= model.len);
        assert_true(t->data + t->floats * 4 <= exact + model.len);
        assert_true(t->floats == 0 || memcmp(t->data, ones, 4) == 0);
    }
    t->data = NULL;
    free(exact);
    buf_free(&model);
    return rc;
}

static void add_named(struct buf *graph, const char *name)
{
    struct buf tensor = BUF_INIT;

    pb_number(&tensor, 1, 2);
    pb_number(&tensor, 1, 2);
    pb_number(&tensor, 2, 1);
    pb_string(&tensor, 8, name);
    pb_bytes(&tensor, 9, ones, sizeof(ones));
    pb_message(graph, 5, &tensor);
}

/* The value of a node, with no name of its own as PyTorch writes it. */
static void add_node(struct buf *graph, const char *op, const char *attribute, const char *output)
{
    struct buf node = BUF_INIT, value = BUF_INIT, tensor = BUF_INIT;

    pb_number(&tensor, 1, 4);
    pb_number(&tensor, 2, 1);
    pb_bytes(&tensor, 9, ones, sizeof(ones));
    pb_string(&value, 1, attribute);
    pb_message(&value, 5, &tensor);
    pb_number(&value, 20, 4);
    pb_string(&node, 2, output);
    pb_string(&node, 3, "a name that does not count");
    pb_string(&node, 4, op);
    pb_message(&node, 5, &value);
    pb_message(graph, 1, &node);
}

static void initializers_are_found(void **state)
{
    (void)state;
    struct onnx_tensor t;
    struct buf graph = BUF_INIT;

    add_named(&graph, "other");
    add_named(&graph, "wanted");
    add_named(&graph, "wanted too");
    assert_int_equal(find(&t, "wanted", &graph), 0);
    assert_null(t.fault);
    assert_int_equal(t.dims, 2);
    assert_int_equal(t.shape[0], 2);
    assert_int_equal(t.shape[1], 2);
    assert_int_equal(t.floats, 4);
}

static void several_are_found_at_once(void **state)
{
    (void)state;
    struct onnx_tensor t[3] = {{.name = "c"}, {.name = "x"}, {.name = "a"}};
    struct buf graph = BUF_INIT, model = BUF_INIT;

    add_named(&graph, "a");
    add_named(&graph, "b");
    add_named(&graph, "c");
    pb_message(&model, 7, &graph);
    assert_int_equal(onnx_tensors_find(t, 3, model.data, model.len), 0);
    assert_null(t[0].fault);
    assert_string_equal(t[1].fault, "is missing");
    assert_null(t[2].fault);
    assert_true(t[0].data > t[2].data);
    buf_free(&model);
}

static void constants_go_by_their_output(void **state)
{
    (void)state;
    struct onnx_tensor t;
    struct buf graph = BUF_INIT;

    add_node(&graph, "Constant", "value", "wanted");
    assert_int_equal(find(&t, "wanted", &graph), 0);
    assert_null(t.fault);
    assert_int_equal(t.dims, 1);
    assert_int_equal(t.floats, 4);

    add_node(&graph, "ConstantOfShape", "value", "wanted");
    add_node(&graph, "Constant", "sparse_value", "wanted");
    add_node(&graph, "Constant", "value", "other");
    assert_int_equal(find(&t, "wanted", &graph), 0);
    assert_string_equal(t.fault, "is missing");
}

static void packed_floats_and_dimensions_are_read(void **state)
{
    (void)state;
    static const unsigned char dims[] = {1, 4, 1};
    struct onnx_tensor t;
    struct buf graph = BUF_INIT, tensor = BUF_INIT;

    pb_bytes(&tensor, 4, ones, sizeof(ones));
    pb_string(&tensor, 8, "wanted");
    pb_bytes(&tensor, 1, dims, sizeof(dims));
    pb_number(&tensor, 2, 1);
    pb_message(&graph, 5, &tensor);
    assert_int_equal(find(&t, "wanted", &graph), 0);
    assert_null(t.fault);
    assert_int_equal(t.dims, 3);
    assert_int_equal(t.shape[1], 4);
    assert_int_equal(t.floats, 4);
}

static void graphs_within_are_not_looked_at(void **state)
{
    (void)state;
    struct onnx_tensor t;
    struct buf graph = BUF_INIT;

    add_named(&graph, "wanted");
    for (int depth = 0; depth < 5000; depth++) {
        struct buf node = BUF_INIT, branch = BUF_INIT;
        pb_string(&branch, 1, "then_branch");
        pb_message(&branch, 6, &graph);
        pb_string(&node, 4, "If");
        pb_message(&node, 5, &branch);
        pb_message(&graph, 1, &node);
    }
    assert_int_equal(find(&t, "wanted", &graph), 0);
    assert_string_equal(t.fault, "is missing");
}

static void a_tensor_without_plain_data_has_a_fault(void **state)
{
    (void)state;
    static const struct {
        unsigned field;
        size_t len;
        const char *fault; /* beside the 16 bytes of raw data */
    } more[] = {
        {4, 16, "has not as many numbers as its shape says"},
        {9, 16, "has not as many numbers as its shape says"},
        {9, 0, "has not as many numbers as its shape says"},
        {8, 0, "is missing"},
        {13, 16, NULL}, /* where data in another file would be is not looked at */
    };

    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        struct onnx_tensor t;
        struct buf graph = BUF_INIT, tensor = BUF_INIT;
        pb_number(&tensor, 1, 4);
        pb_number(&tensor, 2, 1);
        pb_string(&tensor, 8, "wanted");
        pb_bytes(&tensor, 9, ones, 16);
        pb_bytes(&tensor, more[i].field, ones, more[i].len);
        pb_message(&graph, 5, &tensor);
        assert_int_equal(find(&t, "wanted", &graph), 0);
        if (more[i].fault)
            assert_string_equal(t.fault, more[i].fault);
        else
            assert_null(t.fault);
    }
}

static void data_that_the_shape_does_not_fill_are_a_fault(void **state)
{
    (void)state;
    for (size_t len = 0; len <= sizeof(ones); len++) {
        struct onnx_tensor t;
        struct buf graph = BUF_INIT, tensor = BUF_INIT;
        pb_number(&tensor, 1, 3);
        pb_number(&tensor, 2, 1);
        pb_string(&tensor, 8, "wanted");
        pb_bytes(&tensor, 9, ones, len);
        pb_message(&graph, 5, &tensor);
        assert_int_equal(find(&t, "wanted", &graph), 0);
        assert_true((t.fault == NULL) == (len == 12));
    }
}

static void a_shape_that_no_data_can_fill_is_a_fault(void **state)
{
    (void)state;
    static const struct {
        uint64_t shape[2];
        size_t len;
    } shapes[] = {
        {{0, 4}, 0},
        {{4, 0}, 16},
        {{4, 0}, 0},
        {{((uint64_t)1 << 62) + 1, 4}, 16}, /* 4 when 64 bits run over */
        {{UINT64_MAX, UINT64_MAX}, 4},      /* and 1 */
    };

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct onnx_tensor t;
        struct buf graph = BUF_INIT, tensor = BUF_INIT;
        pb_number(&tensor, 1, shapes[i].shape[0]);
        pb_number(&tensor, 1, shapes[i].shape[1]);
        pb_number(&tensor, 2, 1);
        pb_string(&tensor, 8, "wanted");
        pb_bytes(&tensor, 9, ones, shapes[i].len);
        pb_message(&graph, 5, &tensor);
        assert_int_equal(find(&t, "wanted", &graph), 0);
        assert_non_null(t.fault);
    }
}

static void bytes_that_are_no_message_are_refused(void **state)
{
    (void)state;
#define BYTES(x)        \
    {                   \
        x, sizeof x - 1 \
    }
    static const struct {
        const char *bytes;
        size_t len;
    } graphs[] = {
        BYTES("\x2a"),                                             /* no length */
        BYTES("\x2a\x01"),                                         /* one byte too few */
        BYTES("\x2a\xff\xff\xff\xff\x0f"),                         /* 4 GB */
        BYTES("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),     /* 2^64 - 1 bytes */
        BYTES("\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),     /* more than 64 bits */
        BYTES("\x2a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), /* 11 bytes */
        BYTES("\x02\x01x"),                                        /* field 0 */
        BYTES("\x80\x80\x80\x80\x80\x01\x01"),                     /* a field number of 36 bits */
        BYTES("\x2b\x2c"),                                         /* a group */
        BYTES("\x2e\x01"),                                         /* a type that there is not */
        BYTES("\x29\x01\x02\x03\x04\x05\x06\x07"),                 /* 7 bytes of 8 */
        BYTES("\x2d\x01\x02\x03"),                                 /* 3 bytes of 4 */
        BYTES("\x28\x80"),                                         /* a number that goes on */
        BYTES("\x2a\x03\x08\x01\x2a"),                             /* within an initializer */
        BYTES("\x2a\x03\x0a\x01\x80"),                             /* within packed dimensions */
        BYTES("\x0a\x02\x22\x09"),                                 /* within a node */
        BYTES("\x0a\x04\x2a\x02\x0a\x05"),                         /* within an attribute */
        BYTES("\x0a\x18\x22\x08"
              "Constant"
              "\x2a\x0c\x0a\x05value\x2a\x03\x08\x01\x42"),
    };
#undef BYTES

    for (size_t i = 0; i < sizeof(graphs) / sizeof(graphs[0]); i++) {
        struct onnx_tensor t;
        struct buf graph = BUF_INIT;
        add_named(&graph, "wanted");
        buf_add(&graph, graphs[i].bytes, graphs[i].len);
        if (find(&t, "wanted", &graph) != -EINVAL)
            fail_msg("graph %zu was taken", i);
    }
}

static void fields_of_other_types_are_passed_over(void **state)
{
    (void)state;
    struct onnx_tensor t;
    struct buf graph = BUF_INIT;

    buf_add(&graph, "\x29\x01\x02\x03\x04\x05\x06\x07\x08", 9);
    buf_add(&graph, "\x2d\x01\x02\x03\x04", 5);
    buf_add(&graph, "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
    buf_add(&graph, "\x9a\x06\x01x", 4);
    add_named(&graph, "wanted");
    assert_int_equal(find(&t, "wanted", &graph), 0);
    assert_null(t.fault);
}

static void a_model_has_one_graph(void **state)
{
    (void)state;
    struct onnx_tensor t = {.name = "wanted"};
    struct buf model = BUF_INIT, graph = BUF_INIT;

    assert_int_equal(onnx_tensors_find(&t, 1, NULL, 0), -EINVAL);
    pb_number(&model, 1, 8);
    assert_int_equal(onnx_tensors_find(&t, 1, model.data, model.len), -EINVAL);
    add_named(&graph, "wanted");
    pb_message(&model, 7, &graph);
    assert_int_equal(onnx_tensors_find(&t, 1, model.data, model.len), 0);
    add_named(&graph, "other");
    pb_message(&model, 7, &graph);
    assert_int_equal(onnx_tensors_find(&t, 1, model.data, model.len), -EINVAL);
    buf_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initializers_are_found),
        cmocka_unit_test(several_are_found_at_once),
        cmocka_unit_test(constants_go_by_their_output),
        cmocka_unit_test(packed_floats_and_dimensions_are_read),
        cmocka_unit_test(graphs_within_are_not_looked_at),
        cmocka_unit_test(a_tensor_without_plain_data_has_a_fault),
        cmocka_unit_test(data_that_the_shape_does_not_fill_are_a_fault),
        cmocka_unit_test(a_shape_that_no_data_can_fill_is_a_fault),
        cmocka_unit_test(bytes_that_are_no_message_are_refused),
        cmocka_unit_test(fields_of_other_types_are_passed_over),
        cmocka_unit_test(a_model_has_one_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
