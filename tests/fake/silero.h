/* silero - weight files for the voice detector that no training ever saw, and the network written
 * out in the plainest way, to hold the fast one against. */
#ifndef HULLO_TESTS_FAKE_SILERO_H
#define HULLO_TESTS_FAKE_SILERO_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

#define SILERO_FLOATS 309633

extern const char silero_header[]; /* of the published file: names, shapes and offsets */

/* Adds a file: the header's length, the header, the weights as little-endian bytes. */
void silero_file(struct buf *out, const char *header, const float *weights, size_t n);

/* Small random weights of a size that keeps every layer alive. */
void silero_random(float *weights, uint32_t seed);

struct silero_state {
    float context[64], h[128], c[128];
};

/* What vad_run should say, from the weights in the file's own order. */
double silero_plain(const float *weights, struct silero_state *s, const int16_t *x);

#endif
