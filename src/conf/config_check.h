/* config_check - whether a configuration file that is well written says anything that can be meant.
 * For config.c alone, which relies on it for all that it reads from the tree. Pure; any thread. */
#ifndef HULLO_CONF_CONFIG_CHECK_H
#define HULLO_CONF_CONFIG_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/syntax.h"
#include "util/err.h"

enum {
    CONFIG_MAX_PROFILES = 64,
    CONFIG_MAX_ENDPOINTS = 16, /* of a profile */
    CONFIG_MAX_HEADERS = 32,   /* of an endpoint */
    CONFIG_MAX_EVENTS = 64,    /* of an endpoint */
};

/* The word that stands for no profile. */
#define CONFIG_NO_PROFILE "local"

/* What an endpoint section may say, once each. */
struct config_key {
    const char *name;
    size_t offset; /* in struct config_endpoint; or CONFIG_VALUE: it is for the dialect */
    bool path;     /* names a file */
};
#define CONFIG_VALUE ((size_t)-1)

extern const struct config_key config_keys[];
enum { CONFIG_KEYS = 15 };

size_t config_key(const char *name); /* index, or CONFIG_KEYS */

/* `file` is for messages. 0, or STATUS_USAGE with -EINVAL. */
int config_check(const struct syntax *text, const char *file, struct err *e);

#endif
