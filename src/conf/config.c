#include "conf/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/near.h"
#include "conf/syntax.h"
#include "util/os.h"
#include "util/path.h"

enum { MAX_PROFILES = 64, MAX_ENDPOINTS = 16, MAX_HEADERS = 32, MAX_EVENTS = 64 };

struct config {
    char *file;
    struct syntax text;
    const char *profile;
    struct config_endpoint *endpoints; /* of that profile */
    size_t endpoint_count;
    /* what they point into */
    const char **headers;
    struct config_pair *events, *values;
};

#define VALUE SIZE_MAX /* one of the values */

/* What an endpoint section may say, once each, and where that goes. */
static const struct key {
    const char *name;
    size_t offset;
} keys[] = {
    {"url", offsetof(struct config_endpoint, url)},
    {"dialect", offsetof(struct config_endpoint, dialect)},
    {"model", offsetof(struct config_endpoint, model)},
    {"voice", offsetof(struct config_endpoint, voice)},
    {"api_key_env", offsetof(struct config_endpoint, key_env)},
    {"api_key_command", offsetof(struct config_endpoint, key_command)},
    {"api_key_file", offsetof(struct config_endpoint, key_file)},
    /* for the templates of dialects: realtime/dialect.h says what they mean */
    {"region", VALUE},
    {"resource", VALUE},
    {"session", VALUE},
    {"input_hz", VALUE},
    {"output_hz", VALUE},
    {"key_header", VALUE},
    {"transcriber", VALUE},
};
enum { KEYS = sizeof keys / sizeof *keys };

/* --- checks. Each looks at the items of one section: items[first .. end). */

struct check {
    const struct config *c;
    struct err *e;
};

static int fault(const struct check *k, const struct syntax_item *item, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fault(const struct check *k, const struct syntax_item *item, const char *fmt, ...)
{
    char what[384];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return err_set(k->e, STATUS_USAGE, -EINVAL, "'%s', line %u: %s", k->c->file, item->line, what);
}

/* `seen` has the line of an earlier one of the same name in the same section, or 0. */
static int once(const struct check *k, const struct syntax_item *item, unsigned *seen)
{
    if (*seen > 0)
        return fault(k, item, "'%s' was said before, on line %u", item->name, *seen);
    *seen = item->line;
    return 0;
}

static void offer_options(struct near *near)
{
    for (int id = 0; id < OPT_COUNT; id++)
        if (option_def((enum option_id)id)->config)
            near_offer(near, option_def((enum option_id)id)->name);
}

static int unknown(const struct check *k, const struct syntax_item *item, struct near *near)
{
    enum option_id id = option_find(item->name, strlen(item->name));
    char hint[64];

    if (near->best == NULL && id != OPT_COUNT && !option_def(id)->config)
        return fault(k, item, "'%s' is for the command line, not for this file", item->name);
    return fault(k, item, "there is no %s '%s' here%s", item->section ? "section" : "setting",
                 item->name, near_hint(near, hint, sizeof hint));
}

static int check_option(const struct check *k, const struct syntax_item *item, unsigned *seen)
{
    enum option_id id = option_find(item->name, strlen(item->name));
    struct options none = {0};
    char from[256];
    struct near near;

    if (item->section || id == OPT_COUNT || !option_def(id)->config) {
        near = near_to(item->name);
        offer_options(&near);
        near_offer(&near, "profile");
        near_offer(&near, "endpoint");
        return unknown(k, item, &near);
    }
    if (once(k, item, &seen[id]) < 0)
        return -EINVAL;
    snprintf(from, sizeof from, "'%.200s', line %u: %s", k->c->file, item->line, item->name);
    return options_offer(&none, id, item->text, ORIGIN_FILE, from, k->e);
}

static int check_title(const struct check *k, const struct syntax_item *item)
{
    if (item->text == NULL || item->text[0] == '\0')
        return fault(k, item, "%s %s needs a name, as in '%s work { ... }'",
                     strcmp(item->name, "endpoint") == 0 ? "an" : "a", item->name, item->name);
    return 0;
}

/* Sections of one name have different titles, and there are not too many of them. */
static int check_sections(const struct check *k, size_t first, size_t end, const char *name,
                          size_t most)
{
    const struct syntax_item *items = k->c->text.items;
    size_t count = 0;

    for (size_t i = first; i < end; i = items[i].end) {
        if (!items[i].section || strcmp(items[i].name, name) != 0)
            continue;
        if (check_title(k, &items[i]) < 0)
            return -EINVAL;
        if (++count > most)
            return fault(k, &items[i], "more than %zu sections '%s'", most, name);
        for (size_t j = first; j < i; j = items[j].end)
            if (items[j].section && strcmp(items[j].name, name) == 0 &&
                strcmp(items[j].text, items[i].text) == 0)
                return fault(k, &items[i], "%s '%s' was there before, on line %u", name,
                             items[i].text, items[j].line);
    }
    return 0;
}

static int check_header(const struct check *k, const struct syntax_item *item, size_t *count)
{
    const char *colon = strchr(item->text, ':');

    if (colon == NULL || colon == item->text || strpbrk(item->text, "\r\n") != NULL ||
        strcspn(item->text, " \t\"(),/;<=>?@[\\]{}") < (size_t)(colon - item->text))
        return fault(k, item, "a header is one line, \"Name: value\"");
    if (++*count > MAX_HEADERS)
        return fault(k, item, "more than %d headers", MAX_HEADERS);
    return 0;
}

static int check_events(const struct check *k, size_t at)
{
    const struct syntax_item *items = k->c->text.items;
    size_t count = 0;

    if (items[at].text != NULL)
        return fault(k, &items[at], "'events' takes no name");
    for (size_t i = at + 1; i < items[at].end; i = items[i].end)
        if (items[i].section || ++count > MAX_EVENTS)
            return fault(k, &items[i],
                         items[i].section ? "'events' holds lines of the form NAME = VALUE"
                                          : "too many event names");
    return 0;
}

static size_t find_key(const char *name)
{
    size_t i = 0;

    while (i < KEYS && strcmp(keys[i].name, name) != 0)
        i++;
    return i;
}

static int unknown_key(const struct check *k, const struct syntax_item *item)
{
    struct near near = near_to(item->name);

    if (strcmp(item->name, "api_key") == 0)
        return fault(k, item,
                     "a key does not stand in this file: say where it is, with api_key_env, "
                     "api_key_command or api_key_file");
    for (size_t i = 0; i < KEYS; i++)
        near_offer(&near, keys[i].name);
    near_offer(&near, "header");
    near_offer(&near, "events");
    return unknown(k, item, &near);
}

static int check_key_sources(const struct check *k, const struct syntax_item *section,
                             const unsigned *seen)
{
    int sources = 0;

    for (size_t i = 0; i < KEYS; i++)
        sources += seen[i] > 0 && strncmp(keys[i].name, "api_key_", 8) == 0;
    if (sources > 1)
        return fault(k, section,
                     "endpoint '%s' has several of api_key_env, api_key_command and api_key_file: "
                     "one is enough",
                     section->text);
    return 0;
}

static int check_endpoint(const struct check *k, size_t at)
{
    const struct syntax_item *items = k->c->text.items, *item;
    unsigned seen[KEYS] = {0}, events = 0;
    size_t headers = 0, key;
    int rc = 0;

    for (size_t i = at + 1; rc == 0 && i < items[at].end; i = items[i].end) {
        item = &items[i];
        key = find_key(item->name);
        if (item->section && strcmp(item->name, "events") == 0)
            rc = once(k, item, &events) < 0 ? -EINVAL : check_events(k, i);
        else if (!item->section && strcmp(item->name, "header") == 0)
            rc = check_header(k, item, &headers);
        else if (item->section || key == KEYS)
            rc = unknown_key(k, item);
        else if (item->text[0] == '\0')
            rc = fault(k, item, "'%s' is empty", item->name);
        else
            rc = once(k, item, &seen[key]);
    }
    return rc < 0 ? rc : check_key_sources(k, &items[at], seen);
}

static int check_profile(const struct check *k, size_t at)
{
    const struct syntax_item *items = k->c->text.items;
    unsigned seen[OPT_COUNT] = {0};
    int rc = check_sections(k, at + 1, items[at].end, "endpoint", MAX_ENDPOINTS);

    if (strcmp(items[at].text, CONFIG_NO_PROFILE) == 0)
        return fault(k, &items[at],
                     "'" CONFIG_NO_PROFILE "' is no name for a profile: it stands for none");
    for (size_t i = at + 1; rc == 0 && i < items[at].end; i = items[i].end) {
        if (items[i].section && strcmp(items[i].name, "endpoint") == 0)
            rc = check_endpoint(k, i);
        else
            rc = check_option(k, &items[i], seen);
    }
    return rc;
}

static int check_all(const struct check *k)
{
    const struct syntax_item *items = k->c->text.items;
    unsigned seen[OPT_COUNT] = {0}, profile = 0;
    int rc = check_sections(k, 0, k->c->text.count, "profile", MAX_PROFILES);

    for (size_t i = 0; rc == 0 && i < k->c->text.count; i = items[i].end) {
        if (strcmp(items[i].name, "profile") != 0)
            rc = items[i].section && strcmp(items[i].name, "endpoint") == 0
                     ? fault(k, &items[i], "an endpoint belongs into a profile")
                     : check_option(k, &items[i], seen);
        else if (items[i].section)
            rc = check_profile(k, i);
        else
            rc = once(k, &items[i], &profile);
    }
    return rc;
}

int config_parse(struct config **out, const char *bytes, size_t n, const char *file, struct err *e)
{
    struct config *c = calloc(1, sizeof *c);
    struct check check = {.c = c, .e = e};
    int rc;

    *out = NULL;
    if (c == NULL || (c->file = strdup(file)) == NULL) {
        free(c);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    rc = syntax_parse(&c->text, bytes, n, file, e);
    if (rc == 0)
        rc = check_all(&check);
    if (rc < 0) {
        config_free(c);
        return rc;
    }
    *out = c;
    return 0;
}

void config_free(struct config *c)
{
    if (c == NULL)
        return;
    syntax_free(&c->text);
    free(c->endpoints);
    free(c->headers);
    free(c->events);
    free(c->values);
    free(c->file);
    free(c);
}

/* --- use. What follows relies on the checks above. */

static int no_profile(const struct config *c, const char *name, const struct options *o,
                      struct err *e)
{
    const struct syntax_item *items = c->text.items;
    struct near near = near_to(name);
    char hint[64], source[64];

    for (size_t i = 0; i < c->text.count; i = items[i].end)
        if (items[i].section)
            near_offer(&near, items[i].text);
    return err_set(e, STATUS_USAGE, -ENOENT, "%s: there is no profile '%s' in '%s'%s",
                   options_has(o, OPT_PROFILE)
                       ? options_source(o, OPT_PROFILE, source, sizeof source)
                       : "profile",
                   name, c->file, near_hint(&near, hint, sizeof hint));
}

/* Index of the profile's section, text.count for none. */
static int find_profile(const struct config *c, const struct options *o, size_t *at, struct err *e)
{
    const struct syntax_item *items = c->text.items;
    const char *name = options_text(o, OPT_PROFILE);

    for (size_t i = 0; name == NULL && i < c->text.count; i = items[i].end)
        if (!items[i].section && strcmp(items[i].name, "profile") == 0)
            name = items[i].text;
    *at = c->text.count;
    if (name == NULL || strcmp(name, CONFIG_NO_PROFILE) == 0)
        return 0;
    for (*at = 0; *at < c->text.count; *at = items[*at].end)
        if (items[*at].section && strcmp(items[*at].text, name) == 0)
            return 0;
    return no_profile(c, name, o, e);
}

static int offer(const struct config *c, size_t first, size_t end, enum option_origin origin,
                 struct options *o, struct err *e)
{
    const struct syntax_item *items = c->text.items;
    int rc = 0;

    for (size_t i = first; rc == 0 && i < end; i = items[i].end) {
        enum option_id id = option_find(items[i].name, strlen(items[i].name));
        if (!items[i].section && id != OPT_COUNT && option_def(id)->config)
            rc = options_offer(o, id, items[i].text, origin, c->file, e);
    }
    return rc;
}

/* How far what endpoints point into is filled. */
struct filled {
    size_t headers, events, values;
};

static void read_endpoint(struct config *c, size_t at, struct filled *n)
{
    const struct syntax_item *items = c->text.items;
    struct config_endpoint *p = &c->endpoints[c->endpoint_count++];

    *p = (struct config_endpoint){.name = items[at].text,
                                  .headers = c->headers + n->headers,
                                  .events = c->events + n->events,
                                  .values = c->values + n->values};
    for (size_t i = at + 1; i < items[at].end; i = items[i].end) {
        size_t key = find_key(items[i].name);
        if (items[i].section) {
            for (size_t j = i + 1; j < items[i].end; j = items[j].end, p->event_count++)
                c->events[n->events++] = (struct config_pair){items[j].name, items[j].text};
        } else if (key < KEYS && keys[key].offset == VALUE) {
            c->values[n->values++] = (struct config_pair){items[i].name, items[i].text};
            p->value_count++;
        } else if (key < KEYS) {
            memcpy((char *)p + keys[key].offset, &items[i].text, sizeof items[i].text);
        } else {
            c->headers[n->headers++] = items[i].text;
            p->header_count++;
        }
    }
}

static int read_endpoints(struct config *c, size_t at, struct err *e)
{
    const struct syntax_item *items = c->text.items;
    size_t count = items[at].end - at;
    struct filled filled = {0};

    c->endpoints = calloc(MAX_ENDPOINTS, sizeof *c->endpoints);
    c->headers = calloc(count, sizeof *c->headers);
    c->events = calloc(count, sizeof *c->events);
    c->values = calloc(count, sizeof *c->values);
    if (c->endpoints == NULL || c->headers == NULL || c->events == NULL || c->values == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    for (size_t i = at + 1; i < items[at].end; i = items[i].end)
        if (items[i].section)
            read_endpoint(c, i, &filled);
    return 0;
}

int config_apply(struct config *c, struct options *o, struct err *e)
{
    const struct syntax_item *items = c->text.items;
    size_t at;
    int rc = find_profile(c, o, &at, e);

    if (rc == 0 && at < c->text.count) {
        c->profile = items[at].text;
        rc = offer(c, at + 1, items[at].end, ORIGIN_PROFILE, o, e);
        if (rc == 0)
            rc = read_endpoints(c, at, e);
    }
    if (rc == 0)
        rc = offer(c, 0, c->text.count, ORIGIN_FILE, o, e);
    return rc;
}

const char *config_profile(const struct config *c)
{
    return c->profile;
}

const struct config_endpoint *config_endpoints(const struct config *c, size_t *count)
{
    *count = c->endpoint_count;
    return c->endpoints;
}

/* --- the file */

/* Whoever can write to it can send the microphone anywhere. */
static int check_mode(const char *file, struct err *e)
{
    struct stat st;

    if (stat(file, &st) == 0 && (st.st_mode & S_IWOTH) != 0)
        return err_set(e, STATUS_USAGE, -EPERM,
                       "'%s' can be changed by everybody on this machine; chmod o-w it", file);
    return 0;
}

/* A file that is not there, and that nobody named, says nothing. */
static int read_file(char **bytes, size_t *n, const char *named, const char *usual, struct err *e)
{
    const char *file = named != NULL ? named : usual;
    int rc;

    *bytes = NULL;
    *n = 0;
    if (file == NULL)
        return 0;
    rc = check_mode(file, e);
    if (rc == 0)
        rc = path_read(bytes, n, file, SYNTAX_MAX_BYTES, e);
    if (named == NULL && (rc == -ENOENT || rc == -ENOTDIR)) {
        *e = (struct err){0};
        return 0;
    }
    if (rc < 0 && rc != -ENOMEM)
        e->status = STATUS_USAGE;
    return rc;
}

int config_load(struct config **out, struct options *o, struct err *e)
{
    const char *named = options_text(o, OPT_CONFIG);
    char *usual = NULL, *bytes = NULL;
    size_t n = 0;
    int rc = named == NULL ? path_config(&usual, "config") : 0;

    *out = NULL;
    if (rc == -ENOMEM)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    rc = read_file(&bytes, &n, named, usual, e);
    if (rc == 0)
        rc = config_parse(out, bytes != NULL ? bytes : "", n,
                          named != NULL   ? named
                          : usual != NULL ? usual
                                          : "config",
                          e);
    if (rc == 0)
        rc = config_apply(*out, o, e);
    if (rc < 0) {
        config_free(*out);
        *out = NULL;
    }
    if (bytes != NULL)
        os_wipe(bytes, n);
    free(bytes);
    free(usual);
    return rc;
}
