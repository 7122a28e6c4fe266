/* signals - sounds made of integers alone, the same on every machine and in
 * tests/peers/silero_reference.py, which holds what ONNX Runtime's detector says about them. 16 kHz
 * mono. */
#ifndef HULLO_TESTS_FAKE_SIGNALS_H
#define HULLO_TESTS_FAKE_SIGNALS_H

#include <stddef.h>
#include <stdint.h>

void signal_chirp(int16_t *x, size_t n);    /* climbs from 100 Hz to 3.7 kHz, in bursts of noise */
void signal_buzz(int16_t *x, size_t n);     /* vowels in syllables: some pass for speech */
void signal_extremes(int16_t *x, size_t n); /* silence, square wave, white noise, clicks */

uint32_t signal_checksum(const int16_t *x, size_t n); /* FNV-1a over little-endian bytes */

/* The next number of Numerical Recipes' generator, upper half: -32768 to 32767. */
int signal_noise(uint32_t *state);

#endif
