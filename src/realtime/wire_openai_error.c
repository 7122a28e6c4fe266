#include "realtime/wire_openai.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/wire_parts.h"
#include "util/json.h"

/* Codes and types of errors alike: not every server puts them where OpenAI does. */
static const struct {
    const char *word;
    enum wire_fault fault;
} words[] = {
    {"conversation_already_has_active_response", WIRE_ACTIVE},
    {"response_cancel_not_active", WIRE_REFUSED},
    {"input_audio_buffer_commit_empty", WIRE_REFUSED},
    {"unsupported_content_type", WIRE_REFUSED},
    {"rate_limit_exceeded", WIRE_LIMITED},
    {"rate_limit_error", WIRE_LIMITED},
    {"rate_limit", WIRE_LIMITED},
    {"too_many_requests", WIRE_LIMITED},
    {"slow_down", WIRE_LIMITED},
    {"tokens", WIRE_LIMITED},
    {"requests", WIRE_LIMITED},
    {"session_expired", WIRE_OVER},
    {"session_timeout", WIRE_OVER},
    {"session_not_found", WIRE_OVER},
    {"context_length_exceeded", WIRE_OVER},
    {"insufficient_quota", WIRE_SPENT},
    {"quota_exceeded", WIRE_SPENT},
    {"billing_hard_limit_reached", WIRE_SPENT},
    {"billing_not_active", WIRE_SPENT},
    {"insufficient_credits", WIRE_SPENT},
    {"permission_error", WIRE_SPENT},
    {"permission_denied", WIRE_SPENT},
    {"invalid_api_key", WIRE_FORBIDDEN},
    {"incorrect_api_key", WIRE_FORBIDDEN},
    {"account_deactivated", WIRE_FORBIDDEN},
    {"authentication_error", WIRE_FORBIDDEN},
    {"unauthorized", WIRE_FORBIDDEN},
    {"token_expired", WIRE_FORBIDDEN},
    {"model_not_found", WIRE_WRONG},
    {"invalid_model", WIRE_WRONG},
    {"unsupported_model", WIRE_WRONG},
    {"unknown_model", WIRE_WRONG},
    {"beta_api_shape_disabled", WIRE_WRONG},
    {"server_error", WIRE_SERVER},
    {"internal_error", WIRE_SERVER},
    {"internal_server_error", WIRE_SERVER},
    {"api_error", WIRE_SERVER},
    {"overloaded_error", WIRE_SERVER},
    {"service_unavailable", WIRE_SERVER},
    {"inference_failed", WIRE_SERVER},
};

static bool find_fault(const char *word, enum wire_fault *fault)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].word, word) == 0) {
            *fault = words[i].fault;
            return true;
        }
    }
    return false;
}

/* "... try again in 1.2s", "... in 350ms": only the message says how long. */
static double wait_ms(const char *message)
{
    static const char before[] = "try again in ";
    const char *at = strstr(message, before);
    char *end = NULL;
    double n;

    if (at == NULL)
        return -1;
    at += sizeof before - 1;
    n = strspn(at, "0123456789.") > 0 ? strtod(at, &end) : -1;
    if (!(n >= 0 && n <= 86400))
        return -1;
    if (strncmp(end, "ms", 2) == 0)
        return n;
    if (*end == 's' || strncmp(end, " second", 7) == 0)
        return n * 1e3;
    return *end == 'm' ? n * 60e3 : -1;
}

enum wire_fault openai_fault(const struct dialect *d, const cJSON *error, double *ms, struct err *e)
{
    const char *code = wire_id(error, "code"), *type = wire_id(error, "type");
    const char *message = wire_line(error, "message");
    enum wire_fault fault = WIRE_REFUSED;

    if (!find_fault(code, &fault))
        find_fault(type, &fault);
    *ms = fault == WIRE_LIMITED ? wait_ms(message) : -1;
    if (message[0] == '\0')
        message = code[0] != '\0' ? code : type[0] != '\0' ? type : "no reason given";
    *e = (struct err){0};
    wire_say_fault(e, d, fault, message);
    return fault;
}

/* Not every server sends the name of the request back; a parameter of the session tells as well. */
static bool is_about_settings(const cJSON *error)
{
    const char *param = json_str(error, "param");

    return strcmp(wire_id(error, "event_id"), OPENAI_SETTINGS) == 0 ||
           (param != NULL && strncmp(param, "session.", strlen("session.")) == 0);
}

int openai_tell_error(struct wire_parts *p, const cJSON *m)
{
    const cJSON *error = cJSON_IsObject(json_get(m, "error")) ? json_get(m, "error") : m;
    struct wire_event ev = {.type = WIRE_ERROR, .ms = -1};
    struct err e;

    ev.fault = openai_fault(p->config.dialect, error, &ev.ms, &e);
    ev.error = &e;
    if (is_about_settings(error)) {
        ev.text = "settings";
        if (ev.fault == WIRE_REFUSED)
            err_set(&e, STATUS_USAGE, -EINVAL, "'%s' refuses these settings, all of them: %s",
                    p->config.dialect->info.title, wire_line(error, "message"));
    }
    wire_emit(p, ev);
    return 0;
}
