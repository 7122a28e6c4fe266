/* endpoint - where a realtime endpoint is and how one gets in: what the command line, the
 * environment and the config file say, resolved. Who reads the config makes them and owns them. */
#ifndef HULLO_CONF_ENDPOINT_H
#define HULLO_CONF_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

/* A value for a template of the dialect ("region"), or what the generic dialect is made of
 * ("session", "events.audio_delta"; realtime/dialect.h lists them). */
struct endpoint_value {
    const char *name, *value;
};

struct endpoint {
    const char *name;           /* for people: as in the config, or the dialect's */
    const char *dialect;        /* as in --dialect */
    const char *url;            /* NULL: the dialect's own */
    const char *model;          /* NULL: the dialect's own */
    const char *voice;          /* that goes before the settings' one; NULL: none does */
    const char *key;            /* a secret; NULL: none is sent */
    const char *cacert;         /* NULL: the system's */
    const char *const *headers; /* besides: "Name: value", NULL-terminated; NULL: none; secrets */
    const struct endpoint_value *values;
    size_t value_count;
    bool open; /* what is said can be heard on the way */
};

#endif
