/* spool - the user's audio that is not answered yet: what a new connection is given again.
 * A sequence of samples that grows at its end and is dropped at its beginning; positions count
 * from the first sample ever added. It stays in memory up to a bound; beyond, the newest goes to a
 * file without a name in $TMPDIR, which dies with the process. Beyond the bound of the file (about
 * two hours) its oldest audio is dropped. Main loop only; writing goes to the system's page cache.
 */
#ifndef HULLO_REALTIME_SPOOL_H
#define HULLO_REALTIME_SPOOL_H

#include <stddef.h>
#include <stdint.h>

struct spool;

struct spool_config {
    size_t memory; /* samples that stay in memory; 0: 2^21 (131 s) */
    size_t most;   /* samples in all; 0: 2 h */
};

int spool_new(struct spool **out, const struct spool_config *config); /* NULL: defaults; -ENOMEM */
void spool_free(struct spool *s);                                     /* NULL is fine */

/* 0, or a negative errno (-ENOMEM, -ENOSPC, -EFBIG ...; -EINVAL: more than `most` at once): x was
 * not taken. */
int spool_add(struct spool *s, const int16_t *x, size_t n);

uint64_t spool_begin(const struct spool *s); /* the oldest sample that is there */
uint64_t spool_end(const struct spool *s);   /* behind the newest */

/* Copies from `at` on; returns the samples, fewer than n at the end, 0 where nothing is kept (also
 * before spool_begin). What the disk does not give back is silence. */
size_t spool_read(const struct spool *s, uint64_t at, int16_t *x, size_t n);

void spool_drop(struct spool *s, uint64_t before); /* what is older than `before` */

#endif
