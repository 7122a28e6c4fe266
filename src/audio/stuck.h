/* stuck - gets PortAudio's callback thread out of its own error loop.
 *
 * When ALSA fails while a stream runs (a sound server that ends, a card that is pulled out),
 * PortAudio 19.6 and 19.7 can jump back to the same failing check for ever (PortAudio issue 1037):
 * a thread at full speed, a hundred megabytes of "Expression ... failed" a second on stderr, and a
 * Pa_AbortStream that waits for it and never returns. What it prints is the only handle on it. So,
 * while a stream is open, audio/sieve.h drops those lines and ends a thread that repeats itself: as
 * a cancellation would, so that PortAudio's own cleanup runs and the stream is reported as
 * finished.
 *
 * The thread that begins the guard is never ended, nor one inside a window of audio/quiet.h;
 * another may end the guard. Does nothing where the C library is not glibc: ALSA is not there
 * either. */
#ifndef HULLO_AUDIO_STUCK_H
#define HULLO_AUDIO_STUCK_H

#include "util/log.h"

struct stuck;

void stuck_begin(struct stuck **out); /* never fails: *out is NULL where it can do nothing */
void stuck_end(struct stuck *s, const struct log *log); /* logs what was dropped; NULL is fine */

#endif
