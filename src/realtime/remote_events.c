/* What the wire says, and who is told of it. */
#include <string.h>

#include "realtime/remote_parts.h"
#include "util/text.h"

/* A server may say the key that it was given. */
static void redact(const struct remote *r, char *text)
{
    for (size_t i = 0; r->secrets[i] != NULL; i++)
        text_redact(text, r->secrets[i]);
}

/* What was asked for and will not be: nobody should wonder why it does not help. */
static void tell_lacks(struct remote *r)
{
    const struct place *p = &r->places[r->conn.place];
    struct buf lacks = BUF_INIT, text = BUF_INIT;

    if (r->config.task == BACKEND_CONVERSE && r->config.replay == NULL)
        dialect_lacks(p->dialect, &r->for_wire, &lacks);
    buf_addf(&text, "%s does not know %s: it goes without", p->dialect->info.title,
             buf_str(&lacks));
    if (lacks.len > 0)
        remote_tell(r, (struct backend_event){.type = BACKEND_NOTICE, .text = buf_str(&text)});
    buf_free(&lacks);
    buf_free(&text);
}

void remote_tell_ready(struct remote *r)
{
    static const char *const does[] = {"talks to", "has what is said written down by",
                                       "has what is said translated by"};
    const struct place *p = &r->places[r->conn.place];
    const char *host = strstr(p->url, "://"), *model = p->model;
    struct buf text = BUF_INIT;

    if (r->ready)
        return;
    r->ready = true;
    host = host != NULL ? host + 3 : p->url;
    buf_addf(&text, "%s %s", does[r->config.task], model != NULL ? model : "the model");
    if (r->config.replay == NULL)
        buf_addf(&text, " at %.*s: your voice goes there", (int)strcspn(host, "/?"), host);
    else
        buf_adds(&text, ", as it was recorded");
    remote_tell(r, (struct backend_event){.type = BACKEND_READY, .text = buf_str(&text)});
    buf_free(&text);
    tell_lacks(r);
}

static void on_error(struct remote *r, const struct wire_event *ev)
{
    const char *text = ev->error != NULL ? ev->error->text : "";

    switch (ev->fault) {
    case WIRE_REFUSED:
        if (strcmp(ev->text, "settings") == 0)
            remote_tell(r, (struct backend_event){.type = BACKEND_NOTICE, .text = text});
        log_debug(r->config.log, "the endpoint has refused something: %s", text);
        break;
    case WIRE_ACTIVE:
        remote_reply_active(r);
        break;
    case WIRE_LIMITED:
        if (r->ask.out || r->conn.ready)
            remote_reply_limited(r, ev->ms, ev->error);
        else
            link_fail(r->link, ev->error, false, ev->ms > 0 ? ev->ms : 1000);
        break;
    case WIRE_OVER:
    case WIRE_SERVER:
        link_fail(r->link, ev->error, false, 0);
        break;
    case WIRE_FORBIDDEN:
    case WIRE_SPENT:
    case WIRE_WRONG:
        link_fail(r->link, ev->error, true, 0);
        break;
    }
}

void remote_on_ended(struct remote *r)
{
    struct conn *c = &r->conn;

    c->finished = c->ended = true;
    remote_turns_ended(r);
    if (!c->dead && r->base.caps.continuous)
        remote_reply_done(c, &(struct wire_event){.item = "", .reply = "", .text = ""});
}

static void on_usage(struct remote *r, const struct wire_event *ev)
{
    struct backend_event out = {.type = BACKEND_USAGE, .usage = ev->usage};

    if (out.usage.model == NULL)
        out.usage.model = r->places[r->conn.place].model;
    remote_tell(r, out);
}

static void on_session(struct remote *r, const struct wire_event *ev)
{
    switch (ev->type) {
    case WIRE_READY:
        remote_again_ready(r);
        remote_tell_ready(r);
        break;
    case WIRE_USAGE:
        on_usage(r, ev);
        break;
    case WIRE_HANDLE:
        remote_again_handle(r, ev->text);
        break;
    case WIRE_GOING:
        remote_again_going(r, ev->ms);
        break;
    case WIRE_ERROR:
        on_error(r, ev);
        break;
    case WIRE_ENDED:
        remote_on_ended(r);
        break;
    case WIRE_UNKNOWN:
        log_debug(r->config.log, "the endpoint said '%s', which hullo does not know", ev->text);
        break;
    default:
        break;
    }
}

void remote_tell_connected(struct remote *r)
{
    struct buf text = BUF_INIT;

    if (!r->down)
        return;
    r->down = false;
    buf_addf(&text, r->ready ? "connected to '%s' again, nothing is lost" : "connected to '%s'",
             r->link_places[r->conn.place].name);
    remote_tell(
        r, (struct backend_event){.type = BACKEND_LINK, .connected = true, .text = buf_str(&text)});
    buf_free(&text);
}

/* A turn was answered: the connection is worth something. */
static void on_good(struct remote *r)
{
    link_good(r->link);
    remote_tell_connected(r);
}

static void take_event(struct remote *r, const struct wire_event *ev)
{
    struct conn *c = r->taking;

    if (c == NULL || c->dead || r->dead)
        return;
    if (c == &r->next) { /* nothing was said over it yet */
        c->ready |= ev->type == WIRE_READY;
        return;
    }
    switch (ev->type) {
    case WIRE_SPEECH_STARTED:
        remote_speech_started(c, ev);
        break;
    case WIRE_SPEECH_STOPPED:
        remote_speech_stopped(c, ev);
        break;
    case WIRE_COMMITTED:
        remote_committed(c, ev);
        break;
    case WIRE_HEARD_PART:
        remote_heard_part(c, ev);
        break;
    case WIRE_HEARD:
        remote_heard(c, ev, false);
        if (r->config.task == BACKEND_TRANSCRIBE && !c->dead)
            on_good(r);
        break;
    case WIRE_HEARD_FAILED:
        remote_heard(c, ev, true);
        break;
    case WIRE_REPLY_STARTED:
        remote_reply_started(c, ev);
        break;
    case WIRE_REPLY_TEXT:
        remote_reply_text(c, ev);
        break;
    case WIRE_REPLY_AUDIO:
        remote_reply_audio(c, ev);
        break;
    case WIRE_REPLY_DONE:
        remote_reply_done(c, ev);
        if (ev->outcome == WIRE_COMPLETE && !c->dead)
            on_good(r);
        break;
    case WIRE_INTERRUPTED:
        remote_reply_interrupted(c);
        break;
    default:
        on_session(r, ev);
    }
}

static bool has_secret(const struct remote *r, const char *text)
{
    for (size_t i = 0; r->secrets[i] != NULL; i++)
        if (strstr(text, r->secrets[i]) != NULL)
            return true;
    return false;
}

/* A key that the server says goes no further: into no message, no log, no transcript, no reply. */
void remote_on_wire(void *user, const struct wire_event *ev)
{
    struct remote *r = user;
    struct wire_event clean = *ev;
    struct buf text = BUF_INIT;
    struct err error;

    if (ev->error != NULL) {
        error = *ev->error;
        redact(r, error.text);
        clean.error = &error;
    }
    if (ev->text != NULL && has_secret(r, ev->text)) {
        buf_adds(&text, ev->text);
        if (!buf_failed(&text))
            redact(r, text.data);
        clean.text = buf_failed(&text) ? "" : buf_str(&text);
    }
    take_event(r, &clean);
    buf_free(&text);
}

int remote_on_send(void *user, const char *json, size_t n)
{
    struct remote *r = user;

    return link_send(r->link, json, n);
}
