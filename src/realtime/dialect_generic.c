#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/dialect.h"

/* Events that another server may call otherwise, under the names that a config uses. */
static const struct {
    const char *key, *ours;
} events[] = {
    {"session_created", "session.created"},
    {"session_updated", "session.updated"},
    {"speech_started", "input_audio_buffer.speech_started"},
    {"speech_stopped", "input_audio_buffer.speech_stopped"},
    {"committed", "input_audio_buffer.committed"},
    {"heard_delta", "conversation.item.input_audio_transcription.delta"},
    {"heard", "conversation.item.input_audio_transcription.completed"},
    {"heard_failed", "conversation.item.input_audio_transcription.failed"},
    {"response_created", "response.created"},
    {"response_done", "response.done"},
    {"audio_delta", "response.output_audio.delta"},
    {"audio_done", "response.output_audio.done"},
    {"transcript_delta", "response.output_audio_transcript.delta"},
    {"transcript_done", "response.output_audio_transcript.done"},
    {"text_delta", "response.output_text.delta"},
    {"text_done", "response.output_text.done"},
    {"error", "error"},
};

enum { EVENTS = sizeof events / sizeof *events };

/* Strings that the dialect points to are kept here: an endpoint may go before it. */
struct generic {
    struct dialect dialect; /* first: it is what others see */
    struct dialect_name names[EVENTS + 1];
    char *strings[EVENTS + 2];
    size_t string_count;
};

static const char *keep(struct generic *g, const char *s)
{
    char *copy = strdup(s);

    if (copy != NULL)
        g->strings[g->string_count++] = copy;
    return copy;
}

static int bad_value(const struct endpoint *ep, const struct endpoint_value *v, const char *want,
                     struct err *e)
{
    return err_set(e, STATUS_USAGE, -EINVAL, "'%s' of '%s' is '%s', which is none; it is %s",
                   v->name, ep->name, v->value, want);
}

static int take_session(struct generic *g, const struct endpoint *ep,
                        const struct endpoint_value *v, struct err *e)
{
    static const char *const shapes[] = {
        [SESSION_GA] = "ga", [SESSION_BETA] = "beta", [SESSION_TOP] = "top"};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i], v->value) == 0) {
            g->dialect.session = (enum dialect_session)i;
            return 0;
        }
    }
    return bad_value(ep, v, "ga, beta or top", e);
}

static int take_hz(int *hz, const struct endpoint *ep, const struct endpoint_value *v,
                   struct err *e)
{
    char *end;
    long n = strtol(v->value, &end, 10);

    if (end == v->value || *end != '\0' || n < 8000 || n > 48000)
        return bad_value(ep, v, "a number from 8000 to 48000", e);
    *hz = (int)n;
    return 0;
}

static int take_event(struct generic *g, const struct endpoint *ep, const struct endpoint_value *v,
                      struct err *e)
{
    const char *key = v->name + strlen("events.");
    size_t i = 0, n = 0;
    const char *theirs;

    while (i < EVENTS && strcmp(events[i].key, key) != 0)
        i++;
    if (i == EVENTS)
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "'%s' of '%s' is no event that can be renamed; hullo-config(5) lists them",
                       v->name, ep->name);
    while (g->names[n].ours != NULL)
        n++;
    if ((theirs = keep(g, v->value)) == NULL)
        return -ENOMEM;
    g->names[n] = (struct dialect_name){events[i].ours, theirs};
    return 0;
}

static int take_string(struct generic *g, const char **to, const struct endpoint_value *v)
{
    *to = NULL;
    if (v->value[0] == '\0')
        return 0;
    *to = keep(g, v->value);
    return *to != NULL ? 0 : -ENOMEM;
}

static int take_value(struct generic *g, const struct endpoint *ep, const struct endpoint_value *v,
                      struct err *e)
{
    struct dialect *d = &g->dialect;

    if (strncmp(v->name, "events.", strlen("events.")) == 0)
        return take_event(g, ep, v, e);
    if (strcmp(v->name, "session") == 0)
        return take_session(g, ep, v, e);
    if (strcmp(v->name, "input_hz") == 0)
        return take_hz(&d->input_hz, ep, v, e);
    if (strcmp(v->name, "output_hz") == 0)
        return take_hz(&d->output_hz, ep, v, e);
    if (strcmp(v->name, "key_header") == 0)
        return take_string(g, &d->header, v);
    if (strcmp(v->name, "transcriber") == 0)
        return take_string(g, &d->transcriber, v);
    return 0; /* for the URL */
}

/* A value that is there twice could keep more strings than there is room for. */
static int check_twice(const struct endpoint *ep, struct err *e)
{
    for (size_t i = 1; i < ep->value_count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(ep->values[i].name, ep->values[k].name) == 0)
                return err_set(e, STATUS_USAGE, -EINVAL,
                               "'%s' of '%s' is there twice; keep one of them", ep->values[i].name,
                               ep->name);
    return 0;
}

int dialect_generic_new(struct dialect **out, const struct endpoint *ep, struct err *e)
{
    struct generic *g = calloc(1, sizeof *g);
    int rc = g != NULL ? check_twice(ep, e) : -ENOMEM;

    *out = NULL;
    if (g != NULL) {
        g->dialect = *dialect_find("generic");
        g->dialect.names = g->names;
    }
    for (size_t i = 0; rc == 0 && i < ep->value_count; i++)
        rc = take_value(g, ep, &ep->values[i], e);
    if (rc == 0)
        *out = &g->dialect;
    else
        dialect_generic_free(g != NULL ? &g->dialect : NULL);
    return rc;
}

void dialect_generic_free(struct dialect *d)
{
    struct generic *g = (struct generic *)d;

    if (d == NULL)
        return;
    for (size_t i = 0; i < g->string_count; i++)
        free(g->strings[i]);
    free(g);
}
