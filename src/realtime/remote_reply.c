/* Replies: one at a time, what is asked for next, and what was heard of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "realtime/remote_parts.h"
#include "util/clock.h"
#include "util/text.h"

#define SPEECH_MAX_MS (30 * 60 * 1000.0)
#define TEXT_MAX      (1u << 20)          /* bytes */
#define ANSWER_NS     (int64_t)4000000000 /* within which a server tells that a reply is cancelled */
#define PAUSE_NS      (int64_t)1000000000 /* without sound: the end of a continuous reply */
#define RETRY_MS      2000.0
#define SILENT_NS     (int64_t)90000000000 /* longer than any model thinks without a word */
#define LAST_WORDS    160                  /* bytes of a reply that say where it broke off */

static const char GO_ON[] =
    "The connection was interrupted while you were answering. The user has heard your answer only "
    "up to these words: \"%s\" Go on with it exactly behind them, as if nothing had happened: "
    "repeat nothing, do not greet, do not mention the interruption.";

/* --- the reply in hand */

static double since(int64_t from_ns, int64_t at_ns)
{
    if (at_ns == 0)
        return -1;
    return from_ns != 0 && at_ns > from_ns ? (double)(at_ns - from_ns) / 1e6 : 0;
}

/* Tells. */
static void finish(struct remote *r, bool complete)
{
    struct reply *p = r->reply;
    double rtt_ms = r->link != NULL ? link_rtt_ms(r->link) : -1;
    struct backend_event ev = {.type = BACKEND_REPLY_DONE,
                               .item = p->item,
                               .cancelled = p->cancelled,
                               .timing = {.heard_ms = since(p->input_ns, p->heard_ns),
                                          .first_token_ms = since(p->input_ns, p->token_ns),
                                          .first_clause_ms = -1,
                                          .first_audio_ms = since(p->input_ns, p->audio_ns),
                                          .done_ms = since(p->input_ns, clock_ns()),
                                          .network_ms = rtt_ms > 0 ? rtt_ms : 0}};
    const char *text = journal_text(r->journal, JOURNAL_ASSISTANT, p->item);

    p->done = true;
    p->broken = false;
    p->complete = complete;
    r->reply = NULL;
    r->silent = r->silent && !complete;
    if (complete && text != NULL && *text != '\0' && p->made_ms > 0)
        r->ms_per_char = p->made_ms / (double)strlen(text);
    remote_tell(r, ev);
}

static struct reply *reply_of(struct remote *r, uint32_t item)
{
    struct reply *p = &r->replies[item % REMOTE_REPLIES];

    return item != 0 && p->item == item ? p : NULL;
}

/* Tells. */
static void begin(struct remote *r, uint32_t upto)
{
    uint32_t item = ++r->next_item;
    struct reply *p = &r->replies[item % REMOTE_REPLIES];
    const struct user_turn *t = remote_turn(r, upto);

    *p = (struct reply){.item = item,
                        .upto = upto,
                        .number = r->conn.number,
                        .input_ns = r->input_ns,
                        .last_ns = clock_ns(),
                        .heard_ns = t != NULL ? t->heard_ns : 0,
                        .cut_ms = -1};
    r->reply = p;
    if (journal_add(r->journal, JOURNAL_ASSISTANT, item, "") < 0)
        log_warn(r->config.log, "out of memory: the reply will be forgotten");
    remote_tell(r, (struct backend_event){.type = BACKEND_REPLY_STARTED, .item = item});
}

/* The rest of a reply that broke off. */
static void go_on(struct remote *r, uint32_t upto)
{
    struct reply *p = r->reply;

    p->broken = false;
    p->number = r->conn.number;
    p->part_count = 0;
    p->before_ms = p->made_ms;
    if (upto > p->upto)
        p->upto = upto;
}

static void tell_wire_to_cancel(struct remote *r)
{
    struct conn *c = &r->conn;

    if (c->wire != NULL && !c->dead && c->ops->caps(c->wire)->cancels)
        (void)c->ops->cancel(c->wire, r->ask.id);
    r->ask.wanted = false;
    r->ask.since_ns = clock_ns();
}

void remote_reply_started(struct conn *c, const struct wire_event *ev)
{
    struct remote *r = c->remote;
    struct asking *ask = &r->ask;
    bool asked = ask->out, unwanted = ask->out && ask->unwanted;
    uint32_t upto = asked ? ask->upto : remote_turn_last(r);

    if (ask->busy && ask->id[0] != '\0' && strcmp(ask->id, ev->reply) == 0)
        return;
    if (r->base.caps.continuous && r->reply != NULL)
        return;
    if (r->reply != NULL && !r->reply->broken) { /* its end was not told */
        finish(r, false);
        if (c->dead)
            return;
    }
    ask->out = ask->unwanted = ask->pausing = false;
    ask->busy = ask->wanted = c->used = true;
    ask->asked = asked;
    ask->since_ns = clock_ns();
    snprintf(ask->id, sizeof ask->id, "%s", ev->reply);
    remote_turns_begun(r, upto);
    if (r->reply != NULL)
        go_on(r, upto);
    else
        begin(r, upto);
    if (!c->dead)
        remote_turns_tell(r);
    if (unwanted && !c->dead)
        remote_reply_cancel(r);
}

/* The reply that a piece belongs to; NULL: nobody wants it. */
static struct reply *piece_of(struct remote *r, const struct wire_event *ev)
{
    struct asking *ask = &r->ask;
    int64_t now = clock_ns();

    if (r->base.caps.continuous) {
        if (ask->pausing) {
            ask->since_ns = now;
            return NULL;
        }
        if (r->reply == NULL)
            begin(r, 0);
    } else if (!ask->busy || !ask->wanted ||
               (ask->id[0] != '\0' && ev->reply[0] != '\0' && strcmp(ask->id, ev->reply) != 0)) {
        return NULL;
    }
    if (r->reply == NULL || r->reply->cancelled)
        return NULL;
    r->reply->last_ns = now;
    return r->reply;
}

/* It has no end: that is made here. Tells. */
static void flood(struct remote *r)
{
    log_warn(r->config.log, "the reply is endless: it is ended here");
    tell_wire_to_cancel(r);
    remote_turns_settle(r, r->reply->upto);
    r->reply->cancelled = true;
    finish(r, false);
}

void remote_reply_text(struct conn *c, const struct wire_event *ev)
{
    struct remote *r = c->remote;
    struct reply *p = piece_of(r, ev);

    if (p == NULL || ev->text[0] == '\0')
        return;
    p->text_bytes += strlen(ev->text);
    if (p->text_bytes > TEXT_MAX) {
        flood(r);
        return;
    }
    if (p->token_ns == 0)
        p->token_ns = clock_ns();
    if (!p->cut && journal_append(r->journal, JOURNAL_ASSISTANT, p->item, ev->text) < 0)
        log_warn(r->config.log, "out of memory: a part of the reply will be forgotten");
    remote_tell(
        r, (struct backend_event){.type = BACKEND_REPLY_TEXT, .item = p->item, .text = ev->text});
}

static void note_part(struct reply *p, const char *item, double ms)
{
    struct reply_part *part = p->part_count > 0 ? &p->parts[p->part_count - 1] : NULL;

    if ((part == NULL || strcmp(part->item, item) != 0) && p->part_count < REMOTE_PARTS) {
        part = &p->parts[p->part_count++];
        snprintf(part->item, sizeof part->item, "%s", item);
        part->ms = 0;
    }
    part->ms += ms;
}

void remote_reply_audio(struct conn *c, const struct wire_event *ev)
{
    struct remote *r = c->remote;
    struct reply *p = piece_of(r, ev);
    double ms = ev->rate_hz > 0 ? (double)ev->count * 1000 / ev->rate_hz : 0;

    if (p == NULL || ms <= 0)
        return;
    if (p->made_ms + ms > SPEECH_MAX_MS && !r->base.caps.continuous) {
        flood(r);
        return;
    }
    if (p->audio_ns == 0)
        p->audio_ns = clock_ns();
    note_part(p, ev->item, ms);
    p->made_ms += ms;
    remote_tell(r, (struct backend_event){.type = BACKEND_REPLY_AUDIO,
                                          .item = p->item,
                                          .samples = ev->samples,
                                          .count = ev->count,
                                          .rate_hz = ev->rate_hz});
}

static void tell_usage(struct remote *r, const struct wire_event *ev)
{
    struct backend_event out = {.type = BACKEND_USAGE, .usage = ev->usage};
    const struct backend_usage *u = &ev->usage;

    if (u->text_in + u->text_cached + u->audio_in + u->audio_cached + u->text_out + u->audio_out >
            0 ||
        u->seconds > 0) {
        if (out.usage.model == NULL && r->place_count > 0)
            out.usage.model = r->places[r->conn.place].model;
        remote_tell(r, out);
    }
}

/* The server has failed to make it: once, it is asked again. False: that is not worth trying. */
static bool again(struct remote *r, const struct wire_event *ev)
{
    struct reply *p = r->reply;

    if (p->made_ms > p->before_ms || p->retried || p->cancelled ||
        (ev->fault != WIRE_SERVER && ev->fault != WIRE_LIMITED) ||
        !r->conn.ops->caps(r->conn.wire)->asks)
        return false;
    p->retried = p->broken = true;
    r->ask.due = true;
    r->ask.not_before_ns = clock_ns() + (int64_t)((ev->ms > 0 ? ev->ms : RETRY_MS) * 1e6);
    return true;
}

static void failed(struct remote *r, const struct wire_event *ev)
{
    struct err error;

    if (ev->error != NULL)
        error = *ev->error;
    else
        err_set(&error, STATUS_FAILED, -EIO, "the model has failed to answer: say it again");
    remote_tell(r, (struct backend_event){.type = BACKEND_ERROR, .error = &error});
}

/* Its events are over. Tells. */
static void end(struct conn *c, const struct wire_event *ev)
{
    struct remote *r = c->remote;
    struct reply *p = r->reply;
    uint32_t item = p->item;

    if (ev->outcome == WIRE_FAILED && again(r, ev))
        return;
    if (ev->outcome == WIRE_CANCELLED)
        p->cancelled = true;
    /* Where the server itself stopped before anything was heard, another reply is to come. */
    if (ev->outcome != WIRE_CANCELLED || p->made_ms > 0)
        remote_turns_settle(r, p->upto);
    if (ev->outcome == WIRE_FAILED || (ev->outcome == WIRE_INCOMPLETE && ev->error != NULL))
        failed(r, ev);
    if (!c->dead && r->reply != NULL && r->reply->item == item)
        finish(r, ev->outcome == WIRE_COMPLETE || ev->outcome == WIRE_INCOMPLETE);
}

void remote_reply_done(struct conn *c, const struct wire_event *ev)
{
    struct remote *r = c->remote;
    struct asking *ask = &r->ask;
    bool same = ask->id[0] == '\0' || ev->reply[0] == '\0' || strcmp(ask->id, ev->reply) == 0;
    bool wanted = ask->wanted && same && r->reply != NULL && !r->reply->cancelled;

    tell_usage(r, ev);
    if (c->dead)
        return;
    if (r->base.caps.continuous)
        wanted = r->reply != NULL;
    if (ask->busy && same)
        ask->busy = ask->wanted = false;
    if (wanted)
        end(c, ev);
}

/* The model has heard the user speak, and has stopped. */
void remote_reply_interrupted(struct conn *c)
{
    struct remote *r = c->remote;

    r->ask.pausing = false;
    r->ask.wanted = false;
    r->ask.since_ns = clock_ns();
    if (r->reply == NULL || r->reply->cancelled || r->reply->broken)
        return;
    r->reply->cancelled = true;
    if (r->reply->made_ms > 0)
        remote_turns_settle(r, r->reply->upto);
    finish(r, false);
}

/* --- asking */

/* The turn that was asked for wants to be asked for again. */
static void ask_again(struct remote *r, uint32_t upto)
{
    struct user_turn *t = remote_turn(r, upto);

    if (t != NULL && t->state == USER_WAITS)
        t->ask = true;
    else if (r->reply != NULL && r->reply->broken)
        r->ask.due = true;
}

void remote_reply_active(struct remote *r)
{
    struct asking *ask = &r->ask;
    struct user_turn *t = remote_turn(r, ask->upto);

    if (ask->out) {
        ask->out = false;
        if (!ask->unwanted)
            ask_again(r, ask->upto);
        ask->unwanted = false;
    } else if (ask->asked && t != NULL && t->written && r->reply != NULL) {
        /* What has begun was the server's own: not what we had asked for. */
        ask->asked = false;
        r->reply->upto = ask->upto - 1;
        t->begun = false;
        t->ask = true;
    }
    if (!ask->busy) {
        ask->busy = true;
        ask->wanted = false;
        ask->id[0] = '\0';
        ask->since_ns = clock_ns();
    }
}

void remote_reply_limited(struct remote *r, double ms, const struct err *error)
{
    struct asking *ask = &r->ask;

    if (ask->out) {
        ask->out = false;
        ask_again(r, ask->upto);
    }
    ask->not_before_ns = clock_ns() + (int64_t)((ms > 0 ? ms : RETRY_MS) * 1e6);
    if (!r->limited && error != NULL) {
        r->limited = true;
        remote_tell(r, (struct backend_event){.type = BACKEND_NOTICE, .text = error->text});
    }
}

/* The rest of the reply in hand, behind the last words of it that were heard. */
static void ask_for_rest(const struct remote *r, struct buf *text)
{
    const char *words = journal_text(r->journal, JOURNAL_ASSISTANT, r->reply->item);
    size_t n = words != NULL ? strlen(words) : 0, from = n > LAST_WORDS ? n - LAST_WORDS : 0;

    while (from > 0 && from < n && words[from - 1] != ' ')
        from++;
    if (r->settings->s.instructions != NULL && r->conn.ops->caps(r->conn.wire)->cancels)
        buf_addf(text, "%s\n\n", r->settings->s.instructions); /* they are replaced by ours */
    buf_addf(text, GO_ON, words != NULL ? words + from : "");
}

static int respond(struct remote *r)
{
    struct conn *c = &r->conn;
    struct buf text = BUF_INIT;
    int rc = 0;

    if (r->ask.go_on && r->reply != NULL)
        ask_for_rest(r, &text);
    if (buf_failed(&text))
        rc = -ENOMEM;
    else if (c->ops->caps(c->wire)->asks)
        rc = c->ops->respond(c->wire, text.len > 0 ? buf_str(&text) : NULL);
    else if (text.len > 0 && c->ops->user_text != NULL)
        rc = c->ops->user_text(c->wire, buf_str(&text));
    buf_free(&text);
    return rc;
}

static struct user_turn *next_asked(const struct remote *r)
{
    for (struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (t->ask && t->state == USER_WAITS)
            return t;
    return NULL;
}

void remote_reply_ask(struct remote *r)
{
    struct asking *ask = &r->ask;
    struct conn *c = &r->conn;
    struct user_turn *t = next_asked(r);
    int rc = 0;

    if (!remote_up(r) || ask->out || ask->busy || (t == NULL && !ask->due) ||
        clock_ns() < ask->not_before_ns || (t != NULL && !t->given && !t->written))
        return;
    if (t != NULL && !t->given) {
        rc = c->ops->user_text != NULL ? c->ops->user_text(c->wire, buf_str(&t->words)) : 0;
        t->given = true;
    }
    if (t != NULL && t->written)
        r->input_ns = clock_ns();
    if (rc == 0)
        rc = respond(r);
    ask->due = ask->go_on = false;
    ask->upto = t != NULL ? t->id : r->reply != NULL ? r->reply->upto : 0;
    ask->out = c->used = true;
    ask->since_ns = clock_ns();
    if (t != NULL)
        t->ask = false;
    if (rc < 0)
        remote_conn_fail(r, rc, "a reply cannot be asked for");
}

/* --- stopping */

/* What was heard of it, for the server's memory: of the part where it was stopped. */
static void send_cut(struct remote *r, struct reply *p)
{
    struct conn *c = &r->conn;
    double left = p->cut_ms - p->before_ms;

    p->cut_ms = -1;
    if (!remote_up(r) || p->number != c->number || c->ops->truncate == NULL ||
        (c->dialect != NULL && !c->dialect->truncates))
        return;
    for (size_t i = 0; i < p->part_count && left > 0; i++) {
        const struct reply_part *part = &p->parts[i];
        bool last = i + 1 == p->part_count;
        if (part->item[0] != '\0' && (left < part->ms || (last && !p->complete))) {
            (void)c->ops->truncate(c->wire, part->item, left < part->ms ? left : part->ms);
            return;
        }
        left -= part->ms;
    }
}

void remote_reply_cancel(struct remote *r)
{
    struct reply *p = r->reply;
    struct asking *ask = &r->ask;

    if (p == NULL) {
        ask->unwanted = ask->out;
        return;
    }
    if (p->cancelled)
        return;
    p->cancelled = true;
    if (ask->busy && ask->wanted)
        tell_wire_to_cancel(r);
    else if (ask->out)
        ask->unwanted = true;
    if (r->base.caps.continuous) {
        ask->pausing = true;
        ask->since_ns = clock_ns();
    }
    ask->due = ask->go_on = p->broken = false;
    remote_turns_settle(r, p->upto);
    if (p->cut_ms >= 0)
        send_cut(r, p);
    uv_async_send(&r->kick);
}

void remote_reply_truncate(struct remote *r, uint32_t item, double played_ms)
{
    struct reply *p = reply_of(r, item);
    const char *text = p != NULL ? journal_text(r->journal, JOURNAL_ASSISTANT, item) : NULL;
    struct buf heard = BUF_INIT;

    if (p == NULL || p->cut || (p->complete && played_ms >= p->made_ms))
        return;
    p->cut = true;
    p->cut_ms = played_ms < p->made_ms ? played_ms : p->made_ms;
    if (text != NULL) {
        buf_add(&heard, text,
                journal_heard(text, p->made_ms, p->complete, played_ms, r->ms_per_char));
        if (!buf_failed(&heard))
            (void)journal_set(r->journal, JOURNAL_ASSISTANT, item, buf_str(&heard));
        buf_free(&heard);
    }
    if (r->reply == p && !p->cancelled)
        uv_async_send(&r->kick); /* cancel goes first */
    else
        send_cut(r, p);
}

void remote_reply_settle(struct remote *r)
{
    for (size_t i = 0; i < REMOTE_REPLIES; i++)
        if (r->replies[i].item != 0 && r->replies[i].cut_ms >= 0)
            send_cut(r, &r->replies[i]);
    if (r->reply != NULL && r->reply->cancelled)
        finish(r, false);
}

void remote_reply_forget(struct remote *r)
{
    memset(r->replies, 0, sizeof r->replies);
    r->reply = NULL;
    r->ask = (struct asking){0};
}

/* --- the connection was lost */

void remote_reply_lost(struct remote *r)
{
    struct asking *ask = &r->ask;
    struct reply *p = r->reply;

    if (ask->out && ask->unwanted)
        remote_turns_settle(r, ask->upto);
    else if (ask->out)
        ask_again(r, ask->upto);
    ask->out = ask->unwanted = ask->busy = ask->wanted = ask->asked = ask->pausing = false;
    if (p == NULL || p->cancelled)
        return;
    if (r->base.caps.continuous)
        finish(r, false);
    else
        p->broken = true;
}

/* --- a server that owes a reply, and says nothing of it */

/* Since when; 0: it owes none, or somebody speaks. */
static int64_t silent_since(const struct remote *r)
{
    const struct asking *ask = &r->ask;
    int64_t since = ask->since_ns > r->conn.born_ns ? ask->since_ns : r->conn.born_ns;
    bool owes = ask->out || (ask->busy && ask->wanted);

    if (r->reply != NULL && r->reply->last_ns > since)
        since = r->reply->last_ns;
    for (const struct user_turn *t = r->turns; t != NULL; t = t->next) {
        if (t->state == USER_SPEAKS)
            return 0;
        owes |= t->state == USER_WAITS && t->given && !t->ask;
        since = t->touched_ns > since ? t->touched_ns : since;
    }
    return owes ? since : 0;
}

/* Another connection did not help either. Tells. */
static void give_up(struct remote *r, const struct err *error)
{
    remote_tell(r, (struct backend_event){.type = BACKEND_ERROR, .error = error});
    if (r->dead)
        return;
    r->ask.due = r->ask.go_on = r->silent = false;
    remote_turns_settle(r, r->next_turn);
    if (r->reply != NULL) {
        r->reply->cancelled = true;
        finish(r, false);
    }
}

static void end_silence(struct remote *r)
{
    const struct asking *ask = &r->ask;
    bool asked = ask->out || ask->busy, again = r->silent;
    struct err error;

    if (!asked) { /* it ends turns itself, and takes this one for none */
        remote_turns_settle(r, r->next_turn);
        return;
    }
    err_set(&error, STATUS_NETWORK, -ETIMEDOUT, "'%s' has not answered for %d s%s",
            r->link_places[r->conn.place].name, (int)(SILENT_NS / 1000000000),
            again ? ", twice: say it again, or take another endpoint" : "");
    r->silent = true;
    if (again)
        give_up(r, &error);
    if (!r->dead && !r->conn.dead)
        link_fail(r->link, &error, false, 0);
}

static void mind_silence(struct remote *r)
{
    bool minds = r->config.task == BACKEND_CONVERSE && remote_up(r) && !r->renewing;
    int64_t since = minds ? silent_since(r) : 0;

    if (since != 0 && clock_ns() - since > SILENT_NS)
        end_silence(r);
}

void remote_reply_tick(struct remote *r)
{
    struct asking *ask = &r->ask;
    int64_t now = clock_ns();

    if (ask->busy && !ask->wanted && now - ask->since_ns > ANSWER_NS)
        ask->busy = false; /* the server will not tell its end */
    if (!r->base.caps.continuous) {
        mind_silence(r);
        return;
    }
    if (ask->pausing && now - ask->since_ns > PAUSE_NS)
        ask->pausing = false;
    if (r->reply != NULL && !r->reply->cancelled && now - r->reply->last_ns > PAUSE_NS) {
        ask->busy = false;
        finish(r, true);
    }
}
