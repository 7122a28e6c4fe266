/* chat - a conversation, live: microphone to loudspeaker. */
#include "cmd/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/budget.h"
#include "cmd/leave.h"
#include "cmd/patience.h"
#include "cmd/setup.h"
#include "cmd/slash.h"
#include "ui/keys.h"
#include "ui/stop.h"
#include "ui/view.h"
#include "util/buf.h"
#include "util/text.h"

#define LINE_MAX_BYTES 4096
#define REACH_S        30 /* an endpoint is waited for, until it was reached once */

struct chat {
    const struct app *app;
    uv_loop_t loop;
    struct stop stop;
    uv_poll_t keys; /* stdin, where it can be polled */
    bool has_keys, keys_ended;
    bool terminal; /* somebody sits there */
    struct keys keyboard;
    struct buf line;
    struct listening listening;
    struct session *session;
    struct view view;
    struct budget budget;
    struct patience patience;
    struct err over; /* the budget is spent: ends when the answer in hand has */
    bool is_over;
    bool remote; /* the model is somewhere else */
    bool ready;
    bool asked; /* a line was sent and has not become a turn */
    bool due;   /* ... and its reply has not begun */
    int signum;
    struct err fatal;
};

static void leave(struct chat *c)
{
    uv_stop(&c->loop);
}

/* Input that ended in a pipe leaves once what was written in it is answered. */
static void maybe_leave(struct chat *c)
{
    if (c->keys_ended && (c->terminal || (!c->due && !session_replying(c->session))))
        leave(c);
}

/* --- keys */

/* "/effort high" */
static void change_setting(struct chat *c, const char *line)
{
    struct backend_settings settings;
    struct err error;

    if (slash_take(c->app->options, line, &error) < 0) {
        log_error(c->app->log, "%s", error.text);
        return;
    }
    setup_settings(&settings, c->app->options, c->remote);
    if (session_adjust(c->session, &settings, &error) < 0)
        log_error(c->app->log, "%s", error.text);
    else
        log_info(c->app->log, "from here on: %s", line + 1);
}

/* Enter stops the answer; a line with words is a turn in writing. */
static void on_line(struct chat *c, char *text)
{
    text_clean(text);
    if (text_blank(text)) {
        session_stop(c->session);
    } else if (slash_is_setting(text)) {
        change_setting(c, text);
    } else {
        c->asked = c->due = session_text(c->session, text + (text[0] == '/')) == 0;
        if (!c->asked)
            log_error(c->app->log, "out of memory: what you wrote is lost");
    }
}

static char *line_end(const struct chat *c)
{
    return c->line.len > 0 ? memchr(c->line.data, '\n', c->line.len) : NULL;
}

static void on_keys(uv_poll_t *handle, int status, int events);

/* Tab, which talks and sends. */
static void on_talk(struct chat *c)
{
    bool talking = !session_talking(c->session);

    if (!options_has(c->app->options, OPT_PUSH_TO_TALK) || !c->ready)
        return;
    session_talk(c->session, talking);
    view_answer_key(&c->view, talking ? "listening; Tab sends it" : "sent");
    c->view.muted = session_muted(c->session);
}

static void tell_muted(struct chat *c)
{
    view_answer_key(&c->view, c->view.muted
                                  ? "the microphone is muted; Ctrl-T again, and it listens"
                                  : "the microphone listens");
}

static void on_mute(struct chat *c)
{
    bool muted = !session_muted(c->session);

    session_mute(c->session, muted);
    c->view.muted = muted;
    tell_muted(c);
}

/* After fg the screen is the shell's: it says again whether anybody listens. With push-to-talk
 * nobody does but for the key. */
static void on_back(void *user)
{
    struct chat *c = user;

    if (c->ready && !options_has(c->app->options, OPT_PUSH_TO_TALK))
        tell_muted(c);
}

/* Takes our keys out of what was typed. Tab is one only where a line would begin. */
static void take_bytes(struct chat *c, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool fresh = c->line.len == 0 || c->line.data[c->line.len - 1] == '\n';
        if (c->keyboard.on && bytes[i] == KEYS_MUTE)
            on_mute(c);
        else if (c->keyboard.on && bytes[i] == KEYS_TALK && fresh)
            on_talk(c);
        else
            buf_add(&c->line, &bytes[i], 1);
    }
}

/* A line that comes while hullo speaks stops it, but lines that came together are answered one
 * after the other: those behind the first wait until its reply was heard, and all of them until
 * the models are there. A pipe waits with them; in a terminal, Enter and Ctrl-D must get through.
 */
static void take_lines(struct chat *c)
{
    char *end;

    while (c->ready && !c->asked && (end = line_end(c)) != NULL) {
        *end = '\0';
        on_line(c, c->line.data);
        buf_drop(&c->line, (size_t)(end - c->line.data) + 1);
    }
    end = line_end(c);
    if (end == NULL && c->line.len > LINE_MAX_BYTES) {
        log_warn(c->app->log, "a line longer than %d bytes is dropped", LINE_MAX_BYTES);
        buf_clear(&c->line);
    }
    if (!c->keys_ended && (end == NULL || c->terminal))
        uv_poll_start(&c->keys, UV_READABLE, on_keys);
    else
        uv_poll_stop(&c->keys);
}

static void on_keys(uv_poll_t *handle, int status, int events)
{
    struct chat *c = handle->data;
    char bytes[512];
    ssize_t n = status < 0 ? 0 : read(STDIN_FILENO, bytes, sizeof bytes);

    (void)events;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0) {
        take_bytes(c, bytes, (size_t)n);
        if (buf_failed(&c->line)) {
            log_error(c->app->log, "out of memory: what you wrote is lost");
            buf_clear(&c->line);
        }
        take_lines(c);
        return;
    }
    c->keys_ended = true;
    if (c->line.len > 0)
        buf_adds(&c->line, "\n");
    take_lines(c);
    maybe_leave(c);
}

static void open_keys(struct chat *c)
{
    if (options_has(c->app->options, OPT_NO_INPUT))
        return;
    c->terminal = isatty(STDIN_FILENO);
    c->keys.data = c;
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    /* A plain file or a closed stdin cannot be polled: there are no keys then, as with --no-input.
     */
    if (flags < 0 || uv_poll_init(&c->loop, &c->keys, STDIN_FILENO) < 0)
        return;
    /* libuv has made it non-blocking, and with it whatever shares the terminal: our own stdout,
     * and the shell after us. */
    fcntl(STDIN_FILENO, F_SETFL, flags);
    c->has_keys = true;
    if (!c->terminal)
        return;
    if (keys_init(&c->keyboard, &c->loop, STDIN_FILENO) < 0)
        log_debug(c->app->log, "this terminal has no keys of ours: it is not in line mode");
    c->keyboard.back = on_back;
    c->keyboard.user = c;
    take_lines(c);
}

/* Ctrl-C stops the answer; when there is none, or the second time, it leaves. */
static void on_stop(void *user, int signum)
{
    struct chat *c = user;

    if (signum == SIGINT && c->signum == 0 && session_replying(c->session)) {
        c->signum = SIGINT;
        session_stop(c->session);
        return;
    }
    c->signum = signum;
    leave(c);
}

/* --- events */

/* What is done with it, in lines of at most 80 characters. */
static void tell_how(const struct chat *c)
{
    bool rests = options_has(c->app->options, OPT_HALF_DUPLEX);
    const char *how = "speak, also over an answer, or write a line";
    const char *mute = " Ctrl-T mutes the microphone,";

    if (options_has(c->app->options, OPT_PUSH_TO_TALK)) {
        how = "press Tab and speak, and Tab again; or write a line";
        mute = "";
    } else if (rests) {
        how = "speak, or write a line; the microphone rests while hullo speaks";
    }
    if (!c->terminal) {
        if (rests)
            log_info(c->app->log, "the microphone rests while hullo speaks");
        return;
    }
    log_info(c->app->log, "%s", how);
    log_info(c->app->log, "Enter stops an answer,%s Ctrl-D leaves", mute);
}

static void greet(struct chat *c)
{
    c->ready = true;
    if (c->has_keys)
        take_lines(c);
    tell_how(c);
}

/* Politely: who is in the middle of an answer hears its end. */
static void on_spent(void *user, const struct err *why)
{
    struct chat *c = user;

    c->over = *why;
    c->is_over = true;
    if (!session_replying(c->session))
        leave(c);
}

static void on_unreachable(void *user, const struct err *why)
{
    struct chat *c = user;

    c->fatal = *why;
    leave(c);
}

/* Nothing is owed to the last line any more. */
static void go_on(struct chat *c)
{
    c->due = c->asked;
    if (c->is_over) {
        leave(c);
        return;
    }
    if (c->has_keys)
        take_lines(c);
    maybe_leave(c);
}

static void on_session(void *user, const struct session_event *ev)
{
    struct chat *c = user;

    c->view.usd = c->remote ? budget_usd(&c->budget) : 0;
    c->view.usd_partly = budget_partly(&c->budget);
    view_show(&c->view, ev);
    patience_event(&c->patience, ev);
    switch (ev->type) {
    case SESSION_USAGE:
        budget_usage(&c->budget, &ev->usage);
        break;
    case SESSION_SPEECH:
    case SESSION_REPLY_TEXT:
    case SESSION_REPLY_SOUND:
        budget_alive(&c->budget);
        c->due = c->asked;
        break;
    case SESSION_READY:
        greet(c);
        break;
    case SESSION_HEARD:
        budget_alive(&c->budget);
        c->asked &= !ev->committed;
        if (ev->committed && ev->text[0] == '\0') /* no reply to wait for */
            go_on(c);
        break;
    case SESSION_REPLY_DONE:
        budget_alive(&c->budget);
        c->signum = 0;
        go_on(c);
        break;
    case SESSION_ERROR:
        if (ev->fatal) {
            c->fatal = *ev->error;
            leave(c);
        } else if (!c->asked) { /* the turn in hand failed */
            go_on(c);
        }
        break;
    case SESSION_NOTICE:
    case SESSION_REPLY_AUDIO:
    case SESSION_HEARD_PART:
    case SESSION_LINK:
        break;
    }
}

/* --- the command */

static int open_session(struct chat *c, const struct setup *setup, struct err *e)
{
    struct session_config config = {.loop = &c->loop, .event = on_session, .user = c};
    const struct options *o = c->app->options;
    int rc = setup_session(&config, c->app, setup, e);

    if (rc == 0)
        rc = setup_listening(&c->listening, &config.sound, setup->models, e);
    if (rc < 0)
        return rc;
    config.half_duplex = options_has(o, OPT_HALF_DUPLEX);
    config.push_to_talk = options_has(o, OPT_PUSH_TO_TALK);
    config.sound.capture = config.sound.playback = true;
    config.backend_config.speak = true;
    config.backend_config.turn_detection = !config.push_to_talk;
    c->remote = c->view.late = config.backend_config.endpoint_count > 0;
    rc = budget_open(&c->budget, c->app, &c->loop, c->remote ? setup_model(&config) : NULL, e);
    c->budget.spent = on_spent;
    c->budget.user = c;
    c->patience = (struct patience){.first_s = REACH_S, .over = on_unreachable, .user = c};
    if (rc == 0)
        rc = patience_open(&c->patience, &c->loop, e);
    if (rc < 0)
        return rc;
    return session_open(&c->session, &config, e);
}

static enum status outcome(const struct chat *c, struct err *e)
{
    if (c->fatal.status != STATUS_DONE) {
        *e = c->fatal;
        return c->fatal.status;
    }
    if (c->is_over) {
        *e = c->over;
        return c->over.status;
    }
    if (c->signum == 0)
        return STATUS_DONE;
    return c->signum == SIGINT ? STATUS_INTERRUPTED : STATUS_TERMINATED;
}

static enum status talk(struct chat *c, const struct setup *setup, struct err *e)
{
    enum status status;
    int rc = uv_loop_init(&c->loop);

    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start: %s", strerror(-rc));
        return STATUS_FAILED;
    }
    rc = stop_init(&c->stop, &c->loop, on_stop, c);
    view_init(&c->view, c->app->log, options_has(c->app->options, OPT_JSON));
    open_keys(c);
    if (rc == 0 && options_has(c->app->options, OPT_PUSH_TO_TALK) && !c->keyboard.on) {
        err_set(e, STATUS_USAGE, -ENOTTY,
                "--push-to-talk needs a terminal on standard input, for its key");
        status = STATUS_USAGE;
    } else if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start: %s", strerror(-rc));
        status = STATUS_FAILED;
    } else if (open_session(c, setup, e) < 0) {
        status = e->status;
    } else {
        uv_run(&c->loop, UV_RUN_DEFAULT);
        status = outcome(c, e);
        view_sum_up(&c->view);
    }
    /* Models that are still being loaded are not waited for; an endpoint is told goodbye. */
    if (!c->remote && (c->signum != 0 || (c->keys_ended && !c->ready))) {
        keys_restore();
        session_hang_up(c->session);
        leave_now(c->app, status, e);
    }
    session_close(c->session);
    budget_close(&c->budget);
    patience_close(&c->patience);
    stop_close(&c->stop);
    keys_close(&c->keyboard);
    if (c->has_keys)
        uv_close((uv_handle_t *)&c->keys, NULL);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    uv_loop_close(&c->loop);
    setup_listening_free(&c->listening);
    view_free(&c->view);
    buf_free(&c->line);
    return status;
}

static enum status run(const struct app *app, struct err *e)
{
    struct chat *c;
    struct setup setup;
    enum status status;

    if (setup_open(&setup, app, BACKEND_CONVERSE, e) < 0)
        return e->status;
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
        setup_close(&setup);
        return STATUS_FAILED;
    }
    c->app = app;
    status = talk(c, &setup, e);
    free(c);
    setup_close(&setup);
    return status;
}

static const enum option_id options[] = {OPT_EAGERNESS,
                                         OPT_SYSTEM,
                                         OPT_MODEL,
                                         OPT_LOCAL_MODEL,
                                         OPT_LLM_URL,
                                         OPT_STT_URL,
                                         OPT_VOICE,
                                         OPT_MAX_TOKENS,
                                         OPT_AUDIO,
                                         OPT_INPUT_DEVICE,
                                         OPT_OUTPUT_DEVICE,
                                         OPT_AEC,
                                         OPT_SENSITIVITY,
                                         OPT_HALF_DUPLEX,
                                         OPT_PUSH_TO_TALK,
                                         OPT_JSON,
                                         OPT_NO_INPUT,
                                         OPT_YES,
                                         OPT_CONFIG,
                                         OPT_PROFILE,
                                         OPT_URL,
                                         OPT_DIALECT,
                                         OPT_EFFORT,
                                         OPT_SPEED,
                                         OPT_TURN_DETECTION,
                                         OPT_NOISE_REDUCTION,
                                         OPT_LANGUAGE,
                                         OPT_RETENTION,
                                         OPT_MAX_COST,
                                         OPT_MAX_MINUTES,
                                         OPT_IDLE_MINUTES,
                                         OPT_RECORD,
                                         OPT_RECORD_AUDIO,
                                         OPT_CACERT,
                                         OPT_COUNT};

const struct command command_chat = {
    .name = "chat",
    .summary = "talk, live (the default command)",
    .operands = "",
    .about = "Speak over an answer, or press Enter, to stop it. A written line is a turn too.",
    .options = options,
    .run = run,
};
