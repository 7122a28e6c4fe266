#include "models/index.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "models/digest.h"
#include "models/pip.h"
#include "models/store.h"
#include "models/tree.h"
#include "models/unpack.h"

static int package_path(const struct models *m, const struct package *p, char **out, struct err *e)
{
    char name[SHA256_TEXT + 8];

    snprintf(name, sizeof name, "%s.pkg", p->sha256);
    return store_part(m, name, out, e);
}

/* A folder was checked by pip before it got its name; an archive can be checked again, and is,
 * since a power cut may have taken its bytes. */
bool index_has(const struct models *m, const struct package *p)
{
    struct stat st;
    char *path;
    bool has = false;

    if (package_path(m, p, &path, NULL) < 0)
        return false;
    if (stat(path, &st) == 0)
        has = S_ISDIR(st.st_mode) || (uint64_t)st.st_size == p->bytes;
    free(path);
    return has;
}

void index_drop(const struct models *m, const struct package *p)
{
    char *path;

    if (package_path(m, p, &path, NULL) == 0)
        tree_remove(path);
    free(path);
}

size_t index_next(const struct source *s, uint64_t have, uint64_t *start)
{
    size_t i = 0;

    *start = 0;
    while (i < s->member_count && *start + s->members[i].bytes <= have)
        *start += s->members[i++].bytes;
    return i;
}

static int download(struct fetch *x, const struct package *p, const char *path, struct err *e)
{
    int rc = -EPROTO;

    for (int i = 0; i < FETCH_ATTEMPTS && rc == -EPROTO; i++) {
        rc = fetch_back_off(x, i, e);
        if (rc == 0)
            rc = pip_download(x, p, path, e);
        if (rc == -EPROTO)
            log_debug(x->m->log, "%s", e->text);
    }
    if (rc == 0)
        x->done += p->bytes;
    return rc;
}

static int ensure(struct fetch *x, const struct package *p, const char *path, struct err *e)
{
    struct stat st;

    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode) || digest_check(path, p->bytes, p->sha256, x->cancel) == 0)
            return 0;
        if (fetch_cancelled(x))
            return fetch_interrupted(e);
        tree_remove(path);
    }
    return download(x, p, path, e);
}

static int add_member(struct fetch *x, const struct member *member, struct partial *p,
                      struct err *e)
{
    const struct package *package = member->package;
    char *path;
    int rc = package_path(x->m, package, &path, e);

    if (rc < 0)
        return rc;
    rc = ensure(x, package, path, e);
    if (rc == 0) {
        rc = unpack_member(path, member->path, package->source, member->bytes, p->fd, x->cancel, e);
        if (rc == -EBADMSG || rc == -ENOENT)
            tree_remove(path);
    }
    if (rc == 0)
        rc = partial_sync(p, e);
    free(path);
    return rc;
}

int index_fetch(struct fetch *x, const struct source *s, const struct file *f, struct partial *p,
                struct err *e)
{
    uint64_t start;
    size_t i = index_next(s, p->bytes, &start);
    int rc = 0;

    /* A member that came in part, or bytes of another source, up to the last boundary. */
    if (p->bytes != f->bytes)
        rc = partial_cut(p, start, e);
    for (; rc == 0 && p->bytes < f->bytes && i < s->member_count; i++) {
        rc = add_member(x, &s->members[i], p, e);
        if (rc < 0) {
            struct err ignored;
            partial_cut(p, start, &ignored);
        }
        start += s->members[i].bytes;
        /* Nothing else in this file needs it: the parts and the whole need not fit side by side. */
        if (rc == 0 && s->member_count > 1)
            index_drop(x->m, s->members[i].package);
    }
    return rc;
}
