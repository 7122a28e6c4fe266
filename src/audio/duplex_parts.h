/* duplex_parts - what duplex.c (the control thread), duplex_worker.c (the DSP worker) and
 * duplex_keeper.c (the thread that opens devices again) share. Nobody else includes it. */
#ifndef HULLO_AUDIO_DUPLEX_PARTS_H
#define HULLO_AUDIO_DUPLEX_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "audio/duplex.h"
#include "audio/jitter.h"
#include "audio/news.h"
#include "audio/pair.h"
#include "audio/playqueue.h"
#include "audio/playring.h"
#include "audio/sieve.h"
#include "audio/timering.h"
#include "util/os.h"

#define PLAY_MS 2500 /* what the playback ring can hold: room for the largest callback */

/* Where the devices are. Each step is made by the one who is named. */
enum duplex_phase {
    DEVICES_OPEN,  /* keeper: they run; the worker has them */
    DEVICES_LOST,  /* worker: it has let go of them; the keeper closes them */
    DEVICES_AWAY,  /* keeper: they are closed, and looked for; the worker stands in for the callback
                    */
    DEVICES_READY, /* keeper: there are some, stopped */
    DEVICES_ADOPTED, /* worker: it is ready for them */
};

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
    struct sieve_watch watch; /* SpeexDSP prints what it thinks */
    bool watching;
    _Atomic bool watched; /* `self` is there */
    pthread_t self;       /* the worker, as it sees itself */
    _Atomic int remarks;

    struct os_sem *wanted; /* wakes the keeper */
    pthread_t keeper;
    bool keeping;
    _Atomic int phase;             /* enum duplex_phase */
    struct pair *opened;           /* whose turn the phase says; in the end the control thread's */
    struct nearend_memory *memory; /* the keeper's while LOST or `learnt`, else the worker's */
    _Atomic bool learnt;           /* there is something to be kept */

    /* The worker's, once it runs. */
    struct pair *pair; /* NULL: there are no devices now */
    uint64_t number;   /* of the next news */
    struct jitter jitter;
    enum barge_state state;
    bool half;
    bool told_lost;    /* and not yet that they are back */
    uint64_t progress; /* callbacks seen */
    int64_t looked_ns;
    int64_t converged_ns; /* since when; 0: it is not, or it was written down */
    int64_t quiet_ns;     /* since the last callback was seen */

    pthread_mutex_t lock;
    struct duplex_view view; /* under the lock */

    /* The control thread's. */
    struct audio_stream about; /* the devices, as far as it was told */
};

void duplex_kick(void *d); /* wakes the worker; any thread, also a realtime one */
void *duplex_work(void *d);
void *duplex_keep(void *d);
enum sieve_verdict duplex_remark(void *d, const char *text, size_t n); /* for the sieve */

/* Writes down d->memory, learnt with those devices. Not the worker. */
void duplex_save(struct duplex *d, const struct audio_stream *s);

#endif
