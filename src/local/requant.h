/* requant - a language model in a form that is read faster: Q4_0, kept in the user's cache.
 * Rows whose length is no multiple of 256 cannot be K-quantised; such files hold Q5_0 there, which
 * has no fast kernel on most CPUs. Needs HULLO_LOCAL. Blocking, for engine threads. */
#ifndef HULLO_LOCAL_REQUANT_H
#define HULLO_LOCAL_REQUANT_H

#include "util/log.h"

/* Where the copy of a file is or would be, malloc'd: the name holds the size and the time of the
 * file, so that a copy never stands for another file. -ENOENT, -ENOMEM. */
int requant_path(char **out, const char *file);

/* The path of the copy, malloc'd; made first when it is not there: some seconds and as many bytes
 * as the file has, told in the log. NULL when the file is best read as it is, or when no copy could
 * be made (no room, no folder to write in): then only speed is lost. */
char *requant_copy(const char *file, int threads, const struct log *log);

#endif
