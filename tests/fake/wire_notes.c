#include "fake/wire_notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const types[] = {
    [WIRE_READY] = "READY",
    [WIRE_SETTLED] = "SETTLED",
    [WIRE_SPEECH_STARTED] = "SPEECH_STARTED",
    [WIRE_SPEECH_STOPPED] = "SPEECH_STOPPED",
    [WIRE_COMMITTED] = "COMMITTED",
    [WIRE_HEARD_PART] = "HEARD_PART",
    [WIRE_HEARD] = "HEARD",
    [WIRE_HEARD_FAILED] = "HEARD_FAILED",
    [WIRE_REPLY_STARTED] = "REPLY_STARTED",
    [WIRE_REPLY_TEXT] = "REPLY_TEXT",
    [WIRE_REPLY_AUDIO] = "REPLY_AUDIO",
    [WIRE_REPLY_DONE] = "REPLY_DONE",
    [WIRE_INTERRUPTED] = "INTERRUPTED",
    [WIRE_USAGE] = "USAGE",
    [WIRE_HANDLE] = "HANDLE",
    [WIRE_GOING] = "GOING",
    [WIRE_ERROR] = "ERROR",
    [WIRE_ENDED] = "ENDED",
    [WIRE_UNKNOWN] = "UNKNOWN",
};

static const char *const outcomes[] = {
    [WIRE_COMPLETE] = "complete",
    [WIRE_CANCELLED] = "cancelled",
    [WIRE_INCOMPLETE] = "incomplete",
    [WIRE_FAILED] = "failed",
};

static const char *const faults[] = {
    [WIRE_REFUSED] = "refused", [WIRE_ACTIVE] = "active", [WIRE_LIMITED] = "limited",
    [WIRE_OVER] = "over",       [WIRE_SERVER] = "server", [WIRE_FORBIDDEN] = "forbidden",
    [WIRE_SPENT] = "spent",     [WIRE_WRONG] = "wrong",
};

static void note_usage(struct buf *b, const struct backend_usage *u)
{
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {{"text_in", u->text_in},   {"text_cached", u->text_cached},
                  {"audio_in", u->audio_in}, {"audio_cached", u->audio_cached},
                  {"text_out", u->text_out}, {"audio_out", u->audio_out}};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].count > 0)
            buf_addf(b, " %s=%llu", counts[i].name, (unsigned long long)counts[i].count);
    if (u->seconds > 0)
        buf_addf(b, " seconds=%g", u->seconds);
}

static void note_event(void *user, const struct wire_event *ev)
{
    struct wire_notes *n = user;
    struct buf *b = &n->told;

    buf_adds(b, types[ev->type]);
    if (ev->reply[0] != '\0')
        buf_addf(b, " %s", ev->reply);
    if (ev->item[0] != '\0' && strcmp(ev->item, ev->reply) != 0)
        buf_addf(b, " %s", ev->item);
    if (ev->text[0] != '\0' || ev->type == WIRE_HEARD)
        buf_addf(b, " '%s'", ev->text);
    if (ev->type == WIRE_HEARD_PART && ev->anew)
        buf_adds(b, " anew");
    if (ev->type == WIRE_SPEECH_STARTED || ev->type == WIRE_SPEECH_STOPPED ||
        ev->type == WIRE_GOING)
        buf_addf(b, " %g", ev->ms);
    if (ev->type == WIRE_REPLY_AUDIO) {
        buf_addf(b, " %zu at %d", ev->count, ev->rate_hz);
        memcpy(n->samples, ev->samples, (ev->count < 64 ? ev->count : 64) * sizeof *ev->samples);
    }
    if (ev->type == WIRE_REPLY_DONE)
        buf_addf(b, " %s", outcomes[ev->outcome]);
    if (ev->type == WIRE_ERROR)
        buf_addf(b, " %s", faults[ev->fault]);
    if (ev->error != NULL)
        buf_addf(b, " '%s'", ev->error->text);
    note_usage(b, &ev->usage);
    buf_adds(b, "\n");
}

static int note_sent(void *user, const char *json, size_t n)
{
    struct wire_notes *notes = user;

    buf_add(&notes->sent, json, n);
    buf_adds(&notes->sent, "\n");
    return notes->send_result;
}

struct wire_config wire_notes_config(const struct dialect *dialect, enum backend_task task,
                                     const struct backend_settings *settings)
{
    return (struct wire_config){.dialect = dialect,
                                .task = task,
                                .model = "a-model",
                                .settings = settings,
                                .speak = task != BACKEND_TRANSCRIBE};
}

void wire_notes_open(struct wire_notes *n, const struct wire_ops *ops, struct wire_config config)
{
    *n = (struct wire_notes){.ops = ops};
    config.send = note_sent;
    config.event = note_event;
    config.user = n;
    assert_int_equal(ops->open(&n->wire, &config), 0);
}

void wire_notes_close(struct wire_notes *n)
{
    n->ops->free(n->wire);
    buf_free(&n->sent);
    buf_free(&n->told);
}

int wire_notes_take(struct wire_notes *n, const char *json)
{
    return n->ops->take(n->wire, json, strlen(json));
}
