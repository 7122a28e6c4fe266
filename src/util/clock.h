/* clock - monotonic time. Realtime safe (a vDSO call, no system call, on the platforms we know). */
#ifndef HULLO_UTIL_CLOCK_H
#define HULLO_UTIL_CLOCK_H

#include <stdint.h>

int64_t clock_ns(void);            /* CLOCK_MONOTONIC in nanoseconds */
double clock_ms_since(int64_t ns); /* milliseconds from `ns` to now */

#endif
