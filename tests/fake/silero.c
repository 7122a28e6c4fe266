#include "fake/silero.h"

#include <math.h>
#include <string.h>

#include "fake/signals.h"

#define TENSOR(name, shape, from, to) \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[" shape "],\"data_offsets\":[" from "," to "]}"

/* clang-format off */
const char silero_header[] = "{"
    TENSOR("stft_conv.weight", "258,1,256", "0", "264192") ","
    TENSOR("conv1.weight", "128,129,3", "264192", "462336") ","
    TENSOR("conv1.bias", "128", "462336", "462848") ","
    TENSOR("conv2.weight", "64,128,3", "462848", "561152") ","
    TENSOR("conv2.bias", "64", "561152", "561408") ","
    TENSOR("conv3.weight", "64,64,3", "561408", "610560") ","
    TENSOR("conv3.bias", "64", "610560", "610816") ","
    TENSOR("conv4.weight", "128,64,3", "610816", "709120") ","
    TENSOR("conv4.bias", "128", "709120", "709632") ","
    TENSOR("lstm_cell.weight_ih", "512,128", "709632", "971776") ","
    TENSOR("lstm_cell.weight_hh", "512,128", "971776", "1233920") ","
    TENSOR("lstm_cell.bias_ih", "512", "1233920", "1235968") ","
    TENSOR("lstm_cell.bias_hh", "512", "1235968", "1238016") ","
    TENSOR("final_conv.weight", "1,128,1", "1238016", "1238528") ","
    TENSOR("final_conv.bias", "1", "1238528", "1238532") "} ";
/* clang-format on */

/* Where each tensor starts in the weights. */
enum {
    STFT = 0,
    CONV1 = STFT + 258 * 256,
    BIAS1 = CONV1 + 128 * 129 * 3,
    CONV2 = BIAS1 + 128,
    BIAS2 = CONV2 + 64 * 128 * 3,
    CONV3 = BIAS2 + 64,
    BIAS3 = CONV3 + 64 * 64 * 3,
    CONV4 = BIAS3 + 64,
    BIAS4 = CONV4 + 128 * 64 * 3,
    LSTM_IN = BIAS4 + 128,
    LSTM_OWN = LSTM_IN + 512 * 128,
    BIAS_IN = LSTM_OWN + 512 * 128,
    BIAS_OWN = BIAS_IN + 512,
    LAST = BIAS_OWN + 512,
    LAST_BIAS = LAST + 128,
    END = LAST_BIAS + 1
};
_Static_assert(END == SILERO_FLOATS, "the offsets add up");

static void add_le(struct buf *out, uint64_t n, int bytes)
{
    unsigned char le[8];

    for (int i = 0; i < bytes; i++)
        le[i] = (unsigned char)(n >> (8 * i));
    buf_add(out, le, (size_t)bytes);
}

void silero_file(struct buf *out, const char *header, const float *weights, size_t n)
{
    add_le(out, strlen(header), 8);
    buf_adds(out, header);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, weights + i, sizeof(bits));
        add_le(out, bits, 4);
    }
}

void silero_random(float *weights, uint32_t seed)
{
    for (size_t i = 0; i < SILERO_FLOATS; i++)
        weights[i] = (float)signal_noise(&seed) / 32768 *
                     (i < CONV1     ? 1
                      : i < LSTM_IN ? 0.15f
                      : i < LAST    ? 0.3f
                                    : 2);
}

/* A convolution of width 3 with padding 1, and ReLU; in and out are [channel][frame]. Returns the
 * frames that came out. */
static size_t convolve(float *out, const float *in, size_t frames, size_t ins, size_t outs,
                       size_t stride, const float *w, const float *bias)
{
    size_t columns = (frames - 1) / stride + 1;

    for (size_t o = 0; o < outs; o++) {
        for (size_t j = 0; j < columns; j++) {
            double sum = bias[o];
            for (size_t i = 0; i < ins; i++)
                for (size_t k = 0; k < 3; k++)
                    if (j * stride + k >= 1 && j * stride + k <= frames)
                        sum += w[(o * ins + i) * 3 + k] * in[i * frames + j * stride + k - 1];
            out[o * columns + j] = sum > 0 ? (float)sum : 0;
        }
    }
    return columns;
}

static void spectra(float *out, const float *w, const float *x)
{
    for (size_t bin = 0; bin < 129; bin++) {
        for (size_t t = 0; t < 4; t++) {
            double re = 0, im = 0;
            for (size_t i = 0; i < 256; i++) {
                re += w[bin * 256 + i] * x[t * 128 + i];
                im += w[(bin + 129) * 256 + i] * x[t * 128 + i];
            }
            out[bin * 4 + t] = (float)sqrt(re * re + im * im);
        }
    }
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static void lstm(const float *w, struct silero_state *s, const float *x)
{
    double gate[512];

    for (size_t g = 0; g < 512; g++) {
        gate[g] = w[BIAS_IN + g] + w[BIAS_OWN + g];
        for (size_t i = 0; i < 128; i++)
            gate[g] += w[LSTM_IN + g * 128 + i] * x[i] + w[LSTM_OWN + g * 128 + i] * s->h[i];
    }
    for (size_t i = 0; i < 128; i++) {
        double kept = sigmoid(gate[128 + i]) * s->c[i];
        s->c[i] = (float)(kept + sigmoid(gate[i]) * tanh(gate[256 + i]));
        s->h[i] = (float)(sigmoid(gate[384 + i]) * tanh(s->c[i]));
    }
}

double silero_plain(const float *w, struct silero_state *s, const int16_t *x)
{
    float window[640], a[129 * 4], b[128 * 4];

    memcpy(window, s->context, sizeof(s->context));
    for (size_t i = 0; i < 512; i++)
        window[64 + i] = (float)x[i] / 32768;
    for (size_t i = 0; i < 64; i++)
        window[576 + i] = window[574 - i];
    memcpy(s->context, window + 512, sizeof(s->context));

    spectra(a, w + STFT, window);
    size_t frames = convolve(b, a, 4, 129, 128, 1, w + CONV1, w + BIAS1);
    frames = convolve(a, b, frames, 128, 64, 2, w + CONV2, w + BIAS2);
    frames = convolve(b, a, frames, 64, 64, 2, w + CONV3, w + BIAS3);
    convolve(a, b, frames, 64, 128, 1, w + CONV4, w + BIAS4);
    lstm(w, s, a);
    double p = w[LAST_BIAS];
    for (size_t i = 0; i < 128; i++)
        p += s->h[i] > 0 ? w[LAST + i] * s->h[i] : 0;
    return sigmoid(p);
}
