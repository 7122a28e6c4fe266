#include "audio/audiofile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/wav.h"
#include "dsp/resample.h"
#include "util/clock.h"

#define BLOCK    4096 /* samples converted and written at a time */
#define RATE_MIN 1000
#define RATE_MAX 768000

/* The numbers of libsndfile 1.1, to compile with an older one, which then says no at run time. */
#define FORMAT_MP3 (0x230000 | 0x0082)

struct format {
    const char *ending, *name;
    int sndfile;   /* libsndfile's number, or 0: written here */
    int rates[10]; /* that it can have, rising, ended by 0; none: any up to max_hz */
    int min_hz, max_hz;
};

/* Rates: RFC 6716 section 2.1.3 for Opus, ISO 11172-3 and 13818-3 and LAME's MPEG 2.5 for MP3. The
 * others are those that encoders take in every mode. */
static const struct format formats[] = {
    {".wav", "WAV", 0, {0}, RATE_MIN, RATE_MAX},
    {".raw", "raw samples", 0, {0}, RATE_MIN, RATE_MAX},
    {".flac", "FLAC", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, {0}, RATE_MIN, 65535},
    {".ogg", "Ogg Vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, {0}, 8000, 192000},
    {".opus",
     "Opus",
     SF_FORMAT_OGG | SF_FORMAT_OPUS,
     {8000, 12000, 16000, 24000, 48000, 0},
     8000,
     48000},
    {".mp3",
     "MP3",
     FORMAT_MP3,
     {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 0},
     8000,
     48000},
};

struct audiowriter {
    int fd;
    char *name;      /* as messages call it */
    char *target;    /* what `temporary` becomes; NULL: fd is written directly */
    char *temporary; /* exists as long as this is not NULL */
    bool force;
    int failed; /* negative errno of the first write that failed */

    const struct format *format;
    bool header;     /* WAV: it was written */
    off_t header_at; /* where it can be put right at the end, or -1 */
    uint64_t bytes;  /* of samples, written here */

    SNDFILE *encoder; /* NULL: written here */
    off_t at, size;   /* the encoder's view of the file */

    int in_hz, out_hz;
    struct resample *resample; /* NULL: the format takes the rate as it is */
    uint64_t in, out;          /* samples before and after it */
};

static int failed(const struct audiowriter *w, struct err *e)
{
    if (w->failed == -EINTR)
        return err_set(e, STATUS_INTERRUPTED, -EINTR, "interrupted while writing '%s'", w->name);
    if (w->failed == -EPIPE)
        return err_set(e, STATUS_FAILED, -EPIPE,
                       "cannot write '%s': whoever was reading it has stopped", w->name);
    if (w->failed == -ENOSPC || w->failed == -EDQUOT)
        return err_set(e, STATUS_FAILED, w->failed,
                       "cannot write '%s': %s; make room or name a file elsewhere", w->name,
                       strerror(-w->failed));
    return err_set(e, STATUS_FAILED, w->failed, "cannot write '%s': %s", w->name,
                   strerror(-w->failed));
}

/* --- bytes */

/* Writes all of it, also to a descriptor that somebody else made non-blocking. at < 0: in order. */
static int put(int fd, const void *from, size_t n, off_t at)
{
    const unsigned char *bytes = from;
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    while (n > 0) {
        ssize_t done = at < 0 ? write(fd, bytes, n) : pwrite(fd, bytes, n, at);
        if (done < 0 && errno == EAGAIN) {
            if (poll(&p, 1, -1) < 0 && errno != EINTR)
                return -errno;
            continue;
        }
        if (done < 0)
            return -errno;
        bytes += done;
        n -= (size_t)done;
        at += at < 0 ? 0 : done;
    }
    return 0;
}

static sf_count_t vio_size(void *user)
{
    return ((struct audiowriter *)user)->size;
}

static sf_count_t vio_seek(sf_count_t offset, int whence, void *user)
{
    struct audiowriter *w = user;
    off_t to = offset + (whence == SEEK_SET ? 0 : whence == SEEK_CUR ? w->at : w->size);

    if (to < 0)
        return -1;
    w->at = to;
    return to;
}

static sf_count_t vio_read(void *to, sf_count_t n, void *user)
{
    struct audiowriter *w = user;
    ssize_t got = pread(w->fd, to, (size_t)n, w->at);

    if (got > 0)
        w->at += got;
    return got < 0 ? 0 : got;
}

static sf_count_t vio_write(const void *from, sf_count_t n, void *user)
{
    struct audiowriter *w = user;

    if (w->failed == 0)
        w->failed = put(w->fd, from, (size_t)n, w->at);
    /* What went wrong stays with us: an encoder of libsndfile that hears of it forgets to free what
     * it holds. */
    w->at += n;
    if (w->at > w->size)
        w->size = w->at;
    return n;
}

static sf_count_t vio_tell(void *user)
{
    return ((struct audiowriter *)user)->at;
}

/* --- samples, at out_hz */

static void put_header(struct audiowriter *w, uint64_t data_bytes, off_t at)
{
    unsigned char h[WAV_HEADER_BYTES];

    wav_header(h, w->out_hz, data_bytes);
    if (w->failed == 0)
        w->failed = put(w->fd, h, sizeof h, at);
}

static void emit(struct audiowriter *w, const int16_t *x, size_t n)
{
    unsigned char bytes[2 * BLOCK];

    if (w->encoder != NULL) {
        if (sf_writef_short(w->encoder, x, (sf_count_t)n) != (sf_count_t)n && w->failed == 0)
            w->failed = -EIO;
        return;
    }
    if (!w->header && strcmp(w->format->ending, ".raw") != 0)
        put_header(w, WAV_UNKNOWN_BYTES, -1);
    w->header = true;
    for (size_t done = 0; done < n && w->failed == 0;) {
        size_t some = n - done < BLOCK ? n - done : BLOCK;
        for (size_t i = 0; i < some; i++) {
            bytes[2 * i] = (unsigned char)((uint16_t)x[done + i] & 0xff);
            bytes[2 * i + 1] = (unsigned char)((uint16_t)x[done + i] >> 8);
        }
        w->failed = put(w->fd, bytes, 2 * some, -1);
        w->bytes += 2 * some;
        done += some;
    }
}

/* Passes x through the resampler, no further than output sample number `limit`. */
static void convert(struct audiowriter *w, const int16_t *x, size_t n, uint64_t limit)
{
    int16_t y[BLOCK];

    while (n > 0 && w->failed == 0) {
        size_t used = n, made = limit - w->out < BLOCK ? (size_t)(limit - w->out) : BLOCK;
        resample_run(w->resample, x, &used, y, &made);
        if (used == 0 && made == 0)
            return;
        emit(w, y, made);
        w->out += made;
        x += used;
        n -= used;
    }
}

/* What the resampler still holds; its length is rounded up to a whole sample. */
static void drain(struct audiowriter *w)
{
    static const int16_t zeros[256];
    uint64_t limit = (w->in * (uint64_t)w->out_hz + (uint64_t)w->in_hz - 1) / (uint64_t)w->in_hz;

    for (size_t left = resample_tail(w->resample); left > 0;) {
        size_t n = left < 256 ? left : 256;
        convert(w, zeros, n, limit);
        left -= n;
    }
}

int audiowriter_write(struct audiowriter *w, const int16_t *x, size_t n, struct err *e)
{
    if (w->failed == 0 && w->resample == NULL)
        emit(w, x, n);
    else if (w->failed == 0)
        convert(w, x, n, UINT64_MAX);
    w->in += n;
    return w->failed < 0 ? failed(w, e) : 0;
}

/* --- opening */

static const struct format *find_format(const char *file)
{
    const char *dot = strrchr(file, '.');

    for (size_t i = 0; dot != NULL && i < sizeof formats / sizeof *formats; i++)
        if (strcasecmp(dot, formats[i].ending) == 0)
            return &formats[i];
    return &formats[0];
}

/* The rate at which a format keeps what comes at hz: not lower, where there is a choice. */
static int rate_for(const struct format *f, int hz)
{
    if (hz < f->min_hz)
        return f->min_hz;
    if (hz > f->max_hz)
        return 48000; /* holds all that can be heard */
    for (size_t i = 0; f->rates[i] != 0; i++)
        if (f->rates[i] >= hz)
            return f->rates[i];
    return hz;
}

static int open_encoder(struct audiowriter *w, struct err *e)
{
    SF_VIRTUAL_IO io = {vio_size, vio_seek, vio_read, vio_write, vio_tell};
    SF_INFO info = {.samplerate = w->out_hz, .channels = 1, .format = w->format->sndfile};

    if (!sf_format_check(&info))
        return err_set(e, STATUS_FAILED, -ENOTSUP,
                       "cannot write '%s': the installed %s does not know %s; use .wav or .flac",
                       w->name, sf_version_string(), w->format->name);
    w->encoder = sf_open_virtual(&io, SFM_WRITE, &info, w);
    if (w->encoder == NULL && w->failed < 0)
        return failed(w, e);
    if (w->encoder == NULL)
        return err_set(e, STATUS_FAILED, -EIO, "cannot write '%s' as %s: %s; use .wav", w->name,
                       w->format->name, sf_strerror(NULL));
    return 0;
}

static int open_stdout(struct audiowriter *w, struct err *e)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    struct stat st;

    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return err_set(e, STATUS_FAILED, -EBADF, "cannot write to standard output: it is closed");
    if (isatty(STDOUT_FILENO))
        return err_set(e, STATUS_USAGE, -ENOTTY,
                       "audio is not written to a terminal: redirect standard output, or use "
                       "-o FILE");
    w->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (w->fd < 0)
        return err_set(e, STATUS_FAILED, -errno, "cannot write to standard output: %s",
                       strerror(errno));
    /* A file that only grows (>>) cannot be put right. */
    if (fstat(w->fd, &st) == 0 && S_ISREG(st.st_mode) && (flags & O_APPEND) == 0)
        w->header_at = lseek(w->fd, 0, SEEK_CUR);
    return 0;
}

/* A device or a named pipe: written where it is. */
static int open_direct(struct audiowriter *w, struct err *e)
{
    if (w->format->sndfile != 0)
        return err_set(e, STATUS_FAILED, -ESPIPE,
                       "cannot write %s to '%s': it is not a regular file; use .wav or .raw",
                       w->format->name, w->name);
    w->fd = open(w->name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (w->fd < 0)
        return err_set(e, STATUS_FAILED, -errno, "cannot write '%s': %s", w->name, strerror(errno));
    if (isatty(w->fd))
        return err_set(e, STATUS_USAGE, -ENOTTY,
                       "audio is not written to a terminal ('%s'): use -o FILE", w->name);
    return 0;
}

static int open_temporary(struct audiowriter *w, mode_t mode, struct err *e)
{
    const char *slash = strrchr(w->target, '/');
    int folder = slash != NULL ? (int)(slash + 1 - w->target) : 0;
    size_t size = (size_t)folder + 64;

    w->temporary = malloc(size);
    if (w->temporary == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(w->temporary, size, "%.*s.hullo-%ld-%llx.part", folder, w->target, (long)getpid(),
                 (unsigned long long)clock_ns());
        w->fd = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (w->fd >= 0 || errno != EEXIST)
            break;
    }
    if (w->fd >= 0)
        return 0;
    free(w->temporary);
    w->temporary = NULL;
    return err_set(e, STATUS_FAILED, -errno,
                   "cannot write '%s': cannot create a file in folder '%.*s': %s", w->name,
                   folder > 0 ? folder : 1, folder > 0 ? w->target : ".", strerror(errno));
}

static int open_file(struct audiowriter *w, struct err *e)
{
    struct stat st;
    bool exists = stat(w->name, &st) == 0;

    if (exists && S_ISDIR(st.st_mode))
        return err_set(e, STATUS_FAILED, -EISDIR,
                       "cannot write '%s': it is a folder; name a file in it", w->name);
    if (exists && !S_ISREG(st.st_mode))
        return open_direct(w, e);
    if (exists && !w->force)
        return err_set(e, STATUS_FAILED, -EEXIST,
                       "'%s' exists already: use --force to replace it, or name another file",
                       w->name);
    /* Behind a link it is the file that is replaced. */
    w->target = exists ? realpath(w->name, NULL) : strdup(w->name);
    if (w->target == NULL)
        return err_set(e, STATUS_FAILED, -errno, "cannot write '%s': %s", w->name, strerror(errno));
    w->header_at = 0;
    return open_temporary(w, exists ? st.st_mode & 0777 : 0666, e);
}

static int prepare(struct audiowriter *w, bool to_stdout, struct err *e)
{
    int rc = to_stdout ? open_stdout(w, e) : open_file(w, e);

    if (rc == 0 && w->out_hz != w->in_hz && resample_new(&w->resample, w->in_hz, w->out_hz) < 0)
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    if (rc == 0 && w->format->sndfile != 0)
        rc = open_encoder(w, e);
    return rc;
}

int audiowriter_open(struct audiowriter **out, const char *file, int rate_hz, bool force,
                     struct err *e)
{
    bool to_stdout = strcmp(file, "-") == 0;
    struct audiowriter *w;
    int rc;

    *out = NULL;
    if (rate_hz < RATE_MIN || rate_hz > RATE_MAX)
        return err_set(e, STATUS_FAILED, -EINVAL, "cannot write '%s' at %d Hz: %d to %d", file,
                       rate_hz, RATE_MIN, RATE_MAX);
    w = calloc(1, sizeof *w);
    if (w == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    w->fd = -1;
    w->header_at = -1;
    w->force = force;
    w->format = find_format(to_stdout ? "" : file);
    w->in_hz = rate_hz;
    w->out_hz = rate_for(w->format, rate_hz);
    w->name = strdup(to_stdout ? "standard output" : file);
    rc = w->name != NULL ? prepare(w, to_stdout, e)
                         : err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    if (rc < 0) {
        audiowriter_abandon(w);
        return rc;
    }
    *out = w;
    return 0;
}

/* --- the end */

/* The temporary file becomes the target: over what is there only with force, even if it came there
 * in the meantime. */
static int publish(struct audiowriter *w)
{
    if (!w->force) {
        if (link(w->temporary, w->target) == 0)
            return 0; /* abandon removes the first name */
        if (errno == EEXIST || errno == ENOENT)
            return -errno;
        /* Not every file system has links. */
        if (access(w->target, F_OK) == 0)
            return -EEXIST;
    }
    if (rename(w->temporary, w->target) != 0)
        return -errno;
    free(w->temporary);
    w->temporary = NULL;
    return 0;
}

static void close_encoder(struct audiowriter *w)
{
    int rc = w->encoder != NULL ? sf_close(w->encoder) : 0;

    w->encoder = NULL;
    if (rc != 0 && w->failed == 0)
        w->failed = -EIO;
}

/* Lets a recording of nothing be one that programs open: a WAV has its header; encoders, which
 * write none before the first sample, get a moment of silence. */
static void fill_empty(struct audiowriter *w)
{
    static const int16_t silence[480];

    if (w->encoder != NULL && w->in == 0)
        emit(w, silence, sizeof silence / sizeof *silence);
    else if (w->encoder == NULL)
        emit(w, NULL, 0);
}

int audiowriter_finish(struct audiowriter *w, struct err *e)
{
    int rc = 0;

    if (w->failed == 0 && w->resample != NULL)
        drain(w);
    if (w->failed == 0)
        fill_empty(w);
    close_encoder(w);
    if (w->header_at >= 0 && w->header && strcmp(w->format->ending, ".raw") != 0)
        put_header(w, w->bytes, w->header_at);
    if (w->failed == 0 && w->temporary != NULL && fsync(w->fd) != 0)
        w->failed = -errno;
    if (close(w->fd) != 0 && w->failed == 0 && errno != EINTR)
        w->failed = -errno;
    w->fd = -1;
    if (w->failed == 0 && w->temporary != NULL)
        w->failed = publish(w);
    if (w->failed < 0)
        rc = failed(w, e);
    audiowriter_abandon(w);
    return rc;
}

void audiowriter_abandon(struct audiowriter *w)
{
    if (w == NULL)
        return;
    close_encoder(w);
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary != NULL)
        unlink(w->temporary);
    resample_free(w->resample);
    free(w->temporary);
    free(w->target);
    free(w->name);
    free(w);
}
