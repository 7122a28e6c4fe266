/* memory - the conversation as the language model is told it: what the user said, and what the user
 * heard of the replies. A reply grows while it is generated; spans tie its text to times in its
 * speech, so that it can be cut afterwards to what was really played. Main loop only. Running out
 * of memory loses the entry, not the program (-ENOMEM). */
#ifndef HULLO_LOCAL_MEMORY_H
#define HULLO_LOCAL_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "local/engine.h"

struct memory;

int memory_new(struct memory **out, const char *instructions); /* -ENOMEM */
void memory_free(struct memory *m);                            /* NULL is fine */

int memory_user(struct memory *m, const char *text);
int memory_reply(struct memory *m, uint32_t item); /* a reply begins, empty */
int memory_reply_text(struct memory *m, uint32_t item, const char *text); /* the next piece of it */

/* The clause `text` of the reply ends end_ms into its speech. */
int memory_reply_span(struct memory *m, uint32_t item, const char *text, double end_ms);

/* Only the first played_ms of the reply's speech were heard: keeps the clauses before that and, of
 * the one that was cut, its share of words. Later text and spans of the item are ignored. A reply
 * without spans is kept whole. */
void memory_reply_cut(struct memory *m, uint32_t item, double played_ms);

/* The conversation, the system prompt first; entries without text are left out. Borrowed until the
 * next change. NULL when out of memory. */
const struct chat_message *memory_messages(struct memory *m, size_t *count);

size_t memory_mark(struct memory *m); /* a place to come back to, within the next exchange */
void memory_rollback(
    struct memory *m,
    size_t mark); /* forgets every entry made since; mark 1 keeps the prompt only */

#endif
