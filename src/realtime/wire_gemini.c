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
static bool add_one(cJSON *object, const char *name, const char *value)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    cJSON *one = cJSON_CreateString(value);

    if (list != NULL && cJSON_AddItemToArray(list, one))
        return true;
    cJSON_Delete(one);
    return false;
}

static bool add_transcription(const struct wire *w, cJSON *setup)
{
    cJSON *in = cJSON_AddObjectToObject(setup, "inputAudioTranscription");
    const char *language = settings_of(w)->language;

    if (in == NULL || (wanted(language) && !add_one(in, "languageCodes", language)))
        return false;
    return task_of(w) == BACKEND_TRANSCRIBE ||
           cJSON_AddObjectToObject(setup, "outputAudioTranscription") != NULL;
}

/* The language of the speech is left to the model: those with a voice of their own know it from the
 * conversation, and refuse the session for one that they do not list. */
static bool add_voice(const struct wire *w, cJSON *generation)
{
    const char *voice = settings_of(w)->voice;
    cJSON *o;

    if (!wanted(voice))
        voice = w->parts.config.dialect->voice;
    if (!wanted(voice))
        return true;
    o = cJSON_AddObjectToObject(generation, "speechConfig");
    o = o != NULL ? cJSON_AddObjectToObject(o, "voiceConfig") : NULL;
    o = o != NULL ? cJSON_AddObjectToObject(o, "prebuiltVoiceConfig") : NULL;
    return o != NULL && json_add_text(o, "voiceName", voice) == 0;
}

static bool add_thinking(const struct wire *w, cJSON *generation)
{
    static const struct {
        const char *effort, *level;
    } levels[] = {{"minimal", "MINIMAL"},
                  {"low", "LOW"},
                  {"medium", "MEDIUM"},
                  {"high", "HIGH"},
                  {"xhigh", "XHIGH"}};
    const char *effort = settings_of(w)->effort;

    for (size_t i = 0; effort != NULL && i < sizeof levels / sizeof *levels; i++) {
        cJSON *o;
        if (strcmp(levels[i].effort, effort) != 0)
            continue;
        o = cJSON_AddObjectToObject(generation, "thinkingConfig");
        return o != NULL && cJSON_AddStringToObject(o, "thinkingLevel", levels[i].level) != NULL;
    }
    return true;
}

static bool add_translation(const struct wire *w, cJSON *generation)
{
    const char *to = settings_of(w)->to;
    cJSON *o = cJSON_AddObjectToObject(generation, "translationConfig");

    return o != NULL && json_add_text(o, "targetLanguageCode", wanted(to) ? to : "en") == 0;
}

/* Speech is asked for even where only text is wanted: the models of a conversation refuse TEXT, and
 * what they say comes as text besides. */
static bool add_generation(const struct wire *w, cJSON *setup)
{
    cJSON *g = cJSON_AddObjectToObject(setup, "generationConfig");
    bool transcribe = task_of(w) == BACKEND_TRANSCRIBE;

    if (g == NULL || !add_one(g, "responseModalities", transcribe ? "TEXT" : "AUDIO"))
        return false;
    if (task_of(w) == BACKEND_TRANSLATE)
        return add_translation(w, g);
    if (transcribe)
        return true;
    if (settings_of(w)->max_tokens > 0 &&
        cJSON_AddNumberToObject(g, "maxOutputTokens", settings_of(w)->max_tokens) == NULL)
        return false;
    return add_voice(w, g) && add_thinking(w, g);
}

static bool add_instructions(const struct wire *w, cJSON *setup)
{
    const char *text = settings_of(w)->instructions;
    cJSON *o, *part;

    if (text == NULL || text_blank(text))
        return true;
    o = cJSON_AddObjectToObject(setup, "systemInstruction");
    o = o != NULL ? cJSON_AddArrayToObject(o, "parts") : NULL;
    part = cJSON_CreateObject();
    if (o == NULL || part == NULL || json_add_text(part, "text", text) != 0 ||
        !cJSON_AddItemToArray(o, part)) {
        cJSON_Delete(part);
        return false;
    }
    return true;
}

/* How soon a turn ends, where the service detects turns. */
static bool add_eagerness(const struct wire *w, cJSON *detection)
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
        return (how[i].sensitivity == NULL ||
                cJSON_AddStringToObject(detection, "endOfSpeechSensitivity", how[i].sensitivity) !=
                    NULL) &&
               cJSON_AddNumberToObject(detection, "silenceDurationMs", how[i].silence_ms) != NULL;
    }
    return true;
}

/* Where we detect turns, a turn is all that was said since the last one: what came before our
 * detector was sure belongs to it. */
static bool add_detection(const struct wire *w, cJSON *setup)
{
    cJSON *input = cJSON_AddObjectToObject(setup, "realtimeInputConfig");
    cJSON *detection;

    if (input == NULL ||
        cJSON_AddStringToObject(input, "activityHandling", "START_OF_ACTIVITY_INTERRUPTS") == NULL)
        return false;
    detection = cJSON_AddObjectToObject(input, "automaticActivityDetection");
    if (detection == NULL)
        return false;
    if (!w->manual)
        return add_eagerness(w, detection);
    return cJSON_AddTrueToObject(detection, "disabled") != NULL &&
           cJSON_AddStringToObject(input, "turnCoverage", "TURN_INCLUDES_ALL_INPUT") != NULL;
}

/* What only a conversation has. */
static bool add_conversation(const struct wire *w, cJSON *setup)
{
    const char *handle = w->parts.config.handle;
    cJSON *resumption, *window, *history;

    if (!add_instructions(w, setup))
        return false;
    resumption = cJSON_AddObjectToObject(setup, "sessionResumption");
    if (resumption == NULL ||
        (handle != NULL && cJSON_AddStringToObject(resumption, "handle", handle) == NULL))
        return false;
    /* Without it a session ends after 15 minutes. */
    window = cJSON_AddObjectToObject(setup, "contextWindowCompression");
    if (window == NULL || cJSON_AddObjectToObject(window, "slidingWindow") == NULL)
        return false;
    if (!w->seed)
        return true;
    history = cJSON_AddObjectToObject(setup, "historyConfig");
    return history != NULL &&
           cJSON_AddTrueToObject(history, "initialHistoryInClientContent") != NULL;
}

static bool add_model(const struct wire *w, cJSON *setup)
{
    const char *model = w->parts.config.model != NULL ? w->parts.config.model : "";
    struct buf name = BUF_INIT;
    bool ok;

    if (strchr(model, '/') == NULL)
        buf_adds(&name, "models/");
    buf_adds(&name, model);
    ok = !buf_failed(&name) && json_add_text(setup, "model", buf_str(&name)) == 0;
    buf_free(&name);
    return ok;
}

static int gemini_start(struct wire *w)
{
    cJSON *message = cJSON_CreateObject();
    cJSON *setup = cJSON_AddObjectToObject(message, "setup");

    /* A session that is resumed knows what was said in it. */
    w->seed = w->parts.config.handle == NULL && w->before.len > 0;
    if (setup == NULL || !add_model(w, setup) || !add_generation(w, setup) ||
        !add_transcription(w, setup) ||
        (task_of(w) != BACKEND_TRANSLATE && !add_detection(w, setup)) ||
        (task_of(w) == BACKEND_CONVERSE && !add_conversation(w, setup))) {
        cJSON_Delete(message);
        return -ENOMEM;
    }
    w->started = true;
    return wire_send(&w->parts, message);
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
    int rc = send_before(w);

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
    if (!w->manual)
        return say(w, "{\"realtimeInput\":{\"audioStreamEnd\":true}}");
    return w->active ? end_activity(w) : 0;
}

/* No tools are offered; a model that calls one all the same would wait for ever. */
static bool refuse_call(cJSON *list, const cJSON *call)
{
    const char *id = wire_id(call, "id"), *name = wire_id(call, "name");
    cJSON *one = cJSON_CreateObject(), *response;

    if (!cJSON_AddItemToArray(list, one)) {
        cJSON_Delete(one);
        return false;
    }
    response = cJSON_AddObjectToObject(one, "response");
    return response != NULL && cJSON_AddStringToObject(response, "error", "no such tool") != NULL &&
           (id[0] == '\0' || cJSON_AddStringToObject(one, "id", id) != NULL) &&
           cJSON_AddStringToObject(one, "name", name) != NULL;
}

int gemini_refuse_calls(struct wire *w, const cJSON *calls)
{
    cJSON *message = cJSON_CreateObject();
    cJSON *o = cJSON_AddObjectToObject(message, "toolResponse");
    cJSON *list = o != NULL ? cJSON_AddArrayToObject(o, "functionResponses") : NULL;
    const cJSON *call;
    bool ok = list != NULL;

    cJSON_ArrayForEach(call, calls)
    {
        if (ok && cJSON_IsObject(call) && cJSON_GetArraySize(list) < MAX_CALLS)
            ok = refuse_call(list, call);
    }
    if (!ok || cJSON_GetArraySize(list) == 0) {
        cJSON_Delete(message);
        return ok ? 0 : -ENOMEM;
    }
    return wire_send(&w->parts, message);
}

/* --- the codec */

static struct wire_caps caps_of(const struct wire_config *config)
{
    struct wire_caps caps = {.input_hz = INPUT_HZ,
                             .transcribes = true,
                             .detects = true,
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
    .name = "Gemini Live",
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
    .take = gemini_take,
};
