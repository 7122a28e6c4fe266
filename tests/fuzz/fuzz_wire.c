/* A realtime server that says anything: the first byte picks the dialect, the second the task and
 * the settings, then each line is a message. Between the messages we say all that there is to say.
 * Whatever comes, events are as wire.h promises, and what we send is JSON. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/dialect.h"
#include "realtime/wire.h"
#include "util/json.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct seen {
    bool inside; /* a call of ours: only then may anything happen */
    size_t unknown;
};

static void must(bool held)
{
    if (!held)
        abort();
}

static void must_be_clean(const char *s, size_t most)
{
    char *copy;
    size_t n;

    must(s != NULL);
    n = strlen(s);
    must(n <= most);
    copy = malloc(n + 1);
    must(copy != NULL);
    memcpy(copy, s, n + 1);
    must(text_clean(copy) == n && memcmp(copy, s, n) == 0);
    free(copy);
}

static int check_sent(void *user, const char *json, size_t n)
{
    struct seen *seen = user;
    cJSON *m = NULL;

    must(seen->inside && strlen(json) == n);
    must(json_parse(&m, json, n) == 0 && cJSON_IsObject(m));
    cJSON_Delete(m);
    return 0;
}

static void check_event(void *user, const struct wire_event *ev)
{
    struct seen *seen = user;
    int64_t sum = 0;

    must(seen->inside && ev->type <= WIRE_UNKNOWN);
    must_be_clean(ev->item, WIRE_ID);
    must_be_clean(ev->reply, WIRE_ID);
    must_be_clean(ev->text, WIRE_TEXT_MAX);
    must(isfinite(ev->ms));
    for (size_t i = 0; i < ev->count; i++)
        sum += ev->samples[i]; /* all of it can be read */
    must(sum <= (int64_t)ev->count * INT16_MAX);
    must(ev->type != WIRE_REPLY_AUDIO || (ev->count > 0 && ev->rate_hz >= 8000));
    must((ev->type != WIRE_ERROR && ev->type != WIRE_HEARD_FAILED) || ev->error != NULL);
    if (ev->error != NULL)
        must_be_clean(ev->error->text, sizeof ev->error->text);
    seen->unknown += ev->type == WIRE_UNKNOWN;
    must(seen->unknown <= 64);
}

/* What is said in step k, of a conversation ... */
static int say_turn(const struct wire_ops *ops, struct wire *w, size_t k)
{
    static const int16_t x[5] = {1, -1, INT16_MAX, INT16_MIN, 0};
    const struct wire_caps *caps = ops->caps(w);

    switch (k % 8) {
    case 0:
        return ops->audio(w, x, k % 6);
    case 1:
        return caps->commits ? ops->commit(w) : 0;
    case 2:
        return ops->clear != NULL && caps->commits ? ops->clear(w) : 0;
    case 3:
        return caps->writes ? ops->user_text(w, "\xff\x1b[31m \"hello\"\n") : 0;
    case 4:
        return caps->writes ? ops->assistant_text(w, "") : 0;
    case 5:
        return caps->audio_turns ? ops->user_audio(w, x, k % 6) : 0;
    default:
        return ops->activity != NULL ? ops->activity(w, k % 2 == 0) : 0;
    }
}

/* ... and of what governs it. What does not go together comes together, too. */
static int speak(const struct wire_ops *ops, struct wire *w, size_t k,
                 const struct backend_settings *settings)
{
    const struct wire_caps *caps = ops->caps(w);

    switch (k % 13) {
    case 8:
        return caps->asks && ops->respond != NULL ? ops->respond(w, k % 2 != 0 ? "go on" : NULL)
                                                  : 0;
    case 9:
        return caps->cancels ? ops->cancel(w, k % 2 != 0 ? "r1" : "") : 0;
    case 10:
        return caps->cancels ? ops->truncate(w, "i1", (double)(k * 100) - 1200) : 0;
    case 11:
        return caps->adjusts ? ops->settings(w, settings) : 0;
    case 12:
        return ops->finish != NULL ? ops->finish(w) : 0;
    default:
        return say_turn(ops, w, k % 13);
    }
}

static void converse(const struct wire_ops *ops, struct wire *w, struct seen *seen,
                     const uint8_t *bytes, size_t n, const struct backend_settings *settings)
{
    size_t k = 0;

    seen->inside = true;
    must(ops->start(w) == 0);
    while (n > 0) {
        const uint8_t *end = memchr(bytes, '\n', n);
        size_t line = end != NULL ? (size_t)(end - bytes) : n;
        int rc = ops->take(w, (const char *)bytes, line);
        must(rc == 0 || rc == -EBADMSG || rc == -EMSGSIZE);
        must(speak(ops, w, k++, settings) >= 0);
        bytes += line + (end != NULL);
        n -= line + (end != NULL);
    }
    seen->inside = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const struct backend_settings full = {
        .instructions = "be brief",
        .voice = "cedar",
        .effort = "low",
        .eagerness = "high",
        .noise = "near",
        .language = "en",
        .to = "es",
        .delay = "low",
        .speed = 1.1,
        .retention = 0.5,
        .max_tokens = 9,
        .turns = n > 1 && (bytes[1] & 32) != 0 ? BACKEND_TURNS_CLIENT : BACKEND_TURNS_SEMANTIC};
    const struct backend_settings none = {.turns = BACKEND_TURNS_CLIENT};
    struct seen seen = {0};
    struct wire_config config = {.send = check_sent, .event = check_event, .user = &seen};
    struct wire *w = NULL;
    size_t count = 0;

    if (n < 2)
        return 0;
    while (dialects[count] != NULL)
        count++;
    config.dialect = dialects[bytes[0] % count];
    config.task = (enum backend_task)(bytes[1] % 3);
    config.model = config.dialect->info.model[config.task];
    if (config.model == NULL)
        config.model = "a-model";
    config.settings = (bytes[1] & 4) != 0 ? &full : &none;
    config.speak = (bytes[1] & 8) == 0;
    config.handle = (bytes[1] & 16) != 0 ? "a-handle" : NULL;
    if (config.dialect->wire[config.task] == NULL)
        return 0;
    must(config.dialect->wire[config.task]->open(&w, &config) == 0);
    converse(config.dialect->wire[config.task], w, &seen, bytes + 2, n - 2,
             config.settings == &full ? &none : &full);
    config.dialect->wire[config.task]->free(w);
    return 0;
}
