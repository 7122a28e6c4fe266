/* models - the models that run on this machine: which there are, fetching, checking, removing. */
#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/fetch.h"
#include "util/json.h"

struct names {
    size_t *indices, count;
};

static const char *role_name(enum model_role role)
{
    static const char *const names[] = {"vad", "stt", "llm", "tts", "sample"};

    return names[role];
}

static void print_json(const struct models *m, const struct model_info *info)
{
    cJSON *o = cJSON_CreateObject();
    char *path = NULL;

    if (info->present)
        models_path(m, info->name, NULL, &path, NULL);
    cJSON_AddStringToObject(o, "type", "model");
    cJSON_AddNumberToObject(o, "v", 1);
    cJSON_AddStringToObject(o, "name", info->name);
    cJSON_AddStringToObject(o, "title", info->title);
    cJSON_AddStringToObject(o, "role", role_name(info->role));
    cJSON_AddStringToObject(o, "licence", info->licence);
    cJSON_AddStringToObject(o, "licence_text", info->licence_text);
    cJSON_AddNumberToObject(o, "bytes", (double)info->bytes);
    cJSON_AddNumberToObject(o, "fetch_bytes", (double)info->fetch_bytes);
    cJSON_AddBoolToObject(o, "standard", info->standard);
    cJSON_AddBoolToObject(o, "present", info->present);
    if (path != NULL)
        cJSON_AddStringToObject(o, "path", path);
    else
        cJSON_AddNullToObject(o, "path");
    json_print_line(o);
    free(path);
}

static void print_plain(const struct model_info *info)
{
    printf("%-20s %-6s %6.1f MB  %-8s %-24s %s\n", info->name, role_name(info->role),
           (double)info->bytes / 1e6,
           info->present    ? "here"
           : info->standard ? "missing"
                            : "-",
           info->licence, info->title);
}

static enum status list(const struct app *app, const struct models *m, const struct names *names,
                        struct err *e)
{
    (void)e;
    for (size_t i = 0; i < names->count; i++) {
        struct model_info info;
        models_info(m, names->indices[i], &info);
        if (options_has(app->options, OPT_JSON))
            print_json(m, &info);
        else
            print_plain(&info);
    }
    return STATUS_DONE;
}

static enum status pull(const struct app *app, const struct models *m, const struct names *names,
                        struct err *e)
{
    return fetch_models(app, m, names->indices, names->count, e);
}

static enum status verify(const struct app *app, const struct models *m, const struct names *names,
                          struct err *e)
{
    bool named = app->options->operand_count > 1;
    size_t failed = 0, done = 0;

    for (size_t i = 0; i < names->count; i++) {
        struct model_info info;
        struct err trouble = {0};
        models_info(m, names->indices[i], &info);
        if (!named && !info.standard && !info.present)
            continue;
        done++;
        if (models_verify(m, info.name, &trouble) == 0) {
            printf("%s: ok\n", info.name);
            continue;
        }
        failed++;
        log_error(app->log, "%s", trouble.text);
        e->status = trouble.status;
    }
    if (failed == 0)
        return STATUS_DONE;
    return failed == done ? e->status : STATUS_PARTLY;
}

static enum status remove_models(const struct app *app, const struct models *m,
                                 const struct names *names, struct err *e)
{
    size_t failed = 0;

    for (size_t i = 0; i < names->count; i++) {
        struct model_info info;
        struct err trouble = {0};
        models_info(m, names->indices[i], &info);
        if (models_remove(m, info.name, &trouble) == 0)
            continue;
        failed++;
        log_error(app->log, "%s", trouble.text);
        e->status = trouble.status;
    }
    if (failed == 0)
        return STATUS_DONE;
    return failed == names->count ? e->status : STATUS_PARTLY;
}

/* Of a model that is not whole there is no path. */
static enum status path(const struct app *app, const struct models *m, const struct names *names,
                        struct err *e)
{
    if (app->options->operand_count == 1)
        puts(models_dir(m));
    for (size_t i = 0; app->options->operand_count > 1 && i < names->count; i++) {
        struct model_info info;
        char *folder;
        models_info(m, names->indices[i], &info);
        if (models_path(m, info.name, NULL, &folder, e) < 0)
            return e->status;
        puts(folder);
        free(folder);
    }
    return STATUS_DONE;
}

enum unnamed { ALL, STANDARD, NONE };

static const struct action {
    const char *name;
    enum unnamed unnamed; /* which models it is about when none is named */
    enum status (*run)(const struct app *app, const struct models *m, const struct names *names,
                       struct err *e);
} actions[] = {
    {"list", ALL, list},     {"pull", STANDARD, pull},
    {"verify", ALL, verify}, {"remove", NONE, remove_models},
    {"path", ALL, path},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static void take_unnamed(const struct models *m, enum unnamed which, struct names *names)
{
    for (size_t i = 0; i < models_count(m) && which != NONE; i++) {
        struct model_info info;
        models_info(m, i, &info);
        if (which == ALL || info.standard)
            names->indices[names->count++] = i;
    }
}

static int take_names(const struct app *app, const struct models *m, const struct action *action,
                      struct names *names, struct err *e)
{
    const struct options *o = app->options;

    names->indices = calloc(models_count(m) + o->operand_count, sizeof *names->indices);
    if (names->indices == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    if (o->operand_count <= 1)
        take_unnamed(m, action->unnamed, names);
    for (size_t i = 1; i < o->operand_count; i++) {
        int k = models_index(m, o->operands[i]);
        if (k < 0)
            return err_set(e, STATUS_USAGE, -EINVAL, "no model '%s'; see `hullo models list`",
                           o->operands[i]);
        names->indices[names->count++] = (size_t)k;
    }
    if (names->count == 0)
        return err_set(e, STATUS_USAGE, -EINVAL, "`hullo models %s` needs the name of a model",
                       action->name);
    return 0;
}

static enum status run(const struct app *app, struct err *e)
{
    const char *name = app->options->operand_count > 0 ? app->options->operands[0] : "list";
    const struct action *action = find_action(name);
    struct names names = {0};
    struct models *m = NULL;
    enum status status;

    if (action == NULL) {
        err_set(e, STATUS_USAGE, -EINVAL,
                "no action '%s'; `hullo models` takes list, pull, verify, remove or path", name);
        return STATUS_USAGE;
    }
    if (models_open(&m, app->log, e) < 0)
        return e->status;
    status = take_names(app, m, action, &names, e) < 0 ? e->status : action->run(app, m, &names, e);
    free(names.indices);
    models_close(m);
    return status;
}

static const enum option_id options[] = {OPT_JSON, OPT_YES, OPT_COUNT};

const struct command command_models = {
    .name = "models",
    .summary = "list, fetch, check and remove the models that run on this machine",
    .operands = "[list|pull|verify|remove|path [NAME ...]]",
    .about = "list    shows each model: role, size, whether it is here, licence (the default)\n"
             "pull    fetches models; without NAME those of the standard set that are missing\n"
             "verify  reads every file again and checks its sha256\n"
             "remove  deletes models\n"
             "path    prints a model's folder; without NAME the folder of all models",
    .options = options,
    .run = run,
};
