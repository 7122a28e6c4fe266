/* turn - the end of a user's turn, from speech probabilities (endpointing).
 * A pure state machine over frames: no audio, no clock, no threads; time is counted in samples
 * since turn_init. */
#ifndef HULLO_DSP_TURN_H
#define HULLO_DSP_TURN_H

#include <stdbool.h>
#include <stdint.h>

struct turn_config {
    float start;   /* a frame at or above this probability may start speech; 0.5 */
    float stop;    /* a frame below this one is silence while speaking; 0.35 */
    int start_ms;  /* speech must last this long to count: shorter bursts are knocks; 64 */
    int wait_ms;   /* silence that ends the turn (eagerness); 600 */
    int prefix_ms; /* audio before the first speech frame that belongs to the turn; 300 */
};

enum turn_event {
    TURN_NONE,
    TURN_STARTED, /* speech began at .start (prefix included) */
    TURN_PAUSED,  /* the first silent frames after speech; speech may go on: TURN_RESUMED follows if
                     it does */
    TURN_RESUMED,
    TURN_ENDED, /* wait_ms of silence: the turn is .start to .end */
};

struct turn {
    struct turn_config config;
    uint64_t now;   /* samples seen */
    uint64_t start; /* first sample of the turn, prefix included; valid while speaking */
    uint64_t end;   /* sample after the last speech frame; valid while speaking and at TURN_ENDED */
    bool speaking;  /* between TURN_STARTED and TURN_ENDED */
    bool paused;    /* between TURN_PAUSED and TURN_RESUMED or TURN_ENDED */
    uint64_t burst; /* samples of unbroken candidate speech before it counts */
};

void turn_init(struct turn *t,
               const struct turn_config *config); /* NULL: the defaults named above */

/* One frame of `samples` samples at VAD_HZ with probability p. At most one event a frame. */
enum turn_event turn_step(struct turn *t, float p, unsigned samples);

#endif
