#include "session/meter.h"

#include <math.h>
#include <string.h>

#define NEAR_LIMIT 0.8
#define MINUTE_NS  60e9

void meter_init(struct meter *m, const struct prices *prices, const char *model, int64_t now_ns)
{
    *m = (struct meter){.prices = prices, .model = model, .began_ns = now_ns, .alive_ns = now_ns};
    m->priced = prices != NULL && model != NULL && prices_minute(prices, model, &m->minute_usd);
}

void meter_usage(struct meter *m, const struct backend_usage *u)
{
    const char *model = u->model != NULL ? u->model : m->model;
    bool own = model != NULL && m->model != NULL && strcmp(model, m->model) == 0;
    double usd, minute_usd;

    if (m->prices == NULL)
        return;
    if (own)
        m->used_s += u->seconds;
    if (model != NULL && prices_usage(m->prices, model, u, &usd) &&
        prices_minute(m->prices, model, &minute_usd)) {
        m->tokens_usd += usd + (own ? 0 : u->seconds / 60 * minute_usd);
        m->priced = true; /* the first endpoint may not be the one that served */
    } else {
        m->partly = true;
    }
}

void meter_alive(struct meter *m, int64_t now_ns)
{
    m->alive_ns = now_ns;
}

static double minutes(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / MINUTE_NS;
}

double meter_usd(const struct meter *m, int64_t now_ns)
{
    if (!m->priced)
        return -1;
    return m->tokens_usd + m->minute_usd * fmax(minutes(m->began_ns, now_ns), m->used_s / 60);
}

enum meter_limit meter_check(struct meter *m, int64_t now_ns)
{
    double usd = meter_usd(m, now_ns);

    if (m->max_usd > 0 && usd >= m->max_usd)
        return METER_COST;
    if (m->max_minutes > 0 && minutes(m->began_ns, now_ns) >= m->max_minutes)
        return METER_TIME;
    if (m->idle_minutes > 0 && minutes(m->alive_ns, now_ns) >= m->idle_minutes)
        return METER_IDLE;
    if (m->max_usd > 0 && usd >= NEAR_LIMIT * m->max_usd && !m->warned) {
        m->warned = true;
        return METER_NEAR;
    }
    return METER_NONE;
}
