/* audiosource - the bytes of a recording: from a file, or from a pipe through a temporary file.
 * Whatever it is opened on can be read from any place, unless it is live: raw samples from a pipe
 * need no seeking and are taken as they come. Part of audiofile; one thread per object. Reading and
 * opening block; a signal whose handler was installed without SA_RESTART ends them with -EINTR and
 * STATUS_INTERRUPTED. */
#ifndef HULLO_AUDIO_AUDIOSOURCE_H
#define HULLO_AUDIO_AUDIOSOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/err.h"

enum audiosource_kind {                  /* by the first bytes */
                        AUDIOSOURCE_RAW, /* not looked at */
                        AUDIOSOURCE_WAV, /* RIFF or RIFX; not RF64, whose sizes live elsewhere */
                        AUDIOSOURCE_OPUS,
                        AUDIOSOURCE_MP3,
                        AUDIOSOURCE_OTHER, /* another container that is let through to libsndfile */
};

struct audiosource {
    int fd;
    const char *name; /* for messages; borrowed from the caller of open */
    enum audiosource_kind kind;
    bool live;        /* reads in order only; size is -1 */
    off_t base, size; /* in fd, and in bytes from there */
    off_t at;         /* where audiosource_read goes on */
    int error;        /* negative errno of the first read that failed */
    unsigned dry;     /* reads that met the end */

    unsigned char patch[8]; /* patch_n bytes at patch_at that are read in place of what is there */
    size_t patch_n;
    off_t patch_at;
};

/* Opens `file` ("-" is stdin). Unless `raw`, refuses what does not begin like a container of audio
 * before it spools it. On an error *s needs no close. */
int audiosource_open(struct audiosource *s, const char *file, bool raw, struct err *e);

/* Reads up to n bytes at `at` (not when live); less only at the end or after a failure. */
size_t audiosource_at(const struct audiosource *s, off_t at, void *to, size_t n);

/* Reads on from s->at: as much as there is up to n; 0 at the end, or a negative errno. */
ssize_t audiosource_read(struct audiosource *s, void *to, size_t n);

/* From now on the n (at most 8) bytes at `at` read as `bytes`. */
void audiosource_patch(struct audiosource *s, off_t at, const unsigned char *bytes, size_t n);

void audiosource_close(struct audiosource *s);

#endif
