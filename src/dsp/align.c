#include "dsp/align.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include "dsp/delay.h"
#include "dsp/drift.h"
#include "dsp/fraction.h"

#define PER_MS         16 /* samples */
#define MS(ms)         ((ms)*PER_MS)
#define FAR            ((size_t)1 << 17) /* samples that are kept, 8 s */
#define NEAR           ((size_t)1 << 16)
#define WINDOW         (DSP_HZ * 38 / 10) /* the longest stretch that is measured at once */
#define RANGE          MS(ALIGN_TO_MS - ALIGN_FROM_MS)
#define COUNT          ((int64_t)1 << 40) /* more samples than this were never lost, nor is time longer */
#define LEAD           MS(ALIGN_LEAD_MS)
#define SOUND          100.0 /* rms from which a frame of the far end may be heard */
#define JUMP           8.0   /* samples off from which the reference jumps */
#define JUMP_YOUNG     2.0   /* the same for the first measurements: nothing was learnt yet */
#define YOUNG          4
#define GLIDE_S        60.0    /* takes what it is off by out in about that time */
#define EXPECT         MS(2)   /* how far from the line a peak is still preferred */
#define SURE_KNOWN_PPM 5.0     /* of a drift measured for these devices earlier */
#define HEADS          400     /* frames over which the two counts are compared */
#define STRAYED        MS(100) /* more than this between them is no drift */
#define SHORT          100     /* see follow_shortage */

_Static_assert(PER_MS * 1000 == DSP_HZ, "samples in a millisecond");

struct history { /* the latest samples of a stream; before the first one there is silence */
    int16_t *x;
    size_t size; /* a power of 2 */
    int64_t n;   /* samples so far */
};

struct job {
    bool out;    /* handed over */
    bool stale;  /* the streams were reset meanwhile */
    int64_t at;  /* near sample at which it begins */
    int64_t lag; /* far[RANGE's end] was at sample at - lag */
    size_t n;
    struct delay_hint hint;
    struct delay_found found;
    struct delay *delay;
    int16_t far[WINDOW + RANGE];
    int16_t near[WINDOW];
};

struct align {
    struct history far, near;
    struct drift line; /* of delays in seconds, against the near end's time */
    bool known;        /* the delay: found, or given */
    double quality;
    int measured;
    double delay; /* in samples, now: the reference is read that far behind, less lead */
    double lead;  /* samples */
    int shortage;
    double drifted;            /* samples that the clocks are apart since the start */
    double heads, heads_start; /* near count less far count, smoothed */
    int frames;                /* until HEADS */
    int64_t window;            /* near sample at which the next window begins */
    int active;                /* frames of far end with sound since then */
    int missed;                /* measurements in a row that gave nothing */
    bool doubt;                /* the latest did not fit */
    struct fraction fraction;
    struct job job;
    int16_t far_x[FAR], near_x[NEAR];
};

static void begin(struct align *a, const struct align_state *start)
{
    bool known = start && start->known && start->delay_ms >= ALIGN_FROM_MS &&
                 start->delay_ms <= ALIGN_TO_MS && fabs(start->drift_ppm) <= DRIFT_PPM_MAX;

    memset(a->far_x, 0, sizeof(a->far_x));
    memset(a->near_x, 0, sizeof(a->near_x));
    a->far = (struct history){a->far_x, FAR, 0};
    a->near = (struct history){a->near_x, NEAR, 0};
    drift_init(&a->line, known ? start->drift_ppm : 0, known ? SURE_KNOWN_PPM : DRIFT_PPM_ANY);
    a->known = known;
    a->lead = LEAD;
    a->delay = known ? start->delay_ms * DSP_HZ / 1000 : LEAD;
    a->quality = a->drifted = a->heads = a->heads_start = 0;
    a->measured = a->shortage = a->frames = a->active = a->missed = 0;
    a->window = 0;
    a->doubt = false;
    a->job.stale = true;
}

int align_new(struct align **out, const struct align_state *start)
{
    *out = NULL;
    struct align *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    int ret = delay_new(&a->job.delay, MS(ALIGN_FROM_MS), MS(ALIGN_TO_MS));
    if (ret < 0) {
        free(a);
        return ret;
    }
    fraction_init(&a->fraction);
    begin(a, start);
    *out = a;
    return 0;
}

void align_reset(struct align *a)
{
    begin(a, NULL);
}

void align_free(struct align *a)
{
    if (!a)
        return;
    delay_free(a->job.delay);
    free(a);
}

static void history_add(struct history *h, const int16_t *x, size_t n)
{
    if (n > h->size) {
        h->n += (int64_t)(n - h->size);
        x += n - h->size;
        n = h->size;
    }
    size_t at = (size_t)h->n & (h->size - 1);
    size_t first = n < h->size - at ? n : h->size - at;
    memcpy(h->x + at, x, first * sizeof(*x));
    memcpy(h->x, x + first, (n - first) * sizeof(*x));
    h->n += (int64_t)n;
}

/* Samples at.. of the stream; silence for those that are not there. */
static void history_read(const struct history *h, int64_t at, int16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t k = at + (int64_t)i;
        bool there = k < h->n && k >= h->n - (int64_t)h->size;
        x[i] = there ? h->x[(size_t)k & (h->size - 1)] : 0;
    }
}

static void history_skip(struct history *h, int64_t n)
{
    if (n > 0) {
        int64_t silent = n < (int64_t)h->size ? n : (int64_t)h->size;
        for (int64_t k = h->n + n - silent; k < h->n + n; k++)
            h->x[(size_t)k & (h->size - 1)] = 0;
    }
    h->n += n;
}

void align_far(struct align *a, const int16_t *x, size_t n)
{
    if (n > 0)
        history_add(&a->far, x, n);
}

/* Seconds of the near end. */
static double seconds(double samples)
{
    return samples / DSP_HZ;
}

static double line_samples(const struct align *a)
{
    return drift_delay(&a->line, seconds((double)a->near.n)) * DSP_HZ;
}

/* What the line says the drift is, and a little more to be on it some day. */
static double read_ppm(const struct align *a)
{
    if (a->line.n == 0)
        return a->line.ppm;
    return a->line.ppm + seconds(line_samples(a) - a->delay) / GLIDE_S * 1e6;
}

/* The search range follows the drift. Where nothing was measured yet, or when one end lost a lot
 * that nobody told us of, the counts of both ends say how far they are apart. */
static void follow_heads(struct align *a)
{
    double heads = (double)(a->near.n - a->far.n);

    if (a->frames < HEADS)
        a->frames++;
    a->heads += (heads - a->heads) / a->frames;
    if (2 * a->frames <= HEADS)
        a->heads_start = a->heads;
    double apart = a->heads - a->heads_start;
    if (a->frames == HEADS && (a->line.n == 0 || fabs(apart - a->drifted) > STRAYED))
        a->drifted = apart;
}

/* When frame after frame comes before its far end, the lead was too long. */
static void follow_shortage(struct align *a, int64_t missing)
{
    if (missing <= 0) {
        if (a->shortage > 0)
            a->shortage--;
        return;
    }
    a->shortage += 10;
    if (a->shortage >= SHORT && a->lead > 0) {
        a->lead = fmax(0, a->lead - (double)missing);
        a->shortage = 0;
    }
}

/* Whether there is something to measure. The far end is looked at near its head, wherever its echo
 * may be: a wrong delay must not keep us from measuring again. */
static void count_sound(struct align *a, const int16_t *mic)
{
    int16_t x[DSP_FRAME];
    double far = 0;
    bool near = false;

    history_read(&a->far, a->near.n - (int64_t)llround(a->heads) - STRAYED, x, DSP_FRAME);
    for (int i = 0; i < DSP_FRAME; i++) {
        far += (double)(x[i] * x[i]);
        near = near || mic[i] != 0;
    }
    if (near && far > SOUND * SOUND * DSP_FRAME)
        a->active++;
}

/* The reference for the frame that begins at near sample `at`, for that delay then, growing by ppm.
 * False, and silence, where there is no far end; *missing: by how many samples it is late. */
static bool read_far(const struct align *a, int64_t at, double delay, double ppm,
                     int16_t ref[DSP_FRAME], int64_t *missing)
{
    double from = (double)at - delay + a->lead;
    int64_t whole = (int64_t)floor(from);
    int16_t near_by[FRACTION_SPAN];
    float x[FRACTION_SPAN], y[DSP_FRAME];

    memset(ref, 0, DSP_FRAME * sizeof(*ref));
    *missing = whole + DSP_FRAME - a->far.n;
    if (*missing > 0 || whole + DSP_FRAME <= 0 || whole + DSP_FRAME <= a->far.n - (int64_t)FAR)
        return false;
    history_read(&a->far, whole - FRACTION_BEFORE, near_by, FRACTION_SPAN);
    for (int i = 0; i < FRACTION_SPAN; i++)
        x[i] = near_by[i];
    double part = from - (double)whole;
    fraction_read(&a->fraction, x, y, part, part - ppm * 1e-6 * DSP_FRAME);
    for (int i = 0; i < DSP_FRAME; i++)
        ref[i] = (int16_t)lrintf(fmaxf(-32768, fminf(32767, y[i])));
    return true;
}

bool align_frame(struct align *a, const int16_t mic[DSP_FRAME], int16_t ref[DSP_FRAME])
{
    double ppm = read_ppm(a);
    int64_t missing;
    bool there = read_far(a, a->near.n, a->delay, ppm, ref, &missing);

    history_add(&a->near, mic, DSP_FRAME);
    follow_shortage(a, missing);
    a->delay += ppm * 1e-6 * DSP_FRAME;
    a->drifted += a->line.ppm * 1e-6 * DSP_FRAME;
    follow_heads(a);
    count_sound(a, mic);
    return there;
}

bool align_again(const struct align *a, int ago, int16_t mic[DSP_FRAME], int16_t ref[DSP_FRAME])
{
    int64_t back = ((int64_t)ago + 1) * DSP_FRAME, at = a->near.n - back;
    double ppm = a->line.ppm;
    int64_t missing;

    if (ago < 0 || at < 0 || back > (int64_t)NEAR)
        return false;
    history_read(&a->near, at, mic, DSP_FRAME);
    return read_far(a, at, a->delay - ppm * 1e-6 * (double)back, ppm, ref, &missing);
}

static int64_t bounded(int64_t n, int64_t have)
{
    if (n > COUNT - have)
        return COUNT - have;
    if (n < -COUNT - have)
        return -COUNT - have;
    return n;
}

void align_lost(struct align *a, int64_t near, int64_t far)
{
    near = bounded(near, a->near.n);
    double moved = a->line.ppm * 1e-6 * (double)near;

    history_skip(&a->near, near);
    history_skip(&a->far, bounded(far, a->far.n));
    a->delay += moved;
    a->drifted += moved;
}

/* Frames of sound until the next measurement. */
static int hop(const struct align *a)
{
    static const int waits[] = {50, 50, 100, 200, 200, 400};
    const int last = (int)(sizeof(waits) / sizeof(*waits)) - 1;

    if (a->line.n == 0) /* there may be no echo at all: headphones */
        return waits[a->missed < last ? a->missed : last];
    if (a->doubt || (a->missed > 0 && a->missed < 4))
        return 50;
    return waits[a->measured < 4 ? a->measured : 4];
}

/* Sound may be sparse: after 2 s, what there is is enough. */
static bool enough(const struct align *a)
{
    bool late = a->near.n - a->window >= 2 * DSP_HZ && a->missed == 0;

    return a->active >= hop(a) || (late && a->active >= 40);
}

/* Copies the latest sound of both ends for the job. */
static void fill(struct align *a)
{
    struct job *j = &a->job;
    int64_t n = a->near.n - a->window;

    j->n = (size_t)(n < WINDOW ? n : WINDOW);
    j->at = a->near.n - (int64_t)j->n;
    j->lag = (int64_t)llround(a->drifted);
    history_read(&a->near, j->at, j->near, j->n);
    history_read(&a->far, j->at - j->lag - MS(ALIGN_TO_MS), j->far, j->n + RANGE);
    j->hint = (struct delay_hint){.ppm = a->line.ppm};
    if (a->line.n > 0) {
        j->hint.samples =
            drift_delay(&a->line, seconds((double)j->at + (double)j->n / 2)) * DSP_HZ -
            (double)j->lag;
        j->hint.within = EXPECT;
    }
}

bool align_due(struct align *a)
{
    if (a->near.n < a->window) /* samples were taken back */
        a->window = a->near.n;
    if (a->job.out || !enough(a))
        return false;
    a->job.out = true;
    a->job.stale = false;
    fill(a);
    a->active = 0;
    return true;
}

void align_measure(struct align *a)
{
    struct job *j = &a->job;

    delay_find(j->delay, j->far, j->near, j->n, &j->hint, &j->found);
}

static enum align_news follow_line(struct align *a)
{
    double off = line_samples(a) - a->delay;
    bool first = a->measured == 0 && !a->known;

    a->known = true;
    if (!first && fabs(off) <= (a->measured < YOUNG ? JUMP_YOUNG : JUMP))
        return ALIGN_TUNED;
    a->delay += off;
    if (!first && fabs(off) <= JUMP)
        return ALIGN_TUNED;
    a->lead = LEAD;
    a->shortage = 0;
    return first ? ALIGN_FOUND : ALIGN_MOVED;
}

enum align_news align_adopt(struct align *a)
{
    struct job *j = &a->job;

    if (!j->out)
        return ALIGN_NONE;
    j->out = false;
    if (j->stale)
        return ALIGN_NONE;

    double at = seconds((double)j->at + j->found.at);
    double delay = seconds(j->found.samples + (double)j->lag);
    enum drift_news news = drift_add(&a->line, at, delay, j->found.quality);
    a->doubt = news == DRIFT_STRAY;
    a->missed = news == DRIFT_IGNORED ? a->missed + 1 : 0;
    if (news == DRIFT_IGNORED) /* the window grows */
        return ALIGN_NONE;
    a->window = j->at + (int64_t)j->n;
    if (news == DRIFT_STRAY)
        return ALIGN_NONE;

    a->quality = j->found.quality;
    enum align_news ret = follow_line(a);
    a->measured = news == DRIFT_JUMPED ? 2 : a->measured + 1;
    return ret;
}

void align_state(const struct align *a, struct align_state *out)
{
    *out = (struct align_state){
        .known = a->known,
        .delay_ms = 1000 * seconds(a->delay - a->drifted),
        .drift_ppm = a->line.ppm,
        .quality = a->quality,
        .measured = a->measured,
    };
}
