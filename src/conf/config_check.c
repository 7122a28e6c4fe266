#include "conf/config_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/config.h"
#include "conf/near.h"
#include "conf/options.h"

const struct config_key config_keys[CONFIG_KEYS] = {
    {"url", offsetof(struct config_endpoint, url), false},
    {"dialect", offsetof(struct config_endpoint, dialect), false},
    {"model", offsetof(struct config_endpoint, model), false},
    {"voice", offsetof(struct config_endpoint, voice), false},
    {"cacert", offsetof(struct config_endpoint, cacert), true},
    {"api_key_env", offsetof(struct config_endpoint, key_env), false},
    {"api_key_command", offsetof(struct config_endpoint, key_command), false},
    {"api_key_file", offsetof(struct config_endpoint, key_file), true},
    /* for the templates of dialects: realtime/dialect.h says what they mean */
    {"region", CONFIG_VALUE, false},
    {"resource", CONFIG_VALUE, false},
    {"key_header", CONFIG_VALUE, false},
    {"session", CONFIG_VALUE, false},
    {"input_hz", CONFIG_VALUE, false},
    {"output_hz", CONFIG_VALUE, false},
    {"transcriber", CONFIG_VALUE, false},
};

size_t config_key(const char *name)
{
    size_t i = 0;

    while (i < CONFIG_KEYS && strcmp(config_keys[i].name, name) != 0)
        i++;
    return i;
}

struct check {
    const struct syntax *text;
    const char *file;
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
    return err_set(k->e, STATUS_USAGE, -EINVAL, "'%s', line %u: %s", k->file, item->line, what);
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

/* What a file is called must not depend on the folder that the program is started in: there may be
 * a stranger's file of that name. */
static int check_path(const struct check *k, const struct syntax_item *item)
{
    if (item->text[0] == '/' || strncmp(item->text, "~/", 2) == 0)
        return 0;
    return fault(k, item, "'%s' begins with '/', or with '~/' for your own folder, not with '%s'",
                 item->name, item->text);
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
    if (once(k, item, &seen[id]) < 0 || (option_def(id)->path && check_path(k, item) < 0))
        return -EINVAL;
    snprintf(from, sizeof from, "'%.200s', line %u: %s", k->file, item->line, item->name);
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
    const struct syntax_item *items = k->text->items;
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
    if (strstr(item->text, "{key}") != NULL)
        return fault(k, item, "a header with {key} in it is 'key_header'");
    if (++*count > CONFIG_MAX_HEADERS)
        return fault(k, item, "more than %d headers", CONFIG_MAX_HEADERS);
    return 0;
}

static int check_events(const struct check *k, size_t at)
{
    const struct syntax_item *items = k->text->items;
    size_t count = 0;

    if (items[at].text != NULL)
        return fault(k, &items[at], "'events' takes no name");
    for (size_t i = at + 1; i < items[at].end; i = items[i].end)
        if (items[i].section || ++count > CONFIG_MAX_EVENTS)
            return fault(k, &items[i],
                         items[i].section ? "'events' holds lines of the form NAME = VALUE"
                                          : "too many event names");
    return 0;
}

static int unknown_key(const struct check *k, const struct syntax_item *item)
{
    struct near near = near_to(item->name);

    if (strcmp(item->name, "api_key") == 0)
        return fault(k, item,
                     "a key does not stand in this file: say where it is, with api_key_env, "
                     "api_key_command or api_key_file");
    for (size_t i = 0; i < CONFIG_KEYS; i++)
        near_offer(&near, config_keys[i].name);
    near_offer(&near, "header");
    near_offer(&near, "events");
    return unknown(k, item, &near);
}

static int check_key_sources(const struct check *k, const struct syntax_item *section,
                             const unsigned *seen)
{
    int sources = 0;

    for (size_t i = 0; i < CONFIG_KEYS; i++)
        sources += seen[i] > 0 && strncmp(config_keys[i].name, "api_key_", 8) == 0;
    if (sources > 1)
        return fault(k, section,
                     "endpoint '%s' has several of api_key_env, api_key_command and api_key_file: "
                     "one is enough",
                     section->text);
    return 0;
}

static int check_endpoint(const struct check *k, size_t at)
{
    const struct syntax_item *items = k->text->items, *item;
    unsigned seen[CONFIG_KEYS] = {0}, events = 0;
    size_t headers = 0, key;
    int rc = 0;

    for (size_t i = at + 1; rc == 0 && i < items[at].end; i = items[i].end) {
        item = &items[i];
        key = config_key(item->name);
        if (item->section && strcmp(item->name, "events") == 0)
            rc = once(k, item, &events) < 0 ? -EINVAL : check_events(k, i);
        else if (!item->section && strcmp(item->name, "header") == 0)
            rc = check_header(k, item, &headers);
        else if (item->section || key == CONFIG_KEYS)
            rc = unknown_key(k, item);
        else if (item->text[0] == '\0')
            rc = fault(k, item, "'%s' is empty", item->name);
        else if (once(k, item, &seen[key]) < 0 ||
                 (config_keys[key].path && check_path(k, item) < 0))
            rc = -EINVAL;
    }
    return rc < 0 ? rc : check_key_sources(k, &items[at], seen);
}

static int check_profile(const struct check *k, size_t at)
{
    const struct syntax_item *items = k->text->items;
    unsigned seen[OPT_COUNT] = {0};
    int rc = check_sections(k, at + 1, items[at].end, "endpoint", CONFIG_MAX_ENDPOINTS);

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
    const struct syntax_item *items = k->text->items;
    unsigned seen[OPT_COUNT] = {0}, profile = 0;
    int rc = check_sections(k, 0, k->text->count, "profile", CONFIG_MAX_PROFILES);

    for (size_t i = 0; rc == 0 && i < k->text->count; i = items[i].end) {
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

int config_check(const struct syntax *text, const char *file, struct err *e)
{
    const struct check check = {.text = text, .file = file, .e = e};

    return check_all(&check);
}
