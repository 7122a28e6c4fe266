/* fuzz_onnx - the weight file of the voice detector. The reader looks for tensors of short names,
 * so that small inputs get to its end; the same bytes are then given to the detector as its file.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "dsp/onnx_tensors.h"
#include "dsp/vad.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the header promises of a tensor without a fault. */
static void hold(const struct onnx_tensor *t, const uint8_t *data, size_t size)
{
    size_t floats = 1;

    if (t->dims < 0 || t->dims > ONNX_MOST_DIMS || t->data < data || t->floats > size / 4 ||
        (size_t)(t->data - data) > size - 4 * t->floats)
        abort();
    for (int i = 0; i < t->dims; i++) {
        if (t->shape[i] == 0 || t->shape[i] > size)
            abort();
        floats *= (size_t)t->shape[i];
    }
    if (floats != t->floats)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onnx_tensor found[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
    size_t n = sizeof(found) / sizeof(found[0]);
    struct vad_weights *w = NULL;
    struct err e = {0};

    if (onnx_tensors_find(found, n, data, size) == 0)
        for (size_t i = 0; i < n; i++)
            if (!found[i].fault)
                hold(&found[i], data, size);
    int rc = vad_weights_parse(&w, data, size, "input", &e);
    if ((rc == 0) != (w != NULL) || (rc == 0) != (e.text[0] == '\0'))
        abort();
    vad_weights_free(w);
    return 0;
}
