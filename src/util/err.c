#include "util/err.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/text.h"

#undef err_set
int err_set(struct err *e, enum status status, int code, const char *fmt, ...)
{
    if (e != NULL) {
        va_list ap;
        e->status = status;
        e->code = code;
        va_start(ap, fmt);
        vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
        text_line(e->text); /* a file's name may hold what would make two of it */
    }
    return code;
}
