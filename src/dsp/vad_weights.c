/* Takes the weights of the detector out of the published ONNX model. The package that it comes in
 * has a safetensors file as well, but of another training: only the ONNX files, which share one,
 * are what others run and measure. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/onnx_tensors.h"
#include "dsp/vad.h"
#include "dsp/vad_net.h"
#include "util/path.h"

#define LARGEST_FILE (4u << 20) /* the published file has 1.3 MB */

/* The published weights stay below 60. With every weight below this bound no sum in the network can
 * leave the range of a float, whatever the samples are: there is no NaN to look for later. */
#define LARGEST_WEIGHT 1000.0f

enum tensor {
    STFT,
    CONV1,
    CONV1_BIAS,
    CONV2,
    CONV2_BIAS,
    CONV3,
    CONV3_BIAS,
    CONV4,
    CONV4_BIAS,
    LSTM_IN,
    LSTM_OWN,
    LSTM_IN_BIAS,
    LSTM_OWN_BIAS,
    LAST,
    LAST_BIAS,
    TENSORS
};

static const struct tensor_kind {
    const char *name;
    int dims;
    int shape[3];
} kinds[TENSORS] = {
    [STFT] = {"model.stft.forward_basis_buffer", 3, {2 * VAD_BINS, 1, VAD_TAPS}},
    [CONV1] = {"model.encoder.0.reparam_conv.weight", 3, {VAD_CONV1_OUT, VAD_BINS, 3}},
    [CONV1_BIAS] = {"model.encoder.0.reparam_conv.bias", 1, {VAD_CONV1_OUT}},
    [CONV2] = {"model.encoder.1.reparam_conv.weight", 3, {VAD_CONV2_OUT, VAD_CONV1_OUT, 3}},
    [CONV2_BIAS] = {"model.encoder.1.reparam_conv.bias", 1, {VAD_CONV2_OUT}},
    [CONV3] = {"model.encoder.2.reparam_conv.weight", 3, {VAD_CONV3_OUT, VAD_CONV2_OUT, 3}},
    [CONV3_BIAS] = {"model.encoder.2.reparam_conv.bias", 1, {VAD_CONV3_OUT}},
    [CONV4] = {"model.encoder.3.reparam_conv.weight", 3, {VAD_CONV4_OUT, VAD_CONV3_OUT, 3}},
    [CONV4_BIAS] = {"model.encoder.3.reparam_conv.bias", 1, {VAD_CONV4_OUT}},
    [LSTM_IN] = {"model.decoder.rnn.weight_ih", 2, {VAD_LSTM_OUT, VAD_CELLS}},
    [LSTM_OWN] = {"model.decoder.rnn.weight_hh", 2, {VAD_LSTM_OUT, VAD_CELLS}},
    [LSTM_IN_BIAS] = {"model.decoder.rnn.bias_ih", 1, {VAD_LSTM_OUT}},
    [LSTM_OWN_BIAS] = {"model.decoder.rnn.bias_hh", 1, {VAD_LSTM_OUT}},
    [LAST] = {"model.decoder.decoder.2.weight", 3, {1, VAD_CELLS, 1}},
    [LAST_BIAS] = {"model.decoder.decoder.2.bias", 1, {1}},
};

/* The tensors of a file, laid out as there, as floats of this machine. */
struct tensors {
    float *at[TENSORS];
    float *all; /* the memory that they share */
};

static size_t count(const struct tensor_kind *k)
{
    size_t n = 1;

    for (int i = 0; i < k->dims; i++)
        n *= (size_t)k->shape[i];
    return n;
}

static int tensors_init(struct tensors *t)
{
    size_t total = 0, at = 0;

    for (int i = 0; i < TENSORS; i++)
        total += count(&kinds[i]);
    t->all = malloc(total * sizeof(float));
    if (!t->all)
        return -ENOMEM;
    for (int i = 0; i < TENSORS; i++) {
        t->at[i] = t->all + at;
        at += count(&kinds[i]);
    }
    return 0;
}

static bool same_shape(const struct onnx_tensor *t, const struct tensor_kind *kind)
{
    if (t->dims != kind->dims)
        return false;
    for (int i = 0; i < kind->dims; i++)
        if (t->shape[i] != (uint64_t)kind->shape[i])
            return false;
    return true;
}

static bool copy_floats(float *to, const unsigned char *from, size_t n)
{
    for (size_t i = 0; i < n; i++, from += 4) {
        uint32_t bits = (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
                        (uint32_t)from[3] << 24;
        memcpy(to + i, &bits, sizeof(bits));
        if (!(fabsf(to[i]) <= LARGEST_WEIGHT)) /* false for a NaN */
            return false;
    }
    return true;
}

/* Reads one tensor; returns what is wrong with it, or NULL. */
static const char *read_tensor(float *out, const struct onnx_tensor *t,
                               const struct tensor_kind *kind)
{
    if (t->fault)
        return t->fault;
    if (!same_shape(t, kind))
        return "has another shape";
    if (!copy_floats(out, t->data, t->floats))
        return "holds numbers that no weight has";
    return NULL;
}

/* Stores the taps [first, first + taps) of a convolution [outs][ins][width] as vad_net.h says, from
 * row `row` of `rows` on. */
static void pack(float *to, size_t row, size_t rows, const float *from, const int *shape,
                 size_t first, size_t taps)
{
    size_t outs = (size_t)shape[0], ins = (size_t)shape[1], width = (size_t)shape[2];

    for (size_t o = 0; o < outs; o++) {
        for (size_t k = 0; k < taps; k++) {
            for (size_t i = 0; i < ins; i++) {
                size_t r = row + k * ins + i;
                to[(o / VAD_BLOCK * rows + r) * VAD_BLOCK + o % VAD_BLOCK] =
                    from[(o * ins + i) * width + first + k];
            }
        }
    }
}

static void pack_all(struct vad_weights *w, const struct tensors *t)
{
    static const int square[3] = {VAD_LSTM_OUT, VAD_CELLS, 1};

    /* One input channel and 256 taps is 256 rows, as it should be. */
    pack(w->stft, 0, VAD_TAPS, t->at[STFT], kinds[STFT].shape, 0, VAD_TAPS);
    pack(w->conv1, 0, VAD_CONV1_IN, t->at[CONV1], kinds[CONV1].shape, 0, 3);
    pack(w->conv2, 0, VAD_CONV2_IN, t->at[CONV2], kinds[CONV2].shape, 0, 3);
    pack(w->conv3, 0, VAD_CONV3_IN, t->at[CONV3], kinds[CONV3].shape, 1, 2);
    pack(w->conv4, 0, VAD_CONV4_IN, t->at[CONV4], kinds[CONV4].shape, 1, 1);
    pack(w->lstm, 0, VAD_LSTM_IN, t->at[LSTM_IN], square, 0, 1);
    pack(w->lstm, VAD_CELLS, VAD_LSTM_IN, t->at[LSTM_OWN], square, 0, 1);
    memcpy(w->conv1_bias, t->at[CONV1_BIAS], sizeof(w->conv1_bias));
    memcpy(w->conv2_bias, t->at[CONV2_BIAS], sizeof(w->conv2_bias));
    memcpy(w->conv3_bias, t->at[CONV3_BIAS], sizeof(w->conv3_bias));
    memcpy(w->conv4_bias, t->at[CONV4_BIAS], sizeof(w->conv4_bias));
    for (size_t i = 0; i < VAD_LSTM_OUT; i++)
        w->lstm_bias[i] = t->at[LSTM_IN_BIAS][i] + t->at[LSTM_OWN_BIAS][i];
    memcpy(w->last, t->at[LAST], sizeof(w->last));
    w->last_bias = t->at[LAST_BIAS][0];
}

static int unusable(struct err *e, const char *name, const char *what, const char *why)
{
    return err_set(e, STATUS_NO_MODEL, -EINVAL,
                   "cannot use '%s' as voice detector: %s %s; fetch it again with 'hullo models "
                   "pull'",
                   name, what, why);
}

static int read_tensors(struct tensors *t, const void *bytes, size_t len, const char *name,
                        struct err *e)
{
    struct onnx_tensor found[TENSORS];

    for (int i = 0; i < TENSORS; i++)
        found[i].name = kinds[i].name;
    if (onnx_tensors_find(found, TENSORS, bytes, len) < 0)
        return unusable(e, name, "it", "is no ONNX model or is cut short");
    for (int i = 0; i < TENSORS; i++) {
        const char *why = read_tensor(t->at[i], &found[i], &kinds[i]);
        if (why)
            return unusable(e, name, kinds[i].name, why);
    }
    return 0;
}

int vad_weights_parse(struct vad_weights **out, const void *bytes, size_t len, const char *name,
                      struct err *e)
{
    struct tensors t = {0};
    int rc;

    *out = NULL;
    struct vad_weights *w = aligned_alloc(_Alignof(struct vad_weights), sizeof(*w));
    if (!w || tensors_init(&t) < 0) {
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
        goto out;
    }
    rc = read_tensors(&t, bytes, len, name, e);
    if (rc == 0) {
        memset(w, 0, sizeof(*w)); /* what rounds a layer up to whole blocks stays zero */
        pack_all(w, &t);
        *out = w;
        w = NULL;
    }
out:
    free(w);
    free(t.all);
    return rc;
}

int vad_weights_load(struct vad_weights **out, const char *file, struct err *e)
{
    char *bytes = NULL;
    size_t len = 0;

    *out = NULL;
    int rc = path_read(&bytes, &len, file, LARGEST_FILE, e);
    if (rc == 0)
        rc = vad_weights_parse(out, bytes, len, file, e);
    free(bytes);
    return rc;
}

void vad_weights_free(struct vad_weights *w)
{
    free(w);
}
