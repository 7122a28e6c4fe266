/* dialect - providers as data: where they are, how they want the key, and what differs in their
 * words from the protocol that they speak. Const tables, and functions that fill them in; any
 * thread.
 *
 * Templates: {model} is the endpoint's, or the dialect's own; {unique} is another word each time;
 * {key} is the endpoint's, in headers only; any other {name} is a value of the endpoint's by that
 * name. What stands in [brackets] is left out when a value in it is missing. What goes into a URL
 * is percent-encoded. The "generic" dialect takes its own from the
 * endpoint's values: dialect_generic_new. */
#ifndef HULLO_REALTIME_DIALECT_H
#define HULLO_REALTIME_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/backend.h"
#include "conf/endpoint.h"
#include "realtime/wire.h"
#include "util/buf.h"
#include "util/err.h"

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
    const char *url[3];             /* by task; what begins with '/': the endpoint must say the
                                       rest of it; NULL: it must say all */
    const char *header;             /* "Authorization: Bearer {key}"; without a key, none is sent */
    const char *voice;              /* NULL: the server's own */
    const char *transcriber;        /* model for the user's words; NULL: none is asked for */
    bool transcribes;               /* tells the user's words without being asked to */
    enum dialect_session session;
    const struct dialect_name *names;   /* ended by {NULL, NULL}; NULL: all as in GA */
    const char *format_in, *format_out; /* names of the audio formats in SESSION_BETA */
    int input_hz, output_hz;
    int cap_s;              /* of a session; 0: not known */
    const char *max_tokens; /* member that says how long a reply may be; NULL: there is none */
    bool efforts;           /* takes reasoning.effort */
    bool speeds;            /* takes a speed of the speech */
    bool semantic;          /* ends turns by their meaning, and takes an eagerness to do so */
    bool denoises;          /* takes noise_reduction */
    bool audio_turns;       /* takes whole turns as input_audio items */
    bool writes;            /* takes conversation.item.create */
    bool truncates;         /* takes conversation.item.truncate */
    bool retains;           /* takes truncation by a retention ratio */
    bool commits;           /* takes input_audio_buffer.commit and .clear */
    bool always_detects;    /* ends turns by itself, and answers them, whatever it is told */
};

extern const struct dialect *const dialects[]; /* ends with NULL; the first is OpenAI's */

const struct dialect *dialect_find(const char *name); /* or NULL */
const struct backend_dialect *dialect_info(size_t i); /* of backend_kind */

/* The model that the endpoint means for this task: its own, else the dialect's; NULL: it must say.
 */
const char *dialect_model(const struct dialect *d, const struct endpoint *ep,
                          enum backend_task task);

/* Where to connect: the endpoint's URL (what it leaves out of path and query is the dialect's; http
 * is ws), else the dialect's. 0, -EINVAL (STATUS_USAGE: something is missing, or the dialect cannot
 * do this task), -ENOMEM. */
int dialect_url(const struct dialect *d, const struct endpoint *ep, enum backend_task task,
                struct buf *out, struct err *e);

/* "Name: value" that carries the key, in *out: a secret. Nothing without a key. Errors as above. */
int dialect_header(const struct dialect *d, const struct endpoint *ep, struct buf *out,
                   struct err *e);

/* Appends the options among these settings that are asked for and that it does not take in a
 * conversation: "--effort, --speed"; nothing where it takes them all. A failure is out's. */
void dialect_lacks(const struct dialect *d, const struct backend_settings *asked, struct buf *out);

/* The dialect named "generic", as the endpoint's values make it out of OpenAI's:
 *   key_header   "Authorization: Bearer {key}"
 *   session      ga, beta or top (enum dialect_session)
 *   input_hz, output_hz     8000 to 48000
 *   transcriber  model for the user's words; "" for none
 *   events.NAME  the server's name of an event; NAME is one of those in dialect_generic.c, such as
 *                audio_delta
 * and whatever its URL names besides. The endpoint may go afterwards. 0, -EINVAL (STATUS_USAGE),
 * -ENOMEM. */
int dialect_generic_new(struct dialect **out, const struct endpoint *ep, struct err *e);
void dialect_generic_free(struct dialect *d); /* NULL is fine */

#endif
