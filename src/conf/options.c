#include "conf/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conf/near.h"

static const char *const levels[] = {"low", "medium", "high", NULL};
static const char *const cancellers[] = {"speex", "system", "off", NULL};
static const char *const tiers[] = {"minimal", "low", "medium", "high", "xhigh", NULL};
static const char *const detectors[] = {"server", "semantic", "client", NULL};
static const char *const fields[] = {"near", "far", "off", NULL};
static const char *const formats[] = {"text", "jsonl", "srt", "vtt", NULL};

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
                    .help = "result into a file, a folder, or - for stdout"},
    [OPT_PLAY] = {.name = "play", .help = "speak it through the loudspeaker"},
    [OPT_FORCE] = {.name = "force", .help = "replace an existing output file"},
    [OPT_RATE] = {.name = "rate",
                  .type = OPTION_NUMBER,
                  .argument = "HZ",
                  .min = 1000,
                  .max = 768000,
                  .help = "input is raw: 16-bit little-endian mono at HZ"},
    [OPT_SYSTEM] = {.name = "system",
                    .config = true,
                    .letter = 's',
                    .type = OPTION_STRING,
                    .argument = "TEXT",
                    .env = "HULLO_SYSTEM",
                    .help = "system prompt: who the assistant is, how it answers"},
    [OPT_MODEL] = {.name = "model",
                   .config = true,
                   .letter = 'm',
                   .type = OPTION_STRING,
                   .argument = "NAME",
                   .env = "HULLO_MODEL",
                   .help = "language model: of `hullo models`, or of the server"},
    [OPT_LOCAL_MODEL] = {.name = "local-model",
                         .config = true,
                         .path = true,
                         .type = OPTION_STRING,
                         .argument = "PATH",
                         .env = "HULLO_LOCAL_MODEL",
                         .help = "language model: a GGUF file of your own"},
    [OPT_LLM_URL] = {.name = "llm-url",
                     .config = true,
                     .type = OPTION_STRING,
                     .argument = "URL",
                     .env = "HULLO_LLM_URL",
                     .help = "OpenAI-compatible language model: gets your words"},
    [OPT_STT_URL] = {.name = "stt-url",
                     .config = true,
                     .type = OPTION_STRING,
                     .argument = "URL",
                     .env = "HULLO_STT_URL",
                     .help = "OpenAI-compatible speech-to-text: gets your voice"},
    [OPT_VOICE] = {.name = "voice",
                   .config = true,
                   .type = OPTION_STRING,
                   .argument = "NAME",
                   .env = "HULLO_VOICE",
                   .fallback = "auto",
                   .help = "auto, piper, flite, espeak, or an endpoint's"},
    [OPT_MAX_TOKENS] = {.name = "max-tokens",
                        .config = true,
                        .type = OPTION_NUMBER,
                        .argument = "N",
                        .fallback = "256",
                        .min = 1,
                        .max = 4096,
                        .help = "longest reply, in tokens"},
    [OPT_EAGERNESS] = {.name = "eagerness",
                       .config = true,
                       .type = OPTION_CHOICE,
                       .argument = "LEVEL",
                       .fallback = "medium",
                       .choices = levels,
                       .help = "how soon your turn ends"},
    [OPT_AUDIO] = {.name = "audio",
                   .config = true,
                   .type = OPTION_STRING,
                   .argument = "DRIVER[:ARG]",
                   .env = "HULLO_AUDIO",
                   .fallback = "portaudio",
                   .help = "sound driver: portaudio, file or null"},
    [OPT_INPUT_DEVICE] = {.name = "input-device",
                          .config = true,
                          .type = OPTION_STRING,
                          .argument = "NAME",
                          .env = "HULLO_INPUT_DEVICE",
                          .help = "microphone, by name or part of it"},
    [OPT_OUTPUT_DEVICE] = {.name = "output-device",
                           .config = true,
                           .type = OPTION_STRING,
                           .argument = "NAME",
                           .env = "HULLO_OUTPUT_DEVICE",
                           .help = "loudspeaker, by name or part of it"},
    [OPT_AEC] = {.name = "aec",
                 .config = true,
                 .type = OPTION_CHOICE,
                 .argument = "NAME",
                 .env = "HULLO_AEC",
                 .fallback = "speex",
                 .choices = cancellers,
                 .help = "who takes the echo out"},
    [OPT_SENSITIVITY] = {.name = "sensitivity",
                         .config = true,
                         .type = OPTION_CHOICE,
                         .argument = "LEVEL",
                         .env = "HULLO_SENSITIVITY",
                         .fallback = "medium",
                         .choices = levels,
                         .help = "how easily you interrupt"},
    [OPT_HALF_DUPLEX] = {.name = "half-duplex",
                         .config = true,
                         .help = "microphone rests while hullo speaks; keys stop it"},
    [OPT_PUSH_TO_TALK] = {.name = "push-to-talk",
                          .config = true,
                          .help = "microphone is off but between two presses of Tab"},
    [OPT_NO_INPUT] = {.name = "no-input",
                      .help = "never ask; in chat, no written turns from stdin"},
    [OPT_YES] = {.name = "yes",
                 .config = true,
                 .letter = 'y',
                 .help = "fetch missing models without asking"},
    [OPT_CONFIG] = {.name = "config",
                    .type = OPTION_STRING,
                    .argument = "FILE",
                    .env = "HULLO_CONFIG",
                    .help = "read this configuration file, not your usual one"},
    [OPT_PROFILE] = {.name = "profile",
                     .type = OPTION_STRING,
                     .argument = "NAME",
                     .env = "HULLO_PROFILE",
                     .help = "settings and endpoints from that profile of it"},
    [OPT_URL] = {.name = "url",
                 .type = OPTION_STRING,
                 .endpoint = true,
                 .argument = "URL",
                 .help = "realtime endpoint, ws or wss: gets your voice"},
    [OPT_DIALECT] = {.name = "dialect",
                     .type = OPTION_STRING,
                     .endpoint = true,
                     .argument = "NAME",
                     .help = "what it speaks: openai, azure, gemini, ..."},
    [OPT_EFFORT] = {.name = "effort",
                    .type = OPTION_CHOICE,
                    .config = true,
                    .endpoint = true,
                    .argument = "LEVEL",
                    .choices = tiers,
                    .help = "of thinking"},
    [OPT_SPEED] = {.name = "speed",
                   .type = OPTION_NUMBER,
                   .config = true,
                   .endpoint = true,
                   .argument = "X",
                   .min = 0.25,
                   .max = 1.5,
                   .help = "of speaking, from 0.25 to 1.5"},
    [OPT_TURN_DETECTION] = {.name = "turn-detection",
                            .type = OPTION_CHOICE,
                            .config = true,
                            .endpoint = true,
                            .argument = "WHO",
                            .choices = detectors,
                            .help = "your turn's end"},
    [OPT_NOISE_REDUCTION] = {.name = "noise-reduction",
                             .type = OPTION_CHOICE,
                             .config = true,
                             .endpoint = true,
                             .argument = "MIC",
                             .choices = fields,
                             .help = "by the endpoint"},
    [OPT_LANGUAGE] = {.name = "language",
                      .type = OPTION_STRING,
                      .config = true,
                      .endpoint = true,
                      .argument = "CODE",
                      .help = "language that you speak, as in de or pt-BR"},
    [OPT_TO] = {.name = "to",
                .type = OPTION_STRING,
                .config = true,
                .argument = "CODE",
                .help = "language to translate into"},
    [OPT_DELAY] = {.name = "delay",
                   .type = OPTION_CHOICE,
                   .config = true,
                   .endpoint = true,
                   .argument = "LEVEL",
                   .choices = tiers,
                   .help = "of text"},
    [OPT_RETENTION] = {.name = "retention",
                       .type = OPTION_NUMBER,
                       .config = true,
                       .endpoint = true,
                       .argument = "X",
                       .min = 0,
                       .max = 1,
                       .help = "share of a full context that is kept, 0 to 1"},
    [OPT_FORMAT] = {.name = "format",
                    .type = OPTION_CHOICE,
                    .config = true,
                    .argument = "NAME",
                    .choices = formats,
                    .help = "of the transcript"},
    [OPT_MAX_COST] = {.name = "max-cost",
                      .type = OPTION_NUMBER,
                      .config = true,
                      .endpoint = true,
                      .argument = "USD",
                      .min = 0.01,
                      .max = 1000000,
                      .help = "end when that much is spent"},
    [OPT_MAX_MINUTES] = {.name = "max-minutes",
                         .type = OPTION_NUMBER,
                         .config = true,
                         .endpoint = true,
                         .argument = "N",
                         .min = 0.01,
                         .max = 1000000,
                         .help = "end after that long"},
    [OPT_IDLE_MINUTES] = {.name = "idle-minutes",
                          .type = OPTION_NUMBER,
                          .config = true,
                          .endpoint = true,
                          .argument = "N",
                          .min = 0,
                          .max = 1000000,
                          .help = "hang up when nobody speaks; 0 is never"},
    [OPT_RECORD] = {.name = "record",
                    .type = OPTION_STRING,
                    .endpoint = true,
                    .argument = "FILE",
                    .help = "write every event, for `hullo replay`"},
    [OPT_RECORD_AUDIO] = {.name = "record-audio",
                          .endpoint = true,
                          .help = "and the sound with them"},
    [OPT_CACERT] = {.name = "cacert",
                    .type = OPTION_STRING,
                    .config = true,
                    .path = true,
                    .endpoint = true,
                    .argument = "FILE",
                    .help = "certificates to trust, as of curl"},
};

const struct option_def *option_def(enum option_id id)
{
    return &table[id];
}

enum option_id option_find(const char *name, size_t n)
{
    for (int id = 0; id < OPT_COUNT; id++)
        if (strlen(table[id].name) == n && memcmp(table[id].name, name, n) == 0)
            return (enum option_id)id;
    return OPT_COUNT;
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

int option_check(enum option_id id, const char *value, const char *from, double *number,
                 struct err *e)
{
    const struct option_def *d = &table[id];
    double x = 0;

    if (d->type == OPTION_CHOICE && !is_choice(d, value))
        return bad_choice(d, value, from, e);
    if (d->type == OPTION_NUMBER) {
        char *end;
        x = strtod(value, &end);
        if (end == value || *end != '\0' || !isfinite(x) || x < d->min || x > d->max)
            return err_set(e, STATUS_USAGE, -EINVAL,
                           "%s takes a number from %.7g to %.7g, not '%s'", from, d->min, d->max,
                           value);
    }
    if (number != NULL)
        *number = x;
    return 0;
}

bool options_takes(const struct options *o, enum option_id id)
{
    const enum option_id *a = o->allowed;

    while (a != NULL && *a != OPT_COUNT && *a != id)
        a++;
    return a != NULL && *a == id;
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

enum option_origin options_origin(const struct options *o, enum option_id id)
{
    return o->origin[id];
}

const char *options_source(const struct options *o, enum option_id id, char *out, size_t size)
{
    if (o->origin[id] == ORIGIN_ENVIRONMENT)
        snprintf(out, size, "%s", table[id].env);
    else
        snprintf(out, size, "%s%s", o->origin[id] == ORIGIN_COMMAND_LINE ? "--" : "",
                 table[id].name);
    return out;
}

/* "" for one that is set, NULL for one that is not. */
static int check_flag(const char **text, const char *value, const char *from, struct err *e)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        *text = "";
        if (strcmp(value, yes[i]) == 0)
            return 0;
        *text = NULL;
        if (strcmp(value, no[i]) == 0)
            return 0;
    }
    return err_set(e, STATUS_USAGE, -EINVAL, "%s takes true or false, not '%s'", from, value);
}

int options_offer(struct options *o, enum option_id id, const char *value,
                  enum option_origin origin, const char *from, struct err *e)
{
    const char *text = value;
    double number = 0;
    int rc = option_check(id, value, from, &number, e);

    if (rc == 0 && table[id].type == OPTION_FLAG)
        rc = check_flag(&text, value, from, e);
    if (rc < 0 || !options_takes(o, id) || o->origin[id] > origin)
        return rc;
    o->text[id] = text;
    o->number[id] = number;
    o->origin[id] = origin;
    return 0;
}

static int unknown(const struct options *o, const char *name, struct err *e)
{
    struct near near = near_to(name);
    char hint[64];

    for (int id = 0; id < OPT_COUNT; id++)
        if (options_takes(o, (enum option_id)id))
            near_offer(&near, table[id].name);
    return err_set(e, STATUS_USAGE, -EINVAL, "there is no setting '%s' here%s", name,
                   near_hint(&near, hint, sizeof hint));
}

int options_set(struct options *o, const char *name, const char *value, struct err *e)
{
    enum option_id id = option_find(name, strlen(name));
    char *copy;
    int rc;

    if (id == OPT_COUNT || !options_takes(o, id))
        return unknown(o, name, e);
    copy = strdup(value);
    if (copy == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    rc = options_offer(o, id, copy, ORIGIN_CHANGED, name, e);
    if (rc < 0) {
        free(copy);
        return rc;
    }
    free(o->kept[id]);
    o->kept[id] = copy;
    return 0;
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
    bool endpoint = false;

    for (const enum option_id *id = ids; *id != OPT_COUNT; id++) {
        endpoint |= table[*id].endpoint;
        if (!table[*id].endpoint)
            help_line(*id, out);
    }
    if (endpoint)
        fputs("With a realtime endpoint:\n", out);
    for (const enum option_id *id = ids; *id != OPT_COUNT; id++)
        if (table[*id].endpoint)
            help_line(*id, out);
    /* What every command takes, in two lines: a command's help fits a screen. */
    if (endpoint)
        fputs("Always:\n", out);
    fputs("  -h --help, --version      show help, or the versions of hullo and libraries\n"
          "  -q --quiet, -v --verbose  only errors and warnings, or debugging messages too\n",
          out);
}
