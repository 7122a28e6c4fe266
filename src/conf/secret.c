#include "conf/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/os.h"

extern char **environ;

struct secret {
    size_t bytes; /* of text, with the NUL */
    char text[];
};

static int out_of_memory(struct err *e)
{
    return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
}

/* The first line of text[0..n), without white space around it. `where` is what it was read from. */
static int make(struct secret **out, const char *text, size_t n, const char *whose,
                const char *where, struct err *e)
{
    const char *end = memchr(text, '\n', n);
    struct secret *s;

    n = end != NULL ? (size_t)(end - text) : n;
    for (; n > 0 && memchr(" \t\r", text[0], 3) != NULL; n--)
        text++;
    while (n > 0 && memchr(" \t\r", text[n - 1], 3) != NULL)
        n--;
    if (n == 0)
        return err_set(e, STATUS_AUTH, -ENOENT, "%s: there is no key in %s", whose, where);
    for (size_t i = 0; i < n; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return err_set(e, STATUS_AUTH, -EINVAL,
                           "%s: the first line of %s is no key: there is white space or a "
                           "character beyond ASCII in it",
                           whose, where);
    os_keep_private();
    s = malloc(sizeof *s + n + 1);
    if (s == NULL)
        return out_of_memory(e);
    s->bytes = n + 1;
    memcpy(s->text, text, n);
    s->text[n] = '\0';
    *out = s;
    return 0;
}

const char *secret_text(const struct secret *s)
{
    return s->text;
}

void secret_free(struct secret *s)
{
    if (s == NULL)
        return;
    os_wipe(s->text, s->bytes);
    free(s);
}

/* --- environment */

int secret_from_env(struct secret **out, const char *variable, const char *whose, struct err *e)
{
    const char *value = getenv(variable);
    char where[128];

    *out = NULL;
    if (value == NULL || value[0] == '\0')
        return err_set(e, STATUS_AUTH, -ENOENT, "%s: the variable '%s' is not set", whose,
                       variable);
    snprintf(where, sizeof where, "the variable '%.80s'", variable);
    return make(out, value, strlen(value), whose, where, e);
}

void secret_forget_env(const char *variable)
{
    char *value = getenv(variable);

    if (value == NULL)
        return;
    os_wipe(value, strlen(value)); /* the block that the kernel shows of a process is this one */
    unsetenv(variable);
}

/* --- command */

static int start(pid_t *pid, int output, const char *command)
{
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, strdup(command), NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t signals;
    int rc;

    if (argv[2] == NULL)
        return -ENOMEM;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* What we ignore, a program expects to be told. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    sigaddset(&signals, SIGXFSZ);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, output, 1);
    if (rc == 0)
        rc = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(argv[2]);
    return -rc;
}

/* Reads what the command prints until it has closed its output: 0, -ETIMEDOUT, -EFBIG. */
static int read_output(int fd, char *text, size_t size, size_t *n, int64_t began_ns, int limit_ms)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int left = limit_ms - (int)clock_ms_since(began_ns);
        ssize_t got;
        if (left <= 0)
            return -ETIMEDOUT;
        if (poll(&p, 1, left) <= 0)
            continue;
        got = read(fd, text + *n, size - *n);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return got < 0 ? -errno : 0;
        *n += (size_t)got;
        if (*n == size)
            return -EFBIG;
    }
}

/* Waits for the end of the command; one that takes too long is ended. */
static int await(pid_t pid, int *status, int64_t began_ns, int limit_ms)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    bool late = false;
    pid_t ended;

    while ((ended = waitpid(pid, status, late ? 0 : WNOHANG)) != pid) {
        if (ended < 0 && errno != EINTR)
            return -errno;
        late = clock_ms_since(began_ns) >= limit_ms;
        if (late)
            kill(pid, SIGKILL);
        else
            nanosleep(&moment, NULL);
    }
    return late ? -ETIMEDOUT : 0;
}

static int command_failed(int rc, int status, int limit_ms, const char *whose, struct err *e)
{
    const char *what = "api_key_command";

    if (rc == -ETIMEDOUT)
        return err_set(e, STATUS_AUTH, rc, "%s: %s takes longer than %d seconds", whose, what,
                       (limit_ms + 999) / 1000);
    if (rc == -EFBIG)
        return err_set(e, STATUS_AUTH, rc, "%s: %s prints more than %d bytes: that is no key",
                       whose, what, SECRET_MAX_BYTES);
    if (rc < 0)
        return err_set(e, STATUS_AUTH, rc, "%s: cannot run %s: %s", whose, what, strerror(-rc));
    if (WIFSIGNALED(status))
        return err_set(e, STATUS_AUTH, -EPROTO, "%s: %s was ended by signal %d", whose, what,
                       WTERMSIG(status));
    return err_set(e, STATUS_AUTH, -EPROTO, "%s: %s failed with status %d", whose, what,
                   WEXITSTATUS(status));
}

static int run(const char *command, char *text, size_t size, size_t *n, int *status, int limit_ms)
{
    int64_t began_ns = clock_ns();
    int ends[2], rc, waited;
    pid_t pid = -1;

    if (pipe(ends) != 0)
        return -errno;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    rc = start(&pid, ends[1], command);
    close(ends[1]);
    if (rc == 0) {
        rc = read_output(ends[0], text, size, n, began_ns, limit_ms);
        if (rc < 0)
            kill(pid, SIGKILL);
        waited = await(pid, status, began_ns, limit_ms);
        rc = rc < 0 ? rc : waited;
    }
    close(ends[0]);
    return rc;
}

int secret_from_command(struct secret **out, const char *command, int limit_ms, const char *whose,
                        struct err *e)
{
    char text[SECRET_MAX_BYTES + 1];
    size_t n = 0;
    int status = 0, rc;

    *out = NULL;
    os_keep_private();
    rc = run(command, text, sizeof text, &n, &status, limit_ms);
    if (rc < 0 || status != 0)
        rc = command_failed(rc, status, limit_ms, whose, e);
    else
        rc = make(out, text, n, whose, "what api_key_command prints", e);
    os_wipe(text, sizeof text);
    return rc;
}

/* --- file */

static int check_file(int fd, const char *file, const char *whose, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_set(e, STATUS_AUTH, -errno, "%s: cannot read '%s': %s", whose, file,
                       strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(e, STATUS_AUTH, -EINVAL, "%s: '%s' is no regular file", whose, file);
    if (st.st_uid != geteuid())
        return err_set(e, STATUS_AUTH, -EPERM, "%s: '%s' belongs to somebody else", whose, file);
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return err_set(e, STATUS_AUTH, -EPERM,
                       "%s: others can read or change '%s', which has a key in it; chmod 600 it",
                       whose, file);
    return 0;
}

int secret_from_file(struct secret **out, const char *file, const char *whose, struct err *e)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc;
    char text[SECRET_MAX_BYTES], where[192];
    ssize_t got = 0;
    size_t n = 0;

    *out = NULL;
    if (fd < 0)
        return err_set(e, STATUS_AUTH, -errno, "%s: cannot open the key file '%s': %s", whose, file,
                       strerror(errno));
    rc = check_file(fd, file, whose, e);
    if (rc == 0)
        os_keep_private();
    while (rc == 0 && n < sizeof text && (got = read(fd, text + n, sizeof text - n)) > 0)
        n += (size_t)got;
    snprintf(where, sizeof where, "the file '%.160s'", file);
    if (rc == 0 && got < 0)
        rc = err_set(e, STATUS_AUTH, -errno, "%s: cannot read '%s': %s", whose, file,
                     strerror(errno));
    else if (rc == 0)
        rc = make(out, text, n, whose, where, e);
    close(fd);
    os_wipe(text, sizeof text);
    return rc;
}
