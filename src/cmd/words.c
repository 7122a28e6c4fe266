#include "cmd/words.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/job.h"
#include "cmd/outputs.h"
#include "cmd/reply.h"
#include "cmd/setup.h"
#include "cmd/spoken.h"
#include "ui/progress.h"
#include "ui/scribe.h"
#include "util/text.h"

#define SENTENCE_MAX 1000 /* bytes; a longer one is no sentence */
#define SECONDS_MAX  1e9  /* of a recording; a header that claims more is not believed */

struct words {
    struct job job;
    enum backend_task task;
    const struct setup *setup;
    enum captions_format format;
    bool force, play, live;
    char **texts, **sounds; /* files for each input; NULL: stdout, and none */
    struct listening listening;

    struct scribe scribe; /* where the transcript goes */
    bool scribing;        /* ... is open */
    struct scribe screen; /* a live transcript that goes into a file is shown as well */
    struct spoken spoken;

    /* the input in hand */
    struct progress progress; /* where stdout does not show it */
    double seconds;           /* of a recording; -1: not known */
    bool worded;              /* something was said in it */
    struct buf said, reply;   /* the turn in hand, and its translation so far */
    double from_ms, to_ms;    /* where that turn was */
    double began_ms;          /* ... or where its translation began to come */
    double spoken_ms;         /* of the translations, so far */
};

static const char *text_file(const struct words *w)
{
    const char *file = w->texts[w->job.index];

    return file != NULL && strcmp(file, "-") == 0 ? NULL : file;
}

static const char *sound_file(const struct words *w)
{
    return w->sounds[w->job.index];
}

static void make_way(void *user)
{
    struct words *w = user;

    scribe_hide(&w->scribe);
    scribe_hide(&w->screen);
    progress_end(&w->progress);
}

/* --- results */

static void stop_scribing(struct words *w)
{
    scribe_abandon(&w->scribe);
    w->scribing = false;
}

/* Who reads stdout may have had enough: then so have we, unless there is something to be heard. */
static void check(struct words *w, int rc, const struct err *error)
{
    bool elsewhere = sound_file(w) != NULL || w->play;

    if (rc == 0)
        return;
    if (rc != -EPIPE || text_file(w) != NULL)
        job_fail(&w->job, error);
    else if (!elsewhere)
        job_leave(&w->job);
    stop_scribing(w);
}

static void add(struct words *w, const struct captions_segment *s)
{
    struct err error;

    if (text_blank(s->text))
        return;
    w->worded = true;
    if (w->screen.to != NULL)
        (void)scribe_add(&w->screen, s, &error);
    if (w->scribing)
        check(w, scribe_add(&w->scribe, s, &error), &error);
}

static void show(struct words *w, const char *text)
{
    scribe_part(w->screen.to != NULL ? &w->screen : &w->scribe, text);
}

/* Where a turn was; who cannot tell has heard it by now. */
static void place(struct words *w, const struct session_event *ev)
{
    bool known = ev->to_ms > 0;

    w->from_ms = known ? ev->from_ms : w->to_ms;
    w->to_ms = known ? ev->to_ms : job_position_ms(&w->job);
}

/* Where we are, for a translation of which nobody says to what it belongs: what was heard so far,
 * or of a recording, which is read as fast as can be, what was said of the translation. */
static double now_ms(const struct words *w)
{
    return w->live ? job_position_ms(&w->job) : w->spoken_ms;
}

static void add_translation(struct words *w)
{
    bool known = w->said.len > 0;
    struct captions_segment s = {.input = job_input(&w->job),
                                 .text = buf_str(&w->reply),
                                 .source = known ? buf_str(&w->said) : NULL,
                                 .from_ms = known ? w->from_ms : w->began_ms,
                                 .to_ms = known ? w->to_ms : now_ms(w)};

    make_way(w);
    add(w, &s);
    buf_clear(&w->said);
    buf_clear(&w->reply);
}

/* How far it has come, as its words tell. */
static void progress(struct words *w)
{
    bool shown = isatty(STDOUT_FILENO) && text_file(w) == NULL;
    const char *input = job_input(&w->job), *slash;
    char name[48];

    if (w->live || shown || !(w->seconds > 0 && w->seconds < SECONDS_MAX))
        return;
    slash = strrchr(input, '/');
    snprintf(name, sizeof name, "%s", slash != NULL ? slash + 1 : input);
    text_line(name);
    progress_seconds(&w->progress, name, w->to_ms / 1000, w->seconds);
}

/* --- events */

static void on_heard(struct words *w, const struct session_event *ev)
{
    struct captions_segment s = {.input = job_input(&w->job), .text = ev->text};
    struct err error;

    if (ev->text[0] == '\0')
        return;
    place(w, ev);
    s.from_ms = w->from_ms;
    s.to_ms = w->to_ms;
    if (w->task == BACKEND_TRANSCRIBE) {
        add(w, &s);
        return;
    }
    if (ev->late) { /* it is translated while it is spoken */
        check(w, w->scribing ? scribe_add_source(&w->scribe, &s, &error) : 0, &error);
        return;
    }
    buf_adds(&w->said, w->said.len > 0 ? " " : "");
    buf_adds(&w->said, ev->text);
    w->worded = true;
}

/* Whether a sentence is over, now that this follows. "3." may go on with "5". */
static bool sentence_over(const struct buf *b, const char *next)
{
    static const char *const ends[] = {".", "!", "?", "\u3002", "\uff01", "\uff1f"};
    const char *s = buf_str(b);
    size_t n = b->len;

    if (n > SENTENCE_MAX)
        return true;
    if (n > 1 && s[n - 1] == '.' && isdigit((unsigned char)s[n - 2]) &&
        isdigit((unsigned char)next[0]))
        return false;
    while (n > 0 && s[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t m = strlen(ends[i]);
        if (n >= m && memcmp(s + n - m, ends[i], m) == 0)
            return true;
    }
    return false;
}

/* Of a translation that has no turns, each sentence is a segment. */
static void on_text(struct words *w, const char *text)
{
    if (w->said.len == 0 && sentence_over(&w->reply, text))
        add_translation(w);
    if (w->reply.len == 0) {
        text += strspn(text, " \t\n");
        w->began_ms = now_ms(w);
    }
    buf_adds(&w->reply, text);
    show(w, buf_str(&w->reply));
}

static void on_audio(struct words *w, const struct session_event *ev)
{
    struct err error;

    w->spoken_ms += (double)ev->count * 1000 / ev->rate_hz;
    if (spoken_add(&w->spoken, ev, &error) < 0)
        job_fail(&w->job, &error);
}

/* How to end it, once it has begun. */
static void greet(const struct words *w)
{
    if (w->live && isatty(STDIN_FILENO))
        log_info(w->job.app->log, "speak; Ctrl-C ends%s",
                 options_has(w->job.app->options, OPT_NO_INPUT) ? "" : ", and so does Ctrl-D");
}

static void on_event(void *user, const struct session_event *ev)
{
    struct words *w = user;

    switch (ev->type) {
    case SESSION_READY:
        greet(w);
        break;
    case SESSION_HEARD_PART:
        if (w->task == BACKEND_TRANSCRIBE)
            show(w, ev->text);
        break;
    case SESSION_HEARD:
        on_heard(w, ev);
        progress(w);
        break;
    case SESSION_REPLY_TEXT:
        on_text(w, ev->text);
        break;
    case SESSION_REPLY_AUDIO:
        on_audio(w, ev);
        break;
    case SESSION_REPLY_DONE:
        add_translation(w);
        break;
    case SESSION_NOTICE:
    case SESSION_SPEECH:
    case SESSION_REPLY_SOUND:
    case SESSION_USAGE:
    case SESSION_LINK:
    case SESSION_ERROR:
        break;
    }
}

/* --- one input */

static int begin_scribing(struct words *w, struct err *e)
{
    const char *file = text_file(w);
    int rc = 0;

    if (!w->scribing)
        rc = scribe_open(&w->scribe, file, w->format, w->live ? SCRIBE_GROWING : SCRIBE_WHOLE,
                         w->force, e);
    w->scribing |= rc == 0;
    if (rc == 0 && w->live && file != NULL && isatty(STDOUT_FILENO) && w->screen.to == NULL)
        rc = scribe_open(&w->screen, NULL, CAPTIONS_TEXT, SCRIBE_GROWING, false, e);
    return rc;
}

static int begin(void *user, struct err *e)
{
    struct words *w = user;
    size_t recordings = w->live ? 0 : w->job.count;
    int rc;

    w->worded = false;
    buf_clear(&w->said);
    buf_clear(&w->reply);
    w->from_ms = w->to_ms = w->spoken_ms = 0;
    w->seconds = -1;
    progress_begin(&w->progress, w->job.app->log);
    spoken_begin(&w->spoken, sound_file(w), w->force);
    rc = outputs_check(text_file(w), w->force, w->job.inputs, recordings, e);
    if (rc == 0)
        rc = outputs_check(sound_file(w), w->force, w->job.inputs, recordings, e);
    return rc == 0 ? begin_scribing(w, e) : rc;
}

/* The last line of JSON for an input; where nothing was said, that is told. */
static void sum_up(struct words *w)
{
    bool silent = !w->worded && w->job.error.status == STATUS_DONE && !w->job.over && !w->live;
    struct err error;

    make_way(w);
    if (silent)
        log_warn(w->job.app->log, "no speech heard in '%s'", job_input(&w->job));
    if (w->scribing)
        check(w,
              scribe_end(&w->scribe, job_input(&w->job),
                         silent ? REPLY_NO_SPEECH : job_word(&w->job), job_reason(&w->job),
                         job_position_ms(&w->job), &error),
              &error);
}

static void close_text(struct words *w)
{
    bool incomplete = !w->live && (w->job.over || w->job.error.status != STATUS_DONE);
    struct err error;

    if (!w->scribing || text_file(w) == NULL)
        return;
    w->scribing = false;
    if (incomplete)
        scribe_abandon(&w->scribe);
    else if (scribe_close(&w->scribe, &error) < 0)
        job_fail(&w->job, &error);
}

static void opened(void *user, double seconds)
{
    ((struct words *)user)->seconds = seconds;
}

static void end(void *user)
{
    struct words *w = user;
    struct err error;

    if (w->reply.len > 0)
        add_translation(w);
    if (spoken_end(&w->spoken, w->job.index + 1 == w->job.count, &error) < 0)
        job_fail(&w->job, &error);
    sum_up(w);
    close_text(w);
}

static void cut_short(void *user)
{
    struct words *w = user;
    struct job *j = &w->job;
    struct err error;

    if (w->reply.len > 0)
        add_translation(w);
    if (w->live)
        (void)spoken_end(&w->spoken, true, &error);
    else
        spoken_cut_short(&w->spoken);
    if (j->signum == 0 && j->fatal.status == STATUS_DONE) {
        close_text(w);
        return;
    }
    for (; j->index < j->count; j->index++) {
        sum_up(w);
        close_text(w);
        j->error = (struct err){0};
    }
}

/* --- the command */

/* --format, --json, or what the file's ending says. */
static void choose_format(struct words *w, const char *file)
{
    const struct options *o = w->job.app->options;
    const char *dot = file != NULL ? strrchr(file, '.') : NULL;

    w->format = CAPTIONS_TEXT;
    if (options_has(o, OPT_FORMAT))
        (void)captions_find(&w->format, options_text(o, OPT_FORMAT));
    else if (options_has(o, OPT_JSON))
        w->format = CAPTIONS_JSONL;
    else if (dot != NULL && strchr(dot, '/') == NULL)
        (void)captions_find(&w->format, dot + 1);
}

static int check_usage(struct words *w, struct err *e)
{
    const struct options *o = w->job.app->options;
    const char *output = options_text(o, OPT_OUTPUT);
    bool cues = w->format == CAPTIONS_SRT || w->format == CAPTIONS_VTT;
    bool files = w->task == BACKEND_TRANSCRIBE && output != NULL && strcmp(output, "-") != 0;

    if (w->task == BACKEND_TRANSLATE && !options_has(o, OPT_TO))
        return err_set(e, STATUS_USAGE, -EINVAL, "translate into what? Say so: --to es");
    if (w->task == BACKEND_TRANSLATE && output != NULL && strcmp(output, "-") == 0)
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "stdout carries the text: name a file or a folder for the speech with -o");
    if (options_has(o, OPT_JSON) && w->format != CAPTIONS_JSONL)
        return err_set(e, STATUS_USAGE, -EINVAL, "--json and --format %s exclude each other",
                       options_text(o, OPT_FORMAT));
    if (cues && !files && w->job.count > 1)
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "several recordings do not fit into one stream of --format %s: name %s",
                       captions_ending(w->format),
                       w->task == BACKEND_TRANSCRIBE ? "a folder with -o" : "them one at a time");
    return job_check_stdin(&w->job, e);
}

static int plan(struct words *w, struct err *e)
{
    static const char *const microphone[] = {"microphone", NULL};
    const char *output = options_text(w->job.app->options, OPT_OUTPUT);
    const char *const *inputs = w->live ? microphone : w->job.inputs;
    bool text = w->task == BACKEND_TRANSCRIBE;
    int rc = outputs_plan(&w->texts, text ? output : NULL, captions_ending(w->format), inputs,
                          w->job.count, e);

    if (rc == 0)
        rc = outputs_plan(&w->sounds, text ? NULL : output, "wav", inputs, w->job.count, e);
    return rc;
}

static int open_session(void *user, struct session_config *c, struct err *e)
{
    struct words *w = user;

    c->half_duplex = options_has(w->job.app->options, OPT_HALF_DUPLEX);
    c->backend_config.task = w->task;
    c->backend_config.speak = w->play || options_text(w->job.app->options, OPT_OUTPUT) != NULL;
    c->backend_config.turn_detection = w->live || setup_is_remote(w->setup);
    c->sound.capture = w->live;
    c->sound.playback = w->play;
    if (w->task == BACKEND_TRANSCRIBE)
        c->backend_config.speak = false;
    return w->live && w->play ? setup_listening(&w->listening, &c->sound, w->setup->models, e) : 0;
}

static void prepare(struct words *w, const struct app *app, enum backend_task task)
{
    const struct options *o = app->options;

    job_operands(&w->job, app);
    w->task = task;
    w->live = o->operand_count == 0;
    if (w->live)
        w->job.inputs = NULL;
    w->job.where = true;
    w->force = options_has(o, OPT_FORCE);
    if (task == BACKEND_TRANSLATE)
        w->play = options_has(o, OPT_PLAY) ||
                  (w->live && !options_has(o, OPT_OUTPUT) && isatty(STDOUT_FILENO));
    choose_format(w, task == BACKEND_TRANSCRIBE ? options_text(o, OPT_OUTPUT) : NULL);
}

enum status words_run(const struct app *app, enum backend_task task, struct err *e)
{
    static const struct job_ops ops = {.open = open_session,
                                       .begin = begin,
                                       .opened = opened,
                                       .make_way = make_way,
                                       .event = on_event,
                                       .end = end,
                                       .cut_short = cut_short};
    struct words *w = calloc(1, sizeof *w);
    struct setup setup = {0};
    enum status status;

    if (w == NULL) {
        err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
        return STATUS_FAILED;
    }
    prepare(w, app, task);
    w->job.ops = &ops;
    w->job.user = w;
    if (check_usage(w, e) < 0 || plan(w, e) < 0 || setup_open(&setup, app, task, e) < 0) {
        status = e->status;
    } else {
        w->setup = &setup;
        status = job_run(&w->job, &setup, e);
    }
    scribe_abandon(&w->scribe);
    scribe_abandon(&w->screen);
    setup_listening_free(&w->listening);
    setup_close(&setup);
    outputs_free(w->texts, w->job.count);
    outputs_free(w->sounds, w->job.count);
    buf_free(&w->said);
    buf_free(&w->reply);
    free(w);
    return status;
}
