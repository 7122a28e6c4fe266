#include "dsp/vad.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/vad_net.h"

#define CONTEXT 64  /* samples of the frame before */
#define REFLECT 64  /* samples mirrored after the last one */
#define HOP     128 /* of the STFT */
#define WINDOW  (CONTEXT + VAD_FRAME + REFLECT)
#define FRAMES  4 /* of the STFT in one window */

_Static_assert((WINDOW - VAD_TAPS) / HOP + 1 == FRAMES, "frames of the STFT");

struct vad {
    const struct vad_weights *w;
    float context[CONTEXT];
    float h[VAD_CELLS]; /* output and memory of the LSTM */
    float c[VAD_CELLS];
};

/* Four floats in one register on every machine that we build for; compilers that find wider ones
 * do not need to be told. */
typedef float float4 __attribute__((vector_size(16)));

/* One block of outputs of a layer, for `frames` columns at once: y[t][0..VAD_BLOCK) = bias + sum of
 * w[r] * x[r][t]. `frames` is a constant wherever this is inlined, so that the sums stay in
 * registers. */
static inline __attribute__((always_inline)) void
block(float *restrict y, size_t y_step, const float *restrict w, const float *restrict bias,
      const float *restrict x, size_t rows, size_t frames)
{
    float4 low[FRAMES], high[FRAMES], wl, wh;

    memcpy(&wl, bias, sizeof(wl));
    memcpy(&wh, bias + 4, sizeof(wh));
    for (size_t t = 0; t < frames; t++) {
        low[t] = wl;
        high[t] = wh;
    }
    for (size_t r = 0; r < rows; r++) {
        memcpy(&wl, w + r * VAD_BLOCK, sizeof(wl));
        memcpy(&wh, w + r * VAD_BLOCK + 4, sizeof(wh));
        for (size_t t = 0; t < frames; t++) {
            low[t] += wl * x[r * frames + t];
            high[t] += wh * x[r * frames + t];
        }
    }
    for (size_t t = 0; t < frames; t++) {
        memcpy(y + t * y_step, &low[t], sizeof(low[t]));
        memcpy(y + t * y_step + 4, &high[t], sizeof(high[t]));
    }
}

/* A whole layer: x is [rows][frames], y is [frames][outputs]. */
static inline __attribute__((always_inline)) void layer(float *y, const float *w, const float *bias,
                                                        const float *x, size_t rows, size_t outputs,
                                                        size_t frames)
{
    for (size_t o = 0; o < outputs; o += VAD_BLOCK)
        block(y + o, outputs, w + o * rows, bias + o, x, rows, frames);
}

static void relu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* The magnitude of four spectra of the window, bin after bin: out[t][bin]. */
static void spectrum(const struct vad_weights *w, const float *window, float *out)
{
    _Alignas(64) float x[VAD_TAPS * FRAMES];
    _Alignas(64) float y[FRAMES * VAD_STFT_OUT];

    for (size_t i = 0; i < VAD_TAPS; i++)
        for (size_t t = 0; t < FRAMES; t++)
            x[i * FRAMES + t] = window[t * HOP + i];
    layer(y, w->stft, w->stft_bias, x, VAD_TAPS, VAD_STFT_OUT, FRAMES);
    for (size_t t = 0; t < FRAMES; t++) {
        const float *re = y + t * VAD_STFT_OUT, *im = re + VAD_BINS;
        for (size_t i = 0; i < VAD_BINS; i++)
            out[t * VAD_BINS + i] = sqrtf(re[i] * re[i] + im[i] * im[i]);
    }
}

/* The columns that a convolution of width 3 multiplies: column j of `to` holds, tap after tap, the
 * channels of frames j * stride - 1 to j * stride + 1 of `from`; what lies outside is zero. */
static void gather(float *to, size_t columns, size_t stride, const float *from, size_t frames,
                   size_t channels)
{
    for (size_t tap = 0; tap < 3; tap++) {
        for (size_t j = 0; j < columns; j++) {
            size_t t = j * stride + tap; /* one more than the frame */
            float *column = to + tap * channels * columns + j;
            for (size_t i = 0; i < channels; i++)
                column[i * columns] = t >= 1 && t <= frames ? from[(t - 1) * channels + i] : 0;
        }
    }
}

/* The four convolutions: 4 spectra in, one column of 128 out. */
static void encode(const struct vad_weights *w, const float *spectra, float *out)
{
    _Alignas(64) float x[VAD_CONV1_IN * FRAMES];
    _Alignas(64) float y[FRAMES * VAD_CONV1_OUT];

    gather(x, FRAMES, 1, spectra, FRAMES, VAD_BINS);
    layer(y, w->conv1, w->conv1_bias, x, VAD_CONV1_IN, VAD_CONV1_OUT, FRAMES);
    relu(y, FRAMES * VAD_CONV1_OUT);

    gather(x, 2, 2, y, FRAMES, VAD_CONV1_OUT);
    layer(y, w->conv2, w->conv2_bias, x, VAD_CONV2_IN, VAD_CONV2_OUT, 2);
    relu(y, 2 * VAD_CONV2_OUT);

    /* Stride 2 over 2 frames leaves one, whose first tap lies before the first frame: what the
     * layer below wrote is its input as it stands, and the same goes for the last layer. */
    layer(x, w->conv3, w->conv3_bias, y, VAD_CONV3_IN, VAD_CONV3_OUT, 1);
    relu(x, VAD_CONV3_OUT);
    layer(out, w->conv4, w->conv4_bias, x, VAD_CONV4_IN, VAD_CONV4_OUT, 1);
    relu(out, VAD_CONV4_OUT);
}

/* One step of the LSTM; gates in the order input, forget, cell, output. */
static void remember(struct vad *v, const float *x)
{
    _Alignas(64) float in[VAD_LSTM_IN];
    _Alignas(64) float gate[VAD_LSTM_OUT];

    memcpy(in, x, VAD_CELLS * sizeof(float));
    memcpy(in + VAD_CELLS, v->h, sizeof(v->h));
    layer(gate, v->w->lstm, v->w->lstm_bias, in, VAD_LSTM_IN, VAD_LSTM_OUT, 1);
    for (size_t i = 0; i < VAD_CELLS; i++) {
        float let_in = sigmoid(gate[i]), keep = sigmoid(gate[VAD_CELLS + i]);
        float fresh = tanhf(gate[2 * VAD_CELLS + i]), show = sigmoid(gate[3 * VAD_CELLS + i]);
        v->c[i] = keep * v->c[i] + let_in * fresh;
        v->h[i] = show * tanhf(v->c[i]);
    }
}

int vad_new(struct vad **out, const struct vad_weights *w)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return -ENOMEM;
    (*out)->w = w;
    return 0;
}

float vad_run(struct vad *v, const int16_t *x)
{
    float window[WINDOW], spectra[FRAMES * VAD_BINS], column[VAD_CELLS];
    float p = v->w->last_bias;

    memcpy(window, v->context, sizeof(v->context));
    for (size_t i = 0; i < VAD_FRAME; i++)
        window[CONTEXT + i] = (float)x[i] / 32768;
    for (size_t i = 0; i < REFLECT; i++)
        window[CONTEXT + VAD_FRAME + i] = window[CONTEXT + VAD_FRAME - 2 - i];
    memcpy(v->context, window + VAD_FRAME, sizeof(v->context));

    spectrum(v->w, window, spectra);
    encode(v->w, spectra, column);
    remember(v, column);
    for (size_t i = 0; i < VAD_CELLS; i++)
        p += v->w->last[i] * (v->h[i] > 0 ? v->h[i] : 0);
    return sigmoid(p);
}

void vad_reset(struct vad *v)
{
    const struct vad_weights *w = v->w;

    memset(v, 0, sizeof(*v));
    v->w = w;
}

void vad_free(struct vad *v)
{
    free(v);
}
