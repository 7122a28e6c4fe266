/* ladder - which engines can do the work, best first, and what to say when it is not the best one.
 * model: the user's own, else the best that is there, else smaller ones. voice: Piper, flite,
 * espeak-ng. speech-to-text: Moonshine, or a server. Main loop's thread. */
#ifndef HULLO_LOCAL_LADDER_H
#define HULLO_LOCAL_LADDER_H

#include "backend/backend.h"
#include "local/engine.h"

#define LADDER_RUNGS 6

struct rung {
    const struct engine_kind *kind;
    char *model;      /* what engine_config.model is for this kind; NULL for none. Owned */
    const char *name; /* engine_config.name, or NULL. Borrowed from the config */
    char notice[256]; /* what to tell people when this step is used; "" for nothing */
};

struct ladder {
    struct rung rungs[LADDER_RUNGS];
    size_t count;
};

/* Each fills *l; no step at all is an error that says how to get one (STATUS_NO_MODEL). */
int ladder_stt(struct ladder *l, const struct backend_config *config, struct err *e);
int ladder_llm(struct ladder *l, const struct backend_config *config, struct err *e);
int ladder_tts(struct ladder *l, const struct backend_config *config, struct err *e);
void ladder_free(struct ladder *l);

#endif
