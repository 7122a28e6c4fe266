#include "util/os.h"

#include <errno.h>
#include <mach-o/dyld.h>
#include <pthread.h>
#include <pthread/qos.h>
#include <stdint.h>

int os_self_path(char *out, size_t size)
{
    uint32_t n = (uint32_t)size;

    return _NSGetExecutablePath(out, &n) == 0 ? 0 : -ENAMETOOLONG;
}

void os_thread_role(const char *name, enum os_role role)
{
    pthread_setname_np(name);
    pthread_set_qos_class_self_np(
        role == OS_ROLE_SOUND ? QOS_CLASS_USER_INTERACTIVE : QOS_CLASS_UTILITY, 0);
}
