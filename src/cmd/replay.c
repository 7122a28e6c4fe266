/* replay - a recording of --record, played back through the same session, offline. */
#include "cmd/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/recording.h"
#include "cmd/setup.h"
#include "conf/endpoint.h"
#include "ui/stop.h"
#include "ui/view.h"
#include "util/clock.h"

#define LOOK_MS  20
#define QUIET_MS 500 /* behind the last line of the recording, for what it has set off */

struct replay {
    const struct app *app;
    uv_loop_t loop;
    struct stop stop;
    uv_timer_t timer;
    struct recording *recording;
    struct session *session;
    struct view view;
    size_t next; /* of the recording's lines */
    int64_t began_ns;
    int signum;
    struct err fatal;
};

static void leave(struct replay *r)
{
    uv_stop(&r->loop);
}

static void on_stop(void *user, int signum)
{
    struct replay *r = user;

    r->signum = signum;
    leave(r);
}

static void on_session(void *user, const struct session_event *ev)
{
    struct replay *r = user;

    view_show(&r->view, ev);
    if (ev->type == SESSION_ERROR && ev->fatal) {
        r->fatal = *ev->error;
        leave(r);
    }
}

/* Where the user stopped a reply, it is stopped; all else comes over the wire. */
static void on_time(uv_timer_t *timer)
{
    struct replay *r = timer->data;
    const struct recording *lines = r->recording;
    double at_ms = clock_ms_since(r->began_ns);
    double last_ms = lines->count > 0 ? lines->lines[lines->count - 1].t_ms : 0;

    for (; r->next < lines->count && lines->lines[r->next].t_ms <= at_ms; r->next++)
        if (lines->lines[r->next].way == RECORDING_STOPPED)
            session_stop(r->session);
    if (at_ms > last_ms + QUIET_MS && !session_replying(r->session))
        leave(r);
}

static int open_session(struct replay *r, struct err *e)
{
    const struct endpoint place = {
        .name = "the recording", .dialect = r->recording->dialect, .model = r->recording->model};
    struct session_config config = {.loop = &r->loop, .event = on_session, .user = r};
    const struct backend_kind *const *kind = r->app->registry->backends;
    int rc;

    while (*kind != NULL && (*kind)->dialect == NULL)
        kind++;
    if (*kind == NULL)
        return err_set(e, STATUS_FAILED, -ENOTSUP, "this hullo knows no endpoints");
    config.log = r->app->log;
    config.backend = *kind;
    config.backend_config = (struct backend_config){.task = (enum backend_task)r->recording->task,
                                                    .endpoints = &place,
                                                    .endpoint_count = 1,
                                                    .replay = r->recording,
                                                    .speak = r->recording->speak,
                                                    .turn_detection = true};
    rc = setup_sound(&config.sound, r->app, e);
    if (rc < 0)
        return rc;
    config.sound.playback = config.backend_config.task != BACKEND_TRANSCRIBE;
    return session_open(&r->session, &config, e);
}

static enum status outcome(const struct replay *r, struct err *e)
{
    if (r->fatal.status != STATUS_DONE) {
        *e = r->fatal;
        return r->fatal.status;
    }
    if (r->signum == 0)
        return STATUS_DONE;
    return r->signum == SIGINT ? STATUS_INTERRUPTED : STATUS_TERMINATED;
}

static enum status play(struct replay *r, struct err *e)
{
    enum status status;
    int rc = uv_loop_init(&r->loop);

    if (rc == 0 && (rc = stop_init(&r->stop, &r->loop, on_stop, r)) == 0)
        rc = uv_timer_init(&r->loop, &r->timer);
    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start: %s", uv_strerror(rc));
        return STATUS_FAILED;
    }
    view_init(&r->view, r->app->log, options_has(r->app->options, OPT_JSON));
    r->view.late = true;
    r->timer.data = r;
    r->began_ns = clock_ns();
    if (open_session(r, e) < 0) {
        status = e->status;
    } else {
        uv_timer_start(&r->timer, on_time, LOOK_MS, LOOK_MS);
        uv_run(&r->loop, UV_RUN_DEFAULT);
        status = outcome(r, e);
        view_sum_up(&r->view);
    }
    session_close(r->session);
    stop_close(&r->stop);
    uv_close((uv_handle_t *)&r->timer, NULL);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
    view_free(&r->view);
    return status;
}

static enum status run(const struct app *app, struct err *e)
{
    struct replay *r;
    enum status status;

    if (app->options->operand_count != 1) {
        err_set(e, STATUS_USAGE, -EINVAL, "replay takes one recording, as --record writes it");
        return STATUS_USAGE;
    }
    r = calloc(1, sizeof *r);
    if (r == NULL) {
        err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
        return STATUS_FAILED;
    }
    r->app = app;
    if (recording_read(&r->recording, app->options->operands[0], e) < 0)
        status = e->status;
    else
        status = play(r, e);
    recording_free(r->recording);
    free(r);
    return status;
}

static const enum option_id options[] = {OPT_AUDIO, OPT_OUTPUT_DEVICE, OPT_JSON, OPT_COUNT};

const struct command command_replay = {
    .name = "replay",
    .summary = "play a recorded session back, offline",
    .operands = "FILE",
    .about = "Plays what --record wrote through the same code, in its own time and\n"
             "without a network: what the endpoint sent comes again, is shown and heard. Audio\n"
             "that was not recorded is silence. --audio null plays it to nobody.",
    .options = options,
    .run = run,
};
