/* patience - included before every C file of ggml (deps.sh does that).
 * ggml's threads wait for one another by spinning on _mm_pause. When another engine or program has the
 * core of the one that is waited for, each wait lasts a time slice, hundreds of times a token: with two
 * threads on two busy cores a token took 1,612 ms, and 182 ms with this file (medians of 8 tokens, three
 * runs each, one after the other on the same machine). After some spins the core is given away. */
#ifndef HULLO_DEPS_PATIENCE_H
#define HULLO_DEPS_PATIENCE_H

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#include <sched.h>

static inline void hullo_patience(void)
{
    static _Thread_local unsigned spins;

    _mm_pause();
    if (++spins % 512 == 0)
        sched_yield();
}
#define _mm_pause hullo_patience
#endif

#endif
