/* align: the reference comes ALIGN_LEAD_MS before its echo, whatever delay and clocks, and stays
 * there. The room, its clocks and the speech in it are made here, from seeds. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/align.h"
#include "fake/rt_guard.h"
#include "room/room_dsp.h"

#define MS(ms)    ((ms)*DSP_HZ / 1000)
#define SECOND    DSP_HZ
#define LEAD      MS(ALIGN_LEAD_MS)
#define FAR_LONG  (1 << 20) /* samples, 65 s */
#define NEAR_LONG (60 * SECOND)

/* The room, and where the near end stands in it. */
struct scene {
    int16_t far[FAR_LONG];  /* what is played, by the loudspeaker's clock */
    int16_t mic[NEAR_LONG]; /* what is heard, by the microphone's */
    int16_t ref[NEAR_LONG]; /* what align made of far */
    bool there[NEAR_LONG / DSP_FRAME];
    double delay_ms, ppm;
    int jump_at; /* samples; from there on the delay is jump_ms longer */
    double jump_ms;
    int t60_ms;
    float gain, noise; /* of the echo; rms, 16 bit */
    float user;        /* the same for speech of the near end */
    int user_from, user_to;
    struct align *a;
    size_t far_n, near_n; /* handed over so far */
    int jobs;
    size_t ahead; /* samples of the far end before the near end of the same time */
    int news[4];
    int moved_at, found_at; /* samples; the last time */
};

/* Noise in syllables with pauses, strong in low frequencies. */
static void speak(int16_t *x, size_t n, float level, uint64_t seed)
{
    struct room_rng rng;
    float low = 0, loud = 0, want = 0;

    room_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        if (i % MS(120) == 0) { /* a fifth of the syllables are pauses */
            float u = room_rng_uniform(&rng);
            want = u < -0.6f ? 0 : 0.3f + 0.7f * fabsf(u);
        }
        loud += 0.002f * (want - loud);
        low += 0.15f * (room_rng_gauss(&rng) - low);
        x[i] = (int16_t)fmaxf(-32768, fminf(32767, 3 * level * loud * low));
    }
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    speak(s->far, FAR_LONG, 4000, 1);
    s->delay_ms = 60;
    s->ahead = MS(30);
    s->gain = 0.5f;
    s->noise = 10;
    s->jump_at = NEAR_LONG;
    assert_int_equal(align_new(&s->a, NULL), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    align_free(s->a);
    free(s);
    return 0;
}

/* In samples, by which the echo is behind what is played, for one that is heard at sample n. */
static double true_delay(const struct scene *s, size_t n)
{
    double ms = s->delay_ms + ((int)n >= s->jump_at ? s->jump_ms : 0);

    return ms * DSP_HZ / 1000 + s->ppm * 1e-6 * (double)n;
}

/* Fills the microphone up to sample n. */
static void hear(struct scene *s, size_t from, size_t n)
{
    struct room_path *path;
    struct room_conv *conv;
    struct room_rng rng;
    int16_t *user = calloc(NEAR_LONG, sizeof(*user));
    float *h;
    size_t len;

    assert_non_null(user);
    speak(user, n, s->user, 99);
    assert_int_equal(room_rir_new(&h, &len, DSP_HZ, s->t60_ms, 3), 0);
    assert_int_equal(room_path_new(&path, h, len), 0);
    assert_int_equal(room_conv_new(&conv, len), 0);
    room_conv_set(conv, path);
    room_rng_init(&rng, 5);
    for (size_t i = from; i < n; i++) {
        double at = (double)i - true_delay(s, i);
        float x = at < 0 ? 0 : room_between(s->far, FAR_LONG - 1, at);
        x = 32768 * s->gain * room_conv_step(conv, x) + s->noise * room_rng_gauss(&rng);
        if ((int)i >= s->user_from && (int)i < s->user_to)
            x += user[i];
        s->mic[i] = (int16_t)lrintf(fmaxf(-32768, fminf(32767, x)));
    }
    room_conv_free(conv);
    room_path_free(path);
    free(h);
    free(user);
}

static void push_far(struct scene *s, size_t n)
{
    align_far(s->a, s->far + s->far_n, n);
    s->far_n += n;
}

static void push_frame(struct scene *s)
{
    s->there[s->near_n / DSP_FRAME] = align_frame(s->a, s->mic + s->near_n, s->ref + s->near_n);
    s->near_n += DSP_FRAME;
    if (align_due(s->a)) {
        align_measure(s->a);
        s->jobs++;
    }
    enum align_news news = align_adopt(s->a);
    s->news[news]++;
    if (news == ALIGN_MOVED)
        s->moved_at = (int)s->near_n;
    if (news == ALIGN_FOUND)
        s->found_at = (int)s->near_n;
}

/* Both ends in step, until the near end has had n samples. */
static void run_to(struct scene *s, size_t n)
{
    while (s->near_n < n) {
        while (s->far_n < s->near_n + DSP_FRAME + s->ahead)
            push_far(s, DSP_FRAME);
        push_frame(s);
    }
}

/* What is left of the echo in the half second from `from` on, when the reference, `lead` and `off`
 * samples later, is taken away, in dB. For rooms without reverberation. */
static double left_at(const struct scene *s, size_t from, size_t lead, double off)
{
    double left = 0, all = 0;

    for (size_t i = from; i < from + SECOND / 2; i++) {
        float ref = 32768 * room_between(s->ref, SIZE_MAX, (double)(i - lead) + off);
        double e = s->mic[i] - (double)(s->gain * ref);
        left += e * e;
        all += (double)s->mic[i] * s->mic[i];
    }
    return 10 * log10((left + 1e-9) / (all + 1e-9));
}

/* The same, where the reference may be almost 3 samples off: the canceller does not mind. */
static double left_db(const struct scene *s, size_t from, size_t lead)
{
    double best = 0, least = 99;

    for (int step = -2; step <= 2; step++) {
        double left = left_at(s, from, lead, step);
        if (left < least)
            least = left, best = step;
    }
    double middle = best;
    for (int step = -8; step <= 8; step++) {
        double left = left_at(s, from, lead, middle + step / 10.0);
        if (left < least)
            least = left;
    }
    return least;
}

static struct align_state state_of(const struct scene *s)
{
    struct align_state now;

    align_state(s->a, &now);
    return now;
}

static bool close_to(double a, double b, double most)
{
    return fabs(a - b) <= most;
}

static void a_delay_is_found_in_the_first_seconds(void **state)
{
    const double delays[] = {0.0, 15.3, 60.1, 250.7, 500.2, 548.0};
    struct scene *s = *state;

    for (size_t i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
        align_reset(s->a);
        s->far_n = s->near_n = 0;
        memset(s->news, 0, sizeof(s->news));
        s->delay_ms = delays[i];
        hear(s, 0, 5 * SECOND);
        run_to(s, 5 * SECOND);
        assert_int_equal(s->news[ALIGN_FOUND], 1);
        assert_int_equal(s->news[ALIGN_MOVED], 0);
        assert_true(s->found_at < (delays[i] < 300 ? SECOND : 2 * SECOND));
        assert_true(close_to(state_of(s).delay_ms, delays[i], 0.02));
        assert_true(left_db(s, 3 * SECOND, LEAD) < -25);
    }
}

static void a_negative_delay_is_found(void **state)
{
    struct scene *s = *state;

    s->delay_ms = -48.6;
    hear(s, MS(100), 5 * SECOND);
    s->ahead = MS(80); /* it is not heard before it is played: the far end runs ahead */
    run_to(s, 5 * SECOND);
    assert_true(close_to(state_of(s).delay_ms, -48.6, 0.02));
    assert_true(left_db(s, 3 * SECOND, LEAD) < -25);
}

static void two_clocks_are_told_apart_to_5_ppm(void **state)
{
    const double ppms[] = {0, 20, -50, 100, -100, 200, -200};
    struct scene *s = *state;
    double clean = 0;

    s->t60_ms = 150;
    for (size_t i = 0; i < sizeof(ppms) / sizeof(*ppms); i++) {
        align_reset(s->a);
        s->far_n = s->near_n = 0;
        memset(s->news, 0, sizeof(s->news));
        s->ppm = ppms[i];
        hear(s, 0, 14 * SECOND);
        run_to(s, 14 * SECOND);
        assert_true(close_to(state_of(s).drift_ppm, ppms[i], 5));
        if (i == 0)
            clean = state_of(s).quality;
        assert_true(state_of(s).quality > 0.85 * clean);
        assert_int_equal(s->news[ALIGN_FOUND], 1);
        assert_int_equal(s->news[ALIGN_MOVED], 0);
    }
}

static void the_reference_stays_with_a_drifting_echo(void **state)
{
    struct scene *s = *state;

    s->ppm = 200;
    hear(s, 0, 40 * SECOND);
    run_to(s, 40 * SECOND);
    assert_int_equal(s->news[ALIGN_MOVED], 0);
    for (size_t from = 5 * SECOND; from < 40 * SECOND; from += 5 * SECOND)
        assert_true(left_db(s, from, LEAD) < -25);
}

static void a_delay_that_jumps_is_followed_within_5_s(void **state)
{
    const double jumps[] = {300, -300, 40, -20};
    struct scene *s = *state;

    s->t60_ms = 150;
    s->ppm = -50;
    for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
        align_reset(s->a);
        s->far_n = s->near_n = 0;
        memset(s->news, 0, sizeof(s->news));
        s->delay_ms = jumps[i] < 0 ? 400 : 60;
        s->jump_at = 10 * SECOND;
        s->jump_ms = jumps[i];
        hear(s, 0, 18 * SECOND);
        run_to(s, 18 * SECOND);
        assert_int_equal(s->news[ALIGN_MOVED], 1);
        assert_true(s->moved_at > s->jump_at && s->moved_at < s->jump_at + 5 * SECOND);
        assert_true(close_to(state_of(s).delay_ms, s->delay_ms + jumps[i], 0.2));
        assert_true(close_to(state_of(s).drift_ppm, -50, 5));
    }
}

static void callbacks_of_any_size_change_nothing(void **state)
{
    struct scene *s = *state;
    struct room_rng rng;

    s->ppm = 50;
    s->jump_at = 12 * SECOND;
    s->jump_ms = 300;
    hear(s, 0, 40 * SECOND);
    room_rng_init(&rng, 11);
    while (s->near_n < 40 * SECOND) { /* from 1 sample to 200 ms at a time, late by 50 ms or less */
        size_t n = 1 + (size_t)((room_rng_uniform(&rng) + 1) * MS(100));
        size_t late = (size_t)((room_rng_uniform(&rng) + 1) * MS(25));
        push_far(s, n);
        while (s->near_n + DSP_FRAME + MS(30) <= s->far_n + late && s->near_n < 40 * SECOND)
            push_frame(s);
    }
    assert_int_equal(s->news[ALIGN_FOUND], 1);
    assert_int_equal(s->news[ALIGN_MOVED], 1);
    assert_true(s->moved_at < s->jump_at + 5 * SECOND);
    assert_true(close_to(state_of(s).drift_ppm, 50, 5));
    assert_true(left_db(s, 36 * SECOND, LEAD) < -25);
}

static void a_user_over_the_echo_does_not_move_it(void **state)
{
    struct scene *s = *state;

    s->t60_ms = 150;
    s->user = 8000; /* 12 dB above the echo */
    s->user_from = 4 * SECOND;
    s->user_to = 20 * SECOND;
    hear(s, 0, 24 * SECOND);
    run_to(s, 24 * SECOND);
    assert_int_equal(s->news[ALIGN_FOUND], 1);
    assert_int_equal(s->news[ALIGN_MOVED], 0);
    assert_true(close_to(state_of(s).delay_ms, 60, 0.05));
    assert_true(close_to(state_of(s).drift_ppm, 0, 5));
}

static void what_is_no_echo_is_not_followed(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 3; i++) { /* a user alone, noise, silence */
        align_reset(s->a);
        s->far_n = s->near_n = 0;
        s->gain = 0;
        s->user = 4000;
        s->user_to = i == 0 ? NEAR_LONG : 0;
        s->noise = i == 1 ? 1000 : 0;
        hear(s, 0, 30 * SECOND);
        run_to(s, 30 * SECOND);
        assert_false(state_of(s).known);
        assert_int_equal(s->news[ALIGN_FOUND], 0);
    }
    assert_true(s->jobs < 25); /* of 90 s: it does not try for ever as hard as at first */
}

static void an_echo_that_goes_away_is_waited_for(void **state)
{
    struct scene *s = *state;

    hear(s, 0, 30 * SECOND);
    speak(s->mic + 8 * SECOND, 14 * SECOND, 4000, 7);
    run_to(s, 30 * SECOND);
    assert_int_equal(s->news[ALIGN_FOUND], 1);
    assert_int_equal(s->news[ALIGN_MOVED], 0);
    assert_true(left_db(s, 25 * SECOND, LEAD) < -25);
}

static void a_silent_reference_in_a_loud_room_is_no_harm(void **state)
{
    struct scene *s = *state;

    memset(s->far, 0, 10 * SECOND * sizeof(*s->far));
    s->user = 12000;
    s->user_to = 9 * SECOND;
    hear(s, 0, 16 * SECOND);
    run_to(s, 10 * SECOND);
    assert_false(state_of(s).known);
    run_to(s, 16 * SECOND);
    assert_true(close_to(state_of(s).delay_ms, 60, 0.05));
}

/* Where the near end hears nothing, nothing is measured. */
static void a_microphone_without_sound_starts_no_job(void **state)
{
    struct scene *s = *state;

    for (s->near_n = 0; s->near_n < 5 * SECOND; s->near_n += DSP_FRAME) {
        push_far(s, DSP_FRAME);
        align_frame(s->a, s->mic, s->ref);
        assert_false(align_due(s->a));
    }
}

static void lost_samples_leave_the_delay_true(void **state)
{
    struct scene *s = *state;

    hear(s, 0, 30 * SECOND);
    run_to(s, 10 * SECOND);

    s->near_n += 25 * DSP_FRAME; /* of the near end */
    align_lost(s->a, 25 * DSP_FRAME, 0);
    size_t from = s->near_n;
    run_to(s, from + 5 * SECOND);
    assert_true(left_db(s, from + LEAD, LEAD) < -25);

    s->far_n += 3000; /* of the far end */
    align_lost(s->a, 0, 3000);
    from = s->near_n + MS(500);
    run_to(s, from + 5 * SECOND);
    assert_true(left_db(s, from, LEAD) < -25);

    s->far_n -= 100; /* it was too many */
    align_lost(s->a, 0, -100);
    from = s->near_n + MS(500);
    run_to(s, from + 5 * SECOND);
    assert_true(left_db(s, from, LEAD) < -25);

    s->far_n -= 40000; /* both ends give the same sound again */
    s->near_n -= 40000;
    align_lost(s->a, -40000, -40000);
    from = s->near_n + MS(500);
    run_to(s, from + 4 * SECOND);
    assert_true(left_db(s, from, LEAD) < -25);
    assert_int_equal(s->news[ALIGN_MOVED], 0);
}

static void clocks_drift_while_samples_are_lost(void **state)
{
    struct scene *s = *state;

    s->ppm = 200;
    hear(s, 0, 45 * SECOND);
    run_to(s, 15 * SECOND);
    align_lost(s->a, 25 * SECOND, 25 * SECOND); /* asleep; 80 samples of drift */
    s->far_n += 25 * SECOND;
    s->near_n += 25 * SECOND;
    size_t from = s->near_n + MS(500);
    run_to(s, from + 3 * SECOND);
    assert_true(left_db(s, from, LEAD) < -25);
    assert_int_equal(s->news[ALIGN_MOVED], 0);
}

/* A word and no more, and then little words with long pauses. */
static void sparse_sound_is_enough(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 30 * SECOND; i++) {
        s->far[i] = i % (3 * SECOND) > MS(100) && i % (3 * SECOND) < MS(560)
                        ? s->far[30 * SECOND + i % MS(460)]
                        : 0;
    }
    s->noise = 1;
    hear(s, 0, 30 * SECOND);
    run_to(s, 2 * SECOND);
    assert_true(close_to(state_of(s).delay_ms, 60, 0.1));
    run_to(s, 30 * SECOND);
    assert_true(state_of(s).measured >= 9);
}

static void a_delay_is_measured_every_2_s(void **state)
{
    struct scene *s = *state;

    hear(s, 0, 30 * SECOND);
    run_to(s, 30 * SECOND);
    assert_in_range(state_of(s).measured, 15, 19);
}

/* A reflection that is louder than the direct sound now and then. */
static void a_louder_reflection_does_not_move_it(void **state)
{
    struct scene *s = *state;

    hear(s, 0, 30 * SECOND);
    for (int i = 30 * SECOND - 1; i >= 10 * SECOND; i--) {
        int x = s->mic[i] + s->mic[i - 130] * 5 / 4;
        s->mic[i] = (int16_t)(x > 32767 ? 32767 : x < -32768 ? -32768 : x);
    }
    run_to(s, 30 * SECOND);
    assert_int_equal(s->news[ALIGN_MOVED], 0);
    assert_true(close_to(state_of(s).delay_ms, 60, 0.05));
}

static void a_jump_in_a_noisy_room_is_followed_too(void **state)
{
    struct scene *s = *state;

    s->t60_ms = 150;
    s->noise = 5000; /* louder than the echo */
    s->jump_at = 12 * SECOND;
    s->jump_ms = 300;
    hear(s, 0, 20 * SECOND);
    run_to(s, 20 * SECOND);
    assert_int_equal(s->news[ALIGN_MOVED], 1);
    assert_true(s->moved_at > s->jump_at && s->moved_at < s->jump_at + 4 * SECOND);
}

static void a_reference_at_full_scale_does_not_wrap_round(void **state)
{
    const struct align_state start = {.known = true, .delay_ms = 20.03};
    struct scene *s = *state;

    align_free(s->a);
    assert_int_equal(align_new(&s->a, &start), 0);
    for (int i = 0; i < SECOND; i++)
        s->far[i] = i / 200 % 2 ? INT16_MAX : INT16_MIN;
    s->mic[0] = 1;
    run_to(s, SECOND / 2);
    for (int i = 0; i < SECOND / 4; i++) { /* ref[i] is far[i - 80.48] */
        int at = (SECOND / 4 + i - 81) % 200;
        int16_t want = (SECOND / 4 + i - 81) / 200 % 2 ? INT16_MAX : INT16_MIN;
        if (at > 0 && at < 198)
            assert_true(s->ref[SECOND / 4 + i] / 2 == want / 2 ||
                        abs(s->ref[SECOND / 4 + i] - want) < 8000);
    }
}

static void absurd_losses_are_survived(void **state)
{
    const int64_t lost[] = {INT64_MAX, INT64_MIN, INT64_MIN, INT64_MAX, -5, 1 << 30, 0};
    struct scene *s = *state;

    hear(s, 0, 10 * SECOND);
    for (int i = 0; i < 6; i++) {
        run_to(s, s->near_n + SECOND);
        align_lost(s->a, lost[i], lost[i + 1]);
    }
    assert_true(isfinite(state_of(s).delay_ms));
    align_reset(s->a);
    s->far_n = s->near_n = 0;
    run_to(s, 3 * SECOND);
    assert_true(close_to(state_of(s).delay_ms, 60, 0.05));
}

/* A second of far end goes missing and nobody says so: further than any delay. */
static void a_loss_that_nobody_reports_is_found(void **state)
{
    struct scene *s = *state;

    hear(s, 0, 40 * SECOND);
    run_to(s, 6 * SECOND);
    s->far_n += SECOND; /* none for a second, and then later ones under their numbers */
    run_to(s, 40 * SECOND);
    assert_int_equal(s->news[ALIGN_MOVED], 1);
    assert_true(left_db(s, 35 * SECOND, LEAD) < -25);
}

static void a_drift_beyond_the_range_is_survived(void **state)
{
    struct scene *s = *state;

    s->ppm = 500;
    s->t60_ms = 150;
    hear(s, 0, 20 * SECOND);
    run_to(s, 20 * SECOND);
    assert_true(fabs(state_of(s).drift_ppm) <= 250);
    s->delay_ms += 0.5 * 20; /* from here on both clocks agree */
    s->ppm = 0;
    hear(s, 20 * SECOND, 50 * SECOND);
    run_to(s, 50 * SECOND);
    assert_true(close_to(state_of(s).drift_ppm, 0, 5));
    assert_int_equal(s->news[ALIGN_FOUND], 1);
}

static void a_loopback_is_the_reference_itself(void **state)
{
    struct scene *s = *state;

    memcpy(s->mic, s->far, sizeof(s->mic));
    s->gain = 1;
    s->ahead = 0;
    run_to(s, 10 * SECOND); /* the far end is never ahead: there is no lead */
    assert_true(close_to(state_of(s).delay_ms, 0, 0.02));
    assert_true(left_db(s, 5 * SECOND, 0) < -30);
    for (size_t i = 5 * SECOND / DSP_FRAME; i < 10 * SECOND / DSP_FRAME; i++)
        assert_true(s->there[i]);
}

static void a_clipped_microphone_is_aligned(void **state)
{
    struct scene *s = *state;

    s->gain = 40;
    s->t60_ms = 150;
    hear(s, 0, 6 * SECOND);
    run_to(s, 6 * SECOND);
    assert_true(close_to(state_of(s).delay_ms, 60, 0.1));
}

static void an_echo_near_silence_is_aligned_or_left_alone(void **state)
{
    struct scene *s = *state;

    s->gain = 0.002f; /* a few steps of 16 bit */
    s->noise = 1;
    hear(s, 0, 12 * SECOND);
    run_to(s, 12 * SECOND);
    struct align_state now = state_of(s);
    assert_true(!now.known || close_to(now.delay_ms, 60, 0.2));
}

static void before_the_far_end_there_is_silence(void **state)
{
    struct scene *s = *state;
    int16_t ref[DSP_FRAME];

    hear(s, 0, SECOND);
    for (int i = 0; i < DSP_FRAME; i++)
        ref[i] = 1;
    assert_false(align_frame(s->a, s->mic, ref));
    for (int i = 0; i < DSP_FRAME; i++)
        assert_int_equal(ref[i], 0);
    push_far(s, 2 * DSP_FRAME);
    assert_true(align_frame(s->a, s->mic, ref)); /* at the same time, as long as nothing is known */
    assert_memory_equal(ref, s->far + DSP_FRAME, sizeof(ref));
}

static void what_was_known_is_where_it_begins(void **state)
{
    const struct align_state start = {.known = true, .delay_ms = 60, .drift_ppm = 40};
    struct scene *s = *state;

    align_free(s->a);
    assert_int_equal(align_new(&s->a, &start), 0);
    s->ppm = 40;
    hear(s, 0, 10 * SECOND);
    run_to(s, 10 * SECOND);
    assert_int_equal(s->news[ALIGN_FOUND], 0);
    assert_int_equal(s->news[ALIGN_MOVED], 0);
    assert_true(s->news[ALIGN_TUNED] > 3);
    assert_true(left_db(s, MS(500), LEAD) < -25);
}

static void what_was_known_may_be_wrong(void **state)
{
    const struct align_state starts[] = {
        {.known = true, .delay_ms = 300, .drift_ppm = 10},
        {.known = true, .delay_ms = (double)NAN, .drift_ppm = 0},
        {.known = true, .delay_ms = 60, .drift_ppm = 1e9},
        {.known = true, .delay_ms = 1e9, .drift_ppm = 0},
        {.known = true, .delay_ms = -1e9, .drift_ppm = (double)INFINITY},
    };
    struct scene *s = *state;

    s->ppm = 40;
    hear(s, 0, 25 * SECOND);
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
        align_free(s->a);
        assert_int_equal(align_new(&s->a, &starts[i]), 0);
        s->far_n = s->near_n = 0;
        run_to(s, 25 * SECOND);
        assert_true(close_to(state_of(s).drift_ppm, 40, 2));
        assert_true(left_db(s, 22 * SECOND, LEAD) < -20);
    }
}

static void a_reset_forgets(void **state)
{
    struct scene *s = *state;

    hear(s, 0, 10 * SECOND);
    run_to(s, 3 * SECOND);
    assert_true(state_of(s).known);
    while (!align_due(s->a)) {
        push_far(s, DSP_FRAME);
        align_frame(s->a, s->mic + s->near_n, s->ref);
        s->near_n += DSP_FRAME;
    }
    for (int i = 0; i < 200; i++) { /* one job at a time */
        push_far(s, DSP_FRAME);
        align_frame(s->a, s->mic + s->near_n, s->ref);
        s->near_n += DSP_FRAME;
        assert_false(align_due(s->a));
    }
    align_measure(s->a);
    align_reset(s->a); /* what was measured before is of other devices */
    assert_int_equal(align_adopt(s->a), ALIGN_NONE);
    assert_false(state_of(s).known);
    assert_int_equal(state_of(s).measured, 0);
}

static void the_latest_frames_are_there_again(void **state)
{
    struct scene *s = *state;
    int16_t mic[DSP_FRAME], ref[DSP_FRAME];

    s->ppm = 100;
    hear(s, 0, 8 * SECOND);
    assert_false(align_again(s->a, 0, mic, ref)); /* none yet */
    run_to(s, 7 * SECOND);
    size_t n = s->near_n / DSP_FRAME;
    memset(s->ref, 0, sizeof(s->ref));
    for (size_t ago = 0; ago < 400; ago++) {
        size_t at = (n - 1 - ago) * DSP_FRAME;
        assert_true(align_again(s->a, (int)ago, mic, s->ref + at));
        assert_memory_equal(mic, s->mic + at, sizeof(mic));
    }
    for (size_t from = 4 * SECOND; from <= 6 * SECOND; from += SECOND / 2)
        assert_true(left_db(s, from, LEAD) < -25);
    assert_false(align_again(s->a, -1, mic, ref));
    assert_false(align_again(s->a, 420, mic, ref)); /* not kept */
    assert_false(align_again(s->a, INT32_MAX, mic, ref));
    run_to(s, 7 * SECOND + DSP_FRAME);
    assert_true(s->there[n]); /* and it goes on where it was */
    align_reset(s->a);
    assert_false(align_again(s->a, 0, mic, ref));
}

static void without_memory_there_is_an_error_and_no_leak(void **state)
{
    int failed = 0, ret = -ENOMEM;

    (void)state;
    if (!rt_guard_works())
        skip();
    for (; ret != 0 && failed < 100; failed++) {
        struct align *a = (struct align *)&failed;
        long held = rt_guard_held();
        rt_guard_starve(failed);
        ret = align_new(&a, NULL);
        rt_guard_starve(-1);
        assert_true(ret == 0 || (ret == -ENOMEM && a == NULL));
        align_free(a);
        assert_int_equal(rt_guard_held(), held);
    }
    assert_int_equal(ret, 0);
    assert_true(failed > 5);
}

/* The frame functions run on the worker that feeds the sound card. */
static void frames_allocate_nothing(void **state)
{
    struct scene *s = *state;

    if (!rt_guard_works())
        skip();
    hear(s, 0, 5 * SECOND);
    rt_guard_up();
    run_to(s, 5 * SECOND);
    assert_null(rt_guard_down());
    assert_true(state_of(s).known);
}

struct helper {
    struct align *a;
    atomic_int work; /* 1: a job waits, 2: it is done, 3: the end */
};

static void *help(void *user)
{
    struct helper *h = user;

    for (;;) {
        int work = atomic_load(&h->work);
        if (work == 3)
            return NULL;
        if (work != 1)
            continue;
        align_measure(h->a);
        atomic_store(&h->work, 2);
    }
}

/* For the thread sanitizer: everything else goes on while the job runs. */
static void the_job_is_left_alone(void **state)
{
    struct scene *s = *state;
    struct helper h = {.a = s->a};
    pthread_t thread;

    hear(s, 0, 12 * SECOND);
    assert_int_equal(pthread_create(&thread, NULL, help, &h), 0);
    for (int k = 0; s->near_n < 12 * SECOND; k++) {
        push_far(s, DSP_FRAME);
        align_frame(s->a, s->mic + s->near_n, s->ref + s->near_n);
        s->near_n += DSP_FRAME;
        if (k % 97 == 96)
            align_lost(s->a, 0, 0);
        if (k == 900)
            align_reset(s->a);
        if (align_due(s->a))
            atomic_store(&h.work, 1);
        if (atomic_load(&h.work) == 2) {
            align_adopt(s->a);
            atomic_store(&h.work, 0);
        }
        state_of(s);
    }
    while (atomic_load(&h.work) == 1)
        continue;
    atomic_store(&h.work, 3);
    pthread_join(thread, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_delay_is_found_in_the_first_seconds),
        TEST(a_negative_delay_is_found),
        TEST(two_clocks_are_told_apart_to_5_ppm),
        TEST(the_reference_stays_with_a_drifting_echo),
        TEST(a_delay_that_jumps_is_followed_within_5_s),
        TEST(callbacks_of_any_size_change_nothing),
        TEST(a_user_over_the_echo_does_not_move_it),
        TEST(what_is_no_echo_is_not_followed),
        TEST(an_echo_that_goes_away_is_waited_for),
        TEST(a_silent_reference_in_a_loud_room_is_no_harm),
        TEST(a_microphone_without_sound_starts_no_job),
        TEST(lost_samples_leave_the_delay_true),
        TEST(clocks_drift_while_samples_are_lost),
        TEST(sparse_sound_is_enough),
        TEST(a_delay_is_measured_every_2_s),
        TEST(a_louder_reflection_does_not_move_it),
        TEST(a_jump_in_a_noisy_room_is_followed_too),
        TEST(a_reference_at_full_scale_does_not_wrap_round),
        TEST(absurd_losses_are_survived),
        TEST(a_loss_that_nobody_reports_is_found),
        TEST(a_drift_beyond_the_range_is_survived),
        TEST(a_loopback_is_the_reference_itself),
        TEST(a_clipped_microphone_is_aligned),
        TEST(an_echo_near_silence_is_aligned_or_left_alone),
        TEST(before_the_far_end_there_is_silence),
        TEST(what_was_known_is_where_it_begins),
        TEST(what_was_known_may_be_wrong),
        TEST(a_reset_forgets),
        TEST(the_latest_frames_are_there_again),
        TEST(without_memory_there_is_an_error_and_no_leak),
        TEST(frames_allocate_nothing),
        TEST(the_job_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
