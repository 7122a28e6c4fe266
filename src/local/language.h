/* language - languages by the names that people and models know. No state: any thread. */
#ifndef HULLO_LOCAL_LANGUAGE_H
#define HULLO_LOCAL_LANGUAGE_H

#include <stdbool.h>

/* The English name of a language by its tag (ISO 639, BCP 47: "es", "pt-BR"), case aside, or the
 * tag itself when it is not known: who writes "Klingon" gets that. */
const char *language_name(const char *tag);

/* The tag by that name, or what was given: "Spanish" is "es". */
const char *language_tag(const char *name);

/* The same language, whatever the region: "en" is that of "en-GB". */
bool language_same(const char *a, const char *b);

#endif
