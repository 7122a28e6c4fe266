/* prompt - a conversation as the tokens that a GGUF model was trained to read it in.
 * Needs HULLO_LOCAL. One owner, one thread. */
#ifndef HULLO_LOCAL_PROMPT_H
#define HULLO_LOCAL_PROMPT_H

#include "local/engine.h"

#if HULLO_LOCAL

#include <llama.h>

struct prompt {
    const struct llama_vocab *vocab;
    const char *template; /* the model's own, or "chatml"; borrowed from the model */
    bool thinks;          /* the template knows how to be told not to think aloud */
    size_t room;          /* tokens that a conversation may take */
    size_t start;         /* first message kept in the turn before (see fit.h) */
    llama_token *tokens;  /* the last conversation: at most `room` of them */
    size_t count;
};

/* The model must outlive the prompt. 0, -ENOMEM. */
int prompt_init(struct prompt *p, const struct llama_model *model, size_t room);
void prompt_free(struct prompt *p);

/* Fills p->tokens with the conversation, up to where the model's answer begins; the oldest
 * exchanges are left out when it does not fit. With `prefix`, only what will still be there when
 * the last message grows. -E2BIG when the system prompt does not fit, -ENOMEM. */
int prompt_build(struct prompt *p, const struct chat_message *messages, size_t count, bool prefix,
                 struct err *e);

#endif
#endif
