/* file driver: a recording is heard, another is written, and both tell the same time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/audiofile.h"
#include "audio/drivers.h"
#include "util/clock.h"

#define FRAMES 160

struct paths {
    char folder[32], in[64], out[64];
};

static void paths_new(struct paths *p)
{
    snprintf(p->folder, sizeof p->folder, "/tmp/hullo-file.XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->in, sizeof p->in, "%s/in.wav", p->folder);
    snprintf(p->out, sizeof p->out, "%s/out.wav", p->folder);
}

static void paths_free(struct paths *p)
{
    unlink(p->in);
    unlink(p->out);
    assert_int_equal(rmdir(p->folder), 0);
}

static void write_wav(const char *file, const int16_t *x, size_t n)
{
    struct audiowriter *w;
    struct err e = {0};

    assert_int_equal(audiowriter_open(&w, file, 16000, true, &e), 0);
    assert_int_equal(audiowriter_write(w, x, n, &e), 0);
    assert_int_equal(audiowriter_finish(w, &e), 0);
}

static size_t read_wav(const char *file, int16_t *x, size_t max)
{
    struct audiofile *f;
    struct err e = {0};
    size_t n = 0, got;

    assert_int_equal(audiofile_open(&f, file, 0, NULL, &e), 0);
    do {
        assert_int_equal(audiofile_read(f, x + n, max - n, &got, &e), 0);
        n += got;
    } while (got > 0);
    audiofile_close(f);
    return n;
}

/* Repeats what it hears, at once. */
struct echo {
    _Atomic int callbacks;
    int16_t heard[32000];
    size_t n;
};

static void callback(void *user, const int16_t *in, int16_t *out, size_t frames,
                     const struct audio_when *when)
{
    struct echo *e = user;

    (void)when;
    if (e->n + frames <= 32000 && in != NULL) {
        memcpy(e->heard + e->n, in, frames * sizeof *in);
        e->n += frames;
    }
    if (out != NULL && in != NULL)
        memcpy(out, in, frames * sizeof *in);
    else if (out != NULL)
        memset(out, 0, frames * sizeof *out);
    e->callbacks++;
}

static int open_file(struct audio_stream **s, const struct paths *p, const char *argument,
                     struct echo *echo, struct err *e)
{
    struct audio_config config = {.capture = true,
                                  .playback = true,
                                  .input = p->in,
                                  .output = p->out,
                                  .latency_ms = 20,
                                  .callback = callback,
                                  .user = echo};

    return audio_file.open(s, argument, &config, NULL, e);
}

static void run(struct audio_stream *s, struct echo *echo, int callbacks)
{
    struct timespec ms = {0, 1000000};
    struct err e;

    assert_int_equal(audio_file.start(s, &e), 0);
    for (int i = 0; i < 10000 && echo->callbacks < callbacks; i++)
        nanosleep(&ms, NULL);
    assert_true(echo->callbacks >= callbacks);
    audio_file.close(s);
}

static void what_is_heard_is_the_file_and_then_silence(void **state)
{
    static struct echo echo;
    static int16_t x[1000], y[40000];
    struct audio_stream *s;
    struct err e = {0};
    struct paths p;

    (void)state;
    paths_new(&p);
    for (int i = 0; i < 1000; i++)
        x[i] = (int16_t)(i + 1);
    write_wav(p.in, x, 1000);
    assert_int_equal(open_file(&s, &p, "pace=20", &echo, &e), 0);
    assert_int_equal(s->in_hz, 16000);
    assert_string_equal(s->in_name, p.in);
    run(s, &echo, 20);
    assert_memory_equal(echo.heard, x, sizeof x);
    for (size_t i = 1000; i < echo.n; i++)
        assert_int_equal(echo.heard[i], 0);

    /* What was heard in a callback can be answered one period later, not sooner. */
    size_t n = read_wav(p.out, y, 40000);
    assert_true(n >= echo.n + FRAMES);
    for (size_t i = 0; i < FRAMES; i++)
        assert_int_equal(y[i], 0);
    assert_memory_equal(y + FRAMES, x, sizeof x);
    paths_free(&p);
}

static void latency_shows_in_the_recording(void **state)
{
    static struct echo echo;
    static int16_t x[100], y[40000];
    struct audio_stream *s;
    struct err e = {0};
    struct paths p;

    (void)state;
    paths_new(&p);
    for (int i = 0; i < 100; i++)
        x[i] = 500;
    write_wav(p.in, x, 100);
    assert_int_equal(open_file(&s, &p, "pace=20,latency=15", &echo, &e), 0);
    assert_true(s->out_latency_ms == 15);
    run(s, &echo, 20);
    size_t n = read_wav(p.out, y, 40000), first = 0;
    while (first < n && y[first] == 0)
        first++;
    assert_int_equal(first, FRAMES + 2 * 15 * 16);
    paths_free(&p);
}

static void an_output_that_exists_is_kept_unless_forced(void **state)
{
    static struct echo echo;
    static int16_t x[100] = {1}, y[40000];
    struct audio_stream *s;
    struct err e = {0};
    struct paths p;

    (void)state;
    paths_new(&p);
    write_wav(p.in, x, 100);
    write_wav(p.out, x, 100);
    assert_int_equal(open_file(&s, &p, "pace=20", &echo, &e), -EEXIST);
    assert_null(s);
    assert_non_null(strstr(e.text, p.out));
    assert_int_equal(read_wav(p.out, y, 40000), 100);
    assert_int_equal(open_file(&s, &p, "pace=20,force", &echo, &e), 0);
    run(s, &echo, 20);
    assert_true(read_wav(p.out, y, 40000) > 100);
    paths_free(&p);
}

static void what_cannot_be_opened_is_told_and_leaves_nothing(void **state)
{
    static struct echo echo;
    struct audio_stream *s;
    struct err e = {0};
    struct paths p;

    (void)state;
    paths_new(&p);
    assert_true(open_file(&s, &p, NULL, &echo, &e) < 0);
    assert_null(s);
    assert_non_null(strstr(e.text, p.in));
    assert_int_equal(open_file(&s, &p, "rate=48000", &echo, &e), -EINVAL);
    assert_int_equal(e.status, STATUS_USAGE);
    assert_int_equal(open_file(&s, &p, "echo=0", &echo, &e), -EINVAL);
    assert_int_equal(open_file(&s, &p, "nonsense", &echo, &e), -EINVAL);
    assert_int_not_equal(access(p.out, F_OK), 0);
    audio_file.close(NULL);
    paths_free(&p);
}

static void without_files_there_is_silence_and_nobody(void **state)
{
    static struct echo echo;
    struct audio_config config = {
        .capture = true, .playback = true, .callback = callback, .user = &echo};
    struct audio_stream *s;
    struct err e = {0};

    (void)state;
    assert_int_equal(audio_file.open(&s, "pace=20", &config, NULL, &e), 0);
    run(s, &echo, 5);
    for (size_t i = 0; i < echo.n; i++)
        assert_int_equal(echo.heard[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_heard_is_the_file_and_then_silence),
        cmocka_unit_test(latency_shows_in_the_recording),
        cmocka_unit_test(an_output_that_exists_is_kept_unless_forced),
        cmocka_unit_test(what_cannot_be_opened_is_told_and_leaves_nothing),
        cmocka_unit_test(without_files_there_is_silence_and_nobody),
    };

    return cmocka_run_group_tests_name("file driver", tests, NULL, NULL);
}
