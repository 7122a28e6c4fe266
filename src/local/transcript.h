/* transcript - guards around a speech-to-text model, which answers with words to whatever it gets:
 * "You" to a fan, one phrase a hundred times to a long hiss. Pure; any thread. */
#ifndef HULLO_LOCAL_TRANSCRIPT_H
#define HULLO_LOCAL_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False when x (n samples, 16 kHz mono) cannot be speech: too short, digital silence, or the same
 * level throughout, as noise, hum and tones are and speech never is. */
bool transcript_possible(const int16_t *x, size_t n);

/* Tidies a transcript in place: control bytes and music signs out, white space trimmed, and a
 * phrase that the model could not stop repeating kept once. "" when no word is left. */
void transcript_tidy(char *s);

#endif
