#include "local/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void held_init(struct held_list *l)
{
    l->first = NULL;
    l->last = &l->first;
}

int held_add(struct held_list *l, const struct backend_event *ev)
{
    struct held *h = calloc(1, sizeof *h + ev->count * sizeof(int16_t));

    if (h == NULL || (ev->text != NULL && (h->text = strdup(ev->text)) == NULL)) {
        free(h);
        return -ENOMEM;
    }
    h->ev = *ev;
    if (ev->count > 0)
        memcpy(h->samples, ev->samples, ev->count * sizeof(int16_t));
    h->ev.text = h->text;
    h->ev.samples = h->samples;
    *l->last = h;
    l->last = &h->next;
    return 0;
}

struct held *held_take(struct held_list *l)
{
    struct held *h = l->first;

    if (h == NULL)
        return NULL;
    l->first = h->next;
    if (l->first == NULL)
        l->last = &l->first;
    return h;
}

void held_free(struct held *h)
{
    free(h->text);
    free(h);
}

void held_drop(struct held_list *l)
{
    struct held *h;

    while ((h = held_take(l)) != NULL)
        held_free(h);
}
