/* options - the one option table. It feeds the parser, --help, and the check of the manual pages.
 * An option is described once, here in options.c; a command lists the ids that it takes. Values
 * come from the command line, else from the environment variable that the table names, else from
 * the table's default. One thread; strings are borrowed from argv, the environment or the table. */
#ifndef HULLO_CONF_OPTIONS_H
#define HULLO_CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "util/err.h"

enum option_id {
    OPT_HELP,
    OPT_VERSION,
    OPT_QUIET,
    OPT_VERBOSE,
    OPT_JSON,
    OPT_OUTPUT,
    OPT_PLAY,
    OPT_FORCE,
    OPT_RATE,
    OPT_SYSTEM,
    OPT_MODEL,
    OPT_LOCAL_MODEL,
    OPT_LLM_URL,
    OPT_STT_URL,
    OPT_VOICE,
    OPT_MAX_TOKENS,
    OPT_EAGERNESS,
    OPT_AUDIO,
    OPT_INPUT_DEVICE,
    OPT_OUTPUT_DEVICE,
    OPT_AEC,
    OPT_SENSITIVITY,
    OPT_HALF_DUPLEX,
    OPT_PUSH_TO_TALK,
    OPT_NO_INPUT,
    OPT_YES,
    OPT_COUNT,
};

enum option_type { OPTION_FLAG, OPTION_STRING, OPTION_NUMBER, OPTION_CHOICE };

struct option_def {
    const char *name; /* long, without dashes */
    char letter;      /* short, or 0 */
    enum option_type type;
    const char *argument;       /* placeholder in --help: "FILE"; NULL for a flag */
    const char *help;           /* one line */
    const char *env;            /* variable that stands in for it, or NULL */
    const char *fallback;       /* value when neither gives one, or NULL */
    double min, max;            /* of a number, inclusive */
    const char *const *choices; /* of a choice, NULL-terminated */
};

struct options {
    const char *text[OPT_COUNT]; /* "" for a flag that is set, NULL when there is no value */
    double number[OPT_COUNT];
    const char **operands; /* what is not an option, in order; NULL-terminated */
    size_t operand_count;
};

const struct option_def *option_def(enum option_id id);

/* Parses argv[0..argc), operands and options in any order, "--" ends the options. Takes only ids in
 * `allowed` (ended by OPT_COUNT), and -h, --version, -q and -v always. Errors are STATUS_USAGE and
 * name what is near. */
int options_parse(struct options *o, int argc, char **argv, const enum option_id *allowed,
                  struct err *e);
void options_free(struct options *o);

bool options_has(const struct options *o, enum option_id id); /* has a value, given or default */
const char *options_text(const struct options *o, enum option_id id); /* or NULL */
double options_number(const struct options *o, enum option_id id);

/* The lines of --help for these options, to `out`. */
void options_help(const enum option_id *ids, FILE *out);

#endif
