/* devices - what hullo can hear and speak through. */
#include "cmd/commands.h"

#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/json.h"

struct listing {
    bool json;
    bool headset;
    size_t count;
};

static void print_json(const struct audio_device *d)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "type", "device");
    cJSON_AddNumberToObject(o, "v", 1);
    cJSON_AddStringToObject(o, "driver", d->driver);
    cJSON_AddStringToObject(o, "name", d->name);
    cJSON_AddNumberToObject(o, "inputs", d->inputs);
    cJSON_AddNumberToObject(o, "outputs", d->outputs);
    cJSON_AddNumberToObject(o, "rate_hz", d->rate_hz);
    cJSON_AddBoolToObject(o, "default_input", d->default_input);
    cJSON_AddBoolToObject(o, "default_output", d->default_output);
    cJSON_AddBoolToObject(o, "headset_without_microphone", d->headset_without_microphone);
    json_print_line(o);
}

static void print_plain(const struct audio_device *d)
{
    printf("%-10s %-44s %2d in %2d out %6d Hz%s%s%s\n", d->driver, d->name, d->inputs, d->outputs,
           d->rate_hz, d->default_input ? "  default input" : "",
           d->default_output ? "  default output" : "",
           d->headset_without_microphone ? "  no microphone" : "");
}

static void each(void *user, const struct audio_device *d)
{
    struct listing *l = user;

    l->count++;
    l->headset |= d->headset_without_microphone;
    if (l->json)
        print_json(d);
    else
        print_plain(d);
}

static enum status run(const struct app *app, struct err *e)
{
    struct listing l = {.json = options_has(app->options, OPT_JSON)};
    enum status status = STATUS_DONE;

    for (const struct audio_driver *const *d = app->registry->audio; *d != NULL; d++) {
        struct err trouble = {0};
        if ((*d)->list != NULL && (*d)->list(each, &l, app->log, &trouble) < 0) {
            log_warn(app->log, "%s", trouble.text);
            status = trouble.status;
        }
    }
    if (l.headset)
        log_warn(app->log,
                 "a Bluetooth headset is connected in its playback-only profile: switch it to "
                 "its headset profile (HSP/HFP) in your sound settings to use its microphone, "
                 "or name another one with --input-device");
    if (l.count == 0) {
        err_set(e, STATUS_AUDIO, -ENODEV,
                "no sound device found: connect one, or work with files: `hullo ask FILE -o FILE`");
        status = STATUS_AUDIO;
    }
    return status;
}

static const enum option_id options[] = {OPT_JSON, OPT_COUNT};

const struct command command_devices = {
    .name = "devices",
    .summary = "list microphones and loudspeakers",
    .operands = "",
    .about = "Lists microphones and loudspeakers, marks the defaults, and warns of a Bluetooth\n"
             "headset without microphone. Names, or parts of them, go with --input-device and\n"
             "--output-device.",
    .options = options,
    .run = run,
};
