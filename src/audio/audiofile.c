#include "audio/audiofile.h"

#include <errno.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audiosource.h"
#include "audio/wav.h"
#include "dsp/resample.h"
#include "util/hush.h"

#define OUT_HZ       16000
#define RATE_MIN     1000
#define RATE_MAX     768000
#define CHANNELS_MAX 32
#define BLOCK        1024 /* frames decoded at a time */

/* Some decoders make up silence for what a damaged header promises, for ever. One that has met the
 * end of its bytes in this many blocks and still has sound to give is one of them. */
#define DRY_BLOCKS_MAX 64

/* The numbers of libsndfile 1.1, to compile with an older one, which then says no at run time. */
#define FORMAT_MP3 (0x230000 | 0x0082)

struct audiofile {
    char *name; /* as messages call it */
    const struct log *log;
    struct audiosource source;

    SNDFILE *decoder; /* NULL: raw samples */
    int channels, rate_hz;
    uint64_t promised; /* frames that the header speaks of; 0: it does not say */
    float *frames;     /* BLOCK of them, interleaved */
    bool damaged;      /* the decoder gave up: what it gave with that is the last */
    bool warned;       /* that the length is not what the header says */
    unsigned dry;      /* blocks that came out although there was nothing left to read */

    struct resample *resample;
    int16_t block[BLOCK]; /* mono, at rate_hz; of it [used..have) are to be resampled */
    size_t have, used;
    bool ended;       /* no more comes from the file; zeros push the last out of the resampler */
    size_t zeros;     /* of them still to come */
    uint64_t in, out; /* samples before and after the resampler */
};

/* --- libsndfile's view of the source */

static sf_count_t vio_size(void *user)
{
    return ((struct audiosource *)user)->size;
}

static sf_count_t vio_seek(sf_count_t offset, int whence, void *user)
{
    struct audiosource *s = user;
    off_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? s->at : s->size, to;

    if (__builtin_add_overflow(from, (off_t)offset, &to) || to < 0)
        return -1;
    s->at = to;
    return to;
}

static sf_count_t vio_read(void *to, sf_count_t n, void *user)
{
    ssize_t got = n <= 0 ? 0 : audiosource_read(user, to, (size_t)n);

    return got < 0 ? 0 : got; /* what went wrong stays in the source */
}

static sf_count_t vio_write(const void *from, sf_count_t n, void *user)
{
    (void)from;
    (void)n;
    (void)user;
    return 0;
}

static sf_count_t vio_tell(void *user)
{
    return ((struct audiosource *)user)->at;
}

/* libmpg123 behind libsndfile prints what it thinks of an MP3 to stderr. */
static void quiet(const struct audiofile *f, bool begin)
{
    if (f->source.kind != AUDIOSOURCE_MP3)
        return;
    if (begin)
        hush_begin();
    else
        hush_end();
}

/* --- opening */

static int refuse_shape(const struct audiofile *f, unsigned channels, uint32_t rate_hz,
                        struct err *e)
{
    if (channels < 1 || channels > CHANNELS_MAX)
        return err_set(e, STATUS_FAILED, -EINVAL,
                       "'%s' has %u channels: 1 to %d can be read; convert it to mono", f->name,
                       channels, CHANNELS_MAX);
    if (rate_hz < RATE_MIN || rate_hz > RATE_MAX)
        return err_set(e, STATUS_FAILED, -EINVAL,
                       "'%s' has a sample rate of %u Hz: %d to %d can be read; convert it to %d",
                       f->name, rate_hz, RATE_MIN, RATE_MAX, OUT_HZ);
    return 0;
}

static int refuse_empty(const struct audiofile *f, struct err *e)
{
    return err_set(e, STATUS_FAILED, -ENODATA, "'%s' holds no sound: %s; record it again", f->name,
                   f->decoder == NULL && f->source.kind == AUDIOSOURCE_RAW
                       ? "it ends before the first sample"
                       : "there is a header, but no samples follow");
}

/* libsndfile believes the header of a WAV more than the file: tells it the truth. */
static int check_wav(struct audiofile *f, struct err *e)
{
    struct wav_info w;
    int rc;

    wav_scan(&w, &f->source);
    rc = w.has_format ? refuse_shape(f, w.channels, w.rate_hz, e) : 0;
    if (rc < 0)
        return rc;
    if (w.length == WAV_NO_DATA)
        return refuse_empty(f, e);
    if (w.length == WAV_STREAMED)
        log_warn(f->log,
                 "the header of '%s' gives no length, as when it was written to a pipe: it is read "
                 "to its end",
                 f->name);
    if (w.length == WAV_CUT && w.bytes_per_second > 0)
        log_warn(
            f->log, "'%s' is cut short: its header promises %.1f s, %.1f s are there and are read",
            f->name, (double)w.claimed / w.bytes_per_second, (double)w.there / w.bytes_per_second);
    else if (w.length == WAV_CUT)
        log_warn(f->log, "'%s' is cut short: it is read to its end", f->name);
    f->warned = w.length != WAV_TRUE;
    if (f->warned)
        audiosource_patch(&f->source, w.size_at, w.true_size, w.size_bytes);
    return 0;
}

/* Says why libsndfile did not open it: an old one lacks whole formats. */
static int refuse_format(const struct audiofile *f, struct err *e)
{
    SF_INFO mp3 = {.samplerate = 48000, .channels = 1, .format = FORMAT_MP3};
    SF_INFO opus = {.samplerate = 48000, .channels = 1, .format = SF_FORMAT_OGG | SF_FORMAT_OPUS};
    const char *why = sf_strerror(NULL), *lacking = NULL;
    size_t len;

    if (f->source.error < 0)
        return err_set(e, STATUS_FAILED, f->source.error, "cannot read '%s': %s", f->name,
                       strerror(-f->source.error));
    if (f->source.kind == AUDIOSOURCE_MP3 && !sf_format_check(&mp3))
        lacking = "MP3";
    if (f->source.kind == AUDIOSOURCE_OPUS && !sf_format_check(&opus))
        lacking = "Opus";
    if (lacking != NULL)
        return err_set(e, STATUS_FAILED, -ENOTSUP,
                       "cannot read '%s': the installed %s does not know %s; convert it to WAV or "
                       "install libsndfile 1.1 or later",
                       f->name, sf_version_string(), lacking);
    if (f->source.kind == AUDIOSOURCE_MP3)
        why = "no MP3 frames found"; /* libsndfile would blame the file system */
    if (strncmp(why, "Error : ", 8) == 0)
        why += 8;
    len = strcspn(why, "\n");
    while (len > 0 && why[len - 1] == '.')
        len--;
    return err_set(e, STATUS_FAILED, -EINVAL,
                   "cannot read '%s': it is damaged, or of a kind that libsndfile does not know "
                   "(%.*s); convert it to WAV",
                   f->name, (int)(len < 160 ? len : 160), why);
}

static int open_decoder(struct audiofile *f, struct err *e)
{
    SF_VIRTUAL_IO io = {vio_size, vio_seek, vio_read, vio_write, vio_tell};
    SF_INFO info = {0};
    int rc = f->source.kind == AUDIOSOURCE_WAV ? check_wav(f, e) : 0;

    if (rc < 0)
        return rc;
    quiet(f, true);
    f->decoder = sf_open_virtual(&io, SFM_READ, &info, &f->source);
    quiet(f, false);
    if (f->decoder == NULL)
        return refuse_format(f, e);
    rc = refuse_shape(f, (unsigned)info.channels, (uint32_t)info.samplerate, e);
    if (rc < 0)
        return rc;
    f->channels = info.channels;
    f->rate_hz = info.samplerate;
    /* No codec says a second in less than a byte: such a header lies or does not know. */
    if (info.frames > 0 && info.frames / info.samplerate < f->source.size)
        f->promised = (uint64_t)info.frames;
    f->frames = calloc((size_t)BLOCK * (size_t)f->channels, sizeof *f->frames);
    return f->frames != NULL ? 0 : err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
}

/* --- reading */

/* Averages the channels of n frames. */
static void mix(struct audiofile *f, size_t n)
{
    size_t channels = (size_t)f->channels;

    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t c = 0; c < channels; c++) {
            float x = f->frames[i * channels + c];
            sum += isfinite(x) ? (double)x : 0.0;
        }
        sum = sum * 32768.0 / (double)channels;
        f->block[i] = (int16_t)lrint(fmin(fmax(sum, INT16_MIN), INT16_MAX));
    }
}

/* The next block from the decoder: its length, or 0 at the end. */
static size_t decode(struct audiofile *f)
{
    unsigned dry = f->source.dry;
    sf_count_t got;

    if (f->damaged)
        return 0;
    quiet(f, true);
    got = sf_readf_float(f->decoder, f->frames, BLOCK);
    quiet(f, false);
    if (got < 0 || got > BLOCK)
        got = 0;
    f->damaged = sf_error(f->decoder) != SF_ERR_NO_ERROR;
    if (got > 0 && f->source.dry != dry && ++f->dry > DRY_BLOCKS_MAX) {
        f->damaged = true;
        got = 0;
    }
    mix(f, (size_t)got);
    return (size_t)got;
}

/* The next block of raw samples: its length, 0 at the end, or a negative errno. */
static ssize_t read_raw(struct audiofile *f)
{
    unsigned char bytes[sizeof f->block];
    size_t n = 0;

    /* A pipe may cut a sample in two. */
    while (n == 0 || n % 2 != 0) {
        ssize_t got = audiosource_read(&f->source, bytes + n, sizeof bytes - n);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    if (n % 2 != 0)
        log_warn(f->log, "'%s' ends in the middle of a sample: is it 16 bit, mono?", f->name);
    for (size_t i = 0; i < n / 2; i++)
        f->block[i] = (int16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
    return (ssize_t)(n / 2);
}

static void report_end(struct audiofile *f)
{
    double seconds = (double)f->in / f->rate_hz;
    /* The length of an MP3 without a table of contents is a guess. */
    uint64_t slack = f->source.kind == AUDIOSOURCE_MP3 ? f->promised / 10 : 0;

    if (f->damaged)
        log_warn(f->log, "'%s' is damaged after %.1f s: the rest is not read", f->name, seconds);
    else if (!f->warned && f->in < f->promised - slack)
        log_warn(f->log, "'%s' is cut short: its header promises %.1f s, it ends after %.1f s",
                 f->name, (double)f->promised / f->rate_hz, seconds);
}

/* Fills the empty block with what comes next. 0, or a negative errno when reading failed. */
static int refill(struct audiofile *f, struct err *e)
{
    ssize_t n = 0;

    f->used = f->have = 0;
    if (!f->ended) {
        n = f->decoder != NULL ? (ssize_t)decode(f) : read_raw(f);
        if (f->source.error == -EINTR)
            return err_set(e, STATUS_INTERRUPTED, -EINTR, "interrupted while reading '%s'",
                           f->name);
        if (f->source.error < 0)
            return err_set(e, STATUS_FAILED, f->source.error, "cannot read '%s': %s", f->name,
                           strerror(-f->source.error));
        f->in += (uint64_t)n;
        f->have = (size_t)n;
        f->ended = n == 0;
        if (!f->ended)
            return 0;
        report_end(f);
        f->zeros = resample_tail(f->resample);
    }
    f->have = f->zeros < BLOCK ? f->zeros : BLOCK;
    f->zeros -= f->have;
    memset(f->block, 0, f->have * sizeof *f->block);
    return 0;
}

int audiofile_read(struct audiofile *f, int16_t *x, size_t max, size_t *n, struct err *e)
{
    *n = 0;
    while (*n < max && (*n == 0 || !f->source.live)) {
        size_t in, out = max - *n;
        int rc = f->used == f->have ? refill(f, e) : 0;

        if (rc < 0)
            return rc;
        in = f->have - f->used;
        if (f->ended) { /* the zeros must not become sound */
            uint64_t whole = (f->in * OUT_HZ + (uint64_t)f->rate_hz - 1) / (uint64_t)f->rate_hz;
            if (f->out >= whole || in == 0)
                break;
            out = whole - f->out < out ? (size_t)(whole - f->out) : out;
        }
        resample_run(f->resample, f->block + f->used, &in, x + *n, &out);
        if (in == 0 && out == 0)
            break;
        f->used += in;
        f->out += out;
        *n += out;
    }
    return 0;
}

/* --- the rest of the interface */

static int prepare(struct audiofile *f, const char *file, int raw_hz, struct err *e)
{
    int rc = audiosource_open(&f->source, file, raw_hz != 0, e);

    if (rc < 0)
        return rc;
    f->channels = 1;
    f->rate_hz = raw_hz;
    f->source.name = f->name;
    if (raw_hz == 0)
        rc = open_decoder(f, e);
    else if (!f->source.live)
        f->promised = (uint64_t)f->source.size / 2;
    if (rc == 0 && resample_new(&f->resample, f->rate_hz, OUT_HZ) < 0)
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = refill(f, e); /* shows whether there is any sound */
    if (rc == 0 && f->in == 0)
        rc = refuse_empty(f, e);
    return rc;
}

int audiofile_open(struct audiofile **out, const char *file, int raw_hz, const struct log *log,
                   struct err *e)
{
    struct audiofile *f;
    int rc;

    *out = NULL;
    if (raw_hz != 0 && (raw_hz < RATE_MIN || raw_hz > RATE_MAX))
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "a rate of %d Hz for raw samples is out of range: %d to %d", raw_hz,
                       RATE_MIN, RATE_MAX);
    f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    f->source.fd = -1;
    f->log = log;
    f->name = strdup(strcmp(file, "-") == 0 ? "standard input" : file);
    rc = f->name != NULL ? prepare(f, file, raw_hz, e)
                         : err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    if (rc < 0) {
        audiofile_close(f);
        return rc;
    }
    *out = f;
    return 0;
}

double audiofile_seconds(const struct audiofile *f)
{
    return f->promised > 0 ? (double)f->promised / f->rate_hz : -1;
}

void audiofile_close(struct audiofile *f)
{
    if (f == NULL)
        return;
    if (f->decoder != NULL) {
        quiet(f, true);
        sf_close(f->decoder);
        quiet(f, false);
    }
    audiosource_close(&f->source);
    resample_free(f->resample);
    free(f->frames);
    free(f->name);
    free(f);
}
