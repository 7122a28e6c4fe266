/* chain - the DSP worker's side of an open pair of devices: takes what the callback captured and
 * what it played, each at its device's rate and by its device's clock, resamples both to 16 kHz
 * frames, keeps them paired over what got lost, and runs dsp/nearend.h on them. The alignment is
 * measured on a helper thread of low priority. All functions on one thread at a time. */
#ifndef HULLO_AUDIO_CHAIN_H
#define HULLO_AUDIO_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/audio.h"
#include "audio/timering.h"
#include "dsp/nearend.h"

struct chain;

struct chain_ends {
    struct timering *near, *far;       /* outlive the chain; far NULL: nothing is played */
    const struct audio_stream *stream; /* for the rates, latencies and clocks */
};

/* `config` as for nearend_new, which is not there without a far end. 0, -EINVAL, -ENOMEM. */
int chain_new(struct chain **out, const struct chain_ends *ends,
              const struct nearend_config *config);

/* The next frame: the near end in out, captured from *at_ns on (the first one is 10 ms of silence
 * from before the start), and the verdict on the frame of the microphone that came last (*v is all
 * zeros without a far end). False when none is complete. */
bool chain_frame(struct chain *c, bool playing, int16_t out[DSP_FRAME], int64_t *at_ns,
                 struct nearend_verdict *v);

/* What is to be kept of this pair of devices; n 0: nothing. */
void chain_memory(const struct chain *c, struct nearend_memory *out);
void chain_align(const struct chain *c, struct align_state *out);
void chain_free(struct chain *c); /* NULL is fine */

#endif
