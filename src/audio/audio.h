/* audio - what every sound driver implements, and how drivers are found.
 * A driver opens devices and calls back for samples; it knows nothing of rings, speech or sessions.
 * Samples are mono signed 16 bit at the device's native rate: a driver that must open more channels
 * spreads the mono output over them and takes the first input channel. Unless said otherwise,
 * functions are called from one control thread; devices that went away are closed, and opened
 * again, from a helper thread, one call at a time. */
#ifndef HULLO_AUDIO_AUDIO_H
#define HULLO_AUDIO_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/log.h"

struct audio_device {
    char driver[16];
    char name[128]; /* what --input-device and --output-device match, whole or in part, case ignored
                     */
    int inputs, outputs; /* channels */
    int rate_hz;         /* native */
    bool default_input, default_output;
    bool headset_without_microphone; /* looks like Bluetooth in its playback-only profile */
};

/* Times of one callback, CLOCK_MONOTONIC nanoseconds: when in[0] was captured and when out[0] will
 * be heard. Drivers clamp what their system reports to within a second of now, and derive it from
 * the latency when it reports nothing. */
struct audio_when {
    int64_t in_ns, out_ns;
    bool input_overflow, output_underflow;
};

/* The realtime callback: copies, counts, leaves. `in` or `out` is NULL when this stream has no such
 * direction; with two devices the two directions come on two threads. Fill all of out[0..frames).
 */
typedef void audio_callback(void *user, const int16_t *in, int16_t *out, size_t frames,
                            const struct audio_when *when);

struct audio_config {
    bool capture, playback; /* which directions to open; at least one */
    const char *input,
        *output;    /* device name or part of it, or what the driver takes; NULL: the default */
    int latency_ms; /* asked of the device in each direction, explicitly; 20 */
    audio_callback *callback;
    void (*lost)(void *user); /* the device went away; any thread, once; NULL is fine */
    void *user;               /* for both */
};

struct audio_stream {
    const struct audio_driver *driver;
    int in_hz, out_hz;                    /* native rates of what was opened, 0 when not */
    double in_latency_ms, out_latency_ms; /* as the device reports them, clamped to 0..500 */
    char in_name[128], out_name[128];     /* of the devices that were opened */
    bool two_streams; /* the directions are two streams: they have a clock and a thread each, and
                         begin at different times */
};

struct audio_driver {
    const char *name; /* "portaudio"; chosen with --audio NAME[:ARGUMENT] */
    const char *help; /* one line */

    /* Calls `each` for every device. 0 or a negative errno; no device at all is not an error. NULL
     * for a driver without devices of its own. */
    int (*list)(void (*each)(void *user, const struct audio_device *d), void *user,
                const struct log *log, struct err *e);

    /* Opens, stopped. `argument` is what stood behind the colon, or NULL. *out is NULL after an
     * error. */
    int (*open)(struct audio_stream **out, const char *argument, const struct audio_config *config,
                const struct log *log, struct err *e);

    int (*start)(struct audio_stream *s, struct err *e); /* callbacks begin */
    void (*close)(
        struct audio_stream *s); /* stops; no callback runs once it returns; NULL is fine */
};

#endif
