/* columns - how wide text is on a terminal, whatever the locale. UTF-8 in; a byte that is no part
 * of a valid sequence is one column wide. No state: any thread. */
#ifndef HULLO_UTIL_COLUMNS_H
#define HULLO_UTIL_COLUMNS_H

#include <stddef.h>

/* 0 for marks that combine with the character before and for what is not seen, 2 for the wide
 * characters of East Asia and emoji, else 1. After Unicode 15's general categories and East Asian
 * widths, in coarse ranges. */
int columns_of(unsigned cp);

size_t columns(const char *s, size_t n); /* of s[0..n) */

/* Bytes of the longest beginning of s[0..n) that is at most `most` columns wide; marks stay with
 * their character. */
size_t columns_within(const char *s, size_t n, size_t most);

/* ... of the longest end. */
size_t columns_end(const char *s, size_t n, size_t most);

#endif
