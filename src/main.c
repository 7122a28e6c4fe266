/* main - reads the arguments, picks the command, hands it its tables. */
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/version.h"

static const struct command *find_command(const char *name)
{
    for (const struct command *const *c = registry.commands; *c != NULL; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static void help_all(FILE *out)
{
    fputs("usage: hullo [COMMAND] [OPTION ...] [OPERAND ...]\n\n"
          "A voice assistant for the terminal: speak, it answers aloud. Without a command\n"
          "it is `hullo chat`. Everything runs on this machine unless you name a server.\n\n",
          out);
    for (const struct command *const *c = registry.commands; *c != NULL; c++)
        fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
    fputs("\n`hullo COMMAND --help` shows a command's options; hullo(1) tells the rest.\n", out);
}

static void help_command(const struct command *c, FILE *out)
{
    fprintf(out, "usage: hullo %s [OPTION ...]%s%s\n\n%s\n\n", c->name, c->operands[0] ? " " : "",
            c->operands, c->about);
    options_help(c->options, out);
}

static enum status no_command(const char *name, const struct log *log)
{
    log_error(log, "no command '%s'; see `hullo --help`", name);
    return STATUS_USAGE;
}

/* `hullo help [COMMAND]` and `hullo --help`. */
static enum status help(const char *name, const struct log *log)
{
    const struct command *c = name != NULL ? find_command(name) : NULL;

    if (name != NULL && c == NULL)
        return no_command(name, log);
    if (c != NULL)
        help_command(c, stdout);
    else
        help_all(stdout);
    return STATUS_DONE;
}

/* A pipe whose reader has had enough is no failure, and ends without a word. */
static enum status check_stdout(enum status status, const struct log *log)
{
    struct pollfd p = {.fd = STDOUT_FILENO};
    bool failed = fflush(stdout) != 0 || ferror(stdout);

    if (!failed || status != STATUS_DONE || (poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0))
        return status;
    log_error(log, "cannot write to stdout: it is full, or closed");
    return STATUS_FAILED;
}

/* The command itself, once its options are known to be all right but for the file. */
static enum status work(const struct command *c, struct app *app, struct options *options)
{
    struct config *config = NULL;
    struct err e = {0};
    enum status status;

    if (options_takes(options, OPT_CONFIG) && config_load(&config, options, &e) < 0) {
        status = e.status;
    } else {
        app->config = config;
        status = c->run(app, &e);
    }
    if (e.text[0] != '\0')
        log_error(app->log, "%s", e.text);
    config_free(config);
    return status;
}

static enum status run(const struct command *c, int argc, char **argv, bool named, struct log *log)
{
    struct err e = {0};
    struct options options;
    struct app app = {.registry = &registry, .log = log, .options = &options};
    enum status status;

    if (options_parse(&options, argc, argv, c->options, &e) < 0) {
        log_error(log, "%s", e.text);
        return e.status;
    }
    if (options_has(&options, OPT_VERBOSE))
        log->level = LOG_DEBUG;
    else if (options_has(&options, OPT_QUIET))
        log->level = LOG_WARN;
    if (options_has(&options, OPT_HELP)) {
        status = help(named ? c->name : NULL, log);
    } else if (options_has(&options, OPT_VERSION)) {
        version_print(stdout);
        status = STATUS_DONE;
    } else if (c->operands[0] == '\0' && options.operand_count > 0) {
        log_error(log,
                  "%s takes no operand '%s'; `hullo ask` takes recordings, and --help says more",
                  c->name, options.operands[0]);
        status = STATUS_USAGE;
    } else {
        status = work(c, &app, &options);
    }
    options_free(&options);
    return status;
}

/* A standard descriptor that is closed would be whatever is opened next. In its place stands one
 * that refuses what it is for; what people would have read is dropped. */
static void guard_descriptors(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", modes[fd]);
}

int main(int argc, char **argv)
{
    const struct command *c = registry.commands[0];
    bool named = argc > 1 && argv[1][0] != '-';
    struct log log = {.level = LOG_INFO, .to = stderr};
    enum status status;

    setlocale(LC_CTYPE, "");
    /* A closed pipe arrives as an error where it happens, with what was written so far put in
     * order. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* so does a file that may not grow any more */
    guard_descriptors();
    if (named)
        c = find_command(argv[1]);
    if (named && strcmp(argv[1], "help") == 0)
        status = help(argc > 2 ? argv[2] : NULL, &log);
    else if (c == NULL)
        status = no_command(argv[1], &log);
    else
        status = run(c, argc - (named ? 2 : 1), argv + (named ? 2 : 1), named, &log);
    return (int)check_stdout(status, &log);
}
