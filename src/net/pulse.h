/* pulse - whether a connection is alive, and how long the way there and back takes: when to ping,
 * and for how long nothing has come. Pure: the time is passed in (nanoseconds of clock.h). A zeroed
 * struct with rtt_ms -1 watches nothing. */
#ifndef HULLO_NET_PULSE_H
#define HULLO_NET_PULSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PULSE_PING = 24 }; /* bytes that a ping has at most */

struct pulse {
    int interval_ms, patience_ms; /* 0: none */
    int64_t heard_ns, ping_due_ns;
    int64_t pinged_ns; /* of the ping that has no answer yet; 0: there is none */
    double rtt_ms;     /* of the last answer; -1: none yet */
};

void pulse_start(struct pulse *p, int interval_ms, int patience_ms, int64_t now_ns);
void pulse_heard(struct pulse *p, int64_t now_ns);        /* something came, whatever it was */
int64_t pulse_due_ns(const struct pulse *p);              /* to look again; INT64_MAX: never */
bool pulse_silent(const struct pulse *p, int64_t now_ns); /* out of patience */
bool pulse_wants_ping(const struct pulse *p, int64_t now_ns);

/* What to ping with; returns its bytes. A ping that has no answer yet goes out again as it was, for
 * its time is what counts. */
size_t pulse_ping(struct pulse *p, int64_t now_ns, char text[PULSE_PING]);
void pulse_pong(struct pulse *p, int64_t now_ns, const char *bytes, size_t n);

#endif
