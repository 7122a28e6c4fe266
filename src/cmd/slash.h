/* slash - lines of a conversation that change a setting instead of being said: "/effort high". The
 * names and values are those of the command line. Pure but for the options that it changes. */
#ifndef HULLO_CMD_SLASH_H
#define HULLO_CMD_SLASH_H

#include <stdbool.h>

#include "conf/options.h"

/* A line that begins with one slash; "//..." is a line that begins with a slash. */
bool slash_is_setting(const char *line);

/* Takes "/NAME VALUE" into the options. 0, or STATUS_USAGE: no such setting (lists those there
 * are), or one that cannot change in mid-conversation, or not to that. */
int slash_take(struct options *o, const char *line, struct err *e);

#endif
