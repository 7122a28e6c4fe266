#include "conf/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/config_check.h"
#include "conf/near.h"
#include "conf/syntax.h"
#include "util/os.h"
#include "util/path.h"

struct config {
    char *file;
    struct syntax text;
    const char *profile;
    struct config_endpoint *endpoints; /* of that profile */
    size_t endpoint_count;
    /* what they point into */
    const char **headers;
    struct endpoint_value *values;
    char **names; /* of events, NULL-terminated */
    char **paths; /* those that began with "~/" */
    size_t path_count;
};

int config_parse(struct config **out, const char *bytes, size_t n, const char *file, struct err *e)
{
    struct config *c = calloc(1, sizeof *c);
    int rc;

    *out = NULL;
    if (c == NULL || (c->file = strdup(file)) == NULL) {
        free(c);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    rc = syntax_parse(&c->text, bytes, n, file, e);
    if (rc == 0)
        rc = config_check(&c->text, file, e);
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
    free(c->values);
    for (size_t i = 0; c->names != NULL && c->names[i] != NULL; i++)
        free(c->names[i]);
    free(c->names);
    for (size_t i = 0; i < c->path_count; i++)
        free(c->paths[i]);
    free(c->paths);
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

/* "~/key" as what it stands for. */
static int resolve(struct config *c, const char **path, struct err *e)
{
    char **paths, *whole;
    int rc;

    if (strncmp(*path, "~/", 2) != 0)
        return 0;
    rc = path_home(&whole, *path + 2);
    if (rc == -ENOENT)
        return err_set(e, STATUS_USAGE, rc, "'%s': nobody knows the home folder of '%s'", c->file,
                       *path);
    paths = rc == 0 ? realloc(c->paths, (c->path_count + 1) * sizeof *paths) : NULL;
    if (paths == NULL) {
        free(whole);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    c->paths = paths;
    c->paths[c->path_count++] = whole;
    *path = whole;
    return 0;
}

static int offer(struct config *c, size_t first, size_t end, enum option_origin origin,
                 struct options *o, struct err *e)
{
    const struct syntax_item *items = c->text.items;
    int rc = 0;

    for (size_t i = first; rc == 0 && i < end; i = items[i].end) {
        enum option_id id = option_find(items[i].name, strlen(items[i].name));
        const char *text = items[i].text;
        if (items[i].section || id == OPT_COUNT || !option_def(id)->config)
            continue;
        if (option_def(id)->path)
            rc = resolve(c, &text, e);
        if (rc == 0)
            rc = options_offer(o, id, text, origin, c->file, e);
    }
    return rc;
}

/* How far the arrays are filled that all endpoints share. */
struct filled {
    size_t headers, values, names;
};

static int read_events(struct config *c, size_t at, struct filled *n, struct err *e)
{
    static const char prefix[] = "events.";
    const struct syntax_item *items = c->text.items;

    for (size_t i = at + 1; i < items[at].end; i = items[i].end) {
        size_t size = sizeof prefix + strlen(items[i].name);
        char *name = malloc(size);
        if (name == NULL)
            return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
        snprintf(name, size, "%s%s", prefix, items[i].name);
        c->names[n->names++] = name;
        c->values[n->values++] = (struct endpoint_value){name, items[i].text};
    }
    return 0;
}

static int read_endpoint(struct config *c, size_t at, struct filled *n, struct err *e)
{
    const struct syntax_item *items = c->text.items;
    struct config_endpoint *p = &c->endpoints[c->endpoint_count++];
    size_t values = n->values;
    int rc = 0;

    *p = (struct config_endpoint){.name = items[at].text,
                                  .headers = c->headers + n->headers,
                                  .values = c->values + n->values};
    for (size_t i = at + 1; rc == 0 && i < items[at].end; i = items[i].end) {
        const char *name = items[i].name, *text = items[i].text;
        size_t key = config_key(name);
        if (key < CONFIG_KEYS && config_keys[key].path)
            rc = resolve(c, &text, e);
        if (items[i].section)
            rc = read_events(c, i, n, e);
        else if (key < CONFIG_KEYS && config_keys[key].offset != CONFIG_VALUE)
            memcpy((char *)p + config_keys[key].offset, &text, sizeof text);
        else if (key < CONFIG_KEYS)
            c->values[n->values++] = (struct endpoint_value){name, text};
        else
            c->headers[n->headers++] = text;
    }
    n->headers++; /* the NULL behind them */
    p->value_count = n->values - values;
    return rc;
}

static int read_endpoints(struct config *c, size_t at, struct err *e)
{
    const struct syntax_item *items = c->text.items;
    size_t count = items[at].end - at; /* more than there are of anything in it, and a NULL each */
    struct filled filled = {0};
    int rc = 0;

    c->endpoints = calloc(CONFIG_MAX_ENDPOINTS, sizeof *c->endpoints);
    c->headers = calloc(count, sizeof *c->headers);
    c->values = calloc(count, sizeof *c->values);
    c->names = calloc(count, sizeof *c->names);
    if (c->endpoints == NULL || c->headers == NULL || c->values == NULL || c->names == NULL)
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    for (size_t i = at + 1; rc == 0 && i < items[at].end; i = items[i].end)
        if (items[i].section)
            rc = read_endpoint(c, i, &filled, e);
    return rc;
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
