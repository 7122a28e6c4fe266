/* latency - where the time of each turn went, and what is usual in this conversation. Pure.
 * A response gap runs from the last speech at the microphone to the first sound at the loudspeaker.
 * Its parts follow each other and add up to it. */
#ifndef HULLO_SESSION_LATENCY_H
#define HULLO_SESSION_LATENCY_H

#include <stddef.h>

struct latency_turn {
    double gap_ms;     /* -1: not known, and then nothing else is */
    double end_ms;     /* until the end of the turn was decided */
    double network_ms; /* there and back */
    double model_ms;   /* until the first sound was made */
    double buffer_ms;  /* ... and was heard */
};

enum { LATENCY_TURNS = 1000 }; /* the newest that quantiles are taken of */

struct latency {
    size_t count; /* of all turns with a known gap */
    double gaps[LATENCY_TURNS];
};

/* From the moments, on one clock in nanoseconds (0: not known): speech ended, turn decided, first
 * sound arrived, first sound heard. rtt_ms < 0: not known. */
struct latency_turn latency_parts(long long ended, long long decided, long long arrived,
                                  long long heard, double rtt_ms);

void latency_add(struct latency *l, const struct latency_turn *t); /* unknown gaps: nothing */
double latency_quantile(const struct latency *l, double q);        /* nearest rank; -1: none yet */

#endif
