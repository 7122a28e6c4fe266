/* audiofile - recordings in and out: files, pipes, stdin and stdout.
 * Reading takes WAV, RF64, W64, FLAC, Ogg (Vorbis, Opus, FLAC), MP3, AIFF, AU, CAF by their first
 * bytes, as far as the installed libsndfile knows them, and raw s16le mono; it yields 16 kHz mono.
 * Writing chooses the format by the name's ending (.wav .flac .ogg .opus .mp3 .raw; anything else
 * is WAV) and resamples to a rate that the format has; stdout gets WAV. Any one thread per object,
 * not the main loop: everything here blocks. A signal whose handler was installed without
 * SA_RESTART ends a wait for a pipe with -EINTR and STATUS_INTERRUPTED; SIGPIPE and SIGXFSZ must be
 * ignored. */
#ifndef HULLO_AUDIO_AUDIOFILE_H
#define HULLO_AUDIO_AUDIOFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/log.h"

struct audiofile;

/* Opens `file` ("-" is stdin, from where it stands) for reading. raw_hz not 0: the input is raw
 * s16le mono at that rate; from a pipe it is then read as it comes. Any other input that cannot
 * seek is first copied whole, up to 4 GB, to an unlinked file in $TMPDIR (/var/tmp, /tmp). Refuses,
 * with a message: a folder, an empty file, text, a terminal, 0 or more than 32 channels, rates
 * outside 1000..768000, a header without samples. A WAV cut short, or whose header claims more than
 * there is or nothing, is read to its end and a warning goes to the log, which must outlive the
 * object. */
int audiofile_open(struct audiofile **out, const char *file, int raw_hz, const struct log *log,
                   struct err *e);

/* The next samples, 16 kHz mono (channels averaged, non-finite samples 0, clipped to 16 bit). *n is
 * set to what was read: `max` samples, or fewer before the end or where raw samples come from a
 * pipe; 0 at the end. A decoder error in the middle is a warning and the end. 0 or negative errno.
 */
int audiofile_read(struct audiofile *f, int16_t *x, size_t max, size_t *n, struct err *e);

/* Length in seconds: of a WAV as counted from the data, of other formats as the header tells it, or
 * -1 when only reading to the end can tell. Never to be trusted with an allocation. */
double audiofile_seconds(const struct audiofile *f);

void audiofile_close(struct audiofile *f); /* NULL is fine */

struct audiowriter;

/* Creates `file` ("-" is stdout) for mono 16-bit samples at rate_hz (1000..768000). An existing
 * file is -EEXIST unless `force`. A file is written beside its place and renamed by
 * audiowriter_finish, so that a failure leaves what was there; a device or named pipe is written
 * directly. A terminal is refused (STATUS_USAGE). stdout gets nothing before the first sample and
 * each write at once; its header tells no length until the end, and after it only if it is a file
 * that can be put right. */
int audiowriter_open(struct audiowriter **out, const char *file, int rate_hz, bool force,
                     struct err *e);
int audiowriter_write(struct audiowriter *w, const int16_t *x, size_t n,
                      struct err *e); /* -ENOSPC, -EPIPE, ... */
int audiowriter_finish(struct audiowriter *w,
                       struct err *e); /* completes and frees w, also after an error */
void audiowriter_abandon(
    struct audiowriter *w); /* frees w and removes what was written; NULL is fine */

#endif
