#include "cmd/interrupt.h"

#include <stdbool.h>

static void signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

/* A thread that waits for them may do anything, unlike a handler, and needs no variable that the
 * whole file sees. */
static void *watch(void *user)
{
    struct interrupt *i = user;
    sigset_t set;
    int came;

    signals(&set);
    while (!atomic_load(&i->ending)) {
        int none = 0;
        if (sigwait(&set, &came) == 0 && !atomic_load(&i->ending))
            atomic_compare_exchange_strong(&i->signal, &none, came);
    }
    return NULL;
}

int interrupt_begin(struct interrupt *i)
{
    sigset_t set;
    int rc;

    atomic_init(&i->signal, 0);
    atomic_init(&i->ending, false);
    signals(&set);
    rc = pthread_sigmask(SIG_BLOCK, &set, &i->before);
    if (rc != 0)
        return -rc;
    rc = pthread_create(&i->thread, NULL, watch, i);
    if (rc != 0)
        pthread_sigmask(SIG_SETMASK, &i->before, NULL);
    return -rc;
}

void interrupt_end(struct interrupt *i)
{
    atomic_store(&i->ending, true);
    /* The thread takes it with sigwait. NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread) */
    pthread_kill(i->thread, SIGTERM);
    pthread_join(i->thread, NULL);
    pthread_sigmask(SIG_SETMASK, &i->before, NULL);
}
