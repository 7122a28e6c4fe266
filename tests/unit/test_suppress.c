/* suppress: what it takes of a residual echo that the test left, and what it leaves of the user. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/suppress.h"
#include "fake/signals.h"

#define SECOND (DSP_HZ / DSP_FRAME) /* frames */

/* A canceller that leaves `left` of an echo (amplitudes), and somebody who speaks. */
struct scene {
    uint32_t seed, user_seed;
    double far, echo, left, user, noise; /* far: of the reference */
    size_t at;
    double notch[2];
    int16_t mic[DSP_FRAME], ref[DSP_FRAME], out[DSP_FRAME];
};

static int16_t sample(double x)
{
    return (int16_t)lrint(fmin(fmax(x, -32768), 32767));
}

/* Speex takes 0 Hz out of the microphone, with zeros there and poles beside it. */
static double notched(double *mem, double x)
{
    double r = 0.982, y = mem[0] + x;

    mem[0] = mem[1] + 2 * (r * y - x);
    mem[1] = x - (r * r + 0.7 * (1 - r) * (1 - r)) * y;
    return r * y;
}

static void scene_frame(struct scene *s)
{
    for (int i = 0; i < DSP_FRAME; i++, s->at++) {
        double swell = fmax(sin((double)s->at * 2 * M_PI * 2 / DSP_HZ), 0);
        double ref = swell * signal_noise(&s->seed) / 4;
        double user = s->user * signal_noise(&s->user_seed) / 4;
        double noise = s->noise * signal_noise(&s->user_seed) / 4;
        s->ref[i] = sample(s->far * ref);
        s->mic[i] = sample(s->echo * ref + user + noise);
        s->out[i] = sample(notched(s->notch, s->mic[i]) - (s->echo - s->left) * ref);
    }
}

static double energy(const int16_t *x)
{
    double sum = 0;
    for (int i = 0; i < DSP_FRAME; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

/* Gain from out to y over some frames, dB. */
static double gain(struct suppress *s, struct scene *c, int frames, struct suppress_state *state)
{
    int16_t y[DSP_FRAME];
    double came = 0, left = 1;

    for (int f = 0; f < frames; f++) {
        scene_frame(c);
        suppress_run(s, c->mic, c->ref, c->out, y, state);
        came += energy(c->out);
        left += energy(y);
    }
    return 10 * log10(left / came);
}

static void with_the_far_end_silent_nothing_changes(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    struct scene c = {.seed = 1, .user_seed = 2, .user = 0.3};
    int16_t before[DSP_FRAME] = {0}, y[DSP_FRAME];

    assert_int_equal(suppress_new(&s), 0);
    for (int f = 0; f < 3 * SECOND; f++) {
        c.user = f % 50 < 25 ? 0.3 : 0.001;
        c.echo = f > 100 ? 0.2 : 0; /* whatever the canceller takes out, it is no echo */
        scene_frame(&c);
        suppress_run(s, c.mic, c.ref, c.out, y, &now);
        double apart = 0;
        for (int i = 0; i < DSP_FRAME; i++)
            apart += pow(y[i] - before[i], 2);
        if (f > 50) /* the notch has settled */
            assert_true(apart <= 1e-4 * energy(before) + 2 * DSP_FRAME);
        assert_false(now.echo);
        memcpy(before, c.out, sizeof(before));
    }
    suppress_free(s);
}

static void what_is_left_of_the_echo_is_taken(void **state)
{
    (void)state;
    static const double left[] = {0.3, 0.2, 0.1};
    for (int i = 0; i < 3; i++) {
        struct suppress *s = NULL;
        struct suppress_state now;
        struct scene c = {
            .seed = 3, .far = 1, .user_seed = 4, .echo = 1, .left = left[i], .noise = 1e-3};

        assert_int_equal(suppress_new(&s), 0);
        gain(s, &c, 5 * SECOND, &now);
        assert_true(gain(s, &c, SECOND, &now) < -25);
        gain(s, &c, SECOND / 8, &now);
        assert_true(now.echo);
        assert_true(fabs(now.left_db - 20 * log10(left[i])) < 4);
        assert_true(now.snr_db < 3);
        suppress_free(s);
    }
}

static void the_user_comes_through_over_the_echo(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    struct scene c = {.seed = 5, .far = 1, .user_seed = 6, .echo = 1, .left = 0.03, .noise = 1e-3};

    assert_int_equal(suppress_new(&s), 0);
    gain(s, &c, 5 * SECOND, &now);
    c.user = 0.5;
    gain(s, &c, 2, &now); /* the first frame of the user is in what comes now */
    assert_true(gain(s, &c, 1, &now) > -1);
    assert_true(now.snr_db > 10);
    assert_true(gain(s, &c, 2 * SECOND, &now) > -0.5);
    suppress_free(s);
}

/* A loud echo, of which the canceller leaves little: who is 10 dB below it is heard. */
static void the_user_comes_through_under_the_echo(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    struct scene c = {.seed = 19, .user_seed = 20, .far = 1, .echo = 1, .left = 0.02};

    c.noise = 1e-3;
    assert_int_equal(suppress_new(&s), 0);
    gain(s, &c, 5 * SECOND, &now);
    c.user = 0.3;
    gain(s, &c, 2, &now);
    assert_true(gain(s, &c, SECOND, &now) > -1);
    suppress_free(s);
}

static void hardly_a_frame_of_the_echo_slips_through(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    struct scene c = {.seed = 21, .user_seed = 22, .far = 1, .echo = 1, .left = 0.1};
    int16_t y[DSP_FRAME];
    int slipped = 0;

    c.noise = 1e-3;
    assert_int_equal(suppress_new(&s), 0);
    gain(s, &c, 5 * SECOND, &now);
    for (int f = 0; f < 10 * SECOND; f++) {
        static const double left[] = {0.05, 0.2, 0.1, 0.03};
        c.left = left[f / 5 % 4];
        scene_frame(&c);
        suppress_run(s, c.mic, c.ref, c.out, y, &now);
        slipped += energy(y) > 1e-2 * DSP_FRAME * 470 * 470; /* 20 dB under what is left */
    }
    assert_in_range(slipped, 0, 10);
    suppress_free(s);
}

static void an_echo_that_is_not_heard_costs_the_user_nothing(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    struct scene c = {.seed = 11, .user_seed = 12, .far = 1, .user = 0.3, .noise = 1e-3};

    assert_int_equal(suppress_new(&s), 0);
    gain(s, &c, SECOND, &now); /* headphones: the far end speaks, and no echo comes */
    assert_true(fabs(gain(s, &c, SECOND, &now)) < 0.1);
    assert_false(now.echo);
    suppress_free(s);
}

static void before_anything_is_known_nobody_is_believed(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    struct scene c = {.seed = 13, .user_seed = 14, .noise = 1e-3};

    assert_int_equal(suppress_new(&s), 0);
    gain(s, &c, SECOND, &now);
    c.far = 1;
    c.user = 0.5; /* an echo of which the canceller takes nothing yet */
    assert_true(gain(s, &c, 20, &now) < -10);
    assert_true(now.snr_db < 1);
    suppress_free(s);
}

static void a_microphone_that_clips_is_full_of_echo(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    struct scene c = {.seed = 15, .user_seed = 16, .far = 1, .echo = 1, .left = 0.1};
    double snr = 0;

    c.noise = 1e-3;
    assert_int_equal(suppress_new(&s), 0);
    gain(s, &c, 5 * SECOND, &now);
    c.user = 0.6;
    gain(s, &c, 10, &now);
    snr = now.snr_db;
    scene_frame(&c);
    c.mic[7] = INT16_MAX;
    suppress_run(s, c.mic, c.ref, c.out, c.out, &now);
    assert_true(now.snr_db < snr - 4);
    suppress_free(s);
}

static void a_room_that_changes_is_learnt_again(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    struct scene c = {.seed = 17, .user_seed = 18, .far = 1, .echo = 1, .left = 0.01};

    c.noise = 1e-3;
    assert_int_equal(suppress_new(&s), 0);
    gain(s, &c, 8 * SECOND, &now);
    c.left = 0.3; /* 30 dB more */
    gain(s, &c, 6 * SECOND, &now);
    assert_true(gain(s, &c, SECOND, &now) < -15);
    suppress_free(s);
}

static void levels_are_told(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    struct scene c = {.seed = 7, .user_seed = 8, .noise = 0.01};
    double noise_db = 20 * log10(0.01 / 4 / sqrt(3));

    assert_int_equal(suppress_new(&s), 0);
    gain(s, &c, 5 * SECOND, &now);
    assert_true(fabs(now.near_db - noise_db) < 1.5);
    assert_true(fabs(now.noise_db - noise_db) < 5);
    assert_int_equal(now.seen, 0);
    assert_true(now.left_db == 0);
    suppress_free(s);
}

static void it_takes_whatever_comes(void **state)
{
    (void)state;
    struct suppress *s = NULL;
    struct suppress_state now;
    int16_t y[DSP_FRAME];
    struct scene c = {.seed = 9, .far = 1, .user_seed = 10, .echo = 1, .left = 0.1, .noise = 1e-3};

    assert_int_equal(suppress_new(&s), 0);
    for (int f = 0; f < 10 * SECOND; f++) {
        int16_t square[DSP_FRAME], zero[DSP_FRAME] = {0};
        for (int i = 0; i < DSP_FRAME; i++)
            square[i] = i / 20 % 2 ? INT16_MAX : INT16_MIN;
        const int16_t *kinds[] = {square, zero};
        suppress_run(s, kinds[f / 7 % 2], kinds[f / 3 % 2], kinds[f / 5 % 2], y, &now);
        assert_true(isfinite(now.snr_db) && now.snr_db >= 0 && now.snr_db <= 15);
        assert_true(isfinite(now.left_db) && isfinite(now.near_db) && isfinite(now.noise_db));
    }
    gain(s, &c, 5 * SECOND, &now);
    assert_true(gain(s, &c, SECOND, &now) < -15);
    suppress_relearn(s);
    gain(s, &c, 1, &now);
    assert_in_range(now.seen, 0, 1);
    suppress_free(s);
    suppress_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_the_far_end_silent_nothing_changes),
        cmocka_unit_test(what_is_left_of_the_echo_is_taken),
        cmocka_unit_test(the_user_comes_through_over_the_echo),
        cmocka_unit_test(the_user_comes_through_under_the_echo),
        cmocka_unit_test(hardly_a_frame_of_the_echo_slips_through),
        cmocka_unit_test(an_echo_that_is_not_heard_costs_the_user_nothing),
        cmocka_unit_test(before_anything_is_known_nobody_is_believed),
        cmocka_unit_test(a_microphone_that_clips_is_full_of_echo),
        cmocka_unit_test(a_room_that_changes_is_learnt_again),
        cmocka_unit_test(levels_are_told),
        cmocka_unit_test(it_takes_whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
