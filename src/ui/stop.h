/* stop - Ctrl-C and SIGTERM as events on the loop.
 * One per process and loop, main thread. The handler is told of each signal, one after the other.
 * A loop that does not take a signal within two seconds hangs in something that nobody stops, such
 * as a write to a pipe that is not read: then the process ends there and then, with the status that
 * the shell knows (128 and the signal). */
#ifndef HULLO_UI_STOP_H
#define HULLO_UI_STOP_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <uv.h>

struct stop {
    uv_async_t taken; /* wakes the loop */
    void (*event)(void *user, int signum);
    void *user;
    int pipe[2];        /* from the handlers to the watcher; -1: not there */
    pthread_t watcher;  /* waits for the loop to answer */
    atomic_int waiting; /* the signal that the loop has yet to take, or 0 */
    atomic_bool ending;
    bool woken;      /* `taken` is there */
    bool watched;    /* the watcher runs */
    unsigned caught; /* of the two signals, how many have our handler */
    struct sigaction before[2];
};

/* 0, or a negative errno; stop_close is for both. */
int stop_init(struct stop *s, uv_loop_t *loop, void (*event)(void *user, int signum), void *user);
void stop_close(struct stop *s); /* the handle closes on the next run of the loop */

#endif
