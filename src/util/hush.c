#include "util/hush.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/* The one thing that there is once in a process, like the descriptor that it stands for: two owners
 * that each saved and put back descriptor 2 could leave it pointing nowhere. */
static struct {
    pthread_mutex_t lock;
    int depth;
    int saved; /* what descriptor 2 was, or -1 */
} hush = {PTHREAD_MUTEX_INITIALIZER, 0, -1};

void hush_begin(void)
{
    int nowhere;

    pthread_mutex_lock(&hush.lock);
    if (hush.depth++ == 0)
        hush.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (hush.depth == 1 && hush.saved >= 0) {
        nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (nowhere >= 0) {
            dup2(nowhere, STDERR_FILENO);
            close(nowhere);
        }
    }
    pthread_mutex_unlock(&hush.lock);
}

void hush_end(void)
{
    pthread_mutex_lock(&hush.lock);
    if (--hush.depth == 0 && hush.saved >= 0) {
        dup2(hush.saved, STDERR_FILENO);
        close(hush.saved);
        hush.saved = -1;
    }
    pthread_mutex_unlock(&hush.lock);
}
