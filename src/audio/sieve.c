#include "audio/sieve.h"

#ifdef __GLIBC__
#include <pthread.h>
#include <stdio.h>
#include <sys/types.h>

/* There is one of these in a process because there is one `stderr`. */
static struct {
    pthread_mutex_t lock;
    FILE *real, *ours;
    struct sieve_watch *watches;
} sieve = {.lock = PTHREAD_MUTEX_INITIALIZER};

static ssize_t on_write(void *cookie, const char *text, size_t n)
{
    enum sieve_verdict verdict = SIEVE_PASS;

    (void)cookie;
    pthread_mutex_lock(&sieve.lock);
    for (struct sieve_watch *w = sieve.watches; w != NULL && verdict == SIEVE_PASS; w = w->next)
        verdict = w->look(w->user, text, n);
    pthread_mutex_unlock(&sieve.lock);
    if (verdict == SIEVE_END)
        pthread_exit(NULL);
    if (verdict == SIEVE_PASS)
        fwrite(text, 1, n, sieve.real);
    return (ssize_t)n;
}

/* With the lock. */
static bool install(void)
{
    cookie_io_functions_t functions = {.write = on_write};
    FILE *ours = sieve.ours;

    if (ours != NULL)
        return true;
    ours = fopencookie(NULL, "w", functions);
    if (ours == NULL)
        return false;
    /* Each message arrives by itself. */
    setvbuf(ours, NULL, _IONBF, 0);
    sieve.real = stderr;
    sieve.ours = stderr = ours;
    return true;
}

bool sieve_add(struct sieve_watch *w)
{
    bool there;

    pthread_mutex_lock(&sieve.lock);
    there = install();
    if (there) {
        w->next = sieve.watches;
        sieve.watches = w;
    }
    pthread_mutex_unlock(&sieve.lock);
    return there;
}

void sieve_remove(struct sieve_watch *w)
{
    pthread_mutex_lock(&sieve.lock);
    for (struct sieve_watch **at = &sieve.watches; *at != NULL; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    pthread_mutex_unlock(&sieve.lock);
}
#else
bool sieve_add(struct sieve_watch *w)
{
    (void)w;
    return false;
}

void sieve_remove(struct sieve_watch *w)
{
    (void)w;
}
#endif
