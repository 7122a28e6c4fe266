#include "audio/audiosource.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/path.h"
#include "util/text.h"

#define HEAD_BYTES 4096             /* enough to tell text from audio */
#define SPOOL_MAX  ((off_t)1 << 32) /* more than a day of speech; a pipe without end must end */

static int failed(struct err *e, const char *name, int rc)
{
    if (rc == -EINTR)
        return err_set(e, STATUS_INTERRUPTED, rc, "interrupted while reading '%s'", name);
    return err_set(e, STATUS_FAILED, rc, "cannot read '%s': %s", name, strerror(-rc));
}

/* read(), also from a descriptor that somebody else made non-blocking. */
static ssize_t read_blocking(int fd, void *to, size_t n)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (;;) {
        ssize_t got = read(fd, to, n);
        if (got >= 0)
            return got;
        if (errno != EAGAIN)
            return -errno;
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return -errno;
    }
}

static bool has(const unsigned char *h, size_t n, size_t at, const char *bytes)
{
    size_t len = strlen(bytes);

    return n >= at + len && memcmp(h + at, bytes, len) == 0;
}

/* A frame of MPEG audio layer II or III. Layer I shares its first bytes with UTF-16 text and is
 * extinct; layer 0 is AAC. */
static bool mpeg_frame(const unsigned char *h, size_t n)
{
    unsigned layer = n < 3 ? 0 : (h[1] >> 1) & 3;

    return n >= 3 && h[0] == 0xff && (h[1] & 0xe0) == 0xe0 && (h[1] >> 3 & 3) != 1 &&
           (layer == 1 || layer == 2) && (h[2] & 0xf0) != 0xf0 && (h[2] & 0x0c) != 0x0c;
}

/* libsndfile knows two dozen containers, many of them curiosities that nobody tests. Only these
 * reach it. */
static bool recognise(const unsigned char *h, size_t n, enum audiosource_kind *kind)
{
    *kind = AUDIOSOURCE_OTHER;
    if (has(h, n, 8, "WAVE") &&
        (has(h, n, 0, "RIFF") || has(h, n, 0, "RIFX") || has(h, n, 0, "RF64")))
        *kind = AUDIOSOURCE_WAV;
    else if (has(h, n, 0, "OggS"))
        *kind = has(h, n, 28, "OpusHead") ? AUDIOSOURCE_OPUS : AUDIOSOURCE_OTHER;
    else if (has(h, n, 0, "ID3") || mpeg_frame(h, n))
        *kind = AUDIOSOURCE_MP3;
    else
        return has(h, n, 0, "fLaC") ||
               (has(h, n, 0, "FORM") && (has(h, n, 8, "AIFF") || has(h, n, 8, "AIFC"))) ||
               has(h, n, 0, "riff\x2e\x91\xcf\x11") || has(h, n, 0, ".snd") || has(h, n, 0, "caff");
    return true;
}

static bool looks_like_text(const unsigned char *h, size_t n)
{
    size_t at = 0, whole = text_utf8_whole((const char *)h, n);

    if (has(h, n, 0, "\xff\xfe") || has(h, n, 0, "\xfe\xff"))
        return true; /* UTF-16 */
    while (at < whole) {
        size_t len = text_utf8((const char *)h + at, whole - at, NULL);
        if (len == 0 || (h[at] < ' ' && strchr("\t\n\r\f\x1b", h[at]) == NULL) || h[at] == '\0')
            return false;
        at += len;
    }
    return whole > 0;
}

/* Judges the first bytes. */
static int look(struct audiosource *s, const unsigned char *head, size_t n, struct err *e)
{
    if (n == 0)
        return err_set(e, STATUS_FAILED, -ENODATA, "'%s' is empty: there is nothing to hear in it",
                       s->name);
    if (s->kind == AUDIOSOURCE_RAW || recognise(head, n, &s->kind))
        return 0;
    if (looks_like_text(head, n))
        return err_set(e, STATUS_FAILED, -EINVAL,
                       "'%s' is text, not audio: name a recording (WAV, FLAC, Ogg, Opus, MP3)",
                       s->name);
    return err_set(e, STATUS_FAILED, -EINVAL,
                   "'%s' is not audio of a kind that can be read: convert it to WAV, FLAC, Ogg, "
                   "Opus or MP3, or give the rate of raw samples with --rate",
                   s->name);
}

/* Appends what comes from s->fd to `to` until it holds `limit` bytes or the end is met. */
static int spool_copy(const struct audiosource *s, int to, const char *dir, off_t *have,
                      off_t limit, struct err *e)
{
    unsigned char block[16384];

    while (*have < limit) {
        size_t room = limit - *have < (off_t)sizeof block ? (size_t)(limit - *have) : sizeof block;
        ssize_t got = read_blocking(s->fd, block, room);
        if (got < 0)
            return failed(e, s->name, (int)got);
        if (got == 0)
            return 0;
        for (ssize_t done = 0; done < got;) {
            ssize_t put = pwrite(to, block + done, (size_t)(got - done), *have);
            if (put < 0 && errno != EINTR)
                return err_set(e, STATUS_FAILED, -errno,
                               "cannot keep '%s' in '%s' while it is read: %s; set TMPDIR to a "
                               "folder with more room",
                               s->name, dir, strerror(errno));
            if (put > 0) {
                done += put;
                *have += put;
            }
        }
    }
    return 0;
}

/* Replaces the pipe by a file with its content. */
static int spool(struct audiosource *s, struct err *e)
{
    unsigned char head[HEAD_BYTES];
    const char *dir;
    off_t have = 0;
    int fd = -1, rc;

    rc = path_unnamed(&fd, &dir, e);
    if (rc < 0)
        return rc;
    rc = spool_copy(s, fd, dir, &have, HEAD_BYTES, e);
    if (rc == 0 && pread(fd, head, (size_t)have, 0) != (ssize_t)have)
        rc = failed(e, s->name, -EIO);
    if (rc == 0)
        rc = look(s, head, (size_t)have, e);
    if (rc == 0)
        rc = spool_copy(s, fd, dir, &have, SPOOL_MAX, e);
    if (rc == 0 && have == SPOOL_MAX)
        rc = err_set(e, STATUS_FAILED, -EFBIG, "'%s' goes on for more than %d GB: cut it in parts",
                     s->name, (int)(SPOOL_MAX >> 30));
    if (rc < 0) {
        close(fd);
        return rc;
    }
    close(s->fd);
    s->fd = fd;
    s->size = have;
    return 0;
}

static int open_fd(struct audiosource *s, const char *file, struct err *e)
{
    bool std = strcmp(file, "-") == 0;
    int flags = std ? fcntl(STDIN_FILENO, F_GETFL) : 0;

    s->name = std ? "standard input" : file;
    s->fd =
        std ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (std && (s->fd < 0 || (flags & O_ACCMODE) == O_WRONLY))
        return err_set(e, STATUS_FAILED, -EBADF, "cannot read standard input: it is closed");
    if (s->fd < 0 && errno == EINTR)
        return failed(e, file, -EINTR);
    if (s->fd < 0)
        return err_set(e, STATUS_FAILED, -errno, "cannot open '%s': %s", file, strerror(errno));
    if (isatty(s->fd))
        return err_set(e, STATUS_USAGE, -ENOTTY,
                       "'%s' is a terminal, not audio: name a recording, or pipe one in", s->name);
    return 0;
}

static int prepare(struct audiosource *s, struct err *e)
{
    unsigned char head[HEAD_BYTES];
    struct stat st;

    if (fstat(s->fd, &st) != 0)
        return failed(e, s->name, -errno);
    if (S_ISDIR(st.st_mode))
        return err_set(e, STATUS_FAILED, -EISDIR, "'%s' is a folder: name the recordings in it",
                       s->name);
    s->base = lseek(s->fd, 0, SEEK_CUR); /* the shell may have read a part of its stdin */
    if (S_ISREG(st.st_mode) && s->base >= 0) {
        s->size = st.st_size > s->base ? st.st_size - s->base : 0;
        return look(s, head, audiosource_at(s, 0, head, sizeof head), e);
    }
    s->base = 0;
    s->live = s->kind == AUDIOSOURCE_RAW;
    return s->live ? 0 : spool(s, e);
}

int audiosource_open(struct audiosource *s, const char *file, bool raw, struct err *e)
{
    int rc;

    *s = (struct audiosource){.fd = -1, .size = -1};
    s->kind = raw ? AUDIOSOURCE_RAW : AUDIOSOURCE_OTHER;
    rc = open_fd(s, file, e);
    if (rc == 0)
        rc = prepare(s, e);
    if (rc < 0)
        audiosource_close(s);
    return rc;
}

/* As audiosource_at; *error is set to a negative errno when reading failed. */
static size_t read_at(const struct audiosource *s, off_t at, unsigned char *to, size_t n,
                      int *error)
{
    size_t done = 0;

    if (at < 0 || at >= s->size)
        return 0;
    if ((off_t)n > s->size - at)
        n = (size_t)(s->size - at);
    while (done < n) {
        ssize_t got = pread(s->fd, to + done, n - done, s->base + at + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            *error = -errno;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    for (off_t i = 0; i < (off_t)s->patch_n; i++)
        if (s->patch_at + i >= at && s->patch_at + i < at + (off_t)done)
            to[s->patch_at + i - at] = s->patch[i];
    return done;
}

size_t audiosource_at(const struct audiosource *s, off_t at, void *to, size_t n)
{
    int error = 0;

    return read_at(s, at, to, n, &error);
}

ssize_t audiosource_read(struct audiosource *s, void *to, size_t n)
{
    int error = 0;
    ssize_t got;

    if (s->live) {
        got = read_blocking(s->fd, to, n);
    } else {
        got = (ssize_t)read_at(s, s->at, to, n, &error);
        if (got == 0 && error < 0)
            got = error;
    }
    if (got < 0 && s->error == 0)
        s->error = (int)got;
    if (got > 0)
        s->at += got;
    if (got < (ssize_t)n)
        s->dry++;
    return got;
}

void audiosource_patch(struct audiosource *s, off_t at, const unsigned char *bytes, size_t n)
{
    s->patch_at = at;
    s->patch_n = n < sizeof s->patch ? n : sizeof s->patch;
    memcpy(s->patch, bytes, s->patch_n);
}

void audiosource_close(struct audiosource *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
