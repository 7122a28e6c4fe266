/* text - UTF-8 text from strangers, made safe.
 * Everything that a model, a server or a file says passes through here before it reaches a
 * terminal. */
#ifndef HULLO_UTIL_TEXT_H
#define HULLO_UTIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Strips, in place, what must not reach a terminal: C0 controls except newline and tab, DEL, C1
 * controls (also their two-byte UTF-8 form), the marks that turn the direction of writing around
 * (with them a line shows what it does not say), and bytes that are not valid UTF-8 (each becomes
 * '?'). Returns the new length. */
size_t text_clean(char *s);

/* As text_clean, and makes it one line: newlines and tabs become spaces. For what is printed on a
 * line of its own, so that nobody else's text passes for another line of ours. */
size_t text_line(char *s);

/* Bytes of the UTF-8 sequence that starts at s[0] (1 to 4), or 0 when s[0..n) does not start with a
 * valid one. Writes the code point to *cp unless cp is NULL. Overlong forms and surrogates are not
 * valid. */
size_t text_utf8(const char *s, size_t n, unsigned *cp);

/* Length of the longest prefix of s[0..n) that does not cut a UTF-8 sequence in two. For text that
 * arrives in pieces. */
size_t text_utf8_whole(const char *s, size_t n);

/* Replaces each `secret` (of 6 bytes and more) in s by three stars. */
void text_redact(char *s, const char *secret);

/* True when s holds nothing but white space (or is empty). */
bool text_blank(const char *s);

#endif
