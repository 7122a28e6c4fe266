/* fit - what of a conversation fits a language model, and how much of it the model has read
 * already. Pure; any thread. */
#ifndef HULLO_LOCAL_FIT_H
#define HULLO_LOCAL_FIT_H

#include <stddef.h>
#include <stdint.h>

#include "local/engine.h"

/* Index of the first message to keep behind the system prompt (the CHAT_SYSTEM messages at the
 * beginning, which always stay) so that all costs at most `room`. cost[i] is what messages[i]
 * takes. Whole exchanges are dropped, the oldest first, always leaving the last user message.
 * Dropping makes the model read what is left anew, so that it is done seldom: down to half of the
 * room. `before` is the answer for the turn before (0: none), which is kept to as long as it fits.
 * What is returned may still cost more than room: then one exchange alone is too much. */
size_t fit_start(const struct chat_message *messages, const size_t *cost, size_t count, size_t room,
                 size_t before);

/* How to get from a memory that holds old[0..m) to want[0..n) by reading as little as possible. */
struct fit_plan {
    size_t keep;  /* the first `keep` stay */
    size_t gap;   /* then `gap` are removed */
    size_t moved; /* and the `moved` behind those close up; after them all else is removed */
};

/* Nothing is moved for less than `least` tokens (SIZE_MAX: never). At least one token of want is
 * left to read, for only reading gives a next token. */
struct fit_plan fit_plan(const int32_t *old, size_t m, const int32_t *want, size_t n, size_t least);

#endif
