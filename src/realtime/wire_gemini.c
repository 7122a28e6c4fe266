#include "realtime/wire_gemini.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/dialect.h"
#include "util/json.h"
#include "util/text.h"

enum {
    INPUT_HZ = 16000,
    CONNECTION_S = 600, /* about; goAway comes a minute before */
    MAX_CALLS = 32,
};

/* A model that refuses a level of thinking; another one of its family is for that. */
static const char UNTHINKING[] = "gemini-3.8-live";

/* --- the session */

static bool wanted(const char *s)
{
    return s != NULL && s[0] != '\0' && strcmp(s, "auto") != 0;
}

static const struct backend_settings *settings_of(const struct wire *w)
{
    return w->parts.config.settings;
}

static enum backend_task task_of(const struct wire *w)
{
    return w->parts.config.task;
}

/* A member that is a list of one string. */
static void put_one(struct buf *b, const char *name, const char *value)
{
    wire_raw(b, name, "[");
    json_quote(b, value);
    buf_adds(b, "]");
}

static void put_transcriptions(const struct wire *w, struct buf *b)
{
    const char *language = settings_of(w)->language;

    wire_object(b, "inputAudioTranscription");
    if (wanted(language))
        put_one(b, "languageCodes", language);
    wire_end(b);
    if (task_of(w) != BACKEND_TRANSCRIBE)
        wire_raw(b, "outputAudioTranscription", "{}");
}

/* The language of the speech is left to the model: those with a voice of their own know it from the
 * conversation, and refuse the session for one that they do not list. */
static void put_voice(const struct wire *w, struct buf *b)
{
    const char *voice = settings_of(w)->voice;

    if (!wanted(voice))
        voice = w->parts.config.dialect->voice;
    if (!wanted(voice))
        return;
    wire_object(b, "speechConfig");
    wire_object(b, "voiceConfig");
    wire_object(b, "prebuiltVoiceConfig");
    wire_str(b, "voiceName", voice);
    wire_end(b);
    wire_end(b);
    wire_end(b);
}

/* What this model does not take ends the session, so that it is left out. */
static bool thinks(const struct wire *w)
{
    const char *model = w->parts.config.model;

    return w->parts.config.dialect->efforts && (model == NULL || strcmp(model, UNTHINKING) != 0);
}

static void put_thinking(const struct wire *w, struct buf *b)
{
    static const struct {
        const char *effort, *level;
    } levels[] = {{"minimal", "MINIMAL"},
                  {"low", "LOW"},
                  {"medium", "MEDIUM"},
                  {"high", "HIGH"},
                  {"xhigh", "XHIGH"}};
    const char *effort = settings_of(w)->effort;

    for (size_t i = 0; effort != NULL && thinks(w) && i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(levels[i].effort, effort) != 0)
            continue;
        wire_object(b, "thinkingConfig");
        wire_str(b, "thinkingLevel", levels[i].level);
        wire_end(b);
    }
}

/* Speech is asked for even where only text is wanted: the models of a conversation refuse TEXT, and
 * what they say comes as text besides. */
static void put_generation(const struct wire *w, struct buf *b)
{
    const struct backend_settings *s = settings_of(w);

    wire_object(b, "generationConfig");
    put_one(b, "responseModalities", task_of(w) == BACKEND_TRANSCRIBE ? "TEXT" : "AUDIO");
    if (task_of(w) == BACKEND_TRANSLATE) {
        wire_object(b, "translationConfig");
        wire_str(b, "targetLanguageCode", wanted(s->to) ? s->to : "en");
        wire_end(b);
    } else if (task_of(w) == BACKEND_CONVERSE) {
        if (s->max_tokens > 0)
            wire_num(b, "maxOutputTokens", s->max_tokens);
        put_voice(w, b);
        put_thinking(w, b);
    }
    wire_end(b);
}

/* How soon a turn ends, where the service detects turns. */
static void put_eagerness(const struct wire *w, struct buf *b)
{
    static const struct {
        const char *eagerness, *sensitivity;
        int silence_ms;
    } how[] = {{"low", "END_SENSITIVITY_LOW", 1200},
               {"medium", NULL, 700},
               {"high", "END_SENSITIVITY_HIGH", 350}};
    const char *eagerness = settings_of(w)->eagerness;

    for (size_t i = 0; eagerness != NULL && i < sizeof how / sizeof *how; i++) {
        if (strcmp(how[i].eagerness, eagerness) != 0)
            continue;
        wire_str(b, "endOfSpeechSensitivity", how[i].sensitivity);
        wire_num(b, "silenceDurationMs", how[i].silence_ms);
    }
}

/* Where we detect turns, a turn is all that was said since the last one: what came before our
 * detector was sure belongs to it. */
static void put_detection(const struct wire *w, struct buf *b)
{
    wire_object(b, "realtimeInputConfig");
    wire_object(b, "automaticActivityDetection");
    if (w->manual)
        wire_raw(b, "disabled", "true");
    else
        put_eagerness(w, b);
    wire_end(b);
    wire_str(b, "activityHandling", "START_OF_ACTIVITY_INTERRUPTS");
    if (w->manual)
        wire_str(b, "turnCoverage", "TURN_INCLUDES_ALL_INPUT");
    wire_end(b);
}

/* What only a conversation has. Without the window, a session ends after 15 minutes. */
static void put_conversation(const struct wire *w, struct buf *b)
{
    const char *instructions = settings_of(w)->instructions;

    if (instructions != NULL && !text_blank(instructions)) {
        wire_object(b, "systemInstruction");
        wire_raw(b, "parts", "[{");
        wire_str(b, "text", instructions);
        buf_adds(b, "}]}");
    }
    wire_object(b, "sessionResumption");
    wire_str(b, "handle", w->parts.config.handle);
    wire_end(b);
    wire_raw(b, "contextWindowCompression", "{\"slidingWindow\":{}}");
    if (w->seed)
        wire_raw(b, "historyConfig", "{\"initialHistoryInClientContent\":true}");
}

static void put_model(const struct wire *w, struct buf *b)
{
    const char *model = w->parts.config.model != NULL ? w->parts.config.model : "";
    struct buf name = BUF_INIT;

    buf_addf(&name, "%s%s", strchr(model, '/') == NULL ? "models/" : "", model);
    if (buf_failed(&name))
        b->failed = true;
    wire_str(b, "model", buf_str(&name));
    buf_free(&name);
}

static int gemini_start(struct wire *w)
{
    struct buf *b = &w->parts.out;

    /* A session that is resumed knows what was said in it. */
    w->seed = w->parts.config.handle == NULL && w->before.len > 0;
    w->started = true;
    wire_object(b, NULL);
    wire_object(b, "setup");
    put_model(w, b);
    put_generation(w, b);
    put_transcriptions(w, b);
    if (task_of(w) != BACKEND_TRANSLATE)
        put_detection(w, b);
    if (task_of(w) == BACKEND_CONVERSE)
        put_conversation(w, b);
    wire_end(b);
    wire_end(b);
    return wire_send_out(&w->parts);
}

/* --- what was written */

static void add_before(struct wire *w, const char *role, const char *text)
{
    if (w->before.len > 0)
        buf_adds(&w->before, ",");
    buf_addf(&w->before, "{\"role\":\"%s\",\"parts\":[{\"text\":", role);
    json_quote(&w->before, text);
    buf_adds(&w->before, "}]}");
}

static int keep_held(struct wire *w)
{
    if (w->held.len > 0)
        add_before(w, "user", buf_str(&w->held));
    buf_clear(&w->held);
    return buf_failed(&w->before) ? -ENOMEM : 0;
}

static int gemini_assistant_text(struct wire *w, const char *text)
{
    int rc;

    /* Models of today end the session over words that are put into their mouth later. */
    if (text_blank(text) || (w->started && !w->seed))
        return 0;
    rc = keep_held(w);
    if (rc == 0)
        add_before(w, "model", text);
    return buf_failed(&w->before) ? -ENOMEM : rc;
}

/* What the user writes waits for what follows: respond makes it a question, anything else a part of
 * the past. */
static int gemini_user_text(struct wire *w, const char *text)
{
    int rc = 0;

    if (text_blank(text))
        return 0;
    if (!w->started || w->seed)
        rc = keep_held(w);
    if (w->held.len > 0)
        buf_adds(&w->held, "\n");
    buf_adds(&w->held, text);
    return buf_failed(&w->held) ? -ENOMEM : rc;
}

static int send_before(struct wire *w)
{
    struct buf *out = &w->parts.out;

    if (!w->seed)
        return 0;
    w->seed = false;
    buf_clear(out);
    buf_addf(out, "{\"clientContent\":{\"turnComplete\":true,\"turns\":[");
    buf_add(out, w->before.data, w->before.len);
    buf_adds(out, "]}}");
    buf_free(&w->before);
    return wire_send_out(&w->parts);
}

static int send_text(struct wire *w, const char *text)
{
    struct buf *out = &w->parts.out;

    buf_clear(out);
    buf_adds(out, "{\"realtimeInput\":{\"text\":");
    json_quote(out, text);
    buf_adds(out, "}}");
    w->due = true;
    return wire_send_out(&w->parts);
}

/* Before the microphone is heard: the past has to be there, and a question that waits. */
static int send_waiting(struct wire *w)
{
    int rc = 0;

    if (w->seed) {
        rc = keep_held(w);
        return rc == 0 ? send_before(w) : rc;
    }
    if (w->held.len > 0) {
        rc = send_text(w, buf_str(&w->held));
        buf_clear(&w->held);
    }
    return rc;
}

/* There is no bare request: the model answers what it is told. */
static int gemini_respond(struct wire *w, const char *instructions)
{
    const char *known = settings_of(w)->instructions;
    int rc = send_before(w);

    /* The session's own are known to it. */
    if (instructions != NULL && known != NULL && strncmp(instructions, known, strlen(known)) == 0)
        instructions += strlen(known);
    if (instructions != NULL)
        instructions += strspn(instructions, "\n");
    if (instructions != NULL && !text_blank(instructions)) {
        if (w->held.len > 0)
            buf_addf(&w->held, "\n\n(%s)", instructions);
        else
            buf_adds(&w->held, instructions);
    }
    if (rc != 0 || (w->held.len == 0 && w->due))
        return rc;
    if (buf_failed(&w->held))
        return -ENOMEM;
    rc = send_text(w, w->held.len > 0 ? buf_str(&w->held) : "Please answer.");
    buf_clear(&w->held);
    return rc;
}

/* --- what is said */

static int say(struct wire *w, const char *message)
{
    return w->parts.config.send(w->parts.config.user, message, strlen(message));
}

static int gemini_audio(struct wire *w, const int16_t *x, size_t n)
{
    int rc = send_waiting(w);

    w->heard_audio = true;
    if (rc != 0)
        return rc;
    return wire_send_audio(&w->parts,
                           "{\"realtimeInput\":{\"audio\":{\"mimeType\":\"audio/pcm;rate=16000\","
                           "\"data\":\"",
                           x, n, "\"}}}");
}

static int start_activity(struct wire *w)
{
    int rc = send_waiting(w);

    if (rc != 0 || w->active)
        return rc;
    w->active = true;
    return say(w, "{\"realtimeInput\":{\"activityStart\":{}}}");
}

static int end_activity(struct wire *w)
{
    w->active = false;
    return say(w, "{\"realtimeInput\":{\"activityEnd\":{}}}");
}

/* A pause is not the end of a turn: commit says where that is. */
static int gemini_activity(struct wire *w, bool on)
{
    return w->manual && on ? start_activity(w) : 0;
}

static int gemini_commit(struct wire *w)
{
    int rc = send_waiting(w);

    if (rc != 0)
        return rc;
    gemini_turn_begin(w);
    w->due = task_of(w) == BACKEND_CONVERSE;
    if (!w->manual)
        return say(w, "{\"realtimeInput\":{\"audioStreamEnd\":true}}");
    rc = start_activity(w);
    return rc == 0 ? end_activity(w) : rc;
}

static int gemini_finish(struct wire *w)
{
    w->finished = true;
    if (!w->manual)
        return say(w, "{\"realtimeInput\":{\"audioStreamEnd\":true}}");
    return w->active ? end_activity(w) : 0;
}

/* No tools are offered; a model that calls one all the same would wait for ever. */
int gemini_refuse_calls(struct wire *w, const cJSON *calls)
{
    struct buf *b = &w->parts.out;
    const cJSON *call;
    int n = 0;

    wire_object(b, NULL);
    wire_object(b, "toolResponse");
    wire_raw(b, "functionResponses", "[");
    cJSON_ArrayForEach(call, calls)
    {
        const char *id = wire_id(call, "id");
        if (!cJSON_IsObject(call) || n == MAX_CALLS)
            continue;
        buf_adds(b, n++ > 0 ? ",{" : "{");
        wire_str(b, "id", id[0] != '\0' ? id : NULL);
        wire_str(b, "name", wire_id(call, "name"));
        wire_raw(b, "response", "{\"error\":\"no such tool\"}");
        wire_end(b);
    }
    buf_adds(b, "]}}");
    return n > 0 ? wire_send_out(&w->parts) : 0;
}

/* --- the end */

/* The protocol has hardly any messages for errors: a connection is closed, and why stands in the
 * reason, while the codes are used for many things. */
static enum wire_fault gemini_closed(int code, const char *reason)
{
    static const struct {
        const char *words;
        enum wire_fault fault;
    } known[] = {{"API key", WIRE_FORBIDDEN},
                 {"API_KEY", WIRE_FORBIDDEN},
                 {"unregistered callers", WIRE_FORBIDDEN},
                 {"permission", WIRE_FORBIDDEN},
                 {"quota", WIRE_SPENT},
                 {"billing", WIRE_SPENT},
                 {"credits", WIRE_SPENT},
                 {"is not found", WIRE_WRONG},
                 {"not supported for", WIRE_WRONG},
                 {"RESOURCE_EXHAUSTED", WIRE_LIMITED},
                 {"resource exhausted", WIRE_LIMITED},
                 {"rate limit", WIRE_LIMITED}};

    (void)code;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasestr(reason, known[i].words) != NULL)
            return known[i].fault;
    return WIRE_SERVER;
}

/* --- the codec */

/* The service does not tell when somebody begins to speak, so that nobody could say where a turn
 * begins that has to be given again: in a conversation turns are best detected here, unless the
 * user wants otherwise. */
static bool detects(const struct wire_config *config)
{
    return config->task != BACKEND_CONVERSE || config->settings->turns == BACKEND_TURNS_SERVER ||
           config->settings->turns == BACKEND_TURNS_SEMANTIC;
}

static struct wire_caps caps_of(const struct wire_config *config)
{
    struct wire_caps caps = {.input_hz = INPUT_HZ,
                             .transcribes = true,
                             .detects = detects(config),
                             .cap_s = config->dialect->cap_s > 0 ? config->dialect->cap_s
                                                                 : CONNECTION_S};
    switch (config->task) {
    case BACKEND_CONVERSE:
        caps.asks = caps.writes = caps.early = caps.resumes = caps.commits = true;
        break;
    case BACKEND_TRANSCRIBE:
        caps.commits = true;
        break;
    case BACKEND_TRANSLATE:
        caps.continuous = true;
        break;
    }
    return caps;
}

static int gemini_open(struct wire **out, const struct wire_config *config)
{
    struct wire *w = calloc(1, sizeof *w);

    *out = w;
    if (w == NULL)
        return -ENOMEM;
    wire_parts_init(&w->parts, config);
    w->caps = caps_of(config);
    w->manual =
        config->task != BACKEND_TRANSLATE && config->settings->turns == BACKEND_TURNS_CLIENT;
    return 0;
}

static void gemini_free(struct wire *w)
{
    if (w == NULL)
        return;
    buf_free(&w->before);
    buf_free(&w->held);
    buf_free(&w->turn.words);
    wire_parts_free(&w->parts);
    free(w);
}

static const struct wire_caps *gemini_caps(const struct wire *w)
{
    return &w->caps;
}

const struct wire_ops wire_gemini = {
    .name = "gemini",
    .open = gemini_open,
    .free = gemini_free,
    .caps = gemini_caps,
    .start = gemini_start,
    .audio = gemini_audio,
    .activity = gemini_activity,
    .commit = gemini_commit,
    .user_text = gemini_user_text,
    .assistant_text = gemini_assistant_text,
    .respond = gemini_respond,
    .finish = gemini_finish,
    .closed = gemini_closed,
    .take = gemini_take,
};
