/* nearend - the whole duplex chain: aligns, cancels, suppresses, listens, decides.
 *
 *   far end -> align -> reference -+
 *   microphone --------------------+-> aec -> suppress -> out
 *                                                  \-> vad -> barge -> what the loudspeaker does
 *
 * Frame functions without I/O; the sound path runs it on its worker, the benchmark runs it offline,
 * and both get the same decisions. One thread at a time per object, but for align's job. */
#ifndef HULLO_DSP_NEAREND_H
#define HULLO_DSP_NEAREND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsp/align.h"
#include "dsp/barge.h"
#include "dsp/frame.h"
#include "dsp/vad.h"

#define NEAREND_RESPONSE (DSP_HZ / 4) /* samples of the room's response that are kept */

enum nearend_aec {
    NEAREND_SPEEX,  /* the chain above */
    NEAREND_SYSTEM, /* the system cancels echo already: no alignment, no canceller */
    NEAREND_OFF,    /* nobody does (headphones) */
};

/* What was learnt about a pair of devices; kept from one run to the next. */
struct nearend_memory {
    struct align_state align;
    size_t n; /* samples of the response; 0: none */
    float response[NEAREND_RESPONSE];
};

struct nearend_config {
    enum nearend_aec aec;
    enum barge_level level;
    const struct vad_weights *weights;   /* NULL: no barge-in */
    const struct nearend_memory *memory; /* where to begin; NULL: from nothing */
};

struct nearend_verdict {
    enum barge_state state; /* STOP comes once */
    unsigned onset_ms;      /* of DUCK, HOLD and STOP: how long ago the speech began */
    bool converged;
    bool hopeless; /* too much echo is left for decisions: half duplex is better; with hysteresis */
    bool moved;    /* the delay jumped in this frame */
    float speech;  /* the VAD's latest */
    float erle_db; /* echo taken out, both stages, smoothed over a second of echo; 0: not known */
    float snr_db, near_db, noise_db;
    bool clipped; /* the microphone is at full scale */
};

struct nearend;

int nearend_new(struct nearend **out,
                const struct nearend_config *config); /* 0, -EINVAL, -ENOMEM */

void nearend_far(struct nearend *e, const int16_t *x, size_t n); /* as align_far */

/* One frame of the microphone. `playing` as in barge_input. out is 10 ms late. */
void nearend_run(struct nearend *e, const int16_t mic[DSP_FRAME], bool playing,
                 int16_t out[DSP_FRAME], struct nearend_verdict *v);

void nearend_lost(struct nearend *e, int64_t near, int64_t far); /* as align_lost */

/* align's job, for a thread of its own (nearend_due, nearend_measure, nearend_adopt), or all three
 * in a row where there is one thread. */
bool nearend_due(struct nearend *e);
void nearend_measure(struct nearend *e);
void nearend_adopt(struct nearend *e);

void nearend_align(const struct nearend *e, struct align_state *out);     /* as it stands now */
void nearend_memory(const struct nearend *e, struct nearend_memory *out); /* n 0: not learnt yet */
void nearend_free(struct nearend *e);                                     /* NULL is fine */

#endif
