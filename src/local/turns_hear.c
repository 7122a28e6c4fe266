/* What the user says, from pieces of speech to words. */
#include "local/turns_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/text.h"

static struct turn_in_hand *hearing(struct turns *ts)
{
    if (ts->hearing == NULL)
        ts->hearing = turns_add(ts);
    return ts->hearing;
}

/* NULL: out of memory. */
static struct decode *decode(struct turns *ts, const int16_t *x, size_t n)
{
    struct decode *d = calloc(1, sizeof *d);
    struct engine_request r = {.id = ++ts->next_id, .pcm = x, .samples = n};

    if (d == NULL || ts->stt->ops->submit(ts->stt, &r) < 0) {
        free(d);
        return NULL;
    }
    d->id = r.id;
    d->samples = n;
    *ts->last_decode = d;
    ts->last_decode = &d->next;
    ts->decoding_samples += n;
    return d;
}

/* The answer, if it still comes, belongs to nobody. */
static void drop(struct turns *ts, struct decode *d)
{
    if (!d->part)
        d->turn->decoding--;
    d->turn = NULL;
    /* Cancelling takes earlier requests along, and those are wanted. */
    if (d == ts->decodes)
        ts->stt->ops->cancel(ts->stt, d->id);
}

/* What was only to be shown gives way to what is to be kept. */
static void drop_part(struct turns *ts)
{
    struct decode *d = ts->decodes;

    if (d != NULL && d->part && d->turn != NULL)
        drop(ts, d);
}

/* A look at a piece that is not complete, while nothing else is to be done. */
static void on_part(struct turns *ts, const struct listen_event *ev)
{
    struct turn_in_hand *t = ts->decodes == NULL ? hearing(ts) : NULL;
    struct decode *d = t != NULL ? decode(ts, ev->pcm, ev->count) : NULL;

    if (d == NULL)
        return;
    d->turn = t;
    d->part = true;
}

static void on_piece(struct turns *ts, const struct listen_event *ev)
{
    struct turn_in_hand *t = hearing(ts);
    struct decode *d = t != NULL ? decode(ts, ev->pcm, ev->count) : NULL;

    if (d == NULL) {
        turns_out_of_memory(ts);
        return;
    }
    drop_part(ts);
    if (t->until == 0)
        t->at = ev->at;
    t->until = ev->until;
    d->turn = t;
    t->decoding++;
    if (ev->draft)
        t->draft_id = d->id;
}

int turns_glance(struct turns *ts, const int16_t *x, size_t n)
{
    struct decode *d = ts->stt != NULL ? decode(ts, x, n) : NULL;

    if (d == NULL)
        return ts->stt != NULL ? -ENOMEM : -EAGAIN;
    d->glance = true;
    return 0;
}

static void forget_draft(struct turns *ts, struct turn_in_hand *t)
{
    for (struct decode *d = ts->decodes; d != NULL; d = d->next)
        if (d->id == t->draft_id && d->turn != NULL)
            drop(ts, d);
    t->draft_id = 0;
}

void turns_take_back(struct turns *ts, struct turn_in_hand *t)
{
    forget_draft(ts, t);
    buf_clear(&t->draft);
    if (!t->answering)
        return;
    turns_stop_answering(ts, t);
    held_drop(&t->held);
    memory_rollback(ts->memory, t->mark);
    clause_free(&t->clause);
    t->answering = t->worded = false;
    t->speech_ms = 0;
    t->heard_ns = t->token_ns = t->clause_ns = t->audio_ns = 0;
}

static void on_turn(struct turns *ts, const struct listen_event *ev)
{
    struct turn_in_hand *t = hearing(ts);
    struct backend_event stopped = {.type = BACKEND_SPEECH_STOPPED, .at = ev->at};

    if (t == NULL) {
        turns_out_of_memory(ts);
        return;
    }
    drop_part(ts);
    if (ev->at > 0)
        ts->config.event(ts->config.user, &stopped);
    if (ev->at > t->at)
        t->until = ev->at;
    t->closed = true;
    t->committed = ev->committed;
    t->end_ns = ev->decided_ns;
    ts->hearing = NULL;
    turns_tell_held(ts, t);
}

void turns_on_listen(struct turns *ts, const struct listen_event *ev)
{
    struct backend_event started = {.type = BACKEND_SPEECH_STARTED, .at = ev->at};

    switch (ev->type) {
    case LISTEN_STARTED:
        ts->config.event(ts->config.user, &started);
        break;
    case LISTEN_PIECE:
        if (ts->stt != NULL && ev->part)
            on_part(ts, ev);
        else if (ts->stt != NULL)
            on_piece(ts, ev);
        break;
    case LISTEN_RESUMED:
        if (ts->hearing != NULL)
            turns_take_back(ts, ts->hearing);
        break;
    case LISTEN_TURN:
        on_turn(ts, ev);
        break;
    }
    turns_advance(ts);
}

void turns_add_words(struct buf *b, const char *text)
{
    if (text_blank(text))
        return;
    if (b->len > 0)
        buf_adds(b, " ");
    buf_adds(b, text);
}

/* The first decode is the one that events are about: engines answer in order. */
void turns_decode_done(struct turns *ts)
{
    struct decode *d = ts->decodes;

    ts->decodes = d->next;
    if (ts->decodes == NULL)
        ts->last_decode = &ts->decodes;
    ts->decoding_samples -= d->samples;
    if (d->turn != NULL && !d->part)
        d->turn->decoding--;
    free(d);
}

/* The words of the turn so far, where its owner wants to see them come. */
static void tell_part(struct turns *ts, const struct turn_in_hand *t, const char *text)
{
    struct buf words = BUF_INIT;
    struct backend_event ev = {.type = BACKEND_HEARD_PART, .item = t->item};

    turns_add_words(&words, buf_str(&t->heard));
    turns_add_words(&words, text);
    ev.text = buf_str(&words);
    if (ts->config.task == BACKEND_TRANSCRIBE && words.len > 0 && !t->closed && !t->dead)
        ts->config.event(ts->config.user, &ev);
    buf_free(&words);
}

static void transcribed(struct turns *ts, const struct decode *d, const struct engine_event *ev)
{
    struct turn_in_hand *t = d->turn;

    if (d->glance) {
        ts->config.event(ts->config.user,
                         &(struct backend_event){.type = BACKEND_GLANCED, .text = ev->text});
    } else if (t == NULL || ev->cancelled) {
        return;
    } else if (d->part) {
        tell_part(ts, t, ev->text);
    } else if (d->id == t->draft_id) {
        turns_add_words(&t->draft, ev->text);
        tell_part(ts, t, ev->text);
    } else {
        turns_add_words(&t->heard, ev->text);
    }
}

void turns_on_stt(struct turns *ts, const struct engine_event *ev)
{
    struct decode *d = ts->decodes;

    if (d == NULL || d->id != ev->id)
        return;
    if (ev->type == ENGINE_TEXT) {
        transcribed(ts, d, ev);
        return;
    }
    if (ev->type == ENGINE_FAILED)
        turns_report(ts, ev->error->status, ev->error->code, ev->error->text);
    turns_decode_done(ts);
    turns_advance(ts);
}
