/* soundcheck - plays something through the loudspeaker and listens to the microphone, some ten
 * seconds in all, over the same sound path that a conversation takes.
 *
 * First two chirps, with nobody cancelling (dsp/probe.h says what they tell); then, where an echo
 * was heard and hullo is to cancel it, a few seconds of noise for the canceller to learn the room
 * by. What it learnt is kept for the first conversation. Main thread; blocks. */
#ifndef HULLO_CMD_SOUNDCHECK_H
#define HULLO_CMD_SOUNDCHECK_H

#include <stdatomic.h>

#include "audio/duplex.h"
#include "dsp/probe.h"

struct soundcheck {
    char in_name[128], out_name[128]; /* as the devices call themselves */
    int in_hz, out_hz;
    double in_latency_ms, out_latency_ms; /* as they say */
    enum nearend_aec aec;
    bool played; /* the loudspeaker took the chirps */
    struct probe probe;
    double
        round_trip_ms; /* from the program to the program, as the canceller found; 0: it did not */
    bool trained;      /* the second part took place; only then: */
    double erle_db;    /* 0: not known */
    bool converged, half;
    bool kept;                              /* what was learnt is there for the next time */
    double seconds;                         /* in which dropouts were counted */
    unsigned long long underruns, overruns; /* of the loudspeaker, of the microphone */
};

/* `sound` names the driver, the devices and the canceller; the rest of it is filled in here. *out
 * holds what is known so far also after an error. 0, -ECANCELED when *cancel is set meanwhile, and
 * what opening the devices returns (STATUS_AUDIO). */
int soundcheck_run(struct soundcheck *out, const struct duplex_config *sound, const struct log *log,
                   const atomic_int *cancel, struct err *e);

#endif
