/* places - the endpoints of a link: which one is tried next, and when. Pure: the caller has the
 * clock, in milliseconds of any origin, and the connections. One owner.
 *
 * After a connection that did its work the first attempt is at once, at the same place; the others
 * follow in order, at once in the first round, then as backoff.h says. An attempt that hangs does
 * not hold up the next one: it is raced after twice the time that the place took to answer last
 * time (250 ms to 1 s; 1 s where that is not known). */
#ifndef HULLO_REALTIME_PLACES_H
#define HULLO_REALTIME_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ws.h"

struct places;

int places_new(struct places **out, size_t count, uint64_t seed); /* -ENOMEM, -EINVAL: none */
void places_free(struct places *p);                               /* NULL is fine */

/* Where the next attempt goes, and when (it may be in the past); -1: no place is left. in_flight:
 * an earlier one has not ended yet. */
double places_next(const struct places *p, double now, bool in_flight, size_t *place);

void places_begun(struct places *p, size_t place, double now);
void places_opened(struct places *p, size_t place, double took_ms);

/* An attempt failed, or a connection that had not done its work yet; how->error may be NULL. A
 * refusal that will not change takes the place out (the third one in a row, with seconds between
 * them, where the place has served before), as does a server that ends three connections in a row
 * by a code that says so, as soon as they are there. */
void places_failed(struct places *p, size_t place, double now, const struct ws_closed *how);
void places_lost(struct places *p, size_t place, double now); /* one that had done its work */

void places_bar(struct places *p, size_t place, double until); /* not before that time */
void places_remove(struct places *p, size_t place);
bool places_out(const struct places *p, size_t place);

void places_hurry(struct places *p, double now); /* the next attempt need not wait for the backoff,
                                                    only for what servers told */

#endif
