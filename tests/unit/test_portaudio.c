/* portaudio driver: PortAudio itself, over ALSA's null device from a private configuration, and
 * over nothing at all. */
#include <errno.h>
#include <fcntl.h>
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

#include "audio/drivers.h"
#include "audio/quiet.h"

/* Runs with ALSA's configuration in a file of our own, and with stderr in another. */
struct world {
    char config[64], noise[64];
    int stderr_fd;
};

static const char null_device[] = "pcm.first { type null }\n"
                                  "pcm.second { type null }\n"
                                  "pcm.!default { type null }\n";

static bool alsa_is_there(void)
{
    return access("/usr/share/alsa/alsa.conf", R_OK) == 0;
}

static struct world world_begin(const char *config)
{
    struct world w = {.config = "/tmp/hullo-asound.XXXXXX", .noise = "/tmp/hullo-noise.XXXXXX"};
    int fd = mkstemp(w.config), noise = mkstemp(w.noise);

    if (!alsa_is_there()) {
        unlink(w.config);
        unlink(w.noise);
        skip();
    }
    assert_true(fd >= 0 && noise >= 0);
    assert_true(dprintf(fd, "</usr/share/alsa/alsa.conf>\n%s", config) > 0);
    close(fd);
    setenv("ALSA_CONFIG_PATH", w.config, 1);
    setenv("JACK_NO_START_SERVER", "1", 1);
    fflush(stderr);
    w.stderr_fd = dup(STDERR_FILENO);
    dup2(noise, STDERR_FILENO);
    close(noise);
    return w;
}

/* Gives stderr back. Returns how many bytes reached it meanwhile. */
static long world_end(struct world *w)
{
    long bytes;

    fflush(stderr);
    bytes = (long)lseek(STDERR_FILENO, 0, SEEK_END);
    dup2(w->stderr_fd, STDERR_FILENO);
    close(w->stderr_fd);
    unlink(w->config);
    unlink(w->noise);
    return bytes;
}

struct seen {
    int devices, defaults;
    bool first;
};

static void each(void *user, const struct audio_device *d)
{
    struct seen *s = user;

    s->devices++;
    s->defaults += d->default_input + d->default_output;
    s->first |= strcmp(d->name, "first") == 0;
}

static void lists_what_the_system_has_without_a_word_on_stderr(void **state)
{
    struct world w = world_begin(null_device);
    struct seen s = {0};
    struct err e = {0};
    int rc = audio_portaudio.list(each, &s, NULL, &e);

    (void)state;
    assert_int_equal(world_end(&w), 0);
    assert_int_equal(rc, 0);
    assert_true(s.first);
    assert_int_equal(s.defaults, 2);
}

static void what_the_libraries_print_goes_to_the_debug_log(void **state)
{
    struct world w = world_begin("");
    FILE *to = tmpfile();
    struct log log = {.level = LOG_DEBUG, .to = to};
    struct seen s = {0};
    struct err e = {0};
    char line[256];
    int rc = audio_portaudio.list(each, &s, &log, &e);

    (void)state;
    assert_int_equal(world_end(&w), 0);
    assert_int_equal(rc, 0);
    rewind(to);
    assert_non_null(fgets(line, sizeof line, to));
    assert_memory_equal(line, "hullo: debug: sound: ", 21);
    fclose(to);
}

struct heard {
    _Atomic int callbacks, wrong;
    _Atomic bool lost;
};

static void callback(void *user, const int16_t *in, int16_t *out, size_t frames,
                     const struct audio_when *when)
{
    struct heard *h = user;

    h->callbacks++;
    if (in == NULL || out == NULL || when->out_ns < when->in_ns)
        h->wrong++;
    if (out != NULL)
        memset(out, 0, frames * sizeof *out);
}

static void lost(void *user)
{
    ((struct heard *)user)->lost = true;
}

static void opens_runs_and_closes_a_device_by_part_of_its_name(void **state)
{
    struct world w = world_begin(null_device);
    struct heard h = {0};
    struct audio_config config = {.capture = true,
                                  .playback = true,
                                  .input = "SECO",
                                  .output = "seco",
                                  .latency_ms = 20,
                                  .callback = callback,
                                  .lost = lost,
                                  .user = &h};
    struct audio_stream *s = NULL;
    struct timespec ms = {0, 1000000};
    struct err e = {0};
    int rc = audio_portaudio.open(&s, NULL, &config, NULL, &e), after = 0;

    (void)state;
    if (rc == 0) {
        assert_int_equal(h.callbacks, 0);
        assert_string_equal(s->in_name, "second");
        assert_string_equal(s->out_name, "second");
        assert_true(s->in_hz >= 8000 && s->in_hz == s->out_hz);
        assert_true(s->out_latency_ms >= 0 && s->out_latency_ms <= 500);
        rc = audio_portaudio.start(s, &e);
        for (int i = 0; i < 5000 && h.callbacks < 3; i++)
            nanosleep(&ms, NULL);
        audio_portaudio.close(s);
        after = h.callbacks;
        nanosleep(&ms, NULL);
    }
    assert_int_equal(world_end(&w), 0);
    assert_string_equal(e.text, "");
    assert_int_equal(rc, 0);
    assert_true(h.callbacks >= 3);
    assert_int_equal(h.callbacks, after);
    assert_int_equal(h.wrong, 0);
    assert_false(h.lost);
}

static void a_wrong_name_and_no_device_are_told(void **state)
{
    struct world w = world_begin(null_device);
    struct audio_config config = {
        .capture = true, .input = "yeti", .latency_ms = 20, .callback = callback};
    struct audio_stream *s = NULL;
    struct err unknown = {0}, argument = {0};
    int rc = audio_portaudio.open(&s, NULL, &config, NULL, &unknown);

    (void)state;
    assert_int_equal(world_end(&w), 0);
    assert_int_equal(rc, -ENOENT);
    assert_null(s);
    assert_int_equal(unknown.status, STATUS_AUDIO);
    assert_non_null(strstr(unknown.text, "'first'"));
    assert_int_equal(audio_portaudio.open(&s, "hw:0", &config, NULL, &argument), -EINVAL);
    assert_int_equal(argument.status, STATUS_USAGE);
    audio_portaudio.close(NULL);
}

static void our_own_lines_survive_a_quiet_window(void **state)
{
    struct world w = world_begin("");
    struct log log = {.level = LOG_WARN, .to = stderr};
    struct quiet q;
    char line[64] = "";

    (void)state;
    quiet_begin(&q);
    log_warn(&log, "kept");
    fputs("noise\n", stderr);
    quiet_end(&q, &log);
    fflush(stderr);
    lseek(STDERR_FILENO, 0, SEEK_SET);
    ssize_t n = read(STDERR_FILENO, line, sizeof line - 1);
    world_end(&w);
    assert_true(n > 0);
    assert_string_equal(line, "hullo: warning: kept\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_the_system_has_without_a_word_on_stderr),
        cmocka_unit_test(what_the_libraries_print_goes_to_the_debug_log),
        cmocka_unit_test(opens_runs_and_closes_a_device_by_part_of_its_name),
        cmocka_unit_test(a_wrong_name_and_no_device_are_told),
        cmocka_unit_test(our_own_lines_survive_a_quiet_window),
    };

    return cmocka_run_group_tests_name("portaudio driver", tests, NULL, NULL);
}
