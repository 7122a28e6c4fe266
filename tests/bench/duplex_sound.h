/* duplex_sound - a recording that a benchmark plays or says, at a level that is known.
 *
 * Active level: the mean power of the frames of 10 ms that are within 25 dB of the loudest one, so
 * that pauses do not count. The sound begins at the first frame within 35 dB of the loudest one. */
#ifndef DUPLEX_SOUND_H
#define DUPLEX_SOUND_H

#include <stddef.h>

struct sound {
    float *x; /* full scale +-1 */
    size_t n;
    size_t onset; /* the first sample of its sound */
};

/* Reads a WAV file at 16 kHz and sets its active level, dB of full scale. 0, or a negative errno
 * with the reason. */
int sound_load(struct sound *s, const char *file, float level_db, char *why, size_t size);

double sound_level_db(const float *x, size_t n); /* active; -200 for silence */
void sound_free(struct sound *s);

#endif
