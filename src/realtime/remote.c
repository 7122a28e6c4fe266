#include "realtime/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/endpoint.h"
#include "realtime/remote_parts.h"
#include "realtime/wire_parts.h"
#include "util/clock.h"

#define TICK_MS    100
#define BAD_MAX    20                   /* messages in a row that make no sense */
#define LIMITED_MS 1000                 /* who is told to come later without being told when */
#define TALK_NS    (int64_t)1500000000  /* so long after its last sample the microphone is in use */
#define STAYS_NS   (int64_t)5000000000  /* a connection that lasts is one that people are told of */
#define SLOW_NS    (int64_t)2000000000  /* a server that says nothing at the beginning is ready */
#define HUSH_NS    (int64_t)10000000000 /* so long after the end of the input, an answer may begin */
#define HUSH_MS    500                  /* of silence at a time */
#define FINISH_NS  (int64_t)5000000000  /* ... and one that says nothing at the end has finished */

void remote_tell(struct remote *r, struct backend_event ev)
{
    if (!r->dead)
        r->config.event(r->config.user, &ev);
}

bool remote_up(const struct remote *r)
{
    return r->conn.wire != NULL && !r->conn.dead && r->conn.told && !r->fresh;
}

void remote_conn_fail(struct remote *r, int rc, const char *why)
{
    struct err error;

    if (rc == -ENOTCONN) /* the link will tell */
        return;
    err_set(&error, STATUS_FAILED, rc, "%s: %s", why, strerror(-rc));
    link_fail(r->link, &error, false, 0);
}

static void die(struct remote *r, const struct err *error)
{
    remote_tell(r, (struct backend_event){.type = BACKEND_ERROR, .fatal = true, .error = error});
    r->dead = true;
}

/* Where there are no turns, a commit says that no more audio comes: what is due comes then, and the
 * end. */
static void finish(struct remote *r)
{
    struct conn *c = &r->conn;
    int rc = 0;

    if (!r->base.caps.continuous || !remote_up(r) || c->finished || remote_audio_waiting(r) > 0 ||
        !remote_turn_ends_all(r))
        return;
    /* In a conversation the answer comes first: see hush. */
    if (c->ops->finish != NULL && r->config.task != BACKEND_CONVERSE)
        rc = c->ops->finish(c->wire);
    c->finished = rc == 0;
    r->input_ns = r->hush_ns = clock_ns();
    if (rc < 0)
        remote_conn_fail(r, rc, "the end cannot be told");
}

/* What is due, in the order in which it has to be: what is sent decides what is told. */
static void advance(struct remote *r)
{
    remote_reply_ask(r);
    remote_audio_send(r);
    finish(r);
    remote_turns_tell(r);
}

/* --- events of the link */

static void on_bad_message(struct remote *r, struct conn *c, int rc)
{
    struct err error;

    if (!c->puzzled)
        log_warn(r->config.log, "the endpoint says something that makes no sense (%s)",
                 rc == -EMSGSIZE ? "too much of it" : "not what its protocol says");
    c->puzzled = true;
    if (++c->bad < BAD_MAX)
        return;
    err_set(&error, STATUS_FAILED, -EBADMSG, "the endpoint does not hold to its protocol");
    link_fail(r->link, &error, false, 1000);
}

static void on_message(struct remote *r, const struct link_event *ev)
{
    struct conn *c = ev->next ? &r->next : &r->conn;
    int rc;

    remote_turns_tell(r); /* what is due comes first */
    remote_reply_settle(r);
    if (c->wire == NULL || c->dead)
        return;
    r->taking = c;
    rc = c->ops->take(c->wire, ev->text, ev->count);
    r->taking = NULL;
    if (r->gone != NULL) {
        r->gone_ops->free(r->gone);
        r->gone = NULL;
        return;
    }
    if (rc < 0)
        on_bad_message(r, c, rc);
    else
        c->bad = 0;
    advance(r);
}

static void on_lost(struct remote *r, const struct link_event *ev)
{
    const struct err *error = ev->error;
    bool over = r->conn.ended; /* nothing more was wanted of it */
    struct buf text = BUF_INIT;

    remote_again_lost(r);
    if (r->down || r->dead || over)
        return;
    r->down = true;
    buf_addf(&text, "no connection at the moment: %s", error != NULL ? error->text : "it broke");
    remote_tell(
        r, (struct backend_event){.type = BACKEND_LINK, .text = buf_str(&text), .error = error});
    buf_free(&text);
}

/* One that comes after others that were good for nothing has to show first what it is. */
static void on_open(struct remote *r, const struct link_event *ev)
{
    remote_again_open(r, ev->place);
    if (!ev->again)
        remote_tell_connected(r);
    advance(r);
}

static void on_judge(void *user, size_t place, int code, const char *reason, struct link_verdict *v)
{
    struct remote *r = user;
    const struct dialect *d = r->places[place].dialect;
    const struct wire_ops *ops = d->wire[r->config.task];
    enum wire_fault fault = ops->closed != NULL ? ops->closed(code, reason) : WIRE_SERVER;

    if (fault == WIRE_SERVER)
        return;
    wire_say_fault(v->why, d, fault, reason);
    v->final = fault == WIRE_FORBIDDEN || fault == WIRE_SPENT || fault == WIRE_WRONG;
    v->wait_ms = fault == WIRE_LIMITED ? LIMITED_MS : 0;
}

static void on_link(void *user, const struct link_event *ev)
{
    struct remote *r = user;

    if (r->dead)
        return;
    switch (ev->type) {
    case LINK_OPEN:
        on_open(r, ev);
        break;
    case LINK_NEXT:
        remote_again_next(r, ev->place);
        break;
    case LINK_MESSAGE:
        on_message(r, ev);
        break;
    case LINK_DRAINED:
        advance(r);
        break;
    case LINK_LOST:
        if (!ev->next || !remote_again_over(r))
            on_lost(r, ev);
        advance(r);
        break;
    case LINK_NEXT_LOST:
        remote_again_next_lost(r);
        break;
    case LINK_DEAD:
        remote_again_lost(r);
        die(r, ev->error);
        break;
    }
}

/* --- time */

static void on_kick(uv_async_t *handle)
{
    struct remote *r = handle->data;

    if (r->dead)
        return;
    remote_turns_tell(r);
    remote_reply_settle(r);
    advance(r);
}

static void attend(struct remote *r)
{
    bool talks = r->fed_ns != 0 && clock_ns() - r->fed_ns < TALK_NS;
    bool on = talks || r->reply != NULL || r->ask.out || r->ask.busy || r->turns != NULL;

    if (on != r->attending)
        link_attend(r->link, on);
    r->attending = on;
}

/* The input has ended, and a model that hears all the time speaks only while it hears: that nobody
 * speaks any more, until it has answered. What it heard is told as soon as it does. */
static void hush(struct remote *r)
{
    int64_t now = clock_ns(), ms = (now - r->hush_ns) / 1000000;

    if (r->reply != NULL && remote_turn_ends_all(r))
        remote_turns_ended(r);
    if (r->reply == NULL && (!remote_turn_ends_all(r) || now - r->input_ns > HUSH_NS)) {
        remote_on_ended(r);
        return;
    }
    if (remote_up(r) && ms > 0)
        (void)remote_audio_silence(r, ms < HUSH_MS ? (unsigned)ms : HUSH_MS);
    r->hush_ns = now;
}

static void on_tick(uv_timer_t *timer)
{
    struct remote *r = timer->data;
    struct conn *c = &r->conn;

    if (r->dead)
        return;
    if (r->down && c->told && !c->dead && clock_ns() - c->born_ns > STAYS_NS)
        remote_tell_connected(r);
    if (c->told && !r->ready && clock_ns() - c->born_ns > SLOW_NS)
        remote_tell_ready(r);
    if (c->finished && !c->ended && r->config.task == BACKEND_CONVERSE)
        hush(r);
    else if (c->finished && !c->ended && clock_ns() - r->input_ns > FINISH_NS)
        remote_on_ended(r);
    attend(r);
    remote_turns_tick(r);
    remote_reply_tick(r);
    remote_again_tick(r);
    remote_audio_trim(r);
    advance(r);
}

/* --- the backend's functions */

static struct remote *self(struct backend *b)
{
    return (struct remote *)b;
}

static int64_t remote_append(struct backend *b, const int16_t *x, size_t n)
{
    struct remote *r = self(b);
    int rc = n > 0 ? spool_add(r->spool, x, n) : 0;

    if (rc < 0)
        return rc;
    if (n > 0) {
        r->fed_ns = clock_ns();
        remote_again_wanted(r);
    }
    if (n > 0 && r->ear != NULL && r->detect) {
        struct user_turn *open = remote_turn_open(r);
        remote_ear_hear(r, x, n);
        if (remote_turn_open(r) != open)
            uv_async_send(&r->kick);
    }
    remote_audio_send(r);
    remote_reply_ask(r);
    return (int64_t)remote_audio_waiting(r);
}

static int remote_commit(struct backend *b)
{
    struct remote *r = self(b);
    int rc = remote_turn_commit(r);

    remote_audio_send(r);
    remote_reply_ask(r);
    finish(r);
    uv_async_send(&r->kick);
    return rc;
}

static void remote_detect_turns(struct backend *b, bool on)
{
    struct remote *r = self(b);
    struct conn *c = &r->conn;

    if (r->detect == on)
        return;
    r->detect = on;
    remote_conn_settings(r, &r->settings->s, c->place);
    if (r->ear != NULL)
        remote_ear_reset(r->ear, spool_end(r->spool));
    else if (c->wire != NULL && c->started && c->ops->settings != NULL)
        (void)c->ops->settings(c->wire, &r->for_wire);
    else if (c->wire != NULL && c->started)
        r->wanted_anew = true;
}

/* What the server was given of it that is no turn yet is forgotten there as well. */
static void drop_audio(struct remote *r)
{
    struct conn *c = &r->conn;
    uint64_t end = spool_end(r->spool);

    remote_turns_clear(r);
    if (remote_up(r) && r->sent > r->floor && c->ops->clear != NULL)
        (void)c->ops->clear(c->wire);
    for (const struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (t->ours && !t->given && t->state == USER_WAITS && t->end > t->start)
            goto kept; /* a turn that waits to be sent comes first */
    r->sent = end;
kept:
    r->zero = r->floor = end;
    if (r->ear != NULL)
        remote_ear_reset(r->ear, end);
}

static void remote_clear(struct backend *b)
{
    drop_audio(self(b));
}

static int remote_send_text(struct backend *b, const char *text)
{
    struct remote *r = self(b);
    int rc = remote_turn_text(r, text);

    remote_again_wanted(r);
    remote_reply_ask(r);
    uv_async_send(&r->kick);
    return rc;
}

static void remote_cancel(struct backend *b)
{
    struct remote *r = self(b);

    if (r->reply != NULL && r->recorded.recorder != NULL)
        recorder_note(r->recorded.recorder, r->conn.number, RECORDING_STOPPED);
    remote_reply_cancel(r);
}

static void remote_truncate(struct backend *b, uint32_t item, double played_ms)
{
    remote_reply_truncate(self(b), item, played_ms);
}

static const char *remote_remembered(struct backend *b, uint32_t item)
{
    return journal_text(self(b)->journal, JOURNAL_ASSISTANT, item);
}

static int remote_adjust(struct backend *b, const struct backend_settings *settings, struct err *e)
{
    struct remote *r = self(b);
    struct conn *c = &r->conn;
    struct settings_copy *copy;
    int rc = remote_settings_copy(&copy, settings);

    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    remote_conn_settings(r, &copy->s, c->place);
    if (c->wire != NULL && c->started && c->ops->settings != NULL)
        rc = c->ops->settings(c->wire, &r->for_wire);
    else
        rc = c->wire != NULL && c->started;
    r->wanted_anew = r->wanted_anew || rc > 0;
    if (rc < 0)
        remote_conn_fail(r, rc, "the settings cannot be sent");
    remote_settings_free(r->settings);
    r->settings = copy;
    return 0;
}

static void remote_forget(struct backend *b)
{
    struct remote *r = self(b);

    remote_turns_forget(r);
    remote_reply_forget(r);
    journal_clear(r->journal);
    remote_again_forget(r);
    drop_audio(r);
}

/* --- opening and closing */

static void release(struct remote *r)
{
    if (--r->handles > 0)
        return;
    recorder_close(r->recorded.recorder);
    free(r->secrets);
    remote_places_free(r);
    remote_turns_forget(r);
    remote_settings_free(r->settings);
    remote_ear_free(r->ear);
    journal_free(r->journal);
    spool_free(r->spool);
    free(r->handle);
    free(r);
}

static void on_handle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_link_freed(void *user)
{
    release(user);
}

static void remote_close(struct backend *b)
{
    struct remote *r = self(b);

    if (b == NULL)
        return;
    r->dead = true;
    if (r->conn.remote != NULL)
        remote_conn_drop(&r->conn);
    if (r->next.remote != NULL)
        remote_conn_drop(&r->next);
    link_close(r->link);
    uv_close((uv_handle_t *)&r->kick, on_handle_closed);
    uv_close((uv_handle_t *)&r->tick, on_handle_closed);
}

static const struct backend_ops ops = {
    .name = "realtime",
    .help = "a realtime endpoint, over the network",
    .append = remote_append,
    .commit = remote_commit,
    .detect_turns = remote_detect_turns,
    .clear = remote_clear,
    .send_text = remote_send_text,
    .cancel = remote_cancel,
    .truncate = remote_truncate,
    .remembered = remote_remembered,
    .adjust = remote_adjust,
    .forget = remote_forget,
    .close = remote_close,
};

/* What a place's wire can do is known once one is there. */
static int ask_caps(struct remote *r, size_t place, struct wire_caps *out, struct err *e)
{
    const struct place *p = &r->places[place];
    const struct wire_ops *wire = p->dialect->wire[r->config.task];
    struct wire_config config = {.dialect = p->dialect,
                                 .task = r->config.task,
                                 .model = p->model,
                                 .settings = &r->settings->s,
                                 .speak = r->config.speak,
                                 .send = remote_on_send,
                                 .event = remote_on_wire,
                                 .user = r};
    struct wire *w;

    if (wire->open(&w, &config) < 0)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    *out = *wire->caps(w);
    wire->free(w);
    return 0;
}

/* Turns are detected here where somebody wants that, or where one of the places cannot. */
static int open_ear(struct remote *r, struct err *e)
{
    bool ours = r->settings->s.turns == BACKEND_TURNS_CLIENT;
    struct wire_caps caps = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < r->place_count; i++) {
        rc = ask_caps(r, i, &caps, e);
        if (i == 0)
            r->base.caps.continuous = caps.continuous;
        ours |= !caps.detects && !caps.continuous;
    }
    if (rc < 0 || !ours || r->base.caps.continuous || r->config.replay != NULL)
        return rc;
    if (r->config.models == NULL && !r->detect) /* nobody will ask for it */
        return 0;
    return remote_ear_new(&r->ear, &r->config, e);
}

static int open_recorder(struct remote *r, struct err *e)
{
    const struct backend_config *c = &r->config;
    struct recorder_config config = {.log = c->log,
                                     .file = c->record,
                                     .audio = c->record_audio,
                                     .dialect = r->places[0].dialect->info.name,
                                     .model = r->places[0].model,
                                     .task = (int)c->task,
                                     .speak = c->speak};

    if (c->record == NULL)
        return 0;
    config.secrets = r->secrets;
    r->recorded.inner = &transport_ws;
    return recorder_open(&r->recorded.recorder, &config, e);
}

static int open_link(struct remote *r, struct err *e)
{
    struct link_config config = {.loop = r->config.loop,
                                 .log = r->config.log,
                                 .transport = &transport_ws,
                                 .places = r->link_places,
                                 .place_count = r->place_count,
                                 .seed = (uint64_t)clock_ns(),
                                 .event = on_link,
                                 .judge = on_judge,
                                 .freed = on_link_freed,
                                 .user = r};
    int rc;

    if (r->config.replay != NULL) {
        r->replay.recording = r->config.replay;
        config.transport = &transport_replay;
        config.context = &r->replay;
    } else if (r->recorded.recorder != NULL) {
        config.transport = &transport_recorded;
        config.context = &r->recorded;
    }
    rc = link_open(&r->link, &config, e);
    r->handles += rc == 0;
    return rc;
}

static int open_parts(struct remote *r, struct err *e)
{
    int rc = remote_places_open(r, e);

    if (rc < 0)
        return rc;
    rc = remote_settings_copy(&r->settings, &r->config.settings);
    if (rc == 0)
        rc = remote_secrets_note(r);
    if (rc == 0)
        rc = spool_new(&r->spool, NULL);
    if (rc == 0)
        rc = journal_new(&r->journal);
    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    rc = open_ear(r, e);
    if (rc == 0)
        rc = open_recorder(r, e);
    return rc == 0 ? open_link(r, e) : rc;
}

static int open_handles(struct remote *r)
{
    int rc = uv_async_init(r->config.loop, &r->kick, on_kick);

    if (rc < 0)
        return rc;
    r->handles = 1;
    rc = uv_timer_init(r->config.loop, &r->tick);
    if (rc < 0) { /* it never is: the loop is there */
        uv_close((uv_handle_t *)&r->kick, on_handle_closed);
        return rc;
    }
    r->handles = 2;
    uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
    return 0;
}

static int remote_open(struct backend **out, const struct backend_config *config, struct err *e)
{
    struct remote *r = calloc(1, sizeof *r);
    int rc;

    *out = NULL;
    if (r == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    r->config = *config;
    r->base.ops = &ops;
    r->base.caps.can_truncate = true;
    r->last_turn = &r->turns;
    r->detect = config->turn_detection;
    r->kick.data = r->tick.data = r;
    rc = open_handles(r);
    if (rc < 0 && r->handles == 0)
        free(r);
    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "cannot start: %s", uv_strerror(rc));
    rc = open_parts(r, e);
    if (rc < 0) {
        remote_close(&r->base);
        return rc;
    }
    *out = &r->base;
    return 0;
}

const struct backend_kind backend_realtime = {
    .name = "realtime",
    .help = "a realtime endpoint, over the network",
    .dialect = dialect_info,
    .open = remote_open,
};
