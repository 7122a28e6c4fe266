#include "util/os.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
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
