/* wire_events - prints every client event that our codecs can send, over many settings, a line
 * each: the protocol, the dialect, the JSON. test_wire_events.py holds them against the official
 * types. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/dialect.h"
#include "realtime/wire.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct run {
    const struct dialect *dialect;
    const char *protocol;
};

static int print(void *user, const char *json, size_t n)
{
    const struct run *run = user;

    printf("%s\t%s\t%.*s\n", run->protocol, run->dialect->info.name, (int)n, json);
    return 0;
}

static void ignore(void *user, const struct wire_event *ev)
{
    (void)user;
    (void)ev;
}

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "wire_events: %s\n", strerror(-rc));
        exit(1);
    }
}

static void say_words(const struct wire_ops *ops, struct wire *w)
{
    must(ops->user_text(w, "two \"words\"\n\tand \xe2\x82\xac, \x1b[31m"));
    must(ops->assistant_text(w, ""));
    must(ops->assistant_text(w, "yes"));
    must(ops->user_text(w, "and?"));
}

/* Some say more once the server is there; each knows its own. */
static void hear_ready(const struct wire_ops *ops, struct wire *w)
{
    static const char *const ready[] = {"{\"type\":\"session.created\"}",
                                        "{\"type\":\"session.started\"}", "{\"setupComplete\":{}}"};

    for (size_t i = 0; i < COUNT(ready); i++)
        (void)ops->take(w, ready[i], strlen(ready[i]));
}

/* What asks us for an answer. */
static void hear(const struct wire_ops *ops, struct wire *w)
{
    static const char *const asking[] = {"{\"type\":\"session.delegation.created\",\"delegation\":{"
                                         "\"id\":\"d\",\"target\":\"client\"}}",
                                         "{\"toolCall\":{\"functionCalls\":[{\"id\":\"c\",\"name\":"
                                         "\"f\",\"args\":{}},{\"name\":\"g\"}]}}"};

    for (size_t i = 0; i < COUNT(asking); i++)
        (void)ops->take(w, asking[i], strlen(asking[i]));
}

static void say_items(const struct wire_ops *ops, struct wire *w)
{
    static const int16_t x[7] = {0, 1, -1, INT16_MAX, INT16_MIN, 5, 6};
    const struct wire_caps *caps = ops->caps(w);

    for (size_t n = 0; n <= COUNT(x); n++)
        must(ops->audio(w, x, n));
    if (ops->activity != NULL) {
        must(ops->activity(w, true));
        must(ops->activity(w, false));
    }
    if (caps->commits)
        must(ops->commit(w));
    if (ops->clear != NULL)
        must(ops->clear(w));
    if (caps->writes)
        say_words(ops, w);
    if (caps->audio_turns)
        must(ops->user_audio(w, x, COUNT(x)));
}

static void say_replies(const struct wire_ops *ops, struct wire *w)
{
    const struct wire_caps *caps = ops->caps(w);

    if (caps->asks) {
        must(ops->respond(w, NULL));
        must(ops->respond(w, "go on where you were"));
    }
    if (caps->cancels) {
        must(ops->cancel(w, ""));
        must(ops->cancel(w, "resp_1"));
        must(ops->truncate(w, "item_1", 0));
        must(ops->truncate(w, "item_1", 1e3 / 3));
        must(ops->truncate(w, "item_1", 3600e3));
    }
}

/* A whole conversation under these settings, which change to others on the way and back. */
static void converse(const struct run *run, const struct wire_ops *ops, enum backend_task task,
                     const struct backend_settings *settings, const char *model, bool speak)
{
    static const struct backend_settings none = {.to = "de"};
    struct wire_config config = {.dialect = run->dialect,
                                 .task = task,
                                 .model = model,
                                 .settings = settings,
                                 .speak = speak,
                                 .send = print,
                                 .event = ignore,
                                 .user = (void *)run};
    struct wire *w = NULL;

    must(ops->open(&w, &config));
    if (ops->caps(w)->early)
        say_words(ops, w);
    must(ops->start(w));
    hear_ready(ops, w);
    hear(ops, w);
    say_items(ops, w);
    if (ops->caps(w)->adjusts) {
        must(ops->settings(w, &none));
        must(ops->settings(w, settings));
    }
    say_replies(ops, w);
    if (ops->finish != NULL)
        must(ops->finish(w));
    ops->free(w);
}

static const char *const efforts[] = {NULL, "minimal", "low", "medium", "high", "xhigh"};
static const char *const delays[] = {NULL, "minimal", "low", "medium", "high", "xhigh"};
static const char *const eagernesses[] = {NULL, "low", "medium", "high"};
static const char *const noises[] = {NULL, "near", "far", "off"};
static const double speeds[] = {0, 0.25, 1, 1.1, 1.5};
static const double retentions[] = {0, 0.8, 1, 1.0 / 3};
static const int tokens[] = {0, 1, 4096};
static const char *const models[] = {NULL, "gpt-transcribe", "gpt-live-transcribe", "whisper-1"};

/* Every value of every setting, each with many values of the others. */
static void vary(const struct run *run, const struct wire_ops *ops, enum backend_task task)
{
    for (size_t i = 0; i < 60; i++) {
        const struct backend_settings s = {
            .instructions = i % 3 != 0 ? "Be \"brief\".\n" : NULL,
            .voice = i % 4 == 1   ? "auto"
                     : i % 4 == 2 ? "cedar"
                                  : NULL,
            .effort = efforts[i % COUNT(efforts)],
            .eagerness = eagernesses[i % COUNT(eagernesses)],
            .noise = noises[i / 2 % COUNT(noises)],
            .language = i % 2 != 0 ? "en" : NULL,
            .to = "es",
            .delay = delays[i / 3 % COUNT(delays)],
            .speed = speeds[i % COUNT(speeds)],
            .retention = retentions[i / 5 % COUNT(retentions)],
            .max_tokens = tokens[i / 4 % COUNT(tokens)],
            .turns = (enum backend_turns)(i / 7 % 4),
        };
        const char *own = run->dialect->info.model[task];
        bool any = task == BACKEND_TRANSCRIBE && ops == &wire_openai;
        const char *model = any ? models[i % COUNT(models)] : NULL;
        if (model == NULL)
            model = own != NULL ? own : "some-model";
        converse(run, ops, task, &s, model, i % 5 != 4);
    }
}

static const char *protocol_of(const struct wire_ops *ops, enum backend_task task)
{
    if (strcmp(ops->name, "openai") != 0)
        return ops->name;
    return task == BACKEND_TRANSCRIBE ? "transcription" : "voice";
}

int main(void)
{
    for (size_t i = 0; dialects[i] != NULL; i++) {
        for (int task = 0; task < 3; task++) {
            const struct wire_ops *ops = dialects[i]->wire[task];
            if (ops != NULL) {
                const struct run run = {dialects[i], protocol_of(ops, (enum backend_task)task)};
                vary(&run, ops, (enum backend_task)task);
            }
        }
    }
    return 0;
}
