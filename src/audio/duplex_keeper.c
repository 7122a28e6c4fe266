/* The keeper of duplex.h: a thread that closes devices which went away, and opens them again as
 * soon as they are there, since that can block for as long as a sound system likes. It also writes
 * down what the worker has learnt. */
#include "audio/duplex_parts.h"

#include <stdlib.h>

#include "audio/rooms.h"
#include "util/clock.h"

#define WAIT_MS      250  /* before the devices are looked for */
#define WAIT_MOST_MS 2000 /* between two looks */
#define LIVED_MS     5000 /* devices that lasted so long are not the ones that come and go */
#define LOYAL_LOOKS  4    /* for the devices that were asked for, before any others will do */
#define IDLE_MS      1000

void duplex_save(struct duplex *d, const struct audio_stream *s)
{
    struct err e = {0};

    if (d->config.rooms == NULL || d->memory->n == 0)
        return;
    if (rooms_save(d->memory, d->config.rooms, s->in_name, s->out_name, &e) < 0)
        log_debug(d->log, "sound: %s", e.text);
}

static int look_for(struct duplex *d, struct pair **out, int looks)
{
    struct pair_config config = d->config;
    struct err e = {0};
    int rc;

    rc = pair_open(out, &config, d->log, &e);
    if (rc < 0 && looks >= LOYAL_LOOKS && config.driver->list != NULL &&
        (config.input != NULL || config.output != NULL)) {
        config.input = config.output = NULL;
        rc = pair_open(out, &config, d->log, &e);
    }
    if (rc < 0)
        log_debug(d->log, "sound: %s", e.text);
    return rc;
}

/* Until there are devices, or the end. */
static void open_again(struct duplex *d, int *wait_ms)
{
    struct pair *pair = NULL;

    for (int looks = 1;; looks++) {
        os_sem_wait(d->wanted, *wait_ms);
        if (atomic_load(&d->stop))
            return;
        if (look_for(d, &pair, looks) == 0)
            break;
        *wait_ms = *wait_ms * 2 < WAIT_MOST_MS ? *wait_ms * 2 : WAIT_MOST_MS;
    }
    d->opened = pair;
    atomic_store_explicit(&d->phase, DEVICES_READY, memory_order_release);
    duplex_kick(d);
}

static void close_lost(struct duplex *d)
{
    duplex_save(d, pair_stream(d->opened));
    atomic_store_explicit(&d->learnt, false, memory_order_relaxed);
    pair_close(d->opened);
    d->opened = NULL;
    atomic_store_explicit(&d->phase, DEVICES_AWAY, memory_order_release);
    duplex_kick(d);
}

static void start(struct duplex *d)
{
    struct err e = {0};

    /* First: the worker may find it gone again at any moment from here on. */
    atomic_store_explicit(&d->phase, DEVICES_OPEN, memory_order_release);
    if (pair_start(d->opened, &e) < 0)
        log_debug(d->log, "sound: %s", e.text);
}

void *duplex_keep(void *user)
{
    struct duplex *d = user;
    int64_t started_ns = clock_ns();
    int wait_ms = WAIT_MS;

    os_thread_role("hullo-devices", OS_ROLE_ENGINE);
    while (!atomic_load(&d->stop)) {
        switch (atomic_load_explicit(&d->phase, memory_order_acquire)) {
        case DEVICES_LOST:
            if (clock_ms_since(started_ns) > LIVED_MS)
                wait_ms = WAIT_MS;
            close_lost(d);
            open_again(d, &wait_ms);
            break;
        case DEVICES_ADOPTED:
            started_ns = clock_ns();
            start(d);
            break;
        default:
            os_sem_wait(d->wanted, IDLE_MS);
        }
        if (atomic_load_explicit(&d->learnt, memory_order_acquire)) {
            duplex_save(d, pair_stream(d->opened));
            atomic_store_explicit(&d->learnt, false, memory_order_release);
        }
    }
    return NULL;
}
