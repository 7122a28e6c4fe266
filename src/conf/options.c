#include "conf/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const levels[] = {"low", "medium", "high", NULL};
static const char *const voices[] = {"auto", "piper", "flite", "espeak", NULL};
static const char *const cancellers[] = {"speex", "system", "off", NULL};

static const struct option_def table[OPT_COUNT] = {
    [OPT_HELP] = {.name = "help", .letter = 'h', .help = "show this help"},
    [OPT_VERSION] = {.name = "version", .help = "show the versions of hullo and its libraries"},
    [OPT_QUIET] = {.name = "quiet", .letter = 'q', .help = "only errors and warnings on stderr"},
    [OPT_VERBOSE] = {.name = "verbose", .letter = 'v', .help = "also debugging messages on stderr"},
    [OPT_JSON] = {.name = "json", .help = "results as JSON Lines on stdout"},
    [OPT_OUTPUT] = {.name = "output",
                    .letter = 'o',
                    .type = OPTION_STRING,
                    .argument = "FILE",
                    .help = "reply as speech: a file, a folder, or - for stdout"},
    [OPT_PLAY] = {.name = "play", .help = "speak the reply through the loudspeaker"},
    [OPT_FORCE] = {.name = "force", .help = "replace an existing output file"},
    [OPT_RATE] = {.name = "rate",
                  .type = OPTION_NUMBER,
                  .argument = "HZ",
                  .min = 1000,
                  .max = 768000,
                  .help = "input is raw: 16-bit little-endian mono at HZ"},
    [OPT_SYSTEM] = {.name = "system",
                    .letter = 's',
                    .type = OPTION_STRING,
                    .argument = "TEXT",
                    .env = "HULLO_SYSTEM",
                    .help = "system prompt: who the assistant is, how it answers"},
    [OPT_MODEL] = {.name = "model",
                   .letter = 'm',
                   .type = OPTION_STRING,
                   .argument = "NAME",
                   .env = "HULLO_MODEL",
                   .help = "language model: of `hullo models`, or of the server"},
    [OPT_LOCAL_MODEL] = {.name = "local-model",
                         .type = OPTION_STRING,
                         .argument = "PATH",
                         .env = "HULLO_LOCAL_MODEL",
                         .help = "language model: a GGUF file of your own"},
    [OPT_LLM_URL] = {.name = "llm-url",
                     .type = OPTION_STRING,
                     .argument = "URL",
                     .env = "HULLO_LLM_URL",
                     .help = "OpenAI-compatible language model: gets your words"},
    [OPT_STT_URL] = {.name = "stt-url",
                     .type = OPTION_STRING,
                     .argument = "URL",
                     .env = "HULLO_STT_URL",
                     .help = "OpenAI-compatible speech-to-text: gets your voice"},
    [OPT_VOICE] = {.name = "voice",
                   .type = OPTION_CHOICE,
                   .argument = "NAME",
                   .env = "HULLO_VOICE",
                   .fallback = "auto",
                   .choices = voices,
                   .help = "voice of the reply"},
    [OPT_MAX_TOKENS] = {.name = "max-tokens",
                        .type = OPTION_NUMBER,
                        .argument = "N",
                        .fallback = "256",
                        .min = 1,
                        .max = 4096,
                        .help = "longest reply, in tokens"},
    [OPT_EAGERNESS] = {.name = "eagerness",
                       .type = OPTION_CHOICE,
                       .argument = "LEVEL",
                       .fallback = "medium",
                       .choices = levels,
                       .help = "how soon your turn ends"},
    [OPT_AUDIO] = {.name = "audio",
                   .type = OPTION_STRING,
                   .argument = "DRIVER[:ARG]",
                   .env = "HULLO_AUDIO",
                   .fallback = "portaudio",
                   .help = "sound driver: portaudio, file or null"},
    [OPT_INPUT_DEVICE] = {.name = "input-device",
                          .type = OPTION_STRING,
                          .argument = "NAME",
                          .env = "HULLO_INPUT_DEVICE",
                          .help = "microphone, by name or part of it"},
    [OPT_OUTPUT_DEVICE] = {.name = "output-device",
                           .type = OPTION_STRING,
                           .argument = "NAME",
                           .env = "HULLO_OUTPUT_DEVICE",
                           .help = "loudspeaker, by name or part of it"},
    [OPT_AEC] = {.name = "aec",
                 .type = OPTION_CHOICE,
                 .argument = "NAME",
                 .env = "HULLO_AEC",
                 .fallback = "speex",
                 .choices = cancellers,
                 .help = "who takes the echo out"},
    [OPT_SENSITIVITY] = {.name = "sensitivity",
                         .type = OPTION_CHOICE,
                         .argument = "LEVEL",
                         .env = "HULLO_SENSITIVITY",
                         .fallback = "medium",
                         .choices = levels,
                         .help = "how easily you interrupt"},
    [OPT_HALF_DUPLEX] = {.name = "half-duplex",
                         .help = "microphone rests while hullo speaks; keys stop it"},
    [OPT_PUSH_TO_TALK] = {.name = "push-to-talk",
                          .help = "microphone is off but between two presses of Tab"},
    [OPT_NO_INPUT] = {.name = "no-input",
                      .help = "never ask; in chat, no written turns from stdin"},
    [OPT_YES] = {.name = "yes", .letter = 'y', .help = "fetch missing models without asking"},
};

static const enum option_id always[] = {OPT_HELP, OPT_VERSION, OPT_QUIET, OPT_VERBOSE, OPT_COUNT};

const struct option_def *option_def(enum option_id id)
{
    return &table[id];
}

static bool listed(const enum option_id *ids, enum option_id id)
{
    for (; *ids != OPT_COUNT; ids++)
        if (*ids == id)
            return true;
    return false;
}

static bool is_choice(const struct option_def *d, const char *value)
{
    for (const char *const *c = d->choices; *c != NULL; c++)
        if (strcmp(*c, value) == 0)
            return true;
    return false;
}

static int bad_choice(const struct option_def *d, const char *value, const char *from,
                      struct err *e)
{
    char all[128] = "";
    size_t n = 0;

    for (const char *const *c = d->choices; *c != NULL && n < sizeof all; c++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "", *c);
    return err_set(e, STATUS_USAGE, -EINVAL, "%s takes one of %s, not '%s'", from, all, value);
}

/* Stores a value after checking it; `from` names its source for the message. */
static int set(struct options *o, enum option_id id, const char *value, const char *from,
               struct err *e)
{
    const struct option_def *d = &table[id];

    if (d->type == OPTION_CHOICE && !is_choice(d, value))
        return bad_choice(d, value, from, e);
    if (d->type == OPTION_NUMBER) {
        char *end;
        double x = strtod(value, &end);
        if (end == value || *end != '\0' || !isfinite(x) || x < d->min || x > d->max)
            return err_set(e, STATUS_USAGE, -EINVAL, "%s takes a number from %g to %g, not '%s'",
                           from, d->min, d->max, value);
        o->number[id] = x;
    }
    o->text[id] = value;
    return 0;
}

static enum option_id find_long(const char *name, size_t n)
{
    for (int id = 0; id < OPT_COUNT; id++)
        if (strlen(table[id].name) == n && memcmp(table[id].name, name, n) == 0)
            return (enum option_id)id;
    return OPT_COUNT;
}

static enum option_id find_letter(char c)
{
    for (int id = 0; id < OPT_COUNT; id++)
        if (table[id].letter == c)
            return (enum option_id)id;
    return OPT_COUNT;
}

struct parser {
    struct options *o;
    const enum option_id *allowed;
    int argc, next;
    char **argv;
};

/* One option, named as the user wrote it; `inside` is a value from the same word, or NULL. */
static int take(struct parser *p, enum option_id id, const char *as, const char *inside,
                struct err *e)
{
    if (id == OPT_COUNT)
        return err_set(e, STATUS_USAGE, -EINVAL, "unknown option '%s'; see --help", as);
    if (!listed(always, id) && !listed(p->allowed, id))
        return err_set(e, STATUS_USAGE, -EINVAL, "option '%s' means nothing here; see --help", as);
    if (table[id].type == OPTION_FLAG) {
        if (inside != NULL)
            return err_set(e, STATUS_USAGE, -EINVAL, "option '%s' takes no value", as);
        p->o->text[id] = "";
        return 0;
    }
    if (inside == NULL) {
        if (p->next >= p->argc)
            return err_set(e, STATUS_USAGE, -EINVAL, "option '%s' needs a value: %s", as,
                           table[id].argument);
        inside = p->argv[p->next++];
    }
    return set(p->o, id, inside, as, e);
}

static int take_long(struct parser *p, const char *word, struct err *e)
{
    const char *eq = strchr(word, '=');
    size_t n = eq != NULL ? (size_t)(eq - word) : strlen(word);
    char as[64];

    snprintf(as, sizeof as, "%.*s", (int)(n < sizeof as ? n : sizeof as - 1), word);
    return take(p, find_long(word + 2, n - 2), as, eq != NULL ? eq + 1 : NULL, e);
}

static int take_letters(struct parser *p, const char *word, struct err *e)
{
    for (const char *c = word + 1; *c != '\0'; c++) {
        char as[3] = {'-', *c, '\0'};
        enum option_id id = find_letter(*c);
        bool rest = id != OPT_COUNT && table[id].type != OPTION_FLAG && c[1] != '\0';
        int rc = take(p, id, as, rest ? c + 1 : NULL, e);
        if (rc < 0 || rest)
            return rc;
    }
    return 0;
}

/* Environment and defaults, for what the command line did not say. */
static int fill_in(struct options *o, const enum option_id *allowed, struct err *e)
{
    for (; *allowed != OPT_COUNT; allowed++) {
        const struct option_def *d = &table[*allowed];
        const char *env = d->env != NULL ? getenv(d->env) : NULL;
        int rc = 0;
        if (o->text[*allowed] != NULL)
            continue;
        if (env != NULL && env[0] != '\0')
            rc = set(o, *allowed, env, d->env, e);
        else if (d->fallback != NULL)
            rc = set(o, *allowed, d->fallback, d->name, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int options_parse(struct options *o, int argc, char **argv, const enum option_id *allowed,
                  struct err *e)
{
    struct parser p = {.o = o, .allowed = allowed, .argc = argc, .argv = argv};
    bool ended = false;
    int rc = 0;

    memset(o, 0, sizeof *o);
    o->operands = calloc((size_t)argc + 1, sizeof *o->operands);
    if (o->operands == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    while (p.next < argc && rc == 0) {
        const char *word = argv[p.next++];
        if (ended || word[0] != '-' || word[1] == '\0')
            o->operands[o->operand_count++] = word;
        else if (strcmp(word, "--") == 0)
            ended = true;
        else if (word[1] == '-')
            rc = take_long(&p, word, e);
        else
            rc = take_letters(&p, word, e);
    }
    if (rc == 0)
        rc = fill_in(o, allowed, e);
    if (rc < 0)
        options_free(o);
    return rc;
}

void options_free(struct options *o)
{
    free(o->operands);
    memset(o, 0, sizeof *o);
}

bool options_has(const struct options *o, enum option_id id)
{
    return o->text[id] != NULL;
}

const char *options_text(const struct options *o, enum option_id id)
{
    return o->text[id];
}

double options_number(const struct options *o, enum option_id id)
{
    return o->number[id];
}

static void help_line(enum option_id id, FILE *out)
{
    const struct option_def *d = &table[id];
    char left[64];

    snprintf(left, sizeof left, "%c%c%s --%s%s%s", d->letter ? '-' : ' ',
             d->letter ? d->letter : ' ', d->letter ? "," : " ", d->name, d->argument ? " " : "",
             d->argument ? d->argument : "");
    fprintf(out, "  %-24s  %s", left, d->help);
    if (d->choices != NULL) {
        fputs(" (", out);
        for (const char *const *c = d->choices; *c != NULL; c++)
            fprintf(out, "%s%s", c == d->choices ? "" : "|", *c);
        fputs(")", out);
    }
    if (d->fallback != NULL)
        fprintf(out, " [%s]", d->fallback);
    fputc('\n', out);
}

void options_help(const enum option_id *ids, FILE *out)
{
    for (; *ids != OPT_COUNT; ids++)
        help_line(*ids, out);
    /* What every command takes, in two lines: a command's help fits a screen. */
    fputs("  -h --help, --version      show help, or the versions of hullo and libraries\n"
          "  -q --quiet, -v --verbose  only errors and warnings, or debugging messages too\n",
          out);
}
