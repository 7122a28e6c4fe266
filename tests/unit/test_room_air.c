/* What the microphone of the virtual room hears, and when the user speaks there; without any clock.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "room/room_air.h"

#define RATE 16000
#define LONG (4 * RATE)

struct heard {
    int16_t speaker[LONG], mic[LONG], said[LONG];
    size_t n;
    uint64_t at[16]; /* the first time of each event */
    int count[16], detail[16];
};

static void on_samples(void *user, int16_t speaker, int16_t mic, int16_t said)
{
    struct heard *h = user;

    assert_true(h->n < LONG);
    h->speaker[h->n] = speaker;
    h->mic[h->n] = mic;
    h->said[h->n++] = said;
}

static void on_event(void *user, enum room_event e, uint64_t at, int detail)
{
    struct heard *h = user;

    if (h->count[e]++ == 0)
        h->at[e] = at;
    h->detail[e] = detail;
}

struct fixture {
    struct room_knobs k;
    struct room_sink sink;
    struct room_air *air;
    struct heard heard;
    char wav[64];
};

/* A WAV file of n samples, 1000 2000 1000 2000 ... */
static void write_wav(struct fixture *f, int n)
{
    unsigned char head[44] = "RIFF....WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0"
                             "data";
    int fd, i;
    ssize_t written;

    snprintf(f->wav, sizeof f->wav, "/tmp/room-air-XXXXXX");
    fd = mkstemp(f->wav);
    assert_true(fd >= 0);
    head[40] = (unsigned char)(2 * n);
    head[41] = (unsigned char)(2 * n >> 8);
    written = write(fd, head, sizeof head);
    for (i = 0; i < n; i++) {
        int16_t x = i % 2 == 0 ? 1000 : 2000;

        written += write(fd, &x, 2);
    }
    assert_int_equal(written, 44 + 2 * n);
    close(fd);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->sink = (struct room_sink){on_samples, on_event, &f->heard};
    room_knobs_default(&f->k);
    f->k.rate_hz = RATE;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    room_air_free(f->air);
    if (f->wav[0] != '\0')
        unlink(f->wav);
    free(f);
    return 0;
}

static void knob(struct fixture *f, const char *line)
{
    char why[256] = "";

    assert_int_equal(room_knobs_line(&f->k, line, why, sizeof why), 0);
}

static void user(struct fixture *f, const char *when)
{
    char line[128];

    snprintf(line, sizeof line, "user=%s %s", when, f->wav);
    knob(f, line);
}

static void open_room(struct fixture *f)
{
    char why[256] = "";

    assert_int_equal(room_air_new(&f->air, &f->k, &f->sink, why, sizeof why), 0);
}

static void sound(struct fixture *f, uint64_t at, size_t n)
{
    int16_t x[256];
    size_t i;

    for (i = 0; i < 256; i++)
        x[i] = i % 2 == 0 ? 8000 : -8000;
    for (; n > 0; n -= i, at += i) {
        i = n < 256 ? n : 256;
        room_air_play(f->air, at, x, i);
    }
}

static void the_echo_comes_after_its_delay_with_its_gain(void **state)
{
    struct fixture *f = *state;
    int16_t click = 10000;
    size_t i;

    knob(f, "echo=delay:30 gain:-6");
    open_room(f);
    room_air_play(f->air, 1000, &click, 1);
    room_air_advance(f->air, 3000);
    assert_int_equal(f->heard.n, 3000);
    for (i = 0; i < 3000; i++) {
        assert_int_equal(f->heard.speaker[i], i == 1000 ? 10000 : 0);
        assert_int_equal(f->heard.mic[i], i == 1480 ? 5012 : 0);
    }
}

static void what_comes_too_late_is_not_heard(void **state)
{
    struct fixture *f = *state;

    open_room(f);
    room_air_advance(f->air, 500);
    sound(f, 400, 200); /* the first 100 are past */
    room_air_advance(f->air, 2 * RATE);
    assert_int_equal(f->heard.speaker[499], 0);
    assert_int_equal(f->heard.speaker[500], 8000);
    assert_int_equal(f->heard.speaker[599], -8000);
    assert_int_equal(f->heard.speaker[600], 0);
}

static void a_cut_silences_what_was_still_to_come(void **state)
{
    struct fixture *f = *state;

    open_room(f);
    sound(f, 0, 2000);
    room_air_advance(f->air, 1000);
    room_air_cut(f->air, 1000);
    room_air_advance(f->air, 3000);
    assert_int_equal(f->heard.speaker[999], -8000);
    assert_int_equal(f->heard.speaker[1000], 0);
}

static void a_ring_that_goes_round_plays_nothing_twice(void **state)
{
    struct fixture *f = *state;
    struct heard *h = &f->heard;
    size_t done;

    open_room(f);
    sound(f, 100, 50);
    for (done = 0; done < 2 * ROOM_RING; done += LONG) {
        h->n = 0;
        room_air_advance(f->air, done + LONG);
        if (done > 0) {
            size_t i;

            for (i = 0; i < LONG; i++)
                assert_int_equal(h->speaker[i], 0);
        }
    }
}

static void the_echo_path_changes_at_its_time(void **state)
{
    struct fixture *f = *state;
    int16_t click = 10000;

    knob(f, "echo=delay:10 gain:0");
    knob(f, "echo=at:1000 delay:20 gain:-20");
    open_room(f);
    room_air_play(f->air, 100, &click, 1);
    room_air_play(f->air, 20000, &click, 1);
    room_air_advance(f->air, 2 * RATE);
    assert_int_equal(f->heard.mic[260], 10000);
    assert_int_equal(f->heard.mic[20160], 0);
    assert_int_equal(f->heard.mic[20320], 1000);
    assert_int_equal(f->heard.count[ROOM_ECHO], 2);
}

/* 10 ms of room after a click in one with this echo. */
static void click_response(struct fixture *f, const char *echo, int16_t *response)
{
    int16_t click = 20000;

    f->k.echoes = 0;
    f->heard.n = 0;
    knob(f, echo);
    open_room(f);
    room_air_play(f->air, 0, &click, 1);
    room_air_advance(f->air, 200);
    memcpy(response, f->heard.mic, 200 * sizeof *response);
    room_air_free(f->air);
    f->air = NULL;
}

static void a_path_that_shares_most_of_a_room_sounds_much_like_it(void **state)
{
    struct fixture *f = *state;
    int16_t room[200], other[200], near[200], same[200];
    int i;

    click_response(f, "echo=delay:0 gain:0 t60:200 seed:7", room);
    click_response(f, "echo=delay:0 gain:0 t60:200 seed:8", other);
    click_response(f, "echo=delay:0 gain:0 t60:200 seed:8 base:7 share:0.8", near);
    click_response(f, "echo=delay:0 gain:0 t60:200 seed:8 base:7 share:1", same);
    assert_memory_not_equal(room, other, sizeof room);
    assert_memory_equal(room, same, sizeof room);
    for (i = 0; i < 200; i++)
        assert_true(fabs(near[i] - 0.6 * other[i] - 0.8 * room[i]) < 2);
}

static void a_drifting_speaker_moves_against_the_microphone(void **state)
{
    struct fixture *f = *state;
    size_t i, at = 0;

    knob(f, "drift_ppm=1000");
    open_room(f);
    sound(f, 30030, 400); /* by its own clock */
    room_air_advance(f->air, 2 * RATE);
    for (i = 0; i < 2 * RATE && at == 0; i++)
        if (abs(f->heard.speaker[i]) > 4000)
            at = i;
    assert_in_range(at, 29999, 30001);
}

static void user_audio_comes_at_its_time(void **state)
{
    struct fixture *f = *state;

    write_wav(f, 400);
    user(f, "at:250");
    open_room(f);
    room_air_advance(f->air, RATE);
    assert_int_equal(f->heard.at[ROOM_USER_START], 4000);
    assert_int_equal(f->heard.at[ROOM_USER_END], 4400);
    assert_int_equal(f->heard.said[3999], 0);
    assert_in_range(f->heard.said[4001], 1900, 2100);
    assert_int_equal(f->heard.said[4001], f->heard.mic[4001]);
    assert_int_equal(f->heard.mic[4400], 0);
}

static void user_audio_follows_the_first_speaker_sound(void **state)
{
    struct fixture *f = *state;

    write_wav(f, 100);
    user(f, "sound:100");
    open_room(f);
    sound(f, 8000, 16000);
    room_air_advance(f->air, 2 * RATE);
    assert_int_equal(f->heard.at[ROOM_SPEAKER_ON], 8000);
    assert_int_equal(f->heard.at[ROOM_USER_START], 9600);
}

static void user_audio_waits_until_the_speaker_has_fallen_silent(void **state)
{
    struct fixture *f = *state;

    write_wav(f, 100);
    user(f, "at:0");
    user(f, "silence:500");
    open_room(f);
    sound(f, 8000, 1000);
    sound(f, 12000, 1000); /* a pause of 3000 samples is too short */
    room_air_advance(f->air, 3 * RATE);
    assert_int_equal(f->heard.count[ROOM_USER_START], 2);
    assert_int_equal(f->heard.detail[ROOM_USER_START], 1);
    assert_int_equal(f->heard.said[12999 + 8000], 0);
    assert_int_not_equal(f->heard.said[12999 + 8001], 0);
    assert_int_equal(f->heard.at[ROOM_SPEAKER_OFF], 13000);
}

static void the_user_says_what_they_are_told_from_now_on(void **state)
{
    static const float x[100] = {0.25f, 0.5f, [99] = -0.25f};
    struct fixture *f = *state;
    size_t i;

    open_room(f);
    room_air_advance(f->air, 1000);
    room_air_say(f->air, x, 100);
    room_air_advance(f->air, 2000);
    for (i = 0; i < 2000; i++) {
        int want = i == 1000 ? 8192 : i == 1001 ? 16384 : i == 1099 ? -8192 : 0;

        assert_int_equal(f->heard.said[i], want);
        assert_int_equal(f->heard.mic[i], want);
    }
}

static void noise_has_its_level(void **state)
{
    struct fixture *f = *state;
    double power = 0;
    size_t i;

    knob(f, "noise_db=-40");
    open_room(f);
    room_air_advance(f->air, RATE);
    for (i = 0; i < RATE; i++)
        power += (double)f->heard.mic[i] * f->heard.mic[i];
    assert_true(fabs(10 * log10(power / RATE / 32768 / 32768) + 40) < 0.3);
}

static void a_muted_microphone_captures_zeros(void **state)
{
    struct fixture *f = *state;
    int16_t x[RATE];
    size_t i;

    knob(f, "noise_db=-20");
    knob(f, "capture_silence=1");
    open_room(f);
    room_air_advance(f->air, RATE);
    room_air_heard(f->air, 0, x, RATE);
    for (i = 0; i < RATE; i++)
        assert_int_equal(x[i], 0);
}

static void the_future_is_not_heard(void **state)
{
    struct fixture *f = *state;
    int16_t x[20];

    knob(f, "noise_db=-6");
    open_room(f);
    room_air_advance(f->air, 100);
    room_air_heard(f->air, 90, x, 20);
    assert_int_not_equal(x[9], 0);
    assert_int_equal(x[10], 0);
    assert_int_equal(x[19], 0);
}

static void a_slip_in_the_knobs_is_refused(void **state)
{
    static const char *const bad[] = {"ecko=delay:1",   "rate=fast",  "rate=10",      "user=at:5",
                                      "echo=delay:1 x", "noise_db=1", "echo=loud:12", "rate",
                                      "lost_ms=-1",     "user=at:x y"};
    struct fixture *f = *state;
    char why[256];
    size_t i;

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(room_knobs_line(&f->k, bad[i], why, sizeof why), -22);
        assert_non_null(strstr(why, bad[i]));
    }
    knob(f, "# rate=10");
    knob(f, "");
    knob(f, " channels_in = 2-4 ");
    assert_int_equal(f->k.channels_max[ROOM_CAPTURE], 4);
    knob(f, "user=at:5 gain:-3 a file with spaces.wav");
    assert_string_equal(f->k.user[0].file, "a file with spaces.wav");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_echo_comes_after_its_delay_with_its_gain),
        TEST(what_comes_too_late_is_not_heard),
        TEST(a_cut_silences_what_was_still_to_come),
        TEST(a_ring_that_goes_round_plays_nothing_twice),
        TEST(the_echo_path_changes_at_its_time),
        TEST(a_path_that_shares_most_of_a_room_sounds_much_like_it),
        TEST(a_drifting_speaker_moves_against_the_microphone),
        TEST(user_audio_comes_at_its_time),
        TEST(user_audio_follows_the_first_speaker_sound),
        TEST(user_audio_waits_until_the_speaker_has_fallen_silent),
        TEST(the_user_says_what_they_are_told_from_now_on),
        TEST(noise_has_its_level),
        TEST(a_muted_microphone_captures_zeros),
        TEST(the_future_is_not_heard),
        TEST(a_slip_in_the_knobs_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
