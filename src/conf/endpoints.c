#include "conf/endpoints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/address.h"
#include "conf/endpoint_dialect.h"
#include "conf/secret.h"

#define ANY_KEY "HULLO_API_KEY"

struct place {
    struct endpoint_dialect dialect;
    const struct config_endpoint *section; /* NULL: of the command line */
    struct secret *key;
    char name[128];
    char whose[160]; /* beginning of messages */
};

struct endpoints {
    const struct endpoints_config *config;
    struct endpoint *list;
    struct place *places; /* one for each of the list */
    size_t count;
};

static int out_of_memory(struct err *e)
{
    return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
}

/* --- which ones */

/* The strongest origin of what asks for the local backend. */
static enum option_origin local_origin(const struct options *o)
{
    static const enum option_id ids[] = {OPT_LLM_URL, OPT_STT_URL, OPT_LOCAL_MODEL};
    enum option_origin most = ORIGIN_NONE;

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (options_has(o, ids[i]) && options_origin(o, ids[i]) > most)
            most = options_origin(o, ids[i]);
    return most;
}

static int contradiction(const char *what, struct err *e)
{
    return err_set(e, STATUS_USAGE, -EINVAL,
                   "%s is for a realtime endpoint; --llm-url, --stt-url and --local-model are for "
                   "a conversation on this machine: not both",
                   what);
}

struct choice {
    bool single; /* the one of the command line, or of the model's name */
    const struct config_endpoint *sections;
    size_t count;
};

static int choose(struct choice *out, const struct endpoints_config *c, struct err *e)
{
    const struct options *o = c->options;
    enum option_origin local = local_origin(o);
    struct endpoint_dialect d;

    *out = (struct choice){0};
    if (options_has(o, OPT_URL) || options_has(o, OPT_DIALECT)) {
        if (local == ORIGIN_COMMAND_LINE)
            return contradiction(options_has(o, OPT_URL) ? "--url" : "--dialect", e);
        *out = (struct choice){.single = true, .count = 1};
        return 0;
    }
    if (c->config != NULL)
        out->sections = config_endpoints(c->config, &out->count);
    if (out->count > 0 && local == ORIGIN_COMMAND_LINE) {
        if (options_origin(o, OPT_PROFILE) == ORIGIN_COMMAND_LINE)
            return contradiction("--profile", e);
        out->count = 0;
    } else if (out->count == 0 && local == ORIGIN_NONE &&
               endpoint_dialect_of_model(c, options_text(o, OPT_MODEL), &d)) {
        *out = (struct choice){.single = true, .count = 1};
    }
    return 0;
}

/* --- one of them */

static bool said_now(const struct options *o, enum option_id id, enum option_origin least)
{
    return options_has(o, id) && options_origin(o, id) >= least;
}

/* An endpoint's own model goes before a habit, but not before what was typed for this time. A model
 * that stands outside of profiles is one for this machine. */
static const char *model_of(const struct options *o, const struct config_endpoint *section)
{
    if (section == NULL || said_now(o, OPT_MODEL, ORIGIN_COMMAND_LINE))
        return options_text(o, OPT_MODEL);
    if (section->model != NULL)
        return section->model;
    return said_now(o, OPT_MODEL, ORIGIN_PROFILE) ? options_text(o, OPT_MODEL) : NULL;
}

static const char *voice_of(const struct options *o, const struct config_endpoint *section)
{
    return section == NULL || said_now(o, OPT_VOICE, ORIGIN_ENVIRONMENT) ? NULL : section->voice;
}

static const char *cacert_of(const struct options *o, const struct config_endpoint *section)
{
    if (section != NULL && section->cacert != NULL && !said_now(o, OPT_CACERT, ORIGIN_COMMAND_LINE))
        return section->cacert;
    return options_text(o, OPT_CACERT);
}

bool endpoints_secret_header(const char *header)
{
    static const char *const words[] = {"auth", "key", "token", "cookie", "secret"};
    size_t n = strcspn(header, ":");

    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (size_t i = 0; i + strlen(words[w]) <= n; i++)
            if (strncasecmp(header + i, words[w], strlen(words[w])) == 0)
                return true;
    return false;
}

static bool has_secrets(const struct endpoint *p)
{
    if (p->key != NULL)
        return true;
    if (p->url != NULL && (strstr(p->url, "key=") != NULL || strstr(p->url, "token=") != NULL))
        return true;
    for (const char *const *h = p->headers; h != NULL && *h != NULL; h++)
        if (endpoints_secret_header(*h))
            return true;
    return false;
}

static int check_url(struct endpoint *p, struct place *place, struct err *e)
{
    enum address_way way;
    char host[128];
    int rc;

    if (p->url == NULL) {
        if (place->dialect.wants_url)
            return err_set(e, STATUS_USAGE, -EINVAL,
                           "%s: dialect '%s' has no server of its own: say where with %s",
                           place->whose, p->dialect, place->section != NULL ? "url" : "--url");
        return 0;
    }
    rc = address_check(p->url, &way, host, sizeof host, place->whose, e);
    if (rc < 0)
        return rc;
    if (place->section == NULL)
        snprintf(place->name, sizeof place->name, "%s", host);
    p->open = way == ADDRESS_OPEN;
    return 0;
}

/* Only the generic dialect lets itself be told how it is. */
static int check_values(const struct endpoint *p, const struct place *place, struct err *e)
{
    for (size_t i = 0; i < p->value_count; i++) {
        const char *name = p->values[i].name;
        if (strcmp(name, "resource") == 0 || strcmp(name, "region") == 0 ||
            strcmp(p->dialect, "generic") == 0)
            continue;
        if (strncmp(name, "events.", 7) == 0)
            name = "events";
        return err_set(e, STATUS_USAGE, -EINVAL, "%s: '%s' is for the dialect 'generic', not '%s'",
                       place->whose, name, p->dialect);
    }
    return 0;
}

static void describe(struct endpoint *p, struct place *place, const struct options *o)
{
    const struct config_endpoint *s = place->section;

    p->model = model_of(o, s);
    p->voice = voice_of(o, s);
    p->cacert = cacert_of(o, s);
    p->dialect = place->dialect.name;
    p->url = s != NULL ? s->url : options_text(o, OPT_URL);
    snprintf(place->name, sizeof place->name, "%s", s != NULL ? s->name : p->dialect);
    p->name = place->name;
    if (s == NULL)
        return;
    p->headers = s->headers;
    p->values = s->values;
    p->value_count = s->value_count;
}

static int make(struct endpoint *p, struct place *place, const struct endpoints_config *c,
                struct err *e)
{
    const struct config_endpoint *s = place->section;
    const struct options *o = c->options;
    int rc;

    if (s != NULL)
        snprintf(place->whose, sizeof place->whose, "endpoint '%.120s'", s->name);
    else
        snprintf(place->whose, sizeof place->whose, "%s",
                 options_has(o, OPT_URL)       ? "--url"
                 : options_has(o, OPT_DIALECT) ? "--dialect"
                                               : "--model");
    rc = endpoint_dialect_choose(c, s != NULL ? s->dialect : options_text(o, OPT_DIALECT),
                                 model_of(o, s), place->whose, &place->dialect, e);
    if (rc < 0)
        return rc;
    describe(p, place, o);
    rc = check_values(p, place, e);
    return rc < 0 ? rc : check_url(p, place, e);
}

/* --- keys */

static int no_key(const struct place *place, struct err *e)
{
    const char *env = place->dialect.key_env;

    return err_set(e, STATUS_AUTH, -ENOENT,
                   "%s: there is no key for %s: put it into the variable %s%s%s", place->whose,
                   place->dialect.name, env != NULL ? env : "", env != NULL ? " or " : "", ANY_KEY);
}

/* The variable of the dialect, unless the key in it would go to a server that the user named and
 * nobody said to be one of these: who has OpenAI's key in the environment does not want it sent to
 * every server that speaks like OpenAI's. */
static const char *env_of_dialect(const struct place *place, const struct endpoints_config *c,
                                  const struct endpoint *p)
{
    const char *said =
        place->section != NULL ? place->section->dialect : options_text(c->options, OPT_DIALECT);

    return p->url == NULL || said != NULL ? place->dialect.key_env : NULL;
}

/* From a variable, where that is the endpoint's source; 0 also when there is none and need not be
 * any. */
static int key_from_env(struct place *place, const struct endpoints_config *c,
                        const struct endpoint *p, struct err *e)
{
    const struct config_endpoint *s = place->section;
    const char *env = env_of_dialect(place, c, p);
    int rc = -ENOENT;

    if (s != NULL && s->key_env != NULL)
        return secret_from_env(&place->key, s->key_env, place->whose, e);
    if (s != NULL && (s->key_command != NULL || s->key_file != NULL))
        return 0;
    if (env != NULL)
        rc = secret_from_env(&place->key, env, place->whose, e);
    if (rc == -ENOENT)
        rc = secret_from_env(&place->key, ANY_KEY, place->whose, e);
    if (rc == -ENOENT)
        rc = p->url == NULL ? no_key(place, e) : 0;
    return rc;
}

static int key_from_elsewhere(struct place *place, struct err *e)
{
    const struct config_endpoint *s = place->section;

    if (s == NULL || place->key != NULL)
        return 0;
    if (s->key_command != NULL)
        return secret_from_command(&place->key, s->key_command, SECRET_COMMAND_MS, place->whose, e);
    if (s->key_file != NULL)
        return secret_from_file(&place->key, s->key_file, place->whose, e);
    return 0;
}

/* A key that was read need not be in the environment any more. */
static void forget_env(const struct endpoints *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct place *place = &p->places[i];
        const struct config_endpoint *s = place->section;
        if (place->key == NULL)
            continue;
        if (s != NULL && s->key_env != NULL) {
            secret_forget_env(s->key_env);
            continue;
        }
        if (place->dialect.key_env != NULL)
            secret_forget_env(place->dialect.key_env);
        secret_forget_env(ANY_KEY);
    }
}

/* Voice in the clear is the user's choice, and told; a key in the clear is nobody's. */
static int check_way(const struct endpoint *p, const struct place *place, const struct log *log,
                     struct err *e)
{
    if (!p->open)
        return 0;
    if (has_secrets(p))
        return err_set(e, STATUS_USAGE, -EPERM,
                       "%s: a key is not sent over an unencrypted link to '%s': use wss://, or a "
                       "tunnel such as ssh -L to that machine",
                       place->whose, p->name);
    log_warn(log, "your voice goes unencrypted to '%s': others on the way can hear it", p->name);
    return 0;
}

static void drop(struct endpoints *p, size_t i)
{
    secret_free(p->places[i].key);
    p->count--;
    memmove(&p->list[i], &p->list[i + 1], (p->count - i) * sizeof *p->list);
    memmove(&p->places[i], &p->places[i + 1], (p->count - i) * sizeof *p->places);
}

/* Reads keys from the environment, or from elsewhere. Who has none is left out, unless nobody would
 * be left: then that is the error. */
static int read_keys(struct endpoints *p, bool environment, struct err *e)
{
    for (size_t i = 0; i < p->count;) {
        struct place *place = &p->places[i];
        struct err why = {0};
        int rc = environment ? key_from_env(place, p->config, &p->list[i], &why)
                             : key_from_elsewhere(place, &why);
        if (rc == 0) {
            i++;
            continue;
        }
        if (p->count == 1 || rc == -ENOMEM) {
            *e = why;
            return rc;
        }
        log_warn(p->config->log, "%s; it is left out", why.text);
        drop(p, i);
    }
    return 0;
}

static int finish(struct endpoints *p, struct err *e)
{
    int rc = read_keys(p, true, e);

    forget_env(p); /* before commands are run */
    if (rc == 0)
        rc = read_keys(p, false, e);
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        p->list[i].name = p->places[i].name;
        p->list[i].key = p->places[i].key != NULL ? secret_text(p->places[i].key) : NULL;
        rc = check_way(&p->list[i], &p->places[i], p->config->log, e);
    }
    return rc;
}

int endpoints_open(struct endpoints **out, const struct endpoints_config *config, struct err *e)
{
    struct choice choice;
    struct endpoints *p;
    int rc = choose(&choice, config, e);

    *out = NULL;
    if (rc < 0)
        return rc;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return out_of_memory(e);
    p->config = config;
    p->list = calloc(choice.count + 1, sizeof *p->list);
    p->places = calloc(choice.count + 1, sizeof *p->places);
    if (p->list == NULL || p->places == NULL)
        rc = out_of_memory(e);
    for (; rc == 0 && p->count < choice.count; p->count++) {
        p->places[p->count].section = choice.single ? NULL : &choice.sections[p->count];
        rc = make(&p->list[p->count], &p->places[p->count], config, e);
    }
    if (rc == 0)
        rc = finish(p, e);
    p->config = NULL;
    if (rc < 0) {
        endpoints_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

void endpoints_free(struct endpoints *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; p->places != NULL && i < p->count; i++)
        secret_free(p->places[i].key);
    free(p->list);
    free(p->places);
    free(p);
}

const struct endpoint *endpoints_list(const struct endpoints *p, size_t *count)
{
    *count = p != NULL ? p->count : 0;
    return p != NULL ? p->list : NULL;
}
