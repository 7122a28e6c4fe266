/* paced - a sound device made of a thread and the clock, for the drivers without hardware.
 * One duplex callback for each period, on the thread of the device. Control thread only. */
#ifndef HULLO_AUDIO_PACED_H
#define HULLO_AUDIO_PACED_H

#include "audio/audio.h"

#define PACED_ECHO_LEAST (-90)
#define PACED_NO_ECHO    (-1000)

/* As drivers.h describes them. */
struct paced_knobs {
    int rate_hz, period_ms, latency_ms;
    double pace;
    int jitter_ms, late_ms;
    double drop_after_s, stall_after_s; /* 0: never */
    double echo_db;                     /* null's; below PACED_ECHO_LEAST: none */
    bool refuse_rate, no_device, force;
};

/* Reads a driver's argument into *k, which holds the defaults. A bad knob is -EINVAL, STATUS_USAGE.
 */
int paced_parse(struct paced_knobs *k, const char *driver, const char *argument, struct err *e);

/* Where the samples come from and go to; called on the device's thread, NULL for silence. */
struct paced_ends {
    void (*source)(void *user, int16_t *x, size_t n);
    void (*sink)(void *user, const int16_t *x, size_t n);
    void *user;
};

struct paced;

int paced_new(struct paced **out, const struct paced_knobs *k, const struct audio_config *config,
              const struct paced_ends *ends); /* 0, -EINVAL, -ENOMEM */
int paced_start(struct paced *p);             /* 0 or a negative errno */
void paced_free(struct paced *p);             /* stops it first; NULL is fine */

#endif
