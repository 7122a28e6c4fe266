/* room_wav - reads what a user says in the virtual room. */
#ifndef ROOM_WAV_H
#define ROOM_WAV_H

#include <stddef.h>

/* The first channel of a 16-bit WAV file at rate_hz, full scale +-1. *x is NULL after an error.
 * 0, or a negative errno with the reason. */
int room_wav_load(float **x, size_t *n, const char *file, int rate_hz, char *why, size_t size);

#endif
