#include "realtime/wire_gemini.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/json.h"
#include "util/text.h"

enum {
    OUTPUT_HZ = 24000,
    MIN_HZ = 8000,
    MAX_HZ = 48000,
    MAX_HANDLE = 4096,
    MAX_PARTS = 4096,
};

/* --- the turns of the user */

void gemini_turn_begin(struct wire *w)
{
    struct gemini_turn *t = &w->turn;

    if (t->open)
        return;
    t->open = true;
    t->committed = t->told = t->spoke = t->speaks = false;
    t->told_bytes = 0;
    buf_clear(&t->words);
    snprintf(t->id, sizeof t->id, "u%u", ++t->number);
}

static void tell_edge(struct wire *w, enum wire_event_type type, double ms)
{
    if (!w->manual)
        wire_emit(&w->parts, (struct wire_event){.type = type, .item = w->turn.id, .ms = ms});
}

/* The user speaks. Told once in a turn, whatever shows it. */
static void tell_speech(struct wire *w, double ms)
{
    gemini_turn_begin(w);
    if (w->turn.spoke)
        return;
    w->turn.spoke = w->turn.speaks = true;
    tell_edge(w, WIRE_SPEECH_STARTED, ms);
}

static void tell_silence(struct wire *w, double ms)
{
    if (!w->turn.open || !w->turn.speaks)
        return;
    w->turn.speaks = false;
    tell_edge(w, WIRE_SPEECH_STOPPED, ms);
}

static void tell_committed(struct wire *w)
{
    if (w->turn.open && !w->turn.committed) {
        tell_silence(w, -1);
        w->turn.committed = true;
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_COMMITTED, .item = w->turn.id});
    }
}

static void tell_heard(struct wire *w)
{
    struct gemini_turn *t = &w->turn;

    if (!t->open || t->words.len == t->told_bytes)
        return;
    tell_committed(w);
    t->told = true;
    t->told_bytes = t->words.len;
    wire_emit(&w->parts,
              (struct wire_event){.type = WIRE_HEARD, .item = t->id, .text = buf_str(&t->words)});
}

/* A translation has neither turns nor replies: what comes is told as it comes. */
static bool streams(const struct wire *w)
{
    return w->parts.config.task == BACKEND_TRANSLATE;
}

static void stream_content(struct wire *w, const cJSON *content)
{
    const char *heard = wire_text(json_get(content, "inputTranscription"), "text");

    if (heard[0] != '\0')
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_HEARD_PART, .text = heard});
    if (w->finished && json_bool(content, "turnComplete", false))
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_ENDED});
}

/* The next piece of the user's words; interim: all of them so far, as a guess that is replaced. */
static int take_words(struct wire *w, const cJSON *transcription, bool interim)
{
    struct gemini_turn *t = &w->turn;
    const char *text = wire_text(transcription, "text");

    if (text[0] != '\0') {
        tell_speech(w, -1);
        /* A guess says nothing about words that are known already. */
        if (interim && t->words.len > 0)
            return 0;
        if (!interim && t->words.len + strlen(text) > WIRE_TEXT_MAX)
            return 0;
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_HEARD_PART,
                                                 .item = t->id,
                                                 .text = text,
                                                 .anew = interim || t->words.len == 0});
        if (!interim)
            buf_adds(&t->words, text);
        if (buf_failed(&t->words))
            return -ENOMEM;
    }
    return 0;
}

/* The turn was answered, or will not be. */
static void settle_turn(struct wire *w)
{
    struct gemini_turn *t = &w->turn;
    struct err e = {0};

    w->heard_audio = false;
    if (!t->open)
        return;
    tell_committed(w);
    tell_heard(w);
    if (!t->told && w->produced) {
        err_set(&e, STATUS_FAILED, -ENODATA, "the provider did not tell what it understood");
        wire_emit(&w->parts,
                  (struct wire_event){.type = WIRE_HEARD_FAILED, .item = t->id, .error = &e});
    } else if (!t->told) {
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_HEARD, .item = t->id});
    }
    t->open = false;
}

/* --- replies */

static void begin_reply(struct wire *w)
{
    struct gemini_reply *r = &w->reply;

    if (r->open || streams(w))
        return;
    /* What the model answers to without having been asked in writing is what it heard. */
    if (!w->due && w->heard_audio)
        gemini_turn_begin(w);
    tell_committed(w);
    tell_heard(w);
    w->due = false;
    w->produced = r->open = true;
    r->closing = false;
    r->text = GEMINI_NO_TEXT;
    snprintf(r->id, sizeof r->id, "r%u", ++r->number);
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_REPLY_STARTED, .reply = r->id});
}

static void end_reply(struct wire *w, enum wire_outcome outcome, const struct err *e)
{
    if (!w->reply.open)
        return;
    w->reply.open = false;
    w->reply.closing = true;
    wire_emit(&w->parts,
              (struct wire_event){
                  .type = WIRE_REPLY_DONE, .reply = w->reply.id, .outcome = outcome, .error = e});
}

/* The model's words stand in a transcription of its speech, or, where it writes, in its turn. */
static void take_reply_text(struct wire *w, enum gemini_text from, const char *text)
{
    struct gemini_reply *r = &w->reply;

    if (text[0] == '\0' || (w->cut && !r->open))
        return;
    if (!r->closing)
        begin_reply(w);
    if (r->text == GEMINI_NO_TEXT)
        r->text = from;
    if (r->text == from)
        wire_emit(&w->parts,
                  (struct wire_event){
                      .type = WIRE_REPLY_TEXT, .reply = r->id, .item = r->id, .text = text});
}

/* "audio/pcm;rate=24000". 0: it is something else. */
static int rate_of(const char *mime)
{
    static const char pcm[] = "audio/pcm";
    const char *rate;
    int hz = 0;

    if (strncmp(mime, pcm, sizeof pcm - 1) != 0)
        return 0;
    mime += sizeof pcm - 1;
    if (mime[0] == '\0')
        return OUTPUT_HZ;
    rate = strstr(mime, "rate=");
    if (mime[0] != ';' || rate == NULL)
        return mime[0] == ';' ? OUTPUT_HZ : 0;
    for (rate += strlen("rate="); *rate >= '0' && *rate <= '9' && hz <= MAX_HZ; rate++)
        hz = hz * 10 + (*rate - '0');
    return hz >= MIN_HZ && hz <= MAX_HZ ? hz : 0;
}

static int take_audio(struct wire *w, const cJSON *blob)
{
    const char *mime = json_str(blob, "mimeType"), *data = json_str(blob, "data");
    int hz = mime != NULL ? rate_of(mime) : OUTPUT_HZ;

    if (data == NULL || data[0] == '\0')
        return 0;
    if (hz == 0) {
        wire_emit_unknown(&w->parts, mime);
        return 0;
    }
    begin_reply(w);
    if (!w->parts.config.speak)
        return 0;
    return wire_emit_audio(&w->parts, w->reply.id, w->reply.id, data, hz);
}

static int take_model_turn(struct wire *w, const cJSON *turn)
{
    const cJSON *parts = json_get(turn, "parts"), *part;
    int rc = 0, n = 0;

    if (!cJSON_IsArray(parts))
        return 0;
    cJSON_ArrayForEach(part, parts)
    {
        if (n++ == MAX_PARTS || rc == -ENOMEM)
            break;
        if (json_bool(part, "thought", false))
            continue;
        take_reply_text(w, GEMINI_PARTS, wire_text(part, "text"));
        if (json_get(part, "inlineData") != NULL) {
            int one = take_audio(w, json_get(part, "inlineData"));
            rc = rc == 0 ? one : rc;
        }
    }
    return rc;
}

/* --- ends */

/* Why the model did not say more. False: it has said all. */
static bool broken_off(const cJSON *content, struct err *e)
{
    const char *reason = json_str(content, "turnCompleteReason");
    char words[64];

    if (reason == NULL || strcmp(reason, "TURN_COMPLETE_REASON_UNSPECIFIED") == 0 ||
        strcmp(reason, "NEED_MORE_INPUT") == 0)
        return false;
    snprintf(words, sizeof words, "%s", reason);
    text_line(words);
    err_set(e, STATUS_FAILED, -EIO,
            "the provider broke the reply off, because of '%s': try other words", words);
    return true;
}

/* By somebody who speaks, unless it was us. */
static void take_interrupted(struct wire *w)
{
    wire_emit(&w->parts, (struct wire_event){.type = WIRE_INTERRUPTED, .reply = w->reply.id});
    settle_turn(w);
    end_reply(w, WIRE_CANCELLED, NULL);
    if (!w->due)
        tell_speech(w, -1);
    w->cut = true;
}

/* The turn goes on until the model believes its speech played; words of the user's may be late
 * until then. */
static void take_generation_complete(struct wire *w)
{
    if (w->parts.config.task == BACKEND_TRANSCRIBE)
        settle_turn(w);
    tell_heard(w);
    end_reply(w, WIRE_COMPLETE, NULL);
}

static void take_turn_complete(struct wire *w, const cJSON *content)
{
    const char *reason = json_str(content, "turnCompleteReason");
    const char *status = json_str(content, "interactionStatus");
    bool goes_on = status != NULL &&
                   (strcmp(status, "IN_PROGRESS") == 0 || strcmp(status, "REQUIRES_ACTION") == 0);
    struct err e = {0};
    bool broken = broken_off(content, &e);

    /* The user is expected to say more: their turn is not over. */
    if (!w->reply.open && reason != NULL && strcmp(reason, "NEED_MORE_INPUT") == 0)
        return;
    /* A question that gets no answer is answered by nothing. */
    if (!w->produced && !w->cut && !goes_on && (broken || w->due))
        begin_reply(w);
    /* What interrupted the turn is the beginning of another one. */
    if (!w->cut)
        settle_turn(w);
    end_reply(w, broken ? WIRE_INCOMPLETE : WIRE_COMPLETE, broken ? &e : NULL);
    w->cut = w->produced = w->reply.closing = false;
}

static int take_heard(struct wire *w, const cJSON *content)
{
    const cJSON *heard = json_get(content, "inputTranscription");
    int rc = take_words(w, json_get(content, "interimInputTranscription"), true);

    if (rc == 0)
        rc = take_words(w, heard, false);
    if (w->parts.config.task == BACKEND_TRANSCRIBE && json_bool(heard, "finished", false))
        settle_turn(w);
    return rc;
}

static int take_said(struct wire *w, const cJSON *content)
{
    int rc = take_model_turn(w, json_get(content, "modelTurn"));

    take_reply_text(w, GEMINI_TRANSCRIPT,
                    wire_text(json_get(content, "outputTranscription"), "text"));
    return rc;
}

static int take_content(struct wire *w, const cJSON *content)
{
    int rc = streams(w) ? 0 : take_heard(w, content);

    if (rc == 0 && w->parts.config.task != BACKEND_TRANSCRIBE)
        rc = take_said(w, content);
    if (streams(w)) {
        stream_content(w, content);
        return rc;
    }
    if (json_bool(content, "interrupted", false))
        take_interrupted(w);
    if (json_bool(content, "generationComplete", false))
        take_generation_complete(w);
    if (json_bool(content, "turnComplete", false))
        take_turn_complete(w, content);
    return rc;
}

/* --- the rest */

/* "9.5s", as JSON has a Duration. -1: it is none. */
static double duration_ms(const cJSON *object, const char *name)
{
    const char *s = json_str(object, name);
    double ms = 0, unit = 1000;
    size_t i = 0;

    if (s == NULL || s[0] < '0' || s[0] > '9')
        return -1;
    for (; s[i] >= '0' && s[i] <= '9'; i++)
        ms = ms * 10 + (s[i] - '0') * 1000;
    if (s[i] == '.')
        for (i++; s[i] >= '0' && s[i] <= '9'; i++)
            ms += (s[i] - '0') * (unit /= 10);
    return strcmp(s + i, "s") == 0 && ms < 1e12 ? ms : -1;
}

/* Speech, where the service tells of it. */
static void take_voice(struct wire *w, const cJSON *voice)
{
    const char *type = json_str(voice, "type");
    double ms = duration_ms(voice, "audioOffset");

    if (type != NULL && strcmp(type, "ACTIVITY_START") == 0) {
        /* A turn that was answered, or ended, is over when somebody speaks again. */
        if (w->turn.open && (w->produced || !w->turn.speaks))
            settle_turn(w);
        tell_speech(w, ms);
    } else if (type != NULL && strcmp(type, "ACTIVITY_END") == 0) {
        tell_silence(w, ms);
    }
}

static void take_resumption(struct wire *w, const cJSON *update)
{
    const char *handle = json_str(update, "newHandle");
    size_t n = 0;

    if (!json_bool(update, "resumable", false) || handle == NULL)
        return;
    while (n <= MAX_HANDLE && handle[n] > 0x20 && handle[n] < 0x7f)
        n++;
    if (n > 0 && handle[n] == '\0')
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_HANDLE, .text = handle});
}

static uint64_t of_modality(const cJSON *usage, const char *name, const char *modality)
{
    const cJSON *list = json_get(usage, name), *one;
    uint64_t sum = 0;

    if (!cJSON_IsArray(list))
        return 0;
    cJSON_ArrayForEach(one, list)
    {
        const char *m = json_str(one, "modality");
        if (m != NULL && strcmp(m, modality) == 0)
            sum += wire_count(one, "tokenCount");
    }
    return sum;
}

static uint64_t less(uint64_t from, uint64_t n)
{
    return from > n ? from - n : 0;
}

/* Counts are of the turn that they come with. What has no modality is text; so are thoughts. */
static void take_usage(struct wire *w, const cJSON *usage)
{
    struct backend_usage u = {
        .audio_in = of_modality(usage, "promptTokensDetails", "AUDIO"),
        .audio_cached = of_modality(usage, "cacheTokensDetails", "AUDIO"),
        .audio_out = of_modality(usage, "responseTokensDetails", "AUDIO"),
    };
    uint64_t in =
        wire_count(usage, "promptTokenCount") + wire_count(usage, "toolUsePromptTokenCount");

    u.text_cached = less(wire_count(usage, "cachedContentTokenCount"), u.audio_cached);
    u.text_in = less(less(in, u.audio_in), u.text_cached);
    u.audio_in = less(u.audio_in, u.audio_cached);
    u.text_out = less(wire_count(usage, "responseTokenCount"), u.audio_out) +
                 wire_count(usage, "thoughtsTokenCount");
    if (u.text_in + u.text_cached + u.audio_in + u.audio_cached + u.text_out + u.audio_out > 0)
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_USAGE, .usage = u});
}

/* google.rpc.Code by name, or the HTTP status that stands for it. */
static enum wire_fault fault_of(int code, const char *status)
{
    static const struct {
        const char *status;
        int code;
        enum wire_fault fault;
    } faults[] = {
        {"UNAUTHENTICATED", 401, WIRE_FORBIDDEN},
        {"PERMISSION_DENIED", 403, WIRE_FORBIDDEN},
        {"RESOURCE_EXHAUSTED", 429, WIRE_LIMITED},
        {"NOT_FOUND", 404, WIRE_WRONG},
        {"UNIMPLEMENTED", 501, WIRE_WRONG},
        {"INTERNAL", 500, WIRE_SERVER},
        {"UNAVAILABLE", 503, WIRE_SERVER},
        {"DEADLINE_EXCEEDED", 504, WIRE_SERVER},
        {"ABORTED", 409, WIRE_OVER},
    };

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strcmp(faults[i].status, status) == 0 || faults[i].code == code)
            return faults[i].fault;
    return WIRE_REFUSED;
}

static void take_error(struct wire *w, const cJSON *message)
{
    const cJSON *error = json_get(message, "error");
    const char *status = json_str(error, "status");
    enum wire_fault fault =
        fault_of((int)json_int(error, "code", 0, 999, 0), status != NULL ? status : "");
    const char *words = wire_line(error, "message");
    struct err e = {0};

    /* A setup that is refused makes no session. */
    if (fault == WIRE_REFUSED && !w->parts.ready)
        fault = WIRE_WRONG;
    if (words[0] == '\0')
        words = status != NULL ? wire_line(error, "status") : "no reason given";
    wire_say_fault(&e, w->parts.config.dialect, fault, words);
    wire_emit_error(&w->parts, fault, -1, &e);
}

static int take_setup_complete(struct wire *w)
{
    if (wire_emit_ready(&w->parts))
        wire_emit(&w->parts, (struct wire_event){.type = WIRE_SETTLED});
    return 0;
}

/* What a message may hold besides each other. A call that was taken back was refused before. */
static bool known(const char *name)
{
    static const char *const names[] = {"setupComplete",
                                        "serverContent",
                                        "toolCall",
                                        "toolCallCancellation",
                                        "usageMetadata",
                                        "goAway",
                                        "sessionResumptionUpdate",
                                        "voiceActivity",
                                        "voiceActivityDetectionSignal",
                                        "error"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int take_message(struct wire *w, const cJSON *m)
{
    const cJSON *content = json_get(m, "serverContent"), *one;
    int rc = 0;

    if (cJSON_IsObject(json_get(m, "setupComplete")))
        take_setup_complete(w);
    if (cJSON_IsObject(json_get(m, "voiceActivity")))
        take_voice(w, json_get(m, "voiceActivity"));
    if (cJSON_IsObject(content))
        rc = take_content(w, content);
    if (rc == 0 && cJSON_IsArray(json_path(m, "toolCall.functionCalls")))
        rc = gemini_refuse_calls(w, json_path(m, "toolCall.functionCalls"));
    if (cJSON_IsObject(json_get(m, "usageMetadata")))
        take_usage(w, json_get(m, "usageMetadata"));
    if (cJSON_IsObject(json_get(m, "sessionResumptionUpdate")))
        take_resumption(w, json_get(m, "sessionResumptionUpdate"));
    if (cJSON_IsObject(json_get(m, "goAway")))
        wire_emit(&w->parts,
                  (struct wire_event){.type = WIRE_GOING,
                                      .ms = duration_ms(json_get(m, "goAway"), "timeLeft")});
    if (json_get(m, "error") != NULL)
        take_error(w, m);
    cJSON_ArrayForEach(one, m)
    {
        if (one->string != NULL && !known(one->string))
            wire_emit_unknown(&w->parts, one->string);
    }
    return rc;
}

int gemini_take(struct wire *w, const char *bytes, size_t n)
{
    cJSON *m = NULL;
    int rc = wire_parse(&m, bytes, n);

    if (rc == 0)
        rc = take_message(w, m);
    cJSON_Delete(m);
    return rc;
}
