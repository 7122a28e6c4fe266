/* aec - the linear echo canceller: SpeexDSP's, 16 kHz, 10 ms frames, behind one call.
 * While the room is new, a second one learns from the latest seconds again and again, and takes
 * over when it is better: 20 dB are reached in 3 s in place of 6, for 9 times the usual 0.4 % of a
 * core in the first 4 s of echo. A canceller that starts warm is trained on noise that was run
 * through a response learnt earlier, since SpeexDSP hands out its response but takes none.
 * One thread at a time per object. */
#ifndef HULLO_DSP_AEC_H
#define HULLO_DSP_AEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsp/frame.h"

#define AEC_TAIL_MS 256

struct aec;

/* response[0..n): of echo to reference, as aec_response gave it, 1 being as loud as the reference;
 * n 0: none. One that is louder than any room's is not used. Training takes some 30 ms.
 * 0, -EINVAL (a value that is not finite), -ENOMEM. */
int aec_new(struct aec **out, const float *response, size_t n);

/* out = mic less the echo of ref. out may be mic. False: it lost its way (a microphone that clips),
 * and starts from nothing. */
bool aec_run(struct aec *a, const int16_t mic[DSP_FRAME], const int16_t ref[DSP_FRAME],
             int16_t out[DSP_FRAME]);

size_t aec_response(const struct aec *a, float *response, size_t n); /* returns how many it wrote */

/* The delay jumped: starts from nothing. No allocation. */
void aec_reset(struct aec *a);
void aec_free(struct aec *a); /* NULL is fine */

#endif
