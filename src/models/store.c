#include "models/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "models/digest.h"
#include "util/buf.h"
#include "util/os.h"
#include "util/path.h"

static int no_memory(struct err *e)
{
    return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
}

/* Joins DIR, a folder and a name with a prefix and a suffix. */
static int join(const struct models *m, char **out, const char *folder, const char *prefix,
                const char *name, const char *suffix, struct err *e)
{
    struct buf b = BUF_INIT;

    *out = NULL;
    buf_addf(&b, "%s/%s", m->dir, folder);
    if (name != NULL)
        buf_addf(&b, "/%s%s%s", prefix, name, suffix);
    if (buf_failed(&b)) {
        buf_free(&b);
        return no_memory(e);
    }
    *out = b.data;
    return 0;
}

int store_folder(const struct models *m, const struct model *model, char **out, struct err *e)
{
    return join(m, out, model->info.name, "", NULL, "", e);
}

int store_file(const struct models *m, const struct model *model, const struct file *f, char **out,
               struct err *e)
{
    return join(m, out, model->info.name, "", f->name, "", e);
}

int store_part(const struct models *m, const char *name, char **out, struct err *e)
{
    return join(m, out, ".parts", "", name, "", e);
}

static int stamp_path(const struct models *m, const struct model *model, const struct file *f,
                      char **out)
{
    return join(m, out, model->info.name, ".", f->name, ".stamp", NULL);
}

/* What the stamp of this very file would say. */
static void stamp_text(char *out, size_t size, const struct stat *st, const char *sha256)
{
    snprintf(out, size, "%" PRIu64 " %" PRId64 " %s\n", (uint64_t)st->st_size, os_modified_ns(st),
             sha256);
}

bool store_stamped(const struct models *m, const struct model *model, const struct file *f)
{
    char want[160], *path = NULL, *stamp = NULL, *have = NULL;
    struct stat st;
    size_t n;
    bool ok = false;

    if (store_file(m, model, f, &path, NULL) < 0 || stamp_path(m, model, f, &stamp) < 0)
        goto out;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != f->bytes)
        goto out;
    if (path_read(&have, &n, stamp, sizeof want, NULL) < 0)
        goto out;
    stamp_text(want, sizeof want, &st, f->sha256);
    ok = strcmp(have, want) == 0;
out:
    free(have);
    free(stamp);
    free(path);
    return ok;
}

/* A folder that cannot be written costs a hash at each start, nothing else. */
static void put_stamp(const struct models *m, const struct model *model, const struct file *f,
                      const struct stat *st)
{
    char text[160], *stamp = NULL;
    struct err e = {0};

    if (stamp_path(m, model, f, &stamp) < 0)
        return;
    stamp_text(text, sizeof text, st, f->sha256);
    if (path_write(stamp, text, strlen(text), &e) < 0)
        log_debug(m->log, "%s", e.text);
    free(stamp);
}

static void drop_stamp(const struct models *m, const struct model *model, const struct file *f)
{
    char *stamp = NULL;

    if (stamp_path(m, model, f, &stamp) == 0)
        unlink(stamp);
    free(stamp);
}

int store_check(const struct models *m, const struct model *model, const struct file *f, bool force,
                const _Atomic int *cancel)
{
    char *path = NULL;
    struct stat before, after;
    int rc;

    if (!force && store_stamped(m, model, f))
        return 0;
    rc = store_file(m, model, f, &path, NULL);
    if (rc < 0)
        return rc;
    rc = stat(path, &before) == 0 ? 0 : -errno;
    if (rc == 0)
        rc = digest_check(path, f->bytes, f->sha256, cancel);
    /* A file that changes while it is read is stamped by whoever reads it next. */
    if (rc == 0 && stat(path, &after) == 0 && os_modified_ns(&before) == os_modified_ns(&after))
        put_stamp(m, model, f, &after);
    if (rc == -EBADMSG || rc == -ENOENT)
        drop_stamp(m, model, f);
    free(path);
    return rc == -ENOTDIR ? -ENOENT : rc;
}

/* The folder's new entry survives a power cut; where folders cannot be synced, it need not. */
static void sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);

    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

int store_adopt(const struct models *m, const struct model *model, const struct file *f,
                const char *from, struct err *e)
{
    char *folder = NULL, *path = NULL;
    struct stat st;
    int rc = store_folder(m, model, &folder, e);

    if (rc == 0)
        rc = store_file(m, model, f, &path, e);
    if (rc == 0)
        rc = path_mkdirs(folder, e);
    if (rc < 0)
        goto out;
    if (rename(from, path) != 0) {
        rc = err_set(e, STATUS_FAILED, -errno, "cannot write '%s': %s", path, strerror(errno));
        goto out;
    }
    sync_folder(folder);
    if (stat(path, &st) == 0)
        put_stamp(m, model, f, &st);
out:
    free(path);
    free(folder);
    return rc;
}

static int remove_one(const char *path, bool *any, struct err *e)
{
    if (unlink(path) == 0)
        *any = true;
    else if (errno != ENOENT && errno != ENOTDIR)
        return err_set(e, STATUS_FAILED, -errno, "cannot remove '%s': %s", path, strerror(errno));
    return 0;
}

int store_remove(const struct models *m, const struct model *model, const struct file *f, bool *any,
                 struct err *e)
{
    char *path = NULL, *part = NULL;
    int rc = store_file(m, model, f, &path, e);

    if (rc == 0)
        rc = store_part(m, f->sha256, &part, e);
    if (rc == 0)
        rc = remove_one(path, any, e);
    if (rc == 0)
        rc = remove_one(part, any, e);
    if (rc == 0)
        drop_stamp(m, model, f);
    free(part);
    free(path);
    return rc;
}

static bool cancelled(const _Atomic int *cancel)
{
    return cancel != NULL && atomic_load(cancel) != 0;
}

/* Waits for the lock by asking again, so that a signal's flag is seen at once. */
static int wait_for_lock(const struct models *m, int fd, const _Atomic int *cancel)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    bool said = false;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (!said)
            log_info(m->log, "waiting for another hullo that is fetching or removing models");
        said = true;
        if (cancelled(cancel))
            return -ECANCELED;
        nanosleep(&pause, NULL);
    }
    return 0;
}

int store_lock(const struct models *m, int *out, const _Atomic int *cancel, struct err *e)
{
    char *path = NULL;
    int fd = -1, rc;

    *out = -1;
    rc = path_mkdirs(m->dir, e);
    if (rc < 0)
        return rc;
    rc = path_join(&path, m->dir, ".lock");
    if (rc < 0)
        return no_memory(e);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    rc = fd >= 0 ? wait_for_lock(m, fd, cancel) : -errno;
    if (rc == -ECANCELED)
        err_set(e, STATUS_INTERRUPTED, rc, "interrupted");
    else if (rc < 0)
        err_set(e, STATUS_FAILED, rc, "cannot lock '%s': %s", path, strerror(-rc));
    free(path);
    if (rc < 0 && fd >= 0)
        close(fd);
    else
        *out = fd;
    return rc;
}

void store_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}
