/* clause - cuts a reply that is still being written into pieces for the voice.
 * The first clause comes as soon as it can be said (at a mark, or after three words or so), so that
 * speech starts early; later ones end where a speaker would pause. Numbers (3.5), times,
 * abbreviations (Dr., e.g.) and list numbers are not cut. One owner; any thread. */
#ifndef HULLO_LOCAL_CLAUSE_H
#define HULLO_LOCAL_CLAUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

struct clause {
    struct buf text; /* of the reply, not yet cut */
    size_t taken;    /* bytes of the reply that were cut off so far */
    bool fenced;     /* inside a block of code, which nobody wants to hear */
    bool started;    /* the early clause is out (set it at first for even pieces) */
};

#define CLAUSE_INIT      \
    {                    \
        .text = BUF_INIT \
    }

void clause_add(struct clause *c, const char *piece);

/* Cuts the next clause off and puts it, made speakable (speakable.h), in place of what *out holds.
 * ended: no more text will be added. True when there is one; false when more text is needed, or,
 * once ended, when everything was cut. Then c->taken bytes of the reply are what has been given to
 * the voice up to the end of this clause. Out of memory: buf_failed(&c->text) or buf_failed(out).
 */
bool clause_next(struct clause *c, bool ended, struct buf *out);

/* True when the mark at s[i] (one of . ! ? , ; :) is a pause, and not part of a number, a time or
 * an abbreviation. s is all there is. */
bool clause_pause(const char *s, size_t i);

void clause_free(struct clause *c); /* leaves *c as after CLAUSE_INIT */

#endif
