/* ask - recordings in, replies out. */
#include "cmd/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audiofile.h"
#include "cmd/job.h"
#include "cmd/outputs.h"
#include "cmd/reply.h"
#include "cmd/setup.h"
#include "cmd/spoken.h"
#include "util/buf.h"

#define LONG_SECONDS 600 /* longer recordings are answered turn by turn */

struct ask {
    struct job job;
    char **outputs; /* per input, NULL: none */
    bool json, force, to_stdout;

    /* the input in hand */
    struct buf heard, reply;
    struct backend_timing timing;
    bool saying; /* a line of the reply is open */
    struct spoken spoken;
};

/* --- results */

static const char *output_name(const struct ask *a)
{
    return a->outputs[a->job.index];
}

static void flush_stdout(struct ask *a)
{
    job_flush(&a->job, output_name(a) != NULL || options_has(a->job.app->options, OPT_PLAY));
}

static void print_json(struct ask *a)
{
    struct reply r = {.input = job_input(&a->job),
                      .transcript = buf_str(&a->heard),
                      .text = buf_str(&a->reply),
                      .audio = a->spoken.wrote ? output_name(a) : NULL,
                      .timing = a->timing,
                      .status = job_word(&a->job),
                      .error = job_reason(&a->job)};

    reply_print_json(&r);
    flush_stdout(a);
}

/* The reply's text as it comes: on stdout, unless that carries audio or JSON. */
static void print_text(struct ask *a, const char *text)
{
    if (a->json || (a->to_stdout && a->job.app->log->level < LOG_INFO))
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

static void make_way(void *user)
{
    struct ask *a = user;

    if (a->to_stdout)
        end_line(a); /* both are on stderr */
}

/* An endpoint does not tell of all the stages that there are here. */
static void log_stages(const struct ask *a)
{
    const struct backend_timing *t = &a->timing;
    const struct {
        const char *name;
        double ms;
    } stages[] = {{"heard", t->heard_ms},
                  {"first word", t->first_token_ms},
                  {"first sound", t->first_audio_ms},
                  {t->first_audio_ms >= 0 ? "all said" : "done", t->done_ms}};
    struct buf text = BUF_INIT;

    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (stages[i].ms >= 0)
            buf_addf(&text, "%s %s %.0f ms", text.len > 0 ? "," : "", stages[i].name, stages[i].ms);
    if (text.len > 0 && a->reply.len > 0)
        log_info(a->job.app->log, "after the end of '%s':%s", job_input(&a->job), buf_str(&text));
    buf_free(&text);
}

/* --- one input */

static void check_reply(struct ask *a)
{
    struct err error = {0};

    if (a->job.error.status != STATUS_DONE)
        return;
    if (a->heard.len == 0 && a->reply.len == 0)
        err_set(&error, STATUS_FAILED, -ENODATA,
                "no speech heard in '%s': is it the right recording, and loud enough?",
                job_input(&a->job));
    else if (a->reply.len == 0)
        err_set(&error, STATUS_FAILED, -ENOMSG,
                "the language model said nothing to '%s': ask again, or try another one with "
                "--model",
                job_input(&a->job));
    if (error.status != STATUS_DONE)
        job_fail(&a->job, &error);
}

static int begin(void *user, struct err *e)
{
    struct ask *a = user;

    buf_clear(&a->heard);
    buf_clear(&a->reply);
    a->saying = false;
    spoken_begin(&a->spoken, output_name(a), a->force);
    a->timing = (struct backend_timing){-1, -1, -1, -1, -1, 0};
    return outputs_check(output_name(a), a->force, a->job.inputs, a->job.count, e);
}

static void opened(void *user, double seconds)
{
    struct ask *a = user;

    session_detect_turns(a->job.session, seconds < 0 || seconds > LONG_SECONDS);
}

static void end(void *user)
{
    struct ask *a = user;
    struct err error = {0};

    end_line(a);
    check_reply(a);
    if (spoken_end(&a->spoken, a->job.index + 1 == a->job.count, &error) < 0)
        job_fail(&a->job, &error);
    log_stages(a);
    if (a->json)
        print_json(a);
}

/* What is not done gets its line of JSON all the same. */
static void cut_short(void *user)
{
    struct ask *a = user;
    struct job *j = &a->job;

    end_line(a);
    spoken_cut_short(&a->spoken);
    if (!a->json || (j->signum == 0 && j->fatal.status == STATUS_DONE))
        return;
    for (; j->index < j->count; j->index++) {
        print_json(a);
        buf_clear(&a->heard);
        buf_clear(&a->reply);
        a->timing = (struct backend_timing){-1, -1, -1, -1, -1, 0};
        j->error = (struct err){0};
    }
}

/* --- events */

static void on_heard(struct ask *a, const struct session_event *ev)
{
    if (ev->text[0] == '\0')
        return;
    if (a->heard.len > 0)
        buf_adds(&a->heard, "\n");
    buf_adds(&a->heard, ev->text);
    log_info(a->job.app->log, "heard: %s", ev->text);
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

static void on_audio(struct ask *a, const struct session_event *ev)
{
    struct err error = {0};

    if (spoken_add(&a->spoken, ev, &error) == 0)
        return;
    if (a->to_stdout && error.code == -EPIPE)
        job_leave(&a->job);
    else
        job_fail(&a->job, &error);
}

static void on_event(void *user, const struct session_event *ev)
{
    struct ask *a = user;

    switch (ev->type) {
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
        /* A long recording has many turns: what is told is how soon the first was answered. */
        if (a->timing.heard_ms < 0)
            a->timing = ev->timing;
        end_line(a);
        break;
    case SESSION_READY:
    case SESSION_NOTICE:
    case SESSION_ERROR:
    case SESSION_SPEECH:
    case SESSION_HEARD_PART:
    case SESSION_USAGE:
    case SESSION_LINK:
    case SESSION_REPLY_SOUND:
        break;
    }
}

/* --- the command */

static int check_usage(struct ask *a, struct err *e)
{
    const struct options *o = a->job.app->options;
    const char *output = options_text(o, OPT_OUTPUT);

    a->to_stdout = output != NULL && strcmp(output, "-") == 0;
    a->json = options_has(o, OPT_JSON);
    a->force = options_has(o, OPT_FORCE);
    if (a->to_stdout && a->json)
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "stdout can carry audio (-o -) or JSON (--json), not both");
    if (a->to_stdout && isatty(STDOUT_FILENO))
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "not writing audio to a terminal: redirect stdout, or name a file with -o");
    return job_check_stdin(&a->job, e);
}

static int open_session(void *user, struct session_config *c, struct err *e)
{
    const struct options *o = ((struct ask *)user)->job.app->options;

    (void)e;
    c->sound.playback = options_has(o, OPT_PLAY);
    c->backend_config.speak = c->sound.playback || options_has(o, OPT_OUTPUT);
    return 0;
}

static enum status run(const struct app *app, struct err *e)
{
    static const struct job_ops ops = {.open = open_session,
                                       .begin = begin,
                                       .opened = opened,
                                       .make_way = make_way,
                                       .event = on_event,
                                       .end = end,
                                       .cut_short = cut_short};
    struct ask *a = calloc(1, sizeof *a);
    struct setup setup = {0};
    enum status status;

    if (a == NULL) {
        err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
        return STATUS_FAILED;
    }
    job_operands(&a->job, app);
    a->job.ops = &ops;
    a->job.user = a;
    if (check_usage(a, e) < 0 ||
        outputs_plan(&a->outputs, options_text(app->options, OPT_OUTPUT), "wav", a->job.inputs,
                     a->job.count, e) < 0 ||
        setup_open(&setup, app, BACKEND_CONVERSE, e) < 0)
        status = e->status;
    else
        status = job_run(&a->job, &setup, e);
    setup_close(&setup);
    outputs_free(a->outputs, a->job.count);
    buf_free(&a->heard);
    buf_free(&a->reply);
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
