#include "fake/fake_portaudio.h"

#include <string.h>

struct fake_pa fake_pa;

static const PaHostApiInfo host = {.structVersion = 1, .type = paInDevelopment, .name = "fake"};

void fake_pa_reset(int n, const char *const *names)
{
    memset(&fake_pa, 0, sizeof fake_pa);
    fake_pa.n_devices = n;
    fake_pa.in_latency_s = fake_pa.out_latency_s = 0.02;
    for (int i = 0; i < n; i++)
        fake_pa.devices[i] = (PaDeviceInfo){.structVersion = 2,
                                            .name = names[i],
                                            .maxInputChannels = 2,
                                            .maxOutputChannels = 2,
                                            .defaultSampleRate = 48000};
    fake_pa.default_in = fake_pa.default_out = n > 0 ? 0 : paNoDevice;
}

void fake_pa_run(struct fake_pa_stream *s, const int16_t *in, int16_t *out, unsigned long frames,
                 const PaStreamCallbackTimeInfo *time, PaStreamCallbackFlags flags)
{
    s->callback(in, out, frames, time, flags, s->user);
}

PaError Pa_Initialize(void)
{
    if (fake_pa.init_error == paNoError)
        fake_pa.initialized++;
    return fake_pa.init_error;
}

PaError Pa_Terminate(void)
{
    fake_pa.initialized--;
    return paNoError;
}

const char *Pa_GetErrorText(PaError error)
{
    return error == paDeviceUnavailable ? "Device unavailable" : "Fake error";
}

const PaHostErrorInfo *Pa_GetLastHostErrorInfo(void)
{
    static const PaHostErrorInfo info = {paInDevelopment, 1, "the host said no"};

    return &info;
}

PaDeviceIndex Pa_GetDeviceCount(void)
{
    return fake_pa.n_devices;
}

PaDeviceIndex Pa_GetDefaultInputDevice(void)
{
    return fake_pa.default_in;
}

PaDeviceIndex Pa_GetDefaultOutputDevice(void)
{
    return fake_pa.default_out;
}

const PaDeviceInfo *Pa_GetDeviceInfo(PaDeviceIndex device)
{
    return device >= 0 && device < fake_pa.n_devices ? &fake_pa.devices[device] : NULL;
}

const PaHostApiInfo *Pa_GetHostApiInfo(PaHostApiIndex api)
{
    (void)api;
    return &host;
}

PaError Pa_OpenStream(PaStream **stream, const PaStreamParameters *in,
                      const PaStreamParameters *out, double rate, unsigned long frames,
                      PaStreamFlags flags, PaStreamCallback *callback, void *user)
{
    struct fake_pa_stream *s = &fake_pa.streams[fake_pa.n_streams];

    (void)flags;
    fake_pa.attempts++;
    if (fake_pa.open_error != paNoError)
        return fake_pa.open_error;
    if (fake_pa.only_rate_hz > 0 && (int)rate != fake_pa.only_rate_hz)
        return paInvalidSampleRate;
    if ((in != NULL && in->channelCount < fake_pa.least_channels) ||
        (out != NULL && out->channelCount < fake_pa.least_channels))
        return paInvalidChannelCount;
    if (in != NULL && out != NULL && fake_pa.no_duplex)
        return paBadIODeviceCombination;
    *s = (struct fake_pa_stream){
        .rate_hz = rate, .frames_per_buffer = frames, .callback = callback, .user = user};
    if (in != NULL)
        s->in = *in;
    if (out != NULL)
        s->out = *out;
    fake_pa.n_streams++;
    *stream = s;
    return paNoError;
}

PaError Pa_SetStreamFinishedCallback(PaStream *stream, PaStreamFinishedCallback *finished)
{
    ((struct fake_pa_stream *)stream)->finished = finished;
    return paNoError;
}

const PaStreamInfo *Pa_GetStreamInfo(PaStream *stream)
{
    static PaStreamInfo info;

    info = (PaStreamInfo){.structVersion = 1,
                          .inputLatency = fake_pa.in_latency_s,
                          .outputLatency = fake_pa.out_latency_s,
                          .sampleRate = ((struct fake_pa_stream *)stream)->rate_hz};
    return &info;
}

PaError Pa_StartStream(PaStream *stream)
{
    ((struct fake_pa_stream *)stream)->started = fake_pa.start_error == paNoError;
    return fake_pa.start_error;
}

PaError Pa_AbortStream(PaStream *stream)
{
    struct fake_pa_stream *s = stream;

    if (s->started && s->finished != NULL)
        s->finished(s->user);
    s->started = false;
    return paNoError;
}

PaError Pa_CloseStream(PaStream *stream)
{
    ((struct fake_pa_stream *)stream)->closed = true;
    return paNoError;
}
