#include "realtime/wire_openai.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/wire_parts.h"
#include "util/json.h"

enum { VOICE = 128 };

struct wire {
    struct wire_parts parts;
    struct wire_caps caps;
    bool ready;
    bool started; /* a session.update was sent */
    bool spoken;  /* audio has come: the voice stands */
    char voice[VOICE];
    double speed; /* as sent; 0: none was */
    bool texted;  /* the words of the reply in hand come in pieces */
    bool worded;  /* ... came whole, and there may be more */
};

static void fill_caps(struct wire *w)
{
    const struct wire_config *c = &w->parts.config;
    const struct dialect *d = c->dialect;
    bool converse = c->task == BACKEND_CONVERSE;

    w->caps = (struct wire_caps){.input_hz = d->input_hz,
                                 .eager = true,
                                 .asks = converse,
                                 .cancels = converse,
                                 .writes = converse && d->writes,
                                 .audio_turns = converse && d->writes && d->audio_turns,
                                 .detects = openai_detects(d, c->task, c->model),
                                 .commits = d->commits,
                                 .transcribes = d->transcribes ||
                                                openai_transcriber(d, c->task, c->model) != NULL,
                                 .adjusts = true,
                                 .cap_s = d->cap_s};
}

static int open_wire(struct wire **out, const struct wire_config *config)
{
    struct wire *w = calloc(1, sizeof *w);

    *out = w;
    if (w == NULL)
        return -ENOMEM;
    wire_parts_init(&w->parts, config);
    fill_caps(w);
    return 0;
}

static void free_wire(struct wire *w)
{
    if (w == NULL)
        return;
    wire_parts_free(&w->parts);
    free(w);
}

static const struct wire_caps *get_caps(const struct wire *w)
{
    return &w->caps;
}

/* --- what we say */

static int send_update(struct wire *w)
{
    const struct wire_config *c = &w->parts.config;
    const struct backend_settings *now = c->settings;
    const char *voice = openai_voice(c->dialect, now);
    struct openai_session s = {
        .dialect = c->dialect,
        .task = c->task,
        .model = c->model,
        .speak = c->speak,
        .again = w->started,
        .leave_voice = w->spoken || (voice != NULL && strcmp(voice, w->voice) == 0),
        .leave_speed = w->started && !(now->speed < w->speed) && !(now->speed > w->speed),
        .now = now,
    };
    struct buf *b = wire_message(&w->parts, "session.update");

    openai_session_write(b, &s);
    wire_end(b);
    if (!s.leave_voice && voice != NULL && strlen(voice) < sizeof w->voice)
        memcpy(w->voice, voice, strlen(voice) + 1);
    w->speed = now->speed;
    w->started = true;
    return wire_send_out(&w->parts);
}

static int send_settings(struct wire *w, const struct backend_settings *settings)
{
    w->parts.config.settings = settings;
    return send_update(w);
}

static int send_bare(struct wire *w, const char *type)
{
    wire_end(wire_message(&w->parts, type));
    return wire_send_out(&w->parts);
}

static int send_audio(struct wire *w, const int16_t *x, size_t n)
{
    return wire_send_audio(&w->parts, "{\"type\":\"input_audio_buffer.append\",\"audio\":\"", x, n,
                           "\"}");
}

static int send_commit(struct wire *w)
{
    return send_bare(w, "input_audio_buffer.commit");
}

static int send_clear(struct wire *w)
{
    return send_bare(w, "input_audio_buffer.clear");
}

/* Up to the content's type; end_item closes what it opens. */
static struct buf *begin_item(struct wire *w, const char *role, const char *content)
{
    struct buf *b = wire_message(&w->parts, "conversation.item.create");

    wire_object(b, "item");
    wire_str(b, "type", "message");
    wire_str(b, "role", role);
    wire_raw(b, "content", "[{");
    wire_str(b, "type", content);
    return b;
}

static int end_item(struct wire *w, struct buf *b)
{
    buf_adds(b, "}]");
    wire_end(b);
    wire_end(b);
    return wire_send_out(&w->parts);
}

static int send_user_text(struct wire *w, const char *text)
{
    struct buf *b = begin_item(w, "user", "input_text");

    wire_str(b, "text", text);
    return end_item(w, b);
}

static int send_user_audio(struct wire *w, const int16_t *x, size_t n)
{
    struct buf *b = begin_item(w, "user", "input_audio");

    wire_raw(b, "audio", "\"");
    wire_put_pcm(b, x, n);
    buf_adds(b, "\"");
    return end_item(w, b);
}

static int send_assistant_text(struct wire *w, const char *text)
{
    bool beta = w->parts.config.dialect->session == SESSION_BETA;
    struct buf *b = begin_item(w, "assistant", beta ? "text" : "output_text");

    wire_str(b, "text", text);
    return end_item(w, b);
}

static int send_respond(struct wire *w, const char *instructions)
{
    struct buf *b = wire_message(&w->parts, "response.create");

    if (instructions != NULL) {
        wire_object(b, "response");
        wire_str(b, "instructions", instructions);
        wire_end(b);
    }
    wire_end(b);
    return wire_send_out(&w->parts);
}

static int send_cancel(struct wire *w, const char *reply)
{
    struct buf *b = wire_message(&w->parts, "response.cancel");

    wire_str(b, "response_id", reply != NULL && reply[0] != '\0' ? reply : NULL);
    wire_end(b);
    return wire_send_out(&w->parts);
}

/* Nothing at 0: an item of which nothing was heard, or without audio, would only be an error. */
static int send_truncate(struct wire *w, const char *item, double played_ms)
{
    struct buf *b;

    if (!w->parts.config.dialect->truncates || item == NULL || item[0] == '\0' ||
        !(played_ms >= 1 && played_ms <= 86400e3))
        return 0;
    b = wire_message(&w->parts, "conversation.item.truncate");
    wire_str(b, "item_id", item);
    wire_num(b, "content_index", 0);
    wire_num(b, "audio_end_ms", floor(played_ms));
    wire_end(b);
    return wire_send_out(&w->parts);
}

/* --- what we hear */

static int on_created(struct wire *w, const cJSON *m)
{
    (void)m;
    if (!w->ready)
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_READY});
    w->ready = true;
    return 0;
}

/* A server that does not say created is there as well. */
static int on_updated(struct wire *w, const cJSON *m)
{
    on_created(w, m);
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_SETTLED});
    return 0;
}

static int on_error(struct wire *w, const cJSON *m)
{
    const cJSON *error = json_get(m, "error");
    double ms = -1;
    struct err e;
    enum wire_fault fault =
        openai_fault(w->parts.config.dialect, cJSON_IsObject(error) ? error : m, &ms, &e);

    wire_emit_error(&w->parts, fault, ms, &e);
    return 0;
}

static double position(const cJSON *m, const char *name)
{
    double ms = json_num(m, name, -1);

    return ms >= 0 && ms <= 86400e3 ? ms : -1;
}

static int on_speech_started(struct wire *w, const cJSON *m)
{
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_SPEECH_STARTED,
                                             .ms = position(m, "audio_start_ms"),
                                             .item = wire_id(m, "item_id")});
    return 0;
}

static int on_speech_stopped(struct wire *w, const cJSON *m)
{
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_SPEECH_STOPPED,
                                             .ms = position(m, "audio_end_ms"),
                                             .item = wire_id(m, "item_id")});
    return 0;
}

static int on_committed(struct wire *w, const cJSON *m)
{
    wire_emit(&w->parts,
              (struct wire_event){.type = WIRE_COMMITTED, .item = wire_id(m, "item_id")});
    return 0;
}

static int on_heard_part(struct wire *w, const cJSON *m)
{
    const char *text = wire_text(m, "delta");

    if (text[0] != '\0')
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_HEARD_PART,
                                                 .item = wire_id(m, "item_id"),
                                                 .text = text});
    return 0;
}

/* The words are billed by another model, by tokens or by time. */
static void tell_words_usage(struct wire *w, const cJSON *usage)
{
    const struct wire_config *c = &w->parts.config;
    double seconds = json_num(usage, "seconds", 0);
    struct backend_usage u = {
        .text_in = wire_count(usage, "input_token_details.text_tokens"),
        .audio_in = wire_count(usage, "input_token_details.audio_tokens"),
        .text_out = wire_count(usage, "output_tokens"),
        .seconds = seconds > 0 && seconds < 86400 ? seconds : 0,
        .model = openai_transcriber(c->dialect, c->task, c->model),
    };

    if (u.text_in + u.audio_in == 0)
        u.audio_in = wire_count(usage, "input_tokens");
    if (u.text_in + u.audio_in + u.text_out > 0 || u.seconds > 0)
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_USAGE, .usage = u});
}

static int on_heard(struct wire *w, const cJSON *m)
{
    if (json_str(m, "transcript") == NULL)
        return -EBADMSG;
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_HEARD,
                                             .item = wire_id(m, "item_id"),
                                             .text = wire_text(m, "transcript")});
    tell_words_usage(w, json_get(m, "usage"));
    return 0;
}

static int on_heard_failed(struct wire *w, const cJSON *m)
{
    double ms;
    struct err e;

    openai_fault(w->parts.config.dialect, json_get(m, "error"), &ms, &e);
    wire_emit(
        &w->parts,
        (struct wire_event){.type = WIRE_HEARD_FAILED, .item = wire_id(m, "item_id"), .error = &e});
    return 0;
}

static int on_reply_started(struct wire *w, const cJSON *m)
{
    w->texted = w->worded = false;
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_REPLY_STARTED,
                                             .reply = wire_id(json_get(m, "response"), "id")});
    return 0;
}

static int on_reply_audio(struct wire *w, const cJSON *m)
{
    const char *audio = json_str(m, "delta");

    if (audio == NULL)
        return -EBADMSG;
    w->spoken = true;
    return wire_emit_audio(&w->parts, wire_id(m, "response_id"), wire_id(m, "item_id"), audio,
                           w->parts.config.dialect->output_hz);
}

static void tell_text(struct wire *w, const cJSON *m, const char *text)
{
    if (text[0] != '\0')
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_REPLY_TEXT,
                                                 .reply = wire_id(m, "response_id"),
                                                 .item = wire_id(m, "item_id"),
                                                 .text = text});
}

static int on_reply_text(struct wire *w, const cJSON *m)
{
    w->texted = true;
    tell_text(w, m, wire_text(m, "delta"));
    return 0;
}

/* Some servers send the words only whole, a sentence at a time. */
static int on_reply_words(struct wire *w, const cJSON *m)
{
    const char *name = json_str(m, "transcript") != NULL ? "transcript" : "text";

    if (w->texted)
        return 0;
    if (w->worded)
        tell_text(w, m, " ");
    tell_text(w, m, wire_text(m, name));
    w->worded = true;
    return 0;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void read_usage(struct backend_usage *u, const cJSON *usage)
{
    uint64_t cached = wire_count(usage, "input_token_details.cached_tokens");
    const cJSON *details = json_path(usage, "input_token_details.cached_tokens_details");

    u->text_in = wire_count(usage, "input_token_details.text_tokens");
    u->audio_in = wire_count(usage, "input_token_details.audio_tokens");
    u->text_out = wire_count(usage, "output_token_details.text_tokens");
    u->audio_out = wire_count(usage, "output_token_details.audio_tokens");
    if (u->text_in + u->audio_in == 0)
        u->text_in = wire_count(usage, "input_tokens");
    if (u->text_out + u->audio_out == 0)
        u->text_out = wire_count(usage, "output_tokens");
    u->text_cached = wire_count(details, "text_tokens");
    u->audio_cached = wire_count(details, "audio_tokens");
    if (u->text_cached + u->audio_cached == 0)
        u->text_cached = cached < u->text_in ? cached : u->text_in;
    /* The provider counts them twice; they are billed once. */
    u->text_in = less(u->text_in, u->text_cached);
    u->audio_in = less(u->audio_in, u->audio_cached);
}

static int on_reply_done(struct wire *w, const cJSON *m)
{
    const cJSON *response = json_get(m, "response");
    const cJSON *details = json_get(response, "status_details");
    const char *status = json_str(response, "status");
    struct wire_event ev = {.type = WIRE_REPLY_DONE, .reply = wire_id(response, "id"), .ms = -1};
    struct err e;

    read_usage(&ev.usage, json_get(response, "usage"));
    if (status != NULL && strcmp(status, "cancelled") == 0)
        ev.outcome = WIRE_CANCELLED;
    else if (status != NULL && strcmp(status, "incomplete") == 0)
        ev.outcome = WIRE_INCOMPLETE;
    else if (status != NULL && strcmp(status, "failed") == 0)
        ev.outcome = WIRE_FAILED;
    if (ev.outcome == WIRE_FAILED) {
        ev.fault = openai_fault(w->parts.config.dialect, json_get(details, "error"), &ev.ms, &e);
        ev.error = &e;
    }
    wire_emit(&w->parts, ev);
    return 0;
}

/* Every event of the protocol; those without a handler are known, and not needed here. */
static const struct wire_handler events[] = {
    {"response.output_audio.delta", on_reply_audio},
    {"response.output_audio_transcript.delta", on_reply_text},
    {"response.output_text.delta", on_reply_text},
    {"conversation.item.input_audio_transcription.delta", on_heard_part},
    {"conversation.item.input_audio_transcription.completed", on_heard},
    {"conversation.item.input_audio_transcription.failed", on_heard_failed},
    {"conversation.item.input_audio_transcription.segment", NULL}, /* completed has it all */
    {"input_audio_buffer.speech_started", on_speech_started},
    {"input_audio_buffer.speech_stopped", on_speech_stopped},
    {"input_audio_buffer.committed", on_committed},
    {"input_audio_buffer.cleared", NULL},
    {"input_audio_buffer.timeout_triggered", NULL}, /* committed follows */
    {"input_audio_buffer.dtmf_event_received", NULL},
    {"response.created", on_reply_started},
    {"response.done", on_reply_done},
    {"response.output_audio.done", NULL},
    {"response.output_audio_transcript.done", on_reply_words},
    {"response.output_text.done", on_reply_words},
    {"response.output_item.added", NULL},
    {"response.output_item.done", NULL},
    {"response.content_part.added", NULL},
    {"response.content_part.done", NULL},
    {"response.function_call_arguments.delta", NULL},
    {"response.function_call_arguments.done", NULL},
    {"response.mcp_call_arguments.delta", NULL},
    {"response.mcp_call_arguments.done", NULL},
    {"response.mcp_call.in_progress", NULL},
    {"response.mcp_call.completed", NULL},
    {"response.mcp_call.failed", NULL},
    {"mcp_list_tools.in_progress", NULL},
    {"mcp_list_tools.completed", NULL},
    {"mcp_list_tools.failed", NULL},
    {"conversation.created", on_created}, /* xAI says nothing else at the beginning */
    {"conversation.item.created", NULL},
    {"conversation.item.added", NULL},
    {"conversation.item.done", NULL},
    {"conversation.item.deleted", NULL},
    {"conversation.item.retrieved", NULL},
    {"conversation.item.truncated", NULL},
    {"output_audio_buffer.started", NULL}, /* these three: WebRTC and SIP */
    {"output_audio_buffer.stopped", NULL},
    {"output_audio_buffer.cleared", NULL},
    {"rate_limits.updated", NULL}, /* an error comes when they are reached */
    {"session.created", on_created},
    {"session.updated", on_updated},
    {"error", on_error},
};

static int take(struct wire *w, const char *bytes, size_t n)
{
    return wire_dispatch(&w->parts, w, events, sizeof events / sizeof *events, bytes, n);
}

const struct wire_ops wire_openai = {
    .name = "openai",
    .open = open_wire,
    .free = free_wire,
    .caps = get_caps,
    .start = send_update,
    .settings = send_settings,
    .audio = send_audio,
    .commit = send_commit,
    .clear = send_clear,
    .user_text = send_user_text,
    .user_audio = send_user_audio,
    .assistant_text = send_assistant_text,
    .respond = send_respond,
    .cancel = send_cancel,
    .truncate = send_truncate,
    .take = take,
};
