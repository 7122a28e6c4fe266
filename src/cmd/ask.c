/* ask - recordings in, replies out. */
#include "cmd/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audiofile.h"
#include "cmd/feed.h"
#include "cmd/leave.h"
#include "cmd/outputs.h"
#include "cmd/reply.h"
#include "cmd/setup.h"
#include "ui/stop.h"
#include "util/buf.h"
#include "util/clock.h"

#define LONG_SECONDS 600 /* longer recordings are answered turn by turn */

struct ask {
    const struct app *app;
    uv_loop_t loop;
    struct stop stop;
    uv_timer_t timer;
    struct session *session;
    const char *const *inputs;
    char **outputs; /* per input, NULL: none */
    size_t count, index;
    bool json, force, to_stdout;
    bool ready; /* the models are loaded */
    int64_t began_ns;
    int raw_hz;

    /* the input in hand */
    struct feed feed;
    bool committed;   /* all of it was heard */
    unsigned replies; /* that are still due */
    struct buf heard, reply;
    struct backend_timing timing;
    struct err error; /* .status is STATUS_DONE while all is well */
    bool saying;      /* a line of the reply is open */
    struct audiowriter *writer;
    bool wrote; /* audio of this input */
    bool mute;  /* its output failed: no more is written */

    size_t failed;
    enum status first_failure;
    bool over; /* the loop ends: because of the signal, the error, or a reader who has gone */
    int signum;
    struct err fatal;
};

static void on_next(uv_timer_t *timer);

/* --- results */

static const char *input_name(const struct ask *a)
{
    return strcmp(a->inputs[a->index], "-") == 0 ? "stdin" : a->inputs[a->index];
}

static const char *output_name(const struct ask *a)
{
    return a->outputs[a->index];
}

/* Nothing more is wanted. */
static void leave(struct ask *a)
{
    a->over = true;
    feed_stop(&a->feed);
    uv_stop(&a->loop);
}

static void give_up(struct ask *a, const struct err *error)
{
    a->fatal = *error;
    leave(a);
}

/* Who reads stdout may have had enough: then so have we, unless the replies also go elsewhere. */
static void flush_stdout(struct ask *a)
{
    bool elsewhere = output_name(a) != NULL || options_has(a->app->options, OPT_PLAY);
    struct err error;

    if (fflush(stdout) == 0 || a->over)
        return;
    if (errno != EPIPE) {
        err_set(&error, STATUS_FAILED, -errno, "cannot write to stdout: %s", strerror(errno));
        give_up(a, &error);
    } else if (!elsewhere) {
        leave(a);
    }
}

static const char *status_word(const struct ask *a)
{
    if (a->signum != 0)
        return REPLY_INTERRUPTED;
    if (a->fatal.status != STATUS_DONE)
        return REPLY_FAILED;
    if (a->error.status == STATUS_DONE)
        return REPLY_OK;
    return a->error.code == -ENODATA ? REPLY_NO_SPEECH : REPLY_FAILED;
}

static void print_json(struct ask *a)
{
    const struct err *error = a->error.status != STATUS_DONE ? &a->error : &a->fatal;
    struct reply r = {.input = input_name(a),
                      .transcript = buf_str(&a->heard),
                      .text = buf_str(&a->reply),
                      .audio = a->wrote ? output_name(a) : NULL,
                      .timing = a->timing,
                      .status = status_word(a),
                      .error = error->status != STATUS_DONE ? error->text : NULL};

    reply_print_json(&r);
    flush_stdout(a);
}

/* The reply's text as it comes: on stdout, unless that carries audio or JSON. */
static void print_text(struct ask *a, const char *text)
{
    if (a->json || (a->to_stdout && a->app->log->level < LOG_INFO))
        return;
    fputs(text, a->to_stdout ? stderr : stdout);
    if (!a->to_stdout)
        flush_stdout(a);
}

static void end_line(struct ask *a)
{
    if (a->saying)
        print_text(a, "\n");
    a->saying = false;
}

static void input_error(struct ask *a, const struct err *error)
{
    if (a->error.status == STATUS_DONE)
        a->error = *error;
    if (a->first_failure == STATUS_DONE)
        a->first_failure = error->status;
    if (a->to_stdout)
        end_line(a); /* both are on stderr */
    log_error(a->app->log, "%s", error->text);
}

static void drop_output(struct ask *a)
{
    audiowriter_abandon(a->writer);
    a->writer = NULL;
    a->wrote = false;
    a->mute = true;
}

static void close_output(struct ask *a)
{
    struct err error = {0};

    /* One stream on stdout carries the replies to all inputs. */
    if (a->writer == NULL || (a->to_stdout && a->index + 1 < a->count && !a->over))
        return;
    if (a->over && !a->to_stdout) {
        drop_output(a);
    } else if (audiowriter_finish(a->writer, &error) < 0) {
        a->wrote = false;
        if (!a->over)
            input_error(a, &error);
    }
    a->writer = NULL;
}

static void log_stages(const struct ask *a)
{
    const struct backend_timing *t = &a->timing;

    if (t->heard_ms < 0 || a->reply.len == 0)
        return;
    if (t->first_audio_ms >= 0)
        log_info(
            a->app->log,
            "after the end of '%s': heard %.0f ms, first word %.0f ms, first sound %.0f ms, all "
            "said %.0f ms",
            input_name(a), t->heard_ms, t->first_token_ms, t->first_audio_ms, t->done_ms);
    else
        log_info(a->app->log,
                 "after the end of '%s': heard %.0f ms, first word %.0f ms, done %.0f ms",
                 input_name(a), t->heard_ms, t->first_token_ms, t->done_ms);
}

/* --- one input */

static void check_reply(struct ask *a)
{
    struct err error = {0};

    if (a->error.status != STATUS_DONE)
        return;
    if (a->heard.len == 0)
        err_set(&error, STATUS_FAILED, -ENODATA,
                "no speech heard in '%s': is it the right recording, and loud enough?",
                input_name(a));
    else if (a->reply.len == 0)
        err_set(&error, STATUS_FAILED, -ENOMSG,
                "the language model said nothing to '%s': ask again, or try another one with "
                "--model",
                input_name(a));
    if (error.status != STATUS_DONE)
        input_error(a, &error);
}

static void start_input(struct ask *a)
{
    buf_clear(&a->heard);
    buf_clear(&a->reply);
    a->committed = a->saying = a->wrote = a->mute = false;
    a->replies = 0;
    a->error = (struct err){0};
    a->timing = (struct backend_timing){-1, -1, -1, -1, -1, 0};
}

static void finish_input(struct ask *a)
{
    end_line(a);
    check_reply(a);
    close_output(a);
    log_stages(a);
    if (a->json)
        print_json(a);
    if (a->over)
        return;
    a->failed += a->error.status != STATUS_DONE;
    a->index++;
    session_forget(a->session);
    /* Not from here: thousands of inputs that fail at once would each stand on the one before. */
    uv_timer_start(&a->timer, on_next, 0, 0);
}

/* Once it is over: what is not done gets its line of JSON all the same. */
static void close_rest(struct ask *a)
{
    end_line(a);
    close_output(a);
    if (!a->json || (a->signum == 0 && a->fatal.status == STATUS_DONE))
        return;
    for (; a->index < a->count; a->index++) {
        print_json(a);
        start_input(a);
    }
}

static void maybe_finish(struct ask *a)
{
    if (!feed_working(&a->feed) && a->committed && a->replies == 0)
        finish_input(a);
}

static void fail_input(struct ask *a, const struct err *error)
{
    input_error(a, error);
    finish_input(a);
}

static void on_opened(void *user, double seconds)
{
    struct ask *a = user;

    session_detect_turns(a->session, seconds < 0 || seconds > LONG_SECONDS);
    if (a->ready)
        feed_run(&a->feed, a->session);
}

static void on_fed(void *user, const struct err *error)
{
    if (error != NULL)
        fail_input(user, error);
}

static void next_input(struct ask *a)
{
    struct err error = {0};

    if (a->index == a->count) {
        uv_stop(&a->loop);
        return;
    }
    start_input(a);
    if (outputs_check(output_name(a), a->force, a->inputs, a->count, &error) < 0) {
        fail_input(a, &error);
        return;
    }
    feed_open(&a->feed, a->inputs[a->index], a->raw_hz);
}

static void on_next(uv_timer_t *timer)
{
    next_input(timer->data);
}

/* --- events */

static void on_heard(struct ask *a, const struct session_event *ev)
{
    if (ev->text[0] != '\0') {
        if (a->heard.len > 0)
            buf_adds(&a->heard, "\n");
        buf_adds(&a->heard, ev->text);
        a->replies++;
        log_info(a->app->log, "heard: %s", ev->text);
    }
    a->committed |= ev->committed;
    maybe_finish(a);
}

/* Each reply is a line or more, whatever white space it begins with. */
static void on_text(struct ask *a, const char *text)
{
    if (!a->saying) {
        text += strspn(text, " \t\n");
        if (*text == '\0')
            return;
        if (a->reply.len > 0)
            buf_adds(&a->reply, "\n");
        a->saying = true;
    }
    buf_adds(&a->reply, text);
    print_text(a, text);
}

static void output_failed(struct ask *a, const struct err *error)
{
    drop_output(a);
    if (a->to_stdout && error->code == -EPIPE)
        leave(a);
    else
        input_error(a, error);
}

static void on_audio(struct ask *a, const struct session_event *ev)
{
    struct err error = {0};
    const char *file = output_name(a);

    if (file == NULL || a->mute)
        return;
    if ((a->writer == NULL &&
         audiowriter_open(&a->writer, file, ev->rate_hz, a->force, &error) < 0) ||
        audiowriter_write(a->writer, ev->samples, ev->count, &error) < 0)
        output_failed(a, &error);
    else
        a->wrote = true;
}

static void on_done(struct ask *a, const struct session_event *ev)
{
    /* A long recording has many turns: what is told is how soon the first was answered. */
    if (a->timing.heard_ms < 0)
        a->timing = ev->timing;
    a->replies -= a->replies > 0;
    end_line(a);
    maybe_finish(a);
}

/* What was opened meanwhile is read from here on, so that its stages tell of answering, not of
 * loading models. Where words or voice go to a server, that is said; that all stays here need not
 * be. */
static void on_ready(struct ask *a, const char *text)
{
    const struct options *o = a->app->options;
    bool away = options_has(o, OPT_LLM_URL) || options_has(o, OPT_STT_URL);

    log_say(a->app->log, away ? LOG_INFO : LOG_DEBUG, "hullo %s", text);
    log_debug(a->app->log, "ready after %.1f s", clock_ms_since(a->began_ns) / 1000);
    a->ready = true;
    if (feed_waits(&a->feed))
        feed_run(&a->feed, a->session);
}

static void on_session(void *user, const struct session_event *ev)
{
    struct ask *a = user;

    if (a->over)
        return;
    switch (ev->type) {
    case SESSION_READY:
        on_ready(a, ev->text);
        break;
    case SESSION_NOTICE:
        log_info(a->app->log, "note: %s", ev->text);
        break;
    case SESSION_HEARD:
        on_heard(a, ev);
        break;
    case SESSION_REPLY_TEXT:
        on_text(a, ev->text);
        break;
    case SESSION_REPLY_AUDIO:
        on_audio(a, ev);
        break;
    case SESSION_REPLY_DONE:
        on_done(a, ev);
        break;
    case SESSION_ERROR:
        if (ev->fatal)
            give_up(a, ev->error);
        else
            input_error(a, ev->error);
        break;
    case SESSION_SPEECH:
    case SESSION_HEARD_PART:
    case SESSION_USAGE:
    case SESSION_LINK:
    case SESSION_REPLY_SOUND:
        break;
    }
}

static void on_stop(void *user, int signum)
{
    struct ask *a = user;

    if (a->over)
        return;
    a->signum = signum;
    session_stop(a->session);
    leave(a);
}

/* --- the command */

static int check_usage(struct ask *a, struct err *e)
{
    const struct options *o = a->app->options;
    const char *output = options_text(o, OPT_OUTPUT);

    a->to_stdout = output != NULL && strcmp(output, "-") == 0;
    a->json = options_has(o, OPT_JSON);
    a->force = options_has(o, OPT_FORCE);
    a->raw_hz = options_has(o, OPT_RATE) ? (int)options_number(o, OPT_RATE) : 0;
    if (a->to_stdout && a->json)
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "stdout can carry audio (-o -) or JSON (--json), not both");
    if (a->to_stdout && isatty(STDOUT_FILENO))
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "not writing audio to a terminal: redirect stdout, or name a file with -o");
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->inputs[i], "-") == 0 && isatty(STDIN_FILENO))
            return err_set(e, STATUS_USAGE, -EINVAL,
                           "no recording: name a FILE, or pipe one into stdin");
    return 0;
}

static void shut_down(struct ask *a)
{
    session_close(a->session);
    stop_close(&a->stop);
    uv_close((uv_handle_t *)&a->timer, NULL);
    feed_close(&a->feed);
    audiowriter_abandon(a->writer);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    uv_loop_close(&a->loop);
    feed_free(&a->feed);
    buf_free(&a->heard);
    buf_free(&a->reply);
}

static int open_session(struct ask *a, const struct models *models, struct err *e)
{
    struct session_config c = {.loop = &a->loop, .event = on_session, .user = a};
    int rc = setup_session(&c, a->app, models, e);

    if (rc < 0)
        return rc;
    c.sound.playback = options_has(a->app->options, OPT_PLAY);
    c.backend_config.speak = c.sound.playback || options_has(a->app->options, OPT_OUTPUT);
    return session_open(&a->session, &c, e);
}

static enum status outcome(struct ask *a, struct err *e)
{
    size_t done = a->index - a->failed;

    if (a->signum != 0)
        return a->signum == SIGINT ? STATUS_INTERRUPTED : STATUS_TERMINATED;
    if (a->fatal.status != STATUS_DONE) {
        *e = a->fatal;
        return done > 0 && done < a->count ? STATUS_PARTLY : a->fatal.status;
    }
    if (a->failed == 0)
        return STATUS_DONE;
    return a->failed < a->count ? STATUS_PARTLY : a->first_failure;
}

static enum status work(struct ask *a, const struct models *models, struct err *e)
{
    struct feed_config feed = {
        .loop = &a->loop, .log = a->app->log, .opened = on_opened, .ended = on_fed, .user = a};
    enum status status;
    int rc = uv_loop_init(&a->loop);

    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start: %s", strerror(-rc));
        return STATUS_FAILED;
    }
    feed_init(&a->feed, &feed);
    uv_timer_init(&a->loop, &a->timer);
    a->timer.data = a;
    rc = stop_init(&a->stop, &a->loop, on_stop, a);
    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start: %s", strerror(-rc));
        status = STATUS_FAILED;
    } else if (open_session(a, models, e) < 0) {
        status = e->status;
    } else {
        next_input(a);
        uv_run(&a->loop, UV_RUN_DEFAULT);
        status = outcome(a, e);
        if (a->over)
            close_rest(a);
    }
    if (a->signum != 0 || feed_working(&a->feed)) { /* a read hangs on a pipe */
        session_hang_up(a->session);
        audiowriter_abandon(a->writer);
        leave_now(a->app, status, e);
    }
    shut_down(a);
    return status;
}

static enum status run(const struct app *app, struct err *e)
{
    static const char *const from_stdin[] = {"-", NULL};
    struct ask *a = calloc(1, sizeof *a);
    struct models *models = NULL;
    enum status status;

    if (a == NULL) {
        err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
        return STATUS_FAILED;
    }
    a->app = app;
    a->began_ns = clock_ns();
    a->inputs = app->options->operand_count > 0 ? app->options->operands : from_stdin;
    a->count = app->options->operand_count > 0 ? app->options->operand_count : 1;
    if (check_usage(a, e) < 0 ||
        outputs_plan(&a->outputs, options_text(app->options, OPT_OUTPUT), a->inputs, a->count, e) <
            0 ||
        setup_models(&models, app, e) < 0)
        status = e->status;
    else
        status = work(a, models, e);
    models_close(models);
    outputs_free(a->outputs, a->count);
    free(a);
    return status;
}

static const enum option_id options[] = {
    OPT_OUTPUT,       OPT_PLAY,       OPT_JSON,        OPT_FORCE,          OPT_RATE,
    OPT_SYSTEM,       OPT_MODEL,      OPT_LOCAL_MODEL, OPT_LLM_URL,        OPT_STT_URL,
    OPT_VOICE,        OPT_MAX_TOKENS, OPT_AUDIO,       OPT_OUTPUT_DEVICE,  OPT_YES,
    OPT_NO_INPUT,     OPT_EAGERNESS,  OPT_CONFIG,      OPT_PROFILE,        OPT_URL,
    OPT_DIALECT,      OPT_EFFORT,     OPT_SPEED,       OPT_TURN_DETECTION, OPT_NOISE_REDUCTION,
    OPT_LANGUAGE,     OPT_RETENTION,  OPT_MAX_COST,    OPT_MAX_MINUTES,    OPT_RECORD,
    OPT_RECORD_AUDIO, OPT_CACERT,     OPT_COUNT};

const struct command command_ask = {
    .name = "ask",
    .summary = "answer recordings, in text and in speech; also a filter",
    .operands = "[FILE ...]",
    .about = "Answers recordings of a question: WAV, FLAC, Ogg, Opus, MP3; - or none is stdin.\n"
             "With -o - it is a filter: hullo ask -o - < question.wav > answer.wav",
    .options = options,
    .run = run,
};
