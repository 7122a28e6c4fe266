#include "ui/keys.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* What ends the process without asking the loop. */
static const int fatal[] = {SIGHUP, SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
#define FATAL (sizeof fatal / sizeof *fatal)

/* Handlers know nothing but this. There is one in a process because it has one terminal. */
static struct {
    atomic_int fd; /* of the terminal that is changed, or -1 */
    struct termios before, ours;
    struct sigaction actions[FATAL];
} terminal = {.fd = -1};

/* Somebody else has the terminal while we are in the background, and we would be stopped for
 * touching it. */
static void set(const struct termios *to)
{
    int fd = atomic_load(&terminal.fd), saved = errno;

    if (fd >= 0 && tcgetpgrp(fd) == getpgrp())
        tcsetattr(fd, TCSANOW, to);
    errno = saved;
}

void keys_restore(void)
{
    set(&terminal.before);
}

/* --- signals */

/* Whoever started us may have asked for that. */
static bool ignored(int signum)
{
    struct sigaction action;

    return sigaction(signum, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Puts back the terminal, and then lets happen what would have. A fault happens again by itself. */
static void on_fatal(int signum, siginfo_t *info, void *context)
{
    bool fault = signum == SIGSEGV || signum == SIGBUS || signum == SIGFPE || signum == SIGILL;

    (void)context;
    keys_restore();
    for (size_t i = 0; i < FATAL; i++)
        if (fatal[i] == signum)
            sigaction(signum, &terminal.actions[i], NULL);
    if (!fault || info->si_code <= 0)
        raise(signum);
}

static void catch_fatal(void)
{
    struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO};

    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < FATAL; i++) {
        sigaction(fatal[i], NULL, &terminal.actions[i]);
        if (!ignored(fatal[i]))
            sigaction(fatal[i], &action, NULL);
    }
}

static void release_fatal(void)
{
    for (size_t i = 0; i < FATAL; i++)
        sigaction(fatal[i], &terminal.actions[i], NULL);
}

/* Ctrl-Z. The system stops us, or, where nobody could continue us, does not. */
static void on_stopped(uv_signal_t *handle, int signum)
{
    keys_restore();
    uv_signal_stop(handle);
    raise(signum);
    uv_signal_start(handle, on_stopped, signum);
    set(&terminal.ours);
}

static void on_continued(uv_signal_t *handle, int signum)
{
    const struct keys *k = handle->data;

    (void)signum;
    set(&terminal.ours);
    if (k->back != NULL)
        k->back(k->user);
}

/* --- opening and closing */

static int look(int fd)
{
    if (tcgetattr(fd, &terminal.before) != 0)
        return -errno;
    terminal.ours = terminal.before;
    if ((terminal.ours.c_lflag & ICANON) == 0)
        return -ENOTTY;
    terminal.ours.c_lflag |= IEXTEN;
    terminal.ours.c_cc[VEOL] = KEYS_MUTE;
    terminal.ours.c_cc[VEOL2] = KEYS_TALK;
#ifdef VSTATUS
    terminal.ours.c_cc[VSTATUS] = _POSIX_VDISABLE;
#endif
    return 0;
}

int keys_init(struct keys *k, uv_loop_t *loop, int fd)
{
    int rc = look(fd);

    *k = (struct keys){.on = false};
    if (rc < 0)
        return rc;
    rc = uv_signal_init(loop, &k->stopped);
    if (rc < 0)
        return rc;
    rc = uv_signal_init(loop, &k->continued);
    if (rc < 0) {
        uv_close((uv_handle_t *)&k->stopped, NULL);
        return rc;
    }
    k->continued.data = k;
    k->on = true;
    if (!ignored(SIGTSTP))
        uv_signal_start(&k->stopped, on_stopped, SIGTSTP);
    uv_signal_start(&k->continued, on_continued, SIGCONT);
    uv_unref((uv_handle_t *)&k->stopped);
    uv_unref((uv_handle_t *)&k->continued);
    catch_fatal();
    atomic_store(&terminal.fd, fd);
    set(&terminal.ours);
    return 0;
}

void keys_close(struct keys *k)
{
    if (!k->on)
        return;
    keys_restore();
    atomic_store(&terminal.fd, -1);
    release_fatal();
    uv_close((uv_handle_t *)&k->stopped, NULL);
    uv_close((uv_handle_t *)&k->continued, NULL);
    k->on = false;
}
