/* when - the times of a callback, made sane. Realtime safe. */
#ifndef HULLO_AUDIO_WHEN_H
#define HULLO_AUDIO_WHEN_H

#include "audio/audio.h"

/* What a sound system reported, in seconds of its own clock: 0 or nonsense where it does not know.
 */
struct when_report {
    double now_s, in_s, out_s;
    double in_latency_ms, out_latency_ms; /* what to fall back on */
};

/* Fills when->in_ns and when->out_ns for a callback that runs at now_ns. A report that puts the
 * input in the future or the output in the past, or either more than a second away, is replaced by
 * the latency. */
void when_fill(struct audio_when *when, const struct when_report *report, int64_t now_ns);

/* A latency in seconds as reported, in ms within 0..500; NaN and nonsense are 0. */
double when_latency_ms(double seconds);

#endif
