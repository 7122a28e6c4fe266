#include "util/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/os.h"

int path_join(char **out, const char *dir, const char *name)
{
    size_t n = strlen(dir) + 1 + strlen(name) + 1;

    *out = malloc(n);
    if (*out == NULL)
        return -ENOMEM;
    snprintf(*out, n, "%s/%s", dir, name);
    return 0;
}

/* What HOME says, or the user database where it says nothing. Never a folder that others can write
 * to, such as /tmp: a file found there could be anybody's. */
int path_home(char **out, const char *name)
{
    const char *home = getenv("HOME");
    struct passwd entry, *found = NULL;
    char strings[4096];

    *out = NULL;
    if (home == NULL || home[0] != '/') {
        (void)getpwuid_r(getuid(), &entry, strings, sizeof strings, &found);
        home = found != NULL ? found->pw_dir : NULL;
    }
    if (home == NULL || home[0] != '/')
        return -ENOENT;
    return path_join(out, home, name);
}

/* The XDG specification: a value that is not an absolute path is to be ignored. */
static int xdg(char **out, const char *variable, const char *fallback, const char *name)
{
    const char *base = getenv(variable);
    char *dir = NULL;
    int rc;

    *out = NULL;
    if (base != NULL && base[0] == '/')
        rc = path_join(&dir, base, "hullo");
    else
        rc = path_home(&dir, fallback);
    if (rc == 0)
        rc = path_join(out, dir, name);
    free(dir);
    return rc;
}

int path_data(char **out, const char *name)
{
    return xdg(out, "XDG_DATA_HOME", ".local/share/hullo", name);
}

int path_cache(char **out, const char *name)
{
    return xdg(out, "XDG_CACHE_HOME", ".cache/hullo", name);
}

int path_config(char **out, const char *name)
{
    return xdg(out, "XDG_CONFIG_HOME", ".config/hullo", name);
}

int path_state(char **out, const char *name)
{
    return xdg(out, "XDG_STATE_HOME", ".local/state/hullo", name);
}

static int existing(char **out, const char *dir, const char *name)
{
    int rc = path_join(out, dir, name);

    if (rc == 0 && access(*out, F_OK) != 0) {
        free(*out);
        *out = NULL;
        rc = -ENOENT;
    }
    return rc;
}

int path_share(char **out, const char *name)
{
    const char *env = getenv("HULLO_SHARE");
    static const char *const beside[] = {"share/hullo", "share"};
    char self[4096], *dir, *slash;
    int rc;

    *out = NULL;
    if (env != NULL && env[0] != '\0')
        return existing(out, env, name);
    /* An installed program uses what was installed with it, wherever that was moved; one in a build
     * folder uses the share/ of its own tree. */
    rc = os_self_path(self, sizeof self);
    for (int up = 0; rc == 0 && up < 2; up++) {
        slash = strrchr(self, '/');
        if (slash == NULL)
            rc = -ENOENT;
        else
            *slash = '\0';
    }
    for (size_t i = 0; rc == 0 && i < sizeof beside / sizeof *beside; i++) {
        rc = path_join(&dir, self, beside[i]);
        if (rc != 0)
            return rc;
        rc = existing(out, dir, name);
        free(dir);
        if (rc != -ENOENT)
            return rc;
        rc = 0;
    }
    return existing(out, HULLO_PREFIX "/share/hullo", name);
}

/* A folder that is there already, by itself or through a link, is fine. */
static int make_folder(const char *path, mode_t mode)
{
    struct stat st;
    int rc;

    if (mkdir(path, mode) == 0)
        return 0;
    rc = -errno;
    if (rc != -EEXIST && rc != -EISDIR)
        return rc;
    if (stat(path, &st) != 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int make_folders(const char *dir, mode_t mode, struct err *e)
{
    char *path = strdup(dir);
    int rc = 0;

    if (path == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    for (char *p = path + (path[0] == '/');; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        rc = make_folder(path, c == '\0' ? mode : 0755);
        if (rc < 0) {
            err_set(e, STATUS_FAILED, rc, "cannot create folder '%s': %s", path, strerror(-rc));
            break;
        }
        if (c == '\0')
            break;
        *p = c;
    }
    free(path);
    return rc;
}

int path_mkdirs(const char *dir, struct err *e)
{
    return make_folders(dir, 0755, e);
}

int path_mkdirs_private(const char *dir, struct err *e)
{
    return make_folders(dir, 0700, e);
}

/* Reads fd to its end into *out, at most max bytes. */
static int read_all(char **out, size_t *len, int fd, size_t max)
{
    size_t cap = 65536, n = 0;
    char *data = malloc(cap + 1), *bigger;

    if (data == NULL)
        return -ENOMEM;
    for (;;) {
        ssize_t got = read(fd, data + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (n += (size_t)got) > max) {
            int rc = got < 0 ? -errno : -EFBIG;
            free(data);
            return rc;
        }
        if (got == 0)
            break;
        if (n < cap)
            continue;
        bigger = realloc(data, cap * 2 + 1);
        if (bigger == NULL) {
            free(data);
            return -ENOMEM;
        }
        data = bigger;
        cap *= 2;
    }
    data[n] = '\0';
    *out = data;
    *len = n;
    return 0;
}

int path_read(char **out, size_t *len, const char *file, size_t max, struct err *e)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
    struct stat st;

    *out = NULL;
    *len = 0;
    if (fd < 0)
        return err_set(e, STATUS_FAILED, -errno, "cannot open '%s': %s", file, strerror(errno));
    if (fstat(fd, &st) != 0)
        rc = -errno;
    else if (!S_ISREG(st.st_mode))
        rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    else
        rc = read_all(out, len, fd, max);
    close(fd);
    if (rc == -EFBIG)
        return err_set(e, STATUS_FAILED, rc, "'%s' is larger than %zu bytes", file, max);
    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "cannot read '%s': %s", file, strerror(-rc));
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

static int write_file(const char *file, const void *data, size_t len, mode_t mode, struct err *e)
{
    size_t n = strlen(file) + 16;
    char *tmp = malloc(n);
    int fd, rc;

    if (tmp == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    snprintf(tmp, n, "%s.XXXXXX", file);
    fd = mkstemp(tmp);
    if (fd < 0) {
        rc = -errno;
        goto out;
    }
    rc = write_all(fd, data, len);
    if (fchmod(fd, mode) != 0 && rc == 0)
        rc = -errno;
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(tmp, file) != 0)
        rc = -errno;
    if (rc < 0)
        unlink(tmp);
out:
    free(tmp);
    if (rc < 0)
        err_set(e, STATUS_FAILED, rc, "cannot write '%s': %s", file, strerror(-rc));
    return rc;
}

int path_write(const char *file, const void *data, size_t len, struct err *e)
{
    return write_file(file, data, len, 0644, e);
}

int path_write_private(const char *file, const void *data, size_t len, struct err *e)
{
    return write_file(file, data, len, 0600, e);
}

int path_unnamed(int *fd, const char **dir, struct err *e)
{
    const char *env = getenv("TMPDIR");
    const char *const dirs[] = {env != NULL && env[0] != '\0' ? env : "/var/tmp", "/tmp"};
    char path[4096];
    int rc = -ENOENT;

    *fd = -1;
    for (size_t i = 0; i < 2; i++) {
        *dir = dirs[i];
        if (snprintf(path, sizeof path, "%s/hullo-XXXXXX", *dir) >= (int)sizeof path) {
            rc = -ENAMETOOLONG;
        } else if ((*fd = mkstemp(path)) >= 0) {
            unlink(path);
            fcntl(*fd, F_SETFD, FD_CLOEXEC);
            return 0;
        } else {
            rc = -errno;
        }
        if (dirs[0] == env)
            break; /* what the user set is not second-guessed */
    }
    return err_set(e, STATUS_FAILED, rc,
                   "cannot create a temporary file in '%s': %s; set TMPDIR to another folder", *dir,
                   strerror(-rc));
}
