/* memory - the conversation as the language model is told it: what the user said, and what the user
 * heard of the replies. A reply grows while it is generated; its clauses tie its text to times in
 * its speech, so that it can be cut afterwards to what was really played. Main loop only. Running
 * out of memory loses the entry, not the program (-ENOMEM). */
#ifndef HULLO_LOCAL_MEMORY_H
#define HULLO_LOCAL_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "local/engine.h"

struct memory;

int memory_new(struct memory **out, const char *instructions); /* -ENOMEM */
void memory_free(struct memory *m);                            /* NULL is fine */

int memory_user(struct memory *m, const char *text);
int memory_reply_begin(struct memory *m, uint32_t item);                  /* empty */
int memory_reply_text(struct memory *m, uint32_t item, const char *text); /* the next piece of it */

/* The reply's clauses go to the voice one after the other, each known by an `id` of the caller's;
 * how long one takes is known once it was spoken: it ends end_ms into the reply's speech. Of the
 * one being spoken there are speech_ms so far, counted likewise. */
int memory_reply_clause(struct memory *m, uint32_t item, uint32_t id, const char *text);
void memory_reply_speech(struct memory *m, uint32_t item, double speech_ms);
void memory_reply_spoken(struct memory *m, uint32_t item, uint32_t id, double end_ms);

/* Only the first played_ms of the reply's speech were heard: keeps the clauses before that and, of
 * the one that was cut, its share of words; speech is taken to be even within a clause. A clause
 * that was not spoken to its end yet is taken to last as long as the voice's clauses so far tell.
 * Later text and clauses of the item are ignored, and so is a second cut. */
void memory_reply_cut(struct memory *m, uint32_t item, double played_ms);

/* What is remembered of a reply, borrowed until the next change; NULL when there is no such one. */
const char *memory_reply(struct memory *m, uint32_t item);

/* The conversation, the system prompt first; entries without text are left out, and what the user
 * said twice in a row is one message. Borrowed until the next change. NULL when out of memory. */
const struct chat_message *memory_messages(struct memory *m, size_t *count);

size_t memory_mark(struct memory *m); /* a place to come back to, within the next exchange */
void memory_rollback(
    struct memory *m,
    size_t mark); /* forgets every entry made since; mark 1 keeps the prompt only */

#endif
