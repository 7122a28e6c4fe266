/* diagnose - what the figures of a sound check mean for a conversation, in plain words. Pure; any
 * thread. */
#ifndef HULLO_CMD_DIAGNOSE_H
#define HULLO_CMD_DIAGNOSE_H

#include "cmd/findings.h"
#include "cmd/soundcheck.h"

enum verdict {
    VERDICT_FULL, /* it listens while it speaks */
    VERDICT_HALF, /* it does not */
    VERDICT_NONE, /* no conversation is possible */
};

/* Where it was measured. */
struct diagnose_place {
    const char *driver; /* of sound */
    bool macos;
    bool headset; /* a Bluetooth headset is there in its playback-only profile */
};

/* Adds a finding for each part: the microphone, the noise of the room, the echo, the clocks, the
 * canceller, dropouts, and at last the verdict. */
enum verdict diagnose_sound(struct findings *f, const struct soundcheck *s,
                            const struct diagnose_place *place);

/* From the program to the loudspeaker, through the room, and back to the program: as the canceller
 * found it, else by what the devices say of their buffers. Of a sound check with an echo. */
double diagnose_round_trip_ms(const struct soundcheck *s);

const char *diagnose_verdict_name(enum verdict v); /* "full_duplex", "half_duplex", "none" */

#endif
