#include "audio/news.h"

#include <stddef.h>

bool news_put(struct news *n, const struct news_entry *entry)
{
    uint64_t head = atomic_load_explicit(&n->head, memory_order_relaxed);

    if (head - atomic_load_explicit(&n->tail, memory_order_acquire) >= NEWS_MAX)
        return false;
    n->entries[head % NEWS_MAX] = *entry;
    atomic_store_explicit(&n->head, head + 1, memory_order_release);
    return true;
}

const struct news_entry *news_next(struct news *n)
{
    uint64_t tail = atomic_load_explicit(&n->tail, memory_order_relaxed);

    if (tail == atomic_load_explicit(&n->head, memory_order_acquire))
        return NULL;
    return &n->entries[tail % NEWS_MAX];
}

void news_take(struct news *n)
{
    atomic_fetch_add_explicit(&n->tail, 1, memory_order_release);
}
