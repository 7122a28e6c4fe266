/* duplex_tape - a scene that duplex_run --record has written, for many front ends to hear:
 * PREFIX.far, .mic and .said (duplex_scene.h), and .trials, a line for each time that somebody
 * speaks: its first sample, and the last one. */
#ifndef DUPLEX_TAPE_H
#define DUPLEX_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAPE_TRIALS 256

struct tape {
    int16_t *far, *mic, *said;
    size_t far_n, n; /* samples; n: of the microphone and of the user, whole frames */
    struct {
        size_t from, to;
    } trials[TAPE_TRIALS];
    size_t trial_count;
};

int tape_load(struct tape *t, const char *prefix); /* 0 or a negative errno */

/* n samples of PREFIX and suffix, what is missing is 0; NULL without the file or the memory. */
int16_t *tape_part(const char *prefix, const char *suffix, size_t n);

bool tape_speaks(const struct tape *t, size_t at); /* somebody does, or did a second ago */
void tape_free(struct tape *t);

#endif
