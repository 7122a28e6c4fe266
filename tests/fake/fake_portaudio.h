/* fake_portaudio - the PortAudio library as a test wants it: devices from a table, faults on
 * demand, and callbacks that the test calls. A test that names `fake_pa` is linked with it in place
 * of PortAudio. */
#ifndef HULLO_FAKE_PORTAUDIO_H
#define HULLO_FAKE_PORTAUDIO_H

#include <portaudio.h>
#include <stdbool.h>
#include <stdint.h>

#define FAKE_PA_MAX 8

struct fake_pa_stream {
    PaStreamParameters in, out; /* channelCount 0: no such direction */
    double rate_hz;
    unsigned long frames_per_buffer;
    PaStreamCallback *callback;
    PaStreamFinishedCallback *finished;
    void *user;
    bool started, closed;
};

struct fake_pa {
    PaDeviceInfo devices[FAKE_PA_MAX];
    int n_devices, default_in, default_out;

    /* Faults. */
    PaError init_error, open_error, start_error;
    int only_rate_hz;   /* other rates are refused */
    int least_channels; /* fewer are refused */
    bool no_duplex;     /* one direction a stream */
    double in_latency_s, out_latency_s;

    /* What happened. */
    int initialized; /* less terminated */
    int attempts;
    struct fake_pa_stream streams[FAKE_PA_MAX];
    int n_streams; /* opened */
};

extern struct fake_pa fake_pa;

/* Empties fake_pa and fills in n devices of the names; each has 2 channels each way at 48 kHz. */
void fake_pa_reset(int n, const char *const *names);

/* One callback of a stream. */
void fake_pa_run(struct fake_pa_stream *s, const int16_t *in, int16_t *out, unsigned long frames,
                 const PaStreamCallbackTimeInfo *time, PaStreamCallbackFlags flags);

#endif
