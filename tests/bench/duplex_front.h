/* duplex_front - the front ends that the benchmark sets side by side: each makes of a tape what its
 * user would hear of the room without the echo. */
#ifndef DUPLEX_FRONT_H
#define DUPLEX_FRONT_H

#include "dsp/vad.h"
#include "duplex_tape.h"

struct front_config {
    const char *name;     /* "chain": dsp/nearend.h. "speex": SpeexDSP's canceller, the reference
                             delayed     by what is true at the start, less 15 ms. "preprocess": its
                             preprocessor     after it, denoising on. "nothing": the microphone */
    double delay_ms, ppm; /* of the tape */
    const struct vad_weights *weights;
};

/* y[0..t->n). *cpu_s is what it took. 0, -EINVAL: no such name, -ENOMEM. */
int front_run(int16_t *y, double *cpu_s, const struct tape *t, const struct front_config *config);

#endif
