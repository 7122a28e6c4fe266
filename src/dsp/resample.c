#include "dsp/resample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <speex/speex_resampler.h>

#define LOWEST_HZ  1000
#define HIGHEST_HZ 768000
#define QUALITY    5 /* 80 taps: flat to 0.89 of the lower Nyquist frequency, noise below 16 bits */
#define MOST       (1u << 20) /* samples for one call of Speex, whose counts are 32 bits wide */

struct resample {
    SpeexResamplerState *speex; /* NULL: equal rates, a copy */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

int resample_new(struct resample **out, int from_hz, int to_hz)
{
    *out = NULL;
    if (from_hz < LOWEST_HZ || from_hz > HIGHEST_HZ || to_hz < LOWEST_HZ || to_hz > HIGHEST_HZ)
        return -EINVAL;

    struct resample *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    if (from_hz != to_hz) {
        int failed = 0;
        r->speex =
            speex_resampler_init(1, (spx_uint32_t)from_hz, (spx_uint32_t)to_hz, QUALITY, &failed);
        if (!r->speex) {
            free(r);
            return -ENOMEM;
        }
        speex_resampler_skip_zeros(r->speex);
    }
    *out = r;
    return 0;
}

void resample_run(struct resample *r, const int16_t *x, size_t *n, int16_t *y, size_t *m)
{
    size_t consumed = 0, produced = 0;

    if (!r->speex) {
        consumed = produced = least(*n, *m);
        if (consumed > 0)
            memcpy(y, x, consumed * sizeof(*x));
    }
    while (r->speex && consumed < *n && produced < *m) {
        spx_uint32_t in = (spx_uint32_t)least(*n - consumed, MOST);
        spx_uint32_t made = (spx_uint32_t)least(*m - produced, MOST);
        speex_resampler_process_int(r->speex, 0, x + consumed, &in, y + produced, &made);
        if (in == 0 && made == 0)
            break;
        consumed += in;
        produced += made;
    }
    *n = consumed;
    *m = produced;
}

size_t resample_tail(const struct resample *r)
{
    return r->speex ? (size_t)speex_resampler_get_input_latency(r->speex) : 0;
}

void resample_free(struct resample *r)
{
    if (!r)
        return;
    if (r->speex)
        speex_resampler_destroy(r->speex);
    free(r);
}
