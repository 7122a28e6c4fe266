/* link - a connection that is made again whenever it breaks, until it is closed or nothing can be
 * hoped for. It knows endpoints, time and failure; it does not know what is said over it.
 *
 * Attempts follow each other by at most 250 ms for the first 30 s (the first one comes at once),
 * then by a jittered backoff up to 30 s. A connection that did its work and is lost is made again
 * to the same place first; otherwise each attempt goes to the next endpoint of the list, and back
 * to the first after the last; the first round goes through the list without waiting. An attempt
 * that hangs is raced by the next one: after 250 ms to 1 s, by what the place took to answer last
 * time (1 s where that is not known), the first one to open wins.
 *
 * A refusal that will not change (the key, the model, the address: 400, 401, 403, 404, 410 ...)
 * takes its endpoint out; in the middle of a conversation, where the endpoint has served before,
 * the third one does, within 3 s. So do three connections in a row that the server ends at once
 * with a code that says so; when no endpoint is left, the link is DEAD. 429 and 503 with
 * Retry-After are waited out (at most 60 s; other places are tried meanwhile), others of 5xx are
 * tried again.
 *
 * A connection did its work when it lasted for 5 s, or its owner says so (link_good). One that is
 * lost before counts as one more failed attempt: a server that opens and ends sessions again and
 * again is not hammered.
 *
 * While somebody talks the line is watched: nothing at all within 2.5 s, with a ping each second,
 * is a break.
 *
 * A link also makes a second connection ahead of time (renewal): the first one stays in use until
 * link_switch. Main loop only; events come from the loop, never from inside a call; the owner may
 * call anything from inside one, link_close included. */
#ifndef HULLO_REALTIME_LINK_H
#define HULLO_REALTIME_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "realtime/transport.h"
#include "util/err.h"
#include "util/log.h"

struct link;

/* Where to: resolved from an endpoint and its dialect. */
struct link_place {
    const char *name; /* for people */
    const char *url;
    const char *const *headers;
    const char *cacert;
};

enum link_event_type {
    LINK_OPEN,    /* .place: the connection in use is there */
    LINK_NEXT,    /* .place: the second one is there */
    LINK_MESSAGE, /* .text, .count: not always UTF-8; .next: on the second connection */
    LINK_DRAINED, /* link_waiting has fallen to half of what it was at most, or to 0 */
    LINK_LOST,    /* .error, .place: the connection in use broke, and another one is being made, now
                     or after .wait_ms; or, while there is none, an attempt failed for a reason that
                     was not told yet. .next: the second one is there: link_switch, from inside this
                     event, goes on with it; else it is closed */
    LINK_NEXT_LOST, /* .error: the second one is not there, or not any more; the first one stays */
    LINK_DEAD       /* .error: nothing can be hoped for; last event */
};

struct link_event {
    enum link_event_type type;
    size_t place;
    const char *text; /* borrowed */
    size_t count;
    bool next;
    bool again; /* LINK_OPEN: the three before it did no work */
    double wait_ms;
    const struct err *error;
};

/* What a server's close means beyond its code, which who speaks with it can tell. */
struct link_verdict {
    bool final;      /* its place is out */
    double wait_ms;  /* not there again before that time; 0: at once */
    struct err *why; /* for people; to be replaced by something better */
};

struct link_config {
    uv_loop_t *loop;
    const struct log *log;
    const struct transport_ops *transport;
    void *context;                   /* of the transport */
    const struct link_place *places; /* in order; borrowed, as all here is, until freed */
    size_t place_count;
    uint64_t seed; /* of the jitter; tests want the same one */
    void (*event)(void *user, const struct link_event *ev);
    /* The server has closed the connection in use, or the second one. NULL: the code says all. */
    void (*judge)(void *user, size_t place, int code, const char *reason, struct link_verdict *v);
    void (*freed)(void *user); /* after link_close, when nothing that was borrowed is used any more;
                                  NULL: nobody wants to know */
    void *user;
};

/* 0; -EINVAL: no places; -ENOMEM. An address that is none is a place that refuses. */
int link_open(struct link **out, const struct link_config *config, struct err *e);

int link_send(struct link *l, const char *text, size_t n); /* -ENOTCONN while there is none */
size_t link_waiting(const struct link *l); /* bytes that the connection in use has not sent yet */
double link_rtt_ms(const struct link *l);  /* -1: not known */
bool link_up(const struct link *l);

/* Somebody talks, or a reply is due: a dead line must be noticed within 3 s; else within 30 s. A
 * backoff does not keep somebody waiting who begins to talk: the next attempt comes at once. */
void link_attend(struct link *l, bool on);

/* Something was achieved over the connection in use: a turn was answered, not merely a session
 * begun. When it breaks, the next attempt is at once. */
void link_good(struct link *l);

/* Makes a second connection, to the place in use. Nothing while there is one, or none in use: then
 * there will be a new one anyway. When the first one breaks before the second is there, the second
 * becomes the one in use (LINK_LOST, LINK_OPEN). */
void link_renew(struct link *l);
void link_drop_next(struct link *l); /* it is not wanted any more; no event follows */
void link_switch(struct link *l); /* the second one is in use from now on; the first one is closed
                                     politely, nothing that comes from it matters any more */

/* What was said over the connection makes it useless: as if it had broken, with LINK_LOST (or
 * LINK_DEAD) to follow. final: its place is out, too; wait_ms: not there again before that time, at
 * most 60 s. Nothing while no connection is in use. */
void link_fail(struct link *l, const struct err *why, bool final, double wait_ms);

/* Politely: what waits is sent, and an answer awaited for half a second; no event follows; the loop
 * frees l and then calls freed. NULL is fine. */
void link_close(struct link *l);

#endif
