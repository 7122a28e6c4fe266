#include "audio/duplex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audio/duplex_parts.h"
#include "util/clock.h"

#define LATENCY_MS 20
#define HEARD_MS   8000 /* what duplex_read may leave lying */
#define CLIPPED_MS 5000 /* for so long duplex_stats tells of it */

static size_t samples(int hz, int ms)
{
    return (size_t)hz * (size_t)ms / 1000;
}

static int make_rings(struct duplex *d, int in_hz, int out_hz)
{
    int rc = 0;

    if (in_hz > 0)
        rc = timering_new(&d->heard, samples(DUPLEX_HZ, HEARD_MS), DUPLEX_HZ);
    if (rc == 0 && out_hz > 0)
        rc = playring_new(&d->play, samples(out_hz, PLAY_MS), out_hz);
    if (rc == 0 && out_hz > 0)
        rc = playqueue_new(&d->queue, d->play, out_hz);
    return rc;
}

/* The devices first: from the moment that the worker runs, they may be found lost, and closed. */
static int start(struct duplex *d, struct err *e)
{
    int rc = make_rings(d, d->about.in_hz, d->about.out_hz);

    if (rc == 0) {
        pair_attach(d->pair, d->play);
        rc = pair_start(d->pair, e);
        if (rc < 0)
            return rc;
        d->watch = (struct sieve_watch){.look = duplex_remark, .user = d};
        d->watching = sieve_add(&d->watch);
        rc = -pthread_create(&d->worker, NULL, duplex_work, d);
    }
    d->running = rc == 0;
    if (rc == 0)
        rc = -pthread_create(&d->keeper, NULL, duplex_keep, d);
    d->keeping = d->running && rc == 0;
    return rc < 0 ? err_set(e, STATUS_FAILED, rc, "out of memory") : 0;
}

/* A copy, for when the devices are opened again. False when there is no memory. */
static bool keep(const char **out, const char *text)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

static bool configure(struct duplex *d, const struct duplex_config *config)
{
    bool fits;

    d->wake = config->wake;
    d->user = config->user;
    d->config = (struct pair_config){
        .driver = config->driver,
        .capture = config->capture,
        .playback = config->playback,
        .latency_ms = config->latency_ms > 0 ? config->latency_ms : LATENCY_MS,
        .nearend = {.aec = config->aec, .level = config->level, .weights = config->weights},
        .tally = &d->tally,
        .muted = &d->muted,
        .kick = duplex_kick,
        .user = d};
    fits = keep(&d->config.argument, config->argument);
    fits &= keep(&d->config.input, config->input);
    fits &= keep(&d->config.output, config->output);
    fits &= keep(&d->config.rooms, config->rooms);
    d->memory = calloc(1, sizeof *d->memory);
    return fits && d->memory != NULL;
}

static void free_config(struct duplex *d)
{
    free((char *)d->config.argument);
    free((char *)d->config.input);
    free((char *)d->config.output);
    free((char *)d->config.rooms);
    free(d->memory);
}

int duplex_open(struct duplex **out, const struct duplex_config *config, const struct log *log,
                struct err *e)
{
    struct duplex *d = calloc(1, sizeof *d);
    struct pair *pair = NULL;
    int rc;

    *out = NULL;
    if (d == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    pthread_mutex_init(&d->lock, NULL);
    d->log = log;
    if (!configure(d, config) || os_sem_new(&d->work) < 0 || os_sem_new(&d->wanted) < 0) {
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
        goto out;
    }
    rc = pair_open(&pair, &d->config, log, e);
    if (rc < 0)
        goto out;
    d->opened = d->pair = pair;
    d->about = *pair_stream(pair);
    rc = start(d, e);
    if (rc < 0)
        goto out;
    *out = d;
    return 0;
out:
    duplex_close(d);
    return rc;
}

size_t duplex_read(struct duplex *d, int16_t *x, size_t n, int64_t *at_ns)
{
    return d->heard != NULL ? timering_read(d->heard, x, n, at_ns) : 0;
}

int duplex_play(struct duplex *d, uint32_t item, int rate_hz, const int16_t *x, size_t n)
{
    int rc = d->queue != NULL ? playqueue_play(d->queue, item, rate_hz, x, n) : -EINVAL;

    duplex_kick(d);
    return rc;
}

int duplex_end(struct duplex *d, uint32_t item)
{
    int rc = d->queue != NULL ? playqueue_end(d->queue, item) : -EINVAL;

    duplex_kick(d);
    return rc;
}

void duplex_flush(struct duplex *d)
{
    if (d->play != NULL)
        playring_flush(d->play);
}

void duplex_mute(struct duplex *d, bool on)
{
    atomic_store(&d->muted, on);
}

void duplex_barge(struct duplex *d, bool on)
{
    atomic_store(&d->deaf, !on);
}

/* Devices that are new to the control thread: the event names the one that is another, or the
 * loudspeaker. */
static void meet(struct duplex *d, const struct audio_stream *s, struct duplex_event *ev)
{
    bool other_in = strcmp(d->about.in_name, s->in_name) != 0;
    bool other_out = strcmp(d->about.out_name, s->out_name) != 0;

    d->about = *s;
    ev->name = s->out_hz == 0 || (other_in && !other_out) ? d->about.in_name : d->about.out_name;
}

bool duplex_poll(struct duplex *d, struct duplex_event *ev)
{
    const struct news_entry *entry = news_next(&d->news);

    if (d->queue != NULL &&
        playqueue_poll(d->queue, ev, entry != NULL ? entry->number : UINT64_MAX))
        return true;
    if (entry == NULL)
        return false;
    *ev = entry->event;
    if (ev->type == DUPLEX_BACK)
        meet(d, &entry->about, ev);
    news_take(&d->news);
    return true;
}

uint64_t duplex_played(const struct duplex *d, uint32_t item)
{
    return d->queue != NULL ? playqueue_played(d->queue, item) : 0;
}

void duplex_stats(const struct duplex *d, struct duplex_stats *out)
{
    const struct audio_stream *s = &d->about;
    struct duplex_view view;

    pthread_mutex_lock((pthread_mutex_t *)&d->lock);
    view = d->view;
    pthread_mutex_unlock((pthread_mutex_t *)&d->lock);
    *out = (struct duplex_stats){
        .callbacks = d->queue != NULL ? d->tally.out_calls : d->tally.in_calls,
        .underruns = d->tally.late + (d->play != NULL ? playring_underruns(d->play) : 0),
        .overruns = d->tally.overruns,
        .dropped = d->tally.dropped,
        .in_latency_ms = s->in_latency_ms,
        .out_latency_ms = s->out_latency_ms,
        .buffer_ms = view.buffer_ms,
        .delay_ms = view.align.known ? view.align.delay_ms : 0,
        .drift_ppm = view.align.drift_ppm,
        .erle_db = view.verdict.erle_db,
        .noise_db = view.verdict.noise_db,
        .speech = (double)view.verdict.speech,
        .converged = view.verdict.converged,
        .clipped = view.clipped_ns != 0 && clock_ms_since(view.clipped_ns) < CLIPPED_MS,
        .silent = view.silent,
        .in_hz = s->in_hz,
        .out_hz = s->out_hz,
        .in_name = s->in_name,
        .out_name = s->out_name,
    };
}

void duplex_close(struct duplex *d)
{
    if (d == NULL)
        return;
    duplex_flush(d);
    /* The worker first: it looks into the pair. The callback finds all it needs until the end. */
    if (d->running) {
        atomic_store(&d->stop, true);
        duplex_kick(d);
        pthread_join(d->worker, NULL);
    }
    if (d->keeping) {
        os_sem_post(d->wanted);
        pthread_join(d->keeper, NULL);
    }
    if (d->pair != NULL && d->running) {
        pair_memory(d->pair, d->memory);
        duplex_save(d, pair_stream(d->pair));
    }
    if (d->watching)
        sieve_remove(&d->watch);
    if (d->remarks > 0)
        log_debug(d->log, "sound: SpeexDSP made %d remarks", d->remarks);
    pair_close(d->opened);
    playqueue_free(d->queue);
    playring_free(d->play);
    timering_free(d->heard);
    os_sem_free(d->work);
    os_sem_free(d->wanted);
    free_config(d);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
