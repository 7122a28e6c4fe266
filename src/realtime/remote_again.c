/* Connections: what a new one is told, so that nothing is lost, nothing heard is repeated, and no
 * turn is answered twice; and when one is made before the old one ends. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/endpoint.h"
#include "realtime/remote_parts.h"
#include "util/clock.h"

#define S_NS (int64_t)1000000000
#define LOOK_BACK \
    REMOTE_MS(5000) /* a dead line is noticed by then: speech may have begun meanwhile */
#define OVERLAP    REMOTE_MS(1500) /* of a continuous session: its output comes behind the input */
#define LEAD       REMOTE_MS(300)
#define TURN_MAX   REMOTE_MS(120000) /* a longer turn goes as audio goes */
#define RENEW_LEFT 120               /* seconds before the end, for finding a good moment */
#define LAST_NS    (5 * S_NS)        /* ... and then it has to be */
#define GOING_MS   10000.0
#define RETRY_NS   (2 * S_NS)

/* --- a connection's beginning and end */

void remote_conn_drop(struct conn *c)
{
    struct remote *r = c->remote;

    c->dead = true;
    remote_audio_end(c);
    if (c->wire == NULL)
        return;
    if (r->taking == c) { /* who is inside it comes back to it */
        r->gone = c->wire;
        r->gone_ops = c->ops;
    } else {
        c->ops->free(c->wire);
    }
    c->wire = NULL;
}

/* As the wire understands it, CLIENT means that the server ends no turns. */
void remote_conn_settings(struct remote *r, const struct backend_settings *s, size_t place)
{
    const struct endpoint *ep = r->places[place].endpoint;

    r->for_wire = *s;
    if (ep->voice != NULL)
        r->for_wire.voice = ep->voice;
    if (remote_mode(r) != BY_SERVER)
        r->for_wire.turns = BACKEND_TURNS_CLIENT;
}

static int conn_new(struct remote *r, struct conn *c, size_t place, bool next)
{
    const struct place *p = &r->places[place];
    bool handle = r->handle != NULL && r->handle_place == place && !r->fresh;
    struct wire_config config = {.dialect = p->dialect,
                                 .task = r->config.task,
                                 .model = p->model,
                                 .settings = &r->for_wire,
                                 .handle = handle ? r->handle : NULL,
                                 .speak = r->config.speak,
                                 .send = remote_on_send,
                                 .event = remote_on_wire,
                                 .user = r};
    int rc;

    *c = (struct conn){.remote = r,
                       .dialect = p->dialect,
                       .ops = p->dialect->wire[r->config.task],
                       .place = place,
                       .number = ++r->connections,
                       .next = next,
                       .born_ns = clock_ns()};
    remote_conn_settings(r, &r->settings->s, place);
    rc = c->ops->open(&c->wire, &config);
    if (rc < 0)
        c->wire = NULL;
    else
        c->resumed = handle && c->ops->caps(c->wire)->resumes;
    return rc;
}

static void set_end(struct conn *c)
{
    int64_t cap = c->ops->caps(c->wire)->cap_s;
    int64_t renew = cap - cap / 10 > cap - RENEW_LEFT ? cap - cap / 10 : cap - RENEW_LEFT;

    if (cap <= 0)
        return;
    c->end_ns = c->born_ns + cap * S_NS;
    c->renew_ns = c->born_ns + renew * S_NS;
}

/* --- the conversation, as it is told */

static int write_text(struct conn *c, enum journal_role role, const char *text)
{
    int (*write)(struct wire *, const char *) =
        role == JOURNAL_USER ? c->ops->user_text : c->ops->assistant_text;

    return write != NULL && text != NULL && text[0] != '\0' ? write(c->wire, text) : 0;
}

/* To be given as the microphone gave it, and ended by us. Where only the server ends turns it is
 * open again. */
static void give_by_audio(struct remote *r, struct user_turn *t)
{
    t->given = false;
    if (r->conn.ops->caps(r->conn.wire)->commits || remote_mode(r) != BY_SERVER) {
        t->ours = true;
        return;
    }
    t->state = USER_SPEAKS;
    t->again = true;
    t->ask = false;
    journal_remove(r->journal, JOURNAL_USER, t->id);
}

/* There is neither sound nor a word of it. */
static void give_up(struct remote *r, struct user_turn *t)
{
    t->state = USER_SETTLED;
    t->ask = false;
    if (!t->known)
        t->known = t->lost = true;
    journal_remove(r->journal, JOURNAL_USER, t->id);
}

/* Whether it can be given again by its sound, and ended by us. */
static bool hears(const struct remote *r, const struct user_turn *t)
{
    return remote_mode(r) != BY_SERVER && r->conn.ops->caps(r->conn.wire)->commits &&
           t->end > t->start && t->start >= spool_begin(r->spool);
}

/* A turn without an answer, as well as this provider takes it. */
static int give_turn(struct remote *r, struct user_turn *t)
{
    struct conn *c = &r->conn;
    const struct wire_caps *caps = c->ops->caps(c->wire);
    bool words = t->known && t->words.len > 0;
    /* Where we end turns, that gives the words as well. */
    bool item = caps->audio_turns && (remote_mode(r) == BY_SERVER || !caps->commits);
    int rc = -ENOENT;

    if (t->end > t->start && item && t->end - t->start <= TURN_MAX) {
        t->wordless = true;
        rc = remote_audio_turn(r, t);
    }
    if (rc == -ENOENT && words && caps->writes && !hears(r, t))
        rc = write_text(c, JOURNAL_USER, buf_str(&t->words));
    if (rc == 0)
        t->given = true;
    else if (rc == -ENOENT && t->end > t->start)
        give_by_audio(r, t);
    else if (rc == -ENOENT)
        give_up(r, t);
    return rc == -ENOENT ? 0 : rc;
}

/* Of the reply that broke off: what was received is what was heard, or will be. */
static int write_part(struct remote *r, struct reply *p)
{
    const char *text = journal_text(r->journal, JOURNAL_ASSISTANT, p->item);
    struct buf heard = BUF_INIT;
    int rc = 0;

    if (text == NULL)
        return 0;
    if (r->config.speak)
        buf_add(&heard, text, journal_heard(text, p->made_ms, false, p->made_ms, r->ms_per_char));
    else
        buf_adds(&heard, text);
    if (buf_failed(&heard) ||
        journal_set(r->journal, JOURNAL_ASSISTANT, p->item, buf_str(&heard)) < 0)
        rc = -ENOMEM;
    else if (!r->conn.resumed) /* such a session takes no words for the model's; see GO_ON */
        rc = write_text(&r->conn, JOURNAL_ASSISTANT, buf_str(&heard));
    buf_free(&heard);
    return rc;
}

/* Whether the session that goes on knows it. */
static bool knows(const struct remote *r, const struct journal_entry *en)
{
    return r->conn.resumed &&
           en->id <= (en->role == JOURNAL_USER ? r->handle_turn : r->handle_item);
}

static int write_entry(struct remote *r, const struct journal_entry *en)
{
    const struct wire_caps *caps = r->conn.ops->caps(r->conn.wire);
    struct user_turn *t = en->role == JOURNAL_USER ? remote_turn(r, en->id) : NULL;

    if (t != NULL && t->state == USER_WAITS) {
        /* What was written while a reply is in hand waits until that is over. */
        if (r->reply != NULL && r->reply->broken && t->id > r->reply->upto)
            return 0;
        return give_turn(r, t);
    }
    if (en->role == JOURNAL_ASSISTANT && r->reply != NULL && r->reply->item == en->id &&
        r->reply->broken)
        return caps->writes ? write_part(r, r->reply) : 0;
    return caps->writes && !knows(r, en) ? write_text(&r->conn, en->role, en->text) : 0;
}

static int write_conversation(struct remote *r)
{
    struct journal_entry en;
    size_t i = 0;
    int rc = 0;

    while (rc == 0 && journal_entry(r->journal, i, &en)) {
        uint32_t id = en.id;
        enum journal_role role = en.role;
        rc = write_entry(r, &en);
        r->conn.used = true;
        /* The entry itself may have gone. */
        i += journal_entry(r->journal, i, &en) && en.id == id && en.role == role;
    }
    return rc;
}

/* --- what is asked for */

/* A reply that broke off, and a turn that was spoken since: the user has gone on. Tells. */
static void give_up_reply(struct remote *r)
{
    struct reply *p = r->reply;
    bool gone_on = false;

    for (const struct user_turn *t = r->turns; t != NULL && p != NULL; t = t->next)
        if (t->id > p->upto && !t->written && t->state != USER_SETTLED)
            gone_on = true;
    if (p == NULL || !p->broken)
        return;
    /* The rest of it cannot be asked for where the conversation cannot be told. */
    if (!gone_on && (p->made_ms <= 0 || r->conn.ops->caps(r->conn.wire)->writes))
        return;
    r->ask.busy = r->ask.wanted = true;
    r->reply->broken = false;
    if (gone_on)
        remote_reply_interrupted(&r->conn);
    else
        remote_reply_done(&r->conn, &(struct wire_event){.item = "", .reply = "", .text = ""});
    r->ask.busy = r->ask.wanted = false;
}

/* One reply to all that waits for one. */
static void ask_once(struct remote *r)
{
    struct user_turn *last = NULL;
    bool broken = r->reply != NULL && r->reply->broken;

    for (struct user_turn *t = r->turns; t != NULL; t = t->next) {
        if (t->state != USER_WAITS || (t->written && !t->given))
            continue;
        t->ask = false;
        last = t;
    }
    if (r->config.task != BACKEND_CONVERSE || r->base.caps.continuous)
        return;
    if (last != NULL)
        last->ask = true;
    else if (broken)
        r->ask.due = true;
    if (broken)
        r->ask.go_on = r->config.speak ? r->reply->made_ms > 0 : r->reply->text_bytes > 0;
}

/* --- the microphone goes on */

static uint64_t before(uint64_t pos, uint64_t by, uint64_t floor)
{
    uint64_t at = pos > by ? pos - by : 0;

    return at > floor ? at : floor;
}

static uint64_t first_position(const struct remote *r)
{
    const struct user_turn *open = remote_turn_open(r);
    uint64_t at;

    switch (remote_mode(r)) {
    case BY_CALLER:
        at = r->floor;
        break;
    case BY_EAR:
        at = open != NULL ? open->start : spool_end(r->spool);
        break;
    default:
        if (open != NULL && open->start < r->floor) /* it was closed once */
            at = before(open->start, LEAD, 0);
        else
            at = open != NULL
                     ? before(open->start, LEAD, r->floor)
                     : before(r->sent, r->base.caps.continuous ? OVERLAP : LOOK_BACK, r->floor);
    }
    for (const struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (t->ours && !t->given && t->state == USER_WAITS && t->end > t->start && t->start < at)
            at = t->start;
    return at;
}

static void place_cursor(struct remote *r)
{
    uint64_t at = first_position(r);

    r->sent = at > spool_begin(r->spool) ? at : spool_begin(r->spool);
}

/* The session is there, or will be as soon as it has read this. */
static int tell_conversation(struct remote *r)
{
    struct conn *c = &r->conn;
    bool early = c->ops->caps(c->wire)->early;
    int rc = 0;

    if (!early)
        rc = write_conversation(r);
    if (rc < 0)
        return rc;
    c->told = true;
    place_cursor(r);
    ask_once(r);
    return 0;
}

static int start(struct remote *r)
{
    struct conn *c = &r->conn;
    const struct wire_caps *caps = c->ops->caps(c->wire);
    int rc = caps->early ? write_conversation(r) : 0;

    if (rc == 0)
        rc = c->ops->start(c->wire);
    c->started = true;
    if (rc == 0 && (caps->eager || c->ready))
        rc = tell_conversation(r);
    return rc;
}

static void begin(struct remote *r)
{
    struct conn *c = &r->conn;
    int rc;

    r->fresh = r->renewing = r->wanted_anew = r->limited = false;
    c->born_ns = clock_ns();
    set_end(c);
    give_up_reply(r);
    if (c->dead)
        return;
    rc = start(r);
    if (rc < 0)
        remote_conn_fail(r, rc, "the conversation cannot be told");
    remote_reply_ask(r);
    remote_audio_send(r);
}

void remote_again_open(struct remote *r, size_t place)
{
    remote_conn_drop(&r->conn);
    if (r->next.remote != NULL)
        remote_conn_drop(&r->next);
    if (conn_new(r, &r->conn, place, false) < 0)
        remote_conn_fail(r, -ENOMEM, "a session cannot be begun");
    else
        begin(r);
}

void remote_again_ready(struct remote *r)
{
    struct conn *c = &r->conn;
    int rc = 0;

    c->ready = true;
    if (c->started && !c->told)
        rc = tell_conversation(r);
    if (rc < 0)
        remote_conn_fail(r, rc, "the conversation cannot be told");
}

void remote_again_lost(struct remote *r)
{
    remote_conn_drop(&r->conn);
    remote_turns_lost(r);
    remote_reply_lost(r);
}

/* --- renewal */

/* Nothing is open that a new session would have to be told in the middle of it. */
static bool boundary(const struct remote *r)
{
    return r->reply == NULL && !r->ask.out && !r->ask.busy && !r->ask.due && r->turns == NULL &&
           remote_audio_waiting(r) <= BACKEND_HZ / 10;
}

static void go_over(struct remote *r)
{
    size_t place = r->next.place;

    if (!r->fresh)
        remote_again_lost(r);
    else
        remote_conn_drop(&r->conn);
    if (r->dead) /* closed by who was told */
        return;
    link_switch(r->link);
    if (r->handle != NULL) { /* there may be a newer one */
        remote_again_open(r, place);
        return;
    }
    r->conn = r->next;
    r->conn.next = false;
    r->next = (struct conn){0};
    begin(r);
}

bool remote_again_over(struct remote *r)
{
    if (r->next.wire == NULL)
        return false;
    go_over(r);
    return true;
}

static void maybe_go_over(struct remote *r)
{
    int64_t end_ns = r->conn.end_ns;
    bool late = end_ns != 0 && clock_ns() > end_ns - LAST_NS;

    if (r->next.wire != NULL && r->taking == NULL && (r->fresh || late || boundary(r)))
        go_over(r);
}

void remote_again_next(struct remote *r, size_t place)
{
    if (conn_new(r, &r->next, place, true) < 0) {
        link_drop_next(r->link);
        remote_again_next_lost(r);
        return;
    }
    maybe_go_over(r);
}

void remote_again_next_lost(struct remote *r)
{
    if (r->next.remote != NULL)
        remote_conn_drop(&r->next);
    r->renewing = false;
    r->renew_not_before_ns = clock_ns() + RETRY_NS;
}

void remote_again_going(struct remote *r, double ms)
{
    int64_t now = clock_ns();

    r->conn.end_ns = now + (int64_t)((ms >= 0 ? ms : GOING_MS) * 1e6);
    r->conn.renew_ns = now;
    remote_again_tick(r);
}

void remote_again_forget(struct remote *r)
{
    free(r->handle);
    r->handle = NULL;
    if (r->conn.wire == NULL || !(r->conn.used || r->conn.finished))
        return;
    remote_conn_drop(&r->conn);
    r->fresh = true; /* the next tick, or whatever is said next, has one made */
}

void remote_again_wanted(struct remote *r)
{
    if (!r->fresh || r->renewing || !link_up(r->link))
        return;
    r->renewing = true;
    link_renew(r->link);
}

void remote_again_handle(struct remote *r, const char *handle)
{
    const struct user_turn *t = r->turns;
    char *copy = handle[0] != '\0' ? strdup(handle) : NULL;

    free(r->handle);
    r->handle = copy;
    r->handle_place = r->conn.place;
    while (t != NULL && t->state == USER_SETTLED)
        t = t->next;
    r->handle_turn = t != NULL ? t->id - 1 : r->next_turn;
    r->handle_item = r->reply != NULL ? r->reply->item - 1 : r->next_item;
}

void remote_again_tick(struct remote *r)
{
    struct conn *c = &r->conn;
    int64_t now = clock_ns();
    bool due = r->fresh || r->wanted_anew || (c->renew_ns != 0 && now > c->renew_ns);

    if (!link_up(r->link) || (c->wire == NULL && !r->fresh))
        return;
    if (due && !r->renewing && now >= r->renew_not_before_ns) {
        r->renewing = true;
        link_renew(r->link);
    }
    maybe_go_over(r);
}
