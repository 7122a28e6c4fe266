/* news - events on their way from the worker to the control thread, numbered in the order in which
 * they happened. Single producer, single consumer; no lock, no allocation. */
#ifndef HULLO_AUDIO_NEWS_H
#define HULLO_AUDIO_NEWS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "audio/duplex.h"

#define NEWS_MAX 64

struct news_entry {
    uint64_t number;
    struct duplex_event event;
    struct audio_stream about; /* DUPLEX_BACK: the devices that were opened */
};

/* All zeros is empty. */
struct news {
    struct news_entry entries[NEWS_MAX];
    _Atomic uint64_t head, tail;
};

/* Producer. False when it is full: nobody has read for long. */
bool news_put(struct news *n, const struct news_entry *entry);

/* Consumer: the next one, or NULL; news_take lets go of it. */
const struct news_entry *news_next(struct news *n);
void news_take(struct news *n);

#endif
