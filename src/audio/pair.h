/* pair - an open pair of devices (or one alone): the stream, its callback, the rings between the
 * callback and the worker, and the chain that works on them. When the devices go away, the pair
 * goes with them; what is to be played lives on in playring and playqueue. */
#ifndef HULLO_AUDIO_PAIR_H
#define HULLO_AUDIO_PAIR_H

#include <stdatomic.h>

#include "audio/audio.h"
#include "audio/chain.h"
#include "audio/playring.h"

struct pair;

/* What callbacks count, over all pairs; each is moved by one direction. */
struct pair_tally {
    _Atomic uint64_t in_calls, out_calls, late, overruns, dropped;
};

struct pair_config {
    const struct audio_driver *driver;
    const char *argument, *input, *output; /* borrowed until pair_open returns */
    bool capture, playback;
    int latency_ms;
    struct nearend_config nearend;
    const char *rooms;         /* where what is known of the devices is looked for; NULL: nowhere */
    struct pair_tally *tally;  /* outlive the pair, as all that follows */
    const _Atomic bool *muted; /* nothing that is captured leaves the callback */
    void (*kick)(void *user);  /* callback, driver thread: something for the worker to see */
    void *user;
};

/* Opens the devices, stopped, and makes all that the callback needs but for the ring to play from.
 * Control thread, or the helper that opens devices again. */
int pair_open(struct pair **out, const struct pair_config *config, const struct log *log,
              struct err *e);

/* Before the start: what the callback reads from. It is at the rate of pair_stream(p)->out_hz. */
void pair_attach(struct pair *p, struct playring *play);
int pair_start(struct pair *p, struct err *e); /* after an error it is gone */

const struct audio_stream *pair_stream(const struct pair *p);
bool pair_gone(const struct pair *p);         /* the driver says so; any thread */
bool pair_silent(const struct pair *p);       /* nothing but zeros was captured for long */
size_t pair_largest(const struct pair *p);    /* frames in an output callback */
uint64_t pair_progress(const struct pair *p); /* callbacks so far, of the direction that has less */

/* Worker; as the chain's functions. False, n 0, and not known without capture. */
bool pair_frame(struct pair *p, bool playing, int16_t out[DSP_FRAME], int64_t *at_ns,
                struct nearend_verdict *v);
void pair_memory(const struct pair *p, struct nearend_memory *out);
void pair_align(const struct pair *p, struct align_state *out);

void pair_close(struct pair *p); /* the worker has let go of it; NULL is fine */

#endif
