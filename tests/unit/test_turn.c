/* turn: scripts of probabilities, and the events that they must give. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/turn.h"
#include "dsp/vad.h"
#include "fake/signals.h"

#define FRAME 512u

/* Feeds one frame for each letter (S speech, h hovering between stop and start, . silence, ? NaN)
 * and writes one letter for each event (- none, B began, P paused, R resumed, E ended). */
static const char *script(struct turn *t, const char *frames, char *events)
{
    static const char letters[] = {[TURN_NONE] = '-',
                                   [TURN_STARTED] = 'B',
                                   [TURN_PAUSED] = 'P',
                                   [TURN_RESUMED] = 'R',
                                   [TURN_ENDED] = 'E'};
    size_t n = 0;

    for (; frames[n] != '\0'; n++) {
        float p = frames[n] == 'S' ? 0.5f : frames[n] == 'h' ? 0.4f : frames[n] == '?' ? NAN : 0.1f;
        events[n] = letters[turn_step(t, p, FRAME)];
    }
    events[n] = '\0';
    return events;
}

static struct turn turn_with(int start_ms, int wait_ms, int prefix_ms)
{
    struct turn t;
    turn_init(&t, &(struct turn_config){.start = 0.5f,
                                        .stop = 0.35f,
                                        .start_ms = start_ms,
                                        .wait_ms = wait_ms,
                                        .prefix_ms = prefix_ms});
    return t;
}

static void a_turn_starts_pauses_and_ends(void **state)
{
    (void)state;
    struct turn t;
    char events[64];

    turn_init(&t, NULL);
    /* 600 ms are 18.75 frames: the 19th silent one ends the turn. */
    assert_string_equal(script(&t, "...............SSSSS...................", events),
                        "----------------B---P-----------------E");
    assert_int_equal(t.start, 15 * FRAME - 300 * 16);
    assert_int_equal(t.end, 20 * FRAME);
    assert_int_equal(t.now, 39 * FRAME);
    assert_false(t.speaking);
    assert_false(t.paused);
}

static void a_knock_never_starts_a_turn(void **state)
{
    (void)state;
    struct turn t = turn_with(64, 600, 300);
    char events[64];

    assert_string_equal(script(&t, "S.S.S.ShShS?S", events), "-------------");
    assert_false(t.speaking);
    assert_string_equal(script(&t, ".SS", events), "--B"); /* and adds nothing to what follows */
    assert_int_equal(t.start, 14 * FRAME - 300 * 16);
}

static void speech_counts_after_exactly_start_ms(void **state)
{
    (void)state;
    char events[16];
    struct turn t = turn_with(64, 600, 0);
    assert_string_equal(script(&t, "SSS", events), "-B-");
    t = turn_with(65, 600, 0);
    assert_string_equal(script(&t, "SSS", events), "--B");
    t = turn_with(32, 600, 0);
    assert_string_equal(script(&t, "S", events), "B");
    t = turn_with(0, 600, 0);
    assert_string_equal(script(&t, ".S", events), "-B");
}

static void the_prefix_stops_at_the_first_sample(void **state)
{
    (void)state;
    char events[64];
    struct turn t = turn_with(64, 600, 300);

    script(&t, "...SS", events);
    assert_int_equal(t.start, 0);
    t = turn_with(64, 600, 96);
    script(&t, "...SS", events);
    assert_int_equal(t.start, 0);
    t = turn_with(64, 600, 95);
    script(&t, "...SS", events);
    assert_int_equal(t.start, 16);
}

static void the_prefix_stops_at_the_end_of_the_turn_before(void **state)
{
    (void)state;
    char events[64];
    struct turn t = turn_with(64, 100, 1000);

    assert_string_equal(script(&t, "SSS....SS", events), "-B-P--E-B");
    assert_int_equal(t.start, 3 * FRAME);
    assert_int_equal(t.end, 9 * FRAME);
}

static void a_pause_shorter_than_wait_resumes(void **state)
{
    (void)state;
    char events[64];
    struct turn t = turn_with(64, 96, 0);

    assert_string_equal(script(&t, "SSS..S..SSS...", events), "-B-P-RP-R--P-E");
    assert_int_equal(t.start, 0);
    assert_int_equal(t.end, 11 * FRAME);
}

static void the_wait_is_exact_to_the_frame(void **state)
{
    (void)state;
    static const struct {
        int wait_ms, silent; /* the frame of silence that ends the turn */
    } cases[] = {{0, 1},   {1, 1},    {32, 1},   {33, 2},   {64, 2},
                 {200, 7}, {600, 19}, {608, 19}, {609, 20}, {1500, 47}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char events[8];
        struct turn t = turn_with(64, cases[i].wait_ms, 0);
        script(&t, "SSS", events);
        for (int k = 1; k <= cases[i].silent; k++) {
            enum turn_event event = turn_step(&t, 0, FRAME);
            enum turn_event expected = k == cases[i].silent ? TURN_ENDED
                                       : k == 1             ? TURN_PAUSED
                                                            : TURN_NONE;
            assert_int_equal(event, expected);
        }
        assert_int_equal(t.end, 3 * FRAME);
    }
}

static void a_hovering_probability_changes_nothing(void **state)
{
    (void)state;
    char events[64];
    struct turn t = turn_with(64, 160, 0);

    /* It keeps speech going but does not begin it. */
    assert_string_equal(script(&t, "hhhhhSShhhhhhhhh", events), "------B---------");
    assert_int_equal(t.end, 16 * FRAME);
    /* It does not end a pause either: the silence goes on counting. */
    assert_string_equal(script(&t, ".hhhh", events), "P---E");
    assert_int_equal(t.end, 16 * FRAME);
    assert_string_equal(script(&t, "hhh", events), "---");
}

static void the_thresholds_themselves_count_as_speech(void **state)
{
    (void)state;
    struct turn t = turn_with(32, 600, 0);

    assert_int_equal(turn_step(&t, 0.4999f, FRAME), TURN_NONE);
    assert_int_equal(turn_step(&t, 0.5f, FRAME), TURN_STARTED);
    assert_int_equal(turn_step(&t, 0.35f, FRAME), TURN_NONE);
    assert_int_equal(turn_step(&t, 0.3499f, FRAME), TURN_PAUSED);
    assert_int_equal(turn_step(&t, 0.4999f, FRAME), TURN_NONE);
    assert_int_equal(turn_step(&t, 0.5f, FRAME), TURN_RESUMED);
}

static void not_a_number_is_silence(void **state)
{
    (void)state;
    char events[16];
    struct turn t = turn_with(64, 64, 0);

    assert_string_equal(script(&t, "?SS??", events), "--BPE");
}

static void a_second_turn_stands_on_its_own(void **state)
{
    (void)state;
    char events[64];
    struct turn t = turn_with(64, 96, 32);

    assert_string_equal(script(&t, ".SS....S...SSS...", events), "--BP-E------B-P-E");
    assert_int_equal(t.start, 10 * FRAME);
    assert_int_equal(t.end, 14 * FRAME);
}

static void frames_may_differ_in_length(void **state)
{
    (void)state;
    struct turn t = turn_with(64, 20, 10);

    assert_int_equal(turn_step(&t, 0, 1000), TURN_NONE);
    assert_int_equal(turn_step(&t, 1, 1023), TURN_NONE);
    assert_int_equal(turn_step(&t, 1, 0), TURN_NONE);
    assert_int_equal(turn_step(&t, 1, 1), TURN_STARTED);
    assert_int_equal(t.start, 840);
    assert_int_equal(turn_step(&t, 0, 319), TURN_PAUSED);
    assert_int_equal(turn_step(&t, 0, 1), TURN_ENDED);
    assert_int_equal(t.end, 2024);
}

static void odd_settings_are_made_sense_of(void **state)
{
    (void)state;
    char events[16];
    struct turn t = turn_with(-5, -5, -5);

    assert_string_equal(script(&t, ".S.S", events), "-BEB");
    assert_int_equal(t.start, 3 * FRAME);
    turn_init(&t, &(struct turn_config){.start = 0.5f, .stop = 0.9f, .wait_ms = 96});
    assert_string_equal(script(&t, "SS...", events), "B-P-E");
    turn_init(&t, &(struct turn_config){.start = 0.5f, .stop = NAN, .wait_ms = 96});
    assert_string_equal(script(&t, "SS...", events), "B-P-E");
    t = turn_with(64, INT32_MAX, INT32_MAX);
    assert_string_equal(script(&t, "SS...", events), "-BP--");
    assert_int_equal(t.start, 0);
}

/* Whatever the probabilities are: no event twice, none out of order, turns that do not overlap. */
static void events_always_come_in_order(void **state)
{
    (void)state;
    struct turn t = turn_with(64, 128, 300);
    enum turn_event last = TURN_ENDED;
    uint64_t end = 0;
    uint32_t noise = 11;
    int turns = 0;

    for (int i = 0; i < 100000; i++) {
        bool lively = (i / 40) % 2;
        float p = (float)(signal_noise(&noise) + 32768) / 65536 + (lively ? 0.3f : -0.3f);
        enum turn_event event = turn_step(&t, p, FRAME);
        if (event == TURN_NONE)
            continue;
        switch (event) {
        case TURN_STARTED:
            assert_int_equal(last, TURN_ENDED);
            assert_true(t.start >= end && t.start < t.end && t.end == t.now);
            break;
        case TURN_PAUSED:
            assert_true(last == TURN_STARTED || last == TURN_RESUMED);
            break;
        default:
            assert_int_equal(last, TURN_PAUSED);
            break;
        }
        if (event == TURN_ENDED) {
            end = t.end;
            turns++;
        }
        assert_int_equal(t.speaking, event != TURN_ENDED);
        assert_int_equal(t.paused, event == TURN_PAUSED);
        last = event;
    }
    assert_true(turns > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_starts_pauses_and_ends),
        cmocka_unit_test(a_knock_never_starts_a_turn),
        cmocka_unit_test(speech_counts_after_exactly_start_ms),
        cmocka_unit_test(the_prefix_stops_at_the_first_sample),
        cmocka_unit_test(the_prefix_stops_at_the_end_of_the_turn_before),
        cmocka_unit_test(a_pause_shorter_than_wait_resumes),
        cmocka_unit_test(the_wait_is_exact_to_the_frame),
        cmocka_unit_test(a_hovering_probability_changes_nothing),
        cmocka_unit_test(the_thresholds_themselves_count_as_speech),
        cmocka_unit_test(not_a_number_is_silence),
        cmocka_unit_test(a_second_turn_stands_on_its_own),
        cmocka_unit_test(frames_may_differ_in_length),
        cmocka_unit_test(odd_settings_are_made_sense_of),
        cmocka_unit_test(events_always_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
