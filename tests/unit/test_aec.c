/* aec: how much echo of a response that the test made itself is left, cold and warm, and that bad
 * input leaves nothing behind. */
#include <errno.h>
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

#include "dsp/aec.h"
#include "fake/signals.h"
#include "util/hush.h"

#define SECOND (DSP_HZ / DSP_FRAME) /* frames */
#define LONG   1600                 /* samples of the response */
#define DIRECT 240                  /* where its direct sound is */

/* A room: a direct sound and a tail that falls by 60 dB in 200 ms, as loud as the reference. */
struct room {
    float h[LONG];
    float past[LONG]; /* what was played, a ring */
    size_t at;
    uint32_t seed;
    double deep, low; /* 1: of low frequencies alone; the sample before */
};

static void room_init(struct room *r, uint32_t seed)
{
    double energy = 0;

    memset(r, 0, sizeof(*r));
    r->seed = seed;
    for (int i = DIRECT; i < LONG; i++) {
        float fade = powf(10, -3.0f * (float)(i - DIRECT) / 3200);
        r->h[i] = (float)signal_noise(&r->seed) / 32768 * fade * (i == DIRECT ? 8 : 1);
        energy += (double)r->h[i] * r->h[i];
    }
    for (int i = 0; i < LONG; i++)
        r->h[i] *= (float)(0.5 / sqrt(energy));
}

static float room_echo(struct room *r, float x)
{
    float y = 0;

    r->past[r->at % LONG] = x;
    for (size_t k = 0; k < LONG; k++)
        y += r->h[k] * r->past[(r->at + LONG - k) % LONG];
    r->at++;
    return y;
}

static int16_t sample(double x)
{
    return (int16_t)lrint(fmin(fmax(x, -32768), 32767));
}

/* A frame of noise that swells four times a second, and its echo. */
static void room_frame(struct room *r, int16_t *ref, int16_t *mic)
{
    for (int i = 0; i < DSP_FRAME; i++) {
        double swell = 0.55 + 0.45 * sin((double)r->at * 2 * M_PI * 4 / DSP_HZ);
        double x = swell * signal_noise(&r->seed);
        r->low += 0.05 * (x - r->low);
        ref[i] = sample(0.3 * (x + r->deep * (4 * r->low - x)));
        mic[i] = sample((double)room_echo(r, ref[i]) + signal_noise(&r->seed) / 16384.0);
    }
}

static double energy(const int16_t *x)
{
    double sum = 0;
    for (int i = 0; i < DSP_FRAME; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

/* Plays for a while; echo return loss over it in dB. */
static double erle(struct aec *a, struct room *r, int frames)
{
    int16_t ref[DSP_FRAME], mic[DSP_FRAME], out[DSP_FRAME];
    double came = 0, left = 1;

    for (int f = 0; f < frames; f++) {
        room_frame(r, ref, mic);
        aec_run(a, mic, ref, out);
        came += energy(mic);
        left += energy(out);
    }
    return 10 * log10(came / left);
}

static void the_echo_of_a_room_is_taken_out(void **state)
{
    (void)state;
    struct room r;
    struct aec *a = NULL;

    room_init(&r, 1);
    assert_int_equal(aec_new(&a, NULL, 0), 0);
    erle(a, &r, 5 * SECOND);
    assert_true(erle(a, &r, SECOND) > 22);
    aec_free(a);
}

static void the_response_is_the_rooms(void **state)
{
    (void)state;
    static float h[8000];
    struct room r;
    struct aec *a = NULL;
    double apart = 0, all = 0;

    room_init(&r, 2);
    assert_int_equal(aec_new(&a, NULL, 0), 0);
    erle(a, &r, 6 * SECOND);
    size_t n = aec_response(a, h, 8000);
    assert_in_range(n, AEC_TAIL_MS * DSP_HZ / 1000, 7999);
    for (size_t i = 0; i < n; i++) {
        float truth = i < LONG ? r.h[i] : 0;
        apart += pow(h[i] - truth, 2);
        all += pow(truth, 2);
    }
    assert_true(10 * log10(apart / all) < -12);
    h[5] = 7;
    assert_int_equal(aec_response(a, h, 5), 5);
    assert_true(h[5] == 7.0f);
    aec_free(a);
}

static void a_warm_start_cancels_at_once(void **state)
{
    (void)state;
    static float h[4000];
    struct room r;
    struct aec *cold = NULL, *warm = NULL;

    room_init(&r, 3);
    assert_int_equal(aec_new(&cold, NULL, 0), 0);
    double first = erle(cold, &r, SECOND);
    erle(cold, &r, 7 * SECOND);
    size_t n = aec_response(cold, h, 4000);
    assert_int_equal(aec_new(&warm, h, n), 0);
    room_init(&r, 3);
    assert_true(erle(warm, &r, SECOND) > first + 15);
    aec_reset(warm); /* and cold again it is */
    room_init(&r, 3);
    assert_true(fabs(erle(warm, &r, SECOND) - first) < 3);
    aec_free(cold);
    aec_free(warm);
}

/* Speex learns the response with its notch at 0 Hz inside, and must not get it twice. */
static void a_warm_start_holds_for_a_deep_voice(void **state)
{
    (void)state;
    static float h[4000];
    struct room r;
    struct aec *a = NULL;

    room_init(&r, 7);
    r.deep = 1;
    assert_int_equal(aec_new(&a, NULL, 0), 0);
    erle(a, &r, 8 * SECOND);
    size_t n = aec_response(a, h, 4000);
    aec_free(a);
    assert_int_equal(aec_new(&a, h, n), 0);
    room_init(&r, 7);
    r.deep = 1;
    assert_true(erle(a, &r, SECOND) > 14);
    aec_free(a);
}

static void it_learns_fast_at_first(void **state)
{
    (void)state;
    struct room r;
    struct aec *a = NULL;

    room_init(&r, 8);
    assert_int_equal(aec_new(&a, NULL, 0), 0);
    erle(a, &r, SECOND);
    assert_true(erle(a, &r, SECOND) > 23); /* 18 dB without a student */
    aec_free(a);
}

static void the_near_end_passes_as_it_is(void **state)
{
    (void)state;
    int16_t mic[DSP_FRAME], ref[DSP_FRAME] = {0};
    struct aec *a = NULL;
    uint32_t seed = 4;
    double apart = 0, all = 0;

    assert_int_equal(aec_new(&a, NULL, 0), 0);
    for (int f = 0; f < 2 * SECOND; f++) {
        int16_t said[DSP_FRAME];
        for (int i = 0; i < DSP_FRAME; i++)
            said[i] = mic[i] = sample(0.2 * signal_noise(&seed));
        aec_run(a, mic, ref, mic); /* in place */
        for (int i = 0; i < DSP_FRAME; i++)
            apart += pow(mic[i] - said[i], 2);
        all += energy(said);
    }
    assert_true(10 * log10(apart / all) < -15); /* the notch at 0 Hz */
    aec_free(a);
}

static void what_is_no_response_is_refused(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    float h[10] = {0};

    for (int i = 0; i < 3; i++) {
        struct aec *a = (struct aec *)&h;
        h[9] = bad[i];
        assert_int_equal(aec_new(&a, h, 10), -EINVAL);
        assert_null(a);
    }
    aec_free(NULL);
}

static void a_response_of_any_size_is_taken(void **state)
{
    (void)state;
    static float h[100000];
    struct aec *a = NULL;

    for (size_t i = 0; i < 100000; i++)
        h[i] = i % 2 ? 3e38f : -3e38f;
    static const size_t sizes[] = {1, 4160, 4161, 100000};
    for (int i = 0; i < 4; i++) {
        struct room r;
        assert_int_equal(aec_new(&a, h, sizes[i]), 0);
        room_init(&r, 5);
        erle(a, &r, 4 * SECOND);
        assert_true(erle(a, &r, SECOND) > 15); /* it was nonsense, and is forgotten */
        aec_free(a);
    }
}

/* One frame of something that no room gives: 0 to 5. */
static void nonsense(int kind, int f, int16_t *mic, int16_t *ref)
{
    uint32_t seed = (uint32_t)(f * 7919 + kind);

    for (int i = 0; i < DSP_FRAME; i++) {
        int16_t square = i / 20 % 2 ? INT16_MAX : INT16_MIN;
        int16_t fast = i % 2 ? INT16_MAX : INT16_MIN;
        int16_t noise = (int16_t)signal_noise(&seed);
        const int16_t pairs[6][2] = {
            {square, square},
            {fast, fast},
            {fast, (int16_t)-square},
            {0, noise},
            {noise, (int16_t)(noise / 8 + 3000)},
            {(int16_t)(f % 2 ? 0 : noise), fast},
        };
        mic[i] = pairs[kind][0];
        ref[i] = pairs[kind][1];
    }
}

/* SpeexDSP complains on the terminal where it is in trouble; it does not get so far. */
static int stderr_away(FILE **to)
{
    int kept = dup(2);

    *to = tmpfile();
    assert_non_null(*to);
    assert_true(kept >= 0 && dup2(fileno(*to), 2) == 2);
    return kept;
}

static long stderr_back(FILE *to, int kept)
{
    long said = lseek(2, 0, SEEK_END);

    dup2(kept, 2);
    close(kept);
    fclose(to);
    return said;
}

static void it_recovers_from_nonsense(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        int16_t mic[DSP_FRAME], ref[DSP_FRAME], out[DSP_FRAME];
        struct room r;
        struct aec *a = NULL;

        room_init(&r, 6);
        assert_int_equal(aec_new(&a, NULL, 0), 0);
        FILE *to = NULL;
        int kept = stderr_away(&to);
        erle(a, &r, 2 * SECOND);
        for (int f = 0; f < 3 * SECOND; f++) {
            nonsense(kind, f, mic, ref);
            aec_run(a, mic, ref, out);
        }
        erle(a, &r, 5 * SECOND);
        assert_int_equal(stderr_back(to, kept), 0);
        assert_true(erle(a, &r, SECOND) > 15);
        aec_free(a);
    }
}

/* Five seconds of faint sound, then one of a loud one, in a room that makes it louder. Adds up how
 * often it is lost in each. */
static void faint_then_loud(double gain, int *faint, int *loud)
{
    int16_t mic[DSP_FRAME], ref[DSP_FRAME], out[DSP_FRAME];
    double before[DSP_FRAME] = {0};
    struct aec *a = NULL;
    uint32_t seed = 8;

    assert_int_equal(aec_new(&a, NULL, 0), 0);
    for (int f = 0; f < 6 * SECOND; f++) {
        for (int i = 0; i < DSP_FRAME; i++) {
            double x = signal_noise(&seed) * (f < 5 * SECOND ? 0.05 : 0.9);
            ref[i] = (int16_t)x;
            mic[i] = sample(gain * before[i] + 0.001 * signal_noise(&seed));
            before[i] = x;
        }
        *(f < 5 * SECOND ? faint : loud) += !aec_run(a, mic, ref, out);
    }
    aec_free(a);
}

/* Its echo of the loud sound is more than Speex takes to be possible. */
static void it_says_when_it_starts_from_nothing(void **state)
{
    int faint = 0, loud = 0;

    (void)state;
    hush_begin(); /* Speex prints a warning */
    for (int gain = 8; gain <= 12; gain++)
        faint_then_loud(gain, &faint, &loud);
    hush_end();
    assert_int_equal(faint, 0);
    assert_in_range(loud, 1, 20);
}

/* A loudspeaker that is the microphone leaves frames of zeros. */
static void silence_after_it_is_no_start_from_nothing(void **state)
{
    int16_t ref[DSP_FRAME], out[DSP_FRAME];
    struct aec *a = NULL;
    uint32_t seed = 9;

    (void)state;
    assert_int_equal(aec_new(&a, NULL, 0), 0);
    for (int f = 0; f < 20 * SECOND; f++) {
        for (int i = 0; i < DSP_FRAME; i++)
            ref[i] = (int16_t)(signal_noise(&seed) / 8);
        assert_true(aec_run(a, ref, ref, out));
    }
    aec_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_echo_of_a_room_is_taken_out),
        cmocka_unit_test(the_response_is_the_rooms),
        cmocka_unit_test(a_warm_start_cancels_at_once),
        cmocka_unit_test(a_warm_start_holds_for_a_deep_voice),
        cmocka_unit_test(it_learns_fast_at_first),
        cmocka_unit_test(the_near_end_passes_as_it_is),
        cmocka_unit_test(what_is_no_response_is_refused),
        cmocka_unit_test(a_response_of_any_size_is_taken),
        cmocka_unit_test(it_recovers_from_nonsense),
        cmocka_unit_test(it_says_when_it_starts_from_nothing),
        cmocka_unit_test(silence_after_it_is_no_start_from_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
