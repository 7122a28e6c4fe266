/* err - what went wrong, told once, for people.
 * A function that can fail in a way that a user should read about takes a `struct err *` last.
 * Whoever knows the context fills it in with err_set; everyone above passes it on, and main prints
 * it. Wording: lower case, what failed, on what (in single quotes), why, what to do next. Threads:
 * a struct err belongs to one thread at a time. Nothing here allocates. */
#ifndef HULLO_UTIL_ERR_H
#define HULLO_UTIL_ERR_H

/* Exit statuses of the program; documented in hullo(1). */
enum status {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_AUTH = 3,
    STATUS_NETWORK = 4,
    STATUS_AUDIO = 5,
    STATUS_BUDGET = 6,
    STATUS_PARTLY = 7,
    STATUS_NO_MODEL = 8,
    STATUS_INTERRUPTED = 130,
    STATUS_TERMINATED = 143,
};

struct err {
    enum status
        status;     /* the exit status that this error stands for; STATUS_DONE when none was set */
    int code;       /* negative errno */
    char text[512]; /* the message, without a newline; control bytes already stripped */
};

/* Formats the message into *e (NULL is fine: nobody wants to know) and returns `code`, so that a
 * function can end with `return err_set(e, STATUS_FAILED, -EIO, "...")`. A later call replaces an
 * earlier one. */
int err_set(struct err *e, enum status status, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#ifdef __clang_analyzer__
/* The analyzer reads one file at a time and would not know what err_set returns. */
#define err_set(e, status, code, ...) ((void)(err_set)(e, status, code, __VA_ARGS__), (code))
#endif

#endif
