#include "realtime/wire_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/text.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void wire_parts_init(struct wire_parts *p, const struct wire_config *config)
{
    *p = (struct wire_parts){.config = *config};
}

void wire_parts_free(struct wire_parts *p)
{
    buf_free(&p->out);
    free(p->pcm);
    p->pcm = NULL;
    p->pcm_cap = 0;
}

/* --- base64 */

static void put_three(char *to, unsigned three)
{
    to[0] = letters[three >> 18 & 63];
    to[1] = letters[three >> 12 & 63];
    to[2] = letters[three >> 6 & 63];
    to[3] = letters[three & 63];
}

static unsigned low(int16_t x)
{
    return (unsigned)(uint16_t)x & 0xffu;
}

static unsigned high(int16_t x)
{
    return (unsigned)(uint16_t)x >> 8;
}

void wire_put_pcm(struct buf *b, const int16_t *x, size_t n)
{
    char out[8 * 128];
    size_t len = 0;

    /* Three samples are six bytes, eight letters. */
    for (; n >= 3; x += 3, n -= 3) {
        put_three(out + len, low(x[0]) << 16 | high(x[0]) << 8 | low(x[1]));
        put_three(out + len + 4, high(x[1]) << 16 | low(x[2]) << 8 | high(x[2]));
        len += 8;
        if (len == sizeof out) {
            buf_add(b, out, len);
            len = 0;
        }
    }
    buf_add(b, out, len);
    if (n == 1) {
        put_three(out, low(x[0]) << 16 | high(x[0]) << 8);
        out[3] = '=';
        buf_add(b, out, 4);
    } else if (n == 2) {
        put_three(out, low(x[0]) << 16 | high(x[0]) << 8 | low(x[1]));
        put_three(out + 4, high(x[1]) << 16);
        out[6] = out[7] = '=';
        buf_add(b, out, 8);
    }
}

/* What each byte stands for in base64, plus one; 0: nothing. */
static const uint8_t values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* Bytes that four letters stand for (three, or fewer with padding); 0: they are wrong. */
static size_t get_four(uint8_t to[3], const char *from, bool last)
{
    const unsigned char *u = (const unsigned char *)from;
    size_t n = last && u[3] == '=' ? u[2] == '=' ? 1 : 2 : 3;
    unsigned four = 0;

    for (size_t i = 0; i < 4; i++) {
        unsigned v = i <= n ? values[u[i]] : 1;
        if (v == 0)
            return 0;
        four = four << 6 | (v - 1);
    }
    /* Bits behind the last byte would be lost. */
    if ((n == 1 && (four & 0xffffu) != 0) || (n == 2 && (four & 0xffu) != 0))
        return 0;
    to[0] = (uint8_t)(four >> 16);
    to[1] = (uint8_t)(four >> 8);
    to[2] = (uint8_t)four;
    return n;
}

int wire_get_pcm(int16_t *out, size_t *count, const char *base64)
{
    size_t n = strlen(base64), bytes = 0;
    unsigned before = 0; /* the byte that waits for the other half of its sample */

    *count = 0;
    if (n % 4 != 0)
        return -EBADMSG;
    for (size_t i = 0; i < n; i += 4) {
        uint8_t three[3];
        size_t got = get_four(three, base64 + i, i + 4 == n);
        if (got == 0)
            return -EBADMSG;
        for (size_t k = 0; k < got; k++, bytes++) {
            if (bytes % 2 == 1)
                out[bytes / 2] = (int16_t)(uint16_t)(before | (unsigned)three[k] << 8);
            before = three[k];
        }
    }
    if (bytes % 2 != 0)
        return -EBADMSG;
    *count = bytes / 2;
    return 0;
}

/* --- reading */

int wire_parse(cJSON **out, const char *bytes, size_t n)
{
    int rc = json_parse(out, bytes, n);

    if (rc == 0 && !cJSON_IsObject(*out)) {
        cJSON_Delete(*out);
        *out = NULL;
        rc = -EBADMSG;
    }
    return rc;
}

const char *wire_id(const cJSON *object, const char *name)
{
    const char *id = json_str(object, name);
    size_t n = 0;

    if (id == NULL)
        return "";
    while (n <= WIRE_ID && id[n] > 0x20 && id[n] < 0x7f)
        n++;
    return n <= WIRE_ID && id[n] == '\0' ? id : "";
}

/* A member's text, cut to `most` bytes: in place, nobody else reads it. "" when it is none. */
static char *cut_text(const cJSON *object, const char *name, size_t most, char *none)
{
    const cJSON *v = json_get(object, name);

    if (!cJSON_IsString(v))
        return none;
    if (strlen(v->valuestring) > most)
        v->valuestring[text_utf8_whole(v->valuestring, most)] = '\0';
    return v->valuestring;
}

const char *wire_text(const cJSON *object, const char *name)
{
    char none[1] = "", *text = cut_text(object, name, WIRE_TEXT_MAX, none);

    text_clean(text);
    return text != none ? text : "";
}

const char *wire_line(const cJSON *object, const char *name)
{
    char none[1] = "", *text = cut_text(object, name, WIRE_LINE, none);

    text_line(text);
    return text != none ? text : "";
}

uint64_t wire_count(const cJSON *object, const char *path)
{
    const cJSON *v = json_path(object, path);

    /* More than 2^40 tokens is nobody's bill; NaN is not more than 0. */
    if (!cJSON_IsNumber(v) || !(v->valuedouble > 0) || v->valuedouble > 0x1p40)
        return 0;
    return (uint64_t)v->valuedouble;
}

static const char *our_name(const struct dialect *d, const char *theirs)
{
    for (const struct dialect_name *n = d->names; n != NULL && n->theirs != NULL; n++)
        if (strcmp(n->theirs, theirs) == 0)
            return n->ours;
    return theirs;
}

int wire_dispatch(struct wire_parts *p, struct wire *w, const struct wire_handler *table, size_t n,
                  const char *bytes, size_t count)
{
    cJSON *m = NULL;
    const char *type, *name;
    size_t i = 0;
    int rc = wire_parse(&m, bytes, count);

    if (rc < 0)
        return rc;
    type = json_str(m, "type");
    if (type == NULL || type[0] == '\0') {
        rc = -EBADMSG;
        goto out;
    }
    name = our_name(p->config.dialect, type);
    while (i < n && strcmp(table[i].type, name) != 0)
        i++;
    if (i == n)
        wire_emit_unknown(p, type);
    else if (table[i].take != NULL)
        rc = table[i].take(w, m);
out:
    cJSON_Delete(m);
    return rc;
}

/* --- telling */

void wire_emit(struct wire_parts *p, struct wire_event ev)
{
    ev.item = ev.item != NULL ? ev.item : "";
    ev.reply = ev.reply != NULL ? ev.reply : "";
    ev.text = ev.text != NULL ? ev.text : "";
    p->config.event(p->config.user, &ev);
}

bool wire_emit_ready(struct wire_parts *p)
{
    bool first = !p->ready;

    p->ready = true;
    if (first)
        wire_emit(p, (struct wire_event){.type = WIRE_READY});
    return first;
}

int wire_decode(struct wire_parts *p, size_t *count, const char *base64)
{
    size_t need = strlen(base64) / 4 * 3 / 2;

    *count = 0;
    if (need > p->pcm_cap) {
        int16_t *more = realloc(p->pcm, need * sizeof *more);
        if (more == NULL)
            return -ENOMEM;
        p->pcm = more;
        p->pcm_cap = need;
    }
    return wire_get_pcm(p->pcm, count, base64);
}

int wire_emit_audio(struct wire_parts *p, const char *reply, const char *item, const char *base64,
                    int rate_hz)
{
    size_t count = 0;
    int rc = wire_decode(p, &count, base64);

    if (rc == 0 && count > 0)
        wire_emit(p, (struct wire_event){.type = WIRE_REPLY_AUDIO,
                                         .reply = reply,
                                         .item = item,
                                         .samples = p->pcm,
                                         .count = count,
                                         .rate_hz = rate_hz});
    return rc;
}

void wire_say_fault(struct err *e, const struct dialect *d, enum wire_fault fault,
                    const char *message)
{
    const char *title = d->info.title, *key = d->info.key_env;

    switch (fault) {
    case WIRE_FORBIDDEN:
        err_set(e, STATUS_AUTH, -EACCES,
                "'%s' does not accept the key (%s); put a valid one into %s", title, message,
                key != NULL ? key : "HULLO_API_KEY");
        break;
    case WIRE_SPENT:
        err_set(
            e, STATUS_AUTH, -EDQUOT,
            "the account at '%s' has no money left, or no right to this model (%s); look at its "
            "billing and limits, or take another endpoint",
            title, message);
        break;
    case WIRE_WRONG:
        err_set(e, STATUS_USAGE, -ENOENT,
                "'%s' does not speak as it was configured (%s); check the model, the URL and the "
                "dialect",
                title, message);
        break;
    case WIRE_LIMITED:
        err_set(e, STATUS_NETWORK, -EAGAIN, "'%s' has no room at the moment: %s", title, message);
        break;
    case WIRE_OVER:
        err_set(e, STATUS_NETWORK, -ETIME, "'%s' has ended the session: %s", title, message);
        break;
    case WIRE_SERVER:
        err_set(e, STATUS_NETWORK, -EREMOTEIO, "'%s' has a problem of its own: %s", title, message);
        break;
    case WIRE_ACTIVE:
        err_set(e, STATUS_FAILED, -EBUSY, "'%s' is still answering: %s", title, message);
        break;
    case WIRE_REFUSED:
        err_set(e, STATUS_FAILED, -EPROTO, "'%s' refuses a request: %s", title, message);
        break;
    }
}

void wire_emit_error(struct wire_parts *p, enum wire_fault fault, double ms, const struct err *e)
{
    wire_emit(p, (struct wire_event){.type = WIRE_ERROR, .fault = fault, .ms = ms, .error = e});
}

void wire_emit_unknown(struct wire_parts *p, const char *name)
{
    char kept[WIRE_NAME] = "";
    size_t n = strlen(name);

    memcpy(kept, name, n < sizeof kept ? n : text_utf8_whole(name, sizeof kept - 1));
    text_line(kept);
    for (size_t i = 0; i < p->unknown_count; i++)
        if (strcmp(p->unknown[i], kept) == 0)
            return;
    if (p->unknown_count == WIRE_UNKNOWNS)
        return;
    memcpy(p->unknown[p->unknown_count++], kept, sizeof kept);
    wire_emit(p, (struct wire_event){.type = WIRE_UNKNOWN, .text = kept});
}

/* --- saying */

static void member(struct buf *b, const char *name)
{
    if (b->len > 0 && b->data[b->len - 1] != '{')
        buf_adds(b, ",");
    buf_addf(b, "\"%s\":", name);
}

void wire_object(struct buf *b, const char *name)
{
    if (name == NULL)
        buf_clear(b);
    else
        member(b, name);
    buf_adds(b, "{");
}

void wire_end(struct buf *b)
{
    buf_adds(b, "}");
}

void wire_str(struct buf *b, const char *name, const char *value)
{
    if (value == NULL)
        return;
    member(b, name);
    json_quote(b, value);
}

void wire_num(struct buf *b, const char *name, double value)
{
    member(b, name);
    buf_addf(b, "%.15g", value);
}

void wire_raw(struct buf *b, const char *name, const char *json)
{
    member(b, name);
    buf_adds(b, json);
}

struct buf *wire_message(struct wire_parts *p, const char *type)
{
    wire_object(&p->out, NULL);
    wire_str(&p->out, "type", type);
    return &p->out;
}

int wire_send_out(struct wire_parts *p)
{
    if (buf_failed(&p->out))
        return -ENOMEM;
    return p->config.send(p->config.user, buf_str(&p->out), p->out.len);
}

int wire_send_audio(struct wire_parts *p, const char *before, const int16_t *x, size_t n,
                    const char *after)
{
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < n; at += WIRE_PIECE) {
        buf_clear(&p->out);
        buf_adds(&p->out, before);
        wire_put_pcm(&p->out, x + at, n - at < WIRE_PIECE ? n - at : WIRE_PIECE);
        buf_adds(&p->out, after);
        rc = wire_send_out(p);
    }
    return rc;
}
