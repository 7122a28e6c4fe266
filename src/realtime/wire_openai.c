#include "realtime/wire_openai_state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/wire_openai.h"

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
                                 .commits = d->commits || d->always_detects,
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
    buf_free(&w->held);
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

    wire_str(b, "event_id", OPENAI_SETTINGS);
    openai_session_write(b, &s);
    wire_end(b);
    if (!s.leave_voice && voice != NULL && strlen(voice) < sizeof w->voice)
        memcpy(w->voice, voice, strlen(voice) + 1);
    w->speed = now->speed;
    w->started = true;
    return wire_send_out(&w->parts);
}

static int send_now(struct wire *w, const int16_t *x, size_t n)
{
    return wire_send_audio(&w->parts, "{\"type\":\"input_audio_buffer.append\",\"audio\":\"", x, n,
                           "\"}");
}

/* A server that ends turns whatever it is told must not hear one before it is over. */
static bool holds(const struct wire *w)
{
    const struct wire_config *c = &w->parts.config;

    return c->dialect->always_detects && c->settings->turns == BACKEND_TURNS_CLIENT;
}

static int send_held(struct wire *w)
{
    int rc =
        send_now(w, (const int16_t *)(const void *)w->held.data, w->held.len / sizeof(int16_t));

    buf_clear(&w->held);
    return rc;
}

static int send_audio(struct wire *w, const int16_t *x, size_t n)
{
    size_t most = (size_t)w->parts.config.dialect->input_hz * OPENAI_HELD_S * sizeof *x;
    int rc = 0;

    if (!holds(w))
        return send_now(w, x, n);
    if (w->held.len > most)
        rc = send_held(w);
    buf_add(&w->held, x, n * sizeof *x);
    return buf_failed(&w->held) ? -ENOMEM : rc;
}

/* Silence makes the server end the turn. */
static int send_ended(struct wire *w)
{
    static const int16_t silence[4800];
    int rc = send_held(w);

    for (int sent = 0; rc == 0 && sent < w->parts.config.dialect->input_hz; sent += 4800)
        rc = send_now(w, silence, 4800);
    w->ended = rc == 0;
    return rc;
}

static int send_settings(struct wire *w, const struct backend_settings *settings)
{
    const char *voice = openai_voice(w->parts.config.dialect, settings);
    int rc;

    w->parts.config.settings = settings;
    rc = holds(w) ? 0 : send_held(w);
    if (rc == 0)
        rc = send_update(w);
    return rc == 0 && w->spoken && strcmp(voice != NULL ? voice : "", w->voice) != 0 ? 1 : rc;
}

static int send_bare(struct wire *w, const char *type)
{
    wire_end(wire_message(&w->parts, type));
    return wire_send_out(&w->parts);
}

static int send_commit(struct wire *w)
{
    if (w->parts.config.dialect->always_detects)
        return send_ended(w);
    return send_bare(w, "input_audio_buffer.commit");
}

static int send_clear(struct wire *w)
{
    buf_clear(&w->held);
    if (!w->parts.config.dialect->commits)
        return 0;
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
    bool comes = w->ended;
    struct buf *b;

    w->ended = false;
    if (comes)
        return 0;
    b = wire_message(&w->parts, "response.create");
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
    .take = openai_take,
};
