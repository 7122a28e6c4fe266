/* budget - what a call may cost and how long it may take: watches the clock and the usage, and says
 * when it is over (--max-cost, --max-minutes, --idle-minutes). Main loop only. */
#ifndef HULLO_CMD_BUDGET_H
#define HULLO_CMD_BUDGET_H

#include <uv.h>

#include "cmd/cmd.h"
#include "session/meter.h"

struct budget {
    const struct log *log;
    struct prices *prices;
    struct meter meter;
    uv_timer_t timer;
    bool open;
    void (*spent)(void *user, const struct err *why); /* once; .status: what to end with */
    void *user;
};

/* model: the one that is billed, of an endpoint; NULL: everything is local and costs nothing. Fails
 * where --max-cost is asked for and there is no price to go by. After an error there is nothing to
 * close. */
int budget_open(struct budget *b, const struct app *app, uv_loop_t *loop, const char *model,
                struct err *e);

void budget_usage(struct budget *b, const struct backend_usage *usage);
void budget_alive(struct budget *b);        /* somebody spoke, or was spoken to */
double budget_usd(const struct budget *b);  /* until now; -1: not known */
bool budget_partly(const struct budget *b); /* ... of what has a price; there was more */

void budget_close(struct budget *b); /* the timer closes when the loop runs next; once is enough */

#endif
