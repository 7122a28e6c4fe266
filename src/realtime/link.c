#include "realtime/link.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/link_parts.h"

enum {
    LINGER_MS = 500,  /* a closing handshake may take */
    WORKED_MS = 5000, /* a connection that lasted that long did its work */
    TALK_PING_MS = 1000,
    TALK_PATIENCE_MS = 2500,
    IDLE_PING_MS = 15000,
    IDLE_PATIENCE_MS = 30000,
    WAIT_MOST_MS = 60000,
    AGAIN = 3, /* connections without work, after which people need not be told of each */
};

static void plan(struct link *l);

static void watch(const struct line *line)
{
    bool talk = line->l->attending;

    line->l->config.transport->watch(line->t, talk ? TALK_PING_MS : IDLE_PING_MS,
                                     talk ? TALK_PATIENCE_MS : IDLE_PATIENCE_MS);
}

/* --- telling. The owner may do anything inside: whoever calls these touches nothing of a line
 * afterwards, and of the link only what link_close leaves. */

static void tell(struct link *l, const struct link_event *ev)
{
    if (!l->closing && !l->dead)
        l->config.event(l->config.user, ev);
}

/* There is no connection in use. Whether another one can be had, and what people are told. */
static void tell_lost(struct link *l, size_t place, const struct err *why, bool always)
{
    struct link_event ev = {.type = LINK_LOST, .place = place, .error = why};
    double now = link_now_ms(l), at;
    size_t next;

    at = places_next(l->places, now, false, &next);
    if (at < 0 && link_attempts(l) == 0) {
        ev.type = LINK_DEAD;
        if (!l->closing && !l->dead) {
            l->dead = true;
            l->config.event(l->config.user, &ev);
        }
        return;
    }
    if (!always && strcmp(l->told[place].text, why->text) == 0)
        return;
    l->told[place] = *why;
    ev.next = l->second != NULL && l->second->open;
    ev.wait_ms = link_attempts(l) == 0 && at > now ? at - now : 0;
    tell(l, &ev);
}

/* The second connection after the first one broke: its owner has switched, or has no use for it. */
static void settle_second(struct link *l)
{
    struct line *line = l->second;

    if (line == NULL)
        return;
    if (line->open) {
        link_leave(line);
        return;
    }
    l->second = NULL;
    line->role = ATTEMPT;
}

static void tell_in_use_lost(struct link *l, size_t place, const struct err *why)
{
    if (l->second != NULL && !l->second->open)
        settle_second(l);
    for (size_t i = 0; i < l->config.place_count; i++)
        l->told[i].text[0] = '\0';
    tell_lost(l, place, why, true);
    if (l->in_use == NULL)
        settle_second(l);
}

/* --- what happens to lines */

static void attempt_failed(struct link *l, size_t place, const struct ws_closed *how)
{
    log_debug(l->config.log, "no connection to '%s': %s", l->config.places[place].name,
              how->error->text);
    places_failed(l->places, place, link_now_ms(l), how);
    if (places_out(l->places, place))
        link_drop_attempts(l, &place); /* the others there will be refused as well */
    tell_lost(l, place, how->error, false);
    plan(l);
}

static void bar(struct link *l, size_t place, double wait_ms)
{
    if (wait_ms > 0)
        places_bar(l->places, place,
                   link_now_ms(l) + (wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS));
}

static void judge(struct link *l, size_t place, const struct ws_closed *how, struct err *why)
{
    struct link_verdict v = {.why = why};

    if (how->end != WS_CLOSED || l->config.judge == NULL)
        return;
    l->config.judge(l->config.user, place, how->code, how->reason, &v);
    bar(l, place, v.wait_ms);
    if (v.final)
        places_remove(l->places, place);
}

static void in_use_broke(struct link *l, size_t place, bool worked, const struct ws_closed *how)
{
    log_debug(l->config.log, "the connection to '%s' is lost: %s", l->config.places[place].name,
              how->error->text);
    if (worked)
        l->opened = 0;
    if (worked)
        places_lost(l->places, place, link_now_ms(l));
    else
        places_failed(l->places, place, link_now_ms(l), how);
    if (places_out(l->places, place))
        link_drop_next(l); /* it goes to the same place */
    tell_in_use_lost(l, place, how->error);
    plan(l);
}

static bool worked(const struct link *l, double opened)
{
    return l->good || link_now_ms(l) - opened >= WORKED_MS;
}

static void on_opened(void *user)
{
    struct line *line = user;
    struct link *l = line->l;
    struct link_event ev = {.type = LINK_OPEN, .place = line->place};
    double took = link_now_ms(l) - line->since;

    if (line->role == LEAVING)
        return;
    line->open = true;
    line->since = link_now_ms(l);
    places_opened(l->places, line->place, took);
    watch(line);
    if (line->role == ATTEMPT) {
        line->role = IN_USE;
        l->in_use = line;
        l->good = false;
        ev.again = l->opened++ >= AGAIN;
        link_drop_attempts(l, NULL);
        log_debug(l->config.log, "connected to '%s' in %.0f ms", l->config.places[ev.place].name,
                  took);
    } else {
        ev.type = LINK_NEXT;
    }
    plan(l);
    if (!l->failed) /* else LINK_LOST will say that it is there */
        tell(l, &ev);
}

static void on_message(void *user, const char *bytes, size_t n, bool binary)
{
    struct line *line = user;
    struct link_event ev = {.type = LINK_MESSAGE, .place = line->place, .text = bytes, .count = n};

    (void)binary;
    ev.next = line->role == SECOND;
    if (line->role == IN_USE || line->role == SECOND)
        tell(line->l, &ev);
}

static void on_drained(void *user)
{
    struct line *line = user;

    if (line->role == IN_USE)
        tell(line->l, &(struct link_event){.type = LINK_DRAINED, .place = line->place});
}

static void on_closed(void *user, const struct ws_closed *closed)
{
    struct line *line = user;
    struct link *l = line->l;
    struct ws_closed how = *closed;
    enum role role = line->role;
    size_t place = line->place;
    double since = line->since;
    struct err why;

    err_set(&why, STATUS_NETWORK, -ECONNRESET, "the connection broke");
    if (how.error != NULL)
        why = *how.error;
    how.error = &why;
    link_drop(line);
    if (role == IN_USE || role == SECOND)
        judge(l, place, &how, &why);
    if (role == IN_USE) {
        in_use_broke(l, place, worked(l, since), &how);
    } else if (role == SECOND) {
        tell(l, &(struct link_event){.type = LINK_NEXT_LOST, .place = place, .error = &why});
    } else if (role == ATTEMPT) {
        attempt_failed(l, place, &how);
    } else {
        plan(l);
    }
}

/* --- making lines; from the timer only, so that what fails at once is told by the loop */

static int begin(struct link *l, size_t place, enum role role, struct err *why)
{
    const struct link_place *to = &l->config.places[place];
    struct line *line = link_add(l, place, role);
    struct ws_config config = {
        .loop = l->config.loop,
        .url = to->url,
        .headers = to->headers,
        .cacert = to->cacert,
        .opened = on_opened,
        .message = on_message,
        .drained = on_drained,
        .closed = on_closed,
        .user = line,
    };
    int rc;

    if (line == NULL)
        return err_set(why, STATUS_FAILED, -ENOMEM, "out of memory");
    rc = l->config.transport->open(&line->t, l->config.context, &config, why);
    if (rc < 0)
        link_drop(line);
    else if (role == SECOND)
        l->second = line;
    return rc;
}

static void begin_second(struct link *l)
{
    size_t place = l->in_use->place;
    struct err why = {0};

    if (begin(l, place, SECOND, &why) < 0)
        tell(l, &(struct link_event){.type = LINK_NEXT_LOST, .place = place, .error = &why});
}

static void begin_attempt(struct link *l, size_t place)
{
    struct err why = {0};
    int rc;

    places_begun(l->places, place, link_now_ms(l));
    link_thin_attempts(l);
    rc = begin(l, place, ATTEMPT, &why);
    if (rc == -EINVAL)
        places_remove(l->places, place);
    if (rc < 0)
        attempt_failed(l, place, &(struct ws_closed){.end = WS_BROKEN, .error = &why});
}

/* --- time */

static void on_timer_closed(uv_handle_t *handle)
{
    struct link *l = handle->data;
    void (*freed)(void *) = l->config.freed;
    void *user = l->config.user;

    places_free(l->places);
    free(l->told);
    free(l);
    if (freed != NULL)
        freed(user);
}

static bool wants_attempt(const struct link *l)
{
    return l->in_use == NULL && !l->closing && !l->dead;
}

static void on_timer(uv_timer_t *timer)
{
    struct link *l = timer->data;
    double now = link_now_ms(l), at;
    bool renewing = l->renewing;
    size_t place;

    for (struct line *line = l->oldest, *newer; line != NULL; line = newer) {
        newer = line->newer;
        if (line->role == LEAVING && now - line->since >= LINGER_MS)
            link_drop(line);
    }
    if (l->failed && !l->closing) {
        struct err why = l->failure;
        l->failed = false;
        in_use_broke(l, l->failed_at, l->failed_worked,
                     &(struct ws_closed){.end = WS_BROKEN, .error = &why});
        return;
    }
    l->renewing = false; /* who is told that it failed may ask for another one */
    if (renewing && l->in_use != NULL)
        begin_second(l);
    if (wants_attempt(l)) {
        at = places_next(l->places, now, link_attempts(l) > 0, &place);
        if (at >= 0 && at <= now)
            begin_attempt(l, place);
    }
    plan(l);
}

/* Sets the timer to whatever is due first. */
static void plan(struct link *l)
{
    double now = link_now_ms(l), at = -1, due;
    size_t place;

    if (uv_is_closing((uv_handle_t *)&l->timer))
        return;
    if (l->closing && l->oldest == NULL) {
        uv_close((uv_handle_t *)&l->timer, on_timer_closed);
        return;
    }
    if (wants_attempt(l))
        at = places_next(l->places, now, link_attempts(l) > 0, &place);
    if ((l->failed || l->renewing) && !l->closing)
        at = now;
    for (const struct line *line = l->oldest; line != NULL; line = line->newer) {
        due = line->since + LINGER_MS;
        if (line->role == LEAVING && (at < 0 || due < at))
            at = due;
    }
    if (at < 0)
        uv_timer_stop(&l->timer);
    else
        uv_timer_start(&l->timer, on_timer, at > now ? (uint64_t)ceil(at - now) : 0, 0);
}

/* --- the interface */

int link_open(struct link **out, const struct link_config *config, struct err *e)
{
    struct link *l;
    int rc;

    *out = NULL;
    if (config->place_count == 0)
        return err_set(e, STATUS_USAGE, -EINVAL, "no endpoint is configured");
    l = calloc(1, sizeof *l);
    if (l == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    l->config = *config;
    l->told = calloc(config->place_count, sizeof *l->told);
    rc = l->told == NULL ? -ENOMEM : places_new(&l->places, config->place_count, config->seed);
    if (rc == 0)
        rc = uv_timer_init(config->loop, &l->timer);
    if (rc < 0) {
        places_free(l->places);
        free(l->told);
        free(l);
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    }
    l->timer.data = l;
    plan(l);
    *out = l;
    return 0;
}

int link_send(struct link *l, const char *text, size_t n)
{
    if (l->in_use == NULL || !l->in_use->open)
        return -ENOTCONN;
    return l->config.transport->send(l->in_use->t, text, n);
}

size_t link_waiting(const struct link *l)
{
    return l->in_use != NULL ? l->config.transport->waiting(l->in_use->t) : 0;
}

double link_rtt_ms(const struct link *l)
{
    return l->in_use != NULL ? l->config.transport->rtt_ms(l->in_use->t) : -1;
}

bool link_up(const struct link *l)
{
    return l->in_use != NULL;
}

void link_attend(struct link *l, bool on)
{
    bool rises = on && !l->attending;

    if (on == l->attending)
        return;
    l->attending = on;
    if (l->in_use != NULL)
        watch(l->in_use);
    if (l->second != NULL && l->second->open)
        watch(l->second);
    if (rises && wants_attempt(l)) {
        places_hurry(l->places, link_now_ms(l));
        plan(l);
    }
}

void link_good(struct link *l)
{
    l->good = l->in_use != NULL;
}

void link_renew(struct link *l)
{
    if (l->in_use == NULL || l->second != NULL)
        return;
    l->renewing = true;
    plan(l);
}

void link_drop_next(struct link *l)
{
    l->renewing = false;
    if (l->second != NULL)
        link_leave(l->second);
    plan(l);
}

void link_switch(struct link *l)
{
    struct line *first = l->in_use, *second = l->second;

    if (second == NULL || !second->open || l->failed)
        return;
    if (first != NULL)
        link_leave(first);
    second->role = IN_USE;
    l->in_use = second;
    l->second = NULL;
    plan(l);
}

void link_fail(struct link *l, const struct err *why, bool final, double wait_ms)
{
    if (l->in_use == NULL)
        return;
    l->failed = true;
    l->failed_at = l->in_use->place;
    l->failed_worked = worked(l, l->in_use->since);
    l->failure = *why;
    bar(l, l->failed_at, wait_ms);
    if (final)
        places_remove(l->places, l->failed_at);
    link_leave(l->in_use);
    plan(l);
}

void link_close(struct link *l)
{
    if (l == NULL || l->closing)
        return;
    l->closing = true;
    for (struct line *line = l->oldest, *newer; line != NULL; line = newer) {
        newer = line->newer;
        if (line->role != LEAVING)
            link_leave(line);
    }
    plan(l);
}
