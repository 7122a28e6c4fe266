#include "models/models.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/manifest.h"
#include "models/store.h"
#include "util/path.h"

enum { MANIFEST_MAX = 1 << 20 };

static int find_manifest(char **out, struct err *e)
{
    const char *env = getenv("HULLO_MODELS_MANIFEST");

    if (env != NULL && env[0] != '\0') {
        *out = strdup(env);
        return *out != NULL ? 0 : err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    if (path_share(out, "models.json") == 0)
        return 0;
    return err_set(e, STATUS_FAILED, -ENOENT,
                   "cannot find 'models.json', which comes with hullo: install hullo again, or "
                   "name its folder in HULLO_SHARE");
}

static int find_dir(char **out)
{
    const char *env = getenv("HULLO_MODELS_DIR");

    if (env == NULL || env[0] == '\0')
        return path_data(out, "models");
    *out = env[0] == '/' ? strdup(env) : NULL;
    if (env[0] != '/') {
        char *here = getcwd(NULL, 0);
        int rc = here != NULL ? path_join(out, here, env) : -errno;
        free(here);
        return rc;
    }
    return *out != NULL ? 0 : -ENOMEM;
}

static int no_dir(int rc, struct err *e)
{
    if (rc == -ENOMEM)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    return err_set(e, STATUS_FAILED, rc,
                   "cannot tell in which folder models are kept: set HOME, or name the folder in "
                   "HULLO_MODELS_DIR, from / on");
}

int models_open(struct models **out, const struct log *log, struct err *e)
{
    struct models *m = calloc(1, sizeof *m);
    char *path = NULL, *text = NULL;
    size_t len;
    int rc = -ENOMEM;

    *out = NULL;
    if (m == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    m->log = log;
    m->hub = calloc(1, sizeof *m->hub);
    if (m->hub != NULL)
        rc = find_dir(&m->dir);
    if (rc < 0)
        no_dir(rc, e);
    else
        rc = find_manifest(&path, e);
    if (rc == 0)
        rc = path_read(&text, &len, path, MANIFEST_MAX, e);
    if (rc == 0)
        rc = manifest_parse(m, text, len, path, e);
    free(text);
    free(path);
    if (rc < 0)
        models_close(m);
    else
        *out = m;
    return rc;
}

void models_close(struct models *m)
{
    if (m == NULL)
        return;
    manifest_free(m);
    free(m->hub);
    free(m->dir);
    free(m);
}

const char *models_dir(const struct models *m)
{
    return m->dir;
}

size_t models_count(const struct models *m)
{
    return m->count;
}

int models_index(const struct models *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->models[i].info.name != NULL && strcmp(m->models[i].info.name, name) == 0)
            return (int)i;
    return -ENOENT;
}

int models_info(const struct models *m, size_t i, struct model_info *out)
{
    const struct model *model;

    if (i >= m->count)
        return -EINVAL;
    model = &m->models[i];
    *out = model->info;
    out->present = true;
    for (const struct file *f = model->files; f < model->files + model->file_count; f++)
        if (f->keep && store_check(m, model, f, false, NULL) < 0)
            out->present = false;
    return 0;
}

int models_missing(const struct models *m, unsigned roles, struct models_missing *out)
{
    struct model_info info;

    *out = (struct models_missing){0};
    out->indices = calloc(m->count, sizeof *out->indices);
    if (out->indices == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < m->count; i++) {
        models_info(m, i, &info);
        if (!info.standard || info.present || (roles & (1u << info.role)) == 0)
            continue;
        out->indices[out->count++] = i;
        out->fetch_bytes += info.fetch_bytes;
        out->bytes += info.bytes;
    }
    return 0;
}

void models_missing_free(struct models_missing *missing)
{
    free(missing->indices);
    *missing = (struct models_missing){0};
}

/* What is said when a file was looked at and is not as it should be. */
static int not_usable(const struct model *model, const struct file *f, int rc, struct err *e)
{
    const char *name = model->info.name;

    if (rc == -ENOENT)
        return err_set(e, STATUS_NO_MODEL, rc,
                       "model '%s' is not there ('%s' is missing): run `hullo models pull %s`",
                       name, f->name, name);
    if (rc == -EBADMSG)
        return err_set(e, STATUS_NO_MODEL, rc,
                       "model '%s' is damaged ('%s' is not what it should be): run `hullo models "
                       "pull %s` to fetch it again",
                       name, f->name, name);
    return err_set(e, STATUS_FAILED, rc, "cannot read '%s' of model '%s': %s", f->name, name,
                   strerror(-rc));
}

static int check_files(const struct models *m, const struct model *model, const char *only,
                       bool force, struct err *e)
{
    for (const struct file *f = model->files; f < model->files + model->file_count; f++) {
        int rc = 0;
        if (f->keep && (only == NULL || strcmp(only, f->name) == 0))
            rc = store_check(m, model, f, force, NULL);
        if (rc < 0)
            return not_usable(model, f, rc, e);
    }
    return 0;
}

static const struct file *find_file(const struct model *model, const char *name)
{
    for (const struct file *f = model->files; f < model->files + model->file_count; f++)
        if (f->keep && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

int models_path(const struct models *m, const char *name, const char *file, char **out,
                struct err *e)
{
    const struct model *model = manifest_find(m, name, e);
    const struct file *f = NULL;
    int rc;

    *out = NULL;
    if (model == NULL)
        return -ENOENT;
    if (file != NULL) {
        f = find_file(model, file);
        if (f == NULL)
            return err_set(e, STATUS_USAGE, -ENOENT, "model '%s' has no file '%s'", name, file);
    }
    rc = check_files(m, model, file, false, e);
    if (rc < 0)
        return rc;
    return f != NULL ? store_file(m, model, f, out, e) : store_folder(m, model, out, e);
}

int models_verify(const struct models *m, const char *name, struct err *e)
{
    const struct model *model = manifest_find(m, name, e);

    return model != NULL ? check_files(m, model, NULL, true, e) : -ENOENT;
}

/* Takes away what the manifest names, and nothing that somebody else put there. */
static int remove_files(const struct models *m, const struct model *model, struct err *e)
{
    bool any = false;
    char *folder = NULL;
    int rc = 0;

    for (const struct file *f = model->files; f < model->files + model->file_count && rc == 0; f++)
        rc = store_remove(m, model, f, &any, e);
    if (rc == 0)
        rc = store_folder(m, model, &folder, e);
    if (rc < 0)
        return rc;
    if (rmdir(folder) != 0 && errno == ENOTEMPTY)
        log_warn(m->log, "'%s' stays: there are files in it that hullo does not know", folder);
    free(folder);
    if (!any)
        return err_set(e, STATUS_NO_MODEL, -ENOENT, "model '%s' is not there", model->info.name);
    return 0;
}

int models_remove(const struct models *m, const char *name, struct err *e)
{
    const struct model *model = manifest_find(m, name, e);
    int lock, rc;

    if (model == NULL)
        return -ENOENT;
    rc = store_lock(m, &lock, NULL, e);
    if (rc < 0)
        return rc;
    rc = remove_files(m, model, e);
    store_unlock(lock);
    return rc;
}
