#include "local/fit.h"

#include <stdbool.h>

static size_t sum(const size_t *cost, size_t from, size_t to)
{
    size_t total = 0;

    for (size_t i = from; i < to; i++)
        total += cost[i];
    return total;
}

size_t fit_start(const struct chat_message *messages, const size_t *cost, size_t count, size_t room,
                 size_t before)
{
    size_t system = 0, start, fixed, rest;

    while (system < count && messages[system].role == CHAT_SYSTEM)
        system++;
    fixed = sum(cost, 0, system);
    rest = sum(cost, system, count);
    if (fixed + rest <= room)
        return system;
    if (before > system && before < count && messages[before].role == CHAT_USER &&
        fixed + sum(cost, before, count) <= room)
        return before;
    room = room > fixed ? fixed + (room - fixed) / 2 : 0;
    start = system;
    for (size_t i = system; i < count && (start == system || fixed + rest > room); i++) {
        if (messages[i].role == CHAT_USER && i > system) {
            rest -= sum(cost, start, i);
            start = i;
        }
    }
    return start;
}

static size_t common(const int32_t *a, size_t m, const int32_t *b, size_t n)
{
    size_t i = 0;

    while (i < m && i < n && a[i] == b[i])
        i++;
    return i;
}

struct fit_plan fit_plan(const int32_t *old, size_t m, const int32_t *want, size_t n, size_t least)
{
    struct fit_plan p = {0};
    size_t most = n > 0 ? n - 1 : 0;

    p.keep = common(old, m, want, most);
    for (size_t gap = 1; least != SIZE_MAX && p.keep < most && p.keep + gap < m; gap++) {
        size_t at = p.keep + gap;
        size_t run = common(old + at, m - at, want + p.keep, most - p.keep);
        if (run >= least && run > p.moved) {
            p.gap = gap;
            p.moved = run;
        }
    }
    return p;
}
