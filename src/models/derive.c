#include "models/derive.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/partial.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/path.h"
#include "util/text.h"

enum { SMALL_FILE_MAX = 16 << 20, BLOCK_BYTES = 1 << 18, TOKEN_MAX = 128 * 128 };

static int malformed(const char *path, struct err *e)
{
    return err_set(e, STATUS_FAILED, -EINVAL, "'%s' does not have the form that it should", path);
}

static int write_buf(const char *out, struct buf *b, struct err *e)
{
    int rc = buf_failed(b) ? err_set(e, STATUS_FAILED, -ENOMEM, "out of memory")
                           : path_write(out, buf_str(b), b->len, e);

    buf_free(b);
    return rc;
}

static void add_token(struct buf *b, const char *token, size_t n, unsigned id)
{
    char text[(TOKEN_MAX + 2) / 3 * 4 + 1];

    if (n == 0) {
        token = "?";
        n = 1;
    }
    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)token, (int)n);
    buf_addf(b, "%s\t%u\n", text, id);
}

static int moonshine_tokens(char *const *inputs, const char *out, struct err *e)
{
    struct buf b = BUF_INIT;
    char *data;
    size_t len, at = 0;
    unsigned id = 0;
    int rc = path_read(&data, &len, inputs[0], SMALL_FILE_MAX, e);

    if (rc < 0)
        return rc;
    while (at < len) {
        size_t n = (unsigned char)data[at++];
        if (n >= 128 && at < len)
            n = (size_t)(unsigned char)data[at++] * 128 + n - 128;
        if (n > len - at || n > TOKEN_MAX)
            break;
        add_token(&b, data + at, n, id++);
        at += n;
        if (at == len) {
            free(data);
            return write_buf(out, &b, e);
        }
    }
    free(data);
    buf_free(&b);
    return malformed(inputs[0], e);
}

static int read_json(cJSON **out, const char *path, struct err *e)
{
    char *text;
    size_t len;
    int rc = path_read(&text, &len, path, SMALL_FILE_MAX, e);

    *out = NULL;
    if (rc < 0)
        return rc;
    *out = cJSON_ParseWithLength(text, len);
    free(text);
    return *out != NULL ? 0 : malformed(path, e);
}

static int piper_tokens(char *const *inputs, const char *out, struct err *e)
{
    struct buf b = BUF_INIT;
    const cJSON *symbol;
    cJSON *json;
    int rc = read_json(&json, inputs[0], e);

    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(symbol, json_get(json, "phoneme_id_map"))
    {
        const cJSON *id = cJSON_GetArrayItem(symbol, 0);
        size_t n = strlen(symbol->string);
        /* sherpa-onnx knows symbols of one code point; a line break cannot be in its file. */
        if (!cJSON_IsNumber(id) || id->valueint < 0 || n == 0 ||
            text_utf8(symbol->string, n, NULL) != n || symbol->string[0] == '\n')
            rc = -EINVAL;
        else
            buf_addf(&b, "%s %d\n", symbol->string, id->valueint);
    }
    cJSON_Delete(json);
    if (rc < 0 || (b.len == 0 && !buf_failed(&b))) {
        buf_free(&b);
        return malformed(inputs[0], e);
    }
    return write_buf(out, &b, e);
}

static void add_varint(struct buf *b, size_t n)
{
    for (; n > 127; n >>= 7)
        buf_add(b, &(unsigned char){(unsigned char)(n & 127) | 128}, 1);
    buf_add(b, &(unsigned char){(unsigned char)n}, 1);
}

/* A field of wire type 2: tag, length, bytes. */
static void add_field(struct buf *b, unsigned field, const char *bytes, size_t n)
{
    add_varint(b, field << 3 | 2);
    add_varint(b, n);
    buf_add(b, bytes, n);
}

static void add_property(struct buf *b, const char *key, const char *value)
{
    struct buf pair = BUF_INIT;

    add_field(&pair, 1, key, strlen(key));
    add_field(&pair, 2, value, strlen(value));
    add_field(b, 14, buf_str(&pair), pair.len);
    if (buf_failed(&pair))
        b->failed = true;
    buf_free(&pair);
}

static void add_number(struct buf *b, const char *key, int value)
{
    char text[16];

    snprintf(text, sizeof text, "%d", value);
    add_property(b, key, text);
}

static int add_properties(struct buf *b, const cJSON *json)
{
    const cJSON *rate = json_get(json_get(json, "audio"), "sample_rate");
    const cJSON *speakers = json_get(json, "num_speakers");
    const char *language = json_str(json_get(json, "language"), "name_english");
    const char *voice = json_str(json_get(json, "espeak"), "voice");

    if (!cJSON_IsNumber(rate) || !cJSON_IsNumber(speakers) || language == NULL || voice == NULL)
        return -EINVAL;
    add_property(b, "model_type", "vits");
    add_property(b, "comment", "piper");
    add_property(b, "language", language);
    add_property(b, "voice", voice);
    add_property(b, "has_espeak", "1");
    add_number(b, "n_speakers", speakers->valueint);
    add_number(b, "sample_rate", rate->valueint);
    return 0;
}

static int copy(const char *path, int from, int to, struct err *e)
{
    char *block = malloc(BLOCK_BYTES);
    int rc = block != NULL ? 0 : err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");

    while (rc == 0) {
        ssize_t n = read(from, block, BLOCK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        rc = n < 0
                 ? err_set(e, STATUS_FAILED, -errno, "cannot read '%s': %s", path, strerror(errno))
                 : partial_write(to, block, (size_t)n, e);
    }
    free(block);
    return rc;
}

/* The model may be large: it is copied, not held in memory. */
static int write_model(const char *in, const struct buf *tail, const char *out, struct err *e)
{
    int from = open(in, O_RDONLY | O_CLOEXEC), to = -1, rc;

    if (from < 0)
        return err_set(e, STATUS_FAILED, -errno, "cannot open '%s': %s", in, strerror(errno));
    to = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (to < 0)
        rc = err_set(e, STATUS_FAILED, -errno, "cannot write '%s': %s", out, strerror(errno));
    else
        rc = copy(in, from, to, e);
    if (rc == 0)
        rc = partial_write(to, tail->data, tail->len, e);
    if (rc == 0 && fsync(to) != 0)
        rc = err_set(e, STATUS_FAILED, -errno, "cannot write '%s': %s", out, strerror(errno));
    if (to >= 0)
        close(to);
    close(from);
    return rc;
}

static int sherpa_vits(char *const *inputs, const char *out, struct err *e)
{
    struct buf b = BUF_INIT;
    cJSON *json;
    int rc = read_json(&json, inputs[1], e);

    if (rc == 0 && add_properties(&b, json) < 0)
        rc = malformed(inputs[1], e);
    if (rc == 0 && buf_failed(&b))
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = write_model(inputs[0], &b, out, e);
    buf_free(&b);
    cJSON_Delete(json);
    return rc;
}

int derive_file(const char *how, char *const *inputs, size_t n, const char *out, struct err *e)
{
    static const struct {
        const char *name;
        size_t inputs;
        int (*make)(char *const *inputs, const char *out, struct err *e);
    } ways[] = {
        {"moonshine-tokens", 1, moonshine_tokens},
        {"piper-tokens", 1, piper_tokens},
        {"sherpa-vits", 2, sherpa_vits},
    };

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(ways[i].name, how) == 0 && ways[i].inputs == n)
            return ways[i].make(inputs, out, e);
    return err_set(e, STATUS_FAILED, -EINVAL, "cannot make '%s': this hullo does not know '%s'",
                   out, how);
}
