/* audiowriter: what is in the file in the end, when it is there, and what a failure leaves. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/audiofile.h"
#include "fake/scratch.h"

#define PI 3.14159265358979323846

static struct scratch dir;

static int setup(void **state)
{
    (void)state;
    scratch_new(&dir);
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_free(&dir);
    return 0;
}

static void tone(int16_t *x, size_t n, int rate_hz)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (int16_t)lrint(8000 * sin(2 * PI * 440 * (double)i / rate_hz));
}

static void assert_says(const struct err *e, int code, enum status status, const char *words)
{
    assert_int_equal(e->code, code);
    assert_int_equal(e->status, status);
    if (strstr(e->text, words) == NULL)
        fail_msg("no '%s' in: %s", words, e->text);
}

static void assert_open_fails(const char *file, bool force, int code, enum status status,
                              const char *words)
{
    struct audiowriter *w;
    struct err e = {0};

    assert_int_equal(audiowriter_open(&w, file, 16000, force, &e), code);
    assert_null(w);
    assert_says(&e, code, status, words);
}

/* Writes n samples in pieces of 700 and finishes. */
static void write_whole(const char *file, int rate_hz, bool force, const int16_t *x, size_t n)
{
    struct audiowriter *w;
    struct err e = {0};

    if (audiowriter_open(&w, file, rate_hz, force, &e) != 0)
        fail_msg("%s", e.text);
    for (size_t at = 0; at < n; at += 700)
        assert_int_equal(audiowriter_write(w, x + at, n - at < 700 ? n - at : 700, &e), 0);
    if (audiowriter_finish(w, &e) != 0)
        fail_msg("%s", e.text);
}

static uint32_t le32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* --- formats */

struct expectation {
    const char *name;
    int format, given_hz, kept_hz;
};

static void the_ending_chooses_the_format_and_a_rate_that_it_can_have(void **state)
{
    static const struct expectation all[] = {
        {"a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 22050, 22050},
        {"a.WAV", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 768000, 768000},
        {"a", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 16000},
        {"a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 22050, 22050},
        {"a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 192000, 48000},
        {"a.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 22050, 22050},
        {"a.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 4000, 8000},
        {"a.opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 22050, 24000},
        {"a.Opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 16000, 16000},
        {"a.opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 96000, 48000},
        {"a.mp3", 0x230082, 22050, 22050},
        {"a.mp3", 0x230082, 23000, 24000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        SF_INFO info = {.samplerate = 48000, .channels = 1, .format = all[i].format};
        const char *file = scratch_path(&dir, all[i].name);
        size_t n = (size_t)all[i].given_hz;
        int16_t *x = malloc(n * sizeof *x);
        double power = 0, frames;
        SNDFILE *f;
        assert_non_null(x);
        if (!sf_format_check(&info)) { /* an older libsndfile */
            assert_open_fails(file, true, -ENOTSUP, STATUS_FAILED, "does not know");
            free(x);
            continue;
        }
        tone(x, n, all[i].given_hz);
        write_whole(file, all[i].given_hz, true, x, n);
        info.format = 0;
        f = sf_open(file, SFM_READ, &info);
        assert_non_null(f);
        assert_int_equal(info.format, all[i].format);
        assert_int_equal(info.channels, 1);
        x = realloc(x, 800000 * sizeof *x);
        assert_non_null(x);
        frames = (double)sf_read_short(f, x, 800000);
        assert_int_equal(info.samplerate, all[i].kept_hz);
        assert_in_range(frames / info.samplerate * 1000, 999, 1100);
        for (int k = 0; k < (int)frames; k++)
            power += (double)x[k] * x[k];
        assert_in_range(sqrt(power / frames), 5300, 6000);
        sf_close(f);
        free(x);
    }
}

static void wav_and_raw_keep_every_sample(void **state)
{
    int16_t x[3000];
    unsigned char *bytes;
    size_t n;

    (void)state;
    for (int i = 0; i < 3000; i++)
        x[i] = (int16_t)(i * 2477);
    write_whole(scratch_path(&dir, "a.wav"), 24000, false, x, 3000);
    bytes = scratch_get(&dir, "a.wav", &n);
    assert_int_equal(n, 44 + 6000);
    assert_memory_equal(bytes, "RIFF", 4);
    assert_int_equal(le32(bytes + 4), 36 + 6000);
    assert_memory_equal(bytes + 8, "WAVEfmt \x10\0\0\0\1\0\1\0", 16);
    assert_int_equal(le32(bytes + 24), 24000);
    assert_int_equal(le32(bytes + 28), 48000);
    assert_memory_equal(bytes + 32, "\2\0\x10\0data", 8);
    assert_int_equal(le32(bytes + 40), 6000);
    for (int i = 0; i < 3000; i++)
        assert_int_equal((int16_t)(bytes[44 + 2 * i] | bytes[45 + 2 * i] << 8), x[i]);
    write_whole(scratch_path(&dir, "a.raw"), 24000, false, x, 3000);
    free(bytes);
    bytes = scratch_get(&dir, "a.raw", &n);
    assert_int_equal(n, 6000);
    assert_int_equal((int16_t)(bytes[2] | bytes[3] << 8), x[1]);
    free(bytes);
}

static void a_recording_of_nothing_is_a_recording(void **state)
{
    static const char *const names[] = {"a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        SF_INFO info = {0};
        SNDFILE *f;
        info.samplerate = 48000;
        info.channels = 1;
        info.format = 0x230082;
        if (strcmp(names[i], "a.mp3") == 0 && !sf_format_check(&info))
            continue; /* an older libsndfile */
        write_whole(scratch_path(&dir, names[i]), 16000, false, NULL, 0);
        info.format = 0;
        f = sf_open(scratch_path(&dir, names[i]), SFM_READ, &info);
        assert_non_null(f);
        sf_close(f);
    }
}

/* --- files */

static void an_existing_file_is_replaced_only_with_force(void **state)
{
    static const int16_t x[100];
    unsigned char *bytes;
    struct stat st;
    size_t n;

    (void)state;
    scratch_put(&dir, "a.wav", "precious", 8);
    assert_int_equal(chmod(scratch_path(&dir, "a.wav"), 0640), 0);
    assert_open_fails(dir.path, false, -EEXIST, STATUS_FAILED, "--force");
    bytes = scratch_get(&dir, "a.wav", &n);
    assert_memory_equal(bytes, "precious", 8);
    free(bytes);
    write_whole(scratch_path(&dir, "a.wav"), 16000, true, x, 100);
    assert_int_equal(stat(dir.path, &st), 0);
    assert_int_equal(st.st_size, 244);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(scratch_count(&dir), 1);
}

static void what_was_there_stays_until_the_end(void **state)
{
    static const int16_t x[100];
    struct audiowriter *w;
    struct err e;
    unsigned char *bytes;
    size_t n;

    (void)state;
    scratch_put(&dir, "a.wav", "precious", 8);
    assert_int_equal(audiowriter_open(&w, dir.path, 16000, true, &e), 0);
    assert_int_equal(audiowriter_write(w, x, 100, &e), 0);
    assert_int_equal(scratch_count(&dir), 2); /* beside its place */
    audiowriter_abandon(w);
    bytes = scratch_get(&dir, "a.wav", &n);
    assert_int_equal(n, 8);
    assert_memory_equal(bytes, "precious", 8);
    free(bytes);
    assert_int_equal(scratch_count(&dir), 1);
}

static void a_file_that_appears_in_the_meantime_is_left_alone(void **state)
{
    struct audiowriter *w;
    struct err e;
    unsigned char *bytes;
    size_t n;

    (void)state;
    assert_int_equal(audiowriter_open(&w, scratch_path(&dir, "a.wav"), 16000, false, &e), 0);
    scratch_put(&dir, "a.wav", "precious", 8);
    assert_int_equal(audiowriter_finish(w, &e), -EEXIST);
    assert_says(&e, -EEXIST, STATUS_FAILED, "a.wav");
    bytes = scratch_get(&dir, "a.wav", &n);
    assert_int_equal(n, 8);
    free(bytes);
    assert_int_equal(scratch_count(&dir), 1);
}

static void a_link_stays_a_link(void **state)
{
    static const int16_t x[100];
    char target[512];
    struct stat st;

    (void)state;
    scratch_put(&dir, "real.wav", "old", 3);
    snprintf(target, sizeof target, "%s", dir.path);
    assert_int_equal(symlink(target, scratch_path(&dir, "link.wav")), 0);
    write_whole(scratch_path(&dir, "link.wav"), 16000, true, x, 100);
    assert_int_equal(lstat(dir.path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(lstat(target, &st), 0);
    assert_int_equal(st.st_size, 244);
}

static void places_that_cannot_be_written_are_named(void **state)
{
    int status;
    pid_t child;

    (void)state;
    assert_open_fails(dir.dir, true, -EISDIR, STATUS_FAILED, "is a folder");
    assert_open_fails(scratch_path(&dir, "none/a.wav"), false, -ENOENT, STATUS_FAILED, "none/'");
    assert_open_fails("/dev/null/a.wav", false, -ENOTDIR, STATUS_FAILED, "/dev/null/");
    assert_int_equal(chmod(dir.dir, 0555), 0);
    scratch_path(&dir, "a.wav");
    child = fork(); /* root may write anywhere: somebody else tries */
    if (child == 0) {
        struct audiowriter *w;
        struct err e;
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        _exit(audiowriter_open(&w, dir.path, 16000, false, &e) == -EACCES &&
                      strstr(e.text, dir.dir) != NULL
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A limit on file sizes stands for a disk that is full: the write fails in the same way. */
static void no_room_is_an_error_that_leaves_nothing(void **state)
{
    static const char *const names[] = {"a.wav", "a.raw", "a.flac", "a.ogg", "a.opus"};
    static int16_t x[80000];
    struct rlimit before, small;
    unsigned seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        seed = seed * 1103515245u + 12345u;
        x[i] = (int16_t)(seed >> 16);
    }
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){8192, before.rlim_max};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct audiowriter *w;
        struct err e = {0};
        int rc;
        setrlimit(RLIMIT_FSIZE, &small);
        assert_int_equal(audiowriter_open(&w, scratch_path(&dir, names[i]), 16000, false, &e), 0);
        (void)audiowriter_write(w, x, sizeof x / sizeof *x, &e);
        rc = audiowriter_finish(w, &e);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(rc, -EFBIG);
        assert_says(&e, -EFBIG, STATUS_FAILED, names[i]);
        assert_int_equal(scratch_count(&dir), 0);
    }
    signal(SIGXFSZ, SIG_DFL);
}

static void a_device_is_written_and_not_replaced(void **state)
{
    static const int16_t x[100];
    struct audiowriter *w;
    struct err e;
    struct stat st;

    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_int_equal(audiowriter_open(&w, "/dev/full", 16000, true, &e), 0);
    assert_int_equal(audiowriter_write(w, x, 100, &e), -ENOSPC);
    assert_says(&e, -ENOSPC, STATUS_FAILED, "make room");
    assert_int_equal(audiowriter_write(w, x, 100, &e), -ENOSPC);
    assert_int_equal(audiowriter_finish(w, &e), -ENOSPC);
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(mkfifo(scratch_path(&dir, "a.flac"), 0600), 0);
    assert_open_fails(dir.path, true, -ESPIPE, STATUS_FAILED, "use .wav or .raw");
}

/* --- stdout */

static void a_pipe_gets_a_streaming_header_and_each_write_at_once(void **state)
{
    int16_t x[100], y[100];
    unsigned char h[44];
    struct audiowriter *w;
    struct err e;
    int fds[2], saved;
    ssize_t nothing;

    (void)state;
    tone(x, 100, 16000);
    assert_int_equal(pipe(fds), 0);
    saved = scratch_redirect(1, fds[1]);
    assert_int_equal(audiowriter_open(&w, "-", 22050, false, &e), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    nothing = read(fds[0], h, 44); /* who fails before the first sample has written nothing */
    assert_int_equal(audiowriter_write(w, x, 100, &e), 0);
    assert_int_equal(read(fds[0], h, 44), 44);
    assert_int_equal(read(fds[0], y, 200), 200);
    assert_int_equal(audiowriter_write(w, x, 50, &e), 0);
    assert_int_equal(read(fds[0], y, 200), 100);
    assert_int_equal(audiowriter_finish(w, &e), 0);
    scratch_restore(1, saved);
    assert_int_equal(read(fds[0], y, 200), 0);
    close(fds[0]);
    assert_int_equal(nothing, -1);
    assert_memory_equal(h, "RIFF\xff\xff\xff\xffWAVEfmt ", 16);
    assert_memory_equal(h + 36, "data\xff\xff\xff\xff", 8);
    assert_int_equal(le32(h + 24), 22050);
    assert_memory_equal(y, x, 100);
}

static void a_redirected_file_gets_its_sizes(void **state)
{
    static const int16_t x[100];
    unsigned char *bytes;
    int fd, saved;
    size_t n;

    (void)state;
    scratch_put(&dir, "out", "line 1\n", 7);
    fd = open(dir.path, O_WRONLY);
    assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
    saved = scratch_redirect(1, fd);
    write_whole("-", 16000, false, x, 100);
    assert_int_equal(write(1, "end", 3), 3); /* goes on behind it */
    scratch_restore(1, saved);
    bytes = scratch_get(&dir, "out", &n);
    assert_int_equal(n, 7 + 244 + 3);
    assert_int_equal(le32(bytes + 7 + 4), 236);
    assert_int_equal(le32(bytes + 7 + 40), 200);
    assert_memory_equal(bytes + 251, "end", 3);
    free(bytes);
}

static void a_file_that_is_appended_to_is_only_appended_to(void **state)
{
    static const int16_t x[100];
    unsigned char *bytes;
    size_t n;
    int saved;

    (void)state;
    scratch_put(&dir, "out", "line 1\n", 7);
    saved = scratch_redirect(1, open(dir.path, O_WRONLY | O_APPEND));
    write_whole("-", 16000, false, x, 100);
    scratch_restore(1, saved);
    bytes = scratch_get(&dir, "out", &n);
    assert_int_equal(n, 7 + 244);
    assert_memory_equal(bytes, "line 1\nRIFF\xff\xff\xff\xff", 15);
    free(bytes);
}

static void stdout_that_cannot_take_audio_is_refused(void **state)
{
    int terminal, saved = scratch_redirect(1, -1);
    struct audiowriter *w;
    struct err e = {0};
    int rc = audiowriter_open(&w, "-", 16000, false, &e);

    (void)state;
    scratch_restore(1, saved);
    assert_int_equal(rc, -EBADF);
    assert_says(&e, -EBADF, STATUS_FAILED, "it is closed");
    saved =
        scratch_redirect(1, open("/dev/null", O_RDONLY)); /* so does a guarded descriptor look */
    rc = audiowriter_open(&w, "-", 16000, false, &e);
    scratch_restore(1, saved);
    assert_int_equal(rc, -EBADF);
    terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0)
        skip();
    saved = scratch_redirect(1, terminal);
    rc = audiowriter_open(&w, "-", 16000, true, &e);
    scratch_restore(1, saved);
    assert_int_equal(rc, -ENOTTY);
    assert_says(&e, -ENOTTY, STATUS_USAGE, "terminal");
}

static void a_reader_that_left_is_an_error(void **state)
{
    static const int16_t x[100];
    struct audiowriter *w;
    struct err e;
    int fds[2], saved, rc, again;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    saved = scratch_redirect(1, fds[1]);
    assert_int_equal(audiowriter_open(&w, "-", 16000, false, &e), 0);
    close(fds[0]);
    rc = audiowriter_write(w, x, 100, &e);
    again = audiowriter_finish(w, &e);
    scratch_restore(1, saved);
    assert_int_equal(rc, -EPIPE);
    assert_int_equal(again, -EPIPE);
    assert_says(&e, -EPIPE, STATUS_FAILED, "has stopped");
}

/* Writes 400 kB to stdout, which is a full pipe most of the time; the exit status of a child. */
static int write_much(int fd)
{
    static int16_t x[200000];
    struct audiowriter *w;
    struct err e;

    if (dup2(fd, 1) != 1 || audiowriter_open(&w, "-", 16000, false, &e) != 0)
        return 1;
    if (audiowriter_write(w, x, sizeof x / sizeof *x, &e) != 0)
        return 2;
    return audiowriter_finish(w, &e) == 0 ? 0 : 3;
}

/* Another program that shares the pipe may have made it non-blocking. */
static void a_slow_reader_of_a_non_blocking_pipe_loses_nothing(void **state)
{
    const struct timespec pause = {0, 1000000};
    char bytes[4096];
    size_t total = 0;
    int fds[2], status, waiting = 0;
    ssize_t n;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    child = fork();
    if (child == 0) {
        close(fds[0]);
        _exit(write_much(fds[1]));
    }
    close(fds[1]);
    for (int i = 0; i < 3000 && waiting < 50000; i++) { /* until it is full */
        nanosleep(&pause, NULL);
        assert_int_equal(ioctl(fds[0], FIONREAD, &waiting), 0);
    }
    nanosleep(&pause, NULL);
    while ((n = read(fds[0], bytes, sizeof bytes)) > 0)
        total += (size_t)n;
    close(fds[0]);
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(total, 44 + 400000);
}

static void rates_out_of_range_are_refused(void **state)
{
    struct audiowriter *w;
    struct err e;

    (void)state;
    assert_int_equal(audiowriter_open(&w, scratch_path(&dir, "a.wav"), 999, false, &e), -EINVAL);
    assert_null(w);
    assert_int_equal(audiowriter_open(&w, dir.path, 768001, false, &e), -EINVAL);
    assert_int_equal(scratch_count(&dir), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_ending_chooses_the_format_and_a_rate_that_it_can_have),
        TEST(wav_and_raw_keep_every_sample),
        TEST(a_recording_of_nothing_is_a_recording),
        TEST(an_existing_file_is_replaced_only_with_force),
        TEST(what_was_there_stays_until_the_end),
        TEST(a_file_that_appears_in_the_meantime_is_left_alone),
        TEST(a_link_stays_a_link),
        TEST(places_that_cannot_be_written_are_named),
        TEST(no_room_is_an_error_that_leaves_nothing),
        TEST(a_device_is_written_and_not_replaced),
        TEST(a_pipe_gets_a_streaming_header_and_each_write_at_once),
        TEST(a_redirected_file_gets_its_sizes),
        TEST(a_file_that_is_appended_to_is_only_appended_to),
        TEST(stdout_that_cannot_take_audio_is_refused),
        TEST(a_reader_that_left_is_an_error),
        TEST(a_slow_reader_of_a_non_blocking_pipe_loses_nothing),
        TEST(rates_out_of_range_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
