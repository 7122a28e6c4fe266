/* cmd - what a subcommand is. One file per subcommand, each a const table entry that the registry
 * lists. A command runs on the main thread, prints results on stdout and everything else through
 * the log, and returns an exit status. When it fails as a whole it fills in *e, which main prints;
 * trouble with one of several inputs it logs itself and goes on. */
#ifndef HULLO_CMD_CMD_H
#define HULLO_CMD_CMD_H

#include "audio/audio.h"
#include "backend/backend.h"
#include "conf/config.h"
#include "conf/options.h"
#include "util/err.h"
#include "util/log.h"

struct app;

struct command {
    const char *name;
    const char *summary;           /* one line, for the list of commands */
    const char *operands;          /* "[FILE ...]" */
    const char *about;             /* a few lines for --help */
    const enum option_id *options; /* ended by OPT_COUNT */
    enum status (*run)(const struct app *app, struct err *e);
};

/* Everything that can be chosen by name. Arrays end with NULL; the first entry is the default. */
struct registry {
    const struct command *const *commands;
    const struct audio_driver *const *audio;
    const struct backend_kind *const *backends;
};

struct app {
    const struct registry *registry;
    const struct log *log;
    struct options *options;     /* a conversation may change some (slash.h) */
    const struct config *config; /* NULL for a command that does not take OPT_CONFIG */
};

extern const struct registry registry;

#endif
