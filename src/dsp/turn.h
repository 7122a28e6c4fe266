/* turn - the end of a user's turn, from speech probabilities (endpointing).
 * A pure state machine over frames: no audio, no clock, no threads; time is counted in samples
 * since turn_init.
 *
 * Outside a turn, an unbroken run of frames at or above `start` that lasts start_ms begins one; a
 * run that is shorter is a knock and leaves no trace. Within a turn the detector is a Schmitt
 * trigger: a frame below `stop` pauses it, a frame at or above `start` resumes it, and what lies
 * between changes nothing, so that a probability that hovers makes no event. wait_ms after the last
 * speech frame the turn ends. Every turn gives STARTED, any number of PAUSED and RESUMED in turns,
 * and ENDED; no event comes twice in a row. Where a recording ends while `speaking`, the turn is
 * .start to the end of the recording, and nobody needs to wait. */
#ifndef HULLO_DSP_TURN_H
#define HULLO_DSP_TURN_H

#include <stdbool.h>
#include <stdint.h>

struct turn_config {
    float start;  /* a frame at or above this probability is speech; 0.5 */
    float stop;   /* a frame below this one is silence; 0.35; one above `start` counts as `start` */
    int start_ms; /* speech must last this long to count: shorter bursts are knocks; 64 */
    int wait_ms;  /* silence that ends the turn (eagerness); 600 */
    int prefix_ms; /* audio before the first speech frame that belongs to the turn; 300 */
};                 /* negative times count as 0 */

enum turn_event {
    TURN_NONE,
    TURN_STARTED, /* speech began; the turn's first sample is .start */
    TURN_PAUSED,  /* silence after speech, from .end on; speech may go on: TURN_RESUMED follows if
                     it does */
    TURN_RESUMED, /* speech went on before wait_ms had passed */
    TURN_ENDED,   /* wait_ms of silence: the turn is .start to .end. Comes without TURN_PAUSED when
                     wait_ms is no longer than one frame */
};

/* To be read by anybody on the owner's thread, and written by turn_init and turn_step alone. */
struct turn {
    struct turn_config config;
    uint64_t now;   /* samples seen */
    uint64_t start; /* first sample of the turn, prefix included, never before the first sample or
                       the end of the turn before; valid from TURN_STARTED to TURN_ENDED */
    uint64_t onset; /* its first speech frame */
    uint64_t end;   /* sample after the last speech frame; from TURN_STARTED on, also after
                       TURN_ENDED */
    uint64_t burst; /* samples of unbroken speech that does not count yet */
    bool speaking;  /* between TURN_STARTED and TURN_ENDED */
    bool paused;    /* between TURN_PAUSED and TURN_RESUMED or TURN_ENDED */
};

void turn_init(struct turn *t,
               const struct turn_config *config); /* NULL: the defaults named above */

/* wait_ms by the name of the eagerness: low 1000, medium (and any other, and NULL) 600, high 300.
 */
int turn_wait_ms(const char *eagerness);

/* One frame of `samples` samples at VAD_HZ with probability p (NaN is silence). At most one event a
 * frame. */
enum turn_event turn_step(struct turn *t, float p, unsigned samples);

#endif
