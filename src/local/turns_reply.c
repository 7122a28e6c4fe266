/* From the user's words to a reply: the language model, clause by clause, and the voice. */
#include "local/turns_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/text.h"

#define QUIET   100 /* below it, a sample of a voice is not heard: -50 dB */
#define LEAD_HZ 200 /* a 200th of a second is kept of the quiet before the first word */

void turns_free_sayings(struct turn_in_hand *t)
{
    struct saying *s;

    while ((s = t->sayings) != NULL) {
        t->sayings = s->next;
        free(s);
    }
    t->last_saying = &t->sayings;
}

void turns_stop_answering(struct turns *ts, struct turn_in_hand *t)
{
    if (ts->llm != NULL && t->llm_id != 0)
        ts->llm->ops->cancel(ts->llm, t->llm_id);
    if (ts->tts != NULL && t->sayings != NULL)
        ts->tts->ops->cancel(ts->tts, ts->next_id);
    t->llm_id = 0;
    turns_free_sayings(t);
}

void turns_ask(struct turns *ts, struct turn_in_hand *t, const char *words)
{
    struct engine_request r = {.max_tokens = ts->config.max_tokens};
    struct buf said = BUF_INIT;

    if (ts->config.task == BACKEND_TRANSLATE) { /* each turn by itself */
        memory_rollback(ts->memory, 1);
        t->mark = memory_mark(ts->memory);
    }
    if (ts->config.lead != NULL)
        buf_adds(&said, ts->config.lead);
    buf_adds(&said, words);
    memory_user(ts->memory, buf_str(&said));
    buf_free(&said);
    turns_emit(ts, t, (struct backend_event){.type = BACKEND_REPLY_STARTED});
    if (t->dead || t->cancelled)
        return;
    r.messages = memory_messages(ts->memory, &r.count);
    r.id = ++ts->next_id;
    if (r.messages == NULL || ts->llm->ops->submit(ts->llm, &r) < 0) {
        turns_out_of_memory(ts);
        return;
    }
    t->llm_id = r.id;
    memory_reply_begin(ts->memory, t->item);
}

static void say(struct turns *ts, struct turn_in_hand *t, const char *text)
{
    struct saying *s;
    struct engine_request r = {.id = ++ts->next_id, .text = text};

    if (t->clause_ns == 0)
        t->clause_ns = clock_ns();
    if (!ts->config.speak || t->dead || t->cancelled)
        return;
    s = malloc(sizeof *s);
    if (s == NULL || ts->tts->ops->submit(ts->tts, &r) < 0) {
        free(s);
        turns_out_of_memory(ts);
        return;
    }
    s->next = NULL;
    s->id = r.id;
    *t->last_saying = s;
    t->last_saying = &s->next;
    memory_reply_clause(ts->memory, t->item, r.id, text);
}

static void say_clauses(struct turns *ts, struct turn_in_hand *t, bool end)
{
    struct buf clause = BUF_INIT;

    while (clause_next(&t->clause, end, &clause)) {
        if (!text_blank(buf_str(&clause)))
            say(ts, t, buf_str(&clause));
        buf_clear(&clause);
    }
    buf_free(&clause);
}

/* What the user said is known: tell it, and ask the language model. */
static struct turn_in_hand *answering_llm(struct turns *ts, uint32_t id)
{
    struct turn_in_hand *t = ts->first;

    return t != NULL && id != 0 && t->llm_id == id ? t : NULL;
}

void turns_on_llm(struct turns *ts, const struct engine_event *ev)
{
    struct turn_in_hand *t = answering_llm(ts, ev->id);

    if (t == NULL)
        return;
    if (ev->type == ENGINE_TEXT) {
        if (t->token_ns == 0)
            t->token_ns = clock_ns();
        memory_reply_text(ts->memory, t->item, ev->text);
        clause_add(&t->clause, ev->text);
        turns_emit(ts, t, (struct backend_event){.type = BACKEND_REPLY_TEXT, .text = ev->text});
        say_clauses(ts, t, false);
        return;
    }
    if (ev->type == ENGINE_FAILED)
        turns_report(ts, ev->error->status, ev->error->code, ev->error->text);
    t->llm_id = 0;
    say_clauses(ts, t, true);
    turns_advance(ts);
}

/* Samples to leave out at the start of a reply: voices take up to a fifth of a second before they
 * can be heard, and somebody waits. */
static size_t quiet_lead(const struct engine_event *ev)
{
    size_t keep = (size_t)ev->rate_hz / LEAD_HZ, i = 0;

    while (i < ev->count && abs(ev->samples[i]) < QUIET)
        i++;
    return i == ev->count ? i : i > keep ? i - keep : 0;
}

static void on_speech(struct turns *ts, struct turn_in_hand *t, const struct engine_event *ev)
{
    size_t skip = t->audio_ns == 0 ? quiet_lead(ev) : 0, count = ev->count - skip;

    if (count == 0)
        return;
    if (t->audio_ns == 0)
        t->audio_ns = clock_ns();
    t->speech_ms += (double)count * 1000 / ev->rate_hz;
    memory_reply_speech(ts->memory, t->item, t->speech_ms);
    turns_emit(ts, t,
               (struct backend_event){.type = BACKEND_REPLY_AUDIO,
                                      .samples = ev->samples + skip,
                                      .count = count,
                                      .rate_hz = ev->rate_hz});
}

void turns_on_tts(struct turns *ts, const struct engine_event *ev)
{
    struct turn_in_hand *t = ts->first;
    struct saying *s = t != NULL ? t->sayings : NULL;

    if (s == NULL || s->id != ev->id)
        return;
    if (ev->type == ENGINE_AUDIO) {
        on_speech(ts, t, ev);
        return;
    }
    memory_reply_spoken(ts->memory, t->item, s->id, t->speech_ms);
    t->sayings = s->next;
    if (t->sayings == NULL)
        t->last_saying = &t->sayings;
    free(s);
    if (ev->type == ENGINE_FAILED) /* only now: who hears of it may cancel */
        turns_report(ts, ev->error->status, ev->error->code, ev->error->text);
    turns_advance(ts);
}
