/* devices - which of a system's sound devices is meant. Pure functions over a list; any thread. */
#ifndef HULLO_AUDIO_DEVICES_H
#define HULLO_AUDIO_DEVICES_H

#include "audio/audio.h"

/* Finds the device for one direction (`capture` or else playback). `name` is its name or part of
 * it, ASCII case ignored; a whole name beats a part. NULL is the default, or the only one there is
 * when the system names none. Of devices with the same name, which host interfaces share, the first
 * is taken. When several names match, or none, the message lists them. 0 and *index; -ENODEV,
 * -ENOENT, -ENOTUNIQ (STATUS_AUDIO). */
int devices_choose(size_t *index, const struct audio_device *list, size_t n, const char *name,
                   bool capture, struct err *e);

/* Sets headset_without_microphone by what is known of names: a device for playback only that is
 * called like a Bluetooth headset, when no device of that name can capture. */
void devices_mark_headsets(struct audio_device *list, size_t n);

#endif
