/* duplex_parts - what duplex.c (the control thread) and duplex_worker.c (the DSP worker) share.
 * Nobody else includes it. */
#ifndef HULLO_AUDIO_DUPLEX_PARTS_H
#define HULLO_AUDIO_DUPLEX_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "audio/duplex.h"
#include "audio/news.h"
#include "audio/pair.h"
#include "audio/playqueue.h"
#include "audio/playring.h"
#include "audio/timering.h"
#include "util/os.h"

#define PLAY_MS 1000 /* what the playback ring can hold: room for the largest callback */

/* What the worker says of the echo path and of the devices, for duplex_stats. */
struct duplex_view {
    struct nearend_verdict verdict; /* the latest */
    struct align_state align;
    int64_t clipped_ns; /* when the microphone clipped last; 0: never */
    double buffer_ms;
    bool silent;
};

struct duplex {
    const struct log *log;
    void (*wake)(void *user);
    void *user;
    struct pair_config config;
    struct pair_tally tally;
    _Atomic bool muted, deaf; /* deaf: speech stops nothing */

    struct playring *play;
    struct playqueue *queue; /* NULL without playback */
    struct timering *heard;  /* worker to control thread, 16 kHz; NULL without capture */
    struct news news;        /* likewise */

    struct os_sem *work;
    _Atomic bool kicked; /* `work` was posted and not yet seen: it never counts beyond one */
    _Atomic bool stop;
    pthread_t worker;
    bool running;

    /* The worker's, once it runs. */
    struct pair *pair; /* NULL: there are no devices now */
    uint64_t number;   /* of the next news */
    enum barge_state state;
    bool half;
    uint64_t progress; /* callbacks seen */
    int64_t looked_ns;
    int64_t quiet_ns; /* since the last callback was seen */

    pthread_mutex_t lock;
    struct duplex_view view; /* under the lock */

    /* The control thread's. */
    struct pair *opened;       /* what is to be closed */
    struct audio_stream about; /* the devices, as far as it was told */
};

void duplex_kick(void *d); /* wakes the worker; any thread, also a realtime one */
void *duplex_work(void *d);

#endif
