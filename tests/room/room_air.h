/* room_air - the air in the virtual room: what the microphone hears, sample by sample, of the
 * speaker, the user and the noise.
 *
 *   mic[n] = sum over k of rir[k] * speaker[n - delay - k] * gain + user[n] + noise[n]
 *
 * n counts samples of the microphone since the room opened: the room's time. The speaker's samples
 * are counted by its own clock, which may drift. It knows no real time: the caller says how far the
 * room has come. One caller at a time (the caller locks). */
#ifndef ROOM_AIR_H
#define ROOM_AIR_H

#include "room_knobs.h"

#define ROOM_RING ((size_t)1 << 18) /* samples that are kept of speaker and microphone */

enum room_event {
    ROOM_SPEAKER_ON,   /* the first loud sample after 300 ms of quiet */
    ROOM_SPEAKER_OFF,  /* the first quiet sample of 300 ms of quiet */
    ROOM_USER_START,   /* detail: which user audio */
    ROOM_USER_END,     /* detail: which; at the first sample after it */
    ROOM_ECHO,         /* detail: which echo path holds from here on */
    ROOM_STREAM_START, /* the rest is the sound card's; detail: direction */
    ROOM_STREAM_STOP,
    ROOM_XRUN,
    ROOM_XRUN_FORCED,
    ROOM_LOST,
    ROOM_BACK,
    ROOM_STALL,
};

struct room_sink {
    void (*samples)(void *user, int16_t speaker, int16_t mic, int16_t said); /* each sample once */
    void (*event)(void *user, enum room_event event, uint64_t at, int detail);
    void *user;
};

struct room_air;

/* k and the sink are borrowed for as long as it lives. 0, or a negative errno with the reason. */
int room_air_new(struct room_air **out, const struct room_knobs *k, const struct room_sink *sink,
                 char *why, size_t size);

/* Samples for the speaker, the first at `at` by the speaker's clock; what is past is not heard. */
void room_air_play(struct room_air *a, uint64_t at, const int16_t *x, size_t n);
void room_air_cut(struct room_air *a, uint64_t from); /* the speaker is silent from there on */

/* The user says x[0..n) from now on, besides what the knobs make them say; borrowed until it is
 * over or replaced. n 0: falls silent. */
void room_air_say(struct room_air *a, const float *x, size_t n);

/* Lets time pass until `to` samples of the microphone are known. */
void room_air_advance(struct room_air *a, uint64_t to);
uint64_t room_air_now(const struct room_air *a);

/* What the microphone heard from `at` on; zeros for what is not known yet or no longer. */
void room_air_heard(const struct room_air *a, uint64_t at, int16_t *x, size_t n);

void room_air_free(struct room_air *a); /* NULL is fine */

#endif
