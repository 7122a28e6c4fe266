#include "dsp/nearend.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/aec.h"
#include "dsp/suppress.h"

#define EARS    2                  /* detectors, each behind the one before by a part of a frame */
#define STAGGER (VAD_FRAME / EARS) /* samples between two decisions */

#define LEARNT_FRAMES 100   /* of echo, before anybody trusts the canceller */
#define KNOWN_FRAMES  30    /* the same where the room was known from the start */
#define LEARNT_DB     12.0f /* echo that both stages must take out, to be trusted */
#define LOST_FRAMES   200   /* of echo under HOPELESS_DB, and they are not any more */

#define BLIND_FRAMES  300    /* of sound: in these its echo is found, or there is none */
#define HUSH_FRAMES   70     /* of sound that the microphone does not hear: there is none */
#define HUSH_DB       6.0f   /* over the noise, where something is heard */
#define ENERGY_LEAST  1e-12f /* of a frame of zeros */
#define LOUD_REF      500    /* peak of a reference that would be */
#define FIRST_FRAMES  30     /* of echo, before the canceller has any effect at all */
#define LINGER_FRAMES 25     /* the room goes on so long after the loudspeaker */
#define AGAIN_FRAMES  100    /* given to a canceller that starts again */
#define LINGER_BLIND  80     /* the same, and the delay, where that is not known */
#define REF_SILENT    16     /* peak of a reference that nobody hears */
#define FULL_SCALE    32700  /* a microphone that clips */
#define SMOOTH        0.02f  /* of the echo's energy: half a second of frames with echo */
#define ECHO_LEAST    1e-7f  /* energy of an echo that is worth a ratio: -70 dB */
#define NOT_SPEECH    0.3f   /* the VAD says nobody speaks, */
#define NOT_NEAR_DB   4.0f   /* and it is not just that it does not know yet */

#define STIR_DB      0.3f /* from here on there may be somebody at the near end, */
#define STIR_SPEECH  0.1f
#define STILL_FRAMES 25 /* and after so long without there is not */

#define SETTLED_FRAMES 16    /* after these, a loudspeaker that fell silent is not heard any more */
#define SETTLED_DB     15.0f /* what it takes along, where nobody else was heard */
#define LOUD_DECAY_DB  0.5f  /* of the level before, per frame */
#define KEPT           0.4f /* of the microphone's energy, which the canceller leaves if it is lost */
#define KEPT_SMOOTH    0.1f

#define HOPELESS_DB     6.0f /* echo that is taken out, both stages, under which there is no hope */
#define HOPEFUL_DB      9.0f
#define HOPELESS_FRAMES 1000 /* of echo, one after the other */
#define HOPEFUL_FRAMES  300
#define FUTILE_HOLDS    8.0f /* in a minute or so */
#define FUTILE_FORGIVEN 2.0f

struct ear {
    struct vad *vad;
    int16_t x[VAD_FRAME];
    size_t n;
};

struct nearend {
    struct nearend_config config;
    struct align *align;
    struct aec *aec;
    struct suppress *suppress;
    struct ear ears[EARS];
    struct barge barge;
    struct suppress_state heard; /* the latest */
    float speech;
    int16_t mic[DSP_FRAME];        /* the frame before, as it came: out is 10 ms late */
    float echo_in, echo_out;       /* energy, smoothed, in frames with echo and no speech */
    int still;                     /* frames without a sign of anybody */
    float mic_energy, kept_energy; /* before it was held: what came, what the canceller left */
    float loud_db;                 /* of the microphone, lately; while it is held, of before */
    enum barge_state state;
    bool doubted;   /* in a hold: all that was heard died with the loudspeaker */
    int linger;     /* frames for which the loudspeaker is still heard in the room */
    int poor, good; /* frames of echo on the wrong and on the right side of hopeless */
    int sounded;    /* frames in which the loudspeaker was heard, up to BLIND_FRAMES */
    int hush;       /* loud ones in a row of which the microphone had nothing */
    bool echoless;  /* there were so many that there is no echo, and none was taken out since */
    bool found;     /* the delay is known */
    bool known;     /* the room's response was there from the start */
    bool converged, hopeless, moved;
};

static int make_ears(struct nearend *e)
{
    if (!e->config.weights)
        return 0;
    for (size_t i = 0; i < EARS; i++) {
        int ret = vad_new(&e->ears[i].vad, e->config.weights);
        if (ret < 0)
            return ret;
        e->ears[i].n = (EARS - 1 - i) * STAGGER; /* begins with silence */
    }
    return 0;
}

static bool may_be_trusted(const struct nearend_memory *m)
{
    if (!m || m->n == 0 || m->n > NEAREND_RESPONSE)
        return false;
    for (size_t i = 0; i < m->n; i++)
        if (!isfinite(m->response[i]))
            return false;
    return true;
}

static int make_canceller(struct nearend *e, const struct nearend_memory *m)
{
    int ret;

    if (e->config.aec != NEAREND_SPEEX)
        return 0;
    ret = align_new(&e->align, m && m->align.known ? &m->align : NULL);
    if (ret < 0)
        return ret;
    e->found = m && m->align.known;
    e->known = may_be_trusted(m) && m->align.known;
    return aec_new(&e->aec, e->known ? m->response : NULL, e->known ? m->n : 0);
}

int nearend_new(struct nearend **out, const struct nearend_config *config)
{
    struct nearend *e;
    int ret;

    *out = NULL;
    if (config->aec < NEAREND_SPEEX || config->aec > NEAREND_OFF || config->level < BARGE_LOW ||
        config->level > BARGE_HIGH)
        return -EINVAL;
    e = calloc(1, sizeof(*e));
    if (!e)
        return -ENOMEM;
    e->config = *config;
    e->config.memory = NULL; /* borrowed for this call only */
    barge_init(&e->barge, config->level);
    ret = suppress_new(&e->suppress);
    if (ret == 0)
        ret = make_canceller(e, config->memory);
    if (ret == 0)
        ret = make_ears(e);
    if (ret < 0) {
        nearend_free(e);
        return ret;
    }
    e->converged = config->aec != NEAREND_SPEEX;
    *out = e;
    return 0;
}

void nearend_far(struct nearend *e, const int16_t *x, size_t n)
{
    if (e->align)
        align_far(e->align, x, n);
}

static int peak(const int16_t *x)
{
    int most = 0;

    for (size_t i = 0; i < DSP_FRAME; i++) {
        int level = x[i] < 0 ? -x[i] : x[i];
        most = level > most ? level : most;
    }
    return most;
}

static float energy(const int16_t *x)
{
    float sum = 0;

    for (size_t i = 0; i < DSP_FRAME; i++)
        sum += (float)x[i] * (float)x[i];
    return sum / (DSP_FRAME * 32768.0f * 32768.0f);
}

/* Where the near end has been silent for a while, by the suppressor's account, one detector is
 * enough: most of what the others cost. */
static bool is_still(struct nearend *e)
{
    if (e->heard.snr_db > STIR_DB || e->speech > STIR_SPEECH)
        e->still = 0;
    else if (e->still < STILL_FRAMES)
        e->still++;
    return e->still == STILL_FRAMES;
}

static void listen(struct nearend *e, const int16_t y[DSP_FRAME])
{
    bool still = is_still(e);

    for (size_t i = 0; i < EARS && e->ears[i].vad; i++) {
        struct ear *ear = &e->ears[i];
        size_t fits = VAD_FRAME - ear->n < DSP_FRAME ? VAD_FRAME - ear->n : DSP_FRAME;
        memcpy(ear->x + ear->n, y, fits * sizeof(*y));
        ear->n += fits;
        if (ear->n < VAD_FRAME)
            continue;
        if (i == 0 || !still)
            e->speech = vad_run(ear->vad, ear->x);
        ear->n = DSP_FRAME - fits;
        memcpy(ear->x, y + fits, ear->n * sizeof(*y));
    }
}

static float erle_db(const struct nearend *e)
{
    if (e->echo_in < ECHO_LEAST)
        return 0;
    return 10 * log10f(e->echo_in / fmaxf(e->echo_out, e->echo_in * 1e-6f));
}

/* What the two stages take out of the echo, where there is nothing but echo. */
static void measure_echo(struct nearend *e, const int16_t y[DSP_FRAME])
{
    float erle;

    if (!e->heard.echo || e->speech > NOT_SPEECH || e->heard.snr_db > NOT_NEAR_DB)
        return;
    e->echo_in += SMOOTH * (energy(e->mic) - e->echo_in);
    e->echo_out += SMOOTH * (energy(y) - e->echo_out);
    erle = erle_db(e);
    if (erle < HOPELESS_DB)
        e->poor++;
    else if (erle > HOPEFUL_DB)
        e->poor = 0;
    e->good = erle > HOPEFUL_DB ? e->good + 1 : 0;
}

static bool has_no_echo(const struct nearend *e)
{
    return e->echoless || (!e->found && e->sounded == BLIND_FRAMES);
}

static void judge_canceller(struct nearend *e)
{
    int enough = e->known ? KNOWN_FRAMES : LEARNT_FRAMES;

    if (e->config.aec != NEAREND_SPEEX)
        return;
    if (e->heard.seen < enough)
        e->converged = has_no_echo(e); /* headphones */
    else if (e->poor >= LOST_FRAMES)
        e->converged = false;
    else if (erle_db(e) >= LEARNT_DB)
        e->converged = true;
}

/* Half duplex is better where next to nothing of a loud echo is taken out for long, or where one
 * hold after the other came to nothing. It is over when the echo is taken out, or there is none any
 * more: headphones. */
static void judge_hope(struct nearend *e)
{
    if (!e->hopeless) {
        e->hopeless = e->poor >= HOPELESS_FRAMES || e->barge.futile >= FUTILE_HOLDS;
    } else if (e->hush >= HOPEFUL_FRAMES) {
        e->hopeless = false;
        e->poor = e->good = 0;
        e->barge.futile = 0;
    } else if (e->poor == 0 && (e->good >= HOPEFUL_FRAMES || e->echo_in < ECHO_LEAST) &&
               e->barge.futile < FUTILE_FORGIVEN) {
        e->hopeless = false;
    }
}

/* The canceller starts from nothing. */
static void unlearn(struct nearend *e)
{
    suppress_relearn(e->suppress);
    e->known = e->converged = false;
    e->echo_in = e->echo_out = 0;
    e->poor = e->good = 0;
}

/* Longer than any delay, the loudspeaker was loud and the microphone had nothing. Once that is so,
 * who is heard is the user. */
static void listen_for_echo(struct nearend *e, const int16_t mic[DSP_FRAME],
                            const int16_t ref[DSP_FRAME])
{
    float mic_db = 10 * log10f(energy(mic) + ENERGY_LEAST);

    if (peak(ref) < LOUD_REF)
        return;
    e->hush = mic_db < e->heard.noise_db + HUSH_DB ? e->hush + 1 : 0;
    e->echoless = e->hush >= HUSH_FRAMES || (e->echoless && !e->heard.echo);
}

/* The canceller's share of one frame: x is what it leaves of mic, ref what the loudspeaker played.
 */
static void cancel(struct nearend *e, const int16_t mic[DSP_FRAME], int16_t ref[DSP_FRAME],
                   int16_t x[DSP_FRAME])
{
    bool there;

    if (!e->align) {
        memcpy(x, mic, DSP_FRAME * sizeof(*x));
        memset(ref, 0, DSP_FRAME * sizeof(*ref));
        return;
    }
    there = align_frame(e->align, mic, ref);
    if (there && peak(ref) > REF_SILENT) {
        e->linger = e->found ? LINGER_FRAMES : LINGER_BLIND;
        e->sounded += e->sounded < BLIND_FRAMES;
        listen_for_echo(e, mic, ref);
    } else if (e->linger > 0) {
        e->linger--;
    }
    if (!aec_run(e->aec, mic, ref, x))
        unlearn(e);
}

/* As long as the delay of the echo is not known, and for a moment after that. */
static bool is_blind(const struct nearend *e)
{
    if (!e->align || e->converged)
        return false;
    return (!e->found || e->heard.seen < FIRST_FRAMES) && !has_no_echo(e);
}

static enum barge_state decide(struct nearend *e, bool playing)
{
    const struct suppress_state *h = &e->heard;
    bool heard = e->linger > 0;
    struct barge_input in = {.playing = playing && e->ears[0].vad && !e->hopeless,
                             .blind = is_blind(e),
                             .converged = e->converged,
                             .echo = heard,
                             .speech = e->speech,
                             .snr_db = h->snr_db,
                             .near_db = h->near_db,
                             .noise_db = h->noise_db};

    return barge_step(&e->barge, &in);
}

/* When all that was heard dies together with the loudspeaker, it was the loudspeaker: somebody has
 * moved something, and what was learnt does not fit any more. Or it was a user who has just ended a
 * word: it is certain once nothing has come after it and the hold is over. */
static void doubt_canceller(struct nearend *e, const int16_t x[DSP_FRAME])
{
    float near_db = e->heard.near_db;

    if (e->state != BARGE_HOLD) {
        if (e->doubted && e->state == BARGE_PLAY) {
            suppress_relearn(e->suppress);
            e->known = e->converged = false;
            e->echo_in = e->echo_out = 0;
        }
        e->doubted = false;
        e->loud_db = fmaxf(near_db, e->loud_db - LOUD_DECAY_DB);
        e->mic_energy += KEPT_SMOOTH * (energy(e->mic) - e->mic_energy);
        e->kept_energy += KEPT_SMOOTH * (energy(x) - e->kept_energy);
        return;
    }
    if (near_db > e->loud_db - SETTLED_DB)
        e->doubted = false;
    else if (e->linger == LINGER_FRAMES - SETTLED_FRAMES)
        e->doubted = e->converged && e->kept_energy >= KEPT * e->mic_energy;
}

void nearend_run(struct nearend *e, const int16_t mic[DSP_FRAME], bool playing,
                 int16_t out[DSP_FRAME], struct nearend_verdict *v)
{
    int16_t x[DSP_FRAME], ref[DSP_FRAME], now[DSP_FRAME];

    memcpy(now, mic, sizeof(now)); /* out may be mic */
    cancel(e, now, ref, x);
    suppress_run(e->suppress, now, ref, x, out, &e->heard);
    listen(e, out);
    measure_echo(e, out);
    memcpy(e->mic, now, sizeof(now));
    judge_canceller(e);
    judge_hope(e);
    e->state = decide(e, playing);
    doubt_canceller(e, x);
    *v = (struct nearend_verdict){.state = e->state,
                                  .converged = e->converged,
                                  .hopeless = e->hopeless,
                                  .moved = e->moved,
                                  .speech = e->speech,
                                  .erle_db = erle_db(e),
                                  .snr_db = e->heard.snr_db,
                                  .near_db = e->heard.near_db,
                                  .noise_db = e->heard.noise_db,
                                  .clipped = peak(now) >= FULL_SCALE};
    if (v->state != BARGE_PLAY)
        v->onset_ms = (unsigned)(e->barge.frame - e->barge.onset) * 10;
    e->moved = false;
}

void nearend_lost(struct nearend *e, int64_t near, int64_t far)
{
    if (e->align)
        align_lost(e->align, near, far);
}

bool nearend_due(struct nearend *e)
{
    return e->align && align_due(e->align);
}

void nearend_measure(struct nearend *e)
{
    if (e->align)
        align_measure(e->align);
}

/* The latest second once more, now that the delay is known: a canceller that begins at the
 * beginning of what was said, and not in the middle, is 5 dB better for the next 15 s. */
static void restart_canceller(struct nearend *e)
{
    int16_t mic[DSP_FRAME], ref[DSP_FRAME], out[DSP_FRAME];

    aec_reset(e->aec);
    for (int ago = AGAIN_FRAMES; ago-- > 0;)
        if (align_again(e->align, ago, mic, ref))
            aec_run(e->aec, mic, ref, out);
}

void nearend_adopt(struct nearend *e)
{
    enum align_news news = e->align ? align_adopt(e->align) : ALIGN_NONE;

    if (news != ALIGN_MOVED && news != ALIGN_FOUND)
        return;
    restart_canceller(e);
    unlearn(e);
    for (size_t i = 0; i < EARS && e->ears[i].vad; i++)
        vad_reset(e->ears[i].vad);
    e->found = true;
    e->echoless = false;
    e->hush = 0;
    e->moved = news == ALIGN_MOVED;
}

void nearend_align(const struct nearend *e, struct align_state *out)
{
    *out = (struct align_state){.known = false};
    if (e->align)
        align_state(e->align, out);
}

void nearend_memory(const struct nearend *e, struct nearend_memory *out)
{
    *out = (struct nearend_memory){.n = 0};
    if (!e->align || !e->converged)
        return;
    align_state(e->align, &out->align);
    if (out->align.known)
        out->n = aec_response(e->aec, out->response, NEAREND_RESPONSE);
}

void nearend_free(struct nearend *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < EARS; i++)
        vad_free(e->ears[i].vad);
    suppress_free(e->suppress);
    aec_free(e->aec);
    align_free(e->align);
    free(e);
}
