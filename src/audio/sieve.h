/* sieve - looks at what libraries print to the C library's `stderr`, thread by thread.
 *
 * Descriptor 2 belongs to the whole process: who points it elsewhere takes the screen from
 * everybody. `stderr` is a pointer, and a stream of ours in its place knows which thread prints. It
 * is put there by the first watch and stays until the end of the process, since other threads may
 * be about to print to it; what no watch takes goes where it always went. Descriptor 2 is
 * untouched, and so is a FILE pointer that was taken from `stderr` before. Any thread.
 *
 * Where the C library is not glibc there is no sieve: watches see nothing. */
#ifndef HULLO_AUDIO_SIEVE_H
#define HULLO_AUDIO_SIEVE_H

#include <stdbool.h>
#include <stddef.h>

enum sieve_verdict {
    SIEVE_PASS,
    SIEVE_TAKEN,
    SIEVE_END, /* taken, and the thread that prints it is ended as if it was cancelled */
};

struct sieve_watch {
    /* What one call printed, seldom a part of it. On the thread that prints; not reentered. */
    enum sieve_verdict (*look)(void *user, const char *text, size_t n);
    void *user;
    struct sieve_watch *next;
};

/* The latest watch looks first. False where there is no sieve. */
bool sieve_add(struct sieve_watch *w);
void sieve_remove(struct sieve_watch *w); /* nobody is inside its look any more */

#endif
