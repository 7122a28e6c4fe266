/* patience - how long an endpoint that cannot be reached is waited for. Where somebody talks and
 * the conversation has begun, that is for ever: nothing is lost, and they may leave. Who waits for
 * a recording, or for the very first connection, wants to be told. Main loop only. */
#ifndef HULLO_CMD_PATIENCE_H
#define HULLO_CMD_PATIENCE_H

#include <stdbool.h>
#include <uv.h>

#include "session/session.h"
#include "util/err.h"

struct patience {
    uv_timer_t timer;
    bool open, reached;                              /* reached: the session was ready once */
    unsigned first_s;                                /* until it is; 0 here and below: for ever */
    unsigned again_s;                                /* for a connection that was lost */
    unsigned waits_s;                                /* now */
    struct err why;                                  /* it cannot be reached */
    void (*over)(void *user, const struct err *why); /* .status: what to end with */
    void *user;
};

/* The lengths, over and user are set. 0, or a negative errno and *e. */
int patience_open(struct patience *p, uv_loop_t *loop, struct err *e);

void patience_event(struct patience *p,
                    const struct session_event *ev); /* any; most mean nothing */

void patience_close(struct patience *p); /* the timer closes when the loop runs next */

#endif
