#include "models/pip.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "models/store.h"
#include "models/tree.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/path.h"

extern char **environ;

enum {
    POLL_MS = 100,
    OUTPUT_MAX = 64 * 1024, /* of what pip says; the end is what matters */
    STALL_MS = 300 * 1000,  /* without a word or a byte: some indexes scan a package first */
    GRACE_MS = 2000,        /* between asking pip to end and ending it */
    ARGUMENTS_MAX = 32,
};

/* One run of pip. It works in `folder`, ours alone and empty: python3 -m looks for modules in the
 * current folder first, and that must not be the user's. */
struct run {
    struct fetch *x;
    const struct package *p;
    const char *python;
    char *folder;
    struct buf said;
    pid_t pid;
    int output, status;
};

/* Building an archive of source code, even asking it for its metadata, runs its code. A constraint
 * that no build tool can meet stops pip after it has checked and unpacked the archive and before
 * anything of it runs; --no-clean leaves the unpacked folder for us. */
static const char no_build_tools[] = "setuptools<0.1\nwheel<0.1\nhatchling<0.1\nflit-core<0.1\n"
                                     "poetry-core<0.1\nscikit-build-core<0.1\nmeson-python<0.1\n"
                                     "maturin<0.1\n";

static int write_in(const struct run *r, const char *name, const char *text, struct err *e)
{
    char *path;
    int rc = path_join(&path, r->folder, name);

    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    rc = path_write(path, text, strlen(text), e);
    free(path);
    return rc;
}

/* A folder with what pip reads: folder/requirement, folder/tmp, and folder/constraint. */
static int prepare(struct run *r, struct err *e)
{
    char text[512], *tmp = NULL;
    int rc = store_part(r->x->m, "pip-XXXXXX", &r->folder, e);

    if (rc < 0)
        return rc;
    if (mkdtemp(r->folder) == NULL) {
        rc = err_set(e, STATUS_FAILED, -errno, "cannot create folder '%s': %s", r->folder,
                     strerror(errno));
        free(r->folder);
        r->folder = NULL;
        return rc;
    }
    snprintf(text, sizeof text, "%s==%s --hash=sha256:%s\n", r->p->name, r->p->version,
             r->p->sha256);
    rc = write_in(r, "requirement", text, e);
    if (rc == 0)
        rc = write_in(r, "constraint", r->p->source ? no_build_tools : "", e);
    if (rc == 0 && path_join(&tmp, r->folder, "tmp") == 0)
        rc = path_mkdirs(tmp, e);
    free(tmp);
    return rc;
}

static void fill_arguments(const struct run *r, const char **argv)
{
    static const char *const all[] = {
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--no-input",
        "--no-color",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--retries",
        "2",
        "--progress-bar",
        "off",
        "--dest",
        "out",
        "--requirement",
        "requirement",
        "--no-clean",
        "--require-hashes",
        "--ignore-requires-python",
    };
    size_t n = 0;

    argv[n++] = r->python;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        argv[n++] = all[i];
    argv[n++] = r->p->source ? "--no-binary" : "--only-binary";
    argv[n++] = r->p->source ? r->p->name : ":all:";
    if (r->p->platform != NULL) {
        argv[n++] = "--platform";
        argv[n++] = r->p->platform;
    }
    argv[n] = NULL;
}

static bool sets(const char *entry, const char *with)
{
    size_t n = strcspn(with, "=") + 1;

    return strncmp(entry, with, n) == 0;
}

/* The environment with some variables in place of those of the same name. malloc'd, entries
 * borrowed. */
static char **environment(char *const *with, size_t count)
{
    size_t n = 0, kept = 0;
    char **out;

    while (environ[n] != NULL)
        n++;
    out = calloc(n + count + 1, sizeof *out);
    for (size_t i = 0; out != NULL && i < n; i++) {
        bool replaced = false;
        for (size_t k = 0; k < count; k++)
            replaced |= sets(environ[i], with[k]);
        if (!replaced)
            out[kept++] = environ[i];
    }
    for (size_t k = 0; out != NULL && k < count; k++)
        out[kept++] = with[k];
    return out;
}

/* Starts pip with stdin closed, its output in a pipe, in a process group of its own, so that Ctrl-C
 * reaches it through us, with the processes that it starts. */
static int spawn(struct run *r, char **env)
{
    const char *argv[ARGUMENTS_MAX];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    int ends[2], rc;

    if (pipe(ends) != 0)
        return -errno;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addchdir_np(&files, r->folder);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDERR_FILENO);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    fill_arguments(r, argv);
    rc = posix_spawnp(&r->pid, r->python, &files, &attributes, (char *const *)argv, env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    if (rc != 0)
        close(ends[0]);
    else
        r->output = ends[0];
    return -rc;
}

static int start(struct run *r, struct err *e)
{
    /* pip takes a space for the end of a path here, and our folder may have one in its name: these
     * are relative to it. Newer versions of pip have the constraints of builds apart. */
    char constraint[] = "PIP_CONSTRAINT=constraint", build[] = "PIP_BUILD_CONSTRAINT=constraint";
    char tmp[4096], venv[] = "PIP_REQUIRE_VIRTUALENV=0";
    char *with[] = {tmp, constraint, build, venv};
    char **env;
    int rc;

    snprintf(tmp, sizeof tmp, "TMPDIR=%s/tmp", r->folder);
    env = environment(with, sizeof with / sizeof with[0]);
    if (env == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    rc = spawn(r, env);
    free(env);
    /* No python3 of that name is no error yet: there may be another one. */
    if (rc == -ENOENT || rc == -EACCES || rc == -ENOTDIR)
        return -ENOTSUP;
    return rc == 0
               ? 0
               : err_set(e, STATUS_FAILED, rc, "cannot start '%s': %s", r->python, strerror(-rc));
}

/* Reads what there is. False at the end of the output. */
static bool listen_once(struct run *r)
{
    struct pollfd p = {.fd = r->output, .events = POLLIN};
    char block[4096];
    ssize_t n;

    if (poll(&p, 1, POLL_MS) <= 0)
        return true;
    n = read(r->output, block, sizeof block);
    if (n < 0)
        return errno == EINTR;
    buf_add(&r->said, block, (size_t)n);
    if (r->said.len > OUTPUT_MAX)
        buf_drop(&r->said, r->said.len - OUTPUT_MAX);
    return n > 0;
}

static bool reap(struct run *r, int flags)
{
    pid_t pid;

    do
        pid = waitpid(r->pid, &r->status, flags);
    while (pid < 0 && errno == EINTR);
    return pid != 0;
}

/* Ends pip and what it started. */
static void stop(struct run *r)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int64_t began = clock_ns();

    kill(-r->pid, SIGTERM);
    while (!reap(r, WNOHANG)) {
        if (clock_ms_since(began) > GRACE_MS) {
            kill(-r->pid, SIGKILL);
            reap(r, 0);
            return;
        }
        nanosleep(&pause, NULL);
    }
}

/* Follows pip to its end. Its progress is how much lies in its folder for temporary files. */
static int follow(struct run *r, struct err *e)
{
    int64_t moved = clock_ns();
    uint64_t had = 0, most = 0;
    size_t said = 0;
    char tmp[4096];

    snprintf(tmp, sizeof tmp, "%s/tmp", r->folder);
    while (listen_once(r)) {
        uint64_t bytes = tree_bytes(tmp, 1);
        if (bytes != had || r->said.len != said)
            moved = clock_ns();
        had = bytes;
        said = r->said.len;
        /* At the end pip moves the package away. */
        if (bytes > most)
            most = bytes < r->p->bytes ? bytes : r->p->bytes;
        fetch_tell(r->x, most);
        if (fetch_cancelled(r->x)) {
            stop(r);
            return fetch_interrupted(e);
        }
        if (clock_ms_since(moved) > STALL_MS) {
            stop(r);
            return err_set(e, STATUS_NETWORK, -EPROTO,
                           "cannot fetch package '%s': nothing came for %d s", r->p->name,
                           STALL_MS / 1000);
        }
    }
    reap(r, 0);
    return 0;
}

/* The first entry of a folder, malloc'd; NULL when there is none. */
static char *first_in(const char *folder, const char *prefix)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    char *path = NULL;

    while (d != NULL && path == NULL && (entry = readdir(d)) != NULL)
        if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            path_join(&path, folder, entry->d_name) < 0)
            break;
    if (d != NULL)
        closedir(d);
    return path;
}

/* Where pip left the package: out/ARCHIVE, or tmp/pip-download-.../NAME... for source code that it
 * was kept from building. It unpacks only what has the right hash. */
static char *result(const struct run *r)
{
    char folder[4096], *unpacked, *path;

    snprintf(folder, sizeof folder, "%s/out", r->folder);
    path = first_in(folder, "");
    if (path != NULL || !r->p->source)
        return path;
    snprintf(folder, sizeof folder, "%s/tmp", r->folder);
    unpacked = first_in(folder, "pip-download-");
    path = unpacked != NULL ? first_in(unpacked, "") : NULL;
    free(unpacked);
    return path;
}

/* The last line in which pip names an error, without the word. */
static void last_error(const struct buf *said, char *out, size_t size)
{
    const char *line = buf_str(said);

    snprintf(out, size, "it gave no reason");
    while (line != NULL && *line != '\0') {
        size_t n = strcspn(line, "\n");
        if (strncmp(line, "ERROR: ", 7) == 0)
            snprintf(out, size, "%.*s", (int)(n - 7), line + 7);
        line += n + (line[n] != '\0');
    }
}

static void log_output(const struct run *r)
{
    const char *line = buf_str(&r->said);

    while (*line != '\0') {
        size_t n = strcspn(line, "\n");
        log_debug(r->x->m->log, "pip: %.*s", (int)n, line);
        line += n + (line[n] != '\0');
    }
}

static int failed(const struct run *r, struct err *e)
{
    const char *said = buf_str(&r->said);
    char why[256];

    if (strstr(said, "No module named pip") != NULL)
        return -ENOTSUP;
    log_output(r);
    if (strstr(said, "DO NOT MATCH THE HASHES") != NULL)
        return err_set(e, STATUS_FAILED, -EBADMSG,
                       "package '%s' %s from the package index has a wrong sha256", r->p->name,
                       r->p->version);
    last_error(&r->said, why, sizeof why);
    return err_set(e, STATUS_NETWORK, -EPROTO,
                   "cannot fetch package '%s' %s with pip: %s; is there a network? "
                   "-v shows all that pip said",
                   r->p->name, r->p->version, why);
}

static int take(const struct run *r, const char *out, struct err *e)
{
    char *path = result(r);
    int rc = 0;

    if (path == NULL)
        return failed(r, e);
    log_output(r);
    if (rename(path, out) != 0)
        rc = err_set(e, STATUS_FAILED, -errno, "cannot write '%s': %s", out, strerror(errno));
    free(path);
    return rc;
}

static int run_with(const char *python, struct fetch *x, const struct package *p, const char *out,
                    struct err *e)
{
    struct run r = {.x = x, .p = p, .python = python, .output = -1, .said = BUF_INIT};
    int rc = prepare(&r, e);

    if (rc == 0)
        rc = start(&r, e);
    if (rc == 0)
        rc = follow(&r, e);
    if (rc == 0)
        rc = take(&r, out, e);
    if (r.output >= 0)
        close(r.output);
    if (r.folder != NULL)
        tree_remove(r.folder);
    free(r.folder);
    buf_free(&r.said);
    return rc;
}

/* The package of pip as this system's package manager calls it. */
static const char *how_to_install(void)
{
    static const struct {
        const char *program, *command;
    } managers[] = {
        {"/usr/bin/apt-get", "apt-get install python3-pip"},
        {"/usr/bin/dnf", "dnf install python3-pip"},
        {"/usr/bin/pacman", "pacman -S python-pip"},
        {"/usr/bin/zypper", "zypper install python3-pip"},
        {"/sbin/apk", "apk add py3-pip"},
        {"/opt/homebrew/bin/brew", "brew install python"},
        {"/usr/local/bin/brew", "brew install python"},
    };

    for (size_t i = 0; i < sizeof managers / sizeof managers[0]; i++)
        if (access(managers[i].program, X_OK) == 0)
            return managers[i].command;
    return "your package manager";
}

int pip_download(struct fetch *x, const struct package *p, const char *out, struct err *e)
{
    static const char *const pythons[] = {"python3", "/usr/bin/python3"};
    int rc = -ENOTSUP;

    for (size_t i = 0; i < sizeof pythons / sizeof pythons[0] && rc == -ENOTSUP; i++)
        rc = run_with(pythons[i], x, p, out, e);
    if (rc == -ENOTSUP)
        err_set(e, STATUS_FAILED, rc,
                "cannot fetch package '%s': python3 has no pip; install it with `%s`", p->name,
                how_to_install());
    return rc;
}
