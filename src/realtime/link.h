/* link - a connection that is made again whenever it breaks, until it is closed or nothing can be
 * hoped for. It knows endpoints, time and failure; it does not know what is said over it.
 *
 * Attempts follow each other by at most 250 ms for the first 30 s (the first one comes at once),
 * then by a jittered backoff up to 30 s; each attempt goes to the next endpoint of the list, and
 * back to the first after the last. A refusal that will not change (the key, the model, the
 * address: 400, 401, 403, 404, 410 ...) takes its endpoint out; when none is left, the link is
 * DEAD. 429 and 503 with Retry-After are waited out (at most 60 s), others of 5xx are tried again.
 * While somebody talks the line is watched: nothing at all within 2.5 s, with a ping each second,
 * is a break.
 *
 * A link also makes a second connection ahead of time (renewal): the first one stays in use until
 * link_switch. Each connection has a number; messages name theirs. Main loop only; events come from
 * the loop, never from inside a call; the owner may call anything from inside one, link_close
 * included. */
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

/* Where to: resolved from an endpoint and its dialect. Strings outlive the link. */
struct link_place {
    const char *name; /* for people */
    const char *url;
    const char *const *headers;
    const char *cacert;
};

enum link_event_type {
    LINK_OPEN,    /* .place: the connection in use is there */
    LINK_NEXT,    /* .place: the second one is there */
    LINK_MESSAGE, /* .text, .count; .next: on the second connection */
    LINK_DRAINED,
    LINK_LOST,      /* .error says why; another one is being made, or after .wait_ms */
    LINK_NEXT_LOST, /* the second one is not; the first one stays */
    LINK_DEAD       /* .error: nothing can be hoped for; last event */
};

struct link_event {
    enum link_event_type type;
    size_t place;
    const char *text; /* borrowed */
    size_t count;
    bool next;
    double wait_ms;
    const struct err *error;
};

struct link_config {
    uv_loop_t *loop;
    const struct log *log;
    const struct transport_ops *transport;
    void *context; /* of the transport */
    const struct link_place *places;
    size_t place_count;
    uint64_t seed; /* of the jitter; tests want the same one */
    void (*event)(void *user, const struct link_event *ev);
    void *user;
};

int link_open(struct link **out, const struct link_config *config, struct err *e);

int link_send(struct link *l, const char *text, size_t n);      /* -ENOTCONN while there is none */
int link_send_next(struct link *l, const char *text, size_t n); /* on the second connection */
size_t link_waiting(const struct link *l); /* bytes that the connection in use has not sent yet */
double link_rtt_ms(const struct link *l);  /* -1: not known */
bool link_up(const struct link *l);

/* Somebody talks, or a reply is due: a dead line must be noticed within 3 s; else within 30 s. */
void link_attend(struct link *l, bool on);

void link_renew(struct link *l);  /* makes a second connection, to the place in use */
void link_switch(struct link *l); /* the second one is in use from now on; the first one is closed
                                     politely, nothing that comes from it matters any more */

/* What was said over the connection makes it useless: as if it had broken. final: its place is out,
 * too; wait_ms: not before that time. */
void link_fail(struct link *l, const struct err *why, bool final, double wait_ms);

void link_close(struct link *l); /* politely; no event follows; frees l once the loop has run. NULL
                                    is fine */

#endif
