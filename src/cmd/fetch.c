#include "cmd/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/interrupt.h"
#include "ui/progress.h"

static int pull(const struct app *app, const struct models *m, const struct model_info *info,
                const atomic_int *cancel, struct err *e)
{
    struct progress progress;
    int rc;

    log_info(app->log, "fetching %s: %s, %.0f MB, licence %s (%s)", info->name, info->title,
             (double)info->fetch_bytes / 1e6, info->licence, info->licence_text);
    progress_begin(&progress, app->log);
    rc = models_pull(m, info->name, progress_update, &progress, cancel, e);
    progress_end(&progress);
    if (rc == 0)
        log_info(app->log, "%s is there", info->name);
    return rc;
}

static enum status pull_all(const struct app *app, const struct models *m, const size_t *indices,
                            size_t count, const atomic_int *cancel, struct err *e)
{
    size_t failed = 0;

    for (size_t i = 0; i < count; i++) {
        struct model_info info;
        struct err trouble = {0};
        models_info(m, indices[i], &info);
        if (info.present) {
            log_info(app->log, "%s is there", info.name);
            continue;
        }
        if (pull(app, m, &info, cancel, &trouble) == 0)
            continue;
        failed++;
        *e = trouble;
        if (count == 1 || trouble.code == -ECANCELED)
            return trouble.status;
        log_error(app->log, "%s", trouble.text);
        e->text[0] = '\0'; /* told */
    }
    if (failed == 0)
        return STATUS_DONE;
    return failed == count ? e->status : STATUS_PARTLY;
}

enum status fetch_models(const struct app *app, const struct models *m, const size_t *indices,
                         size_t count, struct err *e)
{
    struct interrupt interrupt;
    int rc = interrupt_begin(&interrupt), came;
    enum status status;

    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start a thread: %s", strerror(-rc));
        return STATUS_FAILED;
    }
    status = pull_all(app, m, indices, count, &interrupt.signal, e);
    came = atomic_load(&interrupt.signal);
    interrupt_end(&interrupt);
    if (status == STATUS_INTERRUPTED && came == SIGTERM)
        status = e->status = STATUS_TERMINATED;
    return status;
}

/* One line of an answer; nothing but a clear yes is one. */
static bool says_yes(FILE *from)
{
    char line[16];

    if (fgets(line, sizeof line, from) == NULL)
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0;
}

static bool agreed(const struct app *app, const struct models *m,
                   const struct models_missing *missing)
{
    if (options_has(app->options, OPT_YES))
        return true;
    if (options_has(app->options, OPT_NO_INPUT) || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    fprintf(stderr, "These models are not there yet:\n");
    for (size_t i = 0; i < missing->count; i++) {
        struct model_info info;
        models_info(m, missing->indices[i], &info);
        fprintf(stderr, "  %-20s %4.0f MB  %s, licence %s\n", info.name,
                (double)info.fetch_bytes / 1e6, info.title, info.licence);
    }
    fprintf(stderr, "Fetch %.0f MB now? [y/N] ", (double)missing->fetch_bytes / 1e6);
    return says_yes(stdin);
}

enum status fetch_missing(const struct app *app, const struct models *m, unsigned roles,
                          struct err *e)
{
    struct models_missing missing;
    enum status status = STATUS_DONE;
    int rc = models_missing(m, roles, &missing);

    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "out of memory");
        return STATUS_FAILED;
    }
    if (missing.count > 0 && agreed(app, m, &missing)) {
        status = fetch_models(app, m, missing.indices, missing.count, e);
        if (status == STATUS_PARTLY)
            status = e->status;
    } else if (missing.count > 0) {
        struct model_info info;
        models_info(m, missing.indices[0], &info);
        err_set(e, STATUS_NO_MODEL, -ENOENT,
                "model '%s'%s not there: run `hullo models pull` (%.0f MB)", info.name,
                missing.count > 1 ? " and others are" : " is", (double)missing.fetch_bytes / 1e6);
        status = STATUS_NO_MODEL;
    }
    models_missing_free(&missing);
    return status;
}
