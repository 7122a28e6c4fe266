/* journal - the conversation so far in words, as a new session is told it: what the user said, and
 * of the replies what was heard. Pure; bounded: of a long conversation the newest 64 KiB. */
#ifndef HULLO_REALTIME_JOURNAL_H
#define HULLO_REALTIME_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

enum journal_role { JOURNAL_USER, JOURNAL_ASSISTANT };

struct journal_entry {
    enum journal_role role;
    uint32_t id;      /* the turn's or the reply's, as its owner counts them */
    const char *text; /* NULL: a turn of the user's whose words are not known (yet) */
};

int journal_new(struct journal **out); /* -ENOMEM */
void journal_free(struct journal *j);  /* NULL is fine */

/* A turn or a reply, at the end. text may be NULL. 0, -ENOMEM. */
int journal_add(struct journal *j, enum journal_role role, uint32_t id, const char *text);

/* More of an entry's text, or all of it anew. An entry that is not there any more: nothing. */
int journal_append(struct journal *j, enum journal_role role, uint32_t id, const char *text);
int journal_set(struct journal *j, enum journal_role role, uint32_t id, const char *text);
const char *journal_text(const struct journal *j, enum journal_role role, uint32_t id); /* NULL */
void journal_remove(struct journal *j, enum journal_role role, uint32_t id);

/* The entries in order; i from 0. False: there are no more. Borrowed until the next change. */
bool journal_entry(const struct journal *j, size_t i, struct journal_entry *out);
void journal_clear(struct journal *j);

/* How much of a reply's text was heard: of text, whose speech lasts made_ms as far as it was made
 * (complete: all of it was), played_ms. In bytes, at the end of a word, never more than text. While
 * not all of the speech is there, text may be ahead of it: then ms_per_char, as learnt from whole
 * replies (0: 65), tells how far. */
size_t journal_heard(const char *text, double made_ms, bool complete, double played_ms,
                     double ms_per_char);

#endif
