#include "models/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 64 };

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static DIR *open_folder(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

    if (d == NULL && fd >= 0)
        close(fd);
    return d;
}

static int remove_at(int at, const char *name, int depth)
{
    struct dirent *entry;
    DIR *d;
    int rc = 0;

    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    d = depth > 0 ? open_folder(at, name) : NULL;
    if (d == NULL)
        return -errno;
    while ((entry = readdir(d)) != NULL)
        if (!is_dots(entry->d_name) && rc == 0)
            rc = remove_at(dirfd(d), entry->d_name, depth - 1);
    closedir(d);
    if (rc == 0 && unlinkat(at, name, AT_REMOVEDIR) != 0)
        rc = -errno;
    return rc;
}

int tree_remove(const char *path)
{
    return remove_at(AT_FDCWD, path, DEPTH_MAX);
}

static uint64_t bytes_at(int at, const char *name, int depth)
{
    DIR *d = open_folder(at, name);
    struct dirent *entry;
    uint64_t sum = 0;

    while (d != NULL && (entry = readdir(d)) != NULL) {
        struct stat st;
        if (is_dots(entry->d_name) ||
            fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            sum += (uint64_t)st.st_size;
        else if (S_ISDIR(st.st_mode) && depth > 0)
            sum += bytes_at(dirfd(d), entry->d_name, depth - 1);
    }
    if (d != NULL)
        closedir(d);
    return sum;
}

uint64_t tree_bytes(const char *path, int depth)
{
    return bytes_at(AT_FDCWD, path, depth);
}
