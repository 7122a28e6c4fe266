/* options - the one option table. It feeds the parser, --help, the configuration file, and the
 * check of the manual pages. An option is described once, in options.c; a command lists the ids
 * that it takes. A value comes from the command line, else from the environment variable that the
 * table names, else from the profile, else from the rest of the configuration file (conf/config.h
 * brings both), else from the table's default. One thread; strings are borrowed from argv, the
 * environment, the file or the table, but for what options_set keeps. */
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
    OPT_CONFIG,
    OPT_PROFILE,
    OPT_URL,
    OPT_DIALECT,
    OPT_EFFORT,
    OPT_SPEED,
    OPT_TURN_DETECTION,
    OPT_NOISE_REDUCTION,
    OPT_LANGUAGE,
    OPT_TO,
    OPT_DELAY,
    OPT_RETENTION,
    OPT_FORMAT,
    OPT_MAX_COST,
    OPT_MAX_MINUTES,
    OPT_IDLE_MINUTES,
    OPT_RECORD,
    OPT_RECORD_AUDIO,
    OPT_CACERT,
    OPT_COUNT,
};

enum option_type { OPTION_FLAG, OPTION_STRING, OPTION_NUMBER, OPTION_CHOICE };

/* Where a value came from; the later one wins, whatever the order they were given in. */
enum option_origin {
    ORIGIN_NONE,
    ORIGIN_DEFAULT,
    ORIGIN_FILE,
    ORIGIN_PROFILE,
    ORIGIN_ENVIRONMENT,
    ORIGIN_COMMAND_LINE,
    ORIGIN_CHANGED, /* while the program ran */
};

struct option_def {
    const char *name; /* long, without dashes */
    char letter;      /* short, or 0 */
    enum option_type type;
    bool config;                /* may stand in the configuration file */
    bool path;                  /* names a file */
    bool endpoint;              /* means something with a realtime endpoint only */
    const char *argument;       /* placeholder in --help: "FILE"; NULL for a flag */
    const char *help;           /* one line */
    const char *env;            /* variable that stands in for it, or NULL */
    const char *fallback;       /* value when nothing gives one, or NULL */
    double min, max;            /* of a number, inclusive */
    const char *const *choices; /* of a choice, NULL-terminated */
};

struct options {
    const char *text[OPT_COUNT]; /* "" for a flag that is set, NULL when there is no value */
    double number[OPT_COUNT];
    enum option_origin origin[OPT_COUNT];
    char *kept[OPT_COUNT];         /* values that options_set copied, or NULL */
    const enum option_id *allowed; /* what the command takes */
    const char **operands;         /* what is not an option, in order; NULL-terminated */
    size_t operand_count;
};

const struct option_def *option_def(enum option_id id);
enum option_id option_find(const char *name, size_t n); /* by its long name, or OPT_COUNT */

/* Whether `value` will do for an option; its number to *number (NULL is fine). `from` names where
 * the value stands, for the message. 0, or STATUS_USAGE with -EINVAL. */
int option_check(enum option_id id, const char *value, const char *from, double *number,
                 struct err *e);

/* Parses argv[0..argc), operands and options in any order, "--" ends the options; then come the
 * environment and the defaults. Takes only ids in `allowed` (ended by OPT_COUNT), and -h,
 * --version, -q and -v always. Errors are STATUS_USAGE and name what is near. */
int options_parse(struct options *o, int argc, char **argv, const enum option_id *allowed,
                  struct err *e);
void options_free(struct options *o);

bool options_takes(const struct options *o, enum option_id id); /* the command lists it */
bool options_has(const struct options *o, enum option_id id);   /* has a value, given or default */
const char *options_text(const struct options *o, enum option_id id); /* or NULL */
double options_number(const struct options *o, enum option_id id);
enum option_origin options_origin(const struct options *o, enum option_id id);

/* What a user would have to look at to change the value: "--voice", "HULLO_VOICE" or, where it
 * came from the file, "voice". */
const char *options_source(const struct options *o, enum option_id id, char *out, size_t size);

/* Offers a value from `origin`: it is checked, and taken unless the command does not take the
 * option or a stronger origin gave one. For a flag: true, yes or on, false, no or off. Errors as of
 * option_check. */
int options_offer(struct options *o, enum option_id id, const char *value,
                  enum option_origin origin, const char *from, struct err *e);

/* Changes a value while the program runs, by the option's long name. Refuses what options_parse
 * would refuse, and options that the command does not take; then *o is as it was. */
int options_set(struct options *o, const char *name, const char *value, struct err *e);

/* The lines of --help for these options, to `out`: those for realtime endpoints under a line of
 * their own. */
void options_help(const enum option_id *ids, FILE *out);

#endif
