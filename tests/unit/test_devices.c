/* devices and when: which device is meant, and times that make sense. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "audio/devices.h"
#include "audio/when.h"

static const struct audio_device laptop[] = {
    {.name = "HDA Intel PCH: ALC257 Analog (hw:0,0)", .inputs = 2, .outputs = 2},
    {.name = "HDA Intel PCH: HDMI 0 (hw:0,3)", .outputs = 8},
    {.name = "Blue Yeti: USB Audio (hw:1,0)", .inputs = 2},
    {.name = "pulse", .inputs = 32, .outputs = 32},
    {.name = "default", .inputs = 32, .outputs = 32, .default_input = true, .default_output = true},
};
#define N (sizeof laptop / sizeof *laptop)

static void assert_chosen(const char *name, bool capture, size_t expected)
{
    struct err e = {0};
    size_t i;

    assert_int_equal(devices_choose(&i, laptop, N, name, capture, &e), 0);
    assert_int_equal(i, expected);
}

static void a_part_of_a_name_is_enough_and_case_does_not_matter(void **state)
{
    (void)state;
    assert_chosen("yeti", true, 2);
    assert_chosen("HDMI", false, 1);
    assert_chosen("alc257", true, 0);
    assert_chosen("DEFAULT", true, 4);
    assert_chosen(NULL, true, 4);
    assert_chosen(NULL, false, 4);
    /* Of two, the one that can do it. */
    assert_chosen("hda", true, 0);
}

static void a_whole_name_beats_a_part(void **state)
{
    static const struct audio_device list[] = {{.name = "USB Audio 2", .inputs = 1},
                                               {.name = "usb audio", .inputs = 1}};
    struct err e = {0};
    size_t i;

    (void)state;
    assert_int_equal(devices_choose(&i, list, 2, "USB Audio", true, &e), 0);
    assert_int_equal(i, 1);
}

static void an_ambiguous_part_is_refused_with_the_candidates(void **state)
{
    struct err e = {0};
    size_t i;

    (void)state;
    assert_int_equal(devices_choose(&i, laptop, N, "hda", false, &e), -ENOTUNIQ);
    assert_int_equal(e.status, STATUS_AUDIO);
    assert_non_null(strstr(e.text, "'HDA Intel PCH: ALC257 Analog (hw:0,0)'"));
    assert_non_null(strstr(e.text, "'HDA Intel PCH: HDMI 0 (hw:0,3)'"));
    assert_null(strstr(e.text, "Yeti"));
}

static void the_same_device_of_two_hosts_is_the_first(void **state)
{
    static const struct audio_device list[] = {{.name = "Built-in Microphone", .inputs = 1},
                                               {.name = "Built-in Microphone", .inputs = 2}};
    struct err e = {0};
    size_t i;

    (void)state;
    assert_int_equal(devices_choose(&i, list, 2, "built-in", true, &e), 0);
    assert_int_equal(i, 0);
}

static void an_unknown_name_lists_what_there_is(void **state)
{
    struct err e = {0};
    size_t i;

    (void)state;
    assert_int_equal(devices_choose(&i, laptop, N, "rode", true, &e), -ENOENT);
    assert_int_equal(e.status, STATUS_AUDIO);
    assert_non_null(strstr(e.text, "'rode'"));
    assert_non_null(strstr(e.text, "Yeti"));
    assert_null(strstr(e.text, "HDMI"));
}

static void no_device_at_all_says_what_to_do(void **state)
{
    struct err e = {0};
    size_t i;

    (void)state;
    assert_int_equal(devices_choose(&i, laptop, 0, NULL, true, &e), -ENODEV);
    assert_non_null(strstr(e.text, "hullo ask"));
    assert_int_equal(devices_choose(&i, laptop, 0, "yeti", false, &e), -ENODEV);
    /* HDMI alone cannot listen. */
    assert_int_equal(devices_choose(&i, laptop + 1, 1, NULL, true, &e), -ENODEV);
}

static void without_a_default_the_first_that_can_is_taken(void **state)
{
    struct err e = {0};
    size_t i;

    (void)state;
    assert_int_equal(devices_choose(&i, laptop, 3, NULL, false, &e), 0);
    assert_int_equal(i, 0);
    assert_int_equal(devices_choose(&i, laptop + 1, 2, NULL, true, &e), 0);
    assert_int_equal(i, 1);
}

static void names_beyond_counting_do_not_overflow_the_message(void **state)
{
    static struct audio_device many[200];
    struct err e = {0};
    size_t i;

    (void)state;
    for (size_t k = 0; k < 200; k++) {
        memset(many[k].name, 'a' + (int)(k % 26), sizeof many[k].name - 1);
        many[k].name[0] = (char)('0' + k % 10);
        many[k].name[k % 100 + 1] = 'x';
        many[k].inputs = 1;
    }
    assert_int_equal(devices_choose(&i, many, 200, "x", true, &e), -ENOTUNIQ);
    assert_int_equal(devices_choose(&i, many, 200, "none", true, &e), -ENOENT);
    assert_true(strlen(e.text) < sizeof e.text);
}

static void a_headset_without_microphone_is_noticed(void **state)
{
    struct audio_device list[] = {
        {.name = "WH-1000XM4", .outputs = 2},
        {.name = "AirPods Pro", .outputs = 2},
        {.name = "AirPods Pro", .inputs = 1},
        {.name = "bluez_output.AA (a2dp)", .outputs = 2},
        {.name = "bcm2835 Headphones", .outputs = 2},
        {.name = "USB Headset", .inputs = 1, .outputs = 2},
    };
    struct err e = {0};
    size_t i;

    (void)state;
    devices_mark_headsets(list, 6);
    assert_true(list[0].headset_without_microphone);
    assert_false(list[1].headset_without_microphone);
    assert_false(list[2].headset_without_microphone);
    assert_true(list[3].headset_without_microphone);
    assert_false(list[4].headset_without_microphone);
    assert_false(list[5].headset_without_microphone);
    assert_int_equal(devices_choose(&i, list, 6, "wh-1000", true, &e), -ENOENT);
    assert_non_null(strstr(e.text, "HSP/HFP"));
}

static struct audio_when filled(double now_s, double in_s, double out_s)
{
    struct when_report report = {now_s, in_s, out_s, 10, 30};
    struct audio_when when;

    when_fill(&when, &report, 5000000000);
    return when;
}

static void assert_about(int64_t ns, int64_t expected)
{
    assert_true(ns - expected < 1000 && expected - ns < 1000);
}

static void times_are_taken_from_the_report_when_they_make_sense(void **state)
{
    struct audio_when when = filled(100, 99.98, 100.025);

    (void)state;
    assert_about(when.in_ns, 4980000000);
    assert_about(when.out_ns, 5025000000);
}

static void times_are_derived_from_the_latency_when_they_do_not(void **state)
{
    static const double bad[][3] = {
        {0, 0, 0},      {0, 99, 101},    {100, 0, 0},          {100, 100.5, 99.5},
        {100, 90, 110}, {NAN, NAN, NAN}, {100, NAN, INFINITY}, {1e300, 1, 1e308},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct audio_when when = filled(bad[i][0], bad[i][1], bad[i][2]);
        assert_int_equal(when.in_ns, 4990000000);
        assert_int_equal(when.out_ns, 5030000000);
    }
}

static void latencies_are_clamped(void **state)
{
    (void)state;
    assert_true(when_latency_ms(0.02) == 20);
    assert_true(when_latency_ms(-3) == 0);
    assert_true(when_latency_ms(NAN) == 0);
    assert_true(when_latency_ms(INFINITY) == 500);
    assert_true(when_latency_ms(44739.2) == 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_of_a_name_is_enough_and_case_does_not_matter),
        cmocka_unit_test(a_whole_name_beats_a_part),
        cmocka_unit_test(an_ambiguous_part_is_refused_with_the_candidates),
        cmocka_unit_test(the_same_device_of_two_hosts_is_the_first),
        cmocka_unit_test(an_unknown_name_lists_what_there_is),
        cmocka_unit_test(no_device_at_all_says_what_to_do),
        cmocka_unit_test(without_a_default_the_first_that_can_is_taken),
        cmocka_unit_test(names_beyond_counting_do_not_overflow_the_message),
        cmocka_unit_test(a_headset_without_microphone_is_noticed),
        cmocka_unit_test(times_are_taken_from_the_report_when_they_make_sense),
        cmocka_unit_test(times_are_derived_from_the_latency_when_they_do_not),
        cmocka_unit_test(latencies_are_clamped),
    };

    return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
