/* interrupt - SIGINT and SIGTERM as a flag, for work that blocks and looks at one. While it is on,
 * the signals end nothing by themselves. Begin it before other threads start: they inherit that the
 * signals are blocked. */
#ifndef HULLO_CMD_INTERRUPT_H
#define HULLO_CMD_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct interrupt {
    atomic_int signal; /* the first one that came, or 0 */
    atomic_bool ending;
    pthread_t thread;
    sigset_t before;
};

int interrupt_begin(struct interrupt *i); /* 0 or a negative errno */
void interrupt_end(struct interrupt *i);  /* signals do again what they did before */

#endif
