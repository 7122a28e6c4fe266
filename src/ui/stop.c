#include "ui/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "ui/keys.h"

#define GRACE_MS 2000 /* for the loop to take a signal */
#define LOOK_MS  20   /* how often it is looked whether it has */
#define THE_END  0    /* through the pipe, in place of a signal */

static const int signals[] = {SIGINT, SIGTERM};

/* Handlers know nothing but this. There is one in a process because there is one set of them. */
static atomic_int handlers_pipe = -1;

static void tell(int fd, int what)
{
    unsigned char byte = (unsigned char)what;
    ssize_t n;

    do
        n = write(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
}

static void on_signal(int signum)
{
    int saved = errno, fd = atomic_load(&handlers_pipe);

    if (fd >= 0)
        tell(fd, signum);
    errno = saved;
}

/* --- the watcher's thread */

static int next_signal(const struct stop *s)
{
    unsigned char byte;
    ssize_t n;

    do
        n = read(s->pipe[0], &byte, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? byte : THE_END;
}

static void *watch(void *user)
{
    static const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    struct stop *s = user;
    int signum;

    while ((signum = next_signal(s)) != THE_END) {
        atomic_store(&s->waiting, signum);
        uv_async_send(&s->taken);
        for (int ms = 0; atomic_load(&s->waiting) != 0 && !atomic_load(&s->ending); ms += LOOK_MS) {
            if (ms >= GRACE_MS) {
                keys_restore();
                _exit(128 + signum);
            }
            nanosleep(&pause, NULL);
        }
    }
    return NULL;
}

/* --- the loop's thread */

static void on_taken(uv_async_t *handle)
{
    struct stop *s = handle->data;
    int signum = atomic_exchange(&s->waiting, 0);

    if (signum != 0)
        s->event(s->user, signum);
}

/* The loop's thread takes the signals: a system call of its that waits is interrupted. */
static int start_watcher(struct stop *s)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&s->watcher, NULL, watch, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->watched = rc == 0;
    return -rc;
}

static int catch_signals(struct stop *s)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigfillset(&action.sa_mask);
    atomic_store(&handlers_pipe, s->pipe[1]);
    for (; s->caught < 2; s->caught++)
        if (sigaction(signals[s->caught], &action, &s->before[s->caught]) != 0)
            return -errno;
    return 0;
}

int stop_init(struct stop *s, uv_loop_t *loop, void (*event)(void *user, int signum), void *user)
{
    int rc;

    *s = (struct stop){.event = event, .user = user, .pipe = {-1, -1}};
    atomic_init(&s->waiting, 0);
    atomic_init(&s->ending, false);
    rc = uv_async_init(loop, &s->taken, on_taken);
    if (rc < 0)
        return rc;
    s->taken.data = s;
    s->woken = true;
    if (pipe(s->pipe) != 0) {
        s->pipe[0] = s->pipe[1] = -1;
        return -errno;
    }
    for (int i = 0; i < 2; i++)
        fcntl(s->pipe[i], F_SETFD, FD_CLOEXEC);
    rc = start_watcher(s);
    return rc < 0 ? rc : catch_signals(s);
}

void stop_close(struct stop *s)
{
    while (s->caught > 0) {
        s->caught--;
        sigaction(signals[s->caught], &s->before[s->caught], NULL);
    }
    atomic_store(&handlers_pipe, -1);
    atomic_store(&s->ending, true);
    if (s->watched) {
        tell(s->pipe[1], THE_END);
        pthread_join(s->watcher, NULL);
    }
    for (int i = 0; i < 2; i++)
        if (s->pipe[i] >= 0)
            close(s->pipe[i]);
    if (s->woken)
        uv_close((uv_handle_t *)&s->taken, NULL);
}
