/* link_parts - the connections of a link, between link.c and link_lines.c. */
#ifndef HULLO_REALTIME_LINK_PARTS_H
#define HULLO_REALTIME_LINK_PARTS_H

#include "realtime/link.h"
#include "realtime/places.h"

enum { LINK_ATTEMPTS = 6 }; /* at once: enough for those that hang to be spread over their 5 s */

enum role { ATTEMPT, IN_USE, SECOND, LEAVING };

/* One connection. It is in the list of its link until its transport is freed. */
struct line {
    struct link *l;
    struct line *older, *newer;
    struct transport *t;
    enum role role;
    bool open;
    size_t place;
    double since; /* begun, open, or leaving */
};

struct link {
    struct link_config config;
    uv_timer_t timer;
    struct places *places;
    struct line *newest, *oldest;
    struct line *in_use, *second; /* NULL: none; also in the list */
    bool good;                    /* the connection in use did its work */
    size_t opened;                /* connections since the last one that did */
    bool attending, renewing, closing, dead;
    bool failed; /* the connection in use was given up by link_fail, which is to be told: */
    size_t failed_at;
    bool failed_worked;
    struct err failure;
    struct err *told; /* for each place: what was told last while there is no connection */
};

static inline double link_now_ms(const struct link *l)
{
    return (double)uv_now(l->config.loop);
}

struct line *link_add(struct link *l, size_t place, enum role role); /* NULL: out of memory */
void link_drop(struct line *line); /* at once; the transport is freed */

/* The server is told; nothing that comes from it matters any more. One that is not open is dropped.
 */
void link_leave(struct line *line);

size_t link_attempts(const struct link *l);
void link_drop_attempts(struct link *l, const size_t *place); /* NULL: to all places */

/* Drops an attempt where there are LINK_ATTEMPTS. The oldest one stays, and of the others the ages
 * grow by about the same factor: whether a place takes 300 ms to answer or 4 s, one of them will
 * live to see it. */
void link_thin_attempts(struct link *l);

#endif
