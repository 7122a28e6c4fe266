/* json - JSON from strangers, read with types that are checked.
 * Thin functions over cJSON (its own printing and cJSON_Delete are used as they are). Reading never
 * fails on a wrong type: it answers what the caller said to answer then. Names are compared with
 * case. Every getter takes NULL in place of an object. Strings are as they were sent: text_clean
 * before they are shown. No state: any thread. */
#ifndef HULLO_UTIL_JSON_H
#define HULLO_UTIL_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <cJSON.h>

#include "util/buf.h"

enum {
    JSON_MAX_BYTES = 16 << 20,
    JSON_MAX_DEPTH = 64,      /* lists and objects inside one another */
    JSON_MAX_VALUES = 200000, /* a value costs about 100 bytes of memory */
};

/* Reads the one value that bytes[0..n) hold, white space around it allowed. *out is for
 * cJSON_Delete. 0, -EBADMSG when it is not JSON (or memory ran out on the way), -EMSGSIZE beyond
 * the limits above, -ENOMEM. */
int json_parse(cJSON **out, const char *bytes, size_t n);

/* Members of an object; a wrong type is the same as none. Borrowed from the object. */
const cJSON *json_get(const cJSON *object, const char *name);             /* or NULL */
const char *json_str(const cJSON *object, const char *name);              /* or NULL */
double json_num(const cJSON *object, const char *name, double otherwise); /* finite */
long long json_int(const cJSON *object, const char *name, long long low, long long high,
                   long long otherwise); /* whole, low to high */
bool json_bool(const cJSON *object, const char *name, bool otherwise);

/* A value deep inside: names and, for lists, numbers from 0, divided by dots, as in
 * "choices.0.delta.content". NULL when a step is missing. */
const cJSON *json_path(const cJSON *from, const char *path);

/* Adds a string, made valid UTF-8 without control bytes (text_clean). 0, -ENOMEM. */
int json_add_text(cJSON *object, const char *name, const char *text);

/* Prints a value on stdout as one line of JSON Lines, and frees it. Nothing is printed when out of
 * memory; whether stdout took it is for whoever flushes. */
void json_print_line(cJSON *value);

/* Appends s as a JSON string with its quotes, cleaned as above; a failure is b's. */
void json_quote(struct buf *b, const char *s);

#endif
