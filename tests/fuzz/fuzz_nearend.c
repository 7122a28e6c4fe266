/* fuzz_nearend - the duplex chain, from the microphone and the loudspeaker to the verdict. The
 * bytes choose what comes: sound of either end, none of it, samples that were lost, measurements
 * that take their time. Whatever that was, each verdict is within the ranges that its readers rely
 * on. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/nearend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_FRAMES 600
#define DB_LEAST    (-200.0f)
#define DB_MOST     200.0f

struct input {
    const uint8_t *at, *end;
};

struct run {
    struct input in;
    struct nearend *e;
    int frames;
    uint32_t noise;
    bool asked; /* a measurement is under way */
};

static unsigned take(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static int64_t take_count(struct input *in)
{
    static const int64_t extremes[] = {INT64_MAX, INT64_MIN, (int64_t)1 << 40, -((int64_t)1 << 40)};
    unsigned how = take(in), value = take(in);

    if (how < 16)
        return extremes[how % 4];
    return ((int64_t)value - 128) * ((int64_t)1 << (how % 32));
}

/* One frame of one of the kinds of sound that are hard on filters. */
static void make_sound(struct run *r, unsigned kind, int16_t x[DSP_FRAME])
{
    unsigned value = take(&r->in);

    for (int i = 0; i < DSP_FRAME; i++) {
        r->noise = r->noise * 1664525u + 1013904223u;
        switch (kind % 8) {
        case 0:
            x[i] = 0;
            break;
        case 1: /* noise at full scale */
            x[i] = (int16_t)(r->noise >> 16);
            break;
        case 2: /* direct current */
            x[i] = (int16_t)((int)(value << 8) - 32768);
            break;
        case 3: /* a square wave */
            x[i] = (unsigned)i / (value + 1) % 2 != 0 ? INT16_MAX : INT16_MIN;
            break;
        case 4: /* one click */
            x[i] = (unsigned)i == value % DSP_FRAME ? INT16_MIN : 0;
            break;
        case 5: /* noise of any level */
            x[i] = (int16_t)((int16_t)(r->noise >> 16) / (int)(value + 1));
            break;
        case 6: /* clipped */
            x[i] = (r->noise >> 31) != 0 ? INT16_MAX : INT16_MIN;
            break;
        default: /* samples of the input */
            x[i] = (int16_t)((take(&r->in) - 128) * 256);
        }
    }
}

static void check_level(float db)
{
    if (!(db >= DB_LEAST && db <= DB_MOST))
        abort();
}

static void check(const struct run *r, const struct nearend_verdict *v)
{
    struct align_state s;

    if (v->state < BARGE_PLAY || v->state > BARGE_STOP || !(v->speech >= 0 && v->speech <= 1))
        abort();
    check_level(v->erle_db);
    check_level(v->snr_db);
    check_level(v->near_db);
    check_level(v->noise_db);
    if (v->onset_ms > (unsigned)r->frames * 10)
        abort();
    nearend_align(r->e, &s);
    if (!isfinite(s.delay_ms) || !(fabs(s.drift_ppm) <= 250) || !isfinite(s.quality))
        abort();
}

static void hear(struct run *r, unsigned what)
{
    unsigned kind = take(&r->in), far_kind = kind >> 3, times = take(&r->in) % 64 + 1;
    int16_t near[DSP_FRAME], far[DSP_FRAME];
    struct nearend_verdict v;

    make_sound(r, kind, near);
    for (; times > 0 && r->frames < MOST_FRAMES; times--) {
        if (kind % 8 == 1 || kind % 8 == 6)
            make_sound(r, kind, near);
        if (far_kind < 16) { /* else it stays away */
            make_sound(r, far_kind, far);
            nearend_far(r->e, far, what % 16 == 15 ? 7 : DSP_FRAME);
        }
        if (what % 16 >= 12) /* our own echo, and nothing else */
            memcpy(near, far_kind < 16 ? far : near, sizeof near);
        r->frames++;
        nearend_run(r->e, near, what % 2 != 0, near, &v);
        check(r, &v);
    }
}

static void measure(struct run *r)
{
    if (r->asked) {
        nearend_adopt(r->e);
        r->asked = false;
    } else if (nearend_due(r->e)) {
        nearend_measure(r->e);
        r->asked = true;
    }
}

static void check_memory(const struct run *r)
{
    static struct nearend_memory m;

    nearend_memory(r->e, &m);
    if (m.n > NEAREND_RESPONSE)
        abort();
    for (size_t i = 0; i < m.n; i++)
        if (!isfinite(m.response[i]))
            abort();
}

static int begin(struct run *r)
{
    static struct nearend_memory m;
    unsigned how = take(&r->in);
    struct nearend_config config = {.aec = how % 8 == 7 ? NEAREND_SYSTEM : NEAREND_SPEEX,
                                    .level = (enum barge_level)(how / 8 % 3)};

    m = (struct nearend_memory){.n = 0};
    if (how >= 192) {
        m.align = (struct align_state){.known = true,
                                       .delay_ms = (double)take(&r->in) * 4,
                                       .drift_ppm = (double)take(&r->in) * 2 - 256};
        m.n = take(&r->in) * 15;
        for (size_t i = 0; i < m.n; i++)
            m.response[i] = (float)(i % 3) * 1000;
        config.memory = &m;
    }
    return nearend_new(&r->e, &config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {.in = {data, data + size}, .noise = 1};

    if (begin(&r) < 0)
        return 0;
    while (r.in.at < r.in.end && r.frames < MOST_FRAMES) {
        unsigned what = take(&r.in);
        if (what < 16) {
            int64_t near = take_count(&r.in);
            nearend_lost(r.e, near, take_count(&r.in));
        } else if (what < 64) {
            measure(&r);
        } else {
            hear(&r, what);
        }
    }
    check_memory(&r);
    nearend_free(r.e);
    return 0;
}
