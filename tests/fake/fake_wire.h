/* fake_wire - a wire without a connection: what it sends and what it tells are written down, a line
 * each. Fails the test where an event is not as wire.h says. */
#ifndef HULLO_TESTS_FAKE_WIRE_H
#define HULLO_TESTS_FAKE_WIRE_H

#include "realtime/dialect.h"
#include "realtime/wire.h"
#include "util/buf.h"

struct fake_wire {
    const struct wire_ops *ops;
    struct wire *wire;
    struct backend_settings settings;
    const char *handle;     /* to go on with */
    struct buf sent;        /* JSON, a line each */
    struct buf told;        /* "reply_text r1 i1 'hello'", a line each */
    struct wire_event last; /* the newest event; its strings are gone */
    struct err error;       /* of the newest event that had one */
    int send_rc;            /* what sending answers */
};

/* Opens dialect's codec for the task; model NULL: the dialect's own. Settings and handle are
 * f's, which may be filled before. */
void fake_wire_open(struct fake_wire *f, const struct dialect *d, enum backend_task task,
                    const char *model, bool speak);
void fake_wire_close(struct fake_wire *f);

int fake_wire_take(struct fake_wire *f, const char *json); /* as ops->take */

/* What was sent, or told, since the last such call; borrowed until something is added. */
const char *fake_wire_sent(struct fake_wire *f);
const char *fake_wire_told(struct fake_wire *f);

#endif
