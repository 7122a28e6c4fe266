#include "models/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/store.h"

static int trouble(const struct partial *p, struct err *e)
{
    return err_set(e, STATUS_FAILED, -errno, "cannot write '%s': %s", p->path, strerror(errno));
}

static int count(struct partial *p, struct err *e)
{
    struct stat st;

    if (fstat(p->fd, &st) != 0)
        return trouble(p, e);
    p->bytes = (uint64_t)st.st_size;
    return 0;
}

int partial_open(struct partial *p, const struct models *m, const struct file *f, struct err *e)
{
    int rc;

    *p = (struct partial){.fd = -1};
    rc = store_part(m, f->sha256, &p->path, e);
    if (rc < 0)
        return rc;
    p->fd = open(p->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    rc = p->fd >= 0 ? count(p, e) : trouble(p, e);
    if (rc == 0 && p->bytes > f->bytes)
        rc = partial_cut(p, 0, e);
    if (rc < 0)
        partial_close(p);
    return rc;
}

int partial_write(int fd, const void *data, size_t n, struct err *e)
{
    const char *at = data;

    while (n > 0) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_set(e, STATUS_FAILED, -errno,
                           "cannot write a model file: %s; make room, or name another folder in "
                           "HULLO_MODELS_DIR",
                           strerror(errno));
        at += put;
        n -= (size_t)put;
    }
    return 0;
}

int partial_add(struct partial *p, const void *data, size_t n, struct err *e)
{
    int rc = partial_write(p->fd, data, n, e);

    if (rc == 0)
        p->bytes += n;
    return rc;
}

int partial_cut(struct partial *p, uint64_t bytes, struct err *e)
{
    if (ftruncate(p->fd, (off_t)bytes) != 0)
        return trouble(p, e);
    p->bytes = bytes;
    return 0;
}

int partial_sync(struct partial *p, struct err *e)
{
    return fsync(p->fd) == 0 ? count(p, e) : trouble(p, e);
}

void partial_close(struct partial *p)
{
    if (p->fd >= 0)
        close(p->fd);
    free(p->path);
    *p = (struct partial){.fd = -1};
}
