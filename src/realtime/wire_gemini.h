/* wire_gemini - what the two halves of the codec of Gemini Live (BidiGenerateContent, v1beta)
 * share: wire_gemini.c speaks, wire_gemini_take.c listens. The field names are those of the SDK
 * google-genai 3.4.0 (types.LiveClientMessage, types.LiveServerMessage), its converters for the
 * Developer API say which of them go out.
 *
 * The protocol names neither turns nor replies: here they are counted, "u1" and "r1" onwards. */
#ifndef HULLO_REALTIME_WIRE_GEMINI_H
#define HULLO_REALTIME_WIRE_GEMINI_H

#include <stdbool.h>
#include <stddef.h>

#include "realtime/wire_parts.h"
#include "util/buf.h"

enum { GEMINI_ID = 16 };

/* What the user says, from its first word or our commit until the model has answered it. */
struct gemini_turn {
    char id[GEMINI_ID];
    unsigned number;
    bool open, committed;
    bool spoke, speaks; /* WIRE_SPEECH_STARTED was told; no WIRE_SPEECH_STOPPED yet */
    bool told;          /* WIRE_HEARD was, with told_bytes of the words */
    size_t told_bytes;
    struct buf words;
};

enum gemini_text { GEMINI_NO_TEXT, GEMINI_PARTS, GEMINI_TRANSCRIPT };

struct gemini_reply {
    char id[GEMINI_ID];
    unsigned number;
    bool open;
    bool closing;          /* it is done; words of it that come late are still its own */
    enum gemini_text text; /* which of two places its words come from: the first one that had any */
};

struct wire {
    struct wire_parts parts;
    struct wire_caps caps;
    bool manual;      /* we detect turns: activityStart and activityEnd are sent */
    bool active;      /* after activityStart */
    bool started;     /* the setup was sent */
    bool finished;    /* no more audio comes */
    bool seed;        /* the session waits for what was said before it began */
    bool due;         /* the model will answer without being asked: it was asked, or a turn ended */
    bool heard_audio; /* audio was sent since the last turn ended */
    bool cut;         /* interrupted; the turn is not complete yet */
    bool produced;    /* a reply began in the turn that is not complete yet */
    struct buf before; /* JSON: what was said before the session began */
    struct buf held;   /* what the user wrote and the model was not asked to answer yet */
    struct gemini_turn turn;
    struct gemini_reply reply;
};

/* Opens the user's turn, if none is. */
void gemini_turn_begin(struct wire *w);

int gemini_take(struct wire *w, const char *bytes, size_t n);

/* Tells the model that a function does not exist. calls: a list of FunctionCall. */
int gemini_refuse_calls(struct wire *w, const cJSON *calls);

#endif
