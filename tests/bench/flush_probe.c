/* flush_probe SECONDS [LATENCY_MS] - plays a tone through the live sound path, silences it at
 * random moments, and tells when: bench_callback.py runs it in the virtual room and reads from the
 * room's recording how long the loudspeaker went on. Prints one JSON object: flush_ns
 * (CLOCK_MONOTONIC of each flush), callbacks ([ns, frames] of each callback), rate, latency and the
 * path's counters. */
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audio/drivers.h"
#include "audio/duplex.h"
#include "util/clock.h"

#define TONE_HZ   24000
#define TONE_MS   1500
#define TIMES_MAX 65536
#define FLUSH_MAX 1024

/* Stands between the sound path and the driver, and notes when the driver calls. */
struct watch {
    audio_callback *callback;
    void (*lost)(void *user);
    void *user;
    atomic_size_t n;
    int64_t at[TIMES_MAX];
    uint32_t frames[TIMES_MAX];
};

struct probe {
    struct duplex *duplex;
    int16_t tone[TONE_HZ * TONE_MS / 1000];
    int64_t flushed[FLUSH_MAX];
    int flushes;
    uint32_t seed;
};

/* One for the process: a driver's open has no place for more. */
static struct watch *the_watch;

static void on_callback(void *user, const int16_t *in, int16_t *out, size_t frames,
                        const struct audio_when *when)
{
    struct watch *w = user;
    size_t n = atomic_load_explicit(&w->n, memory_order_relaxed);

    if (n < TIMES_MAX) {
        w->at[n] = clock_ns();
        w->frames[n] = (uint32_t)frames;
        atomic_store_explicit(&w->n, n + 1, memory_order_release);
    }
    w->callback(w->user, in, out, frames, when);
}

static void on_lost(void *user)
{
    struct watch *w = user;

    if (w->lost != NULL)
        w->lost(w->user);
}

static int watched_open(struct audio_stream **out, const char *argument,
                        const struct audio_config *config, const struct log *log, struct err *e)
{
    struct audio_config ours = *config;

    the_watch->callback = config->callback;
    the_watch->lost = config->lost;
    the_watch->user = config->user;
    ours.callback = on_callback;
    ours.lost = on_lost;
    ours.user = the_watch;
    return audio_portaudio.open(out, argument, &ours, log, e);
}

static void nap_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static int between(struct probe *p, int low, int high)
{
    p->seed = p->seed * 1664525u + 1013904223u;
    return low + (int)(p->seed >> 8) % (high - low);
}

static void drain(struct probe *p)
{
    struct duplex_event ev;
    int16_t x[1024];
    int64_t at;

    while (duplex_read(p->duplex, x, 1024, &at) > 0)
        ;
    while (duplex_poll(p->duplex, &ev))
        ;
}

static int run(struct probe *p, double seconds)
{
    int64_t end = clock_ns() + (int64_t)(seconds * 1e9);
    uint32_t item = 0;
    int rc = 0;

    nap_ms(300);
    while (rc == 0 && clock_ns() < end && p->flushes < FLUSH_MAX) {
        rc = duplex_play(p->duplex, ++item, TONE_HZ, p->tone, sizeof p->tone / sizeof *p->tone);
        nap_ms(between(p, 250, 500));
        p->flushed[p->flushes++] = clock_ns();
        duplex_flush(p->duplex);
        nap_ms(200);
        drain(p);
    }
    return rc;
}

static void print(const struct probe *p, const struct duplex_stats *s)
{
    size_t n = atomic_load(&the_watch->n), i;
    int k;

    printf("{\"rate\":%d,\"in_latency_ms\":%.2f,\"out_latency_ms\":%.2f,\"underruns\":%" PRIu64
           ",\"overruns\":%" PRIu64 ",\"flush_ns\":[",
           s->out_hz, s->in_latency_ms, s->out_latency_ms, s->underruns, s->overruns);
    for (k = 0; k < p->flushes; k++)
        printf("%s%" PRId64, k > 0 ? "," : "", p->flushed[k]);
    printf("],\"callbacks\":[");
    for (i = 0; i < n; i++)
        printf("%s[%" PRId64 ",%" PRIu32 "]", i > 0 ? "," : "", the_watch->at[i],
               the_watch->frames[i]);
    printf("]}\n");
}

static int probe(struct probe *p, double seconds, int latency_ms)
{
    const struct log log = {LOG_WARN, stderr};
    struct audio_driver driver = audio_portaudio;
    struct duplex_config config = {
        .driver = &driver, .capture = true, .playback = true, .latency_ms = latency_ms};
    struct duplex_stats stats;
    struct err e = {0};
    int rc;

    driver.open = watched_open;
    rc = duplex_open(&p->duplex, &config, &log, &e);
    if (rc < 0) {
        log_error(&log, "%s", e.text);
        return rc;
    }
    rc = run(p, seconds);
    duplex_stats(p->duplex, &stats);
    if (rc == 0)
        print(p, &stats);
    duplex_close(p->duplex);
    return rc;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0;
    int latency_ms = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 20, rc = -1;
    struct probe *p = calloc(1, sizeof *p);
    size_t i;

    the_watch = calloc(1, sizeof *the_watch);
    if (seconds <= 0 || latency_ms <= 0) {
        fprintf(stderr, "usage: flush_probe SECONDS [LATENCY_MS]\n");
    } else if (p != NULL && the_watch != NULL) {
        p->seed = 1;
        for (i = 0; i < sizeof p->tone / sizeof *p->tone; i++)
            p->tone[i] = (int16_t)lrint(9000 * sin(2 * 3.14159265 * 440 * (double)i / TONE_HZ));
        rc = probe(p, seconds, latency_ms);
    }
    free(the_watch);
    free(p);
    return rc < 0 ? 1 : 0;
}
