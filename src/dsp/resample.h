/* resample - streaming conversion between sample rates, mono 16-bit (SpeexDSP's resampler behind
 * one call). One thread at a time per object. Rates 1000 to 768000 Hz; equal rates copy. */
#ifndef HULLO_DSP_RESAMPLE_H
#define HULLO_DSP_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

struct resample;

int resample_new(struct resample **out, int from_hz, int to_hz); /* 0, -EINVAL, -ENOMEM */

/* Converts x[0..*n) into y[0..*m): on return *n is what was consumed and *m what was produced.
 * Either may be less than offered; call again with the rest. The filter's delay is skipped at the
 * start: the first output sample is in time with the first input sample. Not realtime safe. */
void resample_run(struct resample *r, const int16_t *x, size_t *n, int16_t *y, size_t *m);

/* Input samples that the filter still holds; feed that many zeros at the end of a stream to get its
 * last samples. */
size_t resample_tail(const struct resample *r);

void resample_free(struct resample *r); /* NULL is fine */

#endif
