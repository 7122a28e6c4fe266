/* held - events of a turn that wait until the turn is confirmed, with copies of what they point to.
 * In the order in which they came. Main loop only. */
#ifndef HULLO_LOCAL_HELD_H
#define HULLO_LOCAL_HELD_H

#include "backend/backend.h"

struct held {
    struct held *next;
    struct backend_event ev; /* points into this */
    char *text;
    int16_t samples[];
};

struct held_list {
    struct held *first, **last;
};

void held_init(struct held_list *l);
int held_add(struct held_list *l, const struct backend_event *ev); /* 0, -ENOMEM */
struct held *held_take(struct held_list *l); /* the oldest, now the caller's; NULL: there is none */
void held_free(struct held *h);
void held_drop(struct held_list *l); /* all of them */

#endif
