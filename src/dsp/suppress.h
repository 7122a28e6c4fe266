/* suppress - takes what echo the canceller left, and says how loud the near end is above it.
 *
 * 20 bands, square-root Hann windows of 20 ms, hop 10 ms (so the output is 10 ms late). In each
 * band the residual echo is lambda times the slowly decaying maximum of the echo that was taken
 * out, |mic - out|^2; lambda is a slow high quantile of what was left where that echo was well
 * above the noise, faster at first. The gain is 1 - beta/SNR over a floor. One thread at a time per
 * object; no allocation after suppress_new. */
#ifndef HULLO_DSP_SUPPRESS_H
#define HULLO_DSP_SUPPRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "dsp/frame.h"

struct suppress;

struct suppress_state {
    bool echo;      /* echo above the noise was taken out in this frame */
    float snr_db;   /* near end over residual echo and noise, mean over the speech bands, 0 to 15 */
    float left_db;  /* residual echo against the echo in the microphone: -ERLE; 0: nothing known */
    float near_db;  /* level of the frame that came in, dB of full scale */
    float noise_db; /* background noise, dB of full scale */
    int seen;       /* frames with echo so far: how much it has learnt */
};

int suppress_new(struct suppress **out); /* 0, -ENOMEM */

/* The canceller's input and output of the same frame; y is the frame before it, suppressed. y may
 * be out. */
void suppress_run(struct suppress *s, const int16_t mic[DSP_FRAME], const int16_t ref[DSP_FRAME],
                  const int16_t out[DSP_FRAME], int16_t y[DSP_FRAME], struct suppress_state *state);

void suppress_relearn(struct suppress *s); /* the canceller starts again */
void suppress_free(struct suppress *s);    /* NULL is fine */

#endif
