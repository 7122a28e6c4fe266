/* duplex_player - the assistant's side of a benchmark: replies without end, made of recordings, and
 * a loudspeaker that obeys barge-in as audio/duplex.h does. Time is samples of the loudspeaker. */
#ifndef DUPLEX_PLAYER_H
#define DUPLEX_PLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "dsp/barge.h"
#include "duplex_sound.h"

struct player {
    const struct sound *clips;
    size_t count;
    size_t which, at; /* where in the recordings it is */
    bool talking;     /* a reply is being played, or held */
    bool ending;      /* it fades out for good */
    enum barge_state state;
    float gain;
    uint64_t made;                  /* samples so far */
    uint64_t silent_at, resumed_at; /* the latest */
};

void player_init(struct player *p, const struct sound *clips, size_t count);
void player_begin(struct player *p); /* a reply, where the one before stopped */
void player_end(struct player *p);   /* the reply is over after the fade */
void player_obey(struct player *p, enum barge_state state);
void player_fill(struct player *p, int16_t *x, size_t n); /* what is played next */

#endif
