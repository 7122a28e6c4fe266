#include "audio/playqueue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/resample.h"
#include "util/clock.h"

#define QUEUED_MAX ((size_t)64 << 20) /* samples waiting, 45 minutes at 24 kHz */
#define BLOCK_MAX  4096               /* device samples in a block, but at most 10 ms */
#define REMEMBERED 16                 /* ended items of which duplex_played still knows */

struct chunk {
    struct chunk *next;
    uint64_t from; /* of the item's samples */
    size_t n;
    int16_t x[];
};

struct item {
    struct item *next;
    uint32_t id, generation;

    /* Under the lock. */
    int rate_hz;                 /* 0 until the first samples */
    struct chunk *first, **last; /* what was not played yet, and a little more */
    struct chunk *feeding;       /* the one to feed from; NULL: all were fed */
    size_t used;                 /* samples of it that were fed */
    uint64_t length;             /* samples so far */
    size_t queued;               /* samples in the chunks */
    bool complete;               /* duplex_end was called */
    bool started, ended, flushed;
    bool told_start, told_end; /* to the control thread */
    int64_t started_ns, ended_ns;
    uint64_t start_news, end_news; /* their numbers */
    uint64_t played;               /* once ended */
    int slot;                      /* -1 while it is in none */

    /* The worker's. */
    struct resample *resample;
    uint64_t base;   /* sample with which the resampler began */
    uint64_t fed;    /* up to this sample it was fed */
    uint64_t made;   /* device samples written to the ring since `base` */
    uint64_t passed; /* up to this sample those stand for the item's */
    size_t tail;     /* zeros that the resampler still gets at the end */
    bool fed_last;
};

struct playqueue {
    pthread_mutex_t lock;
    struct playring *ring;
    int hz;
    struct item *first, **last; /* rising; changed under the lock */
    uint32_t newest;            /* id of the last item that was begun */
    size_t queued;              /* samples in all chunks, under the lock */
    struct item *slots[PLAYRING_ITEMS];
    uint32_t next_slot; /* the worker's */
};

int playqueue_new(struct playqueue **out, struct playring *ring, int hz)
{
    struct playqueue *q = calloc(1, sizeof *q);

    *out = q;
    if (q == NULL)
        return -ENOMEM;
    pthread_mutex_init(&q->lock, NULL);
    q->ring = ring;
    q->hz = hz;
    q->last = &q->first;
    return 0;
}

static void drop_chunks(struct playqueue *q, struct item *it)
{
    while (it->first != NULL) {
        struct chunk *c = it->first;
        it->first = c->next;
        free(c);
    }
    it->last = &it->first;
    it->feeding = NULL;
    q->queued -= it->queued;
    it->queued = 0;
}

static void item_free(struct playqueue *q, struct item *it)
{
    drop_chunks(q, it);
    resample_free(it->resample);
    free(it);
}

void playqueue_free(struct playqueue *q)
{
    if (q == NULL)
        return;
    while (q->first != NULL) {
        struct item *it = q->first;
        q->first = it->next;
        item_free(q, it);
    }
    pthread_mutex_destroy(&q->lock);
    free(q);
}

/* --- control thread. All static functions here want the lock. */

static struct item *find(struct playqueue *q, uint32_t id)
{
    for (struct item *it = q->first; it != NULL; it = it->next)
        if (it->id == id)
            return it;
    return NULL;
}

/* The item to append to: *out is NULL, with 0, when what is appended is to be dropped. */
static int item_open(struct item **out, struct playqueue *q, uint32_t id)
{
    struct item *it = find(q, id);

    *out = NULL;
    if (id == 0)
        return -EINVAL;
    if (it == NULL && id <= q->newest)
        return 0;
    if (it == NULL) {
        it = calloc(1, sizeof *it);
        if (it == NULL)
            return -ENOMEM;
        it->id = id;
        it->generation = playring_generation(q->ring);
        it->last = &it->first;
        it->slot = -1;
        *q->last = it;
        q->last = &it->next;
        q->newest = id;
    } else if (it->ended || playring_older(it->generation, playring_generation(q->ring))) {
        return 0;
    } else if (it->complete) {
        return -EINVAL;
    }
    *out = it;
    return 0;
}

static int append(struct playqueue *q, struct item *it, int rate_hz, const int16_t *x, size_t n)
{
    struct chunk *c;
    int rc;

    if (it->rate_hz != 0 && it->rate_hz != rate_hz)
        return -EINVAL;
    if (n > QUEUED_MAX - q->queued)
        return -ENOMEM;
    if (it->resample == NULL) {
        rc = resample_new(&it->resample, rate_hz, q->hz);
        if (rc < 0)
            return rc;
        it->tail = resample_tail(it->resample);
        it->rate_hz = rate_hz;
    }
    if (n == 0)
        return 0;
    c = malloc(sizeof *c + n * sizeof *x);
    if (c == NULL)
        return -ENOMEM;
    c->next = NULL;
    c->from = it->length;
    c->n = n;
    memcpy(c->x, x, n * sizeof *x);
    *it->last = c;
    it->last = &c->next;
    if (it->feeding == NULL) {
        it->feeding = c;
        it->used = 0;
    }
    it->length += n;
    it->queued += n;
    q->queued += n;
    return 0;
}

int playqueue_play(struct playqueue *q, uint32_t item, int rate_hz, const int16_t *x, size_t n)
{
    struct item *it;
    int rc;

    pthread_mutex_lock(&q->lock);
    rc = item_open(&it, q, item);
    if (it != NULL)
        rc = append(q, it, rate_hz, x, n);
    pthread_mutex_unlock(&q->lock);
    return rc;
}

int playqueue_end(struct playqueue *q, uint32_t item)
{
    struct item *it;
    int rc;

    pthread_mutex_lock(&q->lock);
    rc = item_open(&it, q, item);
    if (it != NULL)
        it->complete = true;
    pthread_mutex_unlock(&q->lock);
    return rc;
}

static bool item_news(struct item *it, struct duplex_event *ev, uint64_t before)
{
    if (it->started && !it->told_start && it->start_news < before) {
        it->told_start = true;
        *ev = (struct duplex_event){.type = DUPLEX_STARTED, .at_ns = it->started_ns};
    } else if (it->ended && !it->told_end && it->end_news < before) {
        it->told_end = true;
        *ev = (struct duplex_event){.type = DUPLEX_ENDED,
                                    .played = it->played,
                                    .at_ns = it->ended_ns,
                                    .flushed = it->flushed};
    } else {
        return false;
    }
    ev->item = it->id;
    return true;
}

bool playqueue_poll(struct playqueue *q, struct duplex_event *ev, uint64_t before)
{
    bool any = false;

    pthread_mutex_lock(&q->lock);
    for (struct item *it = q->first; it != NULL && !any; it = it->next)
        any = item_news(it, ev, before);
    pthread_mutex_unlock(&q->lock);
    return any;
}

uint64_t playqueue_played(struct playqueue *q, uint32_t item)
{
    uint64_t played = 0;
    struct item *it;

    pthread_mutex_lock(&q->lock);
    it = find(q, item);
    if (it != NULL && it->ended)
        played = it->played;
    else if (it != NULL && it->slot >= 0)
        played = playring_played(q->ring, (uint32_t)it->slot);
    pthread_mutex_unlock(&q->lock);
    return played;
}

/* --- worker */

/* Device samples that stand for n samples of the item. */
static uint64_t device_samples(const struct playqueue *q, const struct item *it, uint64_t n)
{
    return (n * (uint64_t)q->hz + (uint64_t)it->rate_hz - 1) / (uint64_t)it->rate_hz;
}

/* The samples to resample next. Chunks are freed by the worker alone, so *x stays valid without the
 * lock. *complete: nothing will follow them. */
static size_t peek(struct playqueue *q, struct item *it, const int16_t **x, bool *complete)
{
    size_t n = 0;

    pthread_mutex_lock(&q->lock);
    if (it->feeding != NULL) {
        *x = it->feeding->x + it->used;
        n = it->feeding->n - it->used;
    }
    *complete = it->complete && n == 0;
    pthread_mutex_unlock(&q->lock);
    return n;
}

/* With the lock: frees the chunks that were played. The others are kept for another device. */
static void drop_played(struct playqueue *q, struct item *it, uint64_t played)
{
    while (it->first != NULL && it->first != it->feeding &&
           it->first->from + it->first->n <= played) {
        struct chunk *c = it->first;
        it->first = c->next;
        if (it->first == NULL)
            it->last = &it->first;
        it->queued -= c->n;
        q->queued -= c->n;
        free(c);
    }
}

static void take(struct playqueue *q, struct item *it, size_t n)
{
    pthread_mutex_lock(&q->lock);
    it->used += n;
    if (it->used == it->feeding->n) {
        it->feeding = it->feeding->next;
        it->used = 0;
    }
    drop_played(q, it, playring_played(q->ring, (uint32_t)it->slot));
    pthread_mutex_unlock(&q->lock);
    it->fed += n;
}

/* Feeds the resampler silence at the end of the item. Returns the device samples it made. */
static size_t drain(struct item *it, int16_t *y, size_t max)
{
    static const int16_t zeros[64];
    size_t done = 0;

    while (done < max && it->tail > 0) {
        size_t n = it->tail < 64 ? it->tail : 64, m = max - done;
        resample_run(it->resample, zeros, &n, y + done, &m);
        if (n == 0 && m == 0)
            break;
        it->tail -= n;
        done += m;
    }
    return done;
}

/* Makes the next block of `it` in b and y[0..max). False when there is nothing to write yet. */
static bool make_block(struct playqueue *q, struct item *it, struct playring_block *b, int16_t *y,
                       size_t max)
{
    bool complete = false;
    uint64_t all;

    while (b->n < max && !complete) {
        const int16_t *x = NULL;
        size_t n = peek(q, it, &x, &complete), m = max - b->n;
        if (n == 0)
            break;
        resample_run(it->resample, x, &n, y + b->n, &m);
        if (n == 0 && m == 0)
            break;
        take(q, it, n);
        b->n += m;
    }
    if (b->n == 0 && !complete)
        return false;
    b->from = it->passed;
    b->first = it->base + it->made == 0;
    if (complete) {
        /* Exactly as long as the item: the resampler's last samples, and none beyond them. */
        all = it->rate_hz > 0 ? device_samples(q, it, it->fed - it->base) : 0;
        b->n += drain(it, y + b->n, max - b->n);
        if (it->made + b->n > all)
            b->n = (size_t)(all - it->made);
        b->last = it->made + b->n == all || it->tail == 0;
    }
    it->made += b->n;
    it->passed = b->last ? it->fed : it->base + it->made * (uint64_t)it->rate_hz / (uint64_t)q->hz;
    if (it->passed > it->fed)
        it->passed = it->fed;
    b->to = it->passed;
    return true;
}

/* The item to feed, which has a slot; NULL when there is none or all slots are taken. */
static struct item *item_to_feed(struct playqueue *q)
{
    uint32_t generation = playring_generation(q->ring);
    struct item *it;

    pthread_mutex_lock(&q->lock);
    for (it = q->first; it != NULL; it = it->next)
        if (!it->ended && !it->fed_last && !playring_older(it->generation, generation))
            break;
    if (it != NULL && it->slot < 0) {
        uint32_t slot = q->next_slot % PLAYRING_ITEMS;
        if (q->slots[slot] == NULL) {
            playring_begin(q->ring, slot);
            q->slots[slot] = it;
            q->next_slot++;
            it->slot = (int)slot;
        } else {
            it = NULL;
        }
    }
    pthread_mutex_unlock(&q->lock);
    return it;
}

void playqueue_feed(struct playqueue *q, size_t ahead)
{
    int16_t y[BLOCK_MAX];
    size_t most = (size_t)q->hz / 100 + 1;
    struct item *it;

    if (most > BLOCK_MAX)
        most = BLOCK_MAX;
    while (playring_waiting(q->ring) < ahead && playring_room(q->ring) >= most &&
           (it = item_to_feed(q)) != NULL) {
        struct playring_block b = {.generation = it->generation, .slot = (uint32_t)it->slot};
        if (!make_block(q, it, &b, y, most))
            return;
        it->fed_last = b.last;
        playring_write(q->ring, &b, y);
    }
}

/* With the lock. */
static void item_ended(struct playqueue *q, struct item *it, int64_t at_ns, bool flushed,
                       uint64_t news)
{
    it->ended = true;
    it->end_news = news;
    it->ended_ns = at_ns;
    it->flushed = flushed;
    if (it->slot >= 0) {
        it->played = playring_played(q->ring, (uint32_t)it->slot);
        q->slots[it->slot] = NULL;
        it->slot = -1;
    }
    drop_chunks(q, it);
}

/* With the lock: forgets the oldest items that are over and told. */
static void forget(struct playqueue *q)
{
    size_t n = 0;

    for (struct item *it = q->first; it != NULL; it = it->next)
        n++;
    for (; n > REMEMBERED && q->first->told_end; n--) {
        struct item *it = q->first;
        q->first = it->next;
        if (q->first == NULL)
            q->last = &q->first;
        item_free(q, it);
    }
}

bool playqueue_settle(struct playqueue *q, uint64_t *news)
{
    struct playring_event ev;
    int64_t cut_ns;
    uint32_t obeyed;
    uint64_t before = *news;

    pthread_mutex_lock(&q->lock);
    /* In this order: once a generation is obeyed, its last events are there. */
    obeyed = playring_obeyed(q->ring, &cut_ns);
    while (playring_event(q->ring, &ev)) {
        struct item *it = q->slots[ev.slot];
        if (it == NULL)
            continue; /* it could not be played on another device */
        if (ev.ended) {
            item_ended(q, it, ev.at_ns, false, (*news)++);
        } else if (!it->started) {
            it->started = true;
            it->started_ns = ev.at_ns;
            it->start_news = (*news)++;
        }
    }
    for (struct item *it = q->first; it != NULL; it = it->next)
        if (!it->ended && playring_older(it->generation, obeyed))
            item_ended(q, it, cut_ns, true, (*news)++);
    forget(q);
    pthread_mutex_unlock(&q->lock);
    return *news != before;
}

uint32_t playqueue_playing(struct playqueue *q)
{
    uint32_t generation = playring_generation(q->ring), id = 0;

    pthread_mutex_lock(&q->lock);
    for (struct item *it = q->first; it != NULL && id == 0; it = it->next)
        if (!it->ended && it->slot >= 0 && !playring_older(it->generation, generation))
            id = it->id;
    pthread_mutex_unlock(&q->lock);
    return id;
}

double playqueue_ready_ms(struct playqueue *q)
{
    uint32_t generation = playring_generation(q->ring);
    double ms = -1;

    pthread_mutex_lock(&q->lock);
    for (struct item *it = q->first; it != NULL && ms < 0; it = it->next)
        if (!it->ended && !it->complete && it->slot >= 0 && it->base + it->made > 0 &&
            !playring_older(it->generation, generation))
            ms = (double)(it->length - it->fed) * 1000 / it->rate_hz;
    pthread_mutex_unlock(&q->lock);
    return ms;
}

double playqueue_fresh_ms(struct playqueue *q)
{
    uint32_t generation = playring_generation(q->ring);
    const struct item *it;
    double ms = -1;

    pthread_mutex_lock(&q->lock);
    for (it = q->first; it != NULL; it = it->next)
        if (!it->ended && !playring_older(it->generation, generation))
            break;
    if (it != NULL && !it->complete && it->base + it->made == 0 && it->rate_hz > 0)
        ms = (double)it->length * 1000 / it->rate_hz;
    pthread_mutex_unlock(&q->lock);
    return ms;
}

/* With the lock: back to what was played of the item. */
static int rewind_item(struct playqueue *q, struct item *it)
{
    int rc;

    it->fed_last = false;
    it->made = 0;
    if (it->rate_hz == 0)
        return 0;
    resample_free(it->resample);
    rc = resample_new(&it->resample, it->rate_hz, q->hz);
    if (rc < 0)
        return rc;
    it->tail = resample_tail(it->resample);
    it->base = it->slot >= 0 ? playring_played(q->ring, (uint32_t)it->slot) : 0;
    it->fed = it->passed = it->base;
    it->feeding = it->first;
    while (it->feeding != NULL && it->feeding->from + it->feeding->n <= it->base)
        it->feeding = it->feeding->next;
    it->used = it->feeding != NULL ? (size_t)(it->base - it->feeding->from) : 0;
    return 0;
}

int playqueue_restart(struct playqueue *q, size_t samples, int hz)
{
    int rc = playring_restart(q->ring, samples, hz);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&q->lock);
    q->hz = hz;
    for (struct item *it = q->first; it != NULL; it = it->next) {
        int trouble = it->ended ? 0 : rewind_item(q, it);
        if (trouble == 0)
            continue;
        rc = trouble;
        item_ended(q, it, clock_ns(), true, 0);
    }
    pthread_mutex_unlock(&q->lock);
    return rc;
}
