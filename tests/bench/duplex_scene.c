#include "duplex_scene.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dsp/resample.h"
#include "duplex_player.h"
#include "room/room_air.h"

#define REPLY  (30 * DSP_HZ)   /* while it is alone */
#define PAUSE  (1 * DSP_HZ)    /* between two replies */
#define AFTER  (1 * DSP_HZ)    /* a trial goes on so long after its sound */
#define MOST   (2 * DSP_FRAME) /* that the loudspeaker takes in one step */
#define FIRST  (2 * DSP_HZ)    /* of playback, reported apart */
#define LEARNT (5 * DSP_HZ)    /* from here on, ERLE is of a canceller that has learnt */
#define NOBODY SIZE_MAX

#define DEVICE_HZ    48000
#define DEVICE_FRAME (DEVICE_HZ / 100)

struct scene {
    const struct plan *plan;
    const struct scene_config *config;
    const struct scene_sink *sink;
    struct scene_result *out;
    struct room_air *air;
    struct nearend *chain;
    struct player player;
    struct resample *in, *far, *out48; /* NULL: not timed */
    double speed;                      /* loudspeaker samples per microphone sample */
    uint64_t system;                   /* samples from the player to the loudspeaker's sound */
    uint64_t now;                      /* microphone samples so far */
    uint64_t played;                   /* of them with a reply, nobody speaking */
    uint64_t since;                    /* the same, since the latest reply or trial */
    uint64_t reply_at;                 /* when the next reply begins */
    enum barge_state state;            /* as the chain has it */
    size_t trial;                      /* which is next, or on */
    uint64_t onset, end;               /* of the trial that is on; end 0: none is */
    struct scene_outcome outcome;
    double heard[2], left[2]; /* energies for the ERLE */
    int16_t said[DSP_FRAME];  /* what the user said in this frame */
    size_t said_n;
};

static double seconds(uint64_t samples)
{
    return (double)samples / DSP_HZ;
}

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void on_samples(void *user, int16_t speaker, int16_t mic, int16_t said)
{
    struct scene *s = user;

    (void)speaker;
    (void)mic;
    if (s->said_n < DSP_FRAME)
        s->said[s->said_n++] = said;
}

static void on_event(void *user, enum room_event event, uint64_t at, int detail)
{
    (void)user;
    (void)event;
    (void)at;
    (void)detail;
}

/* --- what happens when */

static bool trial_is_on(const struct scene *s)
{
    return s->end > 0;
}

static bool is_alone(const struct scene *s)
{
    return seconds(s->played) < s->plan->alone_s;
}

static void begin_trial(struct scene *s)
{
    const struct sound *x = &s->plan->trials[s->trial].sound;

    room_air_say(s->air, x->x, x->n);
    s->onset = s->now + x->onset;
    s->end = s->now + x->n + AFTER;
    s->outcome = (struct scene_outcome){seconds(s->onset), SCENE_NEVER, SCENE_NEVER,
                                        SCENE_NEVER,       SCENE_NEVER, SCENE_NEVER};
}

/* ms from the onset to when a sample sounds. */
static double after_onset_ms(const struct scene *s, uint64_t sample)
{
    return ((double)(sample + s->system) / s->speed - (double)s->onset) * 1000 / DSP_HZ;
}

static void end_trial(struct scene *s)
{
    if (s->outcome.hold_ms > SCENE_NEVER || s->outcome.stop_ms > SCENE_NEVER)
        s->outcome.silent_ms = after_onset_ms(s, s->player.silent_at);
    if (s->player.resumed_at > s->player.silent_at && s->outcome.hold_ms > SCENE_NEVER)
        s->outcome.resumed_ms = after_onset_ms(s, s->player.resumed_at);
    s->sink->trial(s->sink->user, &s->plan->trials[s->trial], &s->outcome);
    s->trial++;
    s->end = s->since = 0;
    if (!s->player.talking)
        s->reply_at = s->now + PAUSE / 2;
}

/* Before each frame. False when all is over. */
static bool direct(struct scene *s)
{
    const struct trial *next = &s->plan->trials[s->trial];

    if (trial_is_on(s) && s->now >= s->end)
        end_trial(s);
    if (trial_is_on(s))
        return true;
    if (!is_alone(s) && s->trial >= s->plan->trial_count)
        return false;
    if (!s->player.talking && s->now >= s->reply_at) {
        player_begin(&s->player);
        s->since = 0;
    } else if (is_alone(s) && s->player.talking && s->since >= REPLY && !s->player.ending) {
        player_end(&s->player);
        s->reply_at = s->now + PAUSE;
    } else if (!is_alone(s) && s->player.talking && s->state == BARGE_PLAY &&
               s->since * 1000 / DSP_HZ >= (uint64_t)next->wait_ms) {
        begin_trial(s);
    }
    return true;
}

/* --- what the chain decides */

static void note_trial(struct scene *s, enum barge_state state)
{
    double *first = state == BARGE_DUCK   ? &s->outcome.duck_ms
                    : state == BARGE_HOLD ? &s->outcome.hold_ms
                                          : &s->outcome.stop_ms;

    if (*first <= SCENE_NEVER)
        *first = fmax(0, ((double)s->now - (double)s->onset) * 1000 / DSP_HZ);
}

static void note_false(struct scene *s, enum barge_state state)
{
    struct scene_false *f = s->played < FIRST ? &s->out->first : &s->out->later;
    const char *what = state == BARGE_DUCK ? "duck" : state == BARGE_HOLD ? "hold" : "stop";

    *(state == BARGE_DUCK ? &f->ducks : state == BARGE_HOLD ? &f->holds : &f->stops) += 1;
    s->sink->false_alarm(s->sink->user, what, seconds(s->now));
}

static void obey(struct scene *s, enum barge_state state)
{
    if (state != s->state && state > s->state) {
        if (trial_is_on(s))
            note_trial(s, state);
        else
            note_false(s, state);
    }
    player_obey(&s->player, state);
    s->state = state == BARGE_STOP ? BARGE_PLAY : state;
    if (state == BARGE_STOP && !trial_is_on(s))
        s->reply_at = s->now + PAUSE;
}

static void measure(struct scene *s, const int16_t *mic, const int16_t *out,
                    const struct nearend_verdict *v)
{
    int which = s->played < FIRST ? 0 : s->played >= LEARNT ? 1 : -1, i;

    if (v->converged && s->out->converged_s < 0)
        s->out->converged_s = seconds(s->played);
    s->out->hopeless += v->hopeless;
    for (i = 0; which >= 0 && s->state == BARGE_PLAY && i < DSP_FRAME; i++) {
        s->heard[which] += (double)mic[i] * mic[i];
        s->left[which] += (double)out[i] * out[i];
    }
}

static void trace(const struct scene *s, const struct nearend_verdict *v)
{
    double power = 1;
    int i;

    for (i = 0; i < DSP_FRAME; i++)
        power += (double)s->said[i] * s->said[i] / DSP_FRAME;
    fprintf(s->config->trace, "%.2f %d %d %d %.3f %.1f %.1f %.1f %.1f %d %d %.1f\n",
            seconds(s->now), s->player.talking, trial_is_on(s), (int)v->state, (double)v->speech,
            (double)v->snr_db, (double)v->near_db, (double)v->noise_db, (double)v->erle_db,
            v->converged, v->hopeless, 10 * log10(power / 32768 / 32768));
}

static void listen(struct scene *s, const int16_t *mic)
{
    struct nearend_verdict v = {0};
    int16_t out[DSP_FRAME];
    double from = cpu_s();

    nearend_run(s->chain, mic, s->player.talking && !s->player.ending, out, &v);
    if (nearend_due(s->chain)) {
        nearend_measure(s->chain);
        nearend_adopt(s->chain);
    }
    s->out->cpu_s += cpu_s() - from;
    if (s->player.talking && !trial_is_on(s))
        measure(s, mic, out, &v);
    if (s->config->trace != NULL)
        trace(s, &v);
    if (s->player.talking)
        obey(s, v.state);
}

/* --- the loop */

/* What a device takes while it gives the next frame of the microphone; it sounds system_ms later.
 */
static void feed(struct scene *s)
{
    uint64_t to = (uint64_t)ceil((double)(s->now + DSP_FRAME) * s->speed);

    while (s->player.made < to) {
        uint64_t at = s->player.made + s->system;
        size_t n = to - s->player.made < MOST ? (size_t)(to - s->player.made) : MOST;
        int16_t x[MOST];
        double from;

        player_fill(&s->player, x, n);
        room_air_play(s->air, at, x, n);
        from = cpu_s();
        if (s->chain != NULL)
            nearend_far(s->chain, x, n);
        s->out->cpu_s += cpu_s() - from;
        if (s->config->far != NULL)
            fwrite(x, sizeof *x, n, s->config->far);
    }
}

/* What conversion costs in the live path; what comes out is not used. */
static void convert(struct scene *s, const int16_t *mic)
{
    int16_t device[2 * DEVICE_FRAME], x[2 * DSP_FRAME];
    size_t n = DSP_FRAME, m = 2 * DEVICE_FRAME, k = DEVICE_FRAME, l = 2 * DSP_FRAME;
    double from = cpu_s();

    memset(device, 0, sizeof device);
    resample_run(s->out48, mic, &n, device, &m);
    resample_run(s->in, device, &k, x, &l);
    k = DEVICE_FRAME, l = 2 * DSP_FRAME;
    resample_run(s->far, device, &k, x, &l);
    s->out->resampling_cpu_s += cpu_s() - from;
}

static void step(struct scene *s)
{
    int16_t mic[DSP_FRAME];

    feed(s);
    s->said_n = 0;
    room_air_advance(s->air, s->now + DSP_FRAME);
    room_air_heard(s->air, s->now, mic, DSP_FRAME);
    s->now += DSP_FRAME;
    if (s->chain != NULL) {
        listen(s, mic);
        if (s->config->resample)
            convert(s, mic);
    } else {
        fwrite(mic, sizeof *mic, DSP_FRAME, s->config->mic);
        fwrite(s->said, sizeof *s->said, DSP_FRAME, s->config->said);
    }
    if (s->player.talking && !trial_is_on(s)) {
        s->played += DSP_FRAME;
        s->since += DSP_FRAME;
    }
}

static double erle_db(double heard, double left)
{
    return heard > 0 ? 10 * log10(heard / fmax(left, 1)) : 0;
}

static void run(struct scene *s)
{
    struct scene_result *r = s->out;

    player_init(&s->player, s->plan->clips, s->plan->clip_count);
    s->reply_at = DSP_HZ / 2;
    r->converged_s = SCENE_NEVER;
    while (direct(s))
        step(s);
    r->alone_s = fmax(0, seconds(s->played) - seconds(FIRST));
    r->echo_db[0] = erle_db(s->heard[0], s->left[0]);
    r->echo_db[1] = erle_db(s->heard[1], s->left[1]);
    r->hopeless /= fmax(1, (double)s->played / DSP_FRAME);
    r->run_s = seconds(s->now);
}

static int make_converters(struct scene *s)
{
    int ret = resample_new(&s->in, DEVICE_HZ, DSP_HZ);

    if (ret == 0)
        ret = resample_new(&s->far, DEVICE_HZ, DSP_HZ);
    return ret == 0 ? resample_new(&s->out48, DSP_HZ, DEVICE_HZ) : ret;
}

int scene_run(struct scene_result *out, const struct plan *plan, const struct scene_config *config,
              const struct scene_sink *sink, char *why, size_t size)
{
    struct nearend_config chain = {NEAREND_SPEEX, config->level, config->weights, NULL};
    struct scene *s = calloc(1, sizeof *s);
    struct room_sink room = {on_samples, on_event, s};
    int ret = s == NULL ? -ENOMEM : 0;

    memset(out, 0, sizeof *out);
    snprintf(why, size, "out of memory");
    if (ret == 0) {
        s->plan = plan;
        s->config = config;
        s->sink = sink;
        s->out = out;
        s->system = (uint64_t)plan->system_ms * DSP_HZ / 1000;
        s->speed = 1 + plan->knobs.drift_ppm * 1e-6;
        ret = room_air_new(&s->air, &plan->knobs, &room, why, size);
    }
    if (ret == 0 && config->mic == NULL)
        ret = nearend_new(&s->chain, &chain);
    if (ret == 0 && config->resample)
        ret = make_converters(s);
    if (ret == 0)
        run(s);
    if (s != NULL) {
        resample_free(s->in);
        resample_free(s->far);
        resample_free(s->out48);
        nearend_free(s->chain);
        room_air_free(s->air);
    }
    free(s);
    return ret;
}
