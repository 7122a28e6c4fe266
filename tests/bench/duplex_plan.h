/* duplex_plan - what happens in one room of the benchmark: a file of key=value lines. Those of
 * tests/room/README.md describe the room, at 16 kHz; an echo's gain comes on top of echo_db. More:
 *
 *   user_db=-30            active level of the user at the microphone, dB of full scale
 *   echo_db=6              active level of the echo there, against the user's
 *   assistant=FILE         what is played; repeatable, again from the start after the last one
 *   alone_s=180            first, playback with nobody speaking
 *   trial=CLASS MS DB FILE then: after MS of undisturbed playback, FILE sounds at the microphone at
 *                          the user's level and DB; repeatable
 *   system_ms=25           from a decision to what it does at the loudspeaker, without its fade */
#ifndef DUPLEX_PLAN_H
#define DUPLEX_PLAN_H

#include <stddef.h>

#include "duplex_sound.h"
#include "room/room_knobs.h"

#define PLAN_CLIPS  400
#define PLAN_TRIALS 1000

struct trial {
    char class[32];
    int wait_ms;
    struct sound sound;
};

struct plan {
    struct room_knobs knobs;
    float user_db, echo_db;
    int alone_s, system_ms;
    struct sound clips[PLAN_CLIPS];
    size_t clip_count;
    struct trial trials[PLAN_TRIALS];
    size_t trial_count;
};

/* 0, or a negative errno with the reason. */
int plan_load(struct plan *p, const char *file, char *why, size_t size);
void plan_free(struct plan *p);

#endif
