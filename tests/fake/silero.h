/* silero - weight files for the voice detector that no training ever saw, and the network written
 * out in the plainest way, to hold the fast one against. */
#ifndef HULLO_TESTS_FAKE_SILERO_H
#define HULLO_TESTS_FAKE_SILERO_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

#define SILERO_FLOATS  309633
#define SILERO_TENSORS 15

struct silero_tensor {
    const char *name;
    int type; /* 1: float */
    int dims;
    int64_t shape[5];
    size_t first, floats; /* of the weights, its data */
};

extern const struct silero_tensor silero_tensors[SILERO_TENSORS]; /* of the published file */

/* Adds an ONNX model of n tensors with these weights, among things that nobody asks for. */
void silero_file(struct buf *out, const struct silero_tensor *tensors, size_t n,
                 const float *weights);

/* Small random weights of a size that keeps every layer alive. */
void silero_random(float *weights, uint32_t seed);

/* Loud is speech, quiet is not: from about -45 dB of full scale between 250 Hz and 4 kHz. It
 * remembers nothing. */
void silero_loud(float *weights);

struct silero_state {
    float context[64], h[128], c[128];
};

/* What vad_run should say, from the weights in the file's own order. */
double silero_plain(const float *weights, struct silero_state *s, const int16_t *x);

#endif
