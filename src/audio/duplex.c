#include "audio/duplex.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "audio/playqueue.h"
#include "audio/playring.h"
#include "audio/timering.h"
#include "dsp/resample.h"
#include "util/clock.h"
#include "util/os.h"

#define LATENCY_MS   20
#define AHEAD_MS     80   /* of device audio that the worker keeps in the playback ring */
#define PLAY_MS      1000 /* what that ring can hold: room for the largest callback */
#define CAPTURE_MS   2000 /* what the callback can capture while the worker sleeps */
#define HEARD_MS     8000 /* what duplex_read may leave lying */
#define TICK_MS      100  /* how often the worker looks when nobody wakes it */
#define STALL_MS     1000 /* so long without a callback is a lost device */
#define START_MS     3000 /* devices take longer before their first callback */
#define CAPTURE_STEP 480  /* device samples that are resampled at once */

struct duplex {
    struct audio_stream *stream;
    const struct log *log;
    void (*wake)(void *user);
    void *user;

    struct os_sem *work;
    _Atomic bool kicked; /* `work` was posted and not yet seen: it never counts beyond one */
    _Atomic bool stop, lost;
    pthread_t worker;
    bool running;

    /* Moved by the callbacks, one for each direction. */
    _Atomic uint64_t in_calls, out_calls, late, overruns, dropped;
    _Atomic size_t largest; /* frames in an output callback */

    struct playring *play;
    struct playqueue *queue; /* NULL without playback */
    struct timering *mic;    /* callback to worker, device rate; NULL without capture */
    struct timering *heard;  /* worker to control thread, 16 kHz */

    /* The worker's. */
    struct resample *resample;
    uint64_t mic_read, heard_made; /* samples since the start, before and after resampling */
    uint64_t calls_seen;
    bool gone;
    int64_t looked_ns;
    int64_t quiet_ns; /* since the last callback was seen */

    /* Between worker and control thread. */
    _Atomic bool muted;
    _Atomic bool lost_news;
};

static void kick(struct duplex *d)
{
    if (!atomic_exchange_explicit(&d->kicked, true, memory_order_acq_rel))
        os_sem_post(d->work);
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* --- the callback: realtime. It copies, counts and leaves. */

static void capture(struct duplex *d, const int16_t *in, size_t frames,
                    const struct audio_when *when)
{
    size_t got = timering_write(d->mic, in, frames, when->in_ns);

    if (got < frames || when->input_overflow)
        count(&d->overruns, 1);
    count(&d->dropped, frames - got);
    count(&d->in_calls, 1);
}

static void playback(struct duplex *d, int16_t *out, size_t frames, const struct audio_when *when)
{
    if (when->output_underflow && playring_inside(d->play))
        count(&d->late, 1);
    playring_read(d->play, out, frames, when->out_ns);
    if (frames > atomic_load_explicit(&d->largest, memory_order_relaxed))
        atomic_store_explicit(&d->largest, frames, memory_order_relaxed);
    count(&d->out_calls, 1);
}

static void callback(void *user, const int16_t *in, int16_t *out, size_t frames,
                     const struct audio_when *when)
{
    struct duplex *d = user;

    if (in != NULL)
        capture(d, in, frames, when);
    if (out != NULL)
        playback(d, out, frames, when);
    kick(d);
}

static void lost(void *user)
{
    struct duplex *d = user;

    atomic_store(&d->lost, true);
    kick(d);
}

/* --- the worker */

/* When output sample number heard_made was captured, given that device sample mic_read was at
 * at_ns. */
static int64_t heard_at(const struct duplex *d, int64_t at_ns)
{
    uint64_t hz = (uint64_t)d->stream->in_hz;
    int64_t offset = (int64_t)(d->heard_made * hz / DUPLEX_HZ) - (int64_t)d->mic_read;

    return at_ns + offset * 1000000000 / (int64_t)hz;
}

/* Resamples what was captured. True when there is something new to read. */
static bool hear(struct duplex *d)
{
    int16_t x[CAPTURE_STEP], y[CAPTURE_STEP];
    int64_t at_ns = 0;
    bool news = false;
    size_t got;

    while ((got = timering_read(d->mic, x, CAPTURE_STEP, &at_ns)) > 0) {
        for (size_t used = 0; used < got;) {
            size_t n = got - used, m = CAPTURE_STEP, fitted;
            resample_run(d->resample, x + used, &n, y, &m);
            fitted = timering_write(d->heard, y, m, heard_at(d, at_ns));
            count(&d->dropped, m - fitted);
            d->heard_made += m;
            used += n;
            news = true;
            if (n == 0 && m == 0)
                break;
        }
        d->mic_read += got;
    }
    return news;
}

static size_t ahead(const struct duplex *d)
{
    size_t hz = (size_t)d->stream->out_hz;
    size_t least = hz * AHEAD_MS / 1000, most = hz * PLAY_MS / 2000;
    size_t n = 2 * atomic_load_explicit(&d->largest, memory_order_relaxed) + hz / 50;

    return n < least ? least : n > most ? most : n;
}

/* Looks that come late count as one tick only: when the whole process was stopped, no device was
 * lost. */
static bool stalled(struct duplex *d)
{
    uint64_t in = atomic_load_explicit(&d->in_calls, memory_order_relaxed);
    uint64_t out = atomic_load_explicit(&d->out_calls, memory_order_relaxed);
    uint64_t calls = d->mic != NULL && (d->queue == NULL || in < out) ? in : out;
    int64_t now = clock_ns(), passed = now - d->looked_ns;

    d->looked_ns = now;
    if (calls != d->calls_seen) {
        d->calls_seen = calls;
        d->quiet_ns = 0;
        return false;
    }
    d->quiet_ns += passed < TICK_MS * 1000000 ? passed : TICK_MS * 1000000;
    return d->quiet_ns > (calls == 0 ? START_MS : STALL_MS) * (int64_t)1000000;
}

/* True when there is something new for the control thread. */
static bool look(struct duplex *d)
{
    bool news = false, gone;

    if (d->mic != NULL)
        news |= hear(d);
    if (d->queue != NULL)
        news |= playqueue_settle(d->queue);
    if (d->gone)
        return news;
    gone = atomic_load(&d->lost);
    if (gone || stalled(d)) {
        log_debug(d->log, "sound: %s", gone ? "the device is gone" : "the device stalled");
        d->gone = true;
        if (d->queue != NULL)
            playqueue_lost(d->queue);
        atomic_store(&d->lost_news, true);
        return true;
    }
    if (d->queue != NULL)
        playqueue_feed(d->queue, ahead(d));
    return news;
}

static void *work(void *user)
{
    struct duplex *d = user;

    os_thread_role("hullo-sound", OS_ROLE_SOUND);
    d->looked_ns = clock_ns();
    while (!atomic_load(&d->stop)) {
        os_sem_wait(d->work, TICK_MS);
        /* An exchange, to see all that was done before a kick that found the flag set. */
        atomic_exchange_explicit(&d->kicked, false, memory_order_acq_rel);
        if (look(d) && d->wake != NULL)
            d->wake(d->user);
    }
    return NULL;
}

/* --- the control thread */

static size_t samples(int hz, int ms)
{
    return (size_t)hz * (size_t)ms / 1000;
}

/* Rings and resamplers, once the rates are known. */
static int make_rings(struct duplex *d)
{
    int in_hz = d->stream->in_hz, out_hz = d->stream->out_hz, rc = 0;

    if (in_hz > 0)
        rc = timering_new(&d->mic, samples(in_hz, CAPTURE_MS), in_hz);
    if (rc == 0 && in_hz > 0)
        rc = timering_new(&d->heard, samples(DUPLEX_HZ, HEARD_MS), DUPLEX_HZ);
    if (rc == 0 && in_hz > 0)
        rc = resample_new(&d->resample, in_hz, DUPLEX_HZ);
    if (rc == 0 && out_hz > 0)
        rc = playring_new(&d->play, samples(out_hz, PLAY_MS), out_hz);
    if (rc == 0 && out_hz > 0)
        rc = playqueue_new(&d->queue, d->play, out_hz);
    return rc;
}

static int start(struct duplex *d, struct err *e)
{
    int rc = make_rings(d);

    if (rc == 0)
        rc = -pthread_create(&d->worker, NULL, work, d);
    if (rc < 0)
        return err_set(e, STATUS_AUDIO, rc, "cannot prepare the sound path at %d/%d Hz: %s",
                       d->stream->in_hz, d->stream->out_hz,
                       rc == -EINVAL ? "no such rate is supported" : "out of memory");
    d->running = true;
    return d->stream->driver->start(d->stream, e);
}

int duplex_open(struct duplex **out, const struct duplex_config *config, const struct log *log,
                struct err *e)
{
    struct duplex *d = calloc(1, sizeof *d);
    struct audio_config audio = {.capture = config->capture,
                                 .playback = config->playback,
                                 .input = config->input,
                                 .output = config->output,
                                 .latency_ms =
                                     config->latency_ms > 0 ? config->latency_ms : LATENCY_MS,
                                 .callback = callback,
                                 .lost = lost,
                                 .user = d};
    int rc;

    *out = NULL;
    if (d == NULL || os_sem_new(&d->work) < 0) {
        free(d);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    d->log = log;
    d->wake = config->wake;
    d->user = config->user;
    rc = config->driver->open(&d->stream, config->argument, &audio, log, e);
    if (rc < 0)
        goto out;
    log_debug(log, "sound: %s: in '%s' %d Hz %.0f ms, out '%s' %d Hz %.0f ms",
              d->stream->driver->name, d->stream->in_name, d->stream->in_hz,
              d->stream->in_latency_ms, d->stream->out_name, d->stream->out_hz,
              d->stream->out_latency_ms);
    rc = start(d, e);
    if (rc < 0)
        goto out;
    *out = d;
    return 0;
out:
    duplex_close(d);
    return rc;
}

void duplex_mute(struct duplex *d, bool on)
{
    atomic_store(&d->muted, on);
}

void duplex_barge(struct duplex *d, bool on)
{
    (void)d;
    (void)on;
}

size_t duplex_read(struct duplex *d, int16_t *x, size_t n, int64_t *at_ns)
{
    size_t got = d->heard != NULL ? timering_read(d->heard, x, n, at_ns) : 0;

    if (atomic_load(&d->muted))
        memset(x, 0, got * sizeof *x);
    return got;
}

int duplex_play(struct duplex *d, uint32_t item, int rate_hz, const int16_t *x, size_t n)
{
    int rc = d->queue != NULL ? playqueue_play(d->queue, item, rate_hz, x, n) : -EINVAL;

    kick(d);
    return rc;
}

int duplex_end(struct duplex *d, uint32_t item)
{
    int rc = d->queue != NULL ? playqueue_end(d->queue, item) : -EINVAL;

    kick(d);
    return rc;
}

void duplex_flush(struct duplex *d)
{
    if (d->play != NULL)
        playring_flush(d->play);
}

bool duplex_poll(struct duplex *d, struct duplex_event *ev)
{
    if (d->queue != NULL && playqueue_poll(d->queue, ev))
        return true;
    if (!atomic_exchange(&d->lost_news, false))
        return false;
    *ev = (struct duplex_event){.type = DUPLEX_LOST, .at_ns = clock_ns()};
    return true;
}

uint64_t duplex_played(const struct duplex *d, uint32_t item)
{
    return d->queue != NULL ? playqueue_played(d->queue, item) : 0;
}

void duplex_stats(const struct duplex *d, struct duplex_stats *out)
{
    *out = (struct duplex_stats){
        .callbacks = d->queue != NULL ? d->out_calls : d->in_calls,
        .underruns = d->late + (d->play != NULL ? playring_underruns(d->play) : 0),
        .overruns = d->overruns,
        .dropped = d->dropped,
        .in_latency_ms = d->stream->in_latency_ms,
        .out_latency_ms = d->stream->out_latency_ms,
        .in_hz = d->stream->in_hz,
        .out_hz = d->stream->out_hz,
        .in_name = d->stream->in_name,
        .out_name = d->stream->out_name,
    };
}

void duplex_close(struct duplex *d)
{
    if (d == NULL)
        return;
    duplex_flush(d);
    /* The worker first: it looks into the stream. The callback finds all it needs until the end. */
    if (d->running) {
        atomic_store(&d->stop, true);
        kick(d);
        pthread_join(d->worker, NULL);
    }
    if (d->stream != NULL)
        d->stream->driver->close(d->stream);
    playqueue_free(d->queue);
    playring_free(d->play);
    timering_free(d->mic);
    timering_free(d->heard);
    resample_free(d->resample);
    os_sem_free(d->work);
    free(d);
}
