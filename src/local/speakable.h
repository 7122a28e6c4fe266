/* speakable - text as a voice should get it: what is meant for eyes only is taken out.
 * Markdown, link targets, code fences, emoji and the like go; signs that have a name and that
 * voices get wrong are written as words. What was speakable stays as it was. Pure; any thread. */
#ifndef HULLO_LOCAL_SPEAKABLE_H
#define HULLO_LOCAL_SPEAKABLE_H

#include "util/buf.h"

/* Appends the speakable form of s to *out, without white space around it. Nothing is added when
 * nothing in s can be spoken. Any bytes will do: what is not UTF-8 is dropped. */
void speakable_add(struct buf *out, const char *s);

#endif
