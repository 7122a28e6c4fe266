#include "util/hush.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/* There is one of these in a process because there is one descriptor 2. */
static struct {
    pthread_mutex_t owned;
    int saved; /* by the owner: what descriptor 2 was, or -1 */
} hush = {PTHREAD_MUTEX_INITIALIZER, -1};

void hush_take(void)
{
    pthread_mutex_lock(&hush.owned);
}

void hush_give(void)
{
    pthread_mutex_unlock(&hush.owned);
}

void hush_begin(void)
{
    int nowhere;

    hush_take();
    hush.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (hush.saved < 0)
        return;
    nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0)
        return;
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
}

void hush_end(void)
{
    if (hush.saved >= 0) {
        dup2(hush.saved, STDERR_FILENO);
        close(hush.saved);
        hush.saved = -1;
    }
    hush_give();
}
