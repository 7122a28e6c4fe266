/* stuck - gets PortAudio's callback thread out of its own error loop.
 *
 * When ALSA fails while a stream runs (a sound server that ends, a card that is pulled out),
 * PortAudio 19.6 and 19.7 can jump back to the same failing check for ever (PortAudio issue 1037):
 * a thread at full speed, a hundred megabytes of "Expression ... failed" a second on stderr, and a
 * Pa_AbortStream that waits for it and never returns. What it prints is the only handle on it. So,
 * while a stream is open, the C library's `stderr` is a stream of ours that drops those lines,
 * passes everything else on, and ends a thread that repeats itself: as a cancellation would, so
 * that PortAudio's own cleanup runs and the stream is reported as finished.
 *
 * Control thread only, with one guard at a time; it is the only thread that is never ended. File
 * descriptor 2 is untouched, and so is a FILE pointer that was taken from `stderr` before. Does
 * nothing where the C library is not glibc: ALSA is not there either. */
#ifndef HULLO_AUDIO_STUCK_H
#define HULLO_AUDIO_STUCK_H

#include "util/log.h"

struct stuck;

void stuck_begin(struct stuck **out); /* never fails: *out is NULL where it can do nothing */
void stuck_end(struct stuck *s, const struct log *log); /* logs what was dropped; NULL is fine */

#endif
