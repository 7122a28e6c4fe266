#include "local/turns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "local/clause.h"
#include "local/held.h"
#include "local/memory.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/text.h"

#define QUEUED_TURNS 3   /* more waiting than this, and the caller should hold back */
#define QUIET        100 /* below it, a sample of a voice is not heard: -50 dB */
#define LEAD_HZ      200 /* a 200th of a second is kept of the quiet before the first word */

/* A clause on its way through the voice. */
struct saying {
    struct saying *next;
    uint32_t id; /* of the request */
};

struct turn_in_hand {
    struct turn_in_hand *next;
    uint32_t item; /* of the reply */

    struct buf heard;  /* final pieces */
    struct buf draft;  /* the piece that may be taken back */
    uint32_t draft_id; /* its request, 0: none is out */
    unsigned decoding; /* requests to speech-to-text without an answer */

    bool closed;    /* the end of the turn is decided */
    bool committed; /* ... by the caller */
    bool answering; /* the language model was asked */
    bool cancelled;
    bool dead;   /* forgotten: tells nothing any more, and goes with the next turns_advance */
    bool worded; /* HEARD had words: a REPLY_DONE is owed */
    size_t mark; /* of the memory, before this turn */

    uint32_t llm_id; /* 0: nothing is asked, or all of it came */
    struct clause clause;
    struct saying *sayings, **last_saying;
    double speech_ms; /* so far */
    int64_t end_ns, heard_ns, token_ns, clause_ns, audio_ns;

    struct held_list held; /* until the turn is confirmed */
};

/* Which turn a request to speech-to-text belongs to. */
struct decode {
    struct decode *next;
    uint32_t id;
    size_t samples;
    struct turn_in_hand *turn; /* NULL: dropped */
    bool glance;               /* or of no turn */
};

struct turns {
    struct turns_config config;
    struct engine *stt, *llm, *tts;
    struct memory *memory;
    struct turn_in_hand *first, **last;
    struct turn_in_hand *hearing; /* the one that pieces go to, or NULL */
    struct decode *decodes, **last_decode;
    size_t decoding_samples;
    uint32_t next_id, next_item;
};

/* --- events */

static void report(struct turns *ts, enum status status, int code, const char *text)
{
    struct err error;
    struct backend_event ev = {.type = BACKEND_ERROR, .error = &error};

    err_set(&error, status, code, "%s", text);
    ts->config.event(ts->config.user, &ev);
}

static void out_of_memory(struct turns *ts)
{
    report(ts, STATUS_FAILED, -ENOMEM, "out of memory");
}

/* Of a reply that was cancelled only its end is told, also when a handler cancelled it just now. */
static bool unwanted(const struct turn_in_hand *t, const struct backend_event *ev)
{
    bool piece = ev->type == BACKEND_REPLY_TEXT || ev->type == BACKEND_REPLY_AUDIO;

    return t->dead || (t->cancelled && piece);
}

static void emit(struct turns *ts, struct turn_in_hand *t, struct backend_event ev)
{
    ev.item = t->item;
    if (unwanted(t, &ev))
        return;
    if (t->closed)
        ts->config.event(ts->config.user, &ev);
    else if (held_add(&t->held, &ev) < 0)
        out_of_memory(ts);
}

/* The turn is confirmed. */
static void tell_held(struct turns *ts, struct turn_in_hand *t)
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

static struct turn_in_hand *turn_add(struct turns *ts)
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

static void free_sayings(struct turn_in_hand *t)
{
    struct saying *s;

    while ((s = t->sayings) != NULL) {
        t->sayings = s->next;
        free(s);
    }
    t->last_saying = &t->sayings;
}

static void turn_remove(struct turns *ts, struct turn_in_hand *t)
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
    free_sayings(t);
    clause_free(&t->clause);
    buf_free(&t->heard);
    buf_free(&t->draft);
    free(t);
}

/* Stops what the engines do for this turn; answers that still come are not known any more. */
static void stop_answering(struct turns *ts, struct turn_in_hand *t)
{
    if (ts->llm != NULL && t->llm_id != 0)
        ts->llm->ops->cancel(ts->llm, t->llm_id);
    if (ts->tts != NULL && t->sayings != NULL)
        ts->tts->ops->cancel(ts->tts, ts->next_id);
    t->llm_id = 0;
    free_sayings(t);
}

/* --- hearing */

static struct turn_in_hand *hearing(struct turns *ts)
{
    if (ts->hearing == NULL)
        ts->hearing = turn_add(ts);
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

static void on_piece(struct turns *ts, const struct listen_event *ev)
{
    struct turn_in_hand *t = hearing(ts);
    struct decode *d = t != NULL ? decode(ts, ev->pcm, ev->count) : NULL;

    if (d == NULL) {
        out_of_memory(ts);
        return;
    }
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

/* The answer to the draft's decode, if it still comes, belongs to nobody. */
static void forget_draft(struct turns *ts, struct turn_in_hand *t)
{
    for (struct decode *d = ts->decodes; d != NULL; d = d->next) {
        if (d->id != t->draft_id || d->turn == NULL)
            continue;
        d->turn = NULL;
        t->decoding--;
        /* Cancelling takes earlier requests along, and those are wanted. */
        if (d == ts->decodes)
            ts->stt->ops->cancel(ts->stt, d->id);
    }
    t->draft_id = 0;
}

/* The user went on after all: the answer to the draft never was. */
static void take_back(struct turns *ts, struct turn_in_hand *t)
{
    forget_draft(ts, t);
    buf_clear(&t->draft);
    if (!t->answering)
        return;
    stop_answering(ts, t);
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
        out_of_memory(ts);
        return;
    }
    if (ev->at > 0)
        ts->config.event(ts->config.user, &stopped);
    t->closed = true;
    t->committed = ev->committed;
    t->end_ns = ev->decided_ns;
    ts->hearing = NULL;
    tell_held(ts, t);
}

void turns_on_listen(struct turns *ts, const struct listen_event *ev)
{
    struct backend_event started = {.type = BACKEND_SPEECH_STARTED, .at = ev->at};

    switch (ev->type) {
    case LISTEN_STARTED:
        ts->config.event(ts->config.user, &started);
        break;
    case LISTEN_PIECE:
        if (ts->stt != NULL)
            on_piece(ts, ev);
        break;
    case LISTEN_RESUMED:
        if (ts->hearing != NULL)
            take_back(ts, ts->hearing);
        break;
    case LISTEN_TURN:
        on_turn(ts, ev);
        break;
    }
    turns_advance(ts);
}

static void add_words(struct buf *b, const char *text)
{
    if (text_blank(text))
        return;
    if (b->len > 0)
        buf_adds(b, " ");
    buf_adds(b, text);
}

/* The first decode is the one that events are about: engines answer in order. */
static void decode_done(struct turns *ts)
{
    struct decode *d = ts->decodes;

    ts->decodes = d->next;
    if (ts->decodes == NULL)
        ts->last_decode = &ts->decodes;
    ts->decoding_samples -= d->samples;
    if (d->turn != NULL)
        d->turn->decoding--;
    free(d);
}

void turns_on_stt(struct turns *ts, const struct engine_event *ev)
{
    struct decode *d = ts->decodes;
    struct turn_in_hand *t = d != NULL && d->id == ev->id ? d->turn : NULL;

    if (d == NULL || d->id != ev->id)
        return;
    if (ev->type == ENGINE_TEXT && d->glance) {
        ts->config.event(ts->config.user,
                         &(struct backend_event){.type = BACKEND_GLANCED, .text = ev->text});
        return;
    }
    if (ev->type == ENGINE_TEXT && t != NULL) {
        if (ev->id == t->draft_id)
            add_words(&t->draft, ev->text);
        else if (!ev->cancelled)
            add_words(&t->heard, ev->text);
        return;
    }
    if (ev->type == ENGINE_FAILED)
        report(ts, ev->error->status, ev->error->code, ev->error->text);
    decode_done(ts);
    turns_advance(ts);
}

/* --- answering */

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
        out_of_memory(ts);
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
static void answer(struct turns *ts, struct turn_in_hand *t)
{
    struct buf words = BUF_INIT;
    struct engine_request r = {.max_tokens = ts->config.max_tokens};

    add_words(&words, buf_str(&t->heard));
    add_words(&words, buf_str(&t->draft));
    t->heard_ns = clock_ns();
    t->worded = words.len > 0;
    if (buf_failed(&words))
        out_of_memory(ts);
    if (!t->worded && !t->closed)
        goto out; /* a draft without words: wait for more */
    t->answering = true;
    emit(ts, t,
         (struct backend_event){
             .type = BACKEND_HEARD, .text = buf_str(&words), .committed = t->committed});
    if (!t->worded || t->dead)
        goto out;
    t->mark = memory_mark(ts->memory);
    memory_user(ts->memory, buf_str(&words));
    emit(ts, t, (struct backend_event){.type = BACKEND_REPLY_STARTED});
    if (t->dead || t->cancelled)
        goto out;
    r.messages = memory_messages(ts->memory, &r.count);
    r.id = ++ts->next_id;
    if (r.messages == NULL || ts->llm->ops->submit(ts->llm, &r) < 0) {
        out_of_memory(ts);
        goto out;
    }
    t->llm_id = r.id;
    memory_reply_begin(ts->memory, t->item);
out:
    buf_free(&words);
}

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
        emit(ts, t, (struct backend_event){.type = BACKEND_REPLY_TEXT, .text = ev->text});
        say_clauses(ts, t, false);
        return;
    }
    if (ev->type == ENGINE_FAILED)
        report(ts, ev->error->status, ev->error->code, ev->error->text);
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
    emit(ts, t,
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
        report(ts, ev->error->status, ev->error->code, ev->error->text);
    turns_advance(ts);
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

    turn_remove(ts, t);
    if (worded)
        ts->config.event(ts->config.user, &ev);
}

void turns_advance(struct turns *ts)
{
    struct turn_in_hand *t;

    while ((t = ts->first) != NULL && ts->llm != NULL) {
        if (t->dead) {
            turn_remove(ts, t);
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
        turn_remove(ts, ts->first);
    while (ts->decodes != NULL)
        decode_done(ts);
    memory_free(ts->memory);
    free(ts);
}

void turns_engines(struct turns *ts, struct engine *stt, struct engine *llm, struct engine *tts)
{
    while (stt != ts->stt && ts->decodes != NULL)
        decode_done(ts);
    ts->stt = stt;
    ts->llm = llm;
    ts->tts = tts;
}

int turns_text(struct turns *ts, const char *text)
{
    struct turn_in_hand *t = turn_add(ts);

    if (t == NULL)
        return -ENOMEM;
    add_words(&t->heard, text);
    if (buf_failed(&t->heard)) {
        turn_remove(ts, t);
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
    if (r.messages != NULL)
        ts->llm->ops->submit(ts->llm, &r); /* only time is lost when this fails */
}

void turns_cancel(struct turns *ts)
{
    struct turn_in_hand *t = ts->first;

    if (t == NULL || !t->answering || !t->closed)
        return;
    stop_answering(ts, t);
    t->cancelled = true;
}

void turns_drop(struct turns *ts)
{
    struct turn_in_hand *t = ts->hearing;

    if (t == NULL)
        return;
    take_back(ts, t);
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
        stop_answering(ts, t);
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
