/* syntax - how the configuration file is written, without what it means.
 *
 *     # a comment, to the end of the line
 *     name = value
 *     name = {value, value}
 *     section title { name = value  section { ... } }
 *
 * A value is a bare word or stands in "double" or 'single' quotes. In double quotes \" \\ \n and \t
 * stand for what they do in C; in single quotes nothing is special. Nothing is ever expanded or
 * included. White space and line ends only separate. The bytes are a stranger's: whatever they
 * are, the answer is a tree or an error that names file and line. No state; any thread. */
#ifndef HULLO_CONF_SYNTAX_H
#define HULLO_CONF_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

enum {
    SYNTAX_MAX_BYTES = 256 << 10,
    SYNTAX_MAX_DEPTH = 8, /* sections inside one another */
};

/* Items stand in the order of the file, a section before what is in it. What is in a section is
 * items[i + 1 .. items[i].end), and each of these is followed by items[its .end]. */
struct syntax_item {
    bool section;
    const char *name;
    const char *text; /* the value; of a section its title, or NULL; never NULL for a value */
    unsigned line;    /* of the name, from 1 */
    size_t end;       /* index behind it and all that is in it */
};

/* A list of n values is n items of one name on one line; an empty list is none. */
struct syntax {
    struct syntax_item *items;
    size_t count;
    char *strings; /* what name and text point into */
    size_t bytes;  /* of strings */
};

/* Reads bytes[0..n). `file` is for messages. 0, or STATUS_USAGE with -EINVAL, or -ENOMEM; after an
 * error *out is empty. */
int syntax_parse(struct syntax *out, const char *bytes, size_t n, const char *file, struct err *e);
void syntax_free(struct syntax *s); /* wipes what was in it: there may be keys among it */

#endif
