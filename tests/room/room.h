/* room - one room for all the handles of a process. Its clock is CLOCK_MONOTONIC: sample n of the
 * microphone is heard at clock_ns + n / rate, whether somebody listens or not; it opens (sample 0)
 * when the first stream starts. */
#ifndef ROOM_H
#define ROOM_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "room_air.h"
#include "room_record.h"

struct room {
    pthread_mutex_t lock; /* all of this; hold it to call any function below but the first two */
    struct room_knobs knobs;
    struct room_air *air;
    struct room_record *record;
    struct room_sink sink;
    int64_t clock_ns; /* of sample 0; 0 before the first stream starts */
    int64_t advanced_ns;
    int64_t started_ns[2]; /* of the streams that run; else 0 */
    int xruns_done[2];
    bool open[2];
    bool told_lost, told_back, told_stall;
    pid_t pid;
};

int64_t room_now_ns(void); /* CLOCK_MONOTONIC */

/* The room of this process, made when it is first asked for, with this direction taken. Says on
 * stderr what is wrong with the knobs. 0, -EBUSY, -ENODEV when the device is lost, -EINVAL ... */
int room_join(struct room **out, int direction);

void room_open(struct room *r, int64_t ns); /* sample 0 is now, if it has not been yet */
/* When a stream that is told to start at `ns` does: with the other one when that has only just
 * started, as the two directions of one card do, so that the distance between them is always the
 * same. */
int64_t room_start_ns(struct room *r, int direction, int64_t ns);
double room_speed(const struct room *r, int direction); /* samples in a nanosecond */
/* Samples that the clock of this direction has counted at that time. */
uint64_t room_clock(const struct room *r, int direction, int64_t ns);
void room_event(struct room *r, enum room_event e, int detail); /* now */
void room_advance(struct room *r, int64_t ns);                  /* the air, up to then */

/* What the knobs say about that moment. */
bool room_is_lost(struct room *r, int64_t ns);
bool room_is_stalled(struct room *r, int64_t ns); /* stands still, without an error */
int64_t room_stall_end_ns(const struct room *r);
bool room_take_xrun(struct room *r, int direction, int64_t ns); /* is one due? each once */

#endif
