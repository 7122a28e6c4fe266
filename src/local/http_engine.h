/* http_engine - an engine that is an OpenAI-compatible HTTP server.
 * The language model and speech-to-text have in common: the address, the key, asking which models
 * there are, a queue with one request under way, cancelling. What differs is in struct
 * http_engine_kind. Events and threads as in engine.h. */
#ifndef HULLO_LOCAL_HTTP_ENGINE_H
#define HULLO_LOCAL_HTTP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "local/engine.h"
#include "util/buf.h"

struct http_engine_kind {
    const char *what;         /* for people: "language model" */
    const char *endpoint;     /* "chat/completions" */
    const char *default_name; /* of the model; NULL: the server's first one */

    /* The request's body but for the model's name. An empty one: there is nothing to ask, the reply
     * is "" without asking. 0, -ENOMEM, -EINVAL. */
    int (*prepare)(struct buf *body, const struct engine_request *r);
    /* The body as it is sent, with the model's name and the language ("": none is told); `type`
     * gets the content type. 0, -ENOMEM. */
    int (*finish)(struct buf *body, const struct buf *prepared, const char *name,
                  const char *language, char *type, size_t size);

    bool whole; /* one TEXT for each request, also when it is "" */

    /* Reads an answer: a parser of parser_bytes bytes, zeroed at first. Text is appended to *text,
     * cleaned, in whole characters. 0, or a negative errno with *e filled. *complete is set once
     * nothing can follow. */
    size_t parser_bytes;
    int (*feed)(void *parser, const char *bytes, size_t n, struct buf *text, bool *complete,
                struct err *e);
    int (*end)(void *parser, struct buf *text, struct err *e);
    void (*free)(void *parser);
};

int http_engine_open(struct engine **out, const struct http_engine_kind *kind,
                     const struct engine_config *config, struct err *e);

#endif
