/* secret - a key: where it comes from, and keeping it to ourselves.
 * It is held in memory that is overwritten when it is freed. From the first one on, the process
 * leaves no core dump and other processes of the same user cannot look into it (os_keep_private). A
 * key is one word of printable ASCII, so that it fits into a header as it is. Messages name where a
 * key was looked for and never what was found there. `whose` begins them: "endpoint 'work'". All
 * errors but -ENOMEM are STATUS_AUTH. Main thread, before others have been started. */
#ifndef HULLO_CONF_SECRET_H
#define HULLO_CONF_SECRET_H

#include "util/err.h"

struct secret;

enum { SECRET_COMMAND_MS = 10000, SECRET_MAX_BYTES = 8192 };

/* From an environment variable. -ENOENT when it is not set or empty. */
int secret_from_env(struct secret **out, const char *variable, const char *whose, struct err *e);

/* Overwrites the variable's value and removes it, so that programs that are started do not inherit
 * it. */
void secret_forget_env(const char *variable);

/* From the first line that `/bin/sh -c command` prints; what it says on stderr is shown, stdin is
 * empty. It must end by itself, well, within limit_ms: it is waited for. */
int secret_from_command(struct secret **out, const char *command, int limit_ms, const char *whose,
                        struct err *e);

/* From the first line of a regular file that belongs to the user and that nobody else may read or
 * write. */
int secret_from_file(struct secret **out, const char *file, const char *whose, struct err *e);

const char *secret_text(const struct secret *s);
void secret_free(struct secret *s); /* NULL is fine */

#endif
