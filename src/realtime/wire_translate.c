#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/wire_openai.h"
#include "realtime/wire_parts.h"
#include "util/json.h"

/* OpenAI's translation sessions: what goes in comes out in another language, all the time; there
 * are no turns, and no replies. */
struct wire {
    struct wire_parts parts;
    struct wire_caps caps;
    bool started;
};

/* The words of the speaker are written down as they come, which not every model does. */
static const char *transcriber(const struct dialect *d)
{
    return d->info.model[BACKEND_TRANSCRIBE] != NULL ? d->info.model[BACKEND_TRANSCRIBE]
                                                     : d->transcriber;
}

static int open_wire(struct wire **out, const struct wire_config *config)
{
    struct wire *w = calloc(1, sizeof *w);

    *out = w;
    if (w == NULL)
        return -ENOMEM;
    wire_parts_init(&w->parts, config);
    w->caps = (struct wire_caps){.input_hz = config->dialect->input_hz,
                                 .eager = true,
                                 .continuous = true,
                                 .transcribes = transcriber(config->dialect) != NULL,
                                 .adjusts = true,
                                 .cap_s = config->dialect->cap_s};
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

static int send_update(struct wire *w)
{
    const struct wire_config *c = &w->parts.config;
    const char *model = transcriber(c->dialect);
    struct buf *b = wire_message(&w->parts, "session.update");

    wire_str(b, "event_id", OPENAI_SETTINGS);
    wire_object(b, "session");
    wire_object(b, "audio");
    wire_object(b, "input");
    if (c->dialect->denoises)
        openai_noise_write(b, "noise_reduction", c->settings->noise, w->started);
    if (model != NULL) {
        wire_object(b, "transcription");
        wire_str(b, "model", model);
        wire_end(b);
    }
    wire_end(b);
    wire_object(b, "output");
    wire_str(b, "language", c->settings->to);
    for (int open = 0; open < 4; open++)
        wire_end(b);
    w->started = true;
    return wire_send_out(&w->parts);
}

static int send_settings(struct wire *w, const struct backend_settings *settings)
{
    w->parts.config.settings = settings;
    return send_update(w);
}

static int send_audio(struct wire *w, const int16_t *x, size_t n)
{
    return wire_send_audio(
        &w->parts, "{\"type\":\"session.input_audio_buffer.append\",\"audio\":\"", x, n, "\"}");
}

static int send_close(struct wire *w)
{
    wire_end(wire_message(&w->parts, "session.close"));
    return wire_send_out(&w->parts);
}

static int on_created(struct wire *w, const cJSON *m)
{
    (void)m;
    wire_emit_ready(&w->parts);
    return 0;
}

static int on_updated(struct wire *w, const cJSON *m)
{
    on_created(w, m);
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_SETTLED});
    return 0;
}

static int on_closed(struct wire *w, const cJSON *m)
{
    (void)m;
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_ENDED});
    return 0;
}

static int on_audio(struct wire *w, const cJSON *m)
{
    const char *audio = json_str(m, "delta"), *format = json_str(m, "format");
    int hz = (int)json_int(m, "sample_rate", 8000, 48000, w->parts.config.dialect->output_hz);

    if (audio == NULL || json_num(m, "channels", 1) > 1 ||
        (format != NULL && strcmp(format, "pcm16") != 0))
        return -EBADMSG;
    return wire_emit_audio(&w->parts, "", "", audio, hz);
}

static int on_text(struct wire *w, const cJSON *m)
{
    const char *text = wire_text(m, "delta");

    if (text[0] != '\0')
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_REPLY_TEXT, .text = text});
    return 0;
}

static int on_heard(struct wire *w, const cJSON *m)
{
    const char *text = wire_text(m, "delta");

    if (text[0] != '\0')
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_HEARD_PART, .text = text});
    return 0;
}

static int on_error(struct wire *w, const cJSON *m)
{
    return openai_tell_error(&w->parts, m);
}

static const struct wire_handler events[] = {
    {"session.output_audio.delta", on_audio},
    {"session.output_transcript.delta", on_text},
    {"session.input_transcript.delta", on_heard},
    {"session.created", on_created},
    {"session.updated", on_updated},
    {"session.closed", on_closed},
    {"error", on_error},
};

static int take(struct wire *w, const char *bytes, size_t n)
{
    return wire_dispatch(&w->parts, w, events, sizeof events / sizeof *events, bytes, n);
}

const struct wire_ops wire_translate = {
    .name = "openai-translate",
    .open = open_wire,
    .free = free_wire,
    .caps = get_caps,
    .start = send_update,
    .settings = send_settings,
    .audio = send_audio,
    .finish = send_close,
    .take = take,
};
