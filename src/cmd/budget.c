#include "cmd/budget.h"

#include <errno.h>

#include "util/clock.h"

#define LOOK_MS      250
#define IDLE_MINUTES 15 /* of a call that somebody is paid for, unless its user says otherwise */

static void over(struct budget *b, enum meter_limit limit)
{
    const struct meter *m = &b->meter;
    struct err why;

    uv_timer_stop(&b->timer);
    if (limit == METER_COST)
        err_set(&why, STATUS_BUDGET, -EDQUOT,
                "this call has cost %s$%.2f: --max-cost ends it (prices as of %s)",
                m->partly ? "at least " : "", budget_usd(b), prices_date(b->prices));
    else if (limit == METER_TIME)
        err_set(&why, STATUS_BUDGET, -EDQUOT,
                "this call has lasted %g minutes: --max-minutes ends it", m->max_minutes);
    else
        err_set(&why, STATUS_DONE, 0, "nobody has spoken for %g minutes: hung up (--idle-minutes)",
                m->idle_minutes);
    b->spent(b->user, &why);
}

static void look(struct budget *b)
{
    enum meter_limit limit = meter_check(&b->meter, clock_ns());

    if (limit == METER_NEAR)
        log_info(b->log, "note: this call has cost %s$%.2f; --max-cost ends it at $%.2f",
                 b->meter.partly ? "at least " : "", budget_usd(b), b->meter.max_usd);
    else if (limit != METER_NONE)
        over(b, limit);
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

static int limits(struct budget *b, const struct options *o, const char *model, struct err *e)
{
    struct meter *m = &b->meter;

    m->max_usd = options_number(o, OPT_MAX_COST);
    m->max_minutes = options_number(o, OPT_MAX_MINUTES);
    m->idle_minutes = options_number(o, OPT_IDLE_MINUTES);
    if (!options_has(o, OPT_IDLE_MINUTES) && model != NULL)
        m->idle_minutes = IDLE_MINUTES;
    if (m->max_usd > 0 && model != NULL && !m->priced)
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "--max-cost cannot be kept: no price is known of '%s'; --max-minutes can",
                       model);
    return 0;
}

int budget_open(struct budget *b, const struct app *app, uv_loop_t *loop, const char *model,
                struct err *e)
{
    int rc = 0;

    *b = (struct budget){.log = app->log};
    if (model != NULL)
        rc = prices_load(&b->prices, e);
    if (rc < 0)
        return rc;
    meter_init(&b->meter, b->prices, model, clock_ns());
    rc = limits(b, app->options, model, e);
    if (rc == 0 && (rc = uv_timer_init(loop, &b->timer)) < 0)
        err_set(e, STATUS_FAILED, rc, "cannot start a timer: %s", uv_strerror(rc));
    if (rc < 0) {
        prices_free(b->prices);
        return rc;
    }
    b->open = true;
    b->timer.data = b;
    if (b->meter.max_usd > 0 || b->meter.max_minutes > 0 || b->meter.idle_minutes > 0)
        uv_timer_start(&b->timer, on_timer, LOOK_MS, LOOK_MS);
    uv_unref((uv_handle_t *)&b->timer);
    return 0;
}

void budget_usage(struct budget *b, const struct backend_usage *usage)
{
    meter_usage(&b->meter, usage);
}

void budget_alive(struct budget *b)
{
    meter_alive(&b->meter, clock_ns());
}

double budget_usd(const struct budget *b)
{
    return meter_usd(&b->meter, clock_ns());
}

bool budget_partly(const struct budget *b)
{
    return b->meter.partly;
}

void budget_close(struct budget *b)
{
    if (!b->open)
        return;
    b->open = false;
    uv_close((uv_handle_t *)&b->timer, NULL);
    prices_free(b->prices);
}
