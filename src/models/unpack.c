#include "models/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/partial.h"
#include "util/path.h"

enum { BLOCK_BYTES = 1 << 18 };

struct job {
    const char *archive, *member;
    uint64_t bytes;
    int fd;
    const atomic_int *cancel;
    struct err *e;
};

static int wrong_size(const struct job *j)
{
    return err_set(j->e, STATUS_FAILED, -EBADMSG, "'%s' in '%s' is not a file of %llu bytes",
                   j->member, j->archive, (unsigned long long)j->bytes);
}

static int damaged(const struct job *j, struct archive *a)
{
    const char *why = archive_error_string(a);

    return err_set(j->e, STATUS_FAILED, -EBADMSG, "cannot unpack '%s': %s", j->archive,
                   why != NULL ? why : "not an archive");
}

/* Adds a block, and counts it, so that an archive cannot claim one size and hold another. */
static int put(const struct job *j, const char *block, size_t n, uint64_t *left)
{
    if (n > *left)
        return wrong_size(j);
    *left -= n;
    if (j->cancel != NULL && atomic_load(j->cancel) != 0)
        return err_set(j->e, STATUS_INTERRUPTED, -ECANCELED, "interrupted");
    return partial_write(j->fd, block, n, j->e);
}

static int copy_entry(const struct job *j, struct archive *a, struct archive_entry *entry)
{
    uint64_t left = j->bytes;
    char *block;
    int rc = 0;

    if (archive_entry_filetype(entry) != AE_IFREG ||
        (archive_entry_size_is_set(entry) && (uint64_t)archive_entry_size(entry) != j->bytes))
        return wrong_size(j);
    block = malloc(BLOCK_BYTES);
    if (block == NULL)
        return err_set(j->e, STATUS_FAILED, -ENOMEM, "out of memory");
    while (rc == 0) {
        la_ssize_t n = archive_read_data(a, block, BLOCK_BYTES);
        if (n == 0)
            break;
        rc = n < 0 ? damaged(j, a) : put(j, block, (size_t)n, &left);
    }
    free(block);
    return rc == 0 && left > 0 ? wrong_size(j) : rc;
}

static bool is_member(const char *path, const char *member, bool skip_top)
{
    if (path != NULL && skip_top) {
        path = strchr(path, '/');
        if (path != NULL)
            path++;
    }
    return path != NULL && strcmp(path, member) == 0;
}

static int from_archive(const struct job *j, bool skip_top)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    int rc = 0, r;

    if (a == NULL)
        return err_set(j->e, STATUS_FAILED, -ENOMEM, "out of memory");
    archive_read_support_format_zip(a);
    archive_read_support_format_tar(a);
    archive_read_support_filter_gzip(a);
    if (archive_read_open_filename(a, j->archive, BLOCK_BYTES) != ARCHIVE_OK) {
        rc = damaged(j, a);
        goto out;
    }
    while ((r = archive_read_next_header(a, &entry)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
        if (is_member(archive_entry_pathname(entry), j->member, skip_top)) {
            rc = copy_entry(j, a, entry);
            goto out;
        }
    }
    rc = r != ARCHIVE_EOF ? damaged(j, a)
                          : err_set(j->e, STATUS_FAILED, -ENOENT, "there is no '%s' in '%s'",
                                    j->member, j->archive);
out:
    archive_read_free(a);
    return rc;
}

static int copy_file(const struct job *j, int from)
{
    uint64_t left = j->bytes;
    char *block = malloc(BLOCK_BYTES);
    int rc = block != NULL ? 0 : err_set(j->e, STATUS_FAILED, -ENOMEM, "out of memory");

    while (rc == 0) {
        ssize_t n = read(from, block, BLOCK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        rc = n < 0 ? err_set(j->e, STATUS_FAILED, -errno, "cannot read '%s' in '%s': %s", j->member,
                             j->archive, strerror(errno))
                   : put(j, block, (size_t)n, &left);
    }
    free(block);
    return rc == 0 && left > 0 ? wrong_size(j) : rc;
}

static int from_folder(const struct job *j)
{
    struct stat st;
    char *path;
    int fd, rc;

    if (path_join(&path, j->archive, j->member) < 0)
        return err_set(j->e, STATUS_FAILED, -ENOMEM, "out of memory");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        rc = err_set(j->e, STATUS_FAILED, -errno, "cannot open '%s': %s", path, strerror(errno));
    else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != j->bytes)
        rc = wrong_size(j);
    else
        rc = copy_file(j, fd);
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

int unpack_member(const char *archive, const char *member, bool skip_top, uint64_t bytes, int fd,
                  const _Atomic int *cancel, struct err *e)
{
    struct job j = {
        .archive = archive, .member = member, .bytes = bytes, .fd = fd, .cancel = cancel, .e = e};
    struct stat st;

    if (stat(archive, &st) == 0 && S_ISDIR(st.st_mode))
        return from_folder(&j);
    return from_archive(&j, skip_top);
}
