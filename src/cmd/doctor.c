/* doctor - whether a conversation will work here, and what to do where it will not. */
#include <cJSON.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/checkup.h"
#include "cmd/checkup_endpoints.h"
#include "cmd/commands.h"
#include "cmd/diagnose.h"
#include "cmd/interrupt.h"
#include "cmd/setup.h"
#include "util/json.h"
#include "util/path.h"

struct doctor {
    const struct app *app;
    struct findings findings;
    struct soundcheck sound;
    bool opened; /* the devices, and the test came to its end */
    enum verdict verdict;
};

/* --- sound */

static void note_headset(void *user, const struct audio_device *d)
{
    *(bool *)user |= d->headset_without_microphone;
}

static struct diagnose_place place_of(const struct app *app, const struct audio_driver *driver)
{
    struct diagnose_place place = {.driver = driver->name};

#ifdef __APPLE__
    place.macos = true;
#endif
    if (driver->list != NULL)
        driver->list(note_headset, &place.headset, app->log, NULL);
    return place;
}

/* What to do is behind the last ": " or "; " before it names a command; names of devices, which
 * have such signs too, come earlier. */
static void add_trouble(struct findings *f, const struct err *trouble)
{
    const char *command = strstr(trouble->text, "`hullo"), *cut = NULL;

    for (const char *p = trouble->text; command != NULL && p < command; p++)
        if ((p[0] == ':' || p[0] == ';') && p[1] == ' ')
            cut = p;
    findings_add(f, "sound", FINDING_TROUBLE, "%.*s",
                 (int)(cut != NULL ? cut - trouble->text : (ptrdiff_t)strlen(trouble->text)),
                 trouble->text);
    if (cut != NULL)
        findings_advise(f, "%s", cut + 2);
    else if (command == NULL)
        findings_advise(f, "see `hullo devices`; without devices hullo works with files: "
                           "`hullo ask FILE -o FILE`");
    findings_fail(f, trouble->status);
}

/* 0, or -ECANCELED. */
static int check_sound(struct doctor *d, const atomic_int *cancel, struct err *e)
{
    struct duplex_config sound = {.aec = NEAREND_SPEEX};
    struct diagnose_place place;
    struct err trouble = {0};
    char *rooms = NULL;
    int rc = setup_sound(&sound, d->app, e);

    if (rc < 0)
        return rc;
    path_state(&rooms, "rooms");
    sound.rooms = rooms;
    rc = soundcheck_run(&d->sound, &sound, d->app->log, cancel, &trouble);
    free(rooms);
    if (rc == -ECANCELED) {
        *e = trouble;
        return rc;
    }
    d->opened = rc == 0;
    d->verdict = VERDICT_NONE;
    if (d->opened) {
        place = place_of(d->app, sound.driver);
        d->verdict = diagnose_sound(&d->findings, &d->sound, &place);
        return 0;
    }
    add_trouble(&d->findings, &trouble);
    return 0;
}

/* --- telling */

static void print_plain(const struct findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct finding *one = &f->list[i];
        printf("%-8s %-12s %s\n", findings_level_name(one->level), one->about, one->text);
        if (one->advice[0] != '\0')
            printf("%-8s %-12s %s\n", "", "", one->advice);
    }
}

static void add_number(cJSON *o, const char *name, double x, bool is_known)
{
    if (is_known && isfinite(x))
        cJSON_AddNumberToObject(o, name, round(x * 100) / 100);
    else
        cJSON_AddNullToObject(o, name);
}

static void add_sound(cJSON *o, const struct soundcheck *s)
{
    const struct probe *p = &s->probe;

    json_add_text(o, "input", s->in_name);
    json_add_text(o, "output", s->out_name);
    cJSON_AddNumberToObject(o, "in_hz", s->in_hz);
    cJSON_AddNumberToObject(o, "out_hz", s->out_hz);
    add_number(o, "in_latency_ms", s->in_latency_ms, true);
    add_number(o, "out_latency_ms", s->out_latency_ms, true);
    cJSON_AddBoolToObject(o, "silent", p->silent);
    cJSON_AddNumberToObject(o, "clipped", (double)p->clipped);
    add_number(o, "noise_db", p->noise_db, !p->silent);
    cJSON_AddBoolToObject(o, "echo", p->heard);
    add_number(o, "delay_ms", p->delay_ms, p->heard);
    add_number(o, "round_trip_ms", p->heard ? diagnose_round_trip_ms(s) : 0, p->heard);
    add_number(o, "echo_db", p->echo_db, p->heard);
    add_number(o, "drift_ppm", p->drift_ppm, p->drift_known);
    add_number(o, "erle_db", s->erle_db, s->trained && s->erle_db != 0);
    cJSON_AddBoolToObject(o, "converged", s->trained && s->converged);
    cJSON_AddBoolToObject(o, "kept", s->kept);
    add_number(o, "seconds", s->seconds, true);
    cJSON_AddNumberToObject(o, "underruns", (double)s->underruns);
    cJSON_AddNumberToObject(o, "overruns", (double)s->overruns);
}

static void add_finding(cJSON *list, const struct finding *one)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "about", one->about);
    cJSON_AddStringToObject(o, "level", findings_level_name(one->level));
    json_add_text(o, "text", one->text);
    json_add_text(o, "advice", one->advice);
    if (!cJSON_AddItemToArray(list, o))
        cJSON_Delete(o);
}

static void print_json(const struct doctor *d)
{
    cJSON *o = cJSON_CreateObject(), *list;

    cJSON_AddStringToObject(o, "type", "doctor");
    cJSON_AddNumberToObject(o, "v", 1);
    cJSON_AddStringToObject(o, "verdict", diagnose_verdict_name(d->verdict));
    cJSON_AddNumberToObject(o, "status", findings_status(&d->findings));
    if (d->opened)
        add_sound(cJSON_AddObjectToObject(o, "sound"), &d->sound);
    else
        cJSON_AddNullToObject(o, "sound");
    list = cJSON_AddArrayToObject(o, "findings");
    for (size_t i = 0; i < d->findings.count; i++)
        add_finding(list, &d->findings.list[i]);
    json_print_line(o);
}

/* --- the command */

/* What answers: an endpoint, or models and servers. */
static void look_beyond(struct doctor *d, const atomic_int *cancel)
{
    struct endpoints *endpoints;
    struct err e = {0};
    size_t count;

    if (setup_endpoints(&endpoints, d->app, &e) < 0) {
        findings_add(&d->findings, "endpoint", FINDING_TROUBLE, "%s", e.text);
        findings_fail(&d->findings, e.status);
        return;
    }
    endpoints_list(endpoints, &count);
    checkup_models(&d->findings, d->app, count > 0);
    if (count > 0)
        checkup_endpoints(&d->findings, d->app, endpoints, cancel);
    else
        checkup_servers(&d->findings, d->app, cancel);
    endpoints_free(endpoints);
}

static int examine(struct doctor *d, const atomic_int *cancel, struct err *e)
{
    int rc = check_sound(d, cancel, e);

    if (rc < 0)
        return rc;
    checkup_settings(&d->findings, d->app); /* before keys are taken out of the environment */
    look_beyond(d, cancel);
    return 0;
}

static enum status run(const struct app *app, struct err *e)
{
    struct doctor *d = calloc(1, sizeof *d);
    struct interrupt interrupt;
    enum status status;
    int rc = d != NULL ? interrupt_begin(&interrupt) : -ENOMEM;

    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start: %s", strerror(-rc));
        free(d);
        return STATUS_FAILED;
    }
    d->app = app;
    rc = examine(d, &interrupt.signal, e);
    interrupt_end(&interrupt);
    if (atomic_load(&interrupt.signal) != 0) {
        *e = (struct err){0};
        status = atomic_load(&interrupt.signal) == SIGINT ? STATUS_INTERRUPTED : STATUS_TERMINATED;
    } else if (rc < 0) {
        status = e->status;
    } else {
        if (options_has(app->options, OPT_JSON))
            print_json(d);
        else
            print_plain(&d->findings);
        status = findings_status(&d->findings);
    }
    free(d);
    return status;
}

static const enum option_id options[] = {
    OPT_AEC,         OPT_AUDIO,   OPT_INPUT_DEVICE, OPT_OUTPUT_DEVICE, OPT_MODEL,
    OPT_LOCAL_MODEL, OPT_LLM_URL, OPT_STT_URL,      OPT_JSON,          OPT_CONFIG,
    OPT_PROFILE,     OPT_URL,     OPT_DIALECT,      OPT_CACERT,        OPT_COUNT};

const struct command command_doctor = {
    .name = "doctor",
    .summary = "see whether a conversation will work here, and what to do if not",
    .operands = "",
    .about = "Plays two chirps and some noise, listens to them with the microphone, and says\n"
             "what comes back: delay, drift, noise, how much of the echo can be taken out,\n"
             "dropouts, and why nothing is heard. Looks at models, settings and servers too.\n"
             "Takes some ten seconds; what it learns about the devices is kept.",
    .options = options,
    .run = run,
};
