/* fake_transport - the network of a test: connections that succeed, are refused, break and say what
 * the test wants, and keep what was sent on them. No sockets, no clock of its own: what the test
 * does to a connection happens when the loop runs next, in the order of the calls, so that it may
 * be called from inside any handler.
 *
 *     struct fake_transport *net = fake_transport_new(loop);
 *     config.transport = &fake_transport_ops; config.context = net;
 *     fake_transport_plan(net, "wss://one", &(struct fake_plan){.does = FAKE_REFUSE, .status =
 * 503});
 *     ... run the loop ...
 *     fake_transport_deliver(net, 0, "{\"type\": ...}");
 *     assert_string_equal(fake_transport_sent(net, 0, 2), "...");
 *
 * A connection is named by its number: they are counted as they are begun, from 0, over all places,
 * and stay to be looked at until fake_transport_free. Anything that fails here fails the test. */
#ifndef HULLO_FAKE_TRANSPORT_H
#define HULLO_FAKE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "realtime/transport.h"

struct fake_transport;

extern const struct transport_ops fake_transport_ops; /* context: a struct fake_transport */

/* What a connection that is begun does by itself. */
enum fake_does {
    FAKE_OPEN,   /* opens when the loop runs next; what is not planned does this */
    FAKE_WAIT,   /* nothing: the test opens, refuses or breaks it */
    FAKE_REFUSE, /* .status, .retry_after_s */
    FAKE_BREAK,  /* cannot be reached */
    FAKE_FAIL,   /* ops->open itself fails: .status is the negative errno */
};

struct fake_plan {
    enum fake_does does;
    int status;
    int retry_after_s; /* 0: none is told */
};

struct fake_line {
    char url[256];
    char headers[512]; /* a line each */
    uint64_t begun_ms; /* by the loop's clock */
    bool open;         /* it opened, and neither side has ended it yet */
    bool closing;      /* its owner has called close */
    bool gone;         /* its owner has freed it */
    int code;          /* of its owner's close; 0: none */
    char reason[128];
    int interval_ms, patience_ms; /* as it was told to watch last; 0, 0: not */
    size_t sent;                  /* messages */
};

struct fake_transport *fake_transport_new(uv_loop_t *loop);

/* The owners have freed their connections: who has not fails the test. Run the loop once more
 * before closing it. */
void fake_transport_free(struct fake_transport *net);

/* From now on, for connections to this url (NULL: to any that has no plan of its own). */
void fake_transport_plan(struct fake_transport *net, const char *url, const struct fake_plan *plan);

size_t fake_transport_lines(const struct fake_transport *net); /* connections begun so far */
const struct fake_line *fake_transport_line(const struct fake_transport *net, size_t line);
size_t fake_transport_last(const struct fake_transport *net); /* the number of the newest one */

/* The i-th message that was sent on it, NUL-terminated. Until the next one is sent, at least. */
const char *fake_transport_sent(const struct fake_transport *net, size_t line, size_t i);

/* What happens to a connection. On one that its owner has freed, or that is over, nothing does; one
 * that its owner has closed still gets what comes before the answer to that. */
void fake_transport_open(struct fake_transport *net, size_t line);
void fake_transport_refuse(struct fake_transport *net, size_t line, int status, int retry_after_s);
void fake_transport_break(struct fake_transport *net, size_t line);
void fake_transport_end(struct fake_transport *net, size_t line, int code, const char *reason);
void fake_transport_deliver(struct fake_transport *net, size_t line, const char *text);
void fake_transport_deliver_bytes(struct fake_transport *net, size_t line, const char *bytes,
                                  size_t n, bool binary);

/* What ops->waiting and ops->rtt_ms say; drained comes when the waiting becomes 0. */
void fake_transport_hold(struct fake_transport *net, size_t line, size_t waiting);
void fake_transport_rtt(struct fake_transport *net, size_t line, double ms);

/* The owner's close is not answered: the line is dead, and nobody has noticed. */
void fake_transport_mute(struct fake_transport *net, size_t line);

/* ops->send fails with this negative errno from now on (0: it does not). */
void fake_transport_send_fails(struct fake_transport *net, size_t line, int error);

/* Called from inside ops->send, after the message was kept: for a server that answers. */
void fake_transport_on_send(struct fake_transport *net,
                            void (*hook)(void *user, size_t line, const char *text, size_t n),
                            void *user);

#endif
