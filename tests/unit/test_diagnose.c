/* diagnose: figures of a sound check in, plain words out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/diagnose.h"

static struct findings found;

/* Headphones and a good microphone. */
static struct soundcheck good(void)
{
    return (struct soundcheck){
        .in_name = "USB Mic",
        .out_name = "Speaker",
        .in_hz = 48000,
        .out_hz = 44100,
        .in_latency_ms = 20,
        .out_latency_ms = 30,
        .aec = NEAREND_SPEEX,
        .played = true,
        .probe = {.noise_db = -60},
        .seconds = 8,
    };
}

/* Loudspeakers, and a canceller that copes. */
static struct soundcheck room(void)
{
    struct soundcheck s = good();

    s.probe.heard = true;
    s.probe.delay_ms = 41.25;
    s.probe.quality = 30;
    s.probe.level_db = -27;
    s.probe.echo_db = -12;
    s.probe.drift_known = true;
    s.probe.drift_ppm = -48.2;
    s.trained = s.converged = true;
    s.erle_db = 33;
    return s;
}

static enum verdict diagnose_at(const struct soundcheck *s, const struct diagnose_place *place)
{
    found.count = 0;
    return diagnose_sound(&found, s, place);
}

static enum verdict diagnose(const struct soundcheck *s)
{
    return diagnose_at(s, &(struct diagnose_place){.driver = "portaudio"});
}

static const struct finding *about(const char *what)
{
    for (size_t i = 0; i < found.count; i++)
        if (strcmp(found.list[i].about, what) == 0)
            return &found.list[i];
    return NULL;
}

/* One finding of that name and level, with these words in it. */
static void says(const char *what, enum finding_level level, const char *words)
{
    const struct finding *f = about(what);

    if (f == NULL)
        fail_msg("nothing about %s", what);
    if (f->level != level || strstr(f->text, words) == NULL)
        fail_msg("%s: %s: %s", what, findings_level_name(f->level), f->text);
    if (level != FINDING_OK && f->advice[0] == '\0' && strcmp(what, "duplex") != 0)
        fail_msg("%s: no advice", what);
}

static void advises(const char *what, const char *words)
{
    const struct finding *f = about(what);

    if (f == NULL)
        fail_msg("nothing about %s", what);
    if (strstr(f->advice, words) == NULL)
        fail_msg("%s: %s", what, f->advice);
}

static void a_good_room_is_full_duplex(void **state)
{
    struct soundcheck s = room();

    (void)state;
    s.kept = true;
    assert_int_equal(diagnose(&s), VERDICT_FULL);
    says("microphone", FINDING_OK, "'USB Mic' hears, 48000 Hz");
    says("noise", FINDING_OK, "-60 dB");
    says("loudspeaker", FINDING_OK, "'Speaker' plays, 44100 Hz");
    says("echo", FINDING_OK, "after 41.2 ms, 12 dB softer");
    says("echo", FINDING_OK, "round trip 91 ms");
    s.probe.echo_db = 0.3;
    diagnose(&s);
    says("echo", FINDING_OK, "as loud as it was");
    s.probe.echo_db = 4.2;
    diagnose(&s);
    says("echo", FINDING_OK, "4 dB louder");
    s.round_trip_ms = 77;
    diagnose(&s);
    says("echo", FINDING_OK, "round trip 77 ms");
    says("clocks", FINDING_OK, "48.2 ppm");
    says("canceller", FINDING_OK, "33 dB");
    says("canceller", FINDING_OK, "is kept");
    says("dropouts", FINDING_OK, "none in 8 s");
    says("duplex", FINDING_OK, "full duplex");
    assert_int_equal(findings_status(&found), STATUS_DONE);
    s.kept = false;
    diagnose(&s);
    assert_null(strstr(about("canceller")->text, "kept"));
}

static void without_an_echo_it_is_headphones(void **state)
{
    struct soundcheck s = good();

    (void)state;
    assert_int_equal(diagnose(&s), VERDICT_FULL);
    says("echo", FINDING_OK, "none");
    advises("echo", "headphones");
    advises("echo", "'Speaker'");
    says("clocks", FINDING_OK, "not measured");
    assert_null(about("canceller"));
    assert_int_equal(findings_status(&found), STATUS_DONE);
}

static void each_cause_of_silence_has_its_advice(void **state)
{
    static const struct {
        struct diagnose_place place;
        const char *name, *words;
    } causes[] = {
        {{.driver = "null"}, "null", "--audio"},
        {{.driver = "file"}, "x.wav", "recording"},
        {{.driver = "portaudio"}, "Monitor of Built-in Audio", "not a microphone"},
        {{.driver = "portaudio", .headset = true}, "monitor of x", "not a microphone"},
        {{.driver = "portaudio"}, "Dummy Input", "virtual"},
        {{.driver = "portaudio", .macos = true}, "BlackHole 2ch", "virtual"},
        {{.driver = "portaudio", .headset = true}, "USB Mic", "HSP/HFP"},
        {{.driver = "portaudio", .macos = true}, "MacBook Microphone", "Privacy & Security"},
        {{.driver = "portaudio"}, "USB Mic", "muted"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        struct soundcheck s = good();
        s.probe.silent = true;
        snprintf(s.in_name, sizeof s.in_name, "%s", causes[i].name);
        assert_int_equal(diagnose_at(&s, &causes[i].place), VERDICT_NONE);
        says("microphone", FINDING_TROUBLE, "nothing but zeros");
        advises("microphone", causes[i].words);
        assert_int_equal(findings_status(&found), STATUS_AUDIO);
        assert_null(about("noise"));
        assert_null(about("echo"));
        assert_null(about("duplex"));
    }
}

static void a_wire_is_no_microphone(void **state)
{
    struct soundcheck s = room();

    (void)state;
    s.probe.exact = true;
    assert_int_equal(diagnose(&s), VERDICT_NONE);
    says("microphone", FINDING_TROUBLE, "exactly");
    assert_int_equal(findings_status(&found), STATUS_AUDIO);
}

static void a_loudspeaker_that_takes_nothing_is_trouble(void **state)
{
    struct soundcheck s = good();

    (void)state;
    s.played = false;
    assert_int_equal(diagnose(&s), VERDICT_NONE);
    says("loudspeaker", FINDING_TROUBLE, "took no sound");
    assert_int_equal(findings_status(&found), STATUS_AUDIO);
}

static void what_is_merely_worse_is_a_note(void **state)
{
    struct soundcheck s = room();

    (void)state;
    s.probe.clipped = 9;
    s.probe.noise_db = -30;
    s.probe.level_db = -10;
    s.probe.delay_ms = 470;
    s.probe.drift_ppm = -230;
    s.underruns = 3;
    s.overruns = 2;
    assert_int_equal(diagnose(&s), VERDICT_FULL);
    says("microphone", FINDING_NOTE, "9 samples at full scale");
    says("noise", FINDING_NOTE, "-30 dB");
    says("echo", FINDING_NOTE, "470.0 ms");
    says("clocks", FINDING_NOTE, "230 ppm");
    says("dropouts", FINDING_NOTE, "ran dry 3 times");
    says("dropouts", FINDING_NOTE, "lost 2 times");
    assert_int_equal(findings_status(&found), STATUS_DONE);
    s.probe.clipped = 8;
    s.probe.noise_db = -38;
    s.probe.unsteady = true;
    diagnose(&s);
    says("microphone", FINDING_OK, "hears");
    says("noise", FINDING_OK, "-38 dB");
    says("clocks", FINDING_NOTE, "jumped");
}

static void a_microphone_that_is_nearly_dead_is_a_note(void **state)
{
    struct soundcheck s = good();

    (void)state;
    s.probe.noise_db = -101;
    assert_int_equal(diagnose(&s), VERDICT_FULL);
    says("microphone", FINDING_NOTE, "hardly anything");
    /* One that gates its noise away is well. */
    s = room();
    s.probe.noise_db = -101;
    diagnose(&s);
    says("microphone", FINDING_OK, "hears");
}

static void an_echo_that_stays_is_half_duplex(void **state)
{
    struct soundcheck s = room();

    (void)state;
    s.converged = false;
    s.erle_db = 4;
    assert_int_equal(diagnose(&s), VERDICT_HALF);
    says("canceller", FINDING_NOTE, "4 dB");
    says("duplex", FINDING_NOTE, "half duplex");
    assert_int_equal(findings_status(&found), STATUS_DONE);
    /* It was said during the test. */
    s = room();
    s.half = true;
    assert_int_equal(diagnose(&s), VERDICT_HALF);
    /* A faint one does no harm, and hardly can be taken out. */
    s = room();
    s.converged = false;
    s.erle_db = 4;
    s.probe.level_db = -49;
    assert_int_equal(diagnose(&s), VERDICT_FULL);
    says("canceller", FINDING_OK, "hardly");
    s.half = true;
    assert_int_equal(diagnose(&s), VERDICT_HALF);
}

static void where_hullo_takes_no_echo_out_somebody_must(void **state)
{
    struct soundcheck s = room();

    (void)state;
    s.trained = s.converged = false;
    s.erle_db = 0;
    s.aec = NEAREND_OFF;
    assert_int_equal(diagnose(&s), VERDICT_HALF);
    says("canceller", FINDING_NOTE, "--aec off");
    s.aec = NEAREND_SYSTEM;
    assert_int_equal(diagnose(&s), VERDICT_HALF);
    says("canceller", FINDING_NOTE, "33 dB above the noise");
    s.probe.level_db = -50;
    assert_int_equal(diagnose(&s), VERDICT_FULL);
    says("canceller", FINDING_OK, "hardly");
    s.aec = NEAREND_OFF;
    assert_int_equal(diagnose(&s), VERDICT_FULL);
}

static void names_of_devices_reach_no_terminal_as_they_are(void **state)
{
    struct soundcheck s = good();

    (void)state;
    snprintf(s.in_name, sizeof s.in_name, "evil\x1b[2J\nok duplex\x9b\xff");
    memset(s.out_name, 'x', sizeof s.out_name - 1);
    diagnose(&s);
    for (size_t i = 0; i < found.count; i++)
        for (const char *c = found.list[i].text; *c != '\0'; c++)
            assert_true(*c >= ' ' && *c <= '~');
}

static void more_findings_than_there_is_room_for_are_dropped(void **state)
{
    char words[1000];

    (void)state;
    found.count = 0;
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    for (int i = 0; i < 2 * FINDINGS_MOST; i++) {
        findings_add(&found, "much", FINDING_NOTE, "%d %s", i, words);
        findings_advise(&found, "%s", words);
    }
    assert_int_equal(found.count, FINDINGS_MOST);
    assert_int_equal(findings_status(&found), STATUS_DONE);
    findings_add(&found, "last", FINDING_TROUBLE, "kept");
    assert_string_equal(found.list[FINDINGS_MOST - 1].text, "kept");
    assert_int_equal(findings_status(&found), STATUS_FAILED);
}

static void the_first_trouble_gives_the_status(void **state)
{
    (void)state;
    found.count = 0;
    findings_add(&found, "a", FINDING_OK, "fine");
    findings_add(&found, "b", FINDING_TROUBLE, "no");
    findings_fail(&found, STATUS_NO_MODEL);
    findings_add(&found, "c", FINDING_TROUBLE, "no");
    findings_fail(&found, STATUS_NETWORK);
    assert_int_equal(findings_status(&found), STATUS_NO_MODEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_room_is_full_duplex),
        cmocka_unit_test(without_an_echo_it_is_headphones),
        cmocka_unit_test(each_cause_of_silence_has_its_advice),
        cmocka_unit_test(a_wire_is_no_microphone),
        cmocka_unit_test(a_loudspeaker_that_takes_nothing_is_trouble),
        cmocka_unit_test(what_is_merely_worse_is_a_note),
        cmocka_unit_test(a_microphone_that_is_nearly_dead_is_a_note),
        cmocka_unit_test(an_echo_that_stays_is_half_duplex),
        cmocka_unit_test(where_hullo_takes_no_echo_out_somebody_must),
        cmocka_unit_test(names_of_devices_reach_no_terminal_as_they_are),
        cmocka_unit_test(more_findings_than_there_is_room_for_are_dropped),
        cmocka_unit_test(the_first_trouble_gives_the_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
