#include "realtime/places.h"

#include <errno.h>
#include <stdlib.h>

#include "net/backoff.h"

enum { HANG_MIN_MS = 250, HANG_MAX_MS = 1000, APART_MS = 125 };
enum { MOST_REJECTED = 3, MOST_REFUSED = 3 };

struct place {
    bool out, tried; /* tried: since the last connection that did its work */
    double barred_until;
    double took_ms;    /* to answer, last time; -1: not known */
    unsigned limited;  /* refusals in a row that say "too many" and not how long */
    unsigned rejected; /* connections in a row that the server ended on purpose */
    unsigned refused;  /* attempts in a row with an answer that will not change */
    bool worked;       /* it has served before */
};

struct places {
    struct backoff backoff;
    double next_at;  /* no attempt before */
    double begun_at; /* the last one */
    size_t last;     /* where that went */
    size_t turn;     /* where the next one goes */
    size_t count;
    struct place place[];
};

int places_new(struct places **out, size_t count, uint64_t seed)
{
    struct places *p;

    *out = NULL;
    if (count == 0)
        return -EINVAL;
    p = calloc(1, sizeof *p + count * sizeof *p->place);
    if (p == NULL)
        return -ENOMEM;
    p->count = count;
    for (size_t i = 0; i < count; i++)
        p->place[i].took_ms = -1;
    backoff_init(&p->backoff, seed);
    *out = p;
    return 0;
}

void places_free(struct places *p)
{
    free(p);
}

/* --- when and where */

/* Whether a place waits for its first attempt in this round. */
static bool fresh(const struct places *p, double now)
{
    for (size_t i = 0; i < p->count; i++)
        if (!p->place[i].out && !p->place[i].tried && p->place[i].barred_until <= now)
            return true;
    return false;
}

static double hang_ms(const struct place *pl)
{
    if (pl->took_ms < 0 || pl->took_ms > HANG_MAX_MS / 2.0)
        return HANG_MAX_MS;
    return pl->took_ms > HANG_MIN_MS / 2.0 ? pl->took_ms * 2 : HANG_MIN_MS;
}

double places_next(const struct places *p, double now, bool in_flight, size_t *place)
{
    double at = p->next_at, best = -1;

    if (in_flight && at < p->begun_at + hang_ms(&p->place[p->last]))
        at = p->begun_at + hang_ms(&p->place[p->last]);
    if (at < now)
        at = now;
    for (size_t k = 0; k < p->count; k++) {
        size_t i = (p->turn + k) % p->count;
        const struct place *pl = &p->place[i];
        double when = pl->barred_until > at ? pl->barred_until : at;
        if (pl->out || (best >= 0 && when >= best))
            continue;
        best = when;
        *place = i;
    }
    return best;
}

void places_begun(struct places *p, size_t place, double now)
{
    p->begun_at = now;
    p->next_at = now + backoff_next(&p->backoff, now);
    p->last = place;
    p->turn = (place + 1) % p->count;
    p->place[place].tried = true;
}

void places_opened(struct places *p, size_t place, double took_ms)
{
    p->place[place].took_ms = took_ms;
    p->place[place].limited = p->place[place].refused = 0;
}

void places_lost(struct places *p, size_t place, double now)
{
    backoff_reset(&p->backoff);
    p->place[place].rejected = 0;
    p->place[place].worked = true;
    p->next_at = now;
    p->turn = place;
    for (size_t i = 0; i < p->count; i++)
        p->place[i].tried = false;
}

void places_hurry(struct places *p, double now)
{
    double at = p->begun_at + APART_MS > now ? p->begun_at + APART_MS : now;

    if (p->next_at > at)
        p->next_at = at;
}

/* --- what a failure means */

/* An answer that will be the same next time. */
static bool final_status(int status)
{
    if (status == 408 || status == 425 || status == 429)
        return false;
    return (status >= 200 && status < 500) || status == 501 || status == 505;
}

/* A server's code for a client that it does not want: RFC 6455 section 7.4.1, the IANA registry
 * (3000 unauthorized, 3003 forbidden), and the private ones, which say what HTTP's would. */
static bool final_code(int code)
{
    return code == 1002 || code == 1003 || code == 1007 || code == 1008 || code == 1010 ||
           code == 3000 || code == 3003 || (code >= 4000 && code < 5000);
}

static void refused(struct place *pl, double now, const struct ws_closed *how)
{
    if (how->http_status > 0 && final_status(how->http_status)) {
        pl->out = ++pl->refused >= MOST_REFUSED || !pl->worked;
        pl->barred_until = now + backoff_told(-1, pl->refused);
    } else if (how->http_status == 429 || how->retry_after_s >= 0) {
        pl->limited += how->retry_after_s < 0;
        pl->barred_until = now + backoff_told(how->retry_after_s, pl->limited);
    }
}

void places_failed(struct places *p, size_t place, double now, const struct ws_closed *how)
{
    struct place *pl = &p->place[place];

    if (how->end == WS_REFUSED)
        refused(pl, now, how);
    pl->rejected = how->end == WS_CLOSED && final_code(how->code) ? pl->rejected + 1 : 0;
    if (pl->rejected >= MOST_REJECTED)
        pl->out = true;
    if (fresh(p, now))
        p->next_at = now;
}

void places_bar(struct places *p, size_t place, double until)
{
    if (p->place[place].barred_until < until)
        p->place[place].barred_until = until;
}

void places_remove(struct places *p, size_t place)
{
    p->place[place].out = true;
}

bool places_out(const struct places *p, size_t place)
{
    return p->place[place].out;
}
