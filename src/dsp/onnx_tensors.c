#include "dsp/onnx_tensors.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Types of the wire format. The two that start and end a group are in no ONNX model. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* Numbers of the fields, from onnx.proto. */
enum { MODEL_GRAPH = 7 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5 };
enum { NODE_OUTPUT = 2, NODE_OP_TYPE = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_TENSOR = 5 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_FLOATS = 4, TENSOR_NAME = 8, TENSOR_RAW = 9 };

static const char missing[] = "is missing";

#define TYPE_FLOAT 1

struct span {
    const unsigned char *at;
    size_t len;
};

struct field {
    uint64_t number;
    int type;
    uint64_t value;   /* of a VARINT */
    struct span span; /* of the others */
};

/* What a tensor's message says. */
struct found {
    struct span name, data;
    uint64_t type;
    uint64_t shape[ONNX_MOST_DIMS];
    int dims;   /* may be more than fit: ONNX_MOST_DIMS + 1 */
    int pieces; /* of data; the format lets a writer cut it up, but none does */
};

static bool span_is(struct span s, const char *text)
{
    return s.len > 0 && s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static bool take(struct span *from, uint64_t len, struct span *out)
{
    if (len > from->len)
        return false;
    *out = (struct span){from->at, (size_t)len};
    from->at += len;
    from->len -= (size_t)len;
    return true;
}

static bool take_varint(struct span *from, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && from->len > 0; shift += 7) {
        unsigned char byte = *from->at++;
        from->len--;
        if (shift == 63 && byte > 1)
            return false;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Takes the next field of a message: 1, or 0 at its end, or -EINVAL. */
static int next_field(struct span *message, struct field *f)
{
    uint64_t tag, len;
    bool whole = false;

    if (message->len == 0)
        return 0;
    *f = (struct field){0};
    if (!take_varint(message, &tag) || tag >> 3 == 0 || tag > UINT32_MAX)
        return -EINVAL;
    f->number = tag >> 3;
    f->type = (int)(tag & 7);
    switch (f->type) {
    case VARINT:
        whole = take_varint(message, &f->value);
        break;
    case FIXED64:
        whole = take(message, 8, &f->span);
        break;
    case FIXED32:
        whole = take(message, 4, &f->span);
        break;
    case BYTES:
        whole = take_varint(message, &len) && take(message, len, &f->span);
        break;
    default:
        break;
    }
    return whole ? 1 : -EINVAL;
}

static bool field_is(const struct field *f, uint64_t number, int type)
{
    return f->number == number && f->type == type;
}

static void add_dim(struct found *t, uint64_t size)
{
    if (t->dims < ONNX_MOST_DIMS)
        t->shape[t->dims] = size;
    if (t->dims <= ONNX_MOST_DIMS)
        t->dims++;
}

/* Dimensions may come one by one or packed into one field. */
static bool add_packed_dims(struct found *t, struct span packed)
{
    while (packed.len > 0) {
        uint64_t size;
        if (!take_varint(&packed, &size))
            return false;
        add_dim(t, size);
    }
    return true;
}

static int read_tensor(struct found *t, struct span message)
{
    struct field f;
    int rc;

    *t = (struct found){0};
    while ((rc = next_field(&message, &f)) > 0) {
        if (field_is(&f, TENSOR_DIMS, VARINT)) {
            add_dim(t, f.value);
        } else if (field_is(&f, TENSOR_DIMS, BYTES)) {
            if (!add_packed_dims(t, f.span))
                return -EINVAL;
        } else if (field_is(&f, TENSOR_TYPE, VARINT)) {
            t->type = f.value;
        } else if (field_is(&f, TENSOR_NAME, BYTES)) {
            t->name = f.span;
        } else if (field_is(&f, TENSOR_FLOATS, BYTES) || field_is(&f, TENSOR_RAW, BYTES)) {
            /* Packed floats and raw data are the same bytes. */
            t->data = f.span;
            t->pieces += t->pieces < 2;
        }
    }
    return rc;
}

/* The floats of the tensor's shape, or false when its data are more or fewer. */
static bool right_size(const struct found *t, size_t *floats)
{
    size_t n = 1, most = t->data.len / 4;

    for (int i = 0; i < t->dims; i++) {
        if (t->shape[i] == 0 || t->shape[i] > most / n)
            return false;
        n *= (size_t)t->shape[i];
    }
    *floats = n;
    return n == most && t->data.len % 4 == 0;
}

static void keep(struct onnx_tensor *w, const struct found *t)
{
    size_t floats = 0;

    if (w->fault != missing) {
        w->fault = "is there twice";
    } else if (t->type != TYPE_FLOAT) {
        w->fault = "is not of type float";
    } else if (t->dims > ONNX_MOST_DIMS) {
        w->fault = "has too many dimensions";
    } else if (t->pieces != 1 || !right_size(t, &floats)) {
        w->fault = "has not as many numbers as its shape says";
    } else {
        w->fault = NULL;
        w->dims = t->dims;
        memcpy(w->shape, t->shape, sizeof(w->shape));
        w->data = t->data.at;
        w->floats = floats;
    }
}

static void keep_if_wanted(struct onnx_tensor *wanted, size_t n, const struct found *t)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(t->name, wanted[i].name))
            keep(&wanted[i], t);
}

/* The tensor of an attribute called "value"; *tensor is left alone when it has none. */
static int read_attribute(struct span *tensor, struct span message)
{
    struct span name = {0}, value = {0};
    struct field f;
    int rc;

    while ((rc = next_field(&message, &f)) > 0) {
        if (field_is(&f, ATTRIBUTE_NAME, BYTES))
            name = f.span;
        else if (field_is(&f, ATTRIBUTE_TENSOR, BYTES))
            value = f.span;
    }
    if (rc == 0 && value.at && span_is(name, "value"))
        *tensor = value;
    return rc;
}

/* A Constant goes by the name of what it puts out; other nodes have nothing for us. */
static int read_node(struct onnx_tensor *wanted, size_t n, struct span message)
{
    struct span op = {0}, output = {0}, tensor = {0};
    struct found t;
    struct field f;
    int rc;

    while ((rc = next_field(&message, &f)) > 0) {
        if (field_is(&f, NODE_OP_TYPE, BYTES))
            op = f.span;
        else if (field_is(&f, NODE_OUTPUT, BYTES))
            output = f.span;
        else if (field_is(&f, NODE_ATTRIBUTE, BYTES) && read_attribute(&tensor, f.span) < 0)
            return -EINVAL;
    }
    if (rc == 0 && tensor.at && span_is(op, "Constant")) {
        rc = read_tensor(&t, tensor);
        t.name = output;
        if (rc == 0)
            keep_if_wanted(wanted, n, &t);
    }
    return rc;
}

static int read_graph(struct onnx_tensor *wanted, size_t n, struct span message)
{
    struct found t;
    struct field f;
    int rc;

    while ((rc = next_field(&message, &f)) > 0) {
        if (field_is(&f, GRAPH_NODE, BYTES)) {
            if (read_node(wanted, n, f.span) < 0)
                return -EINVAL;
        } else if (field_is(&f, GRAPH_INITIALIZER, BYTES)) {
            if (read_tensor(&t, f.span) < 0)
                return -EINVAL;
            keep_if_wanted(wanted, n, &t);
        }
    }
    return rc;
}

int onnx_tensors_find(struct onnx_tensor *wanted, size_t n, const void *model, size_t len)
{
    struct span message = {model, len}, graph = {0};
    struct field f;
    int rc;

    for (size_t i = 0; i < n; i++)
        wanted[i] = (struct onnx_tensor){.name = wanted[i].name, .fault = missing};
    while ((rc = next_field(&message, &f)) > 0) {
        if (!field_is(&f, MODEL_GRAPH, BYTES))
            continue;
        if (graph.at)
            return -EINVAL; /* the format would have two of them merged */
        graph = f.span;
    }
    return rc < 0 || !graph.at ? -EINVAL : read_graph(wanted, n, graph);
}
