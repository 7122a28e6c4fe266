/* pcm_room - the virtual room as a sound card: an ALSA ioplug PCM. README.md says how to use it.
 *
 * All handles of a process join one room. Its clock is CLOCK_MONOTONIC: sample n of the microphone
 * is heard at clock_ns + n / rate, whether somebody listens or not; the room opens (sample 0) when
 * the first stream starts. The position of a stream is computed, never counted, so it is exact
 * under any load. */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "room.h"

#define CHUNK   1024
#define PREFILL 65536 /* frames, the largest buffer */

struct stream {
    snd_pcm_ioplug_t io;
    struct room *room;
    int direction;
    bool running;
    bool xrun;               /* until the next prepare */
    bool lost;               /* this handle saw the device go: it stays dead */
    uint64_t base;           /* the sample of this direction's clock at which it started */
    snd_pcm_uframes_t stood; /* position when it last stopped */
    snd_pcm_uframes_t avail_min, stop_threshold;
    int16_t prefill[PREFILL]; /* written before the start */
};

static void disarm(struct stream *s)
{
    struct itimerspec never = {{0, 0}, {0, 0}};

    timerfd_settime(s->io.poll_fd, 0, &never, NULL);
}

/* Ticks each half period, just after the clock has passed it. */
static void arm(struct stream *s)
{
    double half = (double)(s->io.period_size + 1) / 2, rate = room_speed(s->room, s->direction);
    int64_t every, first;
    struct itimerspec t;

    if (s->io.period_size % 2 == 0)
        half = (double)s->io.period_size / 2;
    every = (int64_t)ceil(half / rate);
    first = s->room->clock_ns + (int64_t)ceil(((double)s->base + half) / rate) + 1000;
    t.it_interval = (struct timespec){every / 1000000000, every % 1000000000};
    t.it_value = (struct timespec){first / 1000000000, first % 1000000000};
    timerfd_settime(s->io.poll_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static void halt(struct stream *s, int64_t ns)
{
    struct room *r = s->room;

    if (!s->running)
        return;
    room_advance(r, ns);
    if (s->direction == ROOM_PLAYBACK)
        room_air_cut(r->air, room_clock(r, ROOM_PLAYBACK, ns));
    s->running = false;
    r->started_ns[s->direction] = 0;
    room_event(r, ROOM_STREAM_STOP, s->direction);
}

/* How far the card has come in this stream, where it runs. */
static snd_pcm_uframes_t position(struct stream *s, int64_t ns)
{
    struct room *r = s->room;
    snd_pcm_uframes_t at;

    if (!s->running)
        return s->stood;
    if (room_is_stalled(r, ns))
        ns = r->clock_ns + (int64_t)r->knobs.stall_ms * 1000000;
    at = room_clock(r, s->direction, ns) - s->base;
    if (room_clock(r, s->direction, ns) < s->base || at < s->stood)
        at = s->stood; /* it started within the stall */
    if (s->io.state == SND_PCM_STATE_DRAINING && s->direction == ROOM_PLAYBACK &&
        at > s->io.appl_ptr)
        at = s->io.appl_ptr;
    return at;
}

/* Frames that the program may read or write, given the position. */
static snd_pcm_sframes_t available(const struct stream *s, snd_pcm_uframes_t at)
{
    snd_pcm_sframes_t ahead = (snd_pcm_sframes_t)at - (snd_pcm_sframes_t)s->io.appl_ptr;

    return s->direction == ROOM_PLAYBACK ? ahead + (snd_pcm_sframes_t)s->io.buffer_size : ahead;
}

/* Has this stream run over or dry, by itself or on demand? */
static bool check_xrun(struct stream *s, snd_pcm_uframes_t at, int64_t ns)
{
    snd_pcm_sframes_t threshold =
        s->stop_threshold > LONG_MAX ? LONG_MAX : (snd_pcm_sframes_t)s->stop_threshold;
    bool forced;

    if (s->xrun || !s->running || s->io.state != SND_PCM_STATE_RUNNING)
        return s->xrun;
    forced = room_take_xrun(s->room, s->direction, ns);
    if (!forced && available(s, at) < threshold)
        return false;
    room_event(s->room, forced ? ROOM_XRUN_FORCED : ROOM_XRUN, s->direction);
    s->stood = at;
    s->xrun = true;
    halt(s, ns);
    return true;
}

/* Has the device gone? ALSA's state says so from then on, and its calls return -ENODEV. */
static bool check_lost(struct stream *s, int64_t ns)
{
    if (!s->lost && room_is_lost(s->room, ns)) {
        s->lost = true;
        s->stood = position(s, ns);
        halt(s, ns);
    }
    if (s->lost)
        snd_pcm_ioplug_set_state(&s->io, SND_PCM_STATE_DISCONNECTED);
    return s->lost;
}

static int room_start(snd_pcm_ioplug_t *io)
{
    struct stream *s = io->private_data;
    struct room *r = s->room;
    int64_t now;
    int ret = 0;

    pthread_mutex_lock(&r->lock);
    now = room_now_ns();
    room_open(r, now);
    if (check_lost(s, now)) {
        ret = -ENODEV;
    } else {
        s->base = room_clock(r, s->direction, room_start_ns(r, s->direction, now));
        s->running = true;
        s->stood = 0;
        room_event(r, ROOM_STREAM_START, s->direction);
        if (s->direction == ROOM_PLAYBACK)
            room_air_play(r->air, s->base, s->prefill,
                          s->io.appl_ptr < PREFILL ? s->io.appl_ptr : PREFILL);
        arm(s);
    }
    pthread_mutex_unlock(&r->lock);
    return ret;
}

static int room_stop(snd_pcm_ioplug_t *io)
{
    struct stream *s = io->private_data;
    int64_t now = room_now_ns();

    pthread_mutex_lock(&s->room->lock);
    s->stood = position(s, now);
    halt(s, now);
    disarm(s);
    pthread_mutex_unlock(&s->room->lock);
    return 0;
}

static snd_pcm_sframes_t room_pointer(snd_pcm_ioplug_t *io)
{
    struct stream *s = io->private_data;
    int64_t now = room_now_ns();
    snd_pcm_uframes_t at;
    bool xrun = false;

    pthread_mutex_lock(&s->room->lock);
    at = position(s, now);
    if (check_lost(s, now))
        at = s->stood;
    else
        xrun = check_xrun(s, at, now);
    pthread_mutex_unlock(&s->room->lock);
    return xrun ? -EPIPE : (snd_pcm_sframes_t)at;
}

static int16_t *sample(const snd_pcm_channel_area_t *area, snd_pcm_uframes_t at)
{
    return (int16_t *)(void *)((char *)area->addr + (area->first + area->step * at) / 8);
}

/* The speaker is one: it sounds the mean of its channels. Before the start nobody knows when these
 * samples will sound: they wait. */
static void play(struct stream *s, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
                 snd_pcm_uframes_t size)
{
    int channels = (int)s->io.channels, c, sum;
    snd_pcm_uframes_t done, i, n;
    int16_t x[CHUNK];

    for (done = 0; done < size; done += n) {
        n = size - done < CHUNK ? size - done : CHUNK;
        for (i = 0; i < n; i++) {
            for (c = 0, sum = 0; c < channels; c++)
                sum += *sample(&areas[c], offset + done + i);
            x[i] = (int16_t)(sum / channels);
        }
        if (s->running)
            room_air_play(s->room->air, s->base + s->io.appl_ptr + done, x, n);
        else if (s->io.appl_ptr + done + n <= PREFILL)
            memcpy(s->prefill + s->io.appl_ptr + done, x, n * sizeof *x);
    }
}

/* The position is io->appl_ptr: ALSA fetches the same samples again and again where a conversion
 * plugin sits on top, and a count of our own would run ahead into the future. */
static void hear(struct stream *s, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
                 snd_pcm_uframes_t size)
{
    unsigned int c;
    snd_pcm_uframes_t done, i, n;
    int16_t x[CHUNK];

    for (done = 0; done < size; done += n) {
        n = size - done < CHUNK ? size - done : CHUNK;
        room_air_heard(s->room->air, s->base + s->io.appl_ptr + done, x, n);
        for (i = 0; i < n; i++)
            for (c = 0; c < s->io.channels; c++)
                *sample(&areas[c], offset + done + i) = x[i];
    }
}

static snd_pcm_sframes_t room_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                       snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
    struct stream *s = io->private_data;
    struct room *r = s->room;
    int64_t now;
    bool lost;

    pthread_mutex_lock(&r->lock);
    now = room_now_ns();
    lost = check_lost(s, now);
    if (!lost && r->clock_ns != 0)
        room_advance(r, now);
    if (!lost && s->direction == ROOM_PLAYBACK)
        play(s, areas, offset, size);
    else if (!lost && s->direction == ROOM_CAPTURE)
        hear(s, areas, offset, size);
    pthread_mutex_unlock(&r->lock);
    return lost ? -ENODEV : (snd_pcm_sframes_t)size;
}

static int room_hw_params(snd_pcm_ioplug_t *io, snd_pcm_hw_params_t *params)
{
    const struct stream *s = io->private_data;
    const struct room_times *refused = &s->room->knobs.refused_rates;
    int i;

    (void)params;
    for (i = 0; i < refused->n; i++)
        if ((unsigned int)refused->ms[i] == io->rate)
            return -EINVAL;
    return 0;
}

static int room_sw_params(snd_pcm_ioplug_t *io, snd_pcm_sw_params_t *params)
{
    struct stream *s = io->private_data;
    snd_pcm_uframes_t avail_min, stop_threshold;

    snd_pcm_sw_params_get_avail_min(params, &avail_min);
    snd_pcm_sw_params_get_stop_threshold(params, &stop_threshold);
    pthread_mutex_lock(&s->room->lock);
    s->avail_min = avail_min;
    s->stop_threshold = stop_threshold;
    pthread_mutex_unlock(&s->room->lock);
    return 0;
}

static int room_prepare(snd_pcm_ioplug_t *io)
{
    struct stream *s = io->private_data;
    int64_t now = room_now_ns();
    bool lost;

    pthread_mutex_lock(&s->room->lock);
    lost = check_lost(s, now);
    halt(s, now);
    disarm(s);
    s->stood = 0;
    s->xrun = false;
    memset(s->prefill, 0, sizeof s->prefill);
    pthread_mutex_unlock(&s->room->lock);
    return lost ? -ENODEV : 0;
}

/* A card that stands still makes no interrupts. */
static void sleep_through_stall(struct stream *s)
{
    int64_t end = room_stall_end_ns(s->room) + 1000;
    struct itimerspec t = {{0, 1000000}, {end / 1000000000, end % 1000000000}};

    timerfd_settime(s->io.poll_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static unsigned short ready(struct stream *s, int64_t now)
{
    unsigned short in_out = s->direction == ROOM_PLAYBACK ? POLLOUT : POLLIN;
    snd_pcm_uframes_t at;

    if (check_lost(s, now))
        return POLLERR | POLLHUP;
    if (s->running && room_is_stalled(s->room, now)) {
        sleep_through_stall(s);
        return 0;
    }
    at = position(s, now);
    if (check_xrun(s, at, now))
        return (unsigned short)(in_out | POLLERR);
    if (!s->running)
        return (unsigned short)(in_out | (s->direction == ROOM_CAPTURE ? POLLERR : 0));
    return available(s, at) >= (snd_pcm_sframes_t)s->avail_min ? in_out : 0;
}

static int room_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *pfd, unsigned int nfds,
                             unsigned short *revents)
{
    struct stream *s = io->private_data;
    uint64_t ticks;
    int ret = 0;

    *revents = 0;
    if (nfds != 1)
        return -EINVAL;
    pthread_mutex_lock(&s->room->lock);
    if ((pfd->revents & POLLIN) != 0) {
        *revents = ready(s, room_now_ns());
        /* An error stays to be seen by the next poll; a tick is used up. */
        if ((*revents & POLLERR) == 0 && read(pfd->fd, &ticks, sizeof ticks) < 0)
            ret = errno == EAGAIN ? 0 : -errno;
        if (s->lost && s->room->knobs.lost_error)
            ret = -ENODEV;
    }
    pthread_mutex_unlock(&s->room->lock);
    return ret;
}

static int room_close(snd_pcm_ioplug_t *io)
{
    struct stream *s = io->private_data;

    pthread_mutex_lock(&s->room->lock);
    halt(s, room_now_ns());
    s->room->open[s->direction] = false;
    pthread_mutex_unlock(&s->room->lock);
    close(io->poll_fd);
    free(s);
    return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = room_start,
    .stop = room_stop,
    .pointer = room_pointer,
    .transfer = room_transfer,
    .close = room_close,
    .hw_params = room_hw_params,
    .sw_params = room_sw_params,
    .prepare = room_prepare,
    .poll_revents = room_poll_revents,
};

/* --- opening */

static int constrain(struct stream *s)
{
    static const unsigned int access[] = {
        SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_RW_NONINTERLEAVED,
        SND_PCM_ACCESS_MMAP_INTERLEAVED, SND_PCM_ACCESS_MMAP_NONINTERLEAVED};
    static const unsigned int format[] = {SND_PCM_FORMAT_S16};
    const struct room_knobs *k = &s->room->knobs;
    unsigned int rate = (unsigned int)k->rate_hz;
    unsigned int min = (unsigned int)k->channels_min[s->direction];
    unsigned int max = (unsigned int)k->channels_max[s->direction];
    snd_pcm_ioplug_t *io = &s->io;
    int ret = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 4, access);

    if (ret >= 0)
        ret = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, format);
    if (ret >= 0)
        ret = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_RATE, 1, &rate);
    if (ret >= 0)
        ret = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, min, max);
    if (ret >= 0)
        ret = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES,
                                              2 * min * (unsigned int)k->period_min,
                                              2 * max * (unsigned int)k->period_max);
    if (ret >= 0)
        ret = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES,
                                              2 * min * (unsigned int)k->buffer_min,
                                              2 * max * (unsigned int)k->buffer_max);
    return ret;
}

static int stream_new(struct stream **out, snd_pcm_stream_t direction)
{
    struct stream *s = calloc(1, sizeof *s);
    int ret;

    *out = NULL;
    if (s == NULL)
        return -ENOMEM;
    s->direction = direction == SND_PCM_STREAM_PLAYBACK ? ROOM_PLAYBACK : ROOM_CAPTURE;
    s->io.version = SND_PCM_IOPLUG_VERSION;
    s->io.name = "virtual room";
    s->io.flags = SND_PCM_IOPLUG_FLAG_MONOTONIC | SND_PCM_IOPLUG_FLAG_BOUNDARY_WA;
    s->io.callback = &callbacks;
    s->io.private_data = s;
    s->io.poll_events = POLLIN; /* of the timer; room_poll_revents says what it means */
    s->avail_min = 1;
    s->stop_threshold = LONG_MAX;
    s->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (s->io.poll_fd < 0) {
        ret = -errno;
        free(s);
        return ret;
    }
    ret = room_join(&s->room, s->direction);
    if (ret < 0) {
        close(s->io.poll_fd);
        free(s);
        return ret;
    }
    *out = s;
    return 0;
}

SND_PCM_PLUGIN_DEFINE_FUNC(room)
{
    struct stream *s;
    int ret = stream_new(&s, stream);

    (void)root;
    (void)conf;
    if (ret < 0)
        return ret;
    ret = snd_pcm_ioplug_create(&s->io, name, stream, mode);
    if (ret < 0) {
        room_close(&s->io);
        return ret;
    }
    ret = constrain(s);
    if (ret < 0) {
        snd_pcm_ioplug_delete(&s->io); /* calls room_close */
        return ret;
    }
    *pcmp = s->io.pcm;
    return 0;
}

SND_PCM_PLUGIN_SYMBOL(room)
