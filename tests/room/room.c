#include "room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define IDLE_NS     100000000 /* with no stream to let time pass for this long, the writer does */
#define IDLE_STEPS  50        /* a second, and then the writer writes before it goes on */
#define TOGETHER_NS 3000000   /* so far apart may the starts be that are meant to be one */

/* State at file scope: PortAudio opens the two directions by name, each by itself, and this is the
 * only place where they can meet. */
static pthread_mutex_t the_lock = PTHREAD_MUTEX_INITIALIZER;
static struct room *the_room;

int64_t room_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double room_speed(const struct room *r, int direction)
{
    return r->knobs.rate_hz * (direction == ROOM_PLAYBACK ? 1 + r->knobs.drift_ppm * 1e-6 : 1.0) *
           1e-9;
}

/* Samples that the clock of this direction has counted at that time. */
uint64_t room_clock(const struct room *r, int direction, int64_t ns)
{
    return (uint64_t)((double)(ns - r->clock_ns) * room_speed(r, direction));
}

static int64_t since_open_ms(const struct room *r, int64_t ns)
{
    return r->clock_ns == 0 ? -1 : (ns - r->clock_ns) / 1000000;
}

void room_event(struct room *r, enum room_event e, int detail)
{
    room_record_event(r->record, e,
                      r->clock_ns == 0 ? 0 : room_clock(r, ROOM_CAPTURE, room_now_ns()), detail);
}

void room_advance(struct room *r, int64_t ns)
{
    r->advanced_ns = ns;
    room_air_advance(r->air, room_clock(r, ROOM_CAPTURE, ns));
}

static void on_samples(void *user, int16_t speaker, int16_t mic, int16_t said)
{
    struct room *r = user;

    room_record_samples(r->record, speaker, mic, said);
}

static void on_event(void *user, enum room_event e, uint64_t at, int detail)
{
    struct room *r = user;

    room_record_event(r->record, e, at, detail);
}

bool room_is_lost(struct room *r, int64_t ns)
{
    int64_t ms = since_open_ms(r, ns);
    bool lost = r->knobs.lost_ms >= 0 && ms >= r->knobs.lost_ms;
    bool back = lost && r->knobs.back_ms >= 0 && ms >= r->knobs.back_ms;

    if (lost && !r->told_lost)
        room_event(r, ROOM_LOST, 0);
    r->told_lost |= lost;
    if (back && !r->told_back)
        room_event(r, ROOM_BACK, 0);
    r->told_back |= back;
    return lost && !back;
}

/* A stalled card stands still, without an error, and then goes on where it would have been. */
bool room_is_stalled(struct room *r, int64_t ns)
{
    int64_t ms = since_open_ms(r, ns);
    bool stalled = r->knobs.stall_ms >= 0 && ms >= r->knobs.stall_ms &&
                   ms < (int64_t)r->knobs.stall_ms + r->knobs.stall_for_ms;

    if (stalled && !r->told_stall)
        room_event(r, ROOM_STALL, 0);
    r->told_stall |= stalled;
    return stalled;
}

/* Writer thread: time passes in the room when no stream runs, too; never in the way of one. */
static void on_idle(void *user)
{
    struct room *r = user;
    int64_t now = room_now_ns();
    int i;

    if (pthread_mutex_trylock(&r->lock) != 0)
        return;
    for (i = 0; i < IDLE_STEPS && r->clock_ns != 0 && now - r->advanced_ns > IDLE_NS; i++)
        room_advance(r, r->advanced_ns + IDLE_NS / 5);
    (void)room_is_lost(r, now); /* for the event */
    pthread_mutex_unlock(&r->lock);
}

static int room_new(struct room **out, char *why, size_t size)
{
    struct room *r = calloc(1, sizeof *r);
    int ret;

    *out = NULL;
    snprintf(why, size, "out of memory");
    if (r == NULL)
        return -ENOMEM;
    r->pid = getpid();
    r->sink = (struct room_sink){on_samples, on_event, r};
    pthread_mutex_init(&r->lock, NULL);
    ret = room_knobs_load(&r->knobs, getenv("ROOM_KNOBS"), why, size);
    if (ret == 0)
        ret = room_air_new(&r->air, &r->knobs, &r->sink, why, size);
    if (ret == 0)
        ret = room_record_new(&r->record, r->knobs.record, r->knobs.events, r->knobs.rate_hz,
                              on_idle, r, why, size);
    if (ret < 0) {
        room_air_free(r->air);
        pthread_mutex_destroy(&r->lock);
        free(r);
        return ret;
    }
    *out = r;
    return 0;
}

/* The process is over: bring the files up to its last moment. A stream's thread may still run, so
 * nothing that it could touch is freed. */
static void __attribute__((destructor)) finish(void)
{
    struct room *r = the_room;
    struct timespec patience;

    if (r == NULL || r->pid != getpid())
        return;
    clock_gettime(CLOCK_REALTIME, &patience);
    patience.tv_sec += 1;
    if (pthread_mutex_timedlock(&r->lock, &patience) == 0) {
        if (r->clock_ns != 0)
            room_advance(r, room_now_ns());
        room_record_free(r->record); /* the lock is kept: nobody gets at it again */
    }
}

int room_join(struct room **out, int direction)
{
    char why[ROOM_PATH + 256] = "";
    int ret = 0;

    pthread_mutex_lock(&the_lock);
    if (the_room == NULL)
        ret = room_new(&the_room, why, sizeof why);
    *out = the_room;
    if (ret < 0) {
        fprintf(stderr, "room: %s\n", why);
    } else {
        pthread_mutex_lock(&the_room->lock);
        if (room_is_lost(the_room, room_now_ns()))
            ret = -ENODEV;
        else if (the_room->open[direction] || the_room->knobs.busy[direction])
            ret = -EBUSY;
        else
            the_room->open[direction] = true;
        pthread_mutex_unlock(&the_room->lock);
    }
    pthread_mutex_unlock(&the_lock);
    return ret;
}

void room_open(struct room *r, int64_t ns)
{
    if (r->clock_ns != 0)
        return;
    r->clock_ns = r->advanced_ns = ns;
    room_record_open(r->record, ns);
}

int64_t room_start_ns(struct room *r, int direction, int64_t ns)
{
    int64_t other = r->started_ns[direction == ROOM_CAPTURE ? ROOM_PLAYBACK : ROOM_CAPTURE];

    if (other != 0 && ns - other < TOGETHER_NS)
        ns = other;
    r->started_ns[direction] = ns;
    return ns;
}

int64_t room_stall_end_ns(const struct room *r)
{
    return r->clock_ns + ((int64_t)r->knobs.stall_ms + (int64_t)r->knobs.stall_for_ms) * 1000000;
}

bool room_take_xrun(struct room *r, int direction, int64_t ns)
{
    const struct room_times *t = &r->knobs.xruns[direction];
    int *done = &r->xruns_done[direction];

    if (*done >= t->n || since_open_ms(r, ns) < t->ms[*done])
        return false;
    (*done)++;
    return true;
}
