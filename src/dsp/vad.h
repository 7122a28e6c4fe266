/* vad - voice activity detection: Silero VAD v6, 16 kHz, its forward pass written out in C.
 * Network (that of the published silero_vad_16k_op15.onnx, MIT): 64 samples of context and 512 new
 * ones, 64 reflected at the end; a 256-point STFT with hop 128 as a convolution (magnitude of 129
 * bins); four convolutions of width 3 with ReLU; an LSTM cell of 128; a 1x1 convolution and a
 * sigmoid. About 0.1 ms of a core per frame. Weights are read once and may be shared by many
 * detectors in many threads; a detector belongs to one thread. */
#ifndef HULLO_DSP_VAD_H
#define HULLO_DSP_VAD_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define VAD_HZ    16000
#define VAD_FRAME 512 /* samples per decision: 32 ms */

struct vad_weights;
struct vad;

/* Reads silero_vad_16k_op15.onnx: its weights, found by name; the graph itself is not looked at.
 * The weights are checked (types, shapes, sizes, finite values); anything missing or unexpected is
 * -EINVAL with a message. Also -ENOMEM and whatever path_read returns. */
int vad_weights_load(struct vad_weights **out, const char *file, struct err *e);

/* The same from bytes in memory, which are not needed afterwards; `name` is for the message. */
int vad_weights_parse(struct vad_weights **out, const void *bytes, size_t len, const char *name,
                      struct err *e);
void vad_weights_free(struct vad_weights *w); /* after every detector that uses it; NULL is fine */

int vad_new(struct vad **out, const struct vad_weights *w); /* 0, -ENOMEM */

/* Probability of speech, 0 to 1 and never NaN, in the frame x[0..VAD_FRAME), given all frames since
 * the last reset. No allocation. */
float vad_run(struct vad *v, const int16_t *x);

void vad_reset(struct vad *v); /* a new recording starts */
void vad_free(struct vad *v);  /* NULL is fine */

#endif
