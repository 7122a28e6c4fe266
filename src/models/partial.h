/* partial - a file on its way, in DIR/.parts under the hash that it is to have: bytes are added at
 * its end, whichever source they come from, and it stays for the next time when they stop coming.
 */
#ifndef HULLO_MODELS_PARTIAL_H
#define HULLO_MODELS_PARTIAL_H

#include <stddef.h>

#include "models/manifest.h"

struct partial {
    char *path;
    int fd;
    uint64_t bytes; /* there are now */
};

/* Opens it, creating it when there is none; longer than the file is to be, it starts anew. */
int partial_open(struct partial *p, const struct models *m, const struct file *f, struct err *e);
int partial_add(struct partial *p, const void *data, size_t n, struct err *e);
int partial_cut(struct partial *p, uint64_t bytes, struct err *e); /* forgets what follows */
int partial_sync(struct partial *p, struct err *e); /* on disk; counts what others wrote to fd */
void partial_close(struct partial *p);

/* Writes all of it; -ENOSPC and others say what to do. */
int partial_write(int fd, const void *data, size_t n, struct err *e);

#endif
