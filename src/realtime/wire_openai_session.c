#include "realtime/wire_openai.h"

#include <string.h>

#include "realtime/wire_parts.h"
#include "util/json.h"

static bool begins(const char *s, const char *with)
{
    return s != NULL && strncmp(s, with, strlen(with)) == 0;
}

/* They write as the audio comes, and have no turn detection. */
static bool is_streaming(const char *transcriber)
{
    return begins(transcriber, "gpt-realtime-whisper") ||
           begins(transcriber, "gpt-live-transcribe");
}

/* They take a list, and no single one. */
static bool takes_languages(const char *transcriber)
{
    return begins(transcriber, "gpt-transcribe") || begins(transcriber, "gpt-live-transcribe");
}

const char *openai_transcriber(const struct dialect *d, enum backend_task task, const char *model)
{
    return task == BACKEND_TRANSCRIBE ? model : d->transcriber;
}

bool openai_detects(const struct dialect *d, enum backend_task task, const char *model)
{
    return task != BACKEND_TRANSCRIBE || !is_streaming(openai_transcriber(d, task, model));
}

const char *openai_voice(const struct dialect *d, const struct backend_settings *now)
{
    return now->voice != NULL && strcmp(now->voice, "auto") != 0 ? now->voice : d->voice;
}

static void write_turns(struct buf *b, const struct openai_session *s)
{
    const struct backend_settings *now = s->now;
    bool semantic =
        s->dialect->semantic && (now->turns == BACKEND_TURNS_SEMANTIC ||
                                 (now->turns == BACKEND_TURNS_OWN && now->eagerness != NULL));

    if (now->turns == BACKEND_TURNS_CLIENT || !openai_detects(s->dialect, s->task, s->model)) {
        wire_raw(b, "turn_detection", "null");
        return;
    }
    wire_object(b, "turn_detection");
    wire_str(b, "type", semantic ? "semantic_vad" : "server_vad");
    if (semantic && (now->eagerness != NULL || s->again))
        wire_str(b, "eagerness", now->eagerness != NULL ? now->eagerness : "auto");
    /* While a reply is heard, audio goes out only once the user speaks over it: whatever speech the
     * server finds then is meant to stop the reply. */
    if (s->task == BACKEND_CONVERSE && s->dialect->session != SESSION_TOP) {
        wire_raw(b, "create_response", "true");
        wire_raw(b, "interrupt_response", "true");
    }
    wire_end(b);
}

void openai_noise_write(struct buf *b, const char *name, const char *noise, bool again)
{
    bool near = noise != NULL && strcmp(noise, "near") == 0;
    bool far = noise != NULL && strcmp(noise, "far") == 0;

    if (noise == NULL && !again)
        return;
    if (near || far) {
        wire_object(b, name);
        wire_str(b, "type", near ? "near_field" : "far_field");
        wire_end(b);
    } else {
        wire_raw(b, name, "null");
    }
}

static void write_noise(struct buf *b, const char *name, const struct openai_session *s)
{
    if (s->dialect->denoises)
        openai_noise_write(b, name, s->now->noise, s->again);
}

static void write_transcription(struct buf *b, const char *name, const struct openai_session *s)
{
    const char *model = openai_transcriber(s->dialect, s->task, s->model);

    if (model == NULL)
        return;
    wire_object(b, name);
    wire_str(b, "model", model);
    if (!takes_languages(model)) {
        wire_str(b, "language", s->now->language);
    } else if (s->now->language != NULL) {
        wire_raw(b, "languages", "[");
        json_quote(b, s->now->language);
        buf_adds(b, "]");
    }
    if (begins(model, "gpt-realtime-whisper"))
        wire_str(b, "delay", s->now->delay);
    wire_end(b);
}

static void write_format(struct buf *b, int rate_hz)
{
    wire_object(b, "format");
    wire_str(b, "type", "audio/pcm");
    wire_num(b, "rate", rate_hz);
    wire_end(b);
}

static void write_truncation(struct buf *b, const struct openai_session *s)
{
    if (!s->dialect->retains)
        return;
    if (s->now->retention > 0) {
        wire_object(b, "truncation");
        wire_str(b, "type", "retention_ratio");
        wire_num(b, "retention_ratio", s->now->retention < 1 ? s->now->retention : 1);
        wire_end(b);
    } else if (s->again) {
        wire_str(b, "truncation", "auto");
    }
}

static void write_max_tokens(struct buf *b, const struct openai_session *s)
{
    if (s->dialect->max_tokens == NULL)
        return;
    if (s->now->max_tokens > 0)
        wire_num(b, s->dialect->max_tokens, s->now->max_tokens);
    else if (s->again && s->dialect->session == SESSION_GA)
        wire_str(b, s->dialect->max_tokens, "inf");
}

static void write_speed(struct buf *b, const struct openai_session *s)
{
    if (s->speak && s->dialect->speeds && !s->leave_speed && (s->now->speed > 0 || s->again))
        wire_num(b, "speed", s->now->speed > 0 ? s->now->speed : 1);
}

static void write_voice(struct buf *b, const struct openai_session *s)
{
    if (s->speak && !s->leave_voice)
        wire_str(b, "voice", openai_voice(s->dialect, s->now));
}

static void write_instructions(struct buf *b, const struct openai_session *s)
{
    const char *none = s->again ? "" : NULL;

    wire_str(b, "instructions", s->now->instructions != NULL ? s->now->instructions : none);
}

/* session.audio.input and .output; xAI has some of it one level higher. */
static void write_audio(struct buf *b, const struct openai_session *s)
{
    bool top = s->dialect->session == SESSION_TOP;

    wire_object(b, "audio");
    wire_object(b, "input");
    write_format(b, s->dialect->input_hz);
    write_noise(b, "noise_reduction", s);
    write_transcription(b, "transcription", s);
    if (!top)
        write_turns(b, s);
    wire_end(b);
    if (s->task == BACKEND_CONVERSE && s->speak) {
        wire_object(b, "output");
        write_format(b, s->dialect->output_hz);
        if (!top) {
            write_voice(b, s);
            write_speed(b, s);
        }
        wire_end(b);
    }
    wire_end(b);
}

static void write_ga(struct buf *b, const struct openai_session *s)
{
    bool top = s->dialect->session == SESSION_TOP;

    if (!top)
        wire_str(b, "type", s->task == BACKEND_TRANSCRIBE ? "transcription" : "realtime");
    if (s->task == BACKEND_CONVERSE) {
        write_instructions(b, s);
        if (top) {
            write_voice(b, s);
            write_turns(b, s);
        } else {
            wire_raw(b, "output_modalities", s->speak ? "[\"audio\"]" : "[\"text\"]");
            write_max_tokens(b, s);
            write_truncation(b, s);
        }
        if (s->dialect->efforts && s->now->effort != NULL) {
            wire_object(b, "reasoning");
            wire_str(b, "effort", s->now->effort);
            wire_end(b);
        }
    }
    write_audio(b, s);
}

static void write_beta(struct buf *b, const struct openai_session *s)
{
    wire_str(b, "input_audio_format", s->dialect->format_in);
    if (s->task == BACKEND_CONVERSE) {
        wire_raw(b, "modalities", s->speak ? "[\"text\",\"audio\"]" : "[\"text\"]");
        write_instructions(b, s);
        if (s->speak)
            wire_str(b, "output_audio_format", s->dialect->format_out);
        write_voice(b, s);
        write_speed(b, s);
        write_max_tokens(b, s);
    }
    write_noise(b, "input_audio_noise_reduction", s);
    write_transcription(b, "input_audio_transcription", s);
    write_turns(b, s);
}

void openai_session_write(struct buf *b, const struct openai_session *s)
{
    wire_object(b, "session");
    if (s->dialect->session == SESSION_BETA)
        write_beta(b, s);
    else
        write_ga(b, s);
    wire_end(b);
}
