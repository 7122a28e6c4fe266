#include "realtime/link_parts.h"

#include <stdlib.h>

struct line *link_add(struct link *l, size_t place, enum role role)
{
    struct line *line = calloc(1, sizeof *line);

    if (line == NULL)
        return NULL;
    *line = (struct line){.l = l, .older = l->newest, .place = place, .role = role};
    line->since = link_now_ms(l);
    *(l->newest != NULL ? &l->newest->newer : &l->oldest) = line;
    l->newest = line;
    return line;
}

void link_drop(struct line *line)
{
    struct link *l = line->l;

    *(line->older != NULL ? &line->older->newer : &l->oldest) = line->newer;
    *(line->newer != NULL ? &line->newer->older : &l->newest) = line->older;
    if (l->in_use == line)
        l->in_use = NULL;
    if (l->second == line)
        l->second = NULL;
    if (line->t != NULL)
        l->config.transport->free(line->t);
    free(line);
}

void link_leave(struct line *line)
{
    struct link *l = line->l;

    if (!line->open) {
        link_drop(line);
        return;
    }
    if (l->in_use == line)
        l->in_use = NULL;
    if (l->second == line)
        l->second = NULL;
    line->role = LEAVING;
    line->since = link_now_ms(l);
    l->config.transport->close(line->t, 1000, "");
}

void link_drop_attempts(struct link *l, const size_t *place)
{
    for (struct line *line = l->oldest, *newer; line != NULL; line = newer) {
        newer = line->newer;
        if (line->role == ATTEMPT && (place == NULL || line->place == *place))
            link_drop(line);
    }
}

size_t link_attempts(const struct link *l)
{
    size_t n = 0;

    for (const struct line *line = l->oldest; line != NULL; line = line->newer)
        n += line->role == ATTEMPT;
    return n;
}

static const struct line *attempt_beyond(const struct line *line, bool older)
{
    do
        line = older ? line->older : line->newer;
    while (line != NULL && line->role != ATTEMPT);
    return line;
}

void link_thin_attempts(struct link *l)
{
    struct line *least = NULL;
    double least_gap = 0, now = link_now_ms(l);

    if (link_attempts(l) < LINK_ATTEMPTS)
        return;
    for (struct line *line = l->oldest; line != NULL; line = line->newer) {
        const struct line *older, *newer;
        double gap;
        if (line->role != ATTEMPT || (older = attempt_beyond(line, true)) == NULL)
            continue;
        newer = attempt_beyond(line, false);
        gap = ((newer != NULL ? newer->since : now) - older->since) / (now - line->since + 1);
        if (least == NULL || gap < least_gap) {
            least = line;
            least_gap = gap;
        }
    }
    if (least != NULL)
        link_drop(least);
}
