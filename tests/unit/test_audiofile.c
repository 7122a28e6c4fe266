/* audiofile: what is heard in a recording, and what is said of one that cannot be read. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/audiofile.h"
#include "fake/scratch.h"
#include "util/buf.h"

#define PI       3.14159265358979323846
#define TONE_RMS 5657 /* 8000 / sqrt(2) */

static struct scratch dir;

static int setup(void **state)
{
    (void)state;
    scratch_new(&dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_free(&dir);
    return 0;
}

/* --- recordings made by hand */

static void le(struct buf *b, unsigned long long v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)(v >> (8 * i));
        buf_add(b, &c, 1);
    }
}

struct wav {
    unsigned channels, rate, bits; /* bits 32: float */
    long long riff, data;          /* sizes to claim; -1: the truth */
};

static void wav_make(struct buf *b, struct wav w, const void *samples, size_t bytes)
{
    unsigned frame = w.channels * w.bits / 8;

    buf_adds(b, "RIFF");
    le(b, w.riff < 0 ? bytes + 36 : (unsigned long long)w.riff, 4);
    buf_adds(b, "WAVEfmt ");
    le(b, 16, 4);
    le(b, w.bits == 32 ? 3 : 1, 2);
    le(b, w.channels, 2);
    le(b, w.rate, 4);
    le(b, (unsigned long long)w.rate * frame, 4);
    le(b, frame, 2);
    le(b, w.bits, 2);
    buf_adds(b, "data");
    le(b, w.data < 0 ? bytes : (unsigned long long)w.data, 4);
    if (bytes > 0)
        buf_add(b, samples, bytes);
    assert_false(buf_failed(b));
}

static void wav_put(const char *name, struct wav w, const void *samples, size_t bytes)
{
    struct buf b = BUF_INIT;

    wav_make(&b, w, samples, bytes);
    scratch_put(&dir, name, b.data, b.len);
    buf_free(&b);
}

static const struct wav plain = {1, 16000, 16, -1, -1};

static void ramp(int16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (int16_t)(i * 37 % 20011 - 10000);
}

static void tone_put(const char *name, int format, int rate_hz, double seconds)
{
    SF_INFO info = {.samplerate = rate_hz, .channels = 1, .format = format};
    size_t n = (size_t)(seconds * rate_hz);
    float *x = calloc(n, sizeof *x);
    SNDFILE *f = sf_open(scratch_path(&dir, name), SFM_WRITE, &info);

    assert_non_null(x);
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(8000 / 32768.0 * sin(2 * PI * 440 * (double)i / rate_hz));
    assert_int_equal(sf_write_float(f, x, (sf_count_t)n), n);
    assert_int_equal(sf_close(f), 0);
    free(x);
}

/* --- what is read */

struct heard {
    int code; /* of open, or of the read that failed */
    struct err e;
    double seconds; /* as told before reading */
    int16_t *x;
    size_t n;
    char *log; /* warnings */
    size_t log_len;
};

static struct heard hear(const char *file, int raw_hz)
{
    struct heard h = {0};
    struct audiofile *f;
    FILE *to = open_memstream(&h.log, &h.log_len);
    struct log log = {LOG_INFO, to};
    size_t got = 1, room = 1000;

    assert_non_null(to);
    h.code = audiofile_open(&f, file, raw_hz, &log, &h.e);
    if (h.code < 0)
        assert_null(f);
    else
        h.seconds = audiofile_seconds(f);
    h.x = malloc(room * sizeof *h.x);
    while (h.code == 0 && got > 0) {
        assert_non_null(h.x);
        h.code = audiofile_read(f, h.x + h.n, room - h.n, &got, &h.e);
        h.n += got;
        if (room - h.n < 500) {
            room *= 2;
            h.x = realloc(h.x, room * sizeof *h.x);
        }
    }
    audiofile_close(f);
    fclose(to);
    return h;
}

static struct heard hear_scratch(const char *name)
{
    return hear(scratch_path(&dir, name), 0);
}

static void forget(struct heard *h)
{
    free(h->x);
    free(h->log);
}

static void assert_refused(struct heard h, int code, enum status status, const char *words)
{
    assert_int_equal(h.code, code);
    assert_int_equal(h.e.code, code);
    assert_int_equal(h.e.status, status);
    if (strstr(h.e.text, words) == NULL)
        fail_msg("no '%s' in: %s", words, h.e.text);
    assert_string_equal(h.log, "");
    forget(&h);
}

static void assert_warned(const struct heard *h, const char *words)
{
    if (strstr(h->log, words) == NULL)
        fail_msg("no '%s' in the warnings: %s", words, h->log);
}

static double rms(const struct heard *h)
{
    double sum = 0;

    for (size_t i = 0; i < h->n; i++)
        sum += (double)h->x[i] * h->x[i];
    return h->n > 0 ? sqrt(sum / (double)h->n) : 0;
}

static void samples_of_16_khz_are_untouched(void **state)
{
    int16_t x[5000];
    struct heard h;

    (void)state;
    ramp(x, 5000);
    wav_put("a.wav", plain, x, sizeof x);
    h = hear_scratch("a.wav");
    assert_int_equal(h.code, 0);
    assert_int_equal(h.n, 5000);
    assert_memory_equal(h.x, x, sizeof x);
    assert_float_equal(h.seconds, 5000 / 16000.0, 1e-6);
    assert_string_equal(h.log, "");
    forget(&h);
}

static void other_rates_keep_length_and_level(void **state)
{
    static const int rates[] = {1000, 8000, 22050, 44100, 48000, 768000};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct heard h;
        tone_put("a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, rates[i], 0.5);
        h = hear_scratch("a.wav");
        assert_int_equal(h.code, 0);
        assert_int_equal(h.n, 8000);
        assert_float_equal(rms(&h), TONE_RMS, rates[i] == 1000 ? 600 : 60);
        forget(&h);
    }
}

static void every_length_is_rounded_up(void **state)
{
    static const unsigned rates[] = {8000, 11025, 44100, 48000, 767999};
    int16_t x[120];

    (void)state;
    for (size_t i = 0; i < 120; i++)
        x[i] = 12345;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        for (size_t n = 1; n <= 120; n++) {
            struct heard h;
            wav_put("a.wav", (struct wav){1, rates[i], 16, -1, -1}, x, n * sizeof *x);
            h = hear_scratch("a.wav");
            assert_int_equal(h.code, 0);
            assert_int_equal(h.n, (n * 16000 + rates[i] - 1) / rates[i]);
            forget(&h);
        }
}

static void formats_are_told_apart_by_content(void **state)
{
    static const int formats[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_24,
        SF_FORMAT_WAVEX | SF_FORMAT_FLOAT,
        SF_FORMAT_WAV | SF_FORMAT_ULAW,
        SF_FORMAT_RF64 | SF_FORMAT_PCM_16,
        SF_FORMAT_W64 | SF_FORMAT_PCM_16,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_16,
        SF_FORMAT_AU | SF_FORMAT_PCM_16,
        SF_FORMAT_CAF | SF_FORMAT_PCM_16,
        SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
        SF_FORMAT_OGG | SF_FORMAT_VORBIS,
        SF_FORMAT_OGG | SF_FORMAT_OPUS,
        0x230082 /* MP3 */,
        SF_FORMAT_WAV | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG,
    };

    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        SF_INFO info = {.samplerate = 48000, .channels = 1, .format = formats[i]};
        struct heard h;
        if (!sf_format_check(&info))
            continue; /* an older libsndfile */
        tone_put("recording", formats[i], 48000, 1);
        h = hear_scratch("recording");
        assert_int_equal(h.code, 0);
        assert_in_range(h.n, 16000, formats[i] == 0x230082 ? 18000 : 16000);
        assert_float_equal(rms(&h), TONE_RMS, 400);
        assert_string_equal(h.log, "");
        forget(&h);
    }
}

static void thirty_two_channels_are_averaged(void **state)
{
    int16_t x[100 * 32];
    struct heard h;

    (void)state;
    for (int i = 0; i < 100 * 32; i++)
        x[i] = (int16_t)(i % 32 == 0 ? 32000 : i / 32);
    wav_put("a.wav", (struct wav){32, 16000, 16, -1, -1}, x, sizeof x);
    h = hear_scratch("a.wav");
    assert_int_equal(h.n, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(h.x[i], lrint((32000 + 31 * i) / 32.0));
    forget(&h);
}

static void no_channel_and_too_many_are_refused(void **state)
{
    static const int16_t x[33 * 4];

    (void)state;
    wav_put("a.wav", (struct wav){0, 16000, 16, -1, -1}, x, sizeof x);
    assert_refused(hear_scratch("a.wav"), -EINVAL, STATUS_FAILED, "has 0 channels");
    wav_put("a.wav", (struct wav){33, 16000, 16, -1, -1}, x, sizeof x);
    assert_refused(hear_scratch("a.wav"), -EINVAL, STATUS_FAILED, "has 33 channels");
}

static void rates_out_of_range_are_refused(void **state)
{
    static const unsigned rates[] = {0, 1, 999, 768001, 4294967295u};
    static const int16_t x[100];

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        wav_put("a.wav", (struct wav){1, rates[i], 16, -1, -1}, x, sizeof x);
        assert_refused(hear_scratch("a.wav"), -EINVAL, STATUS_FAILED, "sample rate");
    }
    assert_refused(hear(scratch_path(&dir, "a.wav"), 999), -EINVAL, STATUS_USAGE, "999 Hz");
    assert_refused(hear(scratch_path(&dir, "a.wav"), -1), -EINVAL, STATUS_USAGE, "-1 Hz");
}

static void what_is_not_a_number_is_silent_and_what_is_too_loud_is_clipped(void **state)
{
    const float x[] = {NAN, INFINITY, -INFINITY, 0.5f, 3.0f, -3.0f, 1e30f, -1.0f};
    const int16_t y[] = {0, 0, 0, 16384, 32767, -32768, 32767, -32768};
    struct heard h;

    (void)state;
    wav_put("a.wav", (struct wav){1, 16000, 32, -1, -1}, x, sizeof x);
    h = hear_scratch("a.wav");
    assert_int_equal(h.n, 8);
    assert_memory_equal(h.x, y, sizeof y);
    forget(&h);
}

static void silence_is_read_as_silence(void **state)
{
    static const int16_t x[48000];
    struct heard h;

    (void)state;
    wav_put("a.wav", (struct wav){1, 48000, 16, -1, -1}, x, sizeof x);
    h = hear_scratch("a.wav");
    assert_int_equal(h.n, 16000);
    assert_true(rms(&h) == 0);
    forget(&h);
}

/* --- headers that lie */

static void a_wav_that_ends_early_is_read_to_its_end(void **state)
{
    int16_t x[1600];
    struct heard h;

    (void)state;
    ramp(x, 1600);
    wav_put("a.wav", (struct wav){1, 16000, 16, -1, 32000}, x, sizeof x);
    h = hear_scratch("a.wav");
    assert_int_equal(h.n, 1600);
    assert_memory_equal(h.x, x, sizeof x);
    assert_float_equal(h.seconds, 0.1, 1e-6);
    assert_warned(&h, "promises 1.0 s, 0.1 s are there");
    forget(&h);
}

static void a_wav_without_a_length_is_read_to_its_end(void **state)
{
    static const long long sizes[] = {0,          0xffffffff, 0x7fffffff,
                                      0x7ffff000, 0x80000000, 0xfffffff0};
    int16_t x[1600];

    (void)state;
    ramp(x, 1600);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct heard h;
        wav_put("a.wav", (struct wav){1, 16000, 16, sizes[i], sizes[i]}, x, sizeof x);
        h = hear_scratch("a.wav");
        assert_int_equal(h.code, 0);
        assert_int_equal(h.n, 1600);
        assert_memory_equal(h.x, x, sizeof x);
        assert_float_equal(h.seconds, 0.1, 1e-6);
        assert_warned(&h, "gives no length");
        forget(&h);
    }
}

static void an_rf64_without_a_length_is_read_to_its_end(void **state)
{
    unsigned char *bytes;
    struct heard h;
    size_t n;

    (void)state;
    tone_put("a.wav", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 16000, 0.1);
    bytes = scratch_get(&dir, "a.wav", &n);
    assert_memory_equal(bytes + 12, "ds64", 4);
    memset(bytes + 20, 0, 24); /* as ffmpeg leaves it in a pipe */
    scratch_put(&dir, "a.wav", bytes, n);
    free(bytes);
    h = hear_scratch("a.wav");
    assert_int_equal(h.n, 1600);
    assert_warned(&h, "gives no length");
    forget(&h);
}

static void chunks_after_an_empty_recording_are_not_sound(void **state)
{
    (void)state;
    wav_put("a.wav", (struct wav){1, 16000, 16, -1, 0}, "LIST\4\0\0\0INFOcue \0\0\0\0", 20);
    assert_refused(hear_scratch("a.wav"), -ENODATA, STATUS_FAILED, "no samples");
}

static void a_flac_that_ends_early_is_read_to_its_end(void **state)
{
    unsigned char *bytes;
    struct heard h;
    size_t n;

    (void)state;
    tone_put("a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 2);
    bytes = scratch_get(&dir, "a.flac", &n);
    scratch_put(&dir, "a.flac", bytes, n / 2);
    free(bytes);
    h = hear_scratch("a.flac");
    assert_int_equal(h.code, 0);
    assert_in_range(h.n, 8000, 24000);
    assert_warned(&h, "a.flac' is ");
    forget(&h);
}

static void a_flac_without_a_length_has_unknown_seconds(void **state)
{
    unsigned char *bytes;
    struct heard h;
    size_t n;

    (void)state;
    tone_put("a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 1);
    bytes = scratch_get(&dir, "a.flac", &n);
    bytes[21] &= 0xf0; /* 36 bits of total samples, RFC 9639 section 8.2 */
    memset(bytes + 22, 0, 4);
    scratch_put(&dir, "a.flac", bytes, n);
    free(bytes);
    h = hear_scratch("a.flac");
    assert_float_equal(h.seconds, -1, 0);
    assert_int_equal(h.n, 16000);
    forget(&h);
}

/* libmpg123 has much to say about a damaged file, and says it on descriptor 2. */
static void a_damaged_mp3_is_read_without_noise_on_the_screen(void **state)
{
    SF_INFO info = {.samplerate = 48000, .channels = 1, .format = 0x230082};
    unsigned char *bytes;
    struct heard h;
    char said[100];
    int fds[2], saved;
    size_t n;

    (void)state;
    if (!sf_format_check(&info))
        skip(); /* an older libsndfile */
    tone_put("a.mp3", 0x230082, 24000, 3);
    bytes = scratch_get(&dir, "a.mp3", &n);
    for (size_t i = n / 3; i < n / 3 + 300; i++)
        bytes[i] = (unsigned char)(i * 7);
    scratch_put(&dir, "a.mp3", bytes, n * 2 / 3);
    free(bytes);
    assert_int_equal(pipe(fds), 0);
    saved = scratch_redirect(2, fds[1]);
    h = hear_scratch("a.mp3");
    scratch_restore(2, saved);
    assert_int_equal(h.code, 0);
    assert_in_range(h.n, 8000, 40000);
    assert_warned(&h, "a.mp3' is ");
    assert_int_equal(read(fds[0], said, sizeof said), 0);
    close(fds[0]);
    forget(&h);
}

static void any_beginning_and_any_flipped_byte_is_survived(void **state)
{
    static const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM,
                                  SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
                                  SF_FORMAT_AIFF | SF_FORMAT_PCM_16};
    unsigned seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        unsigned char *bytes;
        size_t n;
        tone_put("a", formats[i], 8000, 0.2);
        bytes = scratch_get(&dir, "a", &n);
        for (size_t cut = 0; cut < 200; cut++) {
            struct heard h;
            unsigned char *at = bytes + cut % n, was = *at;
            scratch_put(&dir, "a", bytes, cut);
            h = hear_scratch("a");
            forget(&h);
            seed = seed * 1103515245u + 12345u;
            *at = (unsigned char)(seed >> 16);
            scratch_put(&dir, "a", bytes, n);
            *at = was;
            h = hear_scratch("a");
            assert_true(h.code < 0 || h.n < 16000 * 3600u);
            forget(&h);
        }
        free(bytes);
    }
}

/* --- what is not a recording */

static void what_is_not_a_recording_is_refused_by_name(void **state)
{
    unsigned char noise[600];
    struct heard h;

    (void)state;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)(i * 151 + 3);
    assert_refused(hear_scratch("none.wav"), -ENOENT, STATUS_FAILED, "none.wav");
    assert_refused(hear(dir.dir, 0), -EISDIR, STATUS_FAILED, "is a folder");
    assert_refused(hear(dir.dir, 16000), -EISDIR, STATUS_FAILED, "is a folder");
    scratch_put(&dir, "a.wav", "", 0);
    assert_refused(hear_scratch("a.wav"), -ENODATA, STATUS_FAILED, "is empty");
    assert_refused(hear(scratch_path(&dir, "a.wav"), 8000), -ENODATA, STATUS_FAILED, "is empty");
    scratch_put(&dir, "a.wav", "Grüße,\nthis is a letter.\n", 27);
    assert_refused(hear_scratch("a.wav"), -EINVAL, STATUS_FAILED, "is text");
    scratch_put(&dir, "a.wav", "\xff\xfeH\0i\0", 6);
    assert_refused(hear_scratch("a.wav"), -EINVAL, STATUS_FAILED, "is text");
    scratch_put(&dir, "a.wav", noise, sizeof noise);
    assert_refused(hear_scratch("a.wav"), -EINVAL, STATUS_FAILED, "is not audio");
    wav_put("a.wav", plain, NULL, 0);
    assert_refused(hear_scratch("a.wav"), -ENODATA, STATUS_FAILED, "no samples");
    scratch_put(&dir, "a.wav", "RIFF\x24\0\0\0WAVEfmt \x10\0\0", 19);
    assert_refused(hear_scratch("a.wav"), -ENODATA, STATUS_FAILED, "no samples");
    scratch_put(&dir, "a.flac", "fLaC\0\0\0\x22", 8);
    h = hear_scratch("a.flac");
    assert_true(h.code < 0 && h.e.text[0] != '\0');
    forget(&h);
}

/* --- raw samples */

static void raw_samples_are_read_at_the_rate_given(void **state)
{
    int16_t x[4000];
    struct heard h;

    (void)state;
    ramp(x, 4000);
    scratch_put(&dir, "a.raw", x, sizeof x);
    h = hear(scratch_path(&dir, "a.raw"), 16000);
    assert_int_equal(h.n, 4000);
    assert_memory_equal(h.x, x, sizeof x);
    assert_float_equal(h.seconds, 0.25, 1e-6);
    forget(&h);
    h = hear(scratch_path(&dir, "a.raw"), 8000);
    assert_int_equal(h.n, 8000);
    forget(&h);
}

static void half_a_raw_sample_is_reported(void **state)
{
    struct heard h;

    (void)state;
    scratch_put(&dir, "a.raw", "\1\0\2\0\3", 5);
    h = hear(scratch_path(&dir, "a.raw"), 16000);
    assert_int_equal(h.n, 2);
    assert_warned(&h, "middle of a sample");
    forget(&h);
    scratch_put(&dir, "a.raw", "\1", 1);
    h = hear(scratch_path(&dir, "a.raw"), 16000);
    assert_int_equal(h.code, -ENODATA);
    forget(&h);
}

/* --- stdin and pipes */

static void pipe_new(int fds[2])
{
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFD, FD_CLOEXEC), 0);
}

/* Reads what a pipe brings whose writer wrote all of `bytes` and left. */
static struct heard hear_piped(const void *bytes, size_t n, int raw_hz)
{
    struct heard h;
    int fds[2], saved;
    pid_t child;

    pipe_new(fds);
    child = fork();
    if (child == 0) {
        close(fds[0]);
        while (n > 0) {
            size_t some = n < 777 ? n : 777;
            if (write(fds[1], bytes, some) != (ssize_t)some)
                _exit(1);
            bytes = (const char *)bytes + some;
            n -= some;
        }
        _exit(0);
    }
    assert_true(child > 0);
    close(fds[1]);
    saved = scratch_redirect(0, fds[0]);
    h = hear("-", raw_hz);
    scratch_restore(0, saved);
    waitpid(child, NULL, 0);
    return h;
}

static void pipes_of_every_format_are_read(void **state)
{
    static const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16,
                                  SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
                                  SF_FORMAT_OGG | SF_FORMAT_VORBIS};
    struct heard h;

    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        unsigned char *bytes;
        size_t n;
        tone_put("a", formats[i], 22050, 2);
        bytes = scratch_get(&dir, "a", &n);
        unlink(scratch_path(&dir, "a"));
        setenv("TMPDIR", dir.dir, 1);
        h = hear_piped(bytes, n, 0);
        unsetenv("TMPDIR");
        assert_int_equal(h.code, 0);
        assert_int_equal(h.n, 32000);
        assert_float_equal(h.seconds, 2, 1e-6);
        assert_int_equal(scratch_count(&dir), 0);
        forget(&h);
        free(bytes);
    }
    assert_refused(hear_piped("", 0, 0), -ENODATA, STATUS_FAILED, "'standard input' is empty");
    assert_refused(hear_piped("", 0, 16000), -ENODATA, STATUS_FAILED, "no sound");
    assert_refused(hear_piped("RIFF", 4, 0), -EINVAL, STATUS_FAILED, "is text");
}

static void raw_samples_are_heard_while_the_pipe_is_open(void **state)
{
    struct audiofile *f;
    struct err e;
    int16_t x[1000], y[1000];
    int fds[2], saved;
    size_t n;

    (void)state;
    ramp(x, 1000);
#ifdef O_DIRECT
    assert_int_equal(pipe2(fds, O_DIRECT), 0); /* one write is one read */
#else
    pipe_new(fds);
#endif
    saved = scratch_redirect(0, fds[0]);
    assert_int_equal(write(fds[1], x, 201), 201); /* the last sample is cut in two */
    assert_int_equal(write(fds[1], (char *)x + 201, 99), 99);
    assert_int_equal(audiofile_open(&f, "-", 16000, NULL, &e), 0);
    assert_float_equal(audiofile_seconds(f), -1, 0);
    assert_int_equal(audiofile_read(f, y, 1000, &n, &e), 0);
    assert_int_equal(n, 150);
    assert_memory_equal(x, y, 300);
    assert_int_equal(write(fds[1], x, 20), 20);
    assert_int_equal(audiofile_read(f, y, 1000, &n, &e), 0);
    assert_int_equal(n, 10);
    close(fds[1]);
    assert_int_equal(audiofile_read(f, y, 1000, &n, &e), 0);
    assert_int_equal(n, 0);
    audiofile_close(f);
    scratch_restore(0, saved);
}

static void a_redirected_file_is_read_from_where_it_stands(void **state)
{
    int16_t x[1000];
    struct buf b = BUF_INIT;
    struct heard h;
    int fd, saved;

    (void)state;
    ramp(x, 1000);
    buf_adds(&b, "line 1\n");
    wav_make(&b, plain, x, sizeof x);
    scratch_put(&dir, "a", b.data, b.len);
    buf_free(&b);
    fd = open(scratch_path(&dir, "a"), O_RDONLY);
    assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
    saved = scratch_redirect(0, fd);
    setenv("TMPDIR", "/nowhere", 1); /* nothing needs it */
    h = hear("-", 0);
    unsetenv("TMPDIR");
    scratch_restore(0, saved);
    assert_int_equal(h.code, 0);
    assert_int_equal(h.n, 1000);
    assert_memory_equal(h.x, x, sizeof x);
    forget(&h);
}

static void text_in_a_pipe_is_refused_before_its_end(void **state)
{
    char text[4096];
    int fds[2], saved;

    (void)state;
    memset(text, 'y', sizeof text);
    pipe_new(fds);
    assert_int_equal(write(fds[1], text, sizeof text), sizeof text);
    saved = scratch_redirect(0, fds[0]);
    assert_refused(hear("-", 0), -EINVAL, STATUS_FAILED, "'standard input' is text");
    scratch_restore(0, saved);
    close(fds[1]);
}

static void stdin_that_is_closed_or_a_terminal_is_refused(void **state)
{
    int saved = scratch_redirect(0, -1), terminal;

    (void)state;
    assert_refused(hear("-", 0), -EBADF, STATUS_FAILED, "it is closed");
    scratch_restore(0, saved);
    saved = scratch_redirect(0, open("/dev/null", O_WRONLY)); /* so does a guarded one look */
    assert_refused(hear("-", 0), -EBADF, STATUS_FAILED, "it is closed");
    scratch_restore(0, saved);
    terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0)
        skip();
    saved = scratch_redirect(0, terminal);
    assert_refused(hear("-", 0), -ENOTTY, STATUS_USAGE, "is a terminal");
    scratch_restore(0, saved);
}

static void nothing(int signal_number)
{
    (void)signal_number;
}

static void a_signal_ends_the_wait_for_a_pipe(void **state)
{
    struct sigaction before, wake = {.sa_handler = nothing};
    struct itimerval soon = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    int fds[2], saved;

    (void)state;
    pipe_new(fds);
    saved = scratch_redirect(0, fds[0]);
    sigaction(SIGALRM, &wake, &before);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_refused(hear("-", 0), -EINTR, STATUS_INTERRUPTED, "interrupted");
    assert_refused(hear("-", 16000), -EINTR, STATUS_INTERRUPTED, "interrupted");
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    scratch_restore(0, saved);
    close(fds[1]);
}

static void a_named_pipe_is_read_like_stdin(void **state)
{
    int16_t x[1000];
    struct heard h;
    pid_t child;

    (void)state;
    ramp(x, 1000);
    assert_int_equal(mkfifo(scratch_path(&dir, "fifo"), 0600), 0);
    child = fork();
    if (child == 0) {
        wav_put("fifo", plain, x, sizeof x);
        _exit(0);
    }
    h = hear_scratch("fifo");
    waitpid(child, NULL, 0);
    assert_int_equal(h.n, 1000);
    forget(&h);
}

static void a_missing_tmpdir_is_named(void **state)
{
    (void)state;
    setenv("TMPDIR", "/nowhere/at/all", 1);
    assert_refused(hear_piped("RIFF", 4, 0), -ENOENT, STATUS_FAILED, "'/nowhere/at/all'");
    unsetenv("TMPDIR");
}

/* A limit on file sizes stands for a disk that is full: the write fails in the same way. */
static void no_room_for_a_pipe_is_an_error(void **state)
{
    static int16_t x[20000];
    struct rlimit before, small;
    struct buf b = BUF_INIT;
    struct heard h;

    (void)state;
    wav_make(&b, plain, x, sizeof x);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){8192, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    setenv("TMPDIR", dir.dir, 1);
    h = hear_piped(b.data, b.len, 0);
    unsetenv("TMPDIR");
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    buf_free(&b);
    assert_refused(h, -EFBIG, STATUS_FAILED, "set TMPDIR");
    assert_int_equal(scratch_count(&dir), 0);
}

/* --- long ones */

static void an_hour_takes_no_more_memory_than_a_second(void **state)
{
    struct buf b = BUF_INIT;
    struct rusage before, after;
    struct audiofile *f;
    struct err e;
    int16_t x[8000];
    size_t n, total = 0;
    const long bytes = 3600L * 32000;

    (void)state;
    wav_make(&b, (struct wav){1, 16000, 16, -1, bytes}, NULL, 0);
    scratch_put(&dir, "hour.wav", b.data, b.len);
    assert_int_equal(truncate(scratch_path(&dir, "hour.wav"), (off_t)b.len + bytes), 0);
    buf_free(&b);
    getrusage(RUSAGE_SELF, &before);
    assert_int_equal(audiofile_open(&f, scratch_path(&dir, "hour.wav"), 0, NULL, &e), 0);
    assert_float_equal(audiofile_seconds(f), 3600, 1e-6);
    while (audiofile_read(f, x, 8000, &n, &e) == 0 && n > 0)
        total += n;
    audiofile_close(f);
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(total, 3600 * 16000);
    assert_true(after.ru_maxrss - before.ru_maxrss < 4096); /* kilobytes */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(samples_of_16_khz_are_untouched),
        TEST(other_rates_keep_length_and_level),
        TEST(every_length_is_rounded_up),
        TEST(formats_are_told_apart_by_content),
        TEST(thirty_two_channels_are_averaged),
        TEST(no_channel_and_too_many_are_refused),
        TEST(rates_out_of_range_are_refused),
        TEST(what_is_not_a_number_is_silent_and_what_is_too_loud_is_clipped),
        TEST(silence_is_read_as_silence),
        TEST(a_wav_that_ends_early_is_read_to_its_end),
        TEST(a_wav_without_a_length_is_read_to_its_end),
        TEST(an_rf64_without_a_length_is_read_to_its_end),
        TEST(chunks_after_an_empty_recording_are_not_sound),
        TEST(a_flac_that_ends_early_is_read_to_its_end),
        TEST(a_flac_without_a_length_has_unknown_seconds),
        TEST(a_damaged_mp3_is_read_without_noise_on_the_screen),
        TEST(any_beginning_and_any_flipped_byte_is_survived),
        TEST(what_is_not_a_recording_is_refused_by_name),
        TEST(raw_samples_are_read_at_the_rate_given),
        TEST(half_a_raw_sample_is_reported),
        TEST(pipes_of_every_format_are_read),
        TEST(raw_samples_are_heard_while_the_pipe_is_open),
        TEST(a_redirected_file_is_read_from_where_it_stands),
        TEST(text_in_a_pipe_is_refused_before_its_end),
        TEST(stdin_that_is_closed_or_a_terminal_is_refused),
        TEST(a_signal_ends_the_wait_for_a_pipe),
        TEST(a_named_pipe_is_read_like_stdin),
        TEST(a_missing_tmpdir_is_named),
        TEST(no_room_for_a_pipe_is_an_error),
        TEST(an_hour_takes_no_more_memory_than_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
