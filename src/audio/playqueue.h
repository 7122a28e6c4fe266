/* playqueue - speech on its way to the playring: the items, what is left of them to play, and what
 * became of each.
 *
 * The control thread appends to items and asks what happened; the worker resamples them, in the
 * order in which they were begun, into the ring, and settles what the ring tells. An item belongs
 * to the generation in which it was first mentioned: once that was flushed, whatever else is
 * appended to it is dropped. The next item is played when the one before it was ended or flushed.
 */
#ifndef HULLO_AUDIO_PLAYQUEUE_H
#define HULLO_AUDIO_PLAYQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/duplex.h"
#include "audio/playring.h"

struct playqueue;

/* For a device at hz, over a ring that outlives the queue. 0, -ENOMEM. */
int playqueue_new(struct playqueue **out, struct playring *ring, int hz);
void playqueue_free(struct playqueue *q); /* no thread uses it any more; NULL is fine */

/* Control thread; as duplex_play, duplex_end, duplex_poll and duplex_played. */
int playqueue_play(struct playqueue *q, uint32_t item, int rate_hz, const int16_t *x, size_t n);
int playqueue_end(struct playqueue *q, uint32_t item);
/* Only what happened before the worker's news number `before`. */
bool playqueue_poll(struct playqueue *q, struct duplex_event *ev, uint64_t before);
uint64_t playqueue_played(struct playqueue *q, uint32_t item);

/* Worker. Fills the ring until `ahead` device samples wait in it, or there is nothing to play. */
void playqueue_feed(struct playqueue *q, size_t ahead);

/* Worker. Speech of the item in hand, some of which was fed, that was not fed yet; below 0 when
 * there is no such item or nothing more comes for it. */
double playqueue_ready_ms(struct playqueue *q);

/* Worker. The same of the item that is next, where nothing of it was fed yet and more may come. */
double playqueue_fresh_ms(struct playqueue *q);

/* Worker. Takes the ring's events and closes the items that were flushed. True when there is
 * something new for playqueue_poll; it gets the number *news, which rises. */
bool playqueue_settle(struct playqueue *q, uint64_t *news);

/* Worker. The item that is being played, or waits inside the ring to go on; 0: none. */
uint32_t playqueue_playing(struct playqueue *q);

/* Worker, while no callback runs: the device is another one, at hz, and the ring is to hold so many
 * samples. What was not played yet comes again. 0, -EINVAL, -ENOMEM (what it could not keep was cut
 * off). */
int playqueue_restart(struct playqueue *q, size_t samples, int hz);

#endif
