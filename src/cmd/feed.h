/* feed - hands a recording to a session, as fast as the session takes it, in bounded memory.
 * Opening and reading happen on a thread of libuv's pool, since a pipe may make them wait for ever;
 * all else on the main loop, where the two functions of the owner are called, never from inside a
 * call of this interface. One recording at a time. */
#ifndef HULLO_CMD_FEED_H
#define HULLO_CMD_FEED_H

#include <uv.h>

#include "audio/audiofile.h"
#include "session/session.h"

#define FEED_CHUNK 16000 /* samples read at a time: a second */

struct feed_config {
    uv_loop_t *loop;
    const struct log *log;
    /* The recording is open: of so many seconds, -1 when only reading it can tell. feed_run is due.
     */
    void (*opened)(void *user, double seconds);
    /* All of it was handed over and committed (NULL), or it failed. */
    void (*ended)(void *user, const struct err *error);
    void *user;
};

struct feed {
    struct feed_config config;
    uv_work_t work;
    uv_timer_t timer; /* looks again whether the session has room */
    bool working, stopped;
    const char *name;
    int raw_hz;
    struct session *session;
    struct audiofile *file; /* the thread's while `working` */
    int16_t pcm[FEED_CHUNK];
    size_t got;
    uint64_t samples; /* handed over so far */
    int rc;
    struct err error;
};

void feed_init(struct feed *f, const struct feed_config *config);

/* As audiofile_open; `name` is borrowed until it ended. */
void feed_open(struct feed *f, const char *name, int raw_hz);

void feed_run(struct feed *f, struct session *s); /* once it is open */
bool feed_waits(const struct feed *f);            /* it is open, and feed_run is due */
bool feed_working(const struct feed *f);          /* a read is under way, perhaps for ever */

void feed_stop(struct feed *f);  /* neither function of the owner is called any more */
void feed_close(struct feed *f); /* its timer is closed on the next run of the loop */
void feed_free(struct feed *f);  /* after that, with no read under way */

#endif
