/* align - gives the canceller its reference: what the loudspeaker played, delayed and stretched so
 * that the echo of it comes ALIGN_LEAD_MS later, whatever the bulk delay and the two clocks.
 *
 * Both streams are pushed in as they come, at a nominal 16 kHz, each counted by its own clock:
 * sample k of the far end and sample k of the near end were nominally handed over at the same
 * time; the far end may run ahead (it does by the latency of the devices) or behind. The bulk
 * delay is searched from ALIGN_FROM_MS to ALIGN_TO_MS, less what the clocks have drifted apart
 * since the start; the drift to +-200 ppm. It is measured after 0.5, 1, 2 and then every 2 s of
 * sound from the far end. That takes some milliseconds, so it is a job that another thread may run:
 *
 *     owner:  if (align_due(a)) hand over;            ... align_frame goes on meanwhile ...
 *     helper: align_measure(a); hand back
 *     owner:  news = align_adopt(a);
 *
 * Between align_due (true) and align_adopt, only align_measure may run on another thread, and it
 * touches nothing that the rest reads. Where there is one thread, it calls all three. */
#ifndef HULLO_DSP_ALIGN_H
#define HULLO_DSP_ALIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsp/frame.h"

#define ALIGN_LEAD_MS 15 /* less where the far end comes too late for that */
#define ALIGN_FROM_MS (-50)
#define ALIGN_TO_MS   550

struct align;

enum align_news {
    ALIGN_NONE,
    ALIGN_TUNED, /* delay or drift moved by less than the canceller minds: the reference glides, by
                    at most 8 ppm beside the drift */
    ALIGN_FOUND, /* the delay is known for the first time: the reference jumps */
    ALIGN_MOVED, /* the delay jumped, and the reference after it. What the canceller learnt before
                    the jump fits again; what it learnt between the jump and now does not */
};

/* Where to begin, as align_state gave it for these devices earlier; `known` false: from nothing. */
struct align_state {
    bool known;
    double delay_ms;  /* of the start: without the drift since then */
    double drift_ppm; /* > 0: the delay grows, the far end's clock is the slower one */
    double quality;   /* of the latest measurement, see delay.h; 0: none */
    int measured;     /* how many there were since the start or the last jump */
};

int align_new(struct align **out, const struct align_state *start); /* 0, -ENOMEM */

void align_far(struct align *a, const int16_t *x, size_t n);

/* One frame of the microphone, and the reference for it. False, and silence, when no far end is
 * there for it yet (not played, or longer ago than is kept). Until the delay is known, the
 * reference is what was played at the same time. */
bool align_frame(struct align *a, const int16_t mic[DSP_FRAME], int16_t ref[DSP_FRAME]);

/* The frame of the microphone that came `ago` frames before the latest (up to 4 s), and the
 * reference that it would have got, had the delay been known: for a canceller that starts again
 * after ALIGN_FOUND or ALIGN_MOVED and need not wait for new sound. False: not that many frames
 * yet, or no far end for it. */
bool align_again(const struct align *a, int ago, int16_t mic[DSP_FRAME], int16_t ref[DSP_FRAME]);

/* n samples of the near or the far end were lost and are missing in the count (both negative
 * numbers and 0 are fine): an xrun. The delay stays true. */
void align_lost(struct align *a, int64_t near, int64_t far);

bool align_due(struct align *a);     /* there is enough new sound of both ends to measure */
void align_measure(struct align *a); /* the job */
enum align_news align_adopt(struct align *a); /* its result */

void align_state(const struct align *a, struct align_state *out);
void align_reset(struct align *a); /* other devices: forgets everything */
void align_free(struct align *a);  /* NULL is fine */

#endif
