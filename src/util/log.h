/* log - messages for people, on stderr.
 * A handle that is passed down; nobody prints to stderr by other means. Each message is one line,
 * lower case, printf checked, stripped of control bytes, never a secret. Safe from any thread
 * except the audio callback. */
#ifndef HULLO_UTIL_LOG_H
#define HULLO_UTIL_LOG_H

#include <stdio.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
    enum log_level
        level; /* messages above it are dropped: -q is LOG_WARN, default LOG_INFO, -v LOG_DEBUG */
    FILE *to;  /* stderr; NULL is silence */
};

void log_say(const struct log *l, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(l, ...) log_say((l), LOG_ERROR, __VA_ARGS__) /* prefix "hullo: " */
#define log_warn(l, ...)  log_say((l), LOG_WARN, __VA_ARGS__)  /* prefix "hullo: warning: " */
#define log_info(l, ...)  log_say((l), LOG_INFO, __VA_ARGS__)  /* no prefix */
#define log_debug(l, ...) log_say((l), LOG_DEBUG, __VA_ARGS__) /* prefix "hullo: debug: " */

#endif
