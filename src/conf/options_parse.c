#include "conf/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/near.h"

static const enum option_id always[] = {OPT_HELP, OPT_VERSION, OPT_QUIET, OPT_VERBOSE, OPT_COUNT};

static bool listed(const enum option_id *ids, enum option_id id)
{
    for (; *ids != OPT_COUNT; ids++)
        if (*ids == id)
            return true;
    return false;
}

/* Stores a value after checking it; `from` names its source for the message. */
static int set(struct options *o, enum option_id id, const char *value, enum option_origin origin,
               const char *from, struct err *e)
{
    int rc = option_check(id, value, from, &o->number[id], e);

    if (rc < 0)
        return rc;
    o->text[id] = value;
    o->origin[id] = origin;
    return 0;
}

static enum option_id find_letter(char c)
{
    for (int id = 0; id < OPT_COUNT; id++)
        if (option_def((enum option_id)id)->letter == c)
            return (enum option_id)id;
    return OPT_COUNT;
}

struct parser {
    struct options *o;
    const enum option_id *allowed;
    int argc, next;
    char **argv;
};

static int unknown(const struct parser *p, const char *as, struct err *e)
{
    struct near near = near_to(as + strspn(as, "-"));
    char hint[64], name[64];

    for (const enum option_id *id = p->allowed; *id != OPT_COUNT; id++)
        near_offer(&near, option_def(*id)->name);
    if (near.best != NULL) {
        snprintf(name, sizeof name, "--%s", near.best);
        near.best = name;
    }
    return err_set(e, STATUS_USAGE, -EINVAL, "unknown option '%s'%s see --help", as,
                   near.best != NULL ? near_hint(&near, hint, sizeof hint) : ";");
}

/* One option, named as the user wrote it; `inside` is a value from the same word, or NULL. */
static int take(struct parser *p, enum option_id id, const char *as, const char *inside,
                struct err *e)
{
    if (id == OPT_COUNT)
        return unknown(p, as, e);
    if (!listed(always, id) && !listed(p->allowed, id))
        return err_set(e, STATUS_USAGE, -EINVAL, "option '%s' means nothing here; see --help", as);
    if (option_def(id)->type == OPTION_FLAG) {
        if (inside != NULL)
            return err_set(e, STATUS_USAGE, -EINVAL, "option '%s' takes no value", as);
        p->o->text[id] = "";
        p->o->origin[id] = ORIGIN_COMMAND_LINE;
        return 0;
    }
    if (inside == NULL) {
        if (p->next >= p->argc)
            return err_set(e, STATUS_USAGE, -EINVAL, "option '%s' needs a value: %s", as,
                           option_def(id)->argument);
        inside = p->argv[p->next++];
    }
    return set(p->o, id, inside, ORIGIN_COMMAND_LINE, as, e);
}

static int take_long(struct parser *p, const char *word, struct err *e)
{
    const char *eq = strchr(word, '=');
    size_t n = eq != NULL ? (size_t)(eq - word) : strlen(word);
    char as[64];

    snprintf(as, sizeof as, "%.*s", (int)(n < sizeof as ? n : sizeof as - 1), word);
    return take(p, option_find(word + 2, n - 2), as, eq != NULL ? eq + 1 : NULL, e);
}

static int take_letters(struct parser *p, const char *word, struct err *e)
{
    for (const char *c = word + 1; *c != '\0'; c++) {
        char as[3] = {'-', *c, '\0'};
        enum option_id id = find_letter(*c);
        bool rest = id != OPT_COUNT && option_def(id)->type != OPTION_FLAG && c[1] != '\0';
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
        const struct option_def *d = option_def(*allowed);
        const char *env = d->env != NULL ? getenv(d->env) : NULL;
        int rc = 0;
        if (o->text[*allowed] != NULL)
            continue;
        if (env != NULL && env[0] != '\0')
            rc = set(o, *allowed, env, ORIGIN_ENVIRONMENT, d->env, e);
        else if (d->fallback != NULL)
            rc = set(o, *allowed, d->fallback, ORIGIN_DEFAULT, d->name, e);
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
    o->allowed = allowed;
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
    for (int id = 0; id < OPT_COUNT; id++)
        free(o->kept[id]);
    free(o->operands);
    memset(o, 0, sizeof *o);
}
