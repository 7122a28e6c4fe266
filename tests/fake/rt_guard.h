/* rt_guard - catches what a realtime callback may not do: allocate, lock, or enter the kernel.
 * A test that uses it gets malloc and its kin, the locks, and the calls of the C library that block
 * replaced by ones that note being called while the guard is up; on Linux for x86-64 the kernel
 * reports every system call as well, whoever makes it. Waking a waiter (futex wake, which is what
 * sem_post does) is allowed. One thread at a time. */
#ifndef HULLO_FAKE_RT_GUARD_H
#define HULLO_FAKE_RT_GUARD_H

#include <stdbool.h>

bool rt_guard_works(void); /* not with sanitizers, which replace the same functions */
bool rt_guard_sees_system_calls(void);

void rt_guard_up(void); /* the calling thread is realtime from here on */

/* ... to here. The first forbidden call since rt_guard_up, or NULL. */
const char *rt_guard_down(void);

/* For tests of what happens without memory, where rt_guard_works: the calling thread's allocation
 * after n more fails, once (n < 0: none does); and how many blocks the thread has allocated so far
 * and not freed. */
void rt_guard_starve(int n);
long rt_guard_held(void);

#endif
