/* suppress - takes what echo the canceller left, and says how loud the near end is above it.
 *
 * 20 bands, square-root Hann windows of 20 ms, hop 10 ms (so the output is 10 ms late). In each
 * band, what is left of the echo is expected from what was taken out, |mic - out|^2, as a slowly
 * decaying maximum: mean and deviation of their ratio in dB are learnt, quickly at first, and
 * hardly from what may be the near end. The residual is that mean and some deviations. The gain is
 * 1 - beta residual / left over a floor of -35 dB; beta is large while nothing but echo is heard,
 * and 1 once the near end is heard in many bands. Where the far end is silent, the gain is 1: noise
 * is not touched. One thread at a time per object; no allocation after suppress_new. */
#ifndef HULLO_DSP_SUPPRESS_H
#define HULLO_DSP_SUPPRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "dsp/frame.h"

struct suppress;

struct suppress_state {
    bool echo;      /* echo above the noise was taken out in this frame */
    float snr_db;   /* near end over residual echo and noise, mean over the speech bands, 0 to 15 */
    float left_db;  /* what the canceller leaves of the echo: its -ERLE; 0: nothing is known */
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
