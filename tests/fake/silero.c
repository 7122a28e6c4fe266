#include "fake/silero.h"

#include <math.h>
#include <string.h>

#include "fake/protobuf.h"
#include "fake/signals.h"

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

const struct silero_tensor silero_tensors[SILERO_TENSORS] = {
    {"model.stft.forward_basis_buffer", 1, 3, {258, 1, 256}, STFT, CONV1 - STFT},
    {"model.encoder.0.reparam_conv.weight", 1, 3, {128, 129, 3}, CONV1, BIAS1 - CONV1},
    {"model.encoder.0.reparam_conv.bias", 1, 1, {128}, BIAS1, 128},
    {"model.encoder.1.reparam_conv.weight", 1, 3, {64, 128, 3}, CONV2, BIAS2 - CONV2},
    {"model.encoder.1.reparam_conv.bias", 1, 1, {64}, BIAS2, 64},
    {"model.encoder.2.reparam_conv.weight", 1, 3, {64, 64, 3}, CONV3, BIAS3 - CONV3},
    {"model.encoder.2.reparam_conv.bias", 1, 1, {64}, BIAS3, 64},
    {"model.encoder.3.reparam_conv.weight", 1, 3, {128, 64, 3}, CONV4, BIAS4 - CONV4},
    {"model.encoder.3.reparam_conv.bias", 1, 1, {128}, BIAS4, 128},
    {"model.decoder.rnn.weight_ih", 1, 2, {512, 128}, LSTM_IN, LSTM_OWN - LSTM_IN},
    {"model.decoder.rnn.weight_hh", 1, 2, {512, 128}, LSTM_OWN, BIAS_IN - LSTM_OWN},
    {"model.decoder.rnn.bias_ih", 1, 1, {512}, BIAS_IN, 512},
    {"model.decoder.rnn.bias_hh", 1, 1, {512}, BIAS_OWN, 512},
    {"model.decoder.decoder.2.weight", 1, 3, {1, 128, 1}, LAST, 128},
    {"model.decoder.decoder.2.bias", 1, 1, {1}, LAST_BIAS, 1},
};

void silero_file(struct buf *out, const struct silero_tensor *tensors, size_t n,
                 const float *weights)
{
    struct buf graph = BUF_INIT, node = BUF_INIT;

    pb_string(&node, 1, "input");
    pb_string(&node, 2, "output");
    pb_string(&node, 4, "Sigmoid");
    pb_message(&graph, 1, &node);
    pb_string(&graph, 2, "main_graph");
    for (size_t i = 0; i < n; i++) {
        struct buf tensor = BUF_INIT, data = BUF_INIT;
        for (int k = 0; k < tensors[i].dims; k++)
            pb_number(&tensor, 1, (uint64_t)tensors[i].shape[k]);
        pb_number(&tensor, 2, (uint64_t)tensors[i].type);
        pb_string(&tensor, 8, tensors[i].name);
        for (size_t k = 0; k < tensors[i].floats; k++)
            pb_float(&data, weights[tensors[i].first + k]);
        pb_message(&tensor, 9, &data);
        pb_message(&graph, 5, &tensor);
    }
    pb_number(out, 1, 8);
    pb_string(out, 2, "test");
    pb_message(out, 7, &graph);
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

/* The magnitudes of the spectrum are added up in channel 0, which goes through all layers to cell 0
 * of the LSTM; its gates are open, but for that of the past. */
void silero_loud(float *weights)
{
    const int cells = 128, bins = 129, taps = 256;

    memset(weights, 0, SILERO_FLOATS * sizeof(*weights));
    for (int k = 4; k < 65; k++)
        for (int i = 0; i < taps; i++) {
            double angle = 2 * M_PI * k * i / taps;
            weights[STFT + k * taps + i] = (float)cos(angle) / 128;
            weights[STFT + (bins + k) * taps + i] = (float)-sin(angle) / 128;
        }
    for (int k = 0; k < bins; k++)
        weights[CONV1 + 3 * k + 1] = 1;
    weights[CONV2 + 1] = weights[CONV4 + 1] = 1;
    weights[CONV3 + 1] = weights[CONV3 + 2] = 0.5f;
    weights[LSTM_IN + 2 * cells * cells] = 20;
    weights[BIAS_IN] = weights[BIAS_IN + 3 * cells] = 20;
    weights[BIAS_IN + cells] = -20;
    weights[BIAS_IN + 2 * cells] = -1;
    weights[LAST] = 20;
    weights[LAST_BIAS] = -8;
}
