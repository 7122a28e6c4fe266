#include "net/pulse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int64_t ns(int ms)
{
    return ms * INT64_C(1000000);
}

void pulse_start(struct pulse *p, int interval_ms, int patience_ms, int64_t now_ns)
{
    p->interval_ms = interval_ms;
    p->patience_ms = patience_ms;
    p->heard_ns = now_ns;
    p->ping_due_ns = now_ns + ns(interval_ms);
}

void pulse_heard(struct pulse *p, int64_t now_ns)
{
    p->heard_ns = now_ns;
}

int64_t pulse_due_ns(const struct pulse *p)
{
    int64_t due = p->interval_ms > 0 ? p->ping_due_ns : INT64_MAX;
    int64_t end = p->patience_ms > 0 ? p->heard_ns + ns(p->patience_ms) : INT64_MAX;

    return due < end ? due : end;
}

bool pulse_silent(const struct pulse *p, int64_t now_ns)
{
    return p->patience_ms > 0 && now_ns - p->heard_ns >= ns(p->patience_ms);
}

bool pulse_wants_ping(const struct pulse *p, int64_t now_ns)
{
    return p->interval_ms > 0 && now_ns >= p->ping_due_ns;
}

static size_t ping_text(const struct pulse *p, char text[PULSE_PING])
{
    return (size_t)snprintf(text, PULSE_PING, "%" PRId64, p->pinged_ns);
}

size_t pulse_ping(struct pulse *p, int64_t now_ns, char text[PULSE_PING])
{
    if (p->pinged_ns == 0)
        p->pinged_ns = now_ns;
    p->ping_due_ns = now_ns + ns(p->interval_ms);
    return ping_text(p, text);
}

void pulse_pong(struct pulse *p, int64_t now_ns, const char *bytes, size_t n)
{
    char text[PULSE_PING];

    if (p->pinged_ns == 0 || n != ping_text(p, text) || memcmp(text, bytes, n) != 0)
        return;
    p->rtt_ms = (double)(now_ns - p->pinged_ns) / 1e6;
    p->pinged_ns = 0;
}
