#include "cmd/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/leave.h"
#include "cmd/reply.h"
#include "cmd/setup.h"
#include "util/clock.h"

#define GRACE_MS 2000 /* for what is due when the microphone is closed */

/* An endpoint is waited for: */
#define FIRST_S 10 /* with a recording */
#define AGAIN_S 60 /* ... that is being answered */
#define LIVE_S  30 /* with the microphone, until it has begun */

static void on_next(uv_timer_t *timer);

static bool live(const struct job *j)
{
    return j->inputs == NULL;
}

const char *job_input(const struct job *j)
{
    if (live(j))
        return NULL;
    return strcmp(j->inputs[j->index], "-") == 0 ? "stdin" : j->inputs[j->index];
}

void job_leave(struct job *j)
{
    j->over = true;
    feed_stop(&j->feed);
    uv_stop(&j->loop);
}

static void give_up(struct job *j, const struct err *error)
{
    j->fatal = *error;
    job_leave(j);
}

void job_flush(struct job *j, bool elsewhere)
{
    struct err error;

    if (fflush(stdout) == 0 || j->over)
        return;
    if (errno != EPIPE) {
        err_set(&error, STATUS_FAILED, -errno, "cannot write to stdout: %s", strerror(errno));
        give_up(j, &error);
    } else if (!elsewhere) {
        job_leave(j);
    }
}

const char *job_word(const struct job *j)
{
    if (j->signum != 0 && !live(j))
        return REPLY_INTERRUPTED;
    if (j->fatal.status != STATUS_DONE)
        return REPLY_FAILED;
    if (j->error.status == STATUS_DONE)
        return REPLY_OK;
    return j->error.code == -ENODATA ? REPLY_NO_SPEECH : REPLY_FAILED;
}

const char *job_reason(const struct job *j)
{
    const struct err *error = j->error.status != STATUS_DONE ? &j->error : &j->fatal;

    return error->status != STATUS_DONE ? error->text : NULL;
}

static void make_way(const struct job *j)
{
    if (j->ops->make_way != NULL)
        j->ops->make_way(j->user);
}

void job_fail(struct job *j, const struct err *error)
{
    if (j->error.status == STATUS_DONE)
        j->error = *error;
    if (j->first_failure == STATUS_DONE)
        j->first_failure = error->status;
    make_way(j);
    log_error(j->app->log, "%s", error->text);
}

double job_position_ms(const struct job *j)
{
    return live(j) ? clock_ms_since(j->opened_ns) : (double)j->feed.samples * 1000 / BACKEND_HZ;
}

/* --- one input */

static void finish(struct job *j)
{
    j->ops->end(j->user);
    if (j->over)
        return;
    j->failed += j->error.status != STATUS_DONE;
    j->index++;
    if (live(j)) {
        uv_stop(&j->loop);
        return;
    }
    session_forget(j->session);
    /* Not from here: thousands of inputs that fail at once would each stand on the one before. */
    uv_timer_start(&j->timer, on_next, 0, 0);
}

static void maybe_finish(struct job *j)
{
    if (!feed_working(&j->feed) && j->committed && j->replies == 0 &&
        !session_replying(j->session) && j->index < j->count)
        finish(j);
}

static void on_opened(void *user, double seconds)
{
    struct job *j = user;

    if (j->ops->opened != NULL)
        j->ops->opened(j->user, seconds);
    if (j->ready)
        feed_run(&j->feed, j->session);
}

static void on_fed(void *user, const struct err *error)
{
    struct job *j = user;

    if (error == NULL)
        return;
    job_fail(j, error);
    finish(j);
}

static void next(struct job *j)
{
    struct err error = {0};

    if (j->index == j->count) {
        uv_stop(&j->loop);
        return;
    }
    j->committed = false;
    j->replies = 0;
    j->error = (struct err){0};
    if (j->ops->begin(j->user, &error) < 0) {
        job_fail(j, &error);
        finish(j);
    } else if (!live(j)) {
        feed_open(&j->feed, j->inputs[j->index], j->raw_hz);
    }
}

static void on_next(uv_timer_t *timer)
{
    next(timer->data);
}

/* --- the end of what is live */

static void on_grace(uv_timer_t *timer)
{
    struct job *j = timer->data;

    if (j->index < j->count)
        finish(j);
}

/* What was said so far is heard to its end. */
static void end_politely(struct job *j)
{
    if (j->ending)
        return;
    j->ending = true;
    session_mute(j->session, true);
    if (!j->ready || session_commit(j->session) < 0) {
        on_grace(&j->timer);
        return;
    }
    uv_timer_start(&j->timer, on_grace, GRACE_MS, 0);
}

static void on_spent(void *user, const struct err *why)
{
    struct job *j = user;

    if (live(j)) {
        j->spent = *why;
        end_politely(j);
    } else if (why->status != STATUS_DONE) { /* nobody is idle over a recording */
        give_up(j, why);
    }
}

static void on_unreachable(void *user, const struct err *why)
{
    give_up(user, why);
}

static void on_stop(void *user, int signum)
{
    struct job *j = user;

    if (j->over)
        return;
    if (live(j) && !j->ending && j->ready) {
        j->signum = signum;
        end_politely(j);
        return;
    }
    j->signum = signum;
    session_stop(j->session);
    job_leave(j);
}

static void on_keys(uv_poll_t *handle, int status, int events)
{
    struct job *j = handle->data;
    char bytes[256];
    ssize_t n = status < 0 ? 0 : read(STDIN_FILENO, bytes, sizeof bytes);

    (void)events;
    if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
        return;
    uv_poll_stop(handle);
    end_politely(j);
}

/* Who sits at a terminal may leave with Ctrl-D. */
static void open_keys(struct job *j)
{
    int flags = fcntl(STDIN_FILENO, F_GETFL);

    if (!live(j) || options_has(j->app->options, OPT_NO_INPUT) || !isatty(STDIN_FILENO))
        return;
    j->keys.data = j;
    if (flags < 0 || uv_poll_init(&j->loop, &j->keys, STDIN_FILENO) < 0)
        return;
    /* libuv has made it non-blocking, and with it whatever shares the terminal. */
    fcntl(STDIN_FILENO, F_SETFL, flags);
    j->has_keys = true;
    uv_poll_start(&j->keys, UV_READABLE, on_keys);
}

/* --- events */

/* What was opened meanwhile is read from here on, so that its stages tell of answering, not of
 * loading models. Where words or voice go to a server, that is said; that all stays here need not
 * be. */
static void on_ready(struct job *j, const char *text)
{
    const struct options *o = j->app->options;
    bool away = j->where || options_has(o, OPT_LLM_URL) || options_has(o, OPT_STT_URL);

    make_way(j);
    log_say(j->app->log, away ? LOG_INFO : LOG_DEBUG, "hullo %s", text);
    log_debug(j->app->log, "ready after %.1f s", clock_ms_since(j->began_ns) / 1000);
    j->ready = true;
    if (feed_waits(&j->feed))
        feed_run(&j->feed, j->session);
}

static void on_error(struct job *j, const struct session_event *ev)
{
    if (ev->fatal)
        give_up(j, ev->error);
    else
        job_fail(j, ev->error);
}

static void note(const struct job *j, const char *text)
{
    make_way(j);
    log_info(j->app->log, "note: %s", text);
}

static void count(struct job *j, const struct session_event *ev)
{
    if (ev->type == SESSION_HEARD) {
        j->replies += ev->text[0] != '\0' && !ev->late;
        j->committed |= ev->committed;
    } else {
        j->replies -= j->replies > 0;
    }
    maybe_finish(j);
}

static void on_session(void *user, const struct session_event *ev)
{
    struct job *j = user;

    if (j->over)
        return;
    patience_event(&j->patience, ev);
    if (ev->type == SESSION_READY)
        on_ready(j, ev->text);
    else if (ev->type == SESSION_NOTICE || ev->type == SESSION_LINK)
        note(j, ev->text);
    else if (ev->type == SESSION_ERROR)
        on_error(j, ev);
    else if (ev->type == SESSION_USAGE)
        budget_usage(&j->budget, &ev->usage);
    else
        budget_alive(&j->budget);
    if (j->over)
        return;
    j->ops->event(j->user, ev);
    if (!j->over && (ev->type == SESSION_HEARD || ev->type == SESSION_REPLY_DONE))
        count(j, ev);
}

/* --- the job */

static int open_session(struct job *j, const struct setup *setup, struct err *e)
{
    struct session_config c = {.loop = &j->loop, .event = on_session, .user = j};
    int rc = setup_session(&c, j->app, setup, e);

    j->where |= setup_is_remote(setup);
    if (rc == 0)
        rc = j->ops->open(j->user, &c, e);
    j->where |= setup_is_remote(setup);
    if (rc == 0)
        rc = budget_open(&j->budget, j->app, &j->loop, setup_model(&c), e);
    if (rc < 0)
        return rc;
    j->patience = (struct patience){.first_s = live(j) ? LIVE_S : FIRST_S,
                                    .again_s = live(j) ? 0 : AGAIN_S,
                                    .over = on_unreachable,
                                    .user = j};
    rc = patience_open(&j->patience, &j->loop, e);
    if (rc < 0)
        return rc;
    j->budget.spent = on_spent;
    j->budget.user = j;
    return session_open(&j->session, &c, e);
}

static enum status outcome(struct job *j, struct err *e)
{
    size_t done = j->index - j->failed;

    if (j->signum != 0)
        return j->signum == SIGINT ? STATUS_INTERRUPTED : STATUS_TERMINATED;
    if (j->fatal.status != STATUS_DONE) {
        *e = j->fatal;
        return done > 0 && done < j->count ? STATUS_PARTLY : j->fatal.status;
    }
    if (j->failed == 0) {
        *e = j->spent;
        return j->spent.status;
    }
    return j->failed < j->count ? STATUS_PARTLY : j->first_failure;
}

static void tell_cost(const struct job *j)
{
    double usd = j->budget.open ? budget_usd(&j->budget) : 0;

    if (usd >= 0.0005)
        log_info(j->app->log, "this call cost %s$%.*f",
                 budget_partly(&j->budget) ? "at least " : "", usd < 1 ? 3 : 2, usd);
}

static void shut_down(struct job *j)
{
    session_close(j->session);
    budget_close(&j->budget);
    patience_close(&j->patience);
    stop_close(&j->stop);
    uv_close((uv_handle_t *)&j->timer, NULL);
    if (j->has_keys)
        uv_close((uv_handle_t *)&j->keys, NULL);
    feed_close(&j->feed);
    uv_run(&j->loop, UV_RUN_DEFAULT);
    uv_loop_close(&j->loop);
    feed_free(&j->feed);
}

static enum status work(struct job *j, const struct setup *setup, struct err *e)
{
    enum status status;

    if (open_session(j, setup, e) < 0)
        return e->status;
    open_keys(j);
    j->opened_ns = clock_ns();
    next(j);
    uv_run(&j->loop, UV_RUN_DEFAULT);
    status = outcome(j, e);
    if (j->over && j->index < j->count)
        j->ops->cut_short(j->user);
    tell_cost(j);
    return status;
}

enum status job_run(struct job *j, const struct setup *setup, struct err *e)
{
    struct feed_config feed = {
        .loop = &j->loop, .log = j->app->log, .opened = on_opened, .ended = on_fed, .user = j};
    enum status status;
    int rc = uv_loop_init(&j->loop);

    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start: %s", strerror(-rc));
        return STATUS_FAILED;
    }
    j->began_ns = clock_ns();
    feed_init(&j->feed, &feed);
    uv_timer_init(&j->loop, &j->timer);
    j->timer.data = j;
    rc = stop_init(&j->stop, &j->loop, on_stop, j);
    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start: %s", strerror(-rc));
        status = STATUS_FAILED;
    } else {
        status = work(j, setup, e);
    }
    if (j->signum != 0 || feed_working(&j->feed)) { /* a read hangs on a pipe */
        session_hang_up(j->session);
        leave_now(j->app, status, e);
    }
    shut_down(j);
    return status;
}

void job_operands(struct job *j, const struct app *app)
{
    static const char *const from_stdin[] = {"-", NULL};
    const struct options *o = app->options;

    j->app = app;
    j->inputs = o->operand_count > 0 ? o->operands : from_stdin;
    j->count = o->operand_count > 0 ? o->operand_count : 1;
    j->raw_hz = options_has(o, OPT_RATE) ? (int)options_number(o, OPT_RATE) : 0;
}

int job_check_stdin(const struct job *j, struct err *e)
{
    for (size_t i = 0; !live(j) && i < j->count; i++)
        if (strcmp(j->inputs[i], "-") == 0 && isatty(STDIN_FILENO))
            return err_set(e, STATUS_USAGE, -EINVAL,
                           "no recording: name a FILE, or pipe one into stdin");
    return 0;
}
