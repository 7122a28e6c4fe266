/* duplex_scene - the closed loop of the benchmark: replies are played into the virtual room, what
 * its microphone hears goes through dsp/nearend.h frame by frame, and the verdict moves the
 * loudspeaker, after the time that a device takes. Much faster than real time.
 *
 * First the assistant alone for plan.alone_s (replies of 30 s, a second apart), then the trials one
 * after the other, in each of which something sounds at the microphone during a reply. */
#ifndef DUPLEX_SCENE_H
#define DUPLEX_SCENE_H

#include <stdbool.h>
#include <stdio.h>

#include "dsp/nearend.h"
#include "duplex_plan.h"

#define SCENE_NEVER (-1.0)

/* How often the loudspeaker ducked, was held, and the reply ended, with nobody speaking. */
struct scene_false {
    int ducks, holds, stops;
};

struct scene_result {
    double alone_s;           /* playback with nobody speaking, after the first 2 s of it */
    struct scene_false first; /* in the first 2 s */
    struct scene_false later; /* after them, also between the trials */
    double echo_db[2];        /* ERLE in the first 2 s, and from 5 s on, nobody speaking */
    double converged_s;       /* of playback until the chain said so; or NEVER */
    double hopeless;          /* part of the playback in which it said that */
    double cpu_s, run_s;      /* of the chain, thread CPU clock; of audio */
    double resampling_cpu_s;  /* of what devices at 48 kHz add: microphone, far end, and replies */
};

/* Of one trial; times are ms after the first sample of its sound, or SCENE_NEVER. */
struct scene_outcome {
    double at_s;                      /* of that sample, since the room opened */
    double duck_ms, hold_ms, stop_ms; /* decided, the first time in the trial */
    double silent_ms;                 /* the loudspeaker became silent, for good if stop_ms */
    double resumed_ms;                /* it came back after the last hold */
};

struct scene_sink {
    void (*trial)(void *user, const struct trial *t, const struct scene_outcome *o);
    void (*false_alarm)(void *user, const char *what, double at_s);
    void *user;
};

struct scene_config {
    const struct vad_weights *weights;
    enum barge_level level;
    /* Not NULL: the reply goes on whatever is heard, and the chain does not run, for others to hear
     * the same scene. Raw 16-bit samples; the far end's are counted by its own clock: with frame k
     * of the microphone come those up to ceil(160 (k + 1) speed). */
    FILE *far, *mic, *said;
    bool resample; /* times the conversion for devices at 48 kHz as well; nothing else changes */
    FILE *trace;   /* each frame's verdict as a line of numbers; NULL: none */
};

/* 0, or a negative errno with the reason. */
int scene_run(struct scene_result *out, const struct plan *plan, const struct scene_config *config,
              const struct scene_sink *sink, char *why, size_t size);

#endif
