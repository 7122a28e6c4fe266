#define __STDC_WANT_LIB_EXT1__ 1 /* memset_s */
#include "util/os.h"

#include <dispatch/dispatch.h>
#include <errno.h>
#include <mach-o/dyld.h>
#include <pthread.h>
#include <pthread/qos.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

int os_self_path(char *out, size_t size)
{
    uint32_t n = (uint32_t)size;

    return _NSGetExecutablePath(out, &n) == 0 ? 0 : -ENAMETOOLONG;
}

void os_wipe(void *bytes, size_t n)
{
    (void)memset_s(bytes, n, 0, n);
}

void os_keep_private(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

bool os_main_thread(void)
{
    return pthread_main_np() != 0;
}

void os_thread_role(const char *name, enum os_role role)
{
    pthread_setname_np(name);
    pthread_set_qos_class_self_np(
        role == OS_ROLE_SOUND ? QOS_CLASS_USER_INTERACTIVE : QOS_CLASS_UTILITY, 0);
}

struct os_sem {
    dispatch_semaphore_t sem;
};

int os_sem_new(struct os_sem **out)
{
    struct os_sem *s = malloc(sizeof *s);

    *out = NULL;
    if (s == NULL)
        return -ENOMEM;
    s->sem = dispatch_semaphore_create(0);
    if (s->sem == NULL) {
        free(s);
        return -ENOMEM;
    }
    *out = s;
    return 0;
}

void os_sem_post(struct os_sem *s)
{
    dispatch_semaphore_signal(s->sem);
}

bool os_sem_wait(struct os_sem *s, int ms)
{
    dispatch_time_t until = dispatch_time(DISPATCH_TIME_NOW, (int64_t)ms * 1000000);

    return dispatch_semaphore_wait(s->sem, until) == 0;
}

void os_sem_free(struct os_sem *s)
{
    if (s == NULL)
        return;
    dispatch_release(s->sem);
    free(s);
}

int64_t os_modified_ns(const struct stat *st)
{
    return (int64_t)st->st_mtimespec.tv_sec * 1000000000 + st->st_mtimespec.tv_nsec;
}
