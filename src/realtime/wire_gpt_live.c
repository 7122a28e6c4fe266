#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/wire_openai.h"
#include "realtime/wire_parts.h"
#include "util/json.h"
#include "util/text.h"

/* GPT-Live (the types of openai 3.52.0, types/live): one stream in, one stream out, all the time,
 * silence too. The model alone decides when it speaks; there are no turns and no replies, and
 * nothing that it says can be taken back. */

enum {
    RATE_HZ = 24000,
    MAX_ITEMS = 128,        /* of the history that a session begins with */
    MAX_HISTORY = 24 << 10, /* its text, in bytes: 8,192 tokens, in any language */
    MAX_NOTE = 1200,        /* bytes of one note: 500 tokens */

    /* The gate. Silence is quieter than -54 dBFS; what precedes speech is kept, so that its first
     * sound is whole, and a pause within it, so that its rhythm is. */
    BLOCK = RATE_HZ / 50,
    SOUND_RMS = 64,
    BEFORE = RATE_HZ / 20,
    AFTER = RATE_HZ * 2 / 5,
};

struct item {
    const char *role;
    char *text;
};

struct wire {
    struct wire_parts parts;
    struct wire_caps caps;
    bool started;
    struct item items[MAX_ITEMS]; /* oldest first */
    size_t item_count;
    double seconds;         /* billed so far */
    size_t open;            /* samples of silence that still go through */
    int16_t before[BEFORE]; /* the last of the silence */
    size_t before_count;
};

static int open_wire(struct wire **out, const struct wire_config *config)
{
    struct wire *w = calloc(1, sizeof *w);

    *out = w;
    if (w == NULL)
        return -ENOMEM;
    wire_parts_init(&w->parts, config);
    w->caps = (struct wire_caps){.input_hz = RATE_HZ,
                                 .continuous = true,
                                 .writes = true,
                                 .early = true,
                                 .detects = true,
                                 .transcribes = true,
                                 .cap_s = config->dialect->cap_s};
    return 0;
}

static void drop_oldest(struct wire *w)
{
    free(w->items[0].text);
    memmove(w->items, w->items + 1, --w->item_count * sizeof *w->items);
}

static void free_wire(struct wire *w)
{
    if (w == NULL)
        return;
    while (w->item_count > 0)
        free(w->items[--w->item_count].text);
    wire_parts_free(&w->parts);
    free(w);
}

static const struct wire_caps *get_caps(const struct wire *w)
{
    return &w->caps;
}

/* --- what is said */

/* The newest of what was said before, as much as a session takes. */
static void put_history(struct wire *w, struct buf *b)
{
    size_t bytes = 0, first = w->item_count;

    while (first > 0 && bytes + strlen(w->items[first - 1].text) <= MAX_HISTORY)
        bytes += strlen(w->items[--first].text);
    if (first == w->item_count)
        return;
    wire_raw(b, "input", "[");
    for (size_t i = first; i < w->item_count; i++) {
        bool user = strcmp(w->items[i].role, "user") == 0;
        buf_adds(b, i > first ? ",{" : "{");
        wire_str(b, "type", "message");
        wire_str(b, "role", w->items[i].role);
        wire_raw(b, "content", "[{");
        wire_str(b, "type", user ? "input_text" : "output_text");
        wire_str(b, "text", w->items[i].text);
        buf_adds(b, "}]}");
    }
    buf_adds(b, "]");
}

/* What the model would have others do comes to us, which can do nothing: see on_delegation. */
static int send_start(struct wire *w)
{
    const struct wire_config *c = &w->parts.config;
    const struct backend_settings *s = c->settings;
    struct buf *b = wire_message(&w->parts, "session.start");

    w->started = true;
    wire_object(b, "session");
    wire_str(b, "model", c->model);
    wire_str(b, "instructions",
             s->instructions != NULL && !text_blank(s->instructions) ? s->instructions : NULL);
    wire_object(b, "audio");
    wire_object(b, "format");
    wire_str(b, "type", "audio/pcm");
    wire_num(b, "rate", RATE_HZ);
    wire_end(b);
    wire_object(b, "output");
    wire_str(b, "voice", openai_voice(c->dialect, s));
    wire_end(b);
    wire_end(b);
    wire_object(b, "delegation");
    wire_str(b, "type", "client");
    wire_end(b);
    put_history(w, b);
    wire_end(b);
    wire_end(b);
    while (w->item_count > 0)
        free(w->items[--w->item_count].text);
    return wire_send_out(&w->parts);
}

static int send_audio(struct wire *w, const int16_t *x, size_t n)
{
    return wire_send_audio(&w->parts, "{\"type\":\"session.input_audio.append\",\"audio\":\"", x, n,
                           "\"}");
}

/* A message to the model, in the middle of its session; delegation NULL: about nothing special. */
static int send_note(struct wire *w, const char *type, const char *delegation, const char *text)
{
    struct buf *b = wire_message(&w->parts, type);

    if (delegation != NULL)
        wire_str(b, "delegation_id", delegation);
    else
        wire_raw(b, "delegation_id", "null");
    wire_str(b, "content", text);
    wire_end(b);
    return wire_send_out(&w->parts);
}

static int keep_item(struct wire *w, const char *role, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        return -ENOMEM;
    if (w->item_count == MAX_ITEMS)
        drop_oldest(w);
    w->items[w->item_count++] = (struct item){role, copy};
    return 0;
}

/* There is no other way to write to a model that listens; what is long goes in several notes. */
static int send_written(struct wire *w, const char *text)
{
    const char *lead = "The user does not say but writes this to you; answer it aloud: ";
    size_t n = strlen(text);
    int rc = 0;

    while (rc == 0 && n > 0) {
        size_t part = text_utf8_whole(text, n < MAX_NOTE ? n : MAX_NOTE);
        struct buf note = BUF_INIT;
        part = part > 0 ? part : n;
        buf_adds(&note, lead);
        buf_add(&note, text, part);
        rc = buf_failed(&note) ? -ENOMEM
                               : send_note(w, "session.instructions.append", NULL, buf_str(&note));
        buf_free(&note);
        lead = "The user writes on: ";
        text += part;
        n -= part;
    }
    return rc;
}

static int user_text(struct wire *w, const char *text)
{
    if (text_blank(text))
        return 0;
    return w->started ? send_written(w, text) : keep_item(w, "user", text);
}

static int assistant_text(struct wire *w, const char *text)
{
    return w->started || text_blank(text) ? 0 : keep_item(w, "assistant", text);
}

static int send_close(struct wire *w)
{
    wire_end(wire_message(&w->parts, "session.close"));
    return wire_send_out(&w->parts);
}

/* --- what the server says */

static int on_started(struct wire *w, const cJSON *m)
{
    (void)m;
    if (wire_emit_ready(&w->parts))
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_SETTLED});
    return 0;
}

static void tell_sound(struct wire *w, const int16_t *x, size_t n)
{
    if (n > 0)
        wire_emit(&w->parts,
                  (struct wire_event){
                      .type = WIRE_REPLY_AUDIO, .samples = x, .count = n, .rate_hz = RATE_HZ});
}

static bool is_sound(const int16_t *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum > (double)SOUND_RMS * SOUND_RMS * (double)n;
}

/* Of silence, the end is kept. */
static void keep_before(struct wire *w, const int16_t *x, size_t n)
{
    size_t old = n < BEFORE ? BEFORE - n : 0;

    old = old < w->before_count ? old : w->before_count;
    memmove(w->before, w->before + w->before_count - old, old * sizeof *x);
    n = n < BEFORE ? n : BEFORE;
    memcpy(w->before + old, x, n * sizeof *x);
    w->before_count = old + n;
}

/* Lets through what can be heard: silence is sent all the time. */
static void gate(struct wire *w, const int16_t *x, size_t n)
{
    size_t from = 0; /* what goes through begins here */

    for (size_t at = 0, len; at < n; at += len) {
        bool was = w->open > 0;
        len = n - at < BLOCK ? n - at : BLOCK;
        if (is_sound(x + at, len))
            w->open = AFTER;
        else
            w->open -= len < w->open ? len : w->open;
        if (!was && w->open > 0) {
            tell_sound(w, w->before, w->before_count);
            w->before_count = 0;
            from = at;
        } else if (was && w->open == 0) {
            tell_sound(w, x + from, at + len - from);
        } else if (!was) {
            keep_before(w, x + at, len);
        }
    }
    if (w->open > 0)
        tell_sound(w, x + from, n - from);
}

static int on_audio(struct wire *w, const cJSON *m)
{
    const char *audio = json_str(m, "delta");
    size_t n = 0;
    int rc = audio != NULL ? wire_decode(&w->parts, &n, audio) : -EBADMSG;

    if (rc == 0 && w->parts.config.speak)
        gate(w, w->parts.pcm, n);
    return rc;
}

static int tell_text(struct wire *w, const cJSON *m, enum wire_event_type type)
{
    const char *text = wire_text(m, "delta");

    if (text[0] != '\0')
        wire_emit(&w->parts, (struct wire_event){.type = type, .text = text});
    return 0;
}

static int on_text(struct wire *w, const cJSON *m)
{
    return tell_text(w, m, WIRE_REPLY_TEXT);
}

static int on_heard(struct wire *w, const cJSON *m)
{
    return tell_text(w, m, WIRE_HEARD_PART);
}

/* No tools are offered yet, and the model waits for who was asked. What is asked is not told. */
static int on_delegation(struct wire *w, const cJSON *m)
{
    const cJSON *delegation = json_get(m, "delegation");
    const char *target = json_str(delegation, "target"), *id = wire_id(delegation, "id");

    if (id[0] == '\0' || target == NULL || strcmp(target, "client") != 0)
        return 0;
    return send_note(w, "session.commentary.append", id,
                     "Nobody is there to do this: no tools are connected. Answer from what you "
                     "know, or say that you cannot.");
}

/* The total so far. */
static int on_usage(struct wire *w, const cJSON *m)
{
    double seconds = json_num(json_get(m, "usage"), "seconds", 0), more = seconds - w->seconds;

    if (!(more > 0) || seconds > 1e9)
        return 0;
    w->seconds = seconds;
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_USAGE, .usage = {.seconds = more}});
    return 0;
}

static void tell_closed(struct wire *w, enum wire_fault fault, const char *words)
{
    struct err e = {0};

    wire_say_fault(&e, w->parts.config.dialect, fault, words);
    wire_emit_error(&w->parts, fault, -1, &e);
}

static int on_closed(struct wire *w, const cJSON *m)
{
    const char *reason = json_str(m, "reason");

    on_usage(w, m);
    if (reason != NULL && strcmp(reason, "expired") == 0)
        tell_closed(w, WIRE_OVER, "it lasts no longer");
    else if (reason != NULL && strcmp(reason, "content") == 0)
        tell_closed(w, WIRE_OVER, "its safety filter did not like what was said");
    else if (reason == NULL || strcmp(reason, "close_requested") != 0)
        tell_closed(w, WIRE_SERVER, "the session was lost");
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_ENDED});
    return 0;
}

static int on_error(struct wire *w, const cJSON *m)
{
    const cJSON *error = json_get(m, "error");
    double ms = -1;
    struct err e;
    enum wire_fault fault =
        openai_fault(w->parts.config.dialect, cJSON_IsObject(error) ? error : m, &ms, &e);

    /* A session that is refused at its beginning will be refused again. */
    if (fault == WIRE_REFUSED && !w->parts.ready)
        fault = WIRE_WRONG;
    wire_emit_error(&w->parts, fault, ms, &e);
    return 0;
}

static const struct wire_handler events[] = {
    {"session.output_audio.delta", on_audio},
    {"session.output_transcript.delta", on_text},
    {"session.input_transcript.delta", on_heard},
    {"session.started", on_started},
    {"session.usage.updated", on_usage},
    {"session.delegation.created", on_delegation},
    {"session.closed", on_closed},
    {"error", on_error},
    /* Answers to what is not asked for, or needs no answer, and what is for other connections. */
    {"session.updated", NULL},
    {"session.instructions.appended", NULL},
    {"session.commentary.appended", NULL},
    {"session.thinking.appended", NULL},
    {"session.input_audio.append", NULL},
    {"session.input_audio.muted", NULL},
    {"session.input_audio.unmuted", NULL},
    {"session.output_audio.fixture.playing", NULL},
    {"session.output_audio.fixture.played", NULL},
    {"decision.event", NULL},
    {"decision.item.created", NULL},
    {"decision.item.deleted", NULL},
    {"response.event", NULL},
    {"info", NULL},
};

static int take(struct wire *w, const char *bytes, size_t n)
{
    return wire_dispatch(&w->parts, w, events, sizeof events / sizeof *events, bytes, n);
}

const struct wire_ops wire_gpt_live = {
    .name = "gpt-live",
    .open = open_wire,
    .free = free_wire,
    .caps = get_caps,
    .start = send_start,
    .audio = send_audio,
    .user_text = user_text,
    .assistant_text = assistant_text,
    .finish = send_close,
    .take = take,
};
