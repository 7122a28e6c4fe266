#include "cmd/leave.h"

#include <stdio.h>
#include <unistd.h>

_Noreturn void leave_now(const struct app *app, enum status status, const struct err *e)
{
    if (e->text[0] != '\0')
        log_error(app->log, "%s", e->text);
    fflush(stdout);
    _exit((int)status);
}
