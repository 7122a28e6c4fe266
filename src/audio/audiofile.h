/* audiofile - recordings in and out: files, pipes, stdin and stdout.
 * Reading takes what libsndfile reads (WAV, FLAC, Ogg/Opus, MP3, AIFF ...) and raw s16le mono; it
 * yields 16 kHz mono. Input that cannot seek is spooled to an unlinked temporary file first.
 * Writing chooses the format by the name's ending
 * (.wav .flac .ogg .opus .mp3 .raw; anything else is WAV); a pipe gets WAV with a streaming header
 * of our own. Any one thread per object. Blocking: not for the main loop with a pipe. */
#ifndef HULLO_AUDIO_AUDIOFILE_H
#define HULLO_AUDIO_AUDIOFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/log.h"

struct audiofile;

/* Opens `file` ("-" is stdin) for reading. raw_hz > 0: the input is raw s16le mono at that rate.
 * Refuses, with a message: a folder, an empty file, text, 0 or more than 32 channels, rates outside
 * 1000..768000, a header without samples. A WAV cut short, or whose header claims more than there
 * is, is read to its end and a warning goes to the log. */
int audiofile_open(struct audiofile **out, const char *file, int raw_hz, const struct log *log,
                   struct err *e);

/* The next samples, 16 kHz mono (channels averaged, non-finite samples 0, clipped to 16 bit). *n is
 * set to what was read: 0 at the end. A decoder error in the middle is a warning and the end. 0 or
 * negative errno. */
int audiofile_read(struct audiofile *f, int16_t *x, size_t max, size_t *n, struct err *e);

/* Length in seconds, as counted from the data where the header lies, or -1 when only reading to the
 * end can tell. */
double audiofile_seconds(const struct audiofile *f);

void audiofile_close(struct audiofile *f); /* NULL is fine */

struct audiowriter;

/* Creates `file` ("-" is stdout) for mono 16-bit samples at rate_hz. An existing file is -EEXIST
 * unless `force`. A file is written beside its place and renamed by audiowriter_finish, so that a
 * failure leaves what was there. stdout that is a terminal is refused (STATUS_USAGE). */
int audiowriter_open(struct audiowriter **out, const char *file, int rate_hz, bool force,
                     struct err *e);
int audiowriter_write(struct audiowriter *w, const int16_t *x, size_t n,
                      struct err *e); /* -ENOSPC, -EPIPE, ... */
int audiowriter_finish(struct audiowriter *w,
                       struct err *e); /* completes and frees w, also after an error */
void audiowriter_abandon(
    struct audiowriter *w); /* frees w and removes what was written; NULL is fine */

#endif
