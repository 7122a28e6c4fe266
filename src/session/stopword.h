/* stopword - whether something short that was said over a reply means "stop": a word or a few that
 * tell somebody to be silent, such as "stop", "wait a moment", "no no". English. Pure. */
#ifndef HULLO_SESSION_STOPWORD_H
#define HULLO_SESSION_STOPWORD_H

#include <stdbool.h>

bool stopword(const char *text); /* as speech-to-text writes it: case and marks do not matter */

#endif
