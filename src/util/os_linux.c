#include "util/os.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int os_self_path(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);

    if (n < 0)
        return -errno;
    if ((size_t)n >= size - 1)
        return -ENAMETOOLONG;
    out[n] = '\0';
    return 0;
}

void os_wipe(void *bytes, size_t n)
{
    explicit_bzero(bytes, n);
}

void os_keep_private(void)
{
    /* The limit alone would not do: a core_pattern with a program behind it does not heed it. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

bool os_main_thread(void)
{
    return gettid() == getpid();
}

void os_thread_role(const char *name, enum os_role role)
{
    struct sched_param fifo = {.sched_priority = 5};

    pthread_setname_np(pthread_self(), name);
    if (role == OS_ROLE_ENGINE) {
        /* On Linux a nice value belongs to the thread. */
        setpriority(PRIO_PROCESS, (id_t)gettid(), 5);
        return;
    }
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &fifo) != 0)
        setpriority(PRIO_PROCESS, (id_t)gettid(), -10);
}

struct os_sem {
    sem_t sem;
};

int os_sem_new(struct os_sem **out)
{
    struct os_sem *s = malloc(sizeof *s);

    *out = s;
    if (s == NULL)
        return -ENOMEM;
    sem_init(&s->sem, 0, 0);
    return 0;
}

void os_sem_post(struct os_sem *s)
{
    sem_post(&s->sem);
}

bool os_sem_wait(struct os_sem *s, int ms)
{
    struct timespec t;
    int rc;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    do {
        rc = sem_clockwait(&s->sem, CLOCK_MONOTONIC, &t);
    } while (rc != 0 && errno == EINTR);
    return rc == 0;
}

void os_sem_free(struct os_sem *s)
{
    if (s == NULL)
        return;
    sem_destroy(&s->sem);
    free(s);
}

int64_t os_modified_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}
