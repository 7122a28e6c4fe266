#include "audio/playring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FADE_MS 4
/* Twice what PLAYRING_ITEMS items can cause, so that an event always finds room. */
#define EVENTS (4 * PLAYRING_ITEMS)

/* Heads and tails count since the start and never wrap in practice (2^64); an index is the count
 * modulo the size, which is a power of two. */
struct playring {
    size_t mask;
    int hz;
    int16_t *data;
    _Atomic uint32_t generation;
    _Alignas(64) struct playring_block blocks[PLAYRING_BLOCKS];
    struct playring_event events[EVENTS];
    _Atomic uint64_t played[PLAYRING_ITEMS]; /* set to 0 by the writer while the slot is free */

    /* Moved by the writer. */
    _Alignas(64) _Atomic uint64_t head, block_head, event_tail;

    /* Moved by the callback. */
    _Alignas(64) _Atomic uint64_t tail, block_tail, event_head;
    _Atomic uint64_t underruns;
    _Atomic uint32_t obeyed;
    _Atomic int64_t cut_ns;

    /* The callback's own. */
    size_t used;            /* samples of the front block that were consumed */
    uint32_t current;       /* generation of this read */
    size_t fade, fade_left; /* length of the fade that runs, and what is left of it */
    bool sounding;          /* the last sample that went out was an item's */
    bool inside;
};

bool playring_older(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

int playring_new(struct playring **out, size_t samples, int hz)
{
    struct playring *r;
    size_t size = 1;

    *out = NULL;
    if (samples == 0 || samples > ((size_t)1 << 28) || hz <= 0)
        return -EINVAL;
    while (size < samples)
        size *= 2;
    r = aligned_alloc(_Alignof(struct playring), sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    memset(r, 0, sizeof *r);
    r->mask = size - 1;
    r->hz = hz;
    r->data = calloc(size, sizeof *r->data);
    if (r->data == NULL) {
        free(r);
        return -ENOMEM;
    }
    *out = r;
    return 0;
}

void playring_free(struct playring *r)
{
    if (r == NULL)
        return;
    free(r->data);
    free(r);
}

void playring_flush(struct playring *r)
{
    atomic_fetch_add_explicit(&r->generation, 1, memory_order_acq_rel);
}

uint32_t playring_generation(const struct playring *r)
{
    return atomic_load_explicit(&r->generation, memory_order_acquire);
}

uint64_t playring_played(const struct playring *r, uint32_t slot)
{
    return atomic_load_explicit(&r->played[slot % PLAYRING_ITEMS], memory_order_acquire);
}

uint64_t playring_underruns(const struct playring *r)
{
    return atomic_load_explicit(&r->underruns, memory_order_relaxed);
}

/* --- the writer */

size_t playring_waiting(const struct playring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

    return (size_t)(atomic_load_explicit(&r->head, memory_order_relaxed) - tail);
}

static bool block_free(const struct playring *r)
{
    uint64_t tail = atomic_load_explicit(&r->block_tail, memory_order_acquire);

    return atomic_load_explicit(&r->block_head, memory_order_relaxed) - tail < PLAYRING_BLOCKS;
}

size_t playring_room(const struct playring *r)
{
    return block_free(r) ? r->mask + 1 - playring_waiting(r) : 0;
}

void playring_begin(struct playring *r, uint32_t slot)
{
    atomic_store_explicit(&r->played[slot % PLAYRING_ITEMS], 0, memory_order_release);
}

int playring_write(struct playring *r, const struct playring_block *b, const int16_t *x)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t block_head = atomic_load_explicit(&r->block_head, memory_order_relaxed);
    size_t i = (size_t)head & r->mask, first = r->mask + 1 - i;

    if (!block_free(r) || b->n > playring_room(r))
        return -ENOSPC;
    if (first > b->n)
        first = b->n;
    if (b->n > 0) {
        memcpy(r->data + i, x, first * sizeof *x);
        memcpy(r->data, x + first, (b->n - first) * sizeof *x);
    }
    r->blocks[block_head % PLAYRING_BLOCKS] = *b;
    atomic_store_explicit(&r->head, head + b->n, memory_order_relaxed);
    atomic_store_explicit(&r->block_head, block_head + 1, memory_order_release);
    return 0;
}

bool playring_event(struct playring *r, struct playring_event *ev)
{
    uint64_t tail = atomic_load_explicit(&r->event_tail, memory_order_relaxed);

    if (tail == atomic_load_explicit(&r->event_head, memory_order_acquire))
        return false;
    *ev = r->events[tail % EVENTS];
    atomic_store_explicit(&r->event_tail, tail + 1, memory_order_release);
    return true;
}

uint32_t playring_obeyed(const struct playring *r, int64_t *cut_ns)
{
    uint32_t obeyed = atomic_load_explicit(&r->obeyed, memory_order_acquire);

    *cut_ns = atomic_load_explicit(&r->cut_ns, memory_order_relaxed);
    return obeyed;
}

/* --- the callback: realtime from here on */

static const struct playring_block *front(const struct playring *r)
{
    uint64_t tail = atomic_load_explicit(&r->block_tail, memory_order_relaxed);

    if (tail == atomic_load_explicit(&r->block_head, memory_order_acquire))
        return NULL;
    return &r->blocks[tail % PLAYRING_BLOCKS];
}

/* Gives n samples of the front block back to the writer. */
static void consume(struct playring *r, size_t n)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

    atomic_store_explicit(&r->tail, tail + n, memory_order_release);
    r->used += n;
}

/* Gives the front block back to the writer, with what was not consumed of it. */
static void pop(struct playring *r)
{
    uint64_t tail = atomic_load_explicit(&r->block_tail, memory_order_relaxed);

    consume(r, r->blocks[tail % PLAYRING_BLOCKS].n - r->used);
    atomic_store_explicit(&r->block_tail, tail + 1, memory_order_release);
    r->used = 0;
}

static void copy_out(const struct playring *r, int16_t *out, size_t n)
{
    size_t i = (size_t)atomic_load_explicit(&r->tail, memory_order_relaxed) & r->mask;
    size_t first = r->mask + 1 - i;

    if (first > n)
        first = n;
    memcpy(out, r->data + i, first * sizeof *out);
    memcpy(out + first, r->data, (n - first) * sizeof *out);
}

static void tell(struct playring *r, bool ended, uint32_t slot, int64_t at_ns)
{
    uint64_t head = atomic_load_explicit(&r->event_head, memory_order_relaxed);

    if (head - atomic_load_explicit(&r->event_tail, memory_order_acquire) >= EVENTS)
        return;
    r->events[head % EVENTS] = (struct playring_event){ended, slot, at_ns};
    atomic_store_explicit(&r->event_head, head + 1, memory_order_release);
}

/* Plays on from a flushed block for the length of the fade, ever softer. Returns what was written.
 */
static size_t fade_out(struct playring *r, int16_t *out, size_t n)
{
    size_t done = 0;

    while (done < n && r->fade_left > 0) {
        const struct playring_block *b = front(r);
        size_t now;

        if (b == NULL || !playring_older(b->generation, r->current)) {
            r->fade_left = 0;
            break;
        }
        now = b->n - r->used;
        if (now > n - done)
            now = n - done;
        if (now > r->fade_left)
            now = r->fade_left;
        copy_out(r, out + done, now);
        for (size_t i = 0; i < now; i++) {
            int32_t gain = (int32_t)r->fade_left--;
            out[done + i] = (int16_t)(out[done + i] * gain / (int32_t)(r->fade + 1));
        }
        consume(r, now);
        if (r->used == b->n)
            pop(r);
        done += now;
    }
    return done;
}

/* Samples of older generations that stand at the front, at most `most`. */
static size_t flushed_waiting(const struct playring *r, size_t most)
{
    uint64_t at = atomic_load_explicit(&r->block_tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&r->block_head, memory_order_acquire);
    size_t n = 0, used = r->used;

    for (; at != head && n < most; at++, used = 0) {
        const struct playring_block *b = &r->blocks[at % PLAYRING_BLOCKS];
        if (!playring_older(b->generation, r->current))
            break;
        n += b->n - used;
    }
    return n < most ? n : most;
}

/* The generation has changed since the last read. */
static void cut(struct playring *r, int64_t out_ns)
{
    if (r->sounding) {
        r->fade = flushed_waiting(r, (size_t)r->hz * FADE_MS / 1000);
        r->fade_left = r->fade;
    }
    r->sounding = false;
    r->inside = false;
    atomic_store_explicit(&r->cut_ns, out_ns, memory_order_relaxed);
}

/* Copies from the front block, counts, and tells when its item begins or ends. Returns what was
 * written. */
static size_t play(struct playring *r, const struct playring_block *b, int16_t *out, size_t n,
                   int64_t at_ns)
{
    size_t now = b->n - r->used;
    uint64_t span = b->to - b->from;

    if (now > n)
        now = n;
    if (b->first && r->used == 0 && b->n > 0)
        tell(r, false, b->slot, at_ns);
    copy_out(r, out, now);
    consume(r, now);
    atomic_store_explicit(&r->played[b->slot % PLAYRING_ITEMS],
                          b->from + (b->n > 0 ? span * r->used / b->n : span),
                          memory_order_release);
    r->inside = true;
    r->sounding |= now > 0;
    if (r->used == b->n) {
        if (b->last) {
            tell(r, true, b->slot, at_ns + (int64_t)now * 1000000000 / r->hz);
            r->inside = r->sounding = false;
        }
        pop(r);
    }
    return now;
}

void playring_read(struct playring *r, int16_t *out, size_t n, int64_t out_ns)
{
    uint32_t generation = playring_generation(r);
    const struct playring_block *b;
    size_t done;

    if (generation != r->current) {
        r->current = generation;
        cut(r, out_ns);
    }
    done = fade_out(r, out, n);
    while (r->fade_left == 0 && (b = front(r)) != NULL) {
        if (playring_older(b->generation, r->current))
            pop(r);
        else if (done < n || b->n == 0)
            done += play(r, b, out + done, n - done, out_ns + (int64_t)done * 1000000000 / r->hz);
        else
            break;
    }
    if (done < n) {
        memset(out + done, 0, (n - done) * sizeof *out);
        r->sounding = false;
        if (r->inside)
            atomic_fetch_add_explicit(&r->underruns, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&r->obeyed, r->current, memory_order_release);
}

bool playring_inside(const struct playring *r)
{
    return r->inside;
}
