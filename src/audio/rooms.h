/* rooms - what was learnt about a pair of devices, kept in a folder from one run to the next: one
 * JSON file for each pair, written atomically. A file that is missing, damaged or of other devices
 * is as if there were none. Any thread; does I/O, so not the callback's. */
#ifndef HULLO_AUDIO_ROOMS_H
#define HULLO_AUDIO_ROOMS_H

#include "dsp/nearend.h"
#include "util/err.h"

/* 0, -ENOENT: nothing is known (or it is not to be trusted), -ENOMEM. */
int rooms_load(struct nearend_memory *out, const char *folder, const char *input,
               const char *output);

/* Makes the folder where there is none. 0 or a negative errno with a message. */
int rooms_save(const struct nearend_memory *m, const char *folder, const char *input,
               const char *output, struct err *e);

#endif
