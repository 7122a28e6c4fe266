/* The worker of duplex.h: what was captured goes through the chain, what the chain decides is done
 * to the loudspeaker at once, and the playback ring is kept filled. */
#include "audio/duplex_parts.h"

#include "util/clock.h"

#define MS (int64_t)1000000

#define TICK_MS   100  /* how often the worker looks when nobody wakes it */
#define STALL_MS  1000 /* so long without a callback is a lost device, */
#define PERIODS   2    /* and so many of its periods more */
#define START_MS  3000 /* devices take longer before their first callback */
#define LATE_MS   10   /* out of the chain against the microphone */
#define FRAME_MS  10
#define AT_ONCE   4      /* frames that are heard before the ring is filled again */
#define LEARNT_MS 20000  /* after which what was learnt of a room is written down */
#define AGAIN_MS  280000 /* after that, until it is written once more */

void duplex_kick(void *user)
{
    struct duplex *d = user;

    if (!atomic_exchange_explicit(&d->kicked, true, memory_order_acq_rel))
        os_sem_post(d->work);
}

static void tell(struct duplex *d, const struct duplex_event *ev)
{
    struct news_entry entry = {.number = d->number++, .event = *ev};

    if (!news_put(&d->news, &entry))
        log_debug(d->log, "sound: nobody takes the news");
}

/* --- barge-in */

static void resume(struct duplex *d)
{
    if (d->state != BARGE_HOLD)
        return;
    tell(d, &(struct duplex_event){
                .type = DUPLEX_RESUMED, .item = playqueue_playing(d->queue), .at_ns = clock_ns()});
}

static void set_level(struct duplex *d, enum barge_state state)
{
    static const enum playring_level levels[] = {
        [BARGE_PLAY] = PLAYRING_FULL, [BARGE_DUCK] = PLAYRING_DUCK, [BARGE_HOLD] = PLAYRING_HOLD};

    playring_set(d->play, levels[state]);
    d->state = state;
}

/* Does what the chain has decided on a frame whose last sample was captured at end_ns. */
static void obey(struct duplex *d, const struct nearend_verdict *v, int64_t end_ns)
{
    static const char *const names[] = {"play", "duck", "hold", "stop"};
    bool allowed = !v->hopeless && !atomic_load_explicit(&d->deaf, memory_order_relaxed);
    enum barge_state state = allowed ? v->state : BARGE_PLAY;
    struct duplex_event ev = {.at_ns = end_ns - v->onset_ms * MS};

    if (state != d->state)
        log_debug(d->log, "barge-in: %s, heard until %lld, decided at %lld ns", names[state],
                  (long long)end_ns, (long long)clock_ns());
    if (state == BARGE_STOP) {
        ev.type = DUPLEX_BARGED;
        ev.item = playqueue_playing(d->queue);
        /* In this order: nothing of what was held is heard. */
        playring_flush(d->play);
        set_level(d, BARGE_PLAY);
        tell(d, &ev);
        return;
    }
    if (state == d->state)
        return;
    if (state == BARGE_HOLD) {
        ev.type = DUPLEX_HELD;
        ev.item = playqueue_playing(d->queue);
        set_level(d, state);
        tell(d, &ev);
        return;
    }
    resume(d);
    set_level(d, state);
}

static void half_duplex(struct duplex *d, bool on)
{
    if (on == d->half)
        return;
    d->half = on;
    tell(d, &(struct duplex_event){.type = DUPLEX_HALF, .on = on, .at_ns = clock_ns()});
}

/* --- the microphone */

static void publish(struct duplex *d, const struct nearend_verdict *v, bool clipped)
{
    struct align_state align;

    pair_align(d->pair, &align);
    pthread_mutex_lock(&d->lock);
    d->view.verdict = *v;
    d->view.align = align;
    d->view.silent = pair_silent(d->pair);
    if (clipped)
        d->view.clipped_ns = clock_ns();
    pthread_mutex_unlock(&d->lock);
}

/* Once the room is learnt, and a while later, it is written down: a program can end at any time. */
static void remember(struct duplex *d, bool converged)
{
    int64_t now = clock_ns();

    if (!converged)
        d->converged_ns = 0;
    else if (d->converged_ns == 0)
        d->converged_ns = now;
    if (!converged || now - d->converged_ns < LEARNT_MS * MS ||
        atomic_load_explicit(&d->learnt, memory_order_acquire))
        return;
    d->converged_ns = now + AGAIN_MS * MS;
    pair_memory(d->pair, d->memory);
    atomic_store_explicit(&d->learnt, true, memory_order_release);
    os_sem_post(d->wanted);
}

/* Takes what was captured through the chain. True when there is something new to read. */
static bool hear(struct duplex *d)
{
    bool clipped = false, deaf = atomic_load(&d->deaf);
    bool plays = d->queue != NULL;
    struct nearend_verdict v;
    int16_t x[DSP_FRAME];
    int64_t at_ns;
    int n = 0;

    /* A few at a time: where much waits, the loudspeaker must not. */
    while (n < AT_ONCE &&
           pair_frame(d->pair, plays && !deaf && playqueue_playing(d->queue) != 0, x, &at_ns, &v)) {
        size_t fitted = timering_write(d->heard, x, DSP_FRAME, at_ns);
        atomic_fetch_add_explicit(&d->tally.dropped, DSP_FRAME - fitted, memory_order_relaxed);
        if (plays) {
            obey(d, &v, at_ns + (LATE_MS + FRAME_MS) * MS);
            half_duplex(d, v.hopeless);
        }
        clipped |= v.clipped;
        n++;
    }
    if (n == AT_ONCE)
        duplex_kick(d);
    if (n > 0) {
        publish(d, &v, clipped);
        remember(d, v.converged);
    }
    return n > 0;
}

/* --- the loudspeaker */

/* Of playback: the largest there was. */
static int64_t period_ns(const struct duplex *d)
{
    int hz = pair_stream(d->pair)->out_hz;

    return hz > 0 ? (int64_t)pair_largest(d->pair) * 1000000000 / hz : 0;
}

static void fill(struct duplex *d)
{
    int hz = pair_stream(d->pair)->out_hz;
    double period_ms = (double)period_ns(d) / 1e6, ahead_ms;
    struct jitter_look look = {.dry = playring_underruns(d->play),
                               .ready_ms = playqueue_ready_ms(d->queue),
                               .fresh_ms = playqueue_fresh_ms(d->queue),
                               .period_ms = period_ms,
                               .now_ns = clock_ns()};

    if (!jitter_step(&d->jitter, &look))
        return;
    ahead_ms = jitter_ahead_ms(&d->jitter, period_ms);
    playqueue_feed(d->queue, (size_t)(ahead_ms * hz / 1000));
    pthread_mutex_lock(&d->lock);
    d->view.buffer_ms = ahead_ms;
    pthread_mutex_unlock(&d->lock);
}

/* --- the devices */

/* Looks that come late count as one tick only: when the whole process was stopped, no device was
 * lost. */
static bool stalled(struct duplex *d)
{
    uint64_t progress = pair_progress(d->pair);
    int64_t now = clock_ns(), passed = now - d->looked_ns;
    int64_t most_ns = (progress == 0 ? START_MS : STALL_MS) * MS + PERIODS * period_ns(d);

    d->looked_ns = now;
    if (progress != d->progress) {
        d->progress = progress;
        d->quiet_ns = 0;
        return false;
    }
    d->quiet_ns += passed < TICK_MS * MS ? passed : TICK_MS * MS;
    return d->quiet_ns > most_ns;
}

static void lose(struct duplex *d)
{
    resume(d);
    if (d->queue != NULL)
        set_level(d, BARGE_PLAY);
    if (!d->told_lost)
        tell(d, &(struct duplex_event){.type = DUPLEX_LOST, .at_ns = clock_ns()});
    d->told_lost = true;
    /* What is being written down is as good. */
    if (!atomic_load_explicit(&d->learnt, memory_order_acquire))
        pair_memory(d->pair, d->memory);
    d->pair = NULL;
    d->converged_ns = 0;
    atomic_store_explicit(&d->phase, DEVICES_LOST, memory_order_release);
    os_sem_post(d->wanted);
}

/* There are devices again: what was not played yet goes to them. */
static void adopt(struct duplex *d)
{
    const struct audio_stream *s = pair_stream(d->opened);

    if (d->queue != NULL &&
        playqueue_restart(d->queue, (size_t)s->out_hz * PLAY_MS / 1000, s->out_hz) < 0)
        log_warn(d->log, "out of memory: a reply cannot go on");
    pair_attach(d->opened, d->play);
    d->pair = d->opened;
    d->progress = 0;
    d->quiet_ns = 0;
    d->looked_ns = clock_ns();
    atomic_store_explicit(&d->phase, DEVICES_ADOPTED, memory_order_release);
    os_sem_post(d->wanted);
}

/* Without a callback, flushes are obeyed here. */
static void stand_in(struct duplex *d)
{
    int phase = atomic_load_explicit(&d->phase, memory_order_acquire);

    if (phase != DEVICES_AWAY && phase != DEVICES_READY)
        return;
    if (d->queue != NULL)
        playring_read(d->play, NULL, 0, clock_ns());
    if (phase == DEVICES_READY)
        adopt(d);
}

static void back(struct duplex *d)
{
    struct news_entry entry = {.number = d->number,
                               .event = {.type = DUPLEX_BACK, .at_ns = clock_ns()},
                               .about = *pair_stream(d->pair)};

    if (!d->told_lost || pair_progress(d->pair) == 0)
        return;
    d->told_lost = false;
    d->number++;
    if (!news_put(&d->news, &entry))
        log_debug(d->log, "sound: nobody takes the news");
}

/* Lets go of devices that do not run any more. The keeper's, which it has yet to start, are not
 * lost: the phase is the keeper's to change. */
static bool lost(struct duplex *d)
{
    bool gone = pair_gone(d->pair);

    if (atomic_load_explicit(&d->phase, memory_order_acquire) != DEVICES_OPEN ||
        !(gone || stalled(d)))
        return false;
    log_debug(d->log, "sound: %s", gone ? "the device is gone" : "the device stalled");
    lose(d);
    return true;
}

/* True when there is something new for the control thread. */
static bool look(struct duplex *d)
{
    bool news = false;
    uint64_t before = d->number;

    if (d->pair == NULL)
        stand_in(d);
    if (d->pair != NULL) {
        back(d);
        news |= hear(d);
    }
    if (d->queue != NULL)
        playqueue_settle(d->queue, &d->number);
    if (d->pair != NULL && !lost(d) && d->queue != NULL)
        fill(d);
    return news || d->number != before;
}

/* What SpeexDSP remarks on the worker (that its canceller was reset) is not for the screen. */
enum sieve_verdict duplex_remark(void *user, const char *text, size_t n)
{
    struct duplex *d = user;

    (void)text;
    (void)n;
    if (!atomic_load(&d->watched) || !pthread_equal(pthread_self(), d->self))
        return SIEVE_PASS;
    atomic_fetch_add(&d->remarks, 1);
    return SIEVE_TAKEN;
}

void *duplex_work(void *user)
{
    struct duplex *d = user;

    d->self = pthread_self();
    atomic_store(&d->watched, true);
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
