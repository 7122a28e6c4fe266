#include "fake/fake_transport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_LINES = 4096, MOST_PLANS = 16 };

struct message {
    char *text;
    size_t n;
};

/* One connection. It lives until the network is freed. */
struct transport {
    struct fake_transport *net;
    size_t number;
    struct fake_line line;
    struct ws_config config; /* its strings are not kept */
    struct message *sent;
    size_t room, waiting;
    double rtt_ms;
    int send_error;
    bool mute, over; /* over: closed was told */
};

enum happens { OPENS, MESSAGE, DRAINED, CLOSES };

struct event {
    struct event *next;
    enum happens what;
    size_t line;
    bool binary;
    struct ws_closed how;
    struct err error;
    size_t n;
    char text[]; /* of a message, or a reason */
};

struct plan {
    char url[256]; /* "": any */
    struct fake_plan plan;
};

struct fake_transport {
    uv_loop_t *loop;
    uv_idle_t *idle; /* runs while events wait */
    struct transport *lines[MOST_LINES];
    size_t line_count;
    struct plan plans[MOST_PLANS];
    size_t plan_count;
    struct event *first, **last;
    void (*hook)(void *user, size_t line, const char *text, size_t n);
    void *user;
};

static void *must(void *p)
{
    assert_non_null(p);
    return p;
}

static struct transport *line_of(const struct fake_transport *net, size_t line)
{
    assert_true(line < net->line_count);
    return net->lines[line];
}

/* --- events */

static void happen(const struct fake_transport *net, struct event *ev)
{
    struct transport *t = line_of(net, ev->line);
    const struct ws_config *c = &t->config;

    if (t->line.gone || t->over)
        return;
    if (ev->what == CLOSES) {
        t->line.open = false;
        t->over = true;
        ev->how.reason = ev->text;
        ev->how.error = &ev->error;
        c->closed(c->user, &ev->how);
    } else if (ev->what == OPENS && !t->line.open && !t->line.closing) {
        t->line.open = true;
        c->opened(c->user);
    } else if (ev->what == MESSAGE && t->line.open) {
        c->message(c->user, ev->text, ev->n, ev->binary);
    } else if (ev->what == DRAINED && t->line.open && c->drained != NULL) {
        c->drained(c->user);
    }
}

/* All that waits, as a socket may bring it: what is queued meanwhile comes in the next turn. */
static void on_idle(uv_idle_t *idle)
{
    struct fake_transport *net = idle->data;
    struct event *ev = net->first;

    net->first = NULL;
    net->last = &net->first;
    if (ev == NULL)
        uv_idle_stop(idle);
    while (ev != NULL) {
        struct event *next = ev->next;
        happen(net, ev);
        free(ev);
        ev = next;
    }
}

static struct event *queue(struct fake_transport *net, size_t line, enum happens what,
                           const char *text, size_t n)
{
    struct event *ev = must(calloc(1, sizeof *ev + n + 1));

    line_of(net, line);
    ev->what = what;
    ev->line = line;
    ev->n = n;
    if (n > 0)
        memcpy(ev->text, text, n);
    *net->last = ev;
    net->last = &ev->next;
    uv_idle_start(net->idle, on_idle);
    return ev;
}

static void queue_close(struct fake_transport *net, size_t line, enum ws_end end, int number,
                        const char *reason, int retry_after_s)
{
    struct event *ev = queue(net, line, CLOSES, reason, strlen(reason));
    enum status status = STATUS_NETWORK;

    ev->how = (struct ws_closed){.end = end, .retry_after_s = retry_after_s};
    if (end == WS_REFUSED) {
        ev->how.http_status = number;
        status = number == 401 || number == 403 ? STATUS_AUTH : STATUS_FAILED;
        err_set(&ev->error, status, -EPROTO, "cannot connect: the server answered %d", number);
    } else if (end == WS_CLOSED) {
        ev->how.code = number;
        err_set(&ev->error, STATUS_FAILED, -EPIPE, "the server has ended the connection (%d)",
                number);
    } else {
        err_set(&ev->error, status, -ECONNRESET, "the connection broke");
    }
}

/* --- what the test does */

static void idle_closed(uv_handle_t *handle)
{
    free(handle);
}

struct fake_transport *fake_transport_new(uv_loop_t *loop)
{
    struct fake_transport *net = must(calloc(1, sizeof *net));

    net->loop = loop;
    net->last = &net->first;
    net->idle = must(calloc(1, sizeof *net->idle));
    net->idle->data = net;
    assert_int_equal(uv_idle_init(loop, net->idle), 0);
    return net;
}

void fake_transport_free(struct fake_transport *net)
{
    size_t left = 0;

    for (size_t i = 0; i < net->line_count; i++) {
        struct transport *t = net->lines[i];
        left += !t->line.gone;
        for (size_t k = 0; k < t->line.sent; k++)
            free(t->sent[k].text);
        free(t->sent);
        free(t);
    }
    while (net->first != NULL) {
        struct event *ev = net->first;
        net->first = ev->next;
        free(ev);
    }
    uv_close((uv_handle_t *)net->idle, idle_closed);
    free(net);
    assert_int_equal(left, 0); /* connections that nobody has freed */
}

void fake_transport_plan(struct fake_transport *net, const char *url, const struct fake_plan *plan)
{
    struct plan *p = NULL;

    url = url != NULL ? url : "";
    for (size_t i = 0; i < net->plan_count && p == NULL; i++)
        if (strcmp(net->plans[i].url, url) == 0)
            p = &net->plans[i];
    if (p == NULL) {
        assert_true(net->plan_count < MOST_PLANS);
        p = &net->plans[net->plan_count++];
        snprintf(p->url, sizeof p->url, "%s", url);
    }
    p->plan = *plan;
}

size_t fake_transport_lines(const struct fake_transport *net)
{
    return net->line_count;
}

size_t fake_transport_last(const struct fake_transport *net)
{
    assert_true(net->line_count > 0);
    return net->line_count - 1;
}

const struct fake_line *fake_transport_line(const struct fake_transport *net, size_t line)
{
    return &line_of(net, line)->line;
}

const char *fake_transport_sent(const struct fake_transport *net, size_t line, size_t i)
{
    const struct transport *t = line_of(net, line);

    assert_true(i < t->line.sent);
    return t->sent[i].text;
}

void fake_transport_open(struct fake_transport *net, size_t line)
{
    queue(net, line, OPENS, NULL, 0);
}

void fake_transport_refuse(struct fake_transport *net, size_t line, int status, int retry_after_s)
{
    queue_close(net, line, WS_REFUSED, status, "", retry_after_s > 0 ? retry_after_s : -1);
}

void fake_transport_break(struct fake_transport *net, size_t line)
{
    queue_close(net, line, WS_BROKEN, 0, "", -1);
}

void fake_transport_end(struct fake_transport *net, size_t line, int code, const char *reason)
{
    queue_close(net, line, WS_CLOSED, code, reason, -1);
}

void fake_transport_deliver(struct fake_transport *net, size_t line, const char *text)
{
    queue(net, line, MESSAGE, text, strlen(text));
}

void fake_transport_deliver_bytes(struct fake_transport *net, size_t line, const char *bytes,
                                  size_t n, bool binary)
{
    queue(net, line, MESSAGE, bytes, n)->binary = binary;
}

void fake_transport_hold(struct fake_transport *net, size_t line, size_t waiting)
{
    struct transport *t = line_of(net, line);
    bool drained = t->waiting > 0 && waiting == 0;

    t->waiting = waiting;
    if (drained)
        queue(net, line, DRAINED, NULL, 0);
}

void fake_transport_rtt(struct fake_transport *net, size_t line, double ms)
{
    line_of(net, line)->rtt_ms = ms;
}

void fake_transport_mute(struct fake_transport *net, size_t line)
{
    line_of(net, line)->mute = true;
}

void fake_transport_send_fails(struct fake_transport *net, size_t line, int error)
{
    line_of(net, line)->send_error = error;
}

void fake_transport_on_send(struct fake_transport *net,
                            void (*hook)(void *user, size_t line, const char *text, size_t n),
                            void *user)
{
    net->hook = hook;
    net->user = user;
}

/* --- what the program does */

static struct fake_plan plan_for(const struct fake_transport *net, const char *url)
{
    struct fake_plan any = {FAKE_OPEN, 0, 0};

    for (size_t i = 0; i < net->plan_count; i++) {
        if (strcmp(net->plans[i].url, url) == 0)
            return net->plans[i].plan;
        if (net->plans[i].url[0] == '\0')
            any = net->plans[i].plan;
    }
    return any;
}

static void note_headers(struct fake_line *line, const char *const *headers)
{
    size_t n = 0;

    for (; headers != NULL && *headers != NULL; headers++) {
        n += (size_t)snprintf(line->headers + n, sizeof line->headers - n, "%s\n", *headers);
        assert_true(n < sizeof line->headers);
    }
}

static int fake_open(struct transport **out, void *context, const struct ws_config *config,
                     struct err *e)
{
    struct fake_transport *net = context;
    struct fake_plan plan = plan_for(net, config->url);
    struct transport *t;

    *out = NULL;
    assert_ptr_equal(config->loop, net->loop);
    if (plan.does == FAKE_FAIL)
        return err_set(e, plan.status == -EINVAL ? STATUS_USAGE : STATUS_FAILED, plan.status,
                       "cannot connect: %s", strerror(-plan.status));
    assert_true(net->line_count < MOST_LINES);
    t = must(calloc(1, sizeof *t));
    t->net = net;
    t->number = net->line_count;
    t->config = *config;
    t->rtt_ms = -1;
    snprintf(t->line.url, sizeof t->line.url, "%s", config->url);
    note_headers(&t->line, config->headers);
    t->line.begun_ms = uv_now(net->loop);
    net->lines[net->line_count++] = t;
    if (plan.does == FAKE_OPEN)
        fake_transport_open(net, t->number);
    else if (plan.does == FAKE_REFUSE)
        fake_transport_refuse(net, t->number, plan.status, plan.retry_after_s);
    else if (plan.does == FAKE_BREAK)
        fake_transport_break(net, t->number);
    *out = t;
    return 0;
}

static int fake_send(struct transport *t, const char *text, size_t n)
{
    struct message *m;

    assert_false(t->line.gone);
    if (!t->line.open || t->line.closing)
        return -ENOTCONN;
    if (t->send_error < 0)
        return t->send_error;
    if (t->line.sent == t->room) {
        t->room = t->room * 2 + 16;
        t->sent = must(realloc(t->sent, t->room * sizeof *t->sent));
    }
    m = &t->sent[t->line.sent++];
    m->text = must(malloc(n + 1));
    m->n = n;
    memcpy(m->text, text, n);
    m->text[n] = '\0';
    if (t->net->hook != NULL)
        t->net->hook(t->net->user, t->number, m->text, n);
    return 0;
}

static size_t fake_waiting(const struct transport *t)
{
    assert_false(t->line.gone);
    return t->waiting;
}

static void fake_watch(struct transport *t, int interval_ms, int patience_ms)
{
    assert_false(t->line.gone);
    t->line.interval_ms = interval_ms;
    t->line.patience_ms = patience_ms;
}

static double fake_rtt_ms(const struct transport *t)
{
    assert_false(t->line.gone);
    return t->rtt_ms;
}

/* The other side answers a close as soon as the loop runs, unless it is mute. */
static void fake_close(struct transport *t, int code, const char *reason)
{
    assert_false(t->line.gone);
    if (t->line.closing || t->over)
        return;
    t->line.closing = true;
    t->line.code = code;
    snprintf(t->line.reason, sizeof t->line.reason, "%s", reason != NULL ? reason : "");
    if (!t->mute)
        fake_transport_end(t->net, t->number, code, "");
}

static void fake_free(struct transport *t)
{
    if (t == NULL)
        return;
    assert_false(t->line.gone);
    t->line.gone = true;
    t->line.open = false;
}

const struct transport_ops fake_transport_ops = {
    .open = fake_open,
    .send = fake_send,
    .waiting = fake_waiting,
    .watch = fake_watch,
    .rtt_ms = fake_rtt_ms,
    .close = fake_close,
    .free = fake_free,
};
