/* checkup - what a conversation needs besides sound: models, settings, folders, servers. Each part
 * adds its findings; none names a path or a key, so that they can be shown to anybody. Main thread;
 * blocks, on a server for some seconds. */
#ifndef HULLO_CMD_CHECKUP_H
#define HULLO_CMD_CHECKUP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "cmd/cmd.h"
#include "cmd/findings.h"

/* Whether there is a model in each role that the options leave to this machine, and whether it is
 * what it should be (its files are read only where that was never done). remote: with a realtime
 * endpoint, which leaves it little. */
void checkup_models(struct findings *f, const struct app *app, bool remote);

/* The environment's variables that count, those that mean nothing, what the configuration file
 * says that counts, and folders that cannot be written to. */
void checkup_settings(struct findings *f, const struct app *app);

/* Asks the servers of --llm-url and --stt-url for their models; nothing is added when there is
 * none. *cancel gives up. */
void checkup_servers(struct findings *f, const struct app *app, const atomic_int *cancel);

#endif
