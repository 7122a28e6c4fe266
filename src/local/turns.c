#include "local/turns_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/text.h"

#define QUEUED_TURNS 3 /* more waiting than this, and the caller should hold back */

/* --- events */

void turns_report(struct turns *ts, enum status status, int code, const char *text)
{
    struct err error;
    struct backend_event ev = {.type = BACKEND_ERROR, .error = &error};

    err_set(&error, status, code, "%s", text);
    ts->config.event(ts->config.user, &ev);
}

void turns_out_of_memory(struct turns *ts)
{
    turns_report(ts, STATUS_FAILED, -ENOMEM, "out of memory");
}

/* Of a reply that was cancelled only its end is told, also when a handler cancelled it just now. */
static bool unwanted(const struct turn_in_hand *t, const struct backend_event *ev)
{
    bool piece = ev->type == BACKEND_REPLY_TEXT || ev->type == BACKEND_REPLY_AUDIO;

    return t->dead || (t->cancelled && piece);
}

void turns_emit(struct turns *ts, struct turn_in_hand *t, struct backend_event ev)
{
    ev.item = t->item;
    if (unwanted(t, &ev))
        return;
    if (t->closed)
        ts->config.event(ts->config.user, &ev);
    else if (held_add(&t->held, &ev) < 0)
        turns_out_of_memory(ts);
}

/* The turn is confirmed. */
void turns_tell_held(struct turns *ts, struct turn_in_hand *t)
{
    struct held *h;

    while ((h = held_take(&t->held)) != NULL) {
        if (h->ev.type == BACKEND_HEARD)
            h->ev.committed = t->committed;
        if (!unwanted(t, &h->ev))
            ts->config.event(ts->config.user, &h->ev);
        held_free(h);
    }
}

/* --- turns */

struct turn_in_hand *turns_add(struct turns *ts)
{
    struct turn_in_hand *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->item = ++ts->next_item;
    held_init(&t->held);
    t->last_saying = &t->sayings;
    *ts->last = t;
    ts->last = &t->next;
    return t;
}

void turns_remove(struct turns *ts, struct turn_in_hand *t)
{
    struct turn_in_hand **at = &ts->first;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (ts->last == &t->next)
        ts->last = at;
    if (ts->hearing == t)
        ts->hearing = NULL;
    for (struct decode *d = ts->decodes; d != NULL; d = d->next)
        if (d->turn == t)
            d->turn = NULL;
    held_drop(&t->held);
    turns_free_sayings(t);
    clause_free(&t->clause);
    buf_free(&t->heard);
    buf_free(&t->draft);
    free(t);
}

/* --- the steps of a turn */

/* What the user said is known: tell it, and ask for a reply where one is due. */
static void answer(struct turns *ts, struct turn_in_hand *t)
{
    bool reply = ts->config.task != BACKEND_TRANSCRIBE;
    struct backend_event ev = {.type = BACKEND_HEARD,
                               .committed = t->committed,
                               .late = !reply,
                               .at = t->at,
                               .until = t->until};
    struct buf words = BUF_INIT;

    turns_add_words(&words, buf_str(&t->heard));
    turns_add_words(&words, buf_str(&t->draft));
    if (buf_failed(&words))
        turns_out_of_memory(ts);
    if (words.len == 0 && !t->closed)
        goto out; /* a draft without words: wait for more */
    t->heard_ns = clock_ns();
    t->answering = true;
    t->worded = reply && words.len > 0;
    t->mark = memory_mark(ts->memory);
    ev.text = buf_str(&words);
    turns_emit(ts, t, ev);
    if (t->worded && !t->dead)
        turns_ask(ts, t, buf_str(&words));
out:
    buf_free(&words);
}

/* Milliseconds from the end of input; what was ready before it counts as 0. */
static double stage(const struct turn_in_hand *t, int64_t at_ns)
{
    if (at_ns == 0)
        return -1;
    return at_ns > t->end_ns ? (double)(at_ns - t->end_ns) / 1e6 : 0;
}

static void finish(struct turns *ts, struct turn_in_hand *t)
{
    struct backend_event ev = {.type = BACKEND_REPLY_DONE,
                               .item = t->item,
                               .cancelled = t->cancelled,
                               .timing = {.heard_ms = stage(t, t->heard_ns),
                                          .first_token_ms = stage(t, t->token_ns),
                                          .first_clause_ms = stage(t, t->clause_ns),
                                          .first_audio_ms = stage(t, t->audio_ns),
                                          .done_ms = stage(t, clock_ns())}};
    bool worded = t->worded;

    turns_remove(ts, t);
    if (worded)
        ts->config.event(ts->config.user, &ev);
}

void turns_advance(struct turns *ts)
{
    struct turn_in_hand *t;

    while ((t = ts->first) != NULL && ts->ready) {
        if (t->dead) {
            turns_remove(ts, t);
            continue;
        }
        if (!t->answering) {
            if (t->decoding > 0 || !(t->closed || t->draft_id != 0))
                return;
            answer(ts, t);
        }
        if (!t->closed || !t->answering || t->llm_id != 0 || t->sayings != NULL)
            return;
        if (!t->dead)
            finish(ts, t);
    }
}

/* --- the rest */

int turns_new(struct turns **out, const struct turns_config *config)
{
    struct turns *ts = calloc(1, sizeof *ts);

    *out = NULL;
    if (ts == NULL)
        return -ENOMEM;
    ts->config = *config;
    ts->last = &ts->first;
    ts->last_decode = &ts->decodes;
    if (memory_new(&ts->memory, config->instructions) < 0) {
        free(ts);
        return -ENOMEM;
    }
    *out = ts;
    return 0;
}

void turns_free(struct turns *ts)
{
    if (ts == NULL)
        return;
    while (ts->first != NULL)
        turns_remove(ts, ts->first);
    while (ts->decodes != NULL)
        turns_decode_done(ts);
    memory_free(ts->memory);
    free(ts);
}

void turns_engines(struct turns *ts, bool ready, struct engine *stt, struct engine *llm,
                   struct engine *tts)
{
    while (stt != ts->stt && ts->decodes != NULL)
        turns_decode_done(ts);
    ts->ready = ready;
    ts->stt = stt;
    ts->llm = llm;
    ts->tts = tts;
}

int turns_text(struct turns *ts, const char *text)
{
    struct turn_in_hand *t = turns_add(ts);

    if (t == NULL)
        return -ENOMEM;
    turns_add_words(&t->heard, text);
    if (buf_failed(&t->heard)) {
        turns_remove(ts, t);
        return -ENOMEM;
    }
    t->closed = t->committed = true;
    t->end_ns = clock_ns();
    return 0;
}

void turns_warm_up(struct turns *ts)
{
    struct engine_request r = {.id = ++ts->next_id};

    r.messages = memory_messages(ts->memory, &r.count);
    if (r.messages != NULL && ts->llm != NULL)
        ts->llm->ops->submit(ts->llm, &r); /* only time is lost when this fails */
}

void turns_cancel(struct turns *ts)
{
    struct turn_in_hand *t = ts->first;

    if (t == NULL || !t->answering || !t->closed)
        return;
    turns_stop_answering(ts, t);
    t->cancelled = true;
}

void turns_drop(struct turns *ts)
{
    struct turn_in_hand *t = ts->hearing;

    if (t == NULL)
        return;
    turns_take_back(ts, t);
    t->dead = true;
    ts->hearing = NULL;
}

void turns_truncate(struct turns *ts, uint32_t item, double played_ms)
{
    memory_reply_cut(ts->memory, item, played_ms);
}

const char *turns_remembered(struct turns *ts, uint32_t item)
{
    return memory_reply(ts->memory, item);
}

void turns_forget(struct turns *ts)
{
    for (struct turn_in_hand *t = ts->first; t != NULL; t = t->next) {
        turns_stop_answering(ts, t);
        t->dead = true;
    }
    ts->hearing = NULL;
    memory_rollback(ts->memory, 1);
}

size_t turns_waiting(const struct turns *ts)
{
    size_t queued = 0, minutes;

    for (const struct turn_in_hand *t = ts->first; t != NULL; t = t->next)
        queued++;
    minutes = queued > QUEUED_TURNS ? queued - QUEUED_TURNS : 0;
    return ts->decoding_samples + minutes * 60 * 16000;
}
