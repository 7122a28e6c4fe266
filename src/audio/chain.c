#include "audio/chain.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "audio/lapse.h"
#include "audio/sieve.h"
#include "dsp/resample.h"
#include "util/os.h"

#define NEAREND_LATE_NS (10 * (int64_t)1000000)

#define STEP      480  /* device samples that are resampled at once */
#define APART_MAX 2000 /* ms between the starts of two streams that are believed */

/* One direction, on its way from the device's rate to frames. */
struct end {
    struct timering *ring;
    int hz;
    struct resample *resample;
    struct lapse lapse;
    uint64_t lost;   /* of the ring, as counted last */
    int16_t x[STEP]; /* at the device's rate */
    size_t n, used;  /* in x */
    uint64_t in;     /* device samples before x[0] */
    int64_t at_ns;   /* when x[0] was */
    uint64_t made;   /* samples at 16 kHz so far */
    bool begun;
    int64_t begun_ns;   /* when sample 0 was handed over */
    int64_t latency_ns; /* from the handing over to the sound, or back */
    bool forward;       /* handed over before it sounds */
};

enum job { JOB_NONE, JOB_ASKED, JOB_DONE };

struct chain {
    struct chain_ends ends;
    struct end near, far;
    bool apart;              /* two streams, which start when they like, not paired yet */
    struct nearend *nearend; /* NULL without a far end */
    int16_t mic[DSP_FRAME];
    size_t n;                 /* in mic */
    struct sieve_watch watch; /* of what Speex prints */

    /* The helper. */
    _Atomic int job; /* enum job: what is not NONE belongs to whom it names */
    _Atomic bool stop;
    struct os_sem *wanted;
    pthread_t helper;
    bool running;
};

static void *help(void *user)
{
    struct chain *c = user;

    os_thread_role("hullo-align", OS_ROLE_ENGINE);
    for (;;) {
        os_sem_wait(c->wanted, 1000);
        if (atomic_load(&c->stop))
            return NULL;
        if (atomic_load_explicit(&c->job, memory_order_acquire) != JOB_ASKED)
            continue;
        nearend_measure(c->nearend);
        atomic_store_explicit(&c->job, JOB_DONE, memory_order_release);
    }
}

/* Speex prints to the screen when it starts from nothing, which nearend copes with. */
static enum sieve_verdict drop_speex(void *user, const char *text, size_t n)
{
    static const char begin[] = "warning: The echo canceller";

    (void)user;
    return n >= sizeof begin - 1 && memcmp(text, begin, sizeof begin - 1) == 0 ? SIEVE_TAKEN
                                                                               : SIEVE_PASS;
}

/* --- making and unmaking */

static int end_init(struct end *end, struct timering *ring, int hz, double latency_ms)
{
    end->ring = ring;
    end->hz = hz;
    end->latency_ns = (int64_t)(latency_ms * 1e6);
    lapse_init(&end->lapse, hz);
    return resample_new(&end->resample, hz, DSP_HZ);
}

static int make_nearend(struct chain *c, const struct nearend_config *config)
{
    const struct audio_stream *s = c->ends.stream;
    int rc = end_init(&c->far, c->ends.far, s->out_hz, s->out_latency_ms);

    c->far.forward = true;
    c->watch.look = drop_speex;
    sieve_add(&c->watch); /* before a memory is trained, too */
    if (rc == 0)
        rc = nearend_new(&c->nearend, config);
    if (rc == 0)
        rc = os_sem_new(&c->wanted);
    if (rc == 0)
        rc = -pthread_create(&c->helper, NULL, help, c);
    c->running = rc == 0;
    return rc;
}

int chain_new(struct chain **out, const struct chain_ends *ends,
              const struct nearend_config *config)
{
    struct chain *c = calloc(1, sizeof *c);
    int rc;

    *out = NULL;
    if (c == NULL)
        return -ENOMEM;
    c->ends = *ends;
    c->apart = ends->stream->two_streams;
    rc = end_init(&c->near, ends->near, ends->stream->in_hz, ends->stream->in_latency_ms);
    if (rc == 0 && ends->far != NULL)
        rc = make_nearend(c, config);
    if (rc < 0) {
        chain_free(c);
        return rc;
    }
    *out = c;
    return 0;
}

void chain_free(struct chain *c)
{
    if (c == NULL)
        return;
    if (c->running) {
        atomic_store(&c->stop, true);
        os_sem_post(c->wanted);
        pthread_join(c->helper, NULL);
    }
    sieve_remove(&c->watch);
    nearend_free(c->nearend);
    os_sem_free(c->wanted);
    resample_free(c->near.resample);
    resample_free(c->far.resample);
    free(c);
}

void chain_memory(const struct chain *c, struct nearend_memory *out)
{
    if (c->nearend != NULL)
        nearend_memory(c->nearend, out);
    else
        *out = (struct nearend_memory){.n = 0};
}

void chain_align(const struct chain *c, struct align_state *out)
{
    if (c->nearend != NULL)
        nearend_align(c->nearend, out);
    else
        *out = (struct align_state){.known = false};
}

/* --- the worker */

static int64_t at_16khz(const struct end *end, int64_t samples)
{
    return samples * DSP_HZ / end->hz;
}

/* Reads on from the ring. Returns how many samples at 16 kHz turned out to be missing. */
static int64_t fill(struct end *end)
{
    uint64_t lost;
    int64_t missing;

    end->in += end->n;
    end->used = 0;
    end->n = timering_read(end->ring, end->x, STEP, &end->at_ns);
    if (end->n == 0)
        return 0;
    if (!end->begun) {
        end->begun = true;
        end->begun_ns = end->at_ns + (end->forward ? -end->latency_ns : end->latency_ns);
    }
    lost = timering_lost(end->ring) - end->lost;
    end->lost += lost;
    missing = lapse_step(&end->lapse, end->n, end->at_ns, lost);
    return at_16khz(end, (int64_t)lost + missing);
}

/* Makes up to *m samples of y; *m is what was made. Returns how many were missing before. */
static int64_t convert(struct end *end, int16_t *y, size_t *m)
{
    int64_t missing = 0;
    size_t done = 0;

    while (done < *m && missing == 0) {
        size_t n, made = *m - done;
        if (end->used == end->n)
            missing = fill(end);
        if (end->used == end->n)
            break;
        n = end->n - end->used;
        resample_run(end->resample, end->x + end->used, &n, y + done, &made);
        end->used += n;
        done += made;
        if (n == 0 && made == 0)
            break;
    }
    end->made += done;
    *m = done;
    return missing;
}

/* When sample `made` of the end sounds or sounded, counting from the latest time there is. */
static int64_t time_of(const struct end *end, uint64_t made)
{
    int64_t offset = (int64_t)(made * (uint64_t)end->hz / DSP_HZ) - (int64_t)end->in;

    return end->at_ns + offset * 1000000000 / end->hz;
}

/* Everything that was played until now. */
static void push_far(struct chain *c)
{
    int16_t y[STEP];
    int64_t missing;
    size_t n;

    do {
        n = STEP;
        missing = convert(&c->far, y, &n);
        nearend_far(c->nearend, y, n);
        if (missing != 0)
            nearend_lost(c->nearend, 0, missing);
    } while (n > 0 || missing != 0);
}

/* Two streams began at different times: the one that came later misses what the other had. */
static void pair(struct chain *c)
{
    int64_t late_ns;

    if (!c->apart || !c->near.begun || !c->far.begun)
        return;
    c->apart = false;
    late_ns = c->far.begun_ns - c->near.begun_ns;
    if (late_ns > APART_MAX * (int64_t)1000000 || late_ns < -APART_MAX * (int64_t)1000000)
        return;
    nearend_lost(c->nearend, 0, late_ns / 1000 * DSP_HZ / 1000000);
}

static void align(struct chain *c)
{
    int job = atomic_load_explicit(&c->job, memory_order_acquire);

    if (job == JOB_DONE) {
        nearend_adopt(c->nearend);
        atomic_store_explicit(&c->job, JOB_NONE, memory_order_relaxed);
    } else if (job == JOB_NONE && nearend_due(c->nearend)) {
        atomic_store_explicit(&c->job, JOB_ASKED, memory_order_release);
        os_sem_post(c->wanted);
    }
}

/* Completes the frame in c->mic. */
static bool near_frame(struct chain *c)
{
    while (c->n < DSP_FRAME) {
        size_t n = DSP_FRAME - c->n;
        int64_t missing = convert(&c->near, c->mic + c->n, &n);
        if (missing != 0 && c->nearend != NULL)
            nearend_lost(c->nearend, missing, 0);
        c->n += n;
        if (n == 0 && missing == 0)
            return false;
    }
    c->n = 0;
    return true;
}

bool chain_frame(struct chain *c, bool playing, int16_t out[DSP_FRAME], int64_t *at_ns,
                 struct nearend_verdict *v)
{
    if (!near_frame(c))
        return false;
    *v = (struct nearend_verdict){.state = BARGE_PLAY};
    *at_ns = time_of(&c->near, c->near.made - DSP_FRAME);
    if (c->nearend == NULL) {
        memcpy(out, c->mic, sizeof c->mic);
        return true;
    }
    /* After the near end: the callback hands over what it played before what it captured. */
    push_far(c);
    pair(c);
    align(c);
    nearend_run(c->nearend, c->mic, playing, out, v);
    *at_ns -= NEAREND_LATE_NS;
    return true;
}
