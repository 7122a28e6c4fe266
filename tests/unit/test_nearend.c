/* nearend: the whole chain in a room that is made here, closed loop: what it decides is done to the
 * loudspeaker. Whatever is loud passes for speech, as with the most stupid of detectors. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/nearend.h"
#include "fake/silero.h"
#include "fake/signals.h"
#include "room/room_dsp.h"

#define MS(ms)  ((ms)*DSP_HZ / 1000)
#define SECOND  100 /* frames */
#define PENDING (1 << 16)

struct rig {
    struct vad_weights *weights;
    struct nearend *chain;
    struct room_path *path;
    struct room_conv *room;
    struct room_rng far_rng, user_rng, noise_rng;
    float far_low, far_loud, user_low, user_loud;
    size_t far_at, user_at;
    int16_t air[PENDING]; /* what the loudspeaker plays, by its own clock */
    double air_at;        /* where the room is in it */
    size_t played;
    int delay_ms;
    double ppm;
    float echo, user, noise; /* levels, rms of 16 bit */
    bool deaf;               /* the far end is not handed over */
    bool loopback;           /* the microphone is the loudspeaker, exactly */
    bool playing;
    enum barge_state state;
    float gain;
    int ducks, holds, stops, moves, clipped, hopeless;
    int frame, hold_at, stop_at, played_at; /* the latest */
    unsigned onset_ms;
    double echo_in, echo_out; /* since the last look */
    double user_in, user_out;
    int16_t said[2][DSP_FRAME];
    struct nearend_verdict v;
};

/* Noise in syllables with pauses, strong in low frequencies; `rate` of it is loud. */
static float voice(struct room_rng *rng, float *low, float *loud, size_t at, bool pauses)
{
    float want = pauses && (at / MS(120)) % 7 == 6 ? 0 : 1;

    *loud += 0.004f * (want - *loud);
    *low += 0.3f * (room_rng_gauss(rng) - *low);
    return *loud * *low * 2.4f;
}

static int16_t clip(float x)
{
    return (int16_t)lrintf(fminf(fmaxf(x, -32768), 32767));
}

static struct vad_weights *loud_weights(void)
{
    float *floats = calloc(SILERO_FLOATS, sizeof(*floats));
    struct vad_weights *w = NULL;
    struct buf file = BUF_INIT;
    struct err e = {0};

    assert_non_null(floats);
    silero_loud(floats);
    silero_file(&file, silero_tensors, SILERO_TENSORS, floats);
    assert_int_equal(vad_weights_parse(&w, file.data, file.len, "loud.onnx", &e), 0);
    buf_free(&file);
    free(floats);
    return w;
}

static void rig_chain(struct rig *r, enum nearend_aec aec, const struct nearend_memory *memory)
{
    struct nearend_config config = {
        .aec = aec, .level = BARGE_MEDIUM, .weights = r->weights, .memory = memory};

    nearend_free(r->chain);
    r->chain = NULL;
    assert_int_equal(nearend_new(&r->chain, &config), 0);
}

static void rig_room(struct rig *r, uint64_t seed)
{
    float *h = NULL;
    size_t n = 0;

    assert_int_equal(room_rir_new(&h, &n, DSP_HZ, 200, seed), 0);
    struct room_path *path = NULL;
    assert_int_equal(room_path_new(&path, h, n), 0);
    if (!r->room)
        assert_int_equal(room_conv_new(&r->room, n + ROOM_BLOCK), 0);
    room_conv_set(r->room, path);
    if (r->path)
        for (int i = 0; i < 2 * ROOM_BLOCK; i++) /* until it has taken effect */
            room_conv_step(r->room, 0);
    room_path_free(r->path);
    r->path = path;
    free(h);
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->weights = loud_weights();
    rig_room(r, 1);
    room_rng_init(&r->far_rng, 1);
    room_rng_init(&r->user_rng, 2);
    room_rng_init(&r->noise_rng, 3);
    r->delay_ms = 60;
    r->echo = 0.3f;
    r->noise = 6;
    r->playing = true;
    r->gain = 1;
    rig_chain(r, NEAREND_SPEEX, NULL);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    nearend_free(r->chain);
    vad_weights_free(r->weights);
    room_conv_free(r->room);
    room_path_free(r->path);
    free(r);
    return 0;
}

/* The loudspeaker's next frame; not consumed while it is held. */
static void play(struct rig *r)
{
    static const float gains[] = {1, 0.126f, 0, 1};
    float goal = r->playing ? gains[r->state] : 0;
    int16_t x[2 * DSP_FRAME];
    size_t n = 0;

    while ((double)(r->played + n) < (double)(r->frame + 1) * DSP_FRAME * (1 + r->ppm * 1e-6)) {
        r->gain += fmaxf(-1.0f / 64, fminf(1.0f / 64, goal - r->gain));
        float s =
            r->gain < 0.001f
                ? 0
                : 2500 * r->gain * voice(&r->far_rng, &r->far_low, &r->far_loud, r->far_at++, true);
        x[n] = clip(s);
        r->air[(r->played + n) % PENDING] = x[n];
        n++;
    }
    r->played += n;
    if (!r->deaf)
        nearend_far(r->chain, x, n);
}

static void hear(struct rig *r, int16_t mic[DSP_FRAME])
{
    memcpy(r->said[0], r->said[1], sizeof(r->said[0]));
    for (int i = 0; i < DSP_FRAME; i++) {
        size_t at = (size_t)r->frame * DSP_FRAME + (size_t)i;
        double from = (double)at * (1 + r->ppm * 1e-6) - MS(r->delay_ms);
        float dry = from < ROOM_SINC_HALF ? 0 : room_between(r->air, PENDING - 1, from) * 32768;
        float wet = room_conv_step(r->room, dry) * r->echo;
        float said =
            r->user > 0 ? r->user * voice(&r->user_rng, &r->user_low, &r->user_loud, at, false) : 0;
        r->said[1][i] = clip(said);
        mic[i] = r->loopback ? r->air[at % PENDING]
                             : clip(wet + said + r->noise * room_rng_gauss(&r->noise_rng));
    }
}

static double energy(const int16_t *x)
{
    double sum = 0;

    for (int i = 0; i < DSP_FRAME; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static void note(struct rig *r, const int16_t *mic, const int16_t *out)
{
    const struct nearend_verdict *v = &r->v;

    assert_true(isfinite(v->speech) && isfinite(v->erle_db) && isfinite(v->snr_db) &&
                isfinite(v->near_db) && isfinite(v->noise_db));
    r->moves += v->moved;
    r->clipped += v->clipped;
    r->hopeless += v->hopeless;
    r->ducks += v->state == BARGE_DUCK && r->state != BARGE_DUCK;
    if (v->state == BARGE_HOLD && r->state != BARGE_HOLD) {
        r->holds++;
        r->hold_at = r->frame;
    }
    if (v->state == BARGE_STOP) {
        r->stops++;
        r->stop_at = r->frame;
        r->onset_ms = v->onset_ms;
        r->playing = false;
    }
    if (v->state == BARGE_PLAY && r->state != BARGE_PLAY)
        r->played_at = r->frame;
    r->state = v->state == BARGE_STOP ? BARGE_PLAY : v->state;
    r->echo_in += energy(mic);
    r->echo_out += energy(out);
    r->user_in += energy(r->said[0]);
    r->user_out += energy(out);
}

static void run(struct rig *r, int frames)
{
    int16_t mic[DSP_FRAME], out[DSP_FRAME];

    r->echo_in = r->echo_out = r->user_in = r->user_out = 1;
    for (int i = 0; i < frames; i++) {
        play(r);
        hear(r, mic);
        nearend_run(r->chain, mic, r->playing, out, &r->v);
        note(r, mic, out);
        if (nearend_due(r->chain)) {
            nearend_measure(r->chain);
            nearend_adopt(r->chain);
        }
        r->frame++;
    }
}

static double erle(const struct rig *r)
{
    return 10 * log10(r->echo_in / r->echo_out);
}

static void speak(struct rig *r, int frames)
{
    r->user = 1500;
    r->user_loud = 1;
    run(r, frames);
    r->user = 0;
}

static void its_own_voice_changes_nothing(void **state)
{
    struct rig *r = *state;

    run(r, 30 * SECOND);
    assert_int_equal(r->stops, 0);
    assert_int_equal(r->holds, 0);
    assert_true(r->v.converged && !r->v.hopeless);
    run(r, 10 * SECOND);
    assert_int_equal(r->stops + r->holds, 0);
    assert_true(erle(r) > 25);
    assert_true(r->v.erle_db > 25);
}

static void the_user_silences_it_soon_and_stops_it(void **state)
{
    struct rig *r = *state;

    for (int round = 0; round < 5; round++) {
        run(r, 8 * SECOND);
        int from = r->frame, stops = r->stops;
        speak(r, 2 * SECOND);
        assert_int_equal(r->stops, stops + 1);
        assert_true(r->hold_at - from < 20);
        assert_true(r->stop_at - from < 120);
        int onset = r->stop_at - (int)r->onset_ms / 10; /* the pre-roll holds the first word */
        assert_true(onset <= from + 2 && onset >= from - 20);
        run(r, 1 * SECOND);
        r->playing = true;
    }
    assert_int_equal(r->stops, 5);
}

static void the_user_is_handed_on_from_the_first_word(void **state)
{
    struct rig *r = *state;

    run(r, 10 * SECOND);
    r->user = 1500;
    r->user_loud = 1;
    run(r, 2); /* out is a frame late */
    run(r, 15);
    assert_true(10 * log10(r->user_out / r->user_in) > -3);
    run(r, 2 * SECOND);
    assert_int_equal(r->stops, 1);
    run(r, SECOND); /* nothing plays any more: nothing is changed */
    assert_true(fabs(10 * log10(r->user_out / r->user_in)) < 1);
}

/* The word ends just as the loudspeaker falls silent. */
static void a_user_who_pauses_after_the_first_word_stops_it(void **state)
{
    struct rig *r = *state;

    for (int word = 20; word <= 32; word += 3) {
        int stops = r->stops;
        run(r, 8 * SECOND);
        speak(r, word);
        run(r, 14);
        speak(r, SECOND);
        assert_int_equal(r->stops, stops + 1);
        run(r, SECOND);
        r->playing = true;
    }
}

static void a_short_sound_holds_it_at_most_and_it_goes_on(void **state)
{
    struct rig *r = *state;

    for (int round = 0; round < 4; round++) {
        run(r, 20 * SECOND);
        speak(r, 35);
        int end = r->frame;
        run(r, SECOND);
        assert_int_equal(r->state, BARGE_PLAY);
        assert_true(r->played_at <= end + 42);
    }
    assert_int_equal(r->stops, 0);
}

static void while_nothing_plays_it_decides_nothing(void **state)
{
    struct rig *r = *state;

    r->playing = false;
    run(r, SECOND);
    speak(r, 3 * SECOND);
    assert_int_equal(r->ducks + r->holds + r->stops, 0);
}

static void a_room_that_is_known_is_cancelled_from_the_start(void **state)
{
    struct rig *r = *state;
    struct nearend_memory *m = calloc(1, sizeof(*m));

    assert_non_null(m);
    nearend_memory(r->chain, m);
    assert_int_equal(m->n, 0);
    assert_false(m->align.known);
    run(r, SECOND);
    assert_false(r->v.converged);
    run(r, 30 * SECOND);
    nearend_memory(r->chain, m);
    assert_true(m->n > 0 && m->n <= NEAREND_RESPONSE && m->align.known);
    assert_true(fabs(m->align.delay_ms - 60) < 10);

    r->frame = 0; /* the next day */
    r->played = 0;
    memset(r->air, 0, sizeof(r->air));
    rig_chain(r, NEAREND_SPEEX, m);
    run(r, SECOND);
    assert_true(erle(r) > 18); /* down to the noise */
    assert_true(r->v.converged);
    run(r, 5 * SECOND);
    assert_int_equal(r->stops + r->holds, 0);
    free(m);
}

static void a_memory_that_is_no_use_is_not_used(void **state)
{
    struct rig *r = *state;
    struct nearend_memory *m = calloc(1, sizeof(*m));

    assert_non_null(m);
    m->align = (struct align_state){.known = true, .delay_ms = 60};
    m->n = 100;
    m->response[50] = (float)NAN;
    rig_chain(r, NEAREND_SPEEX, m);
    run(r, 2 * SECOND);
    m->n = (size_t)-1;
    rig_chain(r, NEAREND_SPEEX, m);
    run(r, 2 * SECOND);
    m->response[50] = 30; /* of another room: it is unlearnt */
    m->n = 100;
    rig_chain(r, NEAREND_SPEEX, m);
    run(r, 20 * SECOND);
    r->stops = 0;
    r->playing = true;
    run(r, 10 * SECOND);
    assert_int_equal(r->stops, 0);
    assert_true(erle(r) > 15);
    free(m);
}

static void a_delay_that_jumps_is_found_again(void **state)
{
    struct rig *r = *state;

    run(r, 15 * SECOND);
    r->delay_ms = 360;
    run(r, 5 * SECOND);
    assert_int_equal(r->moves, 1);
    run(r, 10 * SECOND);
    run(r, 5 * SECOND);
    assert_true(erle(r) > 20);
    assert_int_equal(r->stops, 0);
    r->playing = true;
    speak(r, 2 * SECOND);
    assert_int_equal(r->stops, 1);
}

static void another_room_is_learnt(void **state)
{
    struct rig *r = *state;

    run(r, 15 * SECOND);
    rig_room(r, 77);
    run(r, 10 * SECOND);
    assert_int_equal(r->stops, 0);
    run(r, 5 * SECOND);
    assert_true(erle(r) > 20);
}

static void a_clock_that_is_out_of_range_stops_nothing_for_good(void **state)
{
    struct rig *r = *state;

    r->ppm = 3000;
    run(r, 40 * SECOND);
    assert_int_equal(r->stops, 0);
    nearend_free(r->chain); /* the device is opened again, and has another clock */
    r->chain = NULL;
    r->ppm = 0;
    r->frame = 0;
    r->played = 0;
    memset(r->air, 0, sizeof(r->air));
    rig_chain(r, NEAREND_SPEEX, NULL);
    run(r, 15 * SECOND);
    assert_int_equal(r->stops, 0);
    run(r, 5 * SECOND);
    assert_true(erle(r) > 15);
}

static void a_reference_that_stays_silent_is_survived(void **state)
{
    struct rig *r = *state;

    r->deaf = true;
    for (int i = 0; i < 20; i++) {
        r->playing = true;
        run(r, SECOND);
    }
    r->deaf = false;
    nearend_lost(r->chain, 0, (int64_t)(r->played)); /* what was not handed over */
    r->playing = true;
    run(r, 20 * SECOND);
    r->playing = true;
    r->stops = 0;
    run(r, 10 * SECOND);
    assert_int_equal(r->stops, 0);
    assert_true(erle(r) > 15);
}

static void a_microphone_that_clips_is_told_and_gets_over_it(void **state)
{
    struct rig *r = *state;

    r->echo = 60;
    run(r, 10 * SECOND);
    assert_true(r->clipped > SECOND);
    assert_int_equal(r->stops, 0);
    r->echo = 0.3f;
    run(r, 20 * SECOND);
    r->clipped = 0;
    run(r, 5 * SECOND);
    assert_int_equal(r->clipped, 0);
    assert_int_equal(r->stops, 0);
    assert_true(erle(r) > 15);
}

static void a_microphone_that_is_the_loudspeaker_stops_nothing(void **state)
{
    struct rig *r = *state;

    r->loopback = true;
    run(r, 60 * SECOND);
    assert_int_equal(r->stops, 0);
    assert_true(r->holds <= 2);
    assert_int_equal(r->state, BARGE_PLAY);
}

static void without_a_canceller_of_ours_the_user_is_heard(void **state)
{
    struct rig *r = *state;

    for (enum nearend_aec aec = NEAREND_SYSTEM; aec <= NEAREND_OFF; aec++) {
        struct nearend_memory *m = calloc(1, sizeof(*m));
        assert_non_null(m);
        rig_chain(r, aec, NULL);
        r->echo = 0;
        r->stops = 0;
        r->playing = true;
        run(r, 5 * SECOND);
        assert_int_equal(r->stops + r->holds, 0);
        assert_true(r->v.converged && !r->v.hopeless);
        assert_false(nearend_due(r->chain));
        int from = r->frame;
        r->user = 1500;
        run(r, 2 * SECOND);
        assert_true(fabs(10 * log10(r->user_out / r->user_in)) < 1);
        r->user = 0;
        assert_int_equal(r->stops, 1);
        assert_true(r->hold_at - from < 20);
        nearend_memory(r->chain, m);
        assert_int_equal(m->n, 0);
        free(m);
        r->holds = 0;
        run(r, SECOND);
    }
}

/* No echo comes back at all: nothing is to be learnt, and the user is heard all the same. */
static void with_headphones_the_user_is_heard(void **state)
{
    struct rig *r = *state;

    r->echo = 0;
    run(r, 10 * SECOND);
    int from = r->frame;
    speak(r, 2 * SECOND);
    assert_int_equal(r->stops, 1);
    assert_true(r->hold_at - from < 20);
}

static void with_headphones_the_user_is_heard_in_the_first_reply(void **state)
{
    struct rig *r = *state;

    r->echo = 0;
    r->playing = false;
    run(r, 2 * SECOND);
    r->playing = true;
    run(r, 120);
    int from = r->frame;
    speak(r, 2 * SECOND);
    assert_int_equal(r->stops, 1);
    assert_true(r->hold_at - from < 30);
}

static void headphones_bring_hope_back(void **state)
{
    struct rig *r = *state;

    run(r, 10 * SECOND);
    for (int i = 0; i < 25 && !r->v.hopeless; i++) {
        speak(r, 30);
        run(r, 2 * SECOND);
    }
    assert_true(r->v.hopeless);
    r->echo = 0;
    run(r, 8 * SECOND);
    assert_false(r->v.hopeless);
    speak(r, 2 * SECOND);
    assert_int_equal(r->stops, 1);
}

static void one_false_hold_after_the_other_is_hopeless_until_it_is_calm(void **state)
{
    struct rig *r = *state;

    run(r, 10 * SECOND);
    for (int i = 0; i < 25 && !r->v.hopeless; i++) {
        speak(r, 30);
        run(r, 2 * SECOND);
    }
    assert_true(r->v.hopeless);
    assert_int_equal(r->stops, 0);
    int holds = r->holds;
    speak(r, 3 * SECOND); /* half duplex: nobody is listened to */
    assert_int_equal(r->holds, holds);
    r->user = 0;
    run(r, 180 * SECOND);
    assert_false(r->v.hopeless);
    speak(r, 2 * SECOND);
    assert_int_equal(r->stops, 1);
}

static void any_samples_and_any_order_of_calls_are_survived(void **state)
{
    struct rig *r = *state;
    uint32_t seed = 1;
    int16_t x[3000], out[DSP_FRAME];
    struct nearend_verdict v;

    signal_extremes(x, 3000);
    for (int i = 0; i < 3000; i++) {
        int what = signal_noise(&seed) & 15;
        if (what < 8)
            nearend_run(r->chain, x + (i * 7) % 2800, what & 1, out, &v);
        else if (what < 12)
            nearend_far(r->chain, x, (size_t)(i % 3000));
        else if (what == 12)
            nearend_lost(r->chain, signal_noise(&seed), signal_noise(&seed));
        else if (what == 13)
            nearend_adopt(r->chain);
        else if (what == 14 && nearend_due(r->chain)) {
            nearend_measure(r->chain);
            nearend_adopt(r->chain);
        }
        assert_true(v.speech >= 0 && v.speech <= 1);
    }
    nearend_far(r->chain, x, 0);
    nearend_lost(r->chain, INT64_MAX, INT64_MIN);
    nearend_run(r->chain, x, true, x, &v); /* out may be mic */
}

static void what_makes_no_sense_is_refused(void **state)
{
    struct rig *r = *state;
    struct nearend *e = NULL;
    struct nearend_config config = {.aec = (enum nearend_aec)7};

    assert_int_equal(nearend_new(&e, &config), -EINVAL);
    assert_null(e);
    config = (struct nearend_config){.level = (enum barge_level)9};
    assert_int_equal(nearend_new(&e, &config), -EINVAL);
    nearend_free(NULL);
    /* Without a detector there is an echo canceller and no barge-in. */
    vad_weights_free(r->weights);
    r->weights = NULL;
    rig_chain(r, NEAREND_SPEEX, NULL);
    run(r, 10 * SECOND);
    speak(r, 2 * SECOND);
    assert_int_equal(r->ducks + r->holds + r->stops, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(its_own_voice_changes_nothing),
        test(the_user_silences_it_soon_and_stops_it),
        test(the_user_is_handed_on_from_the_first_word),
        test(a_user_who_pauses_after_the_first_word_stops_it),
        test(a_short_sound_holds_it_at_most_and_it_goes_on),
        test(while_nothing_plays_it_decides_nothing),
        test(a_room_that_is_known_is_cancelled_from_the_start),
        test(a_memory_that_is_no_use_is_not_used),
        test(a_delay_that_jumps_is_found_again),
        test(another_room_is_learnt),
        test(a_clock_that_is_out_of_range_stops_nothing_for_good),
        test(a_reference_that_stays_silent_is_survived),
        test(a_microphone_that_clips_is_told_and_gets_over_it),
        test(a_microphone_that_is_the_loudspeaker_stops_nothing),
        test(without_a_canceller_of_ours_the_user_is_heard),
        test(with_headphones_the_user_is_heard),
        test(with_headphones_the_user_is_heard_in_the_first_reply),
        test(headphones_bring_hope_back),
        test(one_false_hold_after_the_other_is_hopeless_until_it_is_calm),
        test(any_samples_and_any_order_of_calls_are_survived),
        test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests_name("nearend", tests, NULL, NULL);
}
