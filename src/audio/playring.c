#include "audio/playring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FADE_MS     3
#define RISE_MS     12 /* from silence to full again */
#define UNITY       32768
#define SAMPLES_MAX ((size_t)1 << 28)
#define DUCKED      4125 /* -18 dB of it */
/* Twice what PLAYRING_ITEMS items can cause, so that an event always finds room. */
#define EVENTS (4 * PLAYRING_ITEMS)

/* Heads and tails count since the start and never wrap in practice (2^64); an index is the count
 * modulo the size, which is a power of two. */
struct playring {
    size_t mask;
    int hz;
    int16_t *data;
    _Atomic uint32_t generation;
    _Atomic int level; /* enum playring_level */
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
    size_t used;      /* samples of the front block that were consumed */
    uint32_t current; /* generation of this read */
    /* The fade that runs: how long it is, what is left of it, and from which gain. It plays what
     * stands at the front without consuming it. */
    size_t fade, fade_left;
    int32_t fade_gain;
    int32_t gain;    /* of what is played, out of UNITY; on its way to what the level says */
    bool held;       /* nothing is consumed */
    int64_t hold_ns; /* when the fade to that ended */
    bool sounding;   /* the last sample that went out was an item's */
    bool inside;
};

bool playring_older(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* The power of two that holds so many, or 0 when that is nonsense. */
static size_t size_for(size_t samples)
{
    size_t size = 1;

    if (samples == 0 || samples > SAMPLES_MAX)
        return 0;
    while (size < samples)
        size *= 2;
    return size;
}

int playring_new(struct playring **out, size_t samples, int hz)
{
    size_t size = size_for(samples);
    struct playring *r;

    *out = NULL;
    if (size == 0 || hz <= 0)
        return -EINVAL;
    r = aligned_alloc(_Alignof(struct playring), sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    memset(r, 0, sizeof *r);
    r->mask = size - 1;
    r->hz = hz;
    r->gain = UNITY;
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

void playring_set(struct playring *r, enum playring_level level)
{
    atomic_store_explicit(&r->level, (int)level, memory_order_release);
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

/* n samples from `skip` behind the front on. */
static void copy_out(const struct playring *r, size_t skip, int16_t *out, size_t n)
{
    size_t i = (size_t)(atomic_load_explicit(&r->tail, memory_order_relaxed) + skip) & r->mask;
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

/* Samples at the front, at most `most`: of older generations, or of any. */
static size_t front_samples(const struct playring *r, size_t most, bool older)
{
    uint64_t at = atomic_load_explicit(&r->block_tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&r->block_head, memory_order_acquire);
    size_t n = 0, used = r->used;

    for (; at != head && n < most; at++, used = 0) {
        const struct playring_block *b = &r->blocks[at % PLAYRING_BLOCKS];
        if (older && !playring_older(b->generation, r->current))
            break;
        n += b->n - used;
    }
    return n < most ? n : most;
}

/* From here on the sound fades and ceases. */
static void fade_begin(struct playring *r, bool older)
{
    if (r->sounding) {
        r->fade = r->fade_left = front_samples(r, (size_t)r->hz * FADE_MS / 1000, older);
        r->fade_gain = r->gain;
    }
    r->sounding = false;
}

/* Goes on with the fade. Returns what was written. */
static size_t fade_out(struct playring *r, int16_t *out, size_t n)
{
    if (n > r->fade_left)
        n = r->fade_left;
    if (n == 0)
        return 0;
    copy_out(r, r->fade - r->fade_left, out, n);
    for (size_t i = 0; i < n; i++) {
        int64_t gain = (int64_t)r->fade_left-- * r->fade_gain;
        out[i] = (int16_t)(out[i] * gain / ((int64_t)(r->fade + 1) * UNITY));
    }
    return n;
}

static int32_t gain_wanted(const struct playring *r)
{
    int level = atomic_load_explicit(&r->level, memory_order_relaxed);

    return level == PLAYRING_DUCK ? DUCKED : UNITY;
}

static int32_t ramp(const struct playring *r, int ms)
{
    int32_t samples = (int32_t)((int64_t)r->hz * ms / 1000);

    return samples > 0 && samples < UNITY ? UNITY / samples : 1;
}

/* The generation has changed since the last read. */
static void cut(struct playring *r, int64_t out_ns)
{
    bool silent = r->held && r->inside && r->fade_left == 0;

    fade_begin(r, true);
    r->gain = gain_wanted(r);
    r->inside = false;
    atomic_store_explicit(&r->cut_ns, silent ? r->hold_ns : out_ns, memory_order_relaxed);
}

/* Obeys the level. */
static void hold(struct playring *r, int64_t out_ns)
{
    bool held = atomic_load_explicit(&r->level, memory_order_acquire) == PLAYRING_HOLD;

    if (held && !r->held) {
        if (r->sounding) {
            fade_begin(r, false);
            r->gain = 0;
        }
        r->hold_ns = out_ns + (int64_t)r->fade_left * 1000000000 / r->hz;
    }
    r->held = held;
}

static void apply_gain(struct playring *r, int16_t *x, size_t n)
{
    int32_t wanted = gain_wanted(r), down = ramp(r, FADE_MS), up = ramp(r, RISE_MS);

    for (size_t i = 0; i < n; i++) {
        if (r->gain == wanted && wanted == UNITY)
            return;
        if (r->gain < wanted)
            r->gain = wanted - r->gain > up ? r->gain + up : wanted;
        else
            r->gain = r->gain - wanted > down ? r->gain - down : wanted;
        x[i] = (int16_t)(x[i] * r->gain / UNITY);
    }
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
    copy_out(r, 0, out, now);
    apply_gain(r, out, now);
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
    hold(r, out_ns);
    done = fade_out(r, out, n);
    while (r->fade_left == 0 && (b = front(r)) != NULL) {
        if (playring_older(b->generation, r->current))
            pop(r);
        else if (!r->held && (done < n || b->n == 0))
            done += play(r, b, out + done, n - done, out_ns + (int64_t)done * 1000000000 / r->hz);
        else
            break;
    }
    if (done < n) {
        memset(out + done, 0, (n - done) * sizeof *out);
        r->sounding = false;
        if (r->inside && !r->held)
            atomic_fetch_add_explicit(&r->underruns, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&r->obeyed, r->current, memory_order_release);
}

bool playring_inside(const struct playring *r)
{
    return r->inside;
}

int playring_restart(struct playring *r, size_t samples, int hz)
{
    size_t size = size_for(samples);
    int16_t *data;

    if (size == 0 || hz <= 0)
        return -EINVAL;
    if (size > r->mask + 1) {
        data = calloc(size, sizeof *data);
        if (data == NULL)
            return -ENOMEM;
        free(r->data);
        r->data = data;
        r->mask = size - 1;
    }
    atomic_store(&r->tail, atomic_load(&r->head));
    atomic_store(&r->block_tail, atomic_load(&r->block_head));
    r->hz = hz;
    r->used = r->fade_left = 0;
    /* What goes on comes up softly. */
    r->gain = r->inside ? 0 : UNITY;
    r->sounding = r->held = false;
    return 0;
}
