/* onnx_tensors - finds tensors of floats by name in an ONNX model, and reads nothing else of it.
 * The format is that of onnx.proto (onnx.ai) in the wire format of Protocol Buffers
 * (protobuf.dev/programming-guides/encoding). Looked at are the initializers of the main graph and
 * the values of its Constant nodes, which go by the name of the node's output; what lies in graphs
 * within it (branches of If, bodies of Loop) is not. Nothing is allocated and nothing recurses: the
 * model is walked once, and every length in it is held against what is left. Any thread. */
#ifndef HULLO_DSP_ONNX_TENSORS_H
#define HULLO_DSP_ONNX_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#define ONNX_MOST_DIMS 4

struct onnx_tensor {
    const char *name;  /* set by the caller: the tensor to find */
    const char *fault; /* NULL, or why there is no data, as in "is missing" */
    uint64_t shape[ONNX_MOST_DIMS];
    int dims;
    const unsigned char *data; /* within the model: little-endian floats, not aligned */
    size_t floats;             /* as many as the shape says */
};

/* Looks for n tensors of different names. 0 when the model could be walked to its end: then each
 * tensor has either data or a fault. -EINVAL when the bytes are no ONNX model or are cut short:
 * then none is to be used. */
int onnx_tensors_find(struct onnx_tensor *wanted, size_t n, const void *model, size_t len);

#endif
