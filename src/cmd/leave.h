/* leave - the way out that waits for nobody. A thread may be in a read that never returns, or in
 * the middle of loading a model, which takes seconds and cannot be stopped; an ordinary exit would
 * wait for it, or pull the libraries away from under it. Whoever leaves has let go of what outlives
 * a process: files, sound device, terminal. */
#ifndef HULLO_CMD_LEAVE_H
#define HULLO_CMD_LEAVE_H

#include "cmd/cmd.h"

/* Prints the message of e, where there is one, and ends the process. Main thread. */
_Noreturn void leave_now(const struct app *app, enum status status, const struct err *e);

#endif
