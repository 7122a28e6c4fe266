/* scratch - a folder of its own for a test, and standard descriptors that it can point elsewhere.
 * Anything that fails here fails the test. One test at a time. */
#ifndef HULLO_TESTS_SCRATCH_H
#define HULLO_TESTS_SCRATCH_H

#include <stddef.h>

struct scratch {
    char dir[256];
    char path[512]; /* what scratch_path returned last */
};

void scratch_new(struct scratch *s);
void scratch_free(struct scratch *s); /* removes the folder and what is in it */

const char *scratch_path(struct scratch *s, const char *name); /* until the next call */
void scratch_put(struct scratch *s, const char *name, const void *bytes, size_t n);
unsigned char *scratch_get(struct scratch *s, const char *name, size_t *n); /* free() it */
size_t scratch_count(const struct scratch *s); /* entries in the folder, hidden ones too */

/* Lets `fd` (0, 1 or 2) be what `other` is (-1: closed) and closes `other`. Returns what
 * scratch_restore needs to undo it. */
int scratch_redirect(int fd, int other);
void scratch_restore(int fd, int saved);

#endif
