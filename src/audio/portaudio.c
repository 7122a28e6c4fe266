/* portaudio - the sound cards of the system, through PortAudio.
 * Streams are opened at the device's own rate, with the latency that was asked for, in 16 bit. One
 * duplex stream when both directions are one device, so that they share a clock; else one each. */
#include "audio/drivers.h"

#include <dlfcn.h>
#include <errno.h>
#include <portaudio.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/devices.h"
#include "audio/quiet.h"
#include "audio/stuck.h"
#include "audio/when.h"
#include "util/clock.h"
#include "util/text.h"

#define PIECE        1024 /* frames handed over at once where channels are converted */
#define CHANNELS_MAX 32

struct pa_stream;

/* One PortAudio stream: one direction or both. */
struct side {
    struct pa_stream *owner;
    PaStream *stream;
    int in_channels, out_channels; /* as opened; 0: no such direction */
    int hz;
    double in_latency_ms, out_latency_ms;
    int16_t in[PIECE], out[PIECE];
};

struct pa_stream {
    struct audio_stream base;
    const struct log *log;
    struct audio_config config;
    struct side sides[2];
    int n_sides;
    struct stuck *stuck;
    _Atomic bool ended; /* closing, or `lost` was called */
};

/* The devices of the system; PortAudio's index of list[i] is i. */
struct system {
    struct audio_device *list;
    size_t n;
};

/* --- the callback: realtime */

/* Mono to the callback and back, with more channels on the device's side. */
static void pieces(struct side *s, const int16_t *in, int16_t *out, size_t frames,
                   struct audio_when *when)
{
    const struct audio_config *c = &s->owner->config;
    size_t in_channels = (size_t)s->in_channels, out_channels = (size_t)s->out_channels;

    for (size_t done = 0, n; done < frames; done += n) {
        n = frames - done < PIECE ? frames - done : PIECE;
        for (size_t i = 0; in != NULL && i < n; i++)
            s->in[i] = in[(done + i) * in_channels];
        c->callback(c->user, in != NULL ? s->in : NULL, out != NULL ? s->out : NULL, n, when);
        for (size_t i = 0; out != NULL && i < n * out_channels; i++)
            out[done * out_channels + i] = s->out[i / out_channels];
        when->in_ns += (int64_t)n * 1000000000 / s->hz;
        when->out_ns += (int64_t)n * 1000000000 / s->hz;
        when->input_overflow = when->output_underflow = false;
    }
}

static int callback(const void *in, void *out, unsigned long frames,
                    const PaStreamCallbackTimeInfo *time, PaStreamCallbackFlags flags, void *user)
{
    struct side *s = user;
    const struct audio_config *c = &s->owner->config;
    struct audio_when when = {.input_overflow = (flags & paInputOverflow) != 0,
                              .output_underflow = (flags & paOutputUnderflow) != 0};
    struct when_report report = {.in_latency_ms = s->in_latency_ms,
                                 .out_latency_ms = s->out_latency_ms};

    if (time != NULL) {
        report.now_s = time->currentTime;
        report.in_s = time->inputBufferAdcTime;
        report.out_s = time->outputBufferDacTime;
    }
    when_fill(&when, &report, clock_ns());
    if (s->in_channels <= 1 && s->out_channels <= 1)
        c->callback(c->user, in, out, frames, &when);
    else
        pieces(s, in, out, frames, &when);
    return paContinue;
}

/* PortAudio's thread: the stream has stopped, whoever wanted it. */
static void finished(void *user)
{
    struct pa_stream *s = ((struct side *)user)->owner;

    if (!atomic_exchange(&s->ended, true) && s->config.lost != NULL)
        s->config.lost(s->config.user);
}

/* --- the devices */

static void describe(struct audio_device *d, const PaDeviceInfo *info)
{
    snprintf(d->driver, sizeof d->driver, "%s", audio_portaudio.name);
    snprintf(d->name, sizeof d->name, "%s", info->name);
    text_line(d->name);
    d->inputs = info->maxInputChannels;
    d->outputs = info->maxOutputChannels;
    d->rate_hz = (int)info->defaultSampleRate;
}

static int scan(struct system *sys, struct err *e)
{
    PaDeviceIndex n = Pa_GetDeviceCount(), in = Pa_GetDefaultInputDevice(),
                  out = Pa_GetDefaultOutputDevice();

    sys->n = n > 0 ? (size_t)n : 0;
    sys->list = calloc(sys->n + 1, sizeof *sys->list);
    if (sys->list == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    for (PaDeviceIndex i = 0; i < n; i++) {
        const PaDeviceInfo *info = Pa_GetDeviceInfo(i);
        if (info == NULL)
            continue;
        describe(&sys->list[i], info);
        sys->list[i].default_input = i == in;
        sys->list[i].default_output = i == out;
    }
    devices_mark_headsets(sys->list, sys->n);
    return 0;
}

/* Starts PortAudio, which looks for devices, and lists them. Pa_Terminate is due after success. */
static int begin(struct system *sys, const struct log *log, struct err *e)
{
    struct quiet q;
    PaError error;
    int rc = 0;

    *sys = (struct system){0};
    quiet_begin(&q);
    error = Pa_Initialize();
    if (error == paNoError)
        rc = scan(sys, e);
    if (rc < 0)
        Pa_Terminate();
    quiet_end(&q, log);
    if (error != paNoError)
        rc = err_set(e, STATUS_AUDIO, -EIO,
                     "cannot look for sound devices: %s; run with -v to see what the sound system "
                     "said",
                     Pa_GetErrorText(error));
    return rc;
}

static void end(struct system *sys, const struct log *log)
{
    struct quiet q;

    quiet_begin(&q);
    Pa_Terminate();
    quiet_end(&q, log);
    free(sys->list);
}

static int list(void (*each)(void *user, const struct audio_device *d), void *user,
                const struct log *log, struct err *e)
{
    struct system sys;
    int rc = begin(&sys, log, e);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sys.n; i++)
        if (sys.list[i].inputs > 0 || sys.list[i].outputs > 0)
            each(user, &sys.list[i]);
    end(&sys, log);
    return 0;
}

/* --- opening */

/* What is wanted of one stream. NULL: no such direction. */
struct wish {
    const struct audio_device *in, *out;
    PaDeviceIndex in_index, out_index;
    double latency_s;
};

static PaError attempt(struct side *s, const struct wish *w, int hz, int in_channels,
                       int out_channels)
{
    PaStreamParameters in = {.device = w->in_index,
                             .channelCount = in_channels,
                             .sampleFormat = paInt16,
                             .suggestedLatency = w->latency_s};
    PaStreamParameters out = {.device = w->out_index,
                              .channelCount = out_channels,
                              .sampleFormat = paInt16,
                              .suggestedLatency = w->latency_s};
    PaError error;

    error = Pa_OpenStream(&s->stream, w->in != NULL ? &in : NULL, w->out != NULL ? &out : NULL, hz,
                          paFramesPerBufferUnspecified, paNoFlag, callback, s);
    if (error != paNoError) {
        s->stream = NULL;
        return error;
    }
    s->in_channels = w->in != NULL ? in_channels : 0;
    s->out_channels = w->out != NULL ? out_channels : 0;
    s->hz = hz;
    return paNoError;
}

static int channels(const struct audio_device *d, int in, int want)
{
    int have = d == NULL ? 0 : in ? d->inputs : d->outputs;
    int most = have < CHANNELS_MAX ? have : CHANNELS_MAX;

    return want < most ? want : most;
}

/* At one rate: mono, else stereo, else all the channels there are. */
static PaError attempt_rate(struct side *s, const struct wish *w, int hz)
{
    static const int wanted[] = {1, 2, CHANNELS_MAX};
    PaError error = paInvalidChannelCount;
    int before_in = 0, before_out = 0;

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && error != paNoError; i++) {
        int in = channels(w->in, true, wanted[i]), out = channels(w->out, false, wanted[i]);
        if (in == before_in && out == before_out)
            continue;
        before_in = in;
        before_out = out;
        error = attempt(s, w, hz, in, out);
        if (error == paInvalidSampleRate || error == paDeviceUnavailable)
            break;
    }
    return error;
}

/* The device's own rate first. */
static PaError open_side(struct side *s, const struct wish *w, const struct log *log)
{
    const struct audio_device *d = w->out != NULL ? w->out : w->in;
    const int rates[] = {
        d->rate_hz, w->in != NULL ? w->in->rate_hz : 0, 48000, 44100, 16000, 32000, 96000, 8000};
    PaError first = paNoError, error = paInvalidSampleRate;

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        bool tried = rates[i] < 1000 || rates[i] > 768000;
        for (size_t k = 0; k < i; k++)
            tried |= rates[k] == rates[i];
        if (tried)
            continue;
        error = attempt_rate(s, w, rates[i]);
        if (first == paNoError)
            first = error;
        if (error == paNoError || error == paDeviceUnavailable)
            break;
        log_debug(log, "sound: '%s' refuses %d Hz: %s", d->name, rates[i], Pa_GetErrorText(error));
    }
    return error == paNoError ? paNoError : first;
}

static int open_failed(const struct wish *w, PaError error, struct err *e)
{
    const PaHostErrorInfo *host = Pa_GetLastHostErrorInfo();
    const char *why = Pa_GetErrorText(error);
    bool busy = error == paDeviceUnavailable;

    if (error == paUnanticipatedHostError && host != NULL && host->errorText != NULL &&
        host->errorText[0] != '\0')
        why = host->errorText;
    return err_set(e, STATUS_AUDIO, error == paInvalidSampleRate ? -EINVAL : -EIO,
                   "cannot open %s device '%s': %s%s%s; see if another program holds it, or choose "
                   "another with --%s-device (`hullo devices` lists them)",
                   w->in == NULL ? "output" : "input", w->in == NULL ? w->out->name : w->in->name,
                   busy ? "" : "it takes none of the usual sample rates and channels (", why,
                   busy ? "" : ")", w->in == NULL ? "output" : "input");
}

/* A callback thread that engines on all cores cannot delay, where the system lets the user. The
 * function is ALSA's alone: it must not see another host's stream. */
static void raise_priority(PaStream *stream, PaDeviceIndex index)
{
    const PaDeviceInfo *device = Pa_GetDeviceInfo(index);
    const PaHostApiInfo *host = device != NULL ? Pa_GetHostApiInfo(device->hostApi) : NULL;
    void (*enable)(PaStream * stream, int on) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "PaAlsa_EnableRealtimeScheduling");

    if (symbol == NULL || host == NULL || host->type != paALSA)
        return;
    memcpy(&enable, &symbol, sizeof enable);
    enable(stream, 1);
}

/* Takes over what PortAudio says about a side that was opened. */
static void adopt(struct pa_stream *s, struct side *side, const struct wish *w)
{
    const PaStreamInfo *info = Pa_GetStreamInfo(side->stream);
    struct audio_stream *b = &s->base;

    s->n_sides++;
    raise_priority(side->stream, w->out != NULL ? w->out_index : w->in_index);
    Pa_SetStreamFinishedCallback(side->stream, finished);
    if (info != NULL) {
        side->in_latency_ms = when_latency_ms(info->inputLatency);
        side->out_latency_ms = when_latency_ms(info->outputLatency);
    }
    if (w->in != NULL) {
        b->in_hz = side->hz;
        b->in_latency_ms = side->in_latency_ms;
        snprintf(b->in_name, sizeof b->in_name, "%s", w->in->name);
    }
    if (w->out != NULL) {
        b->out_hz = side->hz;
        b->out_latency_ms = side->out_latency_ms;
        snprintf(b->out_name, sizeof b->out_name, "%s", w->out->name);
    }
}

static int open_one(struct pa_stream *s, const struct wish *w, struct err *e)
{
    struct side *side = &s->sides[s->n_sides];
    PaError error = open_side(side, w, s->log);

    if (error != paNoError)
        return open_failed(w, error, e);
    adopt(s, side, w);
    return 0;
}

/* One stream for both directions where they are one device or both the default, or else two. */
static int open_streams(struct pa_stream *s, const struct wish *w, struct err *e)
{
    struct wish in = *w, out = *w;
    struct err trouble;
    int rc = 0;

    in.out = NULL;
    out.in = NULL;
    if (w->in != NULL && w->out != NULL &&
        (w->in == w->out || (w->in->default_input && w->out->default_output))) {
        if (open_one(s, w, &trouble) == 0)
            return 0;
        log_debug(s->log, "sound: two streams, for %s", trouble.text);
    }
    rc = w->in != NULL ? open_one(s, &in, e) : 0;
    if (rc == 0 && w->out != NULL)
        rc = open_one(s, &out, e);
    s->base.two_streams = s->n_sides == 2;
    return rc;
}

static int choose(struct wish *w, const struct system *sys, const struct audio_config *config,
                  struct err *e)
{
    size_t in = 0, out = 0;
    int rc = 0;

    if (config->capture)
        rc = devices_choose(&in, sys->list, sys->n, config->input, true, e);
    if (rc == 0 && config->playback)
        rc = devices_choose(&out, sys->list, sys->n, config->output, false, e);
    if (rc < 0)
        return rc;
    w->in = config->capture ? &sys->list[in] : NULL;
    w->out = config->playback ? &sys->list[out] : NULL;
    w->in_index = (PaDeviceIndex)in;
    w->out_index = (PaDeviceIndex)out;
    w->latency_s = config->latency_ms / 1000.0;
    return 0;
}

static void close_stream(struct audio_stream *base)
{
    struct pa_stream *s = (struct pa_stream *)base;
    struct quiet q;

    if (s == NULL)
        return;
    atomic_store(&s->ended, true);
    quiet_begin(&q);
    for (int i = 0; i < s->n_sides; i++) {
        Pa_AbortStream(s->sides[i].stream);
        Pa_CloseStream(s->sides[i].stream);
    }
    Pa_Terminate();
    stuck_end(s->stuck, s->log);
    quiet_end(&q, s->log);
    free(s);
}

static int open_stream(struct audio_stream **out, const char *argument,
                       const struct audio_config *config, const struct log *log, struct err *e)
{
    struct pa_stream *s = NULL;
    struct system sys;
    struct wish w = {0};
    struct quiet q;
    int rc;

    *out = NULL;
    if (argument != NULL && argument[0] != '\0')
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "sound driver 'portaudio' takes no argument, but '%s' was given; devices go "
                       "with --input-device and --output-device",
                       argument);
    rc = begin(&sys, log, e);
    if (rc < 0)
        return rc;
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        end(&sys, log);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    s->base.driver = &audio_portaudio;
    s->log = log;
    s->config = *config;
    s->sides[0].owner = s->sides[1].owner = s;
    quiet_begin(&q);
    rc = choose(&w, &sys, config, e);
    if (rc == 0)
        rc = open_streams(s, &w, e);
    quiet_end(&q, log);
    free(sys.list);
    if (rc == 0)
        stuck_begin(&s->stuck);
    if (rc < 0)
        close_stream(&s->base);
    else
        *out = &s->base;
    return rc;
}

static int start_stream(struct audio_stream *base, struct err *e)
{
    struct pa_stream *s = (struct pa_stream *)base;
    PaError error = paNoError;
    struct quiet q;

    quiet_begin(&q);
    for (int i = 0; i < s->n_sides && error == paNoError; i++)
        error = Pa_StartStream(s->sides[i].stream);
    quiet_end(&q, s->log);
    if (error == paNoError)
        return 0;
    return err_set(e, STATUS_AUDIO, -EIO,
                   "cannot start sound device '%s': %s; choose another with --input-device or "
                   "--output-device (`hullo devices` lists them)",
                   base->out_hz > 0 ? base->out_name : base->in_name, Pa_GetErrorText(error));
}

const struct audio_driver audio_portaudio = {
    .name = "portaudio",
    .help = "the system's sound devices (ALSA, JACK, CoreAudio)",
    .list = list,
    .open = open_stream,
    .start = start_stream,
    .close = close_stream,
};
