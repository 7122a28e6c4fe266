/* room_dsp - the acoustics of the virtual room: pure functions on samples, no clock and no I/O.
 * Signals are float, full scale +-1 unless said otherwise. Not thread safe: one caller at a time.
 */
#ifndef ROOM_DSP_H
#define ROOM_DSP_H

#include <stddef.h>
#include <stdint.h>

/* Numbers from a seed, the same on every machine (splitmix64). */
struct room_rng {
    uint64_t state;
    float spare; /* room_rng_gauss makes them in pairs */
    int has_spare;
};
void room_rng_init(struct room_rng *r, uint64_t seed);
float room_rng_uniform(struct room_rng *r); /* -1..1 */
float room_rng_gauss(struct room_rng *r);   /* mean 0, variance 1 */

/* A room impulse response of n samples: the direct sound at 0, some early reflections, and noise
 * that decays by 60 dB within t60_ms. Its energy is 1, so that a gain set on it is the ratio of
 * echo to speaker for a white signal. t60_ms 0: one sample of 1. *h is NULL after an error.
 * 0, -EINVAL, -ENOMEM. */
int room_rir_new(float **h, size_t *n, int rate_hz, int t60_ms, uint64_t seed);

/* Convolution with a long response, at the price of a short one: blocks of ROOM_BLOCK samples, each
 * partition of the response multiplied in the frequency domain (uniformly partitioned
 * overlap-save); the first partition is convolved directly, so there is no latency. */
#define ROOM_BLOCK 256
struct room_path;                                                    /* a response, transformed */
int room_path_new(struct room_path **out, const float *h, size_t n); /* 0, -EINVAL, -ENOMEM */
void room_path_free(struct room_path *p);                            /* NULL is fine */

struct room_conv;
/* Can run any path of at most n samples. 0, -EINVAL, -ENOMEM. */
int room_conv_new(struct room_conv **out, size_t n);
/* From the next block on (at once before the first sample); borrowed, NULL is silence. */
void room_conv_set(struct room_conv *c, const struct room_path *p);
float room_conv_step(struct room_conv *c, float x); /* one sample in, one out */
void room_conv_free(struct room_conv *c);           /* NULL is fine */

/* What a loudspeaker makes of x: tanh(drive x) / drive where drive > 0, then cut off at +-clip. */
float room_distort(float x, float drive, float clip);

/* The value at position `at` (>= 0, between samples too) of a ring of mask + 1 samples. */
#define ROOM_SINC_HALF 16
float room_between(const int16_t *ring, size_t mask, double at);

/* The whole of x at another rate. *y is NULL after an error. 0, -EINVAL, -ENOMEM. */
int room_resample(float **y, size_t *m, const float *x, size_t n, int from_hz, int to_hz);

float room_db(float db); /* as an amplitude */

#endif
