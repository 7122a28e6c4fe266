/* wire_parts - what the codecs of realtime protocols (wire.h) share: reading what a stranger sent,
 * writing what goes out into one buffer that is used again, PCM16 as base64 (RFC 4648, section 4),
 * telling what happened. A codec keeps one struct wire_parts; the rest of its state is its own. */
#ifndef HULLO_REALTIME_WIRE_PARTS_H
#define HULLO_REALTIME_WIRE_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include <cJSON.h>

#include "realtime/dialect.h"
#include "realtime/wire.h"
#include "util/buf.h"
#include "util/err.h"

enum {
    WIRE_NAME = 64,     /* bytes of an event's name that are kept */
    WIRE_UNKNOWNS = 16, /* names that are told apart; further ones are not told */
    WIRE_LINE = 300,
    WIRE_PIECE = 1 << 20 /* samples of one message of audio, at most */
};

struct wire_parts {
    struct wire_config config; /* .settings: those in force */
    struct buf out;            /* the message in the making */
    int16_t *pcm;              /* what wire_decode has decoded last */
    size_t pcm_cap;
    char unknown[WIRE_UNKNOWNS][WIRE_NAME];
    size_t unknown_count;
    bool ready; /* READY was told */
};

void wire_parts_init(struct wire_parts *p, const struct wire_config *config);
void wire_parts_free(struct wire_parts *p); /* what it holds, not p */

/* --- base64 of 16-bit little-endian samples */

/* Appends; a failure is b's. */
void wire_put_pcm(struct buf *b, const int16_t *x, size_t n);

/* Strict: padding where it belongs and nothing else; no white space, no bits left over, whole
 * samples. *count samples go to out, which holds n / 4 * 3 / 2 of them for n = strlen(base64).
 * 0, or -EBADMSG. */
int wire_get_pcm(int16_t *out, size_t *count, const char *base64);

/* --- reading */

/* The JSON object that bytes[0..n) hold, for cJSON_Delete. As wire_ops.take. */
int wire_parse(cJSON **out, const char *bytes, size_t n);

/* A member that names a turn, a reply or a part of one: printable ASCII of at most WIRE_ID bytes,
 * else "". Borrowed from the object. */
const char *wire_id(const cJSON *object, const char *name);

/* A member's text, cleaned (in place) and at most WIRE_TEXT_MAX bytes of it; "" when there is none.
 * Borrowed from the object. */
const char *wire_text(const cJSON *object, const char *name);

/* As wire_text, and one line of at most WIRE_LINE bytes: for messages. */
const char *wire_line(const cJSON *object, const char *name);

/* A count of the kind that is billed; 0 when it is none. path: as json_path. */
uint64_t wire_count(const cJSON *object, const char *path);

/* What is done about a message of that type; NULL: it is known, and not needed. As wire_ops.take.
 */
struct wire_handler {
    const char *type;
    int (*take)(struct wire *w, const cJSON *m);
};

/* Reads a message whose member "type" says what it is, under the dialect's name or ours, and hands
 * it to its handler; one that is not in the table is told (wire_emit_unknown). As wire_ops.take. */
int wire_dispatch(struct wire_parts *p, struct wire *w, const struct wire_handler *table, size_t n,
                  const char *bytes, size_t count);

/* --- telling */

/* Hands the event on; strings that are NULL are "". */
void wire_emit(struct wire_parts *p, struct wire_event ev);

/* Hands on WIRE_READY, once in a connection. Whether this was it. */
bool wire_emit_ready(struct wire_parts *p);

/* Decodes base64 into p->pcm. 0, -EBADMSG, -ENOMEM. */
int wire_decode(struct wire_parts *p, size_t *count, const char *base64);

/* Decodes base64 and hands it on as WIRE_REPLY_AUDIO; silence of no length is no event. 0,
 * -EBADMSG, -ENOMEM: no event. */
int wire_emit_audio(struct wire_parts *p, const char *reply, const char *item, const char *base64,
                    int rate_hz);

/* What people should read about an error of the provider's; message: its words, one line. */
void wire_say_fault(struct err *e, const struct dialect *d, enum wire_fault fault,
                    const char *message);

/* Hands on WIRE_ERROR; ms as enum wire_fault says. */
void wire_emit_error(struct wire_parts *p, enum wire_fault fault, double ms, const struct err *e);

/* Hands on WIRE_UNKNOWN, for each name once. */
void wire_emit_unknown(struct wire_parts *p, const char *name);

/* --- saying */

/* JSON written by hand into p->out, a failure is the buffer's: a member of the object that is open
 * (commas are seen to). Strings are cleaned; NULL: no member at all. */
void wire_object(struct buf *b,
                 const char *name); /* opens one; NULL: the outermost, from scratch */
void wire_end(struct buf *b);       /* ends the one that is open */
void wire_str(struct buf *b, const char *name, const char *value);
void wire_num(struct buf *b, const char *name, double value);
void wire_raw(struct buf *b, const char *name, const char *json); /* as it is */

/* Begins the message {"type":type in p->out; wire_end is still to come. Returns p->out. */
struct buf *wire_message(struct wire_parts *p, const char *type);

/* Sends what stands in p->out. */
int wire_send_out(struct wire_parts *p);

/* Sends `before`, the samples in base64, `after`; as several such messages when there are many. */
int wire_send_audio(struct wire_parts *p, const char *before, const int16_t *x, size_t n,
                    const char *after);

#endif
