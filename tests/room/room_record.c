#include "room_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FRAMES   ((uint64_t)1 << 20)
#define EVENTS   ((uint64_t)1 << 10)
#define CHANNELS 3
#define HEADER   44
#define WAKE_US  10000

struct event {
    enum room_event event;
    uint64_t at;
    int detail;
};

struct room_record {
    int wav, events; /* -1: not written */
    int rate_hz;
    void (*idle)(void *user);
    void *user;
    pthread_t thread;
    atomic_bool stop;
    _Atomic int64_t clock_ns; /* of sample 0; 0 before that */
    bool told_clock;
    int16_t (*frame)[CHANNELS]; /* a ring, as is event; head: written, tail: read */
    _Atomic uint64_t head, tail;
    struct event event[EVENTS];
    _Atomic uint64_t event_head, event_tail;
};

static void write_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    ssize_t got;

    while (n > 0) {
        got = write(fd, p, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return; /* a full disk: the recording ends here */
        p += got;
        n -= (size_t)got;
    }
}

static void put(unsigned char *p, uint64_t x, int bytes)
{
    for (; bytes > 0; bytes--, x >>= 8)
        *p++ = (unsigned char)x;
}

static void write_header(const struct room_record *r)
{
    unsigned char h[HEADER] = "RIFF....WAVEfmt ";
    uint64_t bytes = atomic_load(&r->tail) * CHANNELS * 2;
    ssize_t ignored;

    put(h + 4, bytes + HEADER - 8, 4);
    put(h + 16, 16, 4);
    put(h + 20, 1, 2);
    put(h + 22, CHANNELS, 2);
    put(h + 24, (uint64_t)r->rate_hz, 4);
    put(h + 28, (uint64_t)r->rate_hz * CHANNELS * 2, 4);
    put(h + 32, CHANNELS * 2, 2);
    put(h + 34, 16, 2);
    memcpy(h + 36, "data", 4);
    put(h + 40, bytes, 4);
    ignored = pwrite(r->wav, h, sizeof h, 0);
    (void)ignored;
}

static void write_samples(struct room_record *r)
{
    uint64_t head = atomic_load(&r->head), tail = atomic_load(&r->tail), n;

    if (head == tail)
        return;
    while (tail < head) {
        n = FRAMES - (tail & (FRAMES - 1));
        if (n > head - tail)
            n = head - tail;
        if (r->wav >= 0)
            write_all(r->wav, r->frame[tail & (FRAMES - 1)], n * sizeof r->frame[0]);
        tail += n;
        atomic_store(&r->tail, tail);
    }
    if (r->wav >= 0)
        write_header(r);
}

static const struct {
    const char *name, *detail; /* detail NULL: a direction, "": none */
} event_names[] = {
    [ROOM_SPEAKER_ON] = {"speaker_on", ""},
    [ROOM_SPEAKER_OFF] = {"speaker_off", ""},
    [ROOM_USER_START] = {"user_start", "user"},
    [ROOM_USER_END] = {"user_end", "user"},
    [ROOM_ECHO] = {"echo", "path"},
    [ROOM_STREAM_START] = {"start", NULL},
    [ROOM_STREAM_STOP] = {"stop", NULL},
    [ROOM_XRUN] = {"xrun", NULL},
    [ROOM_XRUN_FORCED] = {"xrun_forced", NULL},
    [ROOM_LOST] = {"lost", ""},
    [ROOM_BACK] = {"back", ""},
    [ROOM_STALL] = {"stall", ""},
};

static void write_event(const struct room_record *r, const struct event *e)
{
    const char *detail = event_names[e->event].detail;
    char line[160];
    int n;

    n = snprintf(line, sizeof line, "{\"event\":\"%s\",\"at\":%" PRIu64, event_names[e->event].name,
                 e->at);
    if (detail == NULL)
        n += snprintf(line + n, sizeof line - (size_t)n, ",\"direction\":\"%s\"",
                      e->detail == ROOM_CAPTURE ? "capture" : "playback");
    else if (*detail != '\0')
        n += snprintf(line + n, sizeof line - (size_t)n, ",\"%s\":%d", detail, e->detail);
    n += snprintf(line + n, sizeof line - (size_t)n, "}\n");
    write_all(r->events, line, (size_t)n);
}

static void write_events(struct room_record *r)
{
    int64_t clock_ns = atomic_load(&r->clock_ns);
    uint64_t tail = atomic_load(&r->event_tail);
    char line[160];
    int n;

    if (clock_ns != 0 && !r->told_clock) {
        n = snprintf(line, sizeof line,
                     "{\"event\":\"open\",\"at\":0,\"clock_ns\":%" PRId64 ",\"rate\":%d}\n",
                     clock_ns, r->rate_hz);
        if (r->events >= 0)
            write_all(r->events, line, (size_t)n);
        r->told_clock = true;
    }
    for (; tail < atomic_load(&r->event_head); atomic_store(&r->event_tail, ++tail))
        if (r->events >= 0)
            write_event(r, &r->event[tail & (EVENTS - 1)]);
}

/* Samples first: whoever reads an event finds the samples up to it in the file. */
static void *writer(void *arg)
{
    struct room_record *r = arg;
    bool last;

    do {
        last = atomic_load(&r->stop);
        if (r->idle != NULL && !last)
            r->idle(r->user);
        write_samples(r);
        write_events(r);
        if (!last)
            usleep(WAKE_US);
    } while (!last);
    return NULL;
}

/* A file of its own: who records in a room holds a lock on it. */
static int open_file(int *fd, const char *file, char *why, size_t size)
{
    int ret = 0;

    *fd = -1;
    if (*file == '\0')
        return 0;
    *fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0)
        ret = -errno;
    else if (flock(*fd, LOCK_EX | LOCK_NB) < 0)
        ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
    else if (ftruncate(*fd, 0) < 0)
        ret = -errno;
    if (ret < 0)
        snprintf(why, size, "cannot write '%s': %s", file, strerror(-ret));
    return ret;
}

static int start_writer(struct room_record *r)
{
    sigset_t all, before;
    int ret;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the program's signals are not ours */
    ret = -pthread_create(&r->thread, NULL, writer, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ret;
}

static void close_files(struct room_record *r)
{
    if (r->wav >= 0)
        close(r->wav);
    if (r->events >= 0)
        close(r->events);
    free(r->frame);
    free(r);
}

int room_record_new(struct room_record **out, const char *wav, const char *events, int rate_hz,
                    void (*idle)(void *user), void *user, char *why, size_t size)
{
    struct room_record *r = calloc(1, sizeof *r);
    int ret = -ENOMEM;

    *out = NULL;
    snprintf(why, size, "out of memory");
    if (r == NULL)
        return ret;
    r->rate_hz = rate_hz;
    r->idle = idle;
    r->user = user;
    r->wav = r->events = -1;
    r->frame = calloc(FRAMES, sizeof r->frame[0]);
    if (r->frame != NULL)
        ret = open_file(&r->wav, wav, why, size);
    if (ret == 0)
        ret = open_file(&r->events, events, why, size);
    if (ret == 0 && r->wav >= 0) {
        write_header(r);
        lseek(r->wav, HEADER, SEEK_SET);
    }
    if (ret == 0)
        ret = start_writer(r);
    if (ret < 0) {
        close_files(r);
        return ret;
    }
    *out = r;
    return 0;
}

void room_record_open(struct room_record *r, int64_t clock_ns)
{
    atomic_store(&r->clock_ns, clock_ns);
}

void room_record_samples(struct room_record *r, int16_t speaker, int16_t mic, int16_t said)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    int16_t *frame = r->frame[head & (FRAMES - 1)];

    while (head - atomic_load_explicit(&r->tail, memory_order_acquire) >= FRAMES)
        usleep(1000);
    frame[0] = speaker;
    frame[1] = mic;
    frame[2] = said;
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

void room_record_event(struct room_record *r, enum room_event event, uint64_t at, int detail)
{
    uint64_t head = atomic_load(&r->event_head);

    if (head - atomic_load(&r->event_tail) >= EVENTS)
        return; /* a thousand events in 10 ms: the first ones tell */
    r->event[head & (EVENTS - 1)] = (struct event){event, at, detail};
    atomic_store(&r->event_head, head + 1);
}

void room_record_free(struct room_record *r)
{
    if (r == NULL)
        return;
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    close_files(r);
}
