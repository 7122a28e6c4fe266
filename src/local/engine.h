/* engine - a model behind a queue: requests in, events out.
 * Speech-to-text, language model and text-to-speech have this one shape, so that each can be a
 * model in this process (on a thread of its own: see worker.h) or an HTTP server (on the loop). All
 * functions are called on the main loop's thread and return at once; all events come on that
 * thread, never from inside a call, in the order of the requests. Every request gets exactly one
 * DONE or FAILED, also when it was cancelled. Cancelled work stops within one token, one decode, or
 * one clause. */
#ifndef HULLO_LOCAL_ENGINE_H
#define HULLO_LOCAL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "util/err.h"
#include "util/log.h"

enum chat_role { CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT };

struct chat_message {
    enum chat_role role;
    const char *text;
};

struct engine_request {
    uint32_t id; /* chosen by the caller, rising */
    /* speech-to-text: 16 kHz mono, at most ENGINE_MAX_SECONDS */
    const int16_t *pcm;
    size_t samples;
    /* language model: the conversation, its last message the user's */
    const struct chat_message *messages;
    size_t count;
    int max_tokens;
    /* text-to-speech: one clause */
    const char *text;
};

#define ENGINE_MAX_SECONDS 30

enum engine_event_type {
    ENGINE_READY, /* the model is loaded; .text names it */
    ENGINE_TEXT, /* a piece of text: the whole transcript, or the next piece of a reply (whole UTF-8
                    sequences) */
    ENGINE_AUDIO,  /* the next piece of speech */
    ENGINE_DONE,   /* the request is complete (.cancelled: was cancelled) */
    ENGINE_FAILED, /* .error; with id 0: the engine is of no use (could not be loaded) */
};

struct engine_event {
    enum engine_event_type type;
    uint32_t id;
    const char *text;
    const int16_t *samples;
    size_t count;
    int rate_hz;
    bool cancelled;
    const struct err *error;
};

typedef void engine_event_fn(void *user, const struct engine_event *ev);

struct engine {
    const struct engine_ops *ops;
};

struct engine_config {
    uv_loop_t *loop;
    const struct log *log;
    engine_event_fn *event;
    void *user;
    const char *model;    /* path of the model's folder or file, or the server's URL */
    const char *name;     /* model name to ask a server for; NULL: the server's only one */
    const char *api_key;  /* for a server; NULL: none */
    const char *language; /* of the speech, as in "en"; NULL: the engine's own */
    int threads;          /* 0: what suits the machine */
    int context; /* language model: how many tokens it can keep in mind; 0: what suits the model */
};

struct engine_ops {
    int (*submit)(struct engine *g, const struct engine_request *r); /* copies *r; 0, -ENOMEM */
    void (*cancel)(struct engine *g,
                   uint32_t up_to);  /* every request with an id at or below up_to */
    void (*close)(struct engine *g); /* cancels, joins its thread, frees g; no event follows; NULL
                                        is not fine */
};

/* What the registry lists: how to make one. */
struct engine_kind {
    const char *name; /* "llama", "moonshine", "piper", "flite", "espeak", "http" */
    const char *help; /* one line */
    int (*open)(struct engine **out, const struct engine_config *config, struct err *e);
};

#endif
