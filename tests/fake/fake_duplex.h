/* fake_duplex - a sound path that does as the test says, in place of audio/duplex.c: the test that
 * includes this has its functions, and the library's are left out. What the session asks of it is
 * noted; what it captures, plays and finds out is told. */
#ifndef HULLO_FAKE_DUPLEX_H
#define HULLO_FAKE_DUPLEX_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "audio/duplex.h"
#include "util/buf.h"

struct fake_duplex {
    struct duplex_stats stats;
    uint64_t played; /* samples, of whatever item it is asked for */
    int open_error;  /* fail with this when below 0 */
    int play_error;
    struct buf noted; /* "play1:1600 end1 flush mute1 barge0 close " */
    bool muted;

    int64_t now_ns; /* when the next captured sample is captured */
    struct buf captured;
    struct duplex_event events[32];
    size_t told, count;
    void (*wake)(void *user);
    void *user;
    char argument[32];
};

struct duplex {
    struct fake_duplex *fake;
};

/* What the configuration's driver argument must be. */
static inline const char *fake_duplex_argument(struct fake_duplex *f)
{
    snprintf(f->argument, sizeof f->argument, "%p", (void *)f);
    return f->argument;
}

/* Samples of a value are captured (zeros while muted); this and the next wake the session. */
static inline void fake_duplex_capture(struct fake_duplex *f, int16_t value, size_t n)
{
    int16_t x = f->muted ? 0 : value;

    for (size_t i = 0; i < n; i++)
        buf_add(&f->captured, &x, sizeof x);
    f->wake(f->user);
}

/* Something happens in the sound path. */
static inline void fake_duplex_tell(struct fake_duplex *f, struct duplex_event ev)
{
    if (f->count == sizeof f->events / sizeof *f->events)
        abort();
    f->events[f->count++] = ev;
    f->wake(f->user);
}

static inline void fake_duplex_free(struct fake_duplex *f)
{
    buf_free(&f->noted);
    buf_free(&f->captured);
}

/* --- in place of audio/duplex.c */

int duplex_open(struct duplex **out, const struct duplex_config *config, const struct log *log,
                struct err *e)
{
    struct duplex *d;
    void *p = NULL;

    (void)log;
    *out = NULL;
    if (sscanf(config->argument, "%p", &p) != 1)
        return err_set(e, STATUS_USAGE, -EINVAL, "the fake sound path needs its fake");
    d = calloc(1, sizeof *d);
    if (d == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    d->fake = p;
    d->fake->wake = config->wake;
    d->fake->user = config->user;
    if (d->fake->open_error < 0) {
        int rc = d->fake->open_error;
        free(d);
        return err_set(e, STATUS_AUDIO, rc, "the fake sound path refuses");
    }
    *out = d;
    return 0;
}

size_t duplex_read(struct duplex *d, int16_t *x, size_t n, int64_t *at_ns)
{
    struct fake_duplex *f = d->fake;
    size_t there = f->captured.len / sizeof *x;

    if (n > there)
        n = there;
    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        x[i] = ((const int16_t *)(const void *)f->captured.data)[i];
    buf_drop(&f->captured, n * sizeof *x);
    *at_ns = f->now_ns;
    f->now_ns += (int64_t)n * 1000000000 / DUPLEX_HZ;
    return n;
}

int duplex_play(struct duplex *d, uint32_t item, int rate_hz, const int16_t *x, size_t n)
{
    (void)rate_hz;
    (void)x;
    buf_addf(&d->fake->noted, "play%u:%zu ", item, n);
    return d->fake->play_error;
}

int duplex_end(struct duplex *d, uint32_t item)
{
    buf_addf(&d->fake->noted, "end%u ", item);
    return d->fake->play_error;
}

void duplex_flush(struct duplex *d)
{
    buf_adds(&d->fake->noted, "flush ");
}

bool duplex_poll(struct duplex *d, struct duplex_event *ev)
{
    struct fake_duplex *f = d->fake;

    if (f->told == f->count) {
        f->told = f->count = 0;
        return false;
    }
    *ev = f->events[f->told++];
    return true;
}

void duplex_mute(struct duplex *d, bool on)
{
    if (d->fake->muted != on)
        buf_addf(&d->fake->noted, "mute%d ", on);
    d->fake->muted = on;
}

void duplex_barge(struct duplex *d, bool on)
{
    buf_addf(&d->fake->noted, "barge%d ", on);
}

uint64_t duplex_played(const struct duplex *d, uint32_t item)
{
    (void)item;
    return d->fake->played;
}

void duplex_stats(const struct duplex *d, struct duplex_stats *out)
{
    *out = d->fake->stats;
}

void duplex_close(struct duplex *d)
{
    if (d == NULL)
        return;
    buf_adds(&d->fake->noted, "close ");
    free(d);
}

#endif
