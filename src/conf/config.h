/* config - the user's configuration file: habits, and profiles with realtime endpoints.
 *
 *     voice = "marin"                          an option, under its long name
 *     profile = work                           the profile when none is asked for
 *     profile work {
 *         effort = low
 *         endpoint azure { url = "wss://..." dialect = azure api_key_env = AZURE_KEY }
 *         endpoint home { url = "ws://..." dialect = localai events { ... } }
 *     }
 *
 * conf/syntax.h has the form, hullo-config(5) the settings. The file is
 * $XDG_CONFIG_HOME/hullo/config, or the one of --config or HULLO_CONFIG. That is the only one: a
 * file of a project, in the folder that the program is started in, is not read, because a
 * repository that somebody cloned must not be able to send a microphone elsewhere, or to run
 * api_key_command.
 *
 * Everything in the file is checked when it is read, by the code that checks the command line, also
 * what this command or profile does not use; errors are STATUS_USAGE and name file and line. One
 * thread. */
#ifndef HULLO_CONF_CONFIG_H
#define HULLO_CONF_CONFIG_H

#include <stddef.h>

#include "conf/endpoint.h"
#include "conf/options.h"
#include "util/err.h"

struct config;

/* One `endpoint` section, as it is written; NULL is what it does not say. */
struct config_endpoint {
    const char *name;
    const char *url, *dialect, *model, *voice, *cacert;
    const char *key_env, *key_command, *key_file; /* at most one of them */
    const char *const *headers;                   /* "Name: value", NULL-terminated; never NULL */
    const struct endpoint_value *values; /* for the dialect; an event's name is "events.NAME" */
    size_t value_count;
};

/* Finds, reads and checks the file, which may be missing unless it was named, and offers the
 * options what it says: the chosen profile first, then what stands outside of profiles. Strings
 * that the options take are the file's: *out is freed after them. */
int config_load(struct config **out, struct options *o, struct err *e);

/* The two halves of it, without a disk. `file` is for messages, and is copied. */
int config_parse(struct config **out, const char *bytes, size_t n, const char *file, struct err *e);
int config_apply(struct config *c, struct options *o, struct err *e);

void config_free(struct config *c); /* NULL is fine */

const char *config_profile(const struct config *c); /* the one that was applied, or NULL */

/* The endpoints of that profile, in the order of the file. */
const struct config_endpoint *config_endpoints(const struct config *c, size_t *count);

#endif
