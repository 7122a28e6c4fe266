#include "duplex_player.h"

#include <math.h>
#include <string.h>

#include "dsp/frame.h"

#define GAP   (DSP_HZ / 4)        /* between two recordings */
#define FADE  (DSP_HZ * 4 / 1000) /* samples, full to silent */
#define DUCK  0.12589254f         /* -18 dB */
#define LIMIT (32767.0f / 32768.0f)

void player_init(struct player *p, const struct sound *clips, size_t count)
{
    memset(p, 0, sizeof *p);
    p->clips = clips;
    p->count = count;
    p->gain = 1;
}

void player_begin(struct player *p)
{
    p->talking = true;
    p->ending = false;
    p->state = BARGE_PLAY;
    p->gain = 1;
}

void player_end(struct player *p)
{
    p->ending = p->talking;
}

void player_obey(struct player *p, enum barge_state state)
{
    p->state = state;
    if (state == BARGE_STOP)
        player_end(p);
}

static float next_sample(struct player *p)
{
    const struct sound *s = &p->clips[p->which];
    float x = p->at < s->n ? s->x[p->at] : 0;

    if (++p->at >= s->n + GAP) {
        p->at = 0;
        p->which = (p->which + 1) % p->count;
    }
    return x > LIMIT ? LIMIT : x < -1 ? -1 : x;
}

/* Moves the gain towards what the state asks for. */
static void fade(struct player *p, uint64_t at)
{
    float to = p->ending || p->state == BARGE_HOLD ? 0 : p->state == BARGE_DUCK ? DUCK : 1;
    float before = p->gain;

    if (before < to)
        p->gain = fminf(to, before + 1.0f / FADE);
    else
        p->gain = fmaxf(to, before - 1.0f / FADE);
    if (p->gain <= 0 && before > 0)
        p->silent_at = at;
    if (p->gain > 0 && before <= 0)
        p->resumed_at = at;
}

void player_fill(struct player *p, int16_t *x, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++, p->made++) {
        x[i] = 0;
        if (!p->talking)
            continue;
        fade(p, p->made);
        if (p->gain > 0)
            x[i] = (int16_t)lrintf(next_sample(p) * p->gain * 32768);
        else if (p->ending)
            p->talking = p->ending = false;
    }
}
