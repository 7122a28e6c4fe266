/* os - the few things that differ between systems; one implementation per system (os_linux.c,
 * os_darwin.c). */
#ifndef HULLO_UTIL_OS_H
#define HULLO_UTIL_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Writes the absolute path of the running program, NUL-terminated. 0, or -ENAMETOOLONG or another
 * negative errno. */
int os_self_path(char *out, size_t size);

/* When the file was last changed, in nanoseconds since 1970. */
int64_t os_modified_ns(const struct stat *st);

/* Overwrites memory that held a secret; the compiler does not leave it out. */
void os_wipe(void *bytes, size_t n);

/* From here on the process leaves no core dump, and where the system can say so, other processes of
 * its user cannot look into its memory and its environment either. For when a key is held; may be
 * called again. */
void os_keep_private(void);

bool os_main_thread(void); /* whether the calling thread is the one that main runs on */

enum os_role { OS_ROLE_SOUND, OS_ROLE_ENGINE };

/* Names the calling thread (at most 15 bytes) and sets its priority: raised for the sound path
 * where the system lets an ordinary user, lowered for model engines. Never fails: a refused
 * priority is not an error. */
void os_thread_role(const char *name, enum os_role role);

/* A counting semaphore between threads, by which the audio callback wakes its worker. Posting is
 * the one thing with a system call that a realtime callback may do, and only when somebody waits.
 */
struct os_sem;

int os_sem_new(struct os_sem **out);        /* starts at 0; 0, -ENOMEM */
void os_sem_post(struct os_sem *s);         /* any thread, also a realtime one */
bool os_sem_wait(struct os_sem *s, int ms); /* false when `ms` passed without a post */
void os_sem_free(struct os_sem *s);         /* nobody waits any more; NULL is fine */

#endif
