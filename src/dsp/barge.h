/* barge - barge-in: what the loudspeaker does about what the microphone hears, frame by frame.
 *
 *   PLAY        -- fast rule: this may be speech --------------------------------> DUCK (-18 dB)
 *   PLAY, DUCK  -- this is speech, as far as one can tell with an echo around ---> HOLD (silence)
 *   HOLD        -- it goes on although the loudspeaker is silent ----------------> STOP
 *   DUCK, HOLD  -- it was a cough, a knock, "mhm", or our own echo --------------> PLAY
 *
 * Holding is what makes it both quick and sure: the user hears silence as soon as there is a good
 * reason, nothing of the reply is lost, and our own echo dies within the echo time of the room, so
 * that it cannot stop anything. Holds that came to nothing raise the bar for a while.
 * A pure state machine: no audio, no clock, no threads; time is counted in frames of 10 ms. */
#ifndef HULLO_DSP_BARGE_H
#define HULLO_DSP_BARGE_H

#include <stdbool.h>
#include <stdint.h>

enum barge_state { BARGE_PLAY, BARGE_DUCK, BARGE_HOLD, BARGE_STOP };

enum barge_level { BARGE_LOW, BARGE_MEDIUM, BARGE_HIGH }; /* sensitivity */

struct barge_input {
    bool playing;   /* the loudspeaker has something to say: an item is being played or held */
    bool blind;     /* nothing is known about the echo yet: whatever is heard may be one */
    bool converged; /* the canceller has learnt the room; else the stricter rule holds */
    bool echo;      /* the loudspeaker can be heard in this frame, or was just now */
    float speech;   /* probability of the VAD on the suppressed signal, the latest one */
    float snr_db;   /* as suppress_state */
    float near_db;
    float noise_db;
};

struct barge {
    enum barge_level level;
    enum barge_state state;
    /* the rest is the state machine's own */
    uint64_t frame;  /* frames so far */
    uint64_t onset;  /* frame at which the speech in hand began; valid outside PLAY */
    int maybe, sure; /* frames in a row that looked like speech; that surely were */
    int quiet;       /* frames since the last that looked like speech; outside PLAY */
    int alone;       /* frames of speech while the loudspeaker was not heard; in HOLD */
    uint64_t before; /* onset of the last hold that came to nothing, */
    int since;       /* and frames since that was over */
    float futile;    /* holds that came to nothing, fading over a minute */
};

void barge_init(struct barge *b, enum barge_level level);

/* One frame. STOP is returned once, and the machine is at PLAY again. */
enum barge_state barge_step(struct barge *b, const struct barge_input *in);

#endif
