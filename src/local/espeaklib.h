/* espeaklib - libespeak-ng, which is one for the whole process and not thread safe, behind a lock.
 * Its users (the phonemes of the Piper voice, the espeak voice) may live on threads of their own.
 * Texts are speakable (speakable.h) UTF-8. */
#ifndef HULLO_LOCAL_ESPEAKLIB_H
#define HULLO_LOCAL_ESPEAKLIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

/* Starts the library, once; call it as often as you like, and before all else. It stays until the
 * process ends: libespeak-ng 1.51 hangs when it is ended, started and ended again. -ENOENT when
 * espeak-ng's data is not installed. */
int espeaklib_open(struct err *e);

/* Whether there is a voice for a language, as in "es" or "pt-BR". Once it was opened. */
bool espeaklib_speaks(const char *language);

/* Appends the phonemes of text, American English, to *out: IPA as UTF-8, with the marks that are
 * pauses (. ! ? , ; :), which espeak-ng leaves out, put back in. */
void espeaklib_phonemes(struct buf *out, const char *text);

/* Speaks text in a language (NULL: American English): fn gets the samples piece by piece, with the
 * lock held, and returns other than 0 to stop. *rate_hz is set first. 0, or -EIO when espeak-ng
 * failed. */
typedef int espeaklib_audio(void *user, const int16_t *x, size_t n);
int espeaklib_speak(const char *language, const char *text, int *rate_hz, espeaklib_audio *fn,
                    void *user);

#endif
