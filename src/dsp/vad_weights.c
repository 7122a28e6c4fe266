/* Reads the weights of the detector. The format is safetensors: eight bytes with the length of a
 * JSON header (little-endian), the header, then the tensors as raw little-endian numbers at the
 * offsets that the header names. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cJSON.h>

#include "dsp/vad.h"
#include "dsp/vad_net.h"
#include "util/path.h"

#define LARGEST_FILE   (4u << 20) /* the published file has 1.2 MB */
#define LARGEST_HEADER 16384      /* and its header 1.2 kB */

/* The published weights stay below 40. With every weight below this bound no sum in the network can
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
    [STFT] = {"stft_conv.weight", 3, {2 * VAD_BINS, 1, VAD_TAPS}},
    [CONV1] = {"conv1.weight", 3, {VAD_CONV1_OUT, VAD_BINS, 3}},
    [CONV1_BIAS] = {"conv1.bias", 1, {VAD_CONV1_OUT}},
    [CONV2] = {"conv2.weight", 3, {VAD_CONV2_OUT, VAD_CONV1_OUT, 3}},
    [CONV2_BIAS] = {"conv2.bias", 1, {VAD_CONV2_OUT}},
    [CONV3] = {"conv3.weight", 3, {VAD_CONV3_OUT, VAD_CONV2_OUT, 3}},
    [CONV3_BIAS] = {"conv3.bias", 1, {VAD_CONV3_OUT}},
    [CONV4] = {"conv4.weight", 3, {VAD_CONV4_OUT, VAD_CONV3_OUT, 3}},
    [CONV4_BIAS] = {"conv4.bias", 1, {VAD_CONV4_OUT}},
    [LSTM_IN] = {"lstm_cell.weight_ih", 2, {VAD_LSTM_OUT, VAD_CELLS}},
    [LSTM_OWN] = {"lstm_cell.weight_hh", 2, {VAD_LSTM_OUT, VAD_CELLS}},
    [LSTM_IN_BIAS] = {"lstm_cell.bias_ih", 1, {VAD_LSTM_OUT}},
    [LSTM_OWN_BIAS] = {"lstm_cell.bias_hh", 1, {VAD_LSTM_OUT}},
    [LAST] = {"final_conv.weight", 3, {1, VAD_CELLS, 1}},
    [LAST_BIAS] = {"final_conv.bias", 1, {1}},
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

/* Whether item is an array of exactly these integers. */
static bool same_shape(const cJSON *item, const int *shape, int dims)
{
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != dims)
        return false;
    for (int i = 0; i < dims; i++) {
        const cJSON *n = cJSON_GetArrayItem(item, i);
        if (!cJSON_IsNumber(n) || n->valuedouble != (double)shape[i])
            return false;
    }
    return true;
}

/* Where the tensor lies in the `len` bytes after the header; false when not wholly inside. */
static bool offset_of(const cJSON *item, size_t bytes, size_t len, size_t *offset)
{
    const cJSON *from = cJSON_GetArrayItem(item, 0), *to = cJSON_GetArrayItem(item, 1);

    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != 2 || !cJSON_IsNumber(from) ||
        !cJSON_IsNumber(to))
        return false;
    /* The comparisons are written so that a NaN fails them. */
    if (!(from->valuedouble >= 0 && from->valuedouble <= (double)len) || bytes > len)
        return false;
    *offset = (size_t)from->valuedouble;
    return (double)*offset == from->valuedouble && *offset <= len - bytes &&
           to->valuedouble == (double)(*offset + bytes);
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
static const char *read_tensor(float *out, const cJSON *header, const struct tensor_kind *kind,
                               const unsigned char *data, size_t len)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(header, kind->name);
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "dtype"));
    size_t n = count(kind), offset = 0;

    if (!cJSON_IsObject(item))
        return "is missing";
    if (!type || strcmp(type, "F32") != 0)
        return "is not of type F32";
    if (!same_shape(cJSON_GetObjectItemCaseSensitive(item, "shape"), kind->shape, kind->dims))
        return "has another shape";
    if (!offset_of(cJSON_GetObjectItemCaseSensitive(item, "data_offsets"), n * 4, len, &offset))
        return "does not lie inside the file";
    if (!copy_floats(out, data + offset, n))
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

/* Every tensor that we know, once, and nothing else but a note about the file. */
static bool only_known(const cJSON *header)
{
    int expected = TENSORS + (cJSON_GetObjectItemCaseSensitive(header, "__metadata__") ? 1 : 0);

    return cJSON_IsObject(header) && cJSON_GetArraySize(header) == expected;
}

static int unusable(struct err *e, const char *name, const char *what, const char *why)
{
    return err_set(e, STATUS_NO_MODEL, -EINVAL,
                   "cannot use '%s' as voice detector: %s %s; fetch it again with 'hullo models "
                   "pull'",
                   name, what, why);
}

/* The JSON header of a file, or NULL after setting *e. */
static cJSON *read_header(const unsigned char *bytes, size_t len, size_t *header_len,
                          const char *name, struct err *e)
{
    uint64_t n = 0;
    cJSON *header = NULL;

    for (size_t i = 0; i < 8 && i < len; i++)
        n |= (uint64_t)bytes[i] << (8 * i);
    if (len < 8 || n > LARGEST_HEADER || n > len - 8) {
        unusable(e, name, "its header", "is cut short or too long");
        return NULL;
    }
    *header_len = (size_t)n;
    header = cJSON_ParseWithLength((const char *)bytes + 8, *header_len);
    if (!header || !only_known(header)) {
        unusable(e, name, "its header", "does not list the tensors of Silero VAD");
        cJSON_Delete(header);
        return NULL;
    }
    return header;
}

int vad_weights_parse(struct vad_weights **out, const void *bytes, size_t len, const char *name,
                      struct err *e)
{
    size_t header_len = 0;
    struct tensors t = {0};
    int rc = 0;

    *out = NULL;
    cJSON *header = read_header(bytes, len, &header_len, name, e);
    if (!header)
        return -EINVAL;
    struct vad_weights *w = aligned_alloc(_Alignof(struct vad_weights), sizeof(*w));
    if (!w || tensors_init(&t) < 0) {
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
        goto out;
    }
    const unsigned char *data = (const unsigned char *)bytes + 8 + header_len;
    for (int i = 0; i < TENSORS && rc == 0; i++) {
        const char *why = read_tensor(t.at[i], header, &kinds[i], data, len - 8 - header_len);
        if (why)
            rc = unusable(e, name, kinds[i].name, why);
    }
    if (rc == 0) {
        memset(w, 0, sizeof(*w)); /* what rounds a layer up to whole blocks stays zero */
        pack_all(w, &t);
        *out = w;
        w = NULL;
    }
out:
    free(w);
    free(t.all);
    cJSON_Delete(header);
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
