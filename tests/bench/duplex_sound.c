#include "duplex_sound.h"

#include <math.h>
#include <stdlib.h>

#include "dsp/frame.h"
#include "room/room_dsp.h"
#include "room/room_wav.h"

#define ACTIVE_DB 25
#define ONSET_DB  35

static double frame_power(const float *x)
{
    double sum = 0;
    int i;

    for (i = 0; i < DSP_FRAME; i++)
        sum += (double)x[i] * (double)x[i];
    return sum / DSP_FRAME;
}

static double loudest(const float *x, size_t n)
{
    double most = 0;
    size_t at;

    for (at = 0; at + DSP_FRAME <= n; at += DSP_FRAME)
        most = fmax(most, frame_power(x + at));
    return most;
}

double sound_level_db(const float *x, size_t n)
{
    double least = loudest(x, n) * pow(10, -ACTIVE_DB / 10.0), sum = 0;
    size_t at, frames = 0;

    for (at = 0; at + DSP_FRAME <= n; at += DSP_FRAME) {
        double power = frame_power(x + at);

        if (power > least) {
            sum += power;
            frames++;
        }
    }
    return frames == 0 ? -200 : 10 * log10(sum / (double)frames);
}

static size_t find_onset(const float *x, size_t n)
{
    double least = loudest(x, n) * pow(10, -ONSET_DB / 10.0);
    size_t at = 0;

    while (at + DSP_FRAME <= n && frame_power(x + at) <= least)
        at += DSP_FRAME;
    return at;
}

int sound_load(struct sound *s, const char *file, float level_db, char *why, size_t size)
{
    int ret = room_wav_load(&s->x, &s->n, file, DSP_HZ, why, size);
    float gain;
    size_t i;

    if (ret < 0)
        return ret;
    gain = room_db(level_db - (float)sound_level_db(s->x, s->n));
    for (i = 0; i < s->n; i++)
        s->x[i] *= gain;
    s->onset = find_onset(s->x, s->n);
    return 0;
}

void sound_free(struct sound *s)
{
    free(s->x);
    s->x = NULL;
}
