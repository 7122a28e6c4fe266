#include "realtime/wire_openai_state.h"

#include <errno.h>
#include <string.h>

#include "realtime/wire_openai.h"
#include "util/json.h"

static int on_created(struct wire *w, const cJSON *m)
{
    (void)m;
    wire_emit_ready(&w->parts);
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
    return openai_tell_error(&w->parts, m);
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

int openai_take(struct wire *w, const char *bytes, size_t n)
{
    return wire_dispatch(&w->parts, w, events, sizeof events / sizeof *events, bytes, n);
}
