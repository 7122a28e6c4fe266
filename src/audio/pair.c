#include "audio/pair.h"

#include <errno.h>
#include <stdlib.h>

#include "audio/rooms.h"
#include "audio/timering.h"

#define RING_MS   2000 /* what the callback can hand over while the worker sleeps */
#define SILENT_MS 2000 /* of zeros from the start: nothing is connected, or it is switched off */

struct pair {
    struct audio_stream *stream;
    struct pair_tally *tally;
    const _Atomic bool *muted;
    void (*kick)(void *user);
    void *user;
    struct timering *near, *far; /* NULL without the direction; far only beside near */
    struct playring *play;
    struct chain *chain;

    /* Moved by the callbacks. */
    _Atomic uint64_t in_calls, out_calls;
    _Atomic size_t largest;
    _Atomic bool gone, silent;
    uint64_t zeros; /* the input callback's: how many came before anything else */
    bool alive;     /* likewise: something else came */
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* --- the callback: realtime. It copies, counts and leaves. */

/* Whether the microphone gives anything at all. */
static void listen(struct pair *p, const int16_t *in, size_t frames)
{
    size_t i = 0;

    if (p->alive)
        return;
    while (i < frames && in[i] == 0)
        i++;
    p->alive = i < frames;
    p->zeros += frames;
    atomic_store_explicit(&p->silent,
                          !p->alive && p->zeros * 1000 > (uint64_t)p->stream->in_hz * SILENT_MS,
                          memory_order_relaxed);
}

static void capture(struct pair *p, const int16_t *in, size_t frames, const struct audio_when *when)
{
    bool muted = atomic_load_explicit(p->muted, memory_order_relaxed);
    size_t got = timering_write(p->near, muted ? NULL : in, frames, when->in_ns);

    if (!muted)
        listen(p, in, frames);
    if (got < frames || when->input_overflow)
        count(&p->tally->overruns, 1);
    count(&p->tally->dropped, frames - got);
    count(&p->tally->in_calls, 1);
    count(&p->in_calls, 1);
}

static void playback(struct pair *p, int16_t *out, size_t frames, const struct audio_when *when)
{
    if (when->output_underflow && playring_inside(p->play))
        count(&p->tally->late, 1);
    playring_read(p->play, out, frames, when->out_ns);
    if (p->far != NULL)
        timering_write(p->far, out, frames, when->out_ns);
    if (frames > atomic_load_explicit(&p->largest, memory_order_relaxed))
        atomic_store_explicit(&p->largest, frames, memory_order_relaxed);
    count(&p->tally->out_calls, 1);
    count(&p->out_calls, 1);
}

/* What is played goes first, so that a captured sample never has a worker wait for its far end. */
static void callback(void *user, const int16_t *in, int16_t *out, size_t frames,
                     const struct audio_when *when)
{
    struct pair *p = user;

    if (out != NULL)
        playback(p, out, frames, when);
    if (in != NULL)
        capture(p, in, frames, when);
    p->kick(p->user);
}

static void lost(void *user)
{
    struct pair *p = user;

    atomic_store(&p->gone, true);
    p->kick(p->user);
}

/* --- opening and closing */

static size_t samples(int hz, int ms)
{
    return (size_t)hz * (size_t)ms / 1000;
}

static int make_chain(struct pair *p, const struct pair_config *config)
{
    const struct audio_stream *s = p->stream;
    struct chain_ends ends = {p->near, p->far, s};
    struct nearend_config nearend = config->nearend;
    struct nearend_memory *memory = NULL;
    int rc;

    if (p->far != NULL && config->rooms != NULL)
        memory = malloc(sizeof *memory);
    if (memory != NULL && rooms_load(memory, config->rooms, s->in_name, s->out_name) == 0)
        nearend.memory = memory;
    rc = chain_new(&p->chain, &ends, &nearend);
    free(memory);
    return rc;
}

/* Rings and chain, once the rates are known. */
static int make_rings(struct pair *p, const struct pair_config *config)
{
    int in_hz = p->stream->in_hz, out_hz = p->stream->out_hz, rc;

    if (in_hz <= 0)
        return 0;
    rc = timering_new(&p->near, samples(in_hz, RING_MS), in_hz);
    if (rc == 0 && out_hz > 0)
        rc = timering_new(&p->far, samples(out_hz, RING_MS), out_hz);
    return rc == 0 ? make_chain(p, config) : rc;
}

int pair_open(struct pair **out, const struct pair_config *config, const struct log *log,
              struct err *e)
{
    struct pair *p = calloc(1, sizeof *p);
    struct audio_config audio = {.capture = config->capture,
                                 .playback = config->playback,
                                 .input = config->input,
                                 .output = config->output,
                                 .latency_ms = config->latency_ms,
                                 .callback = callback,
                                 .lost = lost,
                                 .user = p};
    int rc;

    *out = NULL;
    if (p == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    p->tally = config->tally;
    p->muted = config->muted;
    p->kick = config->kick;
    p->user = config->user;
    rc = config->driver->open(&p->stream, config->argument, &audio, log, e);
    if (rc < 0) {
        free(p);
        return rc;
    }
    log_debug(log, "sound: %s: in '%s' %d Hz %.0f ms, out '%s' %d Hz %.0f ms",
              p->stream->driver->name, p->stream->in_name, p->stream->in_hz,
              p->stream->in_latency_ms, p->stream->out_name, p->stream->out_hz,
              p->stream->out_latency_ms);
    rc = make_rings(p, config);
    if (rc < 0) {
        err_set(e, STATUS_AUDIO, rc, "cannot prepare the sound path at %d/%d Hz: %s",
                p->stream->in_hz, p->stream->out_hz,
                rc == -EINVAL ? "no such rate is supported" : "out of memory");
        pair_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

void pair_attach(struct pair *p, struct playring *play)
{
    p->play = play;
}

int pair_start(struct pair *p, struct err *e)
{
    int rc = p->stream->driver->start(p->stream, e);

    if (rc < 0)
        lost(p);
    return rc;
}

void pair_close(struct pair *p)
{
    if (p == NULL)
        return;
    p->stream->driver->close(p->stream);
    chain_free(p->chain);
    timering_free(p->near);
    timering_free(p->far);
    free(p);
}

/* --- the worker */

const struct audio_stream *pair_stream(const struct pair *p)
{
    return p->stream;
}

bool pair_gone(const struct pair *p)
{
    return atomic_load(&p->gone);
}

bool pair_silent(const struct pair *p)
{
    return atomic_load_explicit(&p->silent, memory_order_relaxed);
}

size_t pair_largest(const struct pair *p)
{
    return atomic_load_explicit(&p->largest, memory_order_relaxed);
}

uint64_t pair_progress(const struct pair *p)
{
    uint64_t in = atomic_load_explicit(&p->in_calls, memory_order_relaxed);
    uint64_t out = atomic_load_explicit(&p->out_calls, memory_order_relaxed);

    if (p->stream->in_hz > 0 && p->stream->out_hz > 0)
        return in < out ? in : out;
    return p->stream->in_hz > 0 ? in : out;
}

bool pair_frame(struct pair *p, bool playing, int16_t out[DSP_FRAME], int64_t *at_ns,
                struct nearend_verdict *v)
{
    return p->chain != NULL && chain_frame(p->chain, playing, out, at_ns, v);
}

void pair_memory(const struct pair *p, struct nearend_memory *out)
{
    if (p->chain != NULL)
        chain_memory(p->chain, out);
    else
        *out = (struct nearend_memory){.n = 0};
}

void pair_align(const struct pair *p, struct align_state *out)
{
    if (p->chain != NULL)
        chain_align(p->chain, out);
    else
        *out = (struct align_state){.known = false};
}
