/* mailbox - a queue of messages into one thread, from any thread.
 * Messages are the sender's structs with a `struct letter` as first member; the mailbox never
 * allocates, so putting cannot fail. Ownership passes to the mailbox with put and to the reader
 * with take. Not realtime safe (a mutex). */
#ifndef HULLO_UTIL_MAILBOX_H
#define HULLO_UTIL_MAILBOX_H

#include <stdbool.h>

struct letter {
    struct letter *next;
};

struct mailbox;

/* wake (NULL is fine) is called after each put, on the putter's thread: uv_async_send for a loop
 * that does not block in mailbox_wait. */
int mailbox_new(struct mailbox **out, void (*wake)(void *user), void *user); /* 0, -ENOMEM */
void mailbox_put(struct mailbox *m, struct letter *l);
struct letter *mailbox_take(struct mailbox *m); /* the oldest, or NULL at once; reader's thread */
struct letter *
mailbox_wait(struct mailbox *m);       /* the oldest, waiting for it; NULL once closed and empty */
void mailbox_close(struct mailbox *m); /* wakes the waiter; what is queued can still be taken */
void mailbox_free(struct mailbox *m);  /* must be empty and unused; NULL is fine */

#endif
