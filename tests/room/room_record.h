/* room_record - writes what happened in the room to files, from a thread of its own: a WAV file of
 * three channels (speaker, microphone, user), sample n of each at the same moment, and a file of
 * events, one JSON object to a line. The header of the WAV file is brought up to date with each
 * write, some ten milliseconds apart, so that both files hold when the program is killed.
 * samples, event: one caller at a time, never blocked by the files (they wait for memory only when
 * the writer is 20 s late). */
#ifndef ROOM_RECORD_H
#define ROOM_RECORD_H

#include "room_air.h"

struct room_record;

/* Paths that are empty are not written. `idle` is called by the writer each time it wakes; NULL is
 * fine. 0, -EBUSY when another process records there, or a negative errno, with the reason. */
int room_record_new(struct room_record **out, const char *wav, const char *events, int rate_hz,
                    void (*idle)(void *user), void *user, char *why, size_t size);

void room_record_open(struct room_record *r, int64_t clock_ns); /* sample 0 is now */
void room_record_samples(struct room_record *r, int16_t speaker, int16_t mic, int16_t said);
void room_record_event(struct room_record *r, enum room_event event, uint64_t at, int detail);

/* Writes all that is left and stops the thread; NULL is fine. */
void room_record_free(struct room_record *r);

#endif
