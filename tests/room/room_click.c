/* room_click - tries the virtual room through PortAudio, as a program would use a sound card.
 *
 *   room_click SECONDS [key=value...]
 *     device=default   name of the device, both directions
 *     latency_ms=20    asked for in each direction
 *     rate=48000
 *     tone=0           1: a tone of 440 Hz all the time in place of a click each 250 ms
 *     from_ms=0 to_ms= when to sound, default always
 *     capture=1 playback=1
 *     reopen=0         1: when no callback has come for 200 ms, close, and open again when it works
 *
 * Prints one JSON object: callbacks, frames, flags seen, the clicks heard back (frames from
 * playing a click to capturing it), and the highest |sample| heard.
 */
#include <errno.h>
#include <math.h>
#include <portaudio.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLICK_MS   250
#define CLICK      16000
#define HEARD_MAX  256
#define CLICK_HEAR 1000

struct click {
    double seconds;
    char device[128];
    int latency_ms, rate, tone, from_ms, to_ms, capture, playback, reopen;
    unsigned long reopened;
    /* the callback's */
    uint64_t frames, next, last; /* next click to play, the last one played */
    bool waiting;
    atomic_ulong callbacks, overflows, underflows;
    int highest, heard[HEARD_MAX], n_heard;
    atomic_bool finished;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void listen(struct click *c, const int16_t *in, unsigned long n)
{
    unsigned long i;

    for (i = 0; i < n; i++) {
        int x = in[i] < 0 ? -in[i] : in[i];

        if (x > c->highest)
            c->highest = x;
        if (c->waiting && x >= CLICK_HEAR && c->frames + i >= c->last) {
            if (c->n_heard < HEARD_MAX)
                c->heard[c->n_heard++] = (int)(c->frames + i - c->last);
            c->waiting = false;
        }
    }
}

static void sound(struct click *c, int16_t *out, unsigned long n)
{
    unsigned long i;

    for (i = 0; i < n; i++) {
        uint64_t at = c->frames + i, ms = at * 1000 / (uint64_t)c->rate;
        bool on = ms >= (uint64_t)c->from_ms && (c->to_ms == 0 || ms < (uint64_t)c->to_ms);

        out[i] = 0;
        if (on && c->tone) {
            out[i] = (int16_t)(8000 * sin(2 * 3.14159265 * 440 * (double)at / c->rate));
        } else if (on && at >= c->next) {
            out[i] = CLICK;
            c->last = at;
            c->waiting = true;
            c->next = at + (uint64_t)c->rate * CLICK_MS / 1000;
        }
    }
}

static int callback(const void *in, void *out, unsigned long n, const PaStreamCallbackTimeInfo *t,
                    PaStreamCallbackFlags flags, void *user)
{
    struct click *c = user;

    (void)t;
    atomic_fetch_add(&c->callbacks, 1);
    if (flags & (paInputOverflow | paInputUnderflow))
        atomic_fetch_add(&c->overflows, 1);
    if (flags & (paOutputUnderflow | paOutputOverflow))
        atomic_fetch_add(&c->underflows, 1);
    if (out != NULL)
        sound(c, out, n);
    if (in != NULL)
        listen(c, in, n);
    c->frames += n;
    return paContinue;
}

static void finished(void *user)
{
    struct click *c = user;

    atomic_store(&c->finished, true);
}

static PaDeviceIndex find(const char *name)
{
    PaDeviceIndex i;

    for (i = 0; i < Pa_GetDeviceCount(); i++)
        if (strcmp(Pa_GetDeviceInfo(i)->name, name) == 0)
            return i;
    return paNoDevice;
}

static bool option(struct click *c, const char *arg)
{
    const char *value = strchr(arg, '=');
    static const char *const keys[] = {"latency_ms", "rate",    "tone",     "from_ms",
                                       "to_ms",      "capture", "playback", "reopen"};
    int *const to[] = {&c->latency_ms, &c->rate,    &c->tone,     &c->from_ms,
                       &c->to_ms,      &c->capture, &c->playback, &c->reopen};
    size_t i;

    if (value == NULL)
        return false;
    if (strncmp(arg, "device=", 7) == 0) {
        snprintf(c->device, sizeof c->device, "%s", value + 1);
        return true;
    }
    for (i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strlen(keys[i]) == (size_t)(value - arg) &&
            strncmp(arg, keys[i], (size_t)(value - arg)) == 0) {
            *to[i] = (int)strtol(value + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

static void print(struct click *c, PaStream *stream)
{
    const PaStreamInfo *info = Pa_GetStreamInfo(stream);
    int i;

    printf("{\"callbacks\":%lu,\"frames\":%llu,\"overflows\":%lu,\"underflows\":%lu,\"highest\":%d",
           atomic_load(&c->callbacks), (unsigned long long)c->frames, atomic_load(&c->overflows),
           atomic_load(&c->underflows), c->highest);
    printf(",\"reopened\":%lu", c->reopened);
    printf(",\"latency_ms\":[%.2f,%.2f],\"rate\":%.0f", info->inputLatency * 1000,
           info->outputLatency * 1000, info->sampleRate);
    printf(",\"round_trip\":[");
    for (i = 0; i < c->n_heard; i++)
        printf("%s%d", i > 0 ? "," : "", c->heard[i]);
    printf("]}\n");
}

static PaError open_stream(struct click *c, PaStream **stream)
{
    PaStreamParameters p = {.channelCount = 1, .sampleFormat = paInt16};
    PaError err;

    p.suggestedLatency = c->latency_ms / 1000.0;
    p.device = find(c->device);
    if (p.device == paNoDevice) {
        fprintf(stderr, "no device '%s'\n", c->device);
        return paInvalidDevice;
    }
    err = Pa_OpenStream(stream, c->capture ? &p : NULL, c->playback ? &p : NULL, c->rate,
                        paFramesPerBufferUnspecified, paNoFlag, callback, c);
    if (err != paNoError)
        return err;
    Pa_SetStreamFinishedCallback(*stream, finished);
    err = Pa_StartStream(*stream);
    if (err != paNoError) {
        Pa_CloseStream(*stream);
        *stream = NULL;
    }
    return err;
}

/* PortAudio does not tell when a device has gone: its callbacks stay away. */
static void watch(struct click *c, PaStream **stream, unsigned long *seen, int64_t *seen_ns)
{
    unsigned long callbacks = atomic_load(&c->callbacks);

    if (callbacks != *seen || now_ns() - *seen_ns < 200000000) {
        *seen_ns = callbacks != *seen ? now_ns() : *seen_ns;
        *seen = callbacks;
        return;
    }
    *seen_ns = now_ns();
    if (*stream != NULL) {
        Pa_AbortStream(*stream);
        Pa_CloseStream(*stream);
        *stream = NULL;
    }
    if (open_stream(c, stream) == paNoError)
        c->reopened++;
}

static PaError run(struct click *c)
{
    int64_t end, seen_ns = now_ns();
    unsigned long seen = 0;
    PaStream *stream = NULL;
    PaError err = open_stream(c, &stream);

    if (err != paNoError)
        return err;
    end = now_ns() + (int64_t)(c->seconds * 1e9);
    while (now_ns() < end && (c->reopen || !atomic_load(&c->finished))) {
        Pa_Sleep(10);
        if (c->reopen)
            watch(c, &stream, &seen, &seen_ns);
    }
    if (stream == NULL)
        return paTimedOut;
    if (!c->reopen && atomic_load(&c->finished))
        fprintf(stderr, "the stream ended by itself\n");
    Pa_AbortStream(stream);
    print(c, stream);
    Pa_CloseStream(stream);
    return paNoError;
}

int main(int argc, char **argv)
{
    struct click *c = calloc(1, sizeof *c);
    PaError err;
    int i;

    if (c == NULL || argc < 2)
        return 2;
    c->seconds = strtod(argv[1], NULL);
    snprintf(c->device, sizeof c->device, "default");
    c->latency_ms = 20;
    c->rate = 48000;
    c->capture = c->playback = 1;
    for (i = 2; i < argc; i++) {
        if (!option(c, argv[i])) {
            fprintf(stderr, "bad option '%s'\n", argv[i]);
            return 2;
        }
    }
    err = Pa_Initialize();
    if (err == paNoError)
        err = run(c);
    Pa_Terminate();
    if (err != paNoError)
        fprintf(stderr, "portaudio: %s\n", Pa_GetErrorText(err));
    free(c);
    return err == paNoError ? 0 : 1;
}
