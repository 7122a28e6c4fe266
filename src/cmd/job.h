/* job - a session at work until all is done: on recordings, one after the other, or on the
 * microphone until somebody stops it. It has the loop, signals, reading, the budget, what failed,
 * and the exit status; the command says what becomes of what the session tells. Main thread.
 *
 * Recordings: a signal ends the job at once. The microphone: a signal, Ctrl-D or a spent budget end
 * it politely: nothing more is captured, and what is due still comes, for at most two seconds; a
 * second signal ends it at once. */
#ifndef HULLO_CMD_JOB_H
#define HULLO_CMD_JOB_H

#include "cmd/budget.h"
#include "cmd/cmd.h"
#include "cmd/feed.h"
#include "cmd/patience.h"
#include "cmd/setup.h"
#include "session/session.h"
#include "ui/stop.h"

struct job_ops {
    /* Fills in what this command wants of the session, beyond setup_session. */
    int (*open)(void *user, struct session_config *c, struct err *e);

    /* The next recording, or the microphone, begins. An error is that of this input. */
    int (*begin)(void *user, struct err *e);

    /* It is open: of so many seconds, -1 when only reading it can tell. NULL: nobody cares. */
    void (*opened)(void *user, double seconds);

    /* Something is about to be logged. NULL: it is welcome at any time. */
    void (*make_way)(void *user);

    /* READY, NOTICE, LINK and ERROR are logged already. */
    void (*event)(void *user, const struct session_event *ev);

    /* Nothing more comes of the input, or it has failed (error). It may fail here. */
    void (*end)(void *user);

    /* The job is over before this input is done: in place of end. Then index goes through the
     * inputs behind it that were never begun. */
    void (*cut_short)(void *user);
};

struct job {
    /* the command's */
    const struct app *app;
    const struct job_ops *ops;
    void *user;
    const char *const *inputs; /* recordings; NULL: the microphone */
    size_t count;              /* of inputs, 1 for the microphone */
    int raw_hz;                /* of recordings without a header; 0: they have one */
    bool where;                /* it is always told where the sound goes */

    /* anybody's to read */
    uv_loop_t loop;
    struct session *session;
    size_t index;     /* of the input in hand */
    struct err error; /* of that; .status is STATUS_DONE while all is well */
    struct err fatal; /* of the job */
    bool over;        /* nothing more is wanted: a signal, an error, a reader who has gone */
    int signum;

    /* its own */
    struct stop stop;
    uv_timer_t timer;
    uv_poll_t keys; /* Ctrl-D at a terminal */
    bool has_keys;
    struct feed feed;
    struct budget budget;
    struct patience patience;
    struct err spent;
    bool ready;       /* the models are loaded */
    bool ending;      /* the microphone is closed */
    bool committed;   /* all of the input was heard */
    unsigned replies; /* that are still due */
    size_t failed;
    enum status first_failure;
    int64_t began_ns, opened_ns;
};

/* Runs it. The exit status, with *e. Where something hangs that nobody can stop, it does not return
 * but ends the process (leave.h), after cut_short. */
enum status job_run(struct job *j, const struct setup *setup, struct err *e);

/* "stdin" for "-", NULL for the microphone. */
const char *job_input(const struct job *j);

/* How much of the input was heard: of a recording what was read, of the microphone since it was
 * opened. */
double job_position_ms(const struct job *j);

/* The input in hand has failed: logged, and kept for the exit status. Work on it goes on. */
void job_fail(struct job *j, const struct err *error);

void job_leave(struct job *j); /* nothing more is wanted */

/* What was written to stdout goes out. Who reads it may have had enough: then so have we, unless
 * there are results that go `elsewhere`. */
void job_flush(struct job *j, bool elsewhere);

/* Why an input is not done, as a word for --json, and in words (NULL). no_speech: what error's code
 * is for an input in which nobody spoke. */
const char *job_word(const struct job *j);
const char *job_reason(const struct job *j);

/* The inputs of a command line: its operands, or stdin. */
void job_operands(struct job *j, const struct app *app);

/* Refuses to wait for a recording from a terminal. */
int job_check_stdin(const struct job *j, struct err *e);

#endif
