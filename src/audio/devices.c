#include "audio/devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The names that errors list. */
struct names {
    char text[320];
    size_t len;
};

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

/* True when `s` starts with `prefix`. */
static bool starts(const char *s, const char *prefix)
{
    while (*prefix != '\0' && lower(*s) == lower(*prefix))
        s++, prefix++;
    return *prefix == '\0';
}

static bool same(const char *a, const char *b)
{
    return starts(a, b) && strlen(a) == strlen(b);
}

static bool contains(const char *s, const char *part)
{
    for (; *s != '\0'; s++)
        if (starts(s, part))
            return true;
    return *part == '\0';
}

static bool can(const struct audio_device *d, bool capture)
{
    return (capture ? d->inputs : d->outputs) > 0;
}

static void add_name(struct names *names, const char *name)
{
    int n;

    if (names->len + strlen(name) + 10 > sizeof names->text) {
        if (names->len + 6 < sizeof names->text && names->text[names->len - 1] != '.')
            names->len += (size_t)snprintf(names->text + names->len, 6, ", ...");
        return;
    }
    n = snprintf(names->text + names->len, sizeof names->text - names->len, "%s'%s'",
                 names->len > 0 ? ", " : "", name);
    names->len += (size_t)n;
}

static const char *kind(bool capture)
{
    return capture ? "input" : "output";
}

static int none_at_all(bool capture, struct err *e)
{
    return err_set(
        e, STATUS_AUDIO, -ENODEV,
        "no %s device was found: connect a %s, end the program that holds it (see `hullo "
        "devices`), or do without: `hullo --audio null` to write, `hullo ask FILE -o FILE`",
        kind(capture), capture ? "microphone" : "loudspeaker");
}

static int no_match(const struct audio_device *list, size_t n, const char *name, bool capture,
                    struct err *e)
{
    struct names names = {0};

    for (size_t i = 0; i < n; i++) {
        if (can(&list[i], capture))
            add_name(&names, list[i].name);
        else if (contains(list[i].name, name) && list[i].headset_without_microphone)
            return err_set(e, STATUS_AUDIO, -ENOENT,
                           "'%s' has no microphone in its playback-only profile: switch it to its "
                           "headset profile (HSP/HFP), or name another with --input-device",
                           list[i].name);
    }
    if (names.len == 0)
        return none_at_all(capture, e);
    return err_set(e, STATUS_AUDIO, -ENOENT, "no %s device is called '%s': there are %s",
                   kind(capture), name, names.text);
}

static int by_name(size_t *index, const struct audio_device *list, size_t n, const char *name,
                   bool capture, struct err *e)
{
    struct names names = {0};
    size_t found = n;
    bool several = false;

    for (size_t i = 0; i < n; i++)
        if (can(&list[i], capture) && same(list[i].name, name)) {
            *index = i;
            return 0;
        }
    for (size_t i = 0; i < n; i++) {
        if (!can(&list[i], capture) || !contains(list[i].name, name))
            continue;
        if (found < n && same(list[i].name, list[found].name))
            continue;
        several = found < n;
        if (found == n)
            found = i;
        add_name(&names, list[i].name);
    }
    if (found == n)
        return no_match(list, n, name, capture, e);
    if (several)
        return err_set(e, STATUS_AUDIO, -ENOTUNIQ,
                       "'%s' is part of the names of several %s devices: write more of %s", name,
                       kind(capture), names.text);
    *index = found;
    return 0;
}

int devices_choose(size_t *index, const struct audio_device *list, size_t n, const char *name,
                   bool capture, struct err *e)
{
    size_t first = n;

    *index = 0;
    if (name != NULL)
        return by_name(index, list, n, name, capture, e);
    for (size_t i = 0; i < n; i++) {
        if (!can(&list[i], capture))
            continue;
        if (capture ? list[i].default_input : list[i].default_output) {
            *index = i;
            return 0;
        }
        if (first == n)
            first = i;
    }
    if (first == n)
        return none_at_all(capture, e);
    *index = first;
    return 0;
}

static bool called_like_a_headset(const char *name)
{
    static const char *const parts[] = {"bluez",   "bluetooth", "a2dp",         "headset",
                                        "airpods", "earbuds",   "galaxy buds",  "pixel buds",
                                        "wh-1000", "wf-1000",   "quietcomfort", "jabra"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (contains(name, parts[i]))
            return true;
    return false;
}

void devices_mark_headsets(struct audio_device *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool captures = false;
        for (size_t k = 0; k < n; k++)
            captures |= can(&list[k], true) && same(list[k].name, list[i].name);
        list[i].headset_without_microphone =
            can(&list[i], false) && !captures && called_like_a_headset(list[i].name);
    }
}
