/* meter - what a conversation has cost so far, and whether it has reached a limit of its user's.
 * Pure: the time is told. Where tokens are billed, cost is what the provider's usage says, so that
 * it is known when a reply is done; where minutes are billed, it grows with the time. */
#ifndef HULLO_SESSION_METER_H
#define HULLO_SESSION_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "session/prices.h"

struct meter {
    const struct prices *prices; /* borrowed; NULL: nothing is billed */
    const char *model;           /* borrowed; that is billed where usage names no other */
    double max_usd;              /* 0: no limit */
    double max_minutes;
    double idle_minutes;
    int64_t began_ns, alive_ns;
    double tokens_usd, minute_usd;
    double used_s; /* of the model, which may be more than has passed: a recording is sent faster */
    bool priced;   /* the prices know the model */
    bool partly;   /* something was used that has no price, and is left out */
    bool warned;
};

enum meter_limit { METER_NONE, METER_NEAR, METER_COST, METER_TIME, METER_IDLE };

/* began_ns: now. */
void meter_init(struct meter *m, const struct prices *prices, const char *model, int64_t now_ns);

void meter_usage(struct meter *m, const struct backend_usage *u);
void meter_alive(struct meter *m, int64_t now_ns); /* somebody spoke, or was spoken to */

double meter_usd(const struct meter *m, int64_t now_ns); /* at least, where partly; -1: not known */

/* The limit that is reached; METER_NEAR once, at four fifths of max_usd. */
enum meter_limit meter_check(struct meter *m, int64_t now_ns);

#endif
