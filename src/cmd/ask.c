/* ask - recordings in, replies out. */
#include "cmd/commands.h"

#include <cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audiofile.h"
#include "cmd/outputs.h"
#include "cmd/setup.h"
#include "ui/stop.h"
#include "util/buf.h"
#include "util/clock.h"

#define CHUNK        16000        /* samples read at a time: a second */
#define HOLD_BACK    (60 * 16000) /* so much inside the backend: wait before reading on */
#define LONG_SECONDS 600          /* longer recordings are answered turn by turn */
#define RETRY_MS     20

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
    int raw_hz;

    /* the input in hand */
    uv_work_t work; /* reads it, off the loop */
    bool working;
    struct audiofile *file;
    int16_t pcm[CHUNK];
    size_t got;
    int work_rc;
    struct err work_error;
    bool committed;   /* all of it was heard */
    unsigned replies; /* that are still due */
    struct buf heard, reply;
    struct backend_timing timing;
    struct err error; /* .status is STATUS_DONE while all is well */
    struct audiowriter *writer;
    bool wrote; /* audio of this input */

    size_t failed;
    enum status first_failure;
    int signum;
    struct err fatal;
};

static void next_input(struct ask *a);

/* --- results */

static const char *input_name(const struct ask *a)
{
    return strcmp(a->inputs[a->index], "-") == 0 ? "stdin" : a->inputs[a->index];
}

static const char *output_name(const struct ask *a)
{
    return a->outputs[a->index];
}

static void add_stage(cJSON *o, const char *name, double ms)
{
    if (ms >= 0)
        cJSON_AddNumberToObject(o, name, (double)(int64_t)(ms * 10) / 10);
    else
        cJSON_AddNullToObject(o, name);
}

static void add_latency(cJSON *o, const struct backend_timing *t)
{
    cJSON *l = cJSON_AddObjectToObject(o, "latency_ms");

    add_stage(l, "heard", t->heard_ms);
    add_stage(l, "first_token", t->first_token_ms);
    add_stage(l, "first_clause", t->first_clause_ms);
    add_stage(l, "first_audio", t->first_audio_ms);
    add_stage(l, "done", t->done_ms);
}

static void print_json(struct ask *a, const char *status)
{
    cJSON *o = cJSON_CreateObject();
    char *line;

    cJSON_AddStringToObject(o, "type", "reply");
    cJSON_AddNumberToObject(o, "v", 1);
    cJSON_AddStringToObject(o, "input", input_name(a));
    cJSON_AddStringToObject(o, "transcript", buf_str(&a->heard));
    cJSON_AddStringToObject(o, "text", buf_str(&a->reply));
    if (a->wrote && output_name(a) != NULL)
        cJSON_AddStringToObject(o, "audio", output_name(a));
    else
        cJSON_AddNullToObject(o, "audio");
    add_latency(o, &a->timing);
    cJSON_AddStringToObject(o, "status", status);
    if (a->error.status != STATUS_DONE)
        cJSON_AddStringToObject(o, "error", a->error.text);
    line = cJSON_PrintUnformatted(o);
    if (line != NULL)
        puts(line);
    fflush(stdout);
    cJSON_free(line);
    cJSON_Delete(o);
}

/* The reply's text as it comes: on stdout, unless that carries audio or JSON. */
static void print_text(struct ask *a, const char *text)
{
    if (a->json)
        return;
    fputs(text, a->to_stdout ? stderr : stdout);
    fflush(a->to_stdout ? stderr : stdout);
}

static void input_error(struct ask *a, const struct err *error)
{
    if (a->error.status == STATUS_DONE)
        a->error = *error;
    if (a->first_failure == STATUS_DONE)
        a->first_failure = error->status;
    log_error(a->app->log, "%s", error->text);
}

static const char *status_word(const struct ask *a)
{
    if (a->signum != 0)
        return "interrupted";
    if (a->error.status == STATUS_DONE)
        return "ok";
    return a->error.code == -ENODATA ? "no_speech" : "failed";
}

static void close_output(struct ask *a)
{
    struct err error = {0};

    /* One stream on stdout carries the replies to all inputs. */
    if (a->writer == NULL || (a->to_stdout && a->index + 1 < a->count && a->signum == 0))
        return;
    if (a->signum != 0 && !a->to_stdout)
        audiowriter_abandon(a->writer);
    else if (audiowriter_finish(a->writer, &error) < 0)
        input_error(a, &error);
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

static void finish_input(struct ask *a)
{
    struct err error;

    audiofile_close(a->file);
    a->file = NULL;
    if (a->reply.len > 0)
        print_text(a, "\n");
    if (a->heard.len == 0 && a->error.status == STATUS_DONE && a->signum == 0) {
        err_set(&error, STATUS_FAILED, -ENODATA,
                "no speech heard in '%s': is it the right recording, and loud enough?",
                input_name(a));
        input_error(a, &error);
    }
    close_output(a);
    log_stages(a);
    if (a->json)
        print_json(a, status_word(a));
    a->failed += a->error.status != STATUS_DONE;
    buf_clear(&a->heard);
    buf_clear(&a->reply);
    a->index++;
    session_forget(a->session);
    if (a->signum != 0)
        uv_stop(&a->loop);
    else
        next_input(a);
}

static void maybe_finish(struct ask *a)
{
    if (!a->working && a->committed && a->replies == 0)
        finish_input(a);
}

static void fail_input(struct ask *a, const struct err *error)
{
    input_error(a, error);
    finish_input(a);
}

static void read_on(struct ask *a);

static void on_timer(uv_timer_t *timer)
{
    read_on(timer->data);
}

static void do_read(uv_work_t *w)
{
    struct ask *a = w->data;

    a->work_rc = audiofile_read(a->file, a->pcm, CHUNK, &a->got, &a->work_error);
}

static void on_read(uv_work_t *w, int status)
{
    struct ask *a = w->data;

    a->working = false;
    if (status != 0 || a->signum != 0)
        return;
    if (a->work_rc < 0) {
        fail_input(a, &a->work_error);
        return;
    }
    if (a->got > 0 && session_append(a->session, a->pcm, a->got) >= 0) {
        read_on(a);
        return;
    }
    audiofile_close(a->file);
    a->file = NULL;
    if (session_commit(a->session) < 0) {
        err_set(&a->work_error, STATUS_FAILED, -ENOMEM, "out of memory");
        fail_input(a, &a->work_error);
    }
}

/* Reads the next piece, or waits until the backend has worked off what it has. */
static void read_on(struct ask *a)
{
    if (session_append(a->session, a->pcm, 0) > HOLD_BACK) {
        uv_timer_start(&a->timer, on_timer, RETRY_MS, 0);
        return;
    }
    a->work.data = a;
    a->working = uv_queue_work(&a->loop, &a->work, do_read, on_read) == 0;
}

static void do_open(uv_work_t *w)
{
    struct ask *a = w->data;

    a->work_rc =
        audiofile_open(&a->file, a->inputs[a->index], a->raw_hz, a->app->log, &a->work_error);
}

static void on_open(uv_work_t *w, int status)
{
    struct ask *a = w->data;
    double seconds;

    a->working = false;
    if (status != 0 || a->signum != 0)
        return;
    if (a->work_rc < 0) {
        fail_input(a, &a->work_error);
        return;
    }
    seconds = audiofile_seconds(a->file);
    session_detect_turns(a->session, seconds < 0 || seconds > LONG_SECONDS);
    read_on(a);
}

/* An output that cannot be written is better known before the work than after it. */
static int check_output(struct ask *a, struct err *e)
{
    const char *file = output_name(a);

    if (file == NULL || a->to_stdout || a->force || access(file, F_OK) != 0)
        return 0;
    return err_set(e, STATUS_FAILED, -EEXIST, "'%s' exists already: --force replaces it", file);
}

static void next_input(struct ask *a)
{
    struct err error = {0};

    if (a->index == a->count) {
        uv_stop(&a->loop);
        return;
    }
    a->committed = a->wrote = false;
    a->replies = 0;
    a->error = (struct err){0};
    a->timing = (struct backend_timing){-1, -1, -1, -1, -1};
    if (check_output(a, &error) < 0) {
        fail_input(a, &error);
        return;
    }
    a->work.data = a;
    a->working = uv_queue_work(&a->loop, &a->work, do_open, on_open) == 0;
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

static void on_text(struct ask *a, const char *text)
{
    buf_adds(&a->reply, text);
    print_text(a, text);
}

static void on_audio(struct ask *a, const struct session_event *ev)
{
    struct err error = {0};
    const char *file = output_name(a);

    if (file == NULL || a->error.status != STATUS_DONE)
        return;
    if (a->writer == NULL &&
        audiowriter_open(&a->writer, file, ev->rate_hz, a->force, &error) < 0) {
        input_error(a, &error);
        return;
    }
    if (audiowriter_write(a->writer, ev->samples, ev->count, &error) < 0) {
        input_error(a, &error);
        audiowriter_abandon(a->writer);
        a->writer = NULL;
        return;
    }
    a->wrote = true;
}

static void on_done(struct ask *a, const struct session_event *ev)
{
    /* A long recording has many turns: what is told is how soon the first was answered. */
    if (a->timing.heard_ms < 0)
        a->timing = ev->timing;
    a->replies -= a->replies > 0;
    if (a->replies == 0 && !a->committed && a->reply.len > 0) {
        print_text(a, "\n");
        buf_adds(&a->reply, "\n");
    }
    maybe_finish(a);
}

static void on_error(struct ask *a, const struct session_event *ev)
{
    if (ev->fatal) {
        a->fatal = *ev->error;
        uv_stop(&a->loop);
    } else {
        input_error(a, ev->error);
    }
}

static void on_session(void *user, const struct session_event *ev)
{
    struct ask *a = user;

    if (a->signum != 0)
        return;
    switch (ev->type) {
    case SESSION_READY:
        log_debug(a->app->log, "%s", ev->text);
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
        on_error(a, ev);
        break;
    case SESSION_SPEECH:
    case SESSION_REPLY_SOUND:
        break;
    }
}

static void on_stop(void *user, int signum)
{
    struct ask *a = user;

    if (a->signum != 0)
        return;
    a->signum = signum;
    session_stop(a->session);
    uv_stop(&a->loop);
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
    audiowriter_abandon(a->writer);
    if (a->working)
        return; /* a read hangs on a pipe, and its loop with it */
    uv_run(&a->loop, UV_RUN_DEFAULT);
    uv_loop_close(&a->loop);
    audiofile_close(a->file);
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
    if (a->signum != 0) {
        if (a->json && a->index < a->count)
            print_json(a, "interrupted");
        return a->signum == SIGINT ? STATUS_INTERRUPTED : STATUS_TERMINATED;
    }
    if (a->fatal.status != STATUS_DONE) {
        *e = a->fatal;
        return a->fatal.status;
    }
    if (a->failed == 0)
        return STATUS_DONE;
    return a->failed < a->count ? STATUS_PARTLY : a->first_failure;
}

static enum status work(struct ask *a, const struct models *models, struct err *e)
{
    enum status status;

    uv_loop_init(&a->loop);
    uv_timer_init(&a->loop, &a->timer);
    a->timer.data = a;
    stop_init(&a->stop, &a->loop, on_stop, a);
    if (open_session(a, models, e) < 0) {
        status = e->status;
    } else {
        next_input(a);
        uv_run(&a->loop, UV_RUN_DEFAULT);
        if (a->signum != 0)
            close_output(a);
        status = outcome(a, e);
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
    a->inputs = app->options->operand_count > 0 ? app->options->operands : from_stdin;
    a->count = app->options->operand_count > 0 ? app->options->operand_count : 1;
    if (check_usage(a, e) < 0 ||
        outputs_plan(&a->outputs, options_text(app->options, OPT_OUTPUT), a->inputs, a->count, e) <
            0 ||
        setup_models(&models, app, e) < 0)
        status = e->status;
    else
        status = work(a, models, e);
    if (a->working) {
        /* A read hangs on a pipe: an ordinary exit would wait for its thread. */
        fflush(stdout);
        _exit((int)status);
    }
    models_close(models);
    outputs_free(a->outputs, a->count);
    free(a);
    return status;
}

static const enum option_id options[] = {
    OPT_OUTPUT, OPT_PLAY,          OPT_JSON,    OPT_FORCE,    OPT_RATE,      OPT_SYSTEM,
    OPT_MODEL,  OPT_LOCAL_MODEL,   OPT_LLM_URL, OPT_STT_URL,  OPT_VOICE,     OPT_MAX_TOKENS,
    OPT_AUDIO,  OPT_OUTPUT_DEVICE, OPT_YES,     OPT_NO_INPUT, OPT_EAGERNESS, OPT_COUNT};

const struct command command_ask = {
    .name = "ask",
    .summary = "answer recordings",
    .operands = "[FILE ...]",
    .about =
        "Takes recordings of somebody asking something (WAV, FLAC, Ogg, Opus, MP3; - or nothing "
        "is\n"
        "stdin) and prints the replies. With -o they are written as speech, with --play spoken.\n"
        "With -o - it is a filter: hullo ask -o - < question.wav > answer.wav",
    .options = options,
    .run = run,
};
