/* fake_clock - a monotonic clock that stands still until the test moves it: what takes a minute of
 * timers takes no time. For loops that wait for timers alone (a scripted transport), not for
 * sockets or threads. One test at a time. */
#ifndef HULLO_FAKE_CLOCK_H
#define HULLO_FAKE_CLOCK_H

#include <stdbool.h>
#include <uv.h>

bool fake_clock_works(void); /* else the test has to be skipped */
void fake_clock_start(void); /* stands still from now on */
void fake_clock_stop(void);  /* the true time again */

/* Runs the loop for that many milliseconds of its time, and all that is due at the end of them. */
void fake_clock_run(uv_loop_t *loop, double ms);

#endif
