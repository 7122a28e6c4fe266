/* stop - Ctrl-C and SIGTERM as events on the loop.
 * One per process and loop, main thread. The handler is told of each signal. */
#ifndef HULLO_UI_STOP_H
#define HULLO_UI_STOP_H

#include <uv.h>

struct stop {
    uv_signal_t interrupt, terminate;
    unsigned handles; /* how many of the two are there */
    void (*event)(void *user, int signum);
    void *user;
};

/* 0, or a negative errno; stop_close is for both. */
int stop_init(struct stop *s, uv_loop_t *loop, void (*event)(void *user, int signum), void *user);
void stop_close(struct stop *s); /* the handles close on the next run of the loop */

/* Without a loop: from here on either signal ends the process where it stands, with the same
 * status. */
void stop_at_once(void);

#endif
