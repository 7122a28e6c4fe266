#include "cmd/slash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What an endpoint lets change in the middle of a conversation. */
static const enum option_id settings[] = {OPT_EFFORT,    OPT_VOICE,           OPT_SPEED,
                                          OPT_SYSTEM,    OPT_LANGUAGE,        OPT_TURN_DETECTION,
                                          OPT_EAGERNESS, OPT_NOISE_REDUCTION, OPT_MAX_TOKENS};
#define SETTINGS (sizeof settings / sizeof *settings)

bool slash_is_setting(const char *line)
{
    return line[0] == '/' && line[1] != '/';
}

static bool is_setting(enum option_id id)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i] == id)
            return true;
    return false;
}

static int unknown(struct err *e)
{
    char all[256];
    size_t n = 0;

    for (size_t i = 0; i < SETTINGS && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, " /%s", option_def(settings[i])->name);
    return err_set(
        e, STATUS_USAGE, -EINVAL,
        "a line that begins with a slash changes a setting:%s, and a value; // says a slash", all);
}

int slash_take(struct options *o, const char *line, struct err *e)
{
    const char *name = line + 1;
    size_t n = strcspn(name, " \t");
    const char *value = name + n + strspn(name + n, " \t");
    enum option_id id = option_find(name, n);

    if (id == OPT_COUNT || !is_setting(id) || !options_takes(o, id))
        return unknown(e);
    if (*value == '\0')
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "/%s wants a value behind it, as --%s does: see `hullo chat --help`",
                       option_def(id)->name, option_def(id)->name);
    return options_set(o, option_def(id)->name, value, e);
}
