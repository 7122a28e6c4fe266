/* llm_stream - the answer of an OpenAI-compatible chat server, read from pieces.
 * Server-sent events with chat.completion.chunk objects, or, from a server that does not stream,
 * one chat.completion object. Pure, bounded (an event or a whole object of more than 1 MiB is an
 * error), and written for servers that lie: wrong types are the same as nothing. */
#ifndef HULLO_LOCAL_LLM_STREAM_H
#define HULLO_LOCAL_LLM_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "net/sse.h"
#include "util/buf.h"
#include "util/err.h"

struct llm_stream {
    struct sse sse;
    struct buf whole; /* a single object, until it is complete */
    struct buf held;  /* text whose last character is not complete yet */
    enum { LLM_STREAM_UNKNOWN, LLM_STREAM_EVENTS, LLM_STREAM_WHOLE } form;
    bool answered; /* at least one object of the expected shape came */
    bool finished; /* a finish_reason came: what follows is not the reply */
    bool complete; /* [DONE] came: nothing follows */
    struct err error;
};

/* Appends the reply's text that bytes[0..n) complete to *text: cleaned, whole characters. 0, or a
 * negative errno with *e filled, for good: -EBADMSG when this is not what a chat server says, -EIO
 * when the server reports an error, -EMSGSIZE, -ENOMEM. */
int llm_stream_feed(struct llm_stream *s, const char *bytes, size_t n, struct buf *text,
                    struct err *e);

/* The answer has ended. As above, and -EPIPE when it broke off. */
int llm_stream_end(struct llm_stream *s, struct buf *text, struct err *e);

void llm_stream_free(struct llm_stream *s); /* a zeroed struct llm_stream is a fresh one */

#endif
