#include "cmd/diagnose.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CLIPPED_MOST 8       /* samples at full scale that are no matter: a click */
#define NOISY_DB     (-38.0) /* of full scale; speech at a table is 15 to 25 dB above */
#define DEAD_DB      (-90.0) /* no open microphone is as quiet */
#define FAR_MS       450.0   /* the canceller looks for echo up to 550 ms */
#define APART_PPM    200.0   /* beyond, the reference cannot follow */
#define FAINT_DB     12.0    /* an echo so little above the noise does no harm */
#define ENOUGH_ERLE  10.0    /* dB; under it too much is left to tell a voice from it */

static bool named(const char *name, const char *part)
{
    return strcasestr(name, part) != NULL;
}

/* --- the microphone */

/* Why there are only zeros: from the surest sign to what is left. */
static void explain_silence(struct findings *f, const struct soundcheck *s,
                            const struct diagnose_place *place)
{
    if (strcmp(place->driver, "null") == 0)
        findings_advise(f, "the driver 'null' has no microphone: leave --audio out");
    else if (strcmp(place->driver, "file") == 0)
        findings_advise(f, "the recording is silent, or there is none: name one with "
                           "--input-device");
    else if (named(s->in_name, "monitor"))
        findings_advise(f, "this is what a loudspeaker plays, not a microphone: choose another "
                           "one of `hullo devices` with --input-device");
    else if (named(s->in_name, "null") || named(s->in_name, "dummy") ||
             named(s->in_name, "blackhole") || named(s->in_name, "virtual"))
        findings_advise(f, "this looks like a virtual device: choose a real one of `hullo "
                           "devices` with --input-device");
    else if (place->headset)
        findings_advise(f, "a Bluetooth headset is connected in its playback-only profile: "
                           "switch it to its headset profile (HSP/HFP) in your sound settings");
    else if (place->macos)
        findings_advise(f, "macOS gives zeros to programs that may not listen: allow your "
                           "terminal under System Settings, Privacy & Security, Microphone, "
                           "and start it again");
    else
        findings_advise(f, "it is muted (see your sound settings, or `alsamixer -V capture`; "
                           "some have a switch on the device), or it is not the one that you "
                           "speak into: choose one of `hullo devices` with --input-device");
}

static bool diagnose_microphone(struct findings *f, const struct soundcheck *s,
                                const struct diagnose_place *place)
{
    const struct probe *p = &s->probe;

    if (p->silent) {
        findings_add(f, "microphone", FINDING_TROUBLE, "'%s' gives nothing but zeros", s->in_name);
        explain_silence(f, s, place);
        findings_fail(f, STATUS_AUDIO);
        return false;
    }
    if (p->heard && p->exact) {
        findings_add(f, "microphone", FINDING_TROUBLE,
                     "'%s' hears exactly what the loudspeaker plays, and no room", s->in_name);
        findings_advise(f, "this is a loopback or a monitor, not a microphone: choose another one "
                           "of `hullo devices` with --input-device");
        findings_fail(f, STATUS_AUDIO);
        return false;
    }
    if (p->clipped > CLIPPED_MOST) {
        findings_add(f, "microphone", FINDING_NOTE, "'%s' is overdriven: %zu samples at full scale",
                     s->in_name, p->clipped);
        findings_advise(f, "turn its gain down, or the loudspeaker: echo that is cut off cannot "
                           "be taken out");
    } else if (p->noise_db < DEAD_DB && !p->heard) {
        findings_add(f, "microphone", FINDING_NOTE, "'%s' gives hardly anything (%.0f dB)",
                     s->in_name, p->noise_db);
        findings_advise(f, "if it does not hear you, turn its gain up, or see whether it is muted");
    } else {
        findings_add(f, "microphone", FINDING_OK, "'%s' hears, %d Hz", s->in_name, s->in_hz);
    }
    return true;
}

static void diagnose_noise(struct findings *f, const struct probe *p)
{
    if (p->noise_db <= NOISY_DB) {
        findings_add(f, "noise", FINDING_OK, "the room is quiet enough: noise at %.0f dB",
                     p->noise_db);
        return;
    }
    findings_add(f, "noise", FINDING_NOTE, "the room is loud: noise at %.0f dB", p->noise_db);
    findings_advise(f, "speak close to the microphone, turn its gain down, or find what hums");
}

/* --- the loudspeaker and what comes back of it */

static bool diagnose_loudspeaker(struct findings *f, const struct soundcheck *s)
{
    if (!s->played) {
        findings_add(f, "loudspeaker", FINDING_TROUBLE, "'%s' took no sound", s->out_name);
        findings_advise(f, "another program may hold it; choose one of `hullo devices` with "
                           "--output-device");
        findings_fail(f, STATUS_AUDIO);
        return false;
    }
    findings_add(f, "loudspeaker", FINDING_OK, "'%s' plays, %d Hz", s->out_name, s->out_hz);
    return true;
}

double diagnose_round_trip_ms(const struct soundcheck *s)
{
    if (s->round_trip_ms > 0)
        return s->round_trip_ms;
    return s->probe.delay_ms + s->in_latency_ms + s->out_latency_ms;
}

static void diagnose_echo(struct findings *f, const struct soundcheck *s)
{
    const struct probe *p = &s->probe;
    char level[64];

    if (!p->heard) {
        findings_add(f, "echo", FINDING_OK, "none: nothing of the chirps came back");
        findings_advise(f,
                        "with headphones that is as it should be; if you heard no chirps "
                        "either, the loudspeaker is off, or it is not '%s'",
                        s->out_name);
        return;
    }
    if (fabs(p->echo_db) < 0.5)
        snprintf(level, sizeof level, "as loud as");
    else
        snprintf(level, sizeof level, "%.0f dB %s than", fabs(p->echo_db),
                 p->echo_db < 0 ? "softer" : "louder");
    findings_add(f, "echo", p->delay_ms < FAR_MS ? FINDING_OK : FINDING_NOTE,
                 "after %.1f ms, %s it was played; round trip %.0f ms, with the buffers of the "
                 "devices",
                 p->delay_ms, level, diagnose_round_trip_ms(s));
    if (p->delay_ms >= FAR_MS)
        findings_advise(f, "so late an echo may not be found: a wire in place of Bluetooth or the "
                           "network makes it shorter");
}

static void diagnose_clocks(struct findings *f, const struct probe *p)
{
    if (p->unsteady) {
        findings_add(f, "clocks", FINDING_NOTE, "the delay jumped during the test");
        findings_advise(f, "samples were lost: close what is busy, and try again");
    } else if (!p->drift_known) {
        findings_add(f, "clocks", FINDING_OK, "not measured: it takes an echo");
    } else if (fabs(p->drift_ppm) > APART_PPM) {
        findings_add(f, "clocks", FINDING_NOTE, "loudspeaker and microphone are %.0f ppm apart",
                     fabs(p->drift_ppm));
        findings_advise(f, "that is more than can be followed: take one device for both");
    } else {
        findings_add(f, "clocks", FINDING_OK, "loudspeaker and microphone are %.1f ppm apart",
                     fabs(p->drift_ppm));
    }
}

/* --- who takes it out */

static double above_noise(const struct probe *p)
{
    return p->level_db - p->noise_db;
}

static enum verdict diagnose_canceller(struct findings *f, const struct soundcheck *s)
{
    bool faint = above_noise(&s->probe) < FAINT_DB;

    if (faint && !s->half) {
        findings_add(f, "canceller", FINDING_OK, "the echo is hardly above the noise");
        return VERDICT_FULL;
    }
    if (s->aec == NEAREND_OFF) {
        findings_add(f, "canceller", FINDING_NOTE, "nobody takes the echo out (--aec off)");
        findings_advise(f, "wear headphones, or leave --aec off away");
        return VERDICT_HALF;
    }
    if (s->aec == NEAREND_SYSTEM) {
        findings_add(f, "canceller", FINDING_NOTE,
                     "the system leaves an echo of %.0f dB above the noise (--aec system)",
                     above_noise(&s->probe));
        findings_advise(f, "leave --aec system away, so that hullo takes it out");
        return VERDICT_HALF;
    }
    if (s->half || (s->erle_db < ENOUGH_ERLE && !s->converged)) {
        findings_add(f, "canceller", FINDING_NOTE, "takes only %.0f dB off the echo", s->erle_db);
        findings_advise(f, "turn the loudspeaker down, move it away from the microphone, or wear "
                           "headphones");
        return VERDICT_HALF;
    }
    findings_add(f, "canceller", FINDING_OK, "takes %.0f dB off the echo%s", s->erle_db,
                 s->kept ? "; what it learnt is kept for the first conversation" : "");
    return VERDICT_FULL;
}

static void diagnose_dropouts(struct findings *f, const struct soundcheck *s)
{
    if (s->underruns == 0 && s->overruns == 0) {
        findings_add(f, "dropouts", FINDING_OK, "none in %.0f s", s->seconds);
        return;
    }
    findings_add(
        f, "dropouts", FINDING_NOTE,
        "in %.0f s the loudspeaker ran dry %llu times, and sound of the microphone was lost "
        "%llu times",
        s->seconds, s->underruns, s->overruns);
    findings_advise(f, "close what is busy; a conversation keeps more sound ready after a while");
}

enum verdict diagnose_sound(struct findings *f, const struct soundcheck *s,
                            const struct diagnose_place *place)
{
    enum verdict v = VERDICT_FULL;
    bool hears = diagnose_microphone(f, s, place), plays;

    if (hears)
        diagnose_noise(f, &s->probe);
    plays = diagnose_loudspeaker(f, s);
    if (hears && plays) {
        diagnose_echo(f, s);
        diagnose_clocks(f, &s->probe);
    }
    if (hears && plays && s->probe.heard)
        v = diagnose_canceller(f, s);
    diagnose_dropouts(f, s);
    if (!hears || !plays)
        v = VERDICT_NONE;
    if (v == VERDICT_FULL)
        findings_add(f, "duplex", FINDING_OK,
                     "full duplex will work here: speak over an answer, and it stops");
    else if (v == VERDICT_HALF)
        findings_add(f, "duplex", FINDING_NOTE,
                     "half duplex: the microphone rests while an answer is spoken; Enter stops it");
    return v;
}

const char *diagnose_verdict_name(enum verdict v)
{
    static const char *const names[] = {"full_duplex", "half_duplex", "none"};

    return names[v];
}
