/* fake_audio - a sound driver whose callback the test calls, so that nothing depends on time.
 * Everything happens on the thread that calls fake_audio_run, which stands for the device's. */
#ifndef HULLO_FAKE_AUDIO_H
#define HULLO_FAKE_AUDIO_H

#include <stdatomic.h>

#include "audio/audio.h"

extern const struct audio_driver fake_audio_driver;

/* What the next open is to do, and the device that it made; the driver's argument is its address
 * as fake_audio_argument writes it. */
struct fake_audio {
    int in_hz, out_hz; /* 0: 16000 */
    double latency_ms; /* of each direction */
    bool two_streams;
    const char *in_name, *out_name; /* NULL: "" */
    _Atomic int open_error;         /* fail with this when below 0 */
    _Atomic int start_error;        /* likewise, once */
    int64_t now_ns;                 /* when the next callback runs; advanced by its length */
    struct audio_config config;     /* what was asked for */
    _Atomic bool started, closed;
    _Atomic int opens; /* attempts */
    char argument[32];
};

const char *fake_audio_argument(struct fake_audio *f);

/* One callback of n frames: feeds in[] (NULL: silence), gives out[] (NULL: nobody listens). None
 * comes, and out[] is silence, while the device is not started, or gone. */
void fake_audio_run(struct fake_audio *f, const int16_t *in, int16_t *out, size_t n);
/* The microphone alone, as where it has a stream of its own; takes no time. */
void fake_audio_hear(struct fake_audio *f, const int16_t *in, size_t n);
/* The same of one direction, where they are two streams: the other pointer is NULL. */
void fake_audio_run_one(struct fake_audio *f, const int16_t *in, int16_t *out, size_t n,
                        int64_t now_ns);
void fake_audio_lose(struct fake_audio *f); /* the device goes away */

#endif
