/* buf - a growable byte string, always NUL-terminated once something was added.
 * Errors are sticky: after a failed allocation every call is a no-op and buf_failed says so, so
 * that a caller checks once, at the end. One owner; not for sharing between threads. */
#ifndef HULLO_UTIL_BUF_H
#define HULLO_UTIL_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* never NULL for readers that use buf_str */
    size_t len, cap;
    bool failed;
};

#define BUF_INIT \
    {            \
        0        \
    }

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *buf_str(const struct buf *b); /* "" when empty; borrowed, valid until the next change */
bool buf_failed(const struct buf *b);
void buf_drop(struct buf *b, size_t n); /* removes the first n bytes (at most all) */
void buf_clear(struct buf *b);          /* empties, keeps the memory and clears the failure */
void buf_free(struct buf *b);           /* frees the memory and leaves *b empty */

#endif
