/* fuzz_safetensors - the weight file of the voice detector. An input is a whole file; one that
 * starts with '{' is a header, to which length and zero weights are added, so that the fuzzer gets
 * past the first eight bytes and the megabyte at the end. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/vad.h"

#define WEIGHT_BYTES 1238532
#define MOST_HEADER  65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_file(const uint8_t *data, size_t size)
{
    static const int16_t silence[VAD_FRAME];
    struct vad_weights *w = NULL;
    struct vad *v = NULL;
    struct err e = {0};

    if (vad_weights_parse(&w, data, size, "input", &e) == 0 && vad_new(&v, w) == 0) {
        float p = vad_run(v, silence);
        if (!(p >= 0 && p <= 1))
            abort();
        vad_free(v);
    }
    vad_weights_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] != '{' || size > MOST_HEADER) {
        try_file(data, size);
        return 0;
    }
    uint8_t *file = calloc(1, 8 + size + WEIGHT_BYTES);
    if (!file)
        return 0;
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)size >> (8 * i));
    memcpy(file + 8, data, size);
    try_file(file, 8 + size + WEIGHT_BYTES);
    free(file);
    return 0;
}
