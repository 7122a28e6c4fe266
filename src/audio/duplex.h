/* duplex - the sound path: one open pair of devices, its callback, its rings, its DSP worker.
 *
 *   microphone -> callback -> ring -> worker: resample to 16 kHz, nearend -> ring -> duplex_read
 *   duplex_play -> queue -> worker: resample to the device -> block ring -> callback -> loudspeaker
 *                    the callback also records what it really played -> ring -> worker: far end
 *
 * With capture and playback, the worker runs dsp/nearend.h: what duplex_read gives is free of echo,
 * and the loudspeaker obeys barge-in without waiting for anybody: it ducks, holds, goes on or
 * stops.
 *
 * Stopping is an atomic generation number: duplex_flush bumps it, and from the next callback on
 * every block of an older generation is discarded after a fade of 3 ms, whoever wrote it and when.
 * Nothing waits for the control thread. What was played is counted in the callback, per item, after
 * the flush: samples consumed, at the rate of the item; the fade is not counted. How much of them
 * is still on its way to the loudspeaker is out_latency_ms, for the caller to take off.
 * Threads: the control thread is the main loop; functions say when another may call them. */
#ifndef HULLO_AUDIO_DUPLEX_H
#define HULLO_AUDIO_DUPLEX_H

#include "audio/audio.h"
#include "dsp/nearend.h"

#define DUPLEX_HZ 16000 /* of captured audio */

struct duplex;

struct duplex_config {
    const struct audio_driver *driver;
    const char *argument; /* for the driver; NULL is fine */
    bool capture, playback;
    const char *input, *output; /* as in audio_config */
    int latency_ms;             /* 0: 20 */
    enum nearend_aec aec;
    enum barge_level level;
    const struct vad_weights *weights; /* borrowed; NULL: no barge-in */
    const char
        *rooms; /* folder in which what is learnt about devices is kept (rooms.h); NULL: none */
    void (*wake)(
        void *user); /* worker or driver thread: something for duplex_read or duplex_poll to see */
    void *user;
};

/* Opens the devices and starts them. */
int duplex_open(struct duplex **out, const struct duplex_config *config, const struct log *log,
                struct err *e);

/* Captured audio, 16 kHz mono. *at_ns is when the first returned sample was captured. Returns the
 * number of samples. */
size_t duplex_read(struct duplex *d, int16_t *x, size_t n, int64_t *at_ns);

/* Appends speech of `item` (> 0, rising) at rate_hz to what is to be played; copies x. Never
 * blocks. Items are played in the order in which they were begun, each when the one before it was
 * ended or flushed. Samples for an item that was flushed are dropped, however late they come. 0,
 * -ENOMEM (also with more than 64 Mi samples waiting), -EINVAL: a rate outside 1000..768000 or
 * not the item's, an item that was ended already, or no playback. */
int duplex_play(struct duplex *d, uint32_t item, int rate_hz, const int16_t *x, size_t n);

/* Nothing more comes for this item: DUPLEX_ENDED follows its last sample, or at once for an item
 * without any. 0, -ENOMEM, -EINVAL. */
int duplex_end(struct duplex *d, uint32_t item);

/* Silences every item that was begun so far. Any thread except the callback, also a signal
 * handler; takes effect at the next callback. */
void duplex_flush(struct duplex *d);

enum duplex_event_type {
    DUPLEX_STARTED, /* the item's first sample reached the loudspeaker at .at_ns */
    DUPLEX_ENDED,   /* its last one did, or it was flushed: .played samples (at the item's rate) of
                       it were played */
    DUPLEX_HELD,    /* the user seems to speak, since .at_ns: the item is silent, nothing is lost;
                       RESUMED or BARGED follows */
    DUPLEX_RESUMED, /* it was nothing: the item goes on where it was held */
    DUPLEX_BARGED,  /* the user speaks, since .at_ns: all that was begun was flushed; the ENDED of
                       each item follows */
    DUPLEX_HALF,    /* .on: too much echo is left to tell the user from it: take no notice of what
                       is captured while something plays; else full duplex again */
    DUPLEX_LOST,    /* a device went away or stalled for a second: what was playing is held, and the
                       devices are opened again as soon as they, or the default ones, are there */
    DUPLEX_BACK,    /* they are: the item goes on. .name: the device that was opened */
};

struct duplex_event {
    enum duplex_event_type type;
    uint32_t item;
    uint64_t played;
    int64_t at_ns;
    bool flushed, on;
    const char *name; /* borrowed until the next duplex_poll */
};

bool duplex_poll(struct duplex *d, struct duplex_event *ev); /* the next event, or false */

/* Muted, no captured sample leaves the callback: duplex_read gives zeros. Any thread. */
void duplex_mute(struct duplex *d, bool on);

/* Whether speech over a reply may stop it (it may, from the start). Any thread. */
void duplex_barge(struct duplex *d, bool on);

/* Samples of the item played until now, at its rate; 0 for one that ended long ago (16 items). */
uint64_t duplex_played(const struct duplex *d, uint32_t item);

struct duplex_stats {
    uint64_t callbacks;
    uint64_t underruns; /* callbacks that ran dry inside an item, or came too late there */
    uint64_t overruns;  /* callbacks in which captured samples were lost */
    uint64_t dropped;   /* captured samples lost because nobody read them, at the rate of where */
    double in_latency_ms, out_latency_ms;
    double buffer_ms; /* of audio that is kept ready for the callback: grows after an underrun */
    double delay_ms, drift_ppm, erle_db, noise_db; /* of the echo path; delay 0: not known */
    double speech; /* probability that somebody speaks into the microphone, the latest */
    bool converged, clipped, silent; /* silent: the microphone has given nothing but zeros */
    int in_hz, out_hz;
    const char *in_name, *out_name; /* borrowed from d */
};
void duplex_stats(const struct duplex *d, struct duplex_stats *out);

void duplex_close(
    struct duplex *d); /* NULL is fine; blocks until the device is free, under 0.5 s */

#endif
