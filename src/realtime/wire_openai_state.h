/* wire_openai_state - the state of the codec of OpenAI Realtime, between its files: wire_openai.c
 * says, wire_openai_take.c hears. */
#ifndef HULLO_REALTIME_WIRE_OPENAI_STATE_H
#define HULLO_REALTIME_WIRE_OPENAI_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "realtime/wire_parts.h"

enum { OPENAI_VOICE = 128, OPENAI_HELD_S = 120 };

struct wire {
    struct wire_parts parts;
    struct wire_caps caps;
    bool started;             /* a session.update was sent */
    bool spoken;              /* audio has come: the voice stands */
    char voice[OPENAI_VOICE]; /* as sent */
    double speed;             /* as sent; 0: none was */
    bool ended;               /* silence has ended a turn: its reply comes unasked */
    struct buf held;          /* samples of a turn that is not to be ended before we say so */
    bool texted;              /* the words of the reply in hand come in pieces */
    bool worded;              /* ... came whole, and there may be more */
};

int openai_take(struct wire *w, const char *bytes, size_t n); /* wire_ops.take */

#endif
