/* probe - a short sound to play through a loudspeaker, and what the microphone makes of it: the
 * delay of its echo, the drift between the two clocks, how loud it came back, the noise around it.
 *
 * The sound is two chirps, linear sweeps of half a second: far enough apart for two clocks to part
 * by some hundredths of a sample at 1 ppm, short enough to be borne. Pure computation, 16 kHz mono;
 * any thread. */
#ifndef HULLO_DSP_PROBE_H
#define HULLO_DSP_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsp/frame.h"

#define PROBE_CHIRP   8000  /* samples of a chirp */
#define PROBE_APART   28800 /* from the start of the one to that of the other */
#define PROBE_SAMPLES (PROBE_APART + PROBE_CHIRP)
#define PROBE_TAIL    9600 /* to be listened to beyond the end */

void probe_chirps(int16_t x[PROBE_SAMPLES]);

/* A gentle noise, louder and softer about four times a second as speech is: what a canceller learns
 * a room by. x continues at sample `from` of it; always the same. */
void probe_noise(int16_t *x, size_t n, uint64_t from);

struct probe {
    bool silent;     /* every sample is the same: nothing comes from this microphone */
    double noise_db; /* level while nothing was played, dB of full scale, from -120 */
    size_t clipped;  /* samples at full scale */
    bool heard;      /* an echo of the chirps; only then: */
    double delay_ms; /* of the echo, after the sound left the loudspeaker */
    double quality;  /* as in delay.h */
    double level_db; /* its level, dB of full scale */
    double echo_db;  /* its level against what was played */
    bool unsteady;   /* the two chirps took different times: samples were lost between them */
    bool drift_known;
    double drift_ppm; /* how much faster the loudspeaker's clock runs than the microphone's */
    bool exact;       /* what came back is what was played, to the bit or nearly: no air between */
};

/* mic[0..n) is what was heard; quiet[0..quiet_n) of it, or of elsewhere, before the sound was
 * played; `start` is the sample of mic at which the first sample of probe_chirps left the
 * loudspeaker (PROBE_SAMPLES + PROBE_TAIL should follow; what is missing is silence). 0, -ENOMEM.
 */
int probe_measure(struct probe *out, const int16_t *mic, size_t n, double start,
                  const int16_t *quiet, size_t quiet_n);

#endif
