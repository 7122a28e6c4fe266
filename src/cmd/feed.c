#include "cmd/feed.h"

#include <errno.h>

#define HOLD_BACK (60 * 16000) /* so much inside the session: wait before reading on */
#define RETRY_MS  20

static void finish(struct feed *f, const struct err *error)
{
    audiofile_close(f->file);
    f->file = NULL;
    f->session = NULL;
    f->config.ended(f->config.user, error);
}

/* Runs `work` on a thread, and `after` here. */
static void hand_over(struct feed *f, uv_work_cb work, uv_after_work_cb after)
{
    f->work.data = f;
    f->working = uv_queue_work(f->config.loop, &f->work, work, after) == 0;
}

/* What the thread did is here. False when nobody wants it, or it failed. */
static bool taken(struct feed *f, int status)
{
    f->working = false;
    if (status != 0 || f->stopped)
        return false;
    if (f->rc < 0)
        finish(f, &f->error);
    return f->rc >= 0;
}

static void do_read(uv_work_t *w)
{
    struct feed *f = w->data;

    f->rc = audiofile_read(f->file, f->pcm, FEED_CHUNK, &f->got, &f->error);
}

static void read_on(struct feed *f);

static void on_read(uv_work_t *w, int status)
{
    struct feed *f = w->data;
    int64_t rc;

    if (!taken(f, status))
        return;
    rc = f->got > 0 ? session_append(f->session, f->pcm, f->got) : session_commit(f->session);
    if (rc < 0) {
        err_set(&f->error, STATUS_FAILED, -ENOMEM, "out of memory");
        finish(f, &f->error);
    } else if (f->got > 0) {
        f->samples += f->got;
        read_on(f);
    } else {
        finish(f, NULL);
    }
}

static void on_timer(uv_timer_t *timer)
{
    read_on(timer->data);
}

/* Reads the next piece, or waits until the session has worked off what it has. */
static void read_on(struct feed *f)
{
    if (session_append(f->session, f->pcm, 0) > HOLD_BACK)
        uv_timer_start(&f->timer, on_timer, RETRY_MS, 0);
    else
        hand_over(f, do_read, on_read);
}

static void do_open(uv_work_t *w)
{
    struct feed *f = w->data;

    f->rc = audiofile_open(&f->file, f->name, f->raw_hz, f->config.log, &f->error);
}

static void on_open(uv_work_t *w, int status)
{
    struct feed *f = w->data;

    if (taken(f, status))
        f->config.opened(f->config.user, audiofile_seconds(f->file));
}

void feed_init(struct feed *f, const struct feed_config *config)
{
    f->config = *config;
    f->working = f->stopped = false;
    f->session = NULL;
    f->file = NULL;
    uv_timer_init(config->loop, &f->timer);
    f->timer.data = f;
}

void feed_open(struct feed *f, const char *name, int raw_hz)
{
    f->name = name;
    f->raw_hz = raw_hz;
    f->error = (struct err){0};
    f->samples = 0;
    hand_over(f, do_open, on_open);
}

void feed_run(struct feed *f, struct session *s)
{
    f->session = s;
    read_on(f);
}

bool feed_waits(const struct feed *f)
{
    return !f->working && f->file != NULL && f->session == NULL;
}

bool feed_working(const struct feed *f)
{
    return f->working;
}

void feed_stop(struct feed *f)
{
    f->stopped = true;
    uv_timer_stop(&f->timer);
}

void feed_close(struct feed *f)
{
    uv_close((uv_handle_t *)&f->timer, NULL);
}

void feed_free(struct feed *f)
{
    audiofile_close(f->file);
    f->file = NULL;
}
