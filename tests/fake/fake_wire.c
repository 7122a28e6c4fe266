#include "fake/fake_wire.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {
    [WIRE_READY] = "ready",
    [WIRE_SETTLED] = "settled",
    [WIRE_SPEECH_STARTED] = "speech_started",
    [WIRE_SPEECH_STOPPED] = "speech_stopped",
    [WIRE_COMMITTED] = "committed",
    [WIRE_HEARD_PART] = "heard_part",
    [WIRE_HEARD] = "heard",
    [WIRE_HEARD_FAILED] = "heard_failed",
    [WIRE_REPLY_STARTED] = "reply_started",
    [WIRE_REPLY_TEXT] = "reply_text",
    [WIRE_REPLY_AUDIO] = "reply_audio",
    [WIRE_REPLY_DONE] = "reply_done",
    [WIRE_INTERRUPTED] = "interrupted",
    [WIRE_USAGE] = "usage",
    [WIRE_HANDLE] = "handle",
    [WIRE_GOING] = "going",
    [WIRE_ERROR] = "error",
    [WIRE_ENDED] = "ended",
    [WIRE_UNKNOWN] = "unknown",
};

static const char *const faults[] = {
    [WIRE_REFUSED] = "refused", [WIRE_ACTIVE] = "active", [WIRE_LIMITED] = "limited",
    [WIRE_OVER] = "over",       [WIRE_SERVER] = "server", [WIRE_FORBIDDEN] = "forbidden",
    [WIRE_SPENT] = "spent",     [WIRE_WRONG] = "wrong",
};

static const char *const outcomes[] = {
    [WIRE_COMPLETE] = "complete",
    [WIRE_CANCELLED] = "cancelled",
    [WIRE_INCOMPLETE] = "incomplete",
    [WIRE_FAILED] = "failed",
};

static int keep(void *user, const char *json, size_t n)
{
    struct fake_wire *f = user;

    assert_int_equal(strlen(json), n);
    assert_null(strchr(json, '\n'));
    if (f->send_rc == 0) {
        buf_add(&f->sent, json, n);
        buf_adds(&f->sent, "\n");
    }
    return f->send_rc;
}

static void note_usage(struct buf *b, const struct backend_usage *u)
{
    if (u->text_in + u->text_cached + u->audio_in + u->audio_cached + u->text_out + u->audio_out >
        0)
        buf_addf(b,
                 " in %" PRIu64 "+%" PRIu64 " text %" PRIu64 "+%" PRIu64 " audio, out %" PRIu64
                 " text %" PRIu64 " audio",
                 u->text_in, u->text_cached, u->audio_in, u->audio_cached, u->text_out,
                 u->audio_out);
    if (u->seconds > 0)
        buf_addf(b, " %g s", u->seconds);
    if (u->model != NULL)
        buf_addf(b, " by %s", u->model);
}

static void note(void *user, const struct wire_event *ev)
{
    struct fake_wire *f = user;
    struct buf *b = &f->told;

    assert_non_null(ev->item);
    assert_non_null(ev->reply);
    assert_non_null(ev->text);
    assert_true(strlen(ev->item) <= WIRE_ID && strlen(ev->reply) <= WIRE_ID);
    assert_true(strlen(ev->text) <= WIRE_TEXT_MAX);
    assert_true((ev->type == WIRE_ERROR || ev->type == WIRE_HEARD_FAILED) <= (ev->error != NULL));
    buf_adds(b, names[ev->type]);
    if (ev->reply[0] != '\0')
        buf_addf(b, " %s", ev->reply);
    if (ev->item[0] != '\0')
        buf_addf(b, " %s", ev->item);
    if (ev->text[0] != '\0' || ev->type == WIRE_HEARD)
        buf_addf(b, " '%s'", ev->text);
    if (ev->anew)
        buf_adds(b, " anew");
    if (ev->type == WIRE_REPLY_AUDIO)
        buf_addf(b, " %zu@%d first %d", ev->count, ev->rate_hz, ev->samples[0]);
    if (ev->type == WIRE_SPEECH_STARTED || ev->type == WIRE_SPEECH_STOPPED ||
        ev->type == WIRE_GOING)
        buf_addf(b, " %g ms", ev->ms);
    if (ev->type == WIRE_REPLY_DONE)
        buf_addf(b, " %s", outcomes[ev->outcome]);
    if (ev->type == WIRE_ERROR || (ev->type == WIRE_REPLY_DONE && ev->error != NULL))
        buf_addf(b, " %s %g ms", faults[ev->fault], ev->ms);
    note_usage(b, &ev->usage);
    buf_adds(b, "\n");
    if (ev->error != NULL)
        f->error = *ev->error;
    f->last = *ev;
}

void fake_wire_open(struct fake_wire *f, const struct dialect *d, enum backend_task task,
                    const char *model, bool speak)
{
    struct wire_config config = {
        .dialect = d,
        .task = task,
        .model = model != NULL ? model : d->info.model[task],
        .settings = &f->settings,
        .handle = f->handle,
        .speak = speak,
        .send = keep,
        .event = note,
        .user = f,
    };

    f->ops = d->wire[task];
    assert_non_null(f->ops);
    assert_int_equal(f->ops->open(&f->wire, &config), 0);
    assert_int_equal(f->sent.len, 0);
}

void fake_wire_close(struct fake_wire *f)
{
    if (f->ops != NULL)
        f->ops->free(f->wire);
    buf_free(&f->sent);
    buf_free(&f->told);
    *f = (struct fake_wire){0};
}

int fake_wire_take(struct fake_wire *f, const char *json)
{
    return f->ops->take(f->wire, json, strlen(json));
}

/* What was there stays readable until something is added. */
static const char *drain(struct buf *b)
{
    bool empty = b->len == 0;

    b->len = 0;
    return empty ? "" : b->data;
}

const char *fake_wire_sent(struct fake_wire *f)
{
    return drain(&f->sent);
}

const char *fake_wire_told(struct fake_wire *f)
{
    return drain(&f->told);
}
