#include "fake/signals.h"

int signal_noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (int)(*state >> 16) - 32768;
}

static int triangle(uint32_t phase)
{
    int p = (int)(phase >> 16);
    return p < 32768 ? p - 16384 : 49152 - p;
}

void signal_chirp(int16_t *x, size_t n)
{
    uint32_t noise = 1, phase = 0, step = 26843546;

    for (size_t i = 0; i < n; i++) {
        phase += step;
        step += 20000;
        int loud = (int)(i >> 12 & 3);
        x[i] = (int16_t)((triangle(phase) >> 2) + ((signal_noise(&noise) * loud) >> 4));
    }
}

static int64_t clip(int64_t x)
{
    return x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x;
}

/* One sample through three resonances, on their way from one vowel to the next. */
static int64_t resonate(int64_t x, int64_t past[3][2], size_t syllable, int within)
{
    static const int vowels[4][3] = {
        {31063, 29289, 18295}, {32202, 20030, 12060}, {31576, 30458, 18600}, {31685, 24149, 17884}};
    static const int damping[3] = {-16002, -15815, -15447}, softer[3] = {3, 2, 2};
    const int *vowel = vowels[syllable % 4], *following = vowels[(syllable + 1) % 4];

    for (int k = 0; k < 3; k++) {
        int tune = vowel[k] + (((following[k] - vowel[k]) * within) >> 12);
        int64_t y = x + ((tune * past[k][0] + damping[k] * past[k][1]) >> 14);
        past[k][1] = past[k][0];
        past[k][0] = y;
        x = y >> softer[k];
    }
    return x;
}

void signal_buzz(int16_t *x, size_t n)
{
    uint32_t noise = 7;
    int wait = 0, pulse = 0;
    int64_t past[3][2] = {{0}};

    for (size_t i = 0; i < n; i++) {
        size_t syllable = i / 3000;
        int within = (int)(i % 3000), breath = signal_noise(&noise) >> 13;
        if (--wait <= 0 && within < 1800 && syllable % 5 != 4) {
            wait = 120 + (within >> 7) + (int)(syllable * 7 % 20);
            pulse += 4000;
        }
        pulse -= pulse >> 4;
        x[i] = (int16_t)clip(resonate(breath + pulse, past, syllable, within));
    }
}

void signal_extremes(int16_t *x, size_t n)
{
    uint32_t noise = 99;

    for (size_t i = 0; i < n; i++) {
        size_t part = i * 4 / n;
        int white = part == 2 ? signal_noise(&noise) : 0;
        int square = (i / 50) % 2 ? INT16_MAX : INT16_MIN;
        int click = i % 8000 == 0 ? INT16_MAX : 0;
        x[i] = (int16_t)(part == 0 ? 0 : part == 1 ? square : part == 2 ? white : click);
    }
}

uint32_t signal_checksum(const int16_t *x, size_t n)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < n; i++) {
        h = (h ^ ((uint32_t)x[i] & 0xff)) * 16777619u;
        h = (h ^ ((uint32_t)x[i] >> 8 & 0xff)) * 16777619u;
    }
    return h;
}
