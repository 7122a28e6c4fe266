/* Speech-to-text of an OpenAI-compatible server (/v1/audio/transcriptions): speaches, LocalAI,
 * vLLM, a hosted one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "local/engines.h"
#include "local/http_engine.h"
#include "net/http_error.h"
#include "util/json.h"
#include "util/text.h"

enum {
    RATE_HZ = 16000,
    WAV_HEADER_BYTES = 44,
    ANSWER_MAX_BYTES = 1 << 20,
};

static void put_little_endian(struct buf *b, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)(v >> (8 * i));
        buf_add(b, &byte, 1);
    }
}

/* RIFF WAVE: 16 bit mono PCM, as in the multimedia programming interface 1.0 (1991). */
static void add_wav(struct buf *b, const int16_t *x, size_t samples)
{
    uint32_t data_bytes = (uint32_t)(samples * 2);

    buf_adds(b, "RIFF");
    put_little_endian(b, data_bytes + WAV_HEADER_BYTES - 8, 4);
    buf_adds(b, "WAVEfmt ");
    put_little_endian(b, 16, 4); /* bytes of the format that follows */
    put_little_endian(b, 1, 2);  /* PCM */
    put_little_endian(b, 1, 2);  /* channels */
    put_little_endian(b, RATE_HZ, 4);
    put_little_endian(b, RATE_HZ * 2, 4); /* bytes per second */
    put_little_endian(b, 2, 2);           /* bytes per frame */
    put_little_endian(b, 16, 2);          /* bits */
    buf_adds(b, "data");
    put_little_endian(b, data_bytes, 4);
    while (samples > 0) {
        unsigned char bytes[4096];
        size_t n = samples < sizeof bytes / 2 ? samples : sizeof bytes / 2;
        for (size_t i = 0; i < n; i++) {
            bytes[2 * i] = (unsigned char)(x[i] & 0xff);
            bytes[2 * i + 1] = (unsigned char)((uint16_t)x[i] >> 8);
        }
        buf_add(b, bytes, 2 * n);
        x += n;
        samples -= n;
    }
}

static int prepare(struct buf *body, const struct engine_request *r)
{
    if (r->samples > (size_t)ENGINE_MAX_SECONDS * RATE_HZ)
        return -EINVAL;
    if (r->samples > 0)
        add_wav(body, r->pcm, r->samples);
    return buf_failed(body) ? -ENOMEM : 0;
}

/* Bytes that do not occur in the parts, as RFC 2046 asks for. */
static int make_boundary(char *out, size_t size, const struct buf *wav, const char *name)
{
    unsigned long long random;
    int rc;

    do {
        if ((rc = uv_random(NULL, NULL, &random, sizeof random, 0, NULL)) < 0)
            return rc;
        snprintf(out, size, "hullo-%016llx", random);
    } while (memmem(wav->data, wav->len, out, strlen(out)) != NULL || strstr(name, out) != NULL);
    return 0;
}

static void add_field(struct buf *b, const char *boundary, const char *name, const char *value)
{
    buf_addf(b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", boundary, name,
             value);
}

static int finish(struct buf *body, const struct buf *prepared, const char *name,
                  const char *language, char *type, size_t size)
{
    char boundary[32];
    int rc = make_boundary(boundary, sizeof boundary, prepared, name);

    if (rc < 0)
        return rc;
    snprintf(type, size, "multipart/form-data; boundary=%s", boundary);
    add_field(body, boundary, "model", name);
    add_field(body, boundary, "response_format", "json");
    if (language[0] != '\0')
        add_field(body, boundary, "language", language);
    buf_addf(body,
             "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"speech.wav\"\r\n"
             "Content-Type: audio/wav\r\n\r\n",
             boundary);
    buf_add(body, prepared->data, prepared->len);
    buf_addf(body, "\r\n--%s--\r\n", boundary);
    return buf_failed(body) ? -ENOMEM : 0;
}

static int feed(void *parser, const char *bytes, size_t n, struct buf *text, bool *complete,
                struct err *e)
{
    struct buf *answer = parser;

    (void)text, (void)complete;
    if (n > ANSWER_MAX_BYTES - answer->len)
        return err_set(e, STATUS_FAILED, -EMSGSIZE,
                       "the transcript from the speech-to-text server is longer than %d bytes: is "
                       "its address right?",
                       ANSWER_MAX_BYTES);
    buf_add(answer, bytes, n);
    return buf_failed(answer) ? err_set(e, STATUS_FAILED, -ENOMEM, "out of memory") : 0;
}

static int add_transcript(struct buf *text, const char *s)
{
    static const char space[] = " \t\r\n";
    size_t n;

    s += strspn(s, space);
    n = strlen(s);
    while (n > 0 && strchr(space, s[n - 1]) != NULL)
        n--;
    buf_add(text, s, n);
    if (buf_failed(text))
        return -ENOMEM;
    text->len = text_line(text->data); /* some servers break lines between segments */
    return 0;
}

static int end(void *parser, struct buf *text, struct err *e)
{
    const struct buf *answer = parser;
    char words[HTTP_ERROR_WORDS];
    const char *transcript;
    cJSON *j;
    int rc = json_parse(&j, buf_str(answer), answer->len);

    if (rc == -ENOMEM)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    transcript = json_str(j, "text");
    http_error_words_json(words, j);
    if (transcript != NULL)
        rc = add_transcript(text, transcript) < 0
                 ? err_set(e, STATUS_FAILED, -ENOMEM, "out of memory")
                 : 0;
    else if (words[0] != '\0')
        rc = err_set(e, STATUS_FAILED, -EIO, "the speech-to-text server reports an error: \"%s\"",
                     words);
    else
        rc = err_set(e, STATUS_FAILED, -EBADMSG,
                     "the speech-to-text server's answer holds no transcript: check that its "
                     "address is that of an OpenAI-compatible API");
    cJSON_Delete(j);
    return rc;
}

static void free_parser(void *parser)
{
    buf_free(parser);
}

static const struct http_engine_kind kind = {
    .what = "speech-to-text",
    .endpoint = "audio/transcriptions",
    .default_name = "whisper-1",
    .prepare = prepare,
    .finish = finish,
    .whole = true,
    .parser_bytes = sizeof(struct buf),
    .feed = feed,
    .end = end,
    .free = free_parser,
};

static int open_engine(struct engine **out, const struct engine_config *config, struct err *e)
{
    return http_engine_open(out, &kind, config, e);
}

const struct engine_kind engine_stt_http = {
    .name = "http",
    .help = "speech-to-text behind an OpenAI-compatible server",
    .open = open_engine,
};
