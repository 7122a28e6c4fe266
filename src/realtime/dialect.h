/* dialect - providers as data: where they are, how they want the key, and what differs in their
 * words from the protocol that they speak. Const tables, nothing else; any thread.
 *
 * Templates: {model}, {key}, {region} and {resource} stand for what the endpoint says; a model is
 * percent-encoded where it goes into a URL. The "generic" dialect takes its own from the config. */
#ifndef HULLO_REALTIME_DIALECT_H
#define HULLO_REALTIME_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/backend.h"
#include "realtime/wire.h"

/* How a session's settings are laid out. */
enum dialect_session {
    SESSION_GA,   /* session.audio.input..., session.audio.output... */
    SESSION_BETA, /* modalities, input_audio_format, voice and turn_detection at the top */
    SESSION_TOP,  /* GA, but voice and turn_detection at the top (xAI) */
};

struct dialect_name {
    const char *ours, *theirs; /* of a server's event: ours as in OpenAI's GA protocol */
};

struct dialect {
    struct backend_dialect info;
    const struct wire_ops *wire[3]; /* by enum backend_task; NULL: it cannot do that */
    const char *url[3];             /* by task; NULL: the endpoint must say */
    const char *header;             /* "Authorization: Bearer {key}"; without a key, none is sent */
    const char *model[3];           /* by task; NULL: the endpoint must say */
    const char *voice;              /* NULL: the server's own */
    const char *transcriber;        /* model for the user's words; NULL: none is asked for */
    enum dialect_session session;
    const struct dialect_name *names; /* ended by {NULL, NULL}; NULL: all as in GA */
    int input_hz, output_hz;
    int cap_s;         /* of a session; 0: not known */
    bool efforts;      /* takes reasoning.effort */
    bool semantic;     /* has semantic_vad */
    bool denoises;     /* takes noise_reduction */
    bool audio_turns;  /* takes whole turns as input_audio items */
    bool truncates;    /* takes conversation.item.truncate */
    bool code_in_type; /* an error's code stands in its type */
};

extern const struct dialect *const dialects[]; /* ends with NULL; the first is OpenAI's */

const struct dialect *dialect_find(const char *name); /* or NULL */
const struct backend_dialect *dialect_info(size_t i); /* of backend_kind */

#endif
