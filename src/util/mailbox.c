#include "util/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct letter *first, **last;
    bool closed;
    void (*wake)(void *user);
    void *user;
};

int mailbox_new(struct mailbox **out, void (*wake)(void *user), void *user)
{
    struct mailbox *m = calloc(1, sizeof *m);

    *out = NULL;
    if (m == NULL)
        return -ENOMEM;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->filled, NULL);
    m->last = &m->first;
    m->wake = wake;
    m->user = user;
    *out = m;
    return 0;
}

void mailbox_put(struct mailbox *m, struct letter *l)
{
    l->next = NULL;
    pthread_mutex_lock(&m->lock);
    *m->last = l;
    m->last = &l->next;
    pthread_cond_signal(&m->filled);
    pthread_mutex_unlock(&m->lock);
    if (m->wake != NULL)
        m->wake(m->user);
}

/* With the lock held. */
static struct letter *unlink_first(struct mailbox *m)
{
    struct letter *l = m->first;

    if (l == NULL)
        return NULL;
    m->first = l->next;
    if (m->first == NULL)
        m->last = &m->first;
    return l;
}

struct letter *mailbox_take(struct mailbox *m)
{
    struct letter *l;

    pthread_mutex_lock(&m->lock);
    l = unlink_first(m);
    pthread_mutex_unlock(&m->lock);
    return l;
}

struct letter *mailbox_wait(struct mailbox *m)
{
    struct letter *l;

    pthread_mutex_lock(&m->lock);
    while ((l = unlink_first(m)) == NULL && !m->closed)
        pthread_cond_wait(&m->filled, &m->lock);
    pthread_mutex_unlock(&m->lock);
    return l;
}

void mailbox_close(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    m->closed = true;
    pthread_cond_broadcast(&m->filled);
    pthread_mutex_unlock(&m->lock);
}

void mailbox_free(struct mailbox *m)
{
    if (m == NULL)
        return;
    pthread_cond_destroy(&m->filled);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
