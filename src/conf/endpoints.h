/* endpoints - where a conversation goes: from the options and the configuration file to a list of
 * realtime endpoints with their keys, or to none, which means this machine.
 *
 * What makes it an endpoint, the first that holds:
 * - --url or --dialect on the command line: that one;
 * - the profile has endpoints: these, in the order of the file (unless --llm-url, --stt-url or
 *   --local-model on the command line asks for this machine);
 * - the model has a name that a dialect knows as its own ("gpt-realtime-2"), and nothing names a
 *   server or a model file for the local backend: that dialect's own server.
 * A key alone never does.
 *
 * The key is the one that the endpoint names a source for, else what the dialect's variable has,
 * else HULLO_API_KEY. The dialect's variable does not count for a URL whose dialect nobody named: a
 * provider's key is not sent to somebody else's server because that speaks the same way. No key,
 * and no header that looks like one, goes over an unencrypted link, except to this machine and to
 * private networks (conf/address.h). */
#ifndef HULLO_CONF_ENDPOINTS_H
#define HULLO_CONF_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/config.h"
#include "conf/endpoint.h"
#include "conf/options.h"
#include "util/err.h"
#include "util/log.h"

/* What has to be known of a dialect here. */
struct endpoint_dialect {
    const char *name;
    const char *key_env;       /* or NULL */
    const char *const *models; /* beginnings of names, ended by NULL; or NULL. "*" is anything */
    bool wants_url;            /* has no server of its own */
};

struct endpoints_config {
    const struct options *options;
    const struct config *config; /* or NULL */
    const struct log *log;
    /* Describes dialect i; false behind the last one. The first is the default. */
    bool (*dialect)(void *user, size_t i, struct endpoint_dialect *out);
    void *user;
};

struct endpoints;

/* Makes the list. Reads the keys, which may run commands and take seconds; the variables that keys
 * were in are gone then. An endpoint of several that has no key is left out with a warning.
 * STATUS_USAGE for what cannot be meant, STATUS_AUTH for a key that is not there. Strings are those
 * of the options and the file, which outlive *out. */
int endpoints_open(struct endpoints **out, const struct endpoints_config *config, struct err *e);
void endpoints_free(struct endpoints *p); /* wipes the keys; NULL is fine */

/* 0: local; of NULL as well */
const struct endpoint *endpoints_list(const struct endpoints *p, size_t *count);

/* Whether "Name: value" has a name that headers with secrets in them have. */
bool endpoints_secret_header(const char *header);

#endif
