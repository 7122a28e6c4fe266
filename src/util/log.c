#include "util/log.h"

#include <stdarg.h>
#include <stdlib.h>

#include "util/text.h"

void log_say(const struct log *l, enum log_level level, const char *fmt, ...)
{
    static const char *const prefix[] = {"hullo: ", "hullo: warning: ", "", "hullo: debug: "};
    char line[2048];
    va_list ap;

    if (l == NULL || l->to == NULL || level > l->level)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    text_line(line);
    /* One call, so that lines of several threads do not mix. */
    fprintf(l->to, "%s%s\n", prefix[level], line);
    fflush(l->to);
}
