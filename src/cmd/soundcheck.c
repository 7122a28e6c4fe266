#include "cmd/soundcheck.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audio/rooms.h"
#include "util/clock.h"

#define SETTLE      4800 /* samples: devices begin with clicks, and with gain that adapts */
#define QUIET       9600
#define WAIT        (DSP_HZ * 3) /* for the sound to begin, once it was handed over */
#define TRAIN_LEAST (DSP_HZ * 4) /* for a figure that means something */
#define TRAIN_MOST  (DSP_HZ * 7)
#define MOST        (SETTLE + QUIET + WAIT + PROBE_SAMPLES + PROBE_TAIL)
#define STEP        1600
#define NAP_MS      5
#define DEAF_MS     6000 /* without a sample, although nobody says that the device is gone */

struct check {
    struct soundcheck *out;
    struct duplex_config config;
    const struct log *log;
    const atomic_int *cancel;
    struct duplex *duplex;
    int16_t *mic; /* of MOST samples, or NULL: not kept */
    size_t heard;
    double anchor_ns; /* sum of the times at which sample 0 was captured, by each stretch */
    unsigned stretches;
    int64_t fresh_ns;   /* when something was heard last */
    int64_t started_ns; /* the item was first heard in the room; 0: not yet */
    bool ended;
};

static int take_events(struct check *c, struct err *e)
{
    struct duplex_event ev;

    while (duplex_poll(c->duplex, &ev)) {
        if (ev.type == DUPLEX_STARTED)
            c->started_ns = ev.at_ns;
        else if (ev.type == DUPLEX_ENDED)
            c->ended = true;
        else if (ev.type == DUPLEX_HALF)
            c->out->half = ev.on;
        else if (ev.type == DUPLEX_LOST)
            return err_set(e, STATUS_AUDIO, -ENODEV,
                           "the sound device went away, or stalled, during the test");
    }
    return 0;
}

static void take_samples(struct check *c)
{
    int16_t x[STEP];
    int64_t at_ns = 0;
    size_t got;

    while ((got = duplex_read(c->duplex, x, STEP, &at_ns)) > 0) {
        for (size_t i = 0; c->mic != NULL && i < got && c->heard + i < MOST; i++)
            c->mic[c->heard + i] = x[i];
        c->anchor_ns += (double)at_ns - (double)c->heard * 1e9 / DSP_HZ;
        c->stretches++;
        c->heard += got;
        c->fresh_ns = clock_ns();
    }
}

/* Listens until `samples` were heard since the device was opened. */
static int listen_until(struct check *c, size_t samples, struct err *e)
{
    const struct timespec nap = {.tv_nsec = NAP_MS * 1000000};

    c->fresh_ns = clock_ns();
    while (c->heard < samples) {
        int rc = take_events(c, e);
        if (rc < 0)
            return rc;
        if (atomic_load(c->cancel) != 0)
            return err_set(e, STATUS_INTERRUPTED, -ECANCELED, "interrupted");
        if (clock_ms_since(c->fresh_ns) > DEAF_MS)
            return err_set(e, STATUS_AUDIO, -ETIMEDOUT, "the microphone gives no samples at all");
        take_samples(c);
        if (c->heard < samples)
            nanosleep(&nap, NULL);
    }
    return take_events(c, e);
}

/* The sample that was captured when the item was first heard in the room. */
static double start_of(const struct check *c)
{
    return ((double)c->started_ns - c->anchor_ns / c->stretches) * DSP_HZ / 1e9;
}

static int begin(struct check *c, enum nearend_aec aec, const char *rooms, struct err *e)
{
    struct duplex_config config = c->config;

    config.capture = config.playback = true;
    config.aec = aec;
    config.rooms = rooms;
    c->heard = 0;
    c->stretches = 0;
    c->anchor_ns = 0;
    c->started_ns = 0;
    c->ended = false;
    return duplex_open(&c->duplex, &config, c->log, e);
}

/* Adds up what there is to add, and closes the device. */
static void end(struct check *c)
{
    struct duplex_stats stats;
    struct soundcheck *out = c->out;

    if (c->duplex == NULL)
        return;
    duplex_stats(c->duplex, &stats);
    snprintf(out->in_name, sizeof out->in_name, "%s", stats.in_name);
    snprintf(out->out_name, sizeof out->out_name, "%s", stats.out_name);
    out->in_hz = stats.in_hz;
    out->out_hz = stats.out_hz;
    out->in_latency_ms = stats.in_latency_ms;
    out->out_latency_ms = stats.out_latency_ms;
    out->seconds += (double)c->heard / DSP_HZ;
    out->underruns += stats.underruns;
    out->overruns += stats.overruns;
    out->erle_db = stats.erle_db;
    out->round_trip_ms = stats.delay_ms;
    out->converged = stats.converged;
    log_debug(c->log,
              "sound: round trip %.1f ms, drift %.1f ppm, erle %.1f dB, noise %.1f dB, %s, buffer "
              "%.0f ms, %llu underruns, %llu overruns",
              stats.delay_ms, stats.drift_ppm, stats.erle_db, stats.noise_db,
              stats.converged ? "converged" : "not converged", stats.buffer_ms,
              (unsigned long long)stats.underruns, (unsigned long long)stats.overruns);
    duplex_close(c->duplex);
    c->duplex = NULL;
}

/* --- first part */

/* Plays the chirps and listens to them. */
static int play_chirps(struct check *c, struct err *e)
{
    int16_t *x = malloc(PROBE_SAMPLES * sizeof *x);
    size_t from = SETTLE + QUIET, until = from + WAIT;
    int rc = x != NULL ? 0 : -ENOMEM;

    if (rc == 0) {
        probe_chirps(x);
        rc = duplex_play(c->duplex, 1, DSP_HZ, x, PROBE_SAMPLES);
    }
    if (rc == 0)
        rc = duplex_end(c->duplex, 1);
    free(x);
    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    while (rc == 0 && c->started_ns == 0 && from < until) {
        from += DSP_HZ / 50;
        rc = listen_until(c, from, e);
    }
    if (rc == 0 && c->started_ns != 0) {
        double last = start_of(c) + PROBE_SAMPLES + PROBE_TAIL;
        rc = listen_until(c, last > 0 && last < MOST ? (size_t)last : MOST, e);
        c->out->played = true;
    }
    return rc;
}

static int chirp(struct check *c, struct err *e)
{
    int rc;

    c->mic = calloc(MOST, sizeof *c->mic);
    if (c->mic == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    rc = begin(c, NEAREND_OFF, NULL, e);
    if (rc == 0) {
        log_info(c->log, "listening to the room: please be quiet for some seconds");
        rc = listen_until(c, SETTLE + QUIET, e);
    }
    if (rc == 0) {
        log_info(c->log, "playing two chirps");
        rc = play_chirps(c, e);
    }
    if (rc == 0 &&
        probe_measure(&c->out->probe, c->mic, c->heard < MOST ? c->heard : MOST,
                      c->out->played ? start_of(c) : (double)MOST, c->mic + SETTLE, QUIET) < 0)
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    end(c);
    free(c->mic);
    c->mic = NULL;
    return rc;
}

/* --- second part */

static bool has_learnt(const struct check *c)
{
    struct duplex_stats stats;

    duplex_stats(c->duplex, &stats);
    return stats.converged;
}

static int train(struct check *c, struct err *e)
{
    int16_t *x = malloc(TRAIN_MOST * sizeof *x);
    struct soundcheck *out = c->out;
    struct nearend_memory memory;
    int rc = x != NULL ? 0 : err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");

    if (rc == 0)
        rc = begin(c, out->aec, c->config.rooms, e);
    if (rc == 0) {
        log_info(c->log, "playing noise, to learn the room by");
        probe_noise(x, TRAIN_MOST, 0);
        if (duplex_play(c->duplex, 1, DSP_HZ, x, TRAIN_MOST) < 0 || duplex_end(c->duplex, 1) < 0)
            rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    for (size_t until = 0; rc == 0 && !c->ended && until < TRAIN_MOST + WAIT;) {
        until += DSP_HZ / 50;
        rc = listen_until(c, until, e);
        if (rc == 0 && until > TRAIN_LEAST && has_learnt(c))
            break;
    }
    end(c);
    free(x);
    out->trained = rc == 0;
    out->kept = rc == 0 && out->converged && c->config.rooms != NULL &&
                rooms_load(&memory, c->config.rooms, out->in_name, out->out_name) == 0;
    return rc;
}

int soundcheck_run(struct soundcheck *out, const struct duplex_config *sound, const struct log *log,
                   const atomic_int *cancel, struct err *e)
{
    struct check c = {.out = out, .config = *sound, .log = log, .cancel = cancel};
    int rc;

    *out = (struct soundcheck){.aec = sound->aec};
    rc = chirp(&c, e);
    /* Where no echo comes back there is nothing to learn, and a wire is not a room. */
    if (rc == 0 && out->aec == NEAREND_SPEEX && out->probe.heard && !out->probe.exact)
        rc = train(&c, e);
    return rc;
}
