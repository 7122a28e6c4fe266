#include "fake/rt_guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)
#define INTERPOSED 1
#else
#define INTERPOSED 0
#endif

static _Thread_local bool armed;
static _Thread_local int plenty = -1; /* allocations until one fails */
static _Thread_local long held;
static const char *caught; /* the first forbidden call; written by the armed thread */

bool rt_guard_works(void)
{
    return INTERPOSED;
}

void rt_guard_starve(int n)
{
    plenty = n;
}

long rt_guard_held(void)
{
    return held;
}

#if INTERPOSED
static bool starved(void)
{
    if (plenty < 0 || plenty-- > 0)
        return false;
    errno = ENOMEM;
    return true;
}

static void *hold(void *p)
{
    if (p != NULL)
        held++;
    return p;
}

static void note(const char *what)
{
    if (armed && caught == NULL)
        caught = what;
}

/* --- the C library */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);
extern void __libc_free(void *p);

void *malloc(size_t n)
{
    note("malloc");
    return starved() ? NULL : hold(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
    note("calloc");
    return starved() ? NULL : hold(__libc_calloc(n, size));
}

void *realloc(void *p, size_t n)
{
    note("realloc");
    if (starved())
        return NULL;
    return p == NULL ? hold(__libc_malloc(n)) : __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    note("aligned_alloc");
    return starved() ? NULL : hold(__libc_memalign(alignment, n));
}

void free(void *p)
{
    note("free");
    if (p != NULL)
        held--;
    __libc_free(p);
}

/* Defines a function that notes its name and calls the one that it hides. */
#define GUARDED(result, name, parameters, arguments) \
    result name parameters                           \
    {                                                \
        static result(*real) parameters;             \
        note(#name);                                 \
        if (real == NULL) {                          \
            void *symbol = dlsym(RTLD_NEXT, #name);  \
            memcpy(&real, &symbol, sizeof real);     \
        }                                            \
        return real arguments;                       \
    }

GUARDED(int, pthread_mutex_lock, (pthread_mutex_t * m), (m))
GUARDED(int, pthread_mutex_trylock, (pthread_mutex_t * m), (m))
GUARDED(int, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l))
GUARDED(int, pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l))
GUARDED(int, pthread_spin_lock, (pthread_spinlock_t * l), (l))
GUARDED(int, pthread_cond_signal, (pthread_cond_t * c), (c))
GUARDED(int, pthread_cond_broadcast, (pthread_cond_t * c), (c))
GUARDED(int, sem_wait, (sem_t * s), (s))
GUARDED(int, sched_yield, (void), ())
GUARDED(int, nanosleep, (const struct timespec *t, struct timespec *left), (t, left))
GUARDED(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n))
GUARDED(size_t, fwrite, (const void *data, size_t size, size_t n, FILE *f), (data, size, n, f))
GUARDED(int, fflush, (FILE * f), (f))
#endif

/* --- the kernel: "syscall user dispatch" (Linux 5.11) turns each system call of this thread into a
 * SIGSYS while `selector` says so, except those that return from a signal handler. */

#if INTERPOSED && defined(__linux__) && defined(__x86_64__)
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define SET_DISPATCH  59 /* PR_SET_SYSCALL_USER_DISPATCH */
#define DISPATCH_OFF  0
#define DISPATCH_ON   1
#define RESTORER_SIZE 32

static volatile char selector; /* 0: system calls pass, 1: they are caught */
static char syscall_name[32];

static void on_system_call(int sig, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    long number = info->si_syscall, rc;
    int saved = errno;

    (void)sig;
    selector = 0;
    if (!(number == SYS_futex && (r[REG_RSI] & FUTEX_CMD_MASK) == FUTEX_WAKE) && caught == NULL) {
        snprintf(syscall_name, sizeof syscall_name, "system call %ld", number);
        caught = syscall_name;
    }
    rc = syscall(number, r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]);
    r[REG_RAX] = rc < 0 ? -errno : rc;
    errno = saved;
    selector = 1;
}

/* Where a signal handler returns to: the one place whose system calls must always pass. */
static unsigned long restorer(void)
{
    struct {
        void *handler;
        unsigned long flags;
        unsigned long restorer;
        unsigned long mask;
    } action = {0};

    syscall(SYS_rt_sigaction, SIGSYS, NULL, &action, sizeof action.mask);
    return action.restorer;
}

static bool dispatch(bool on)
{
    struct sigaction action = {.sa_sigaction = on_system_call, .sa_flags = SA_SIGINFO};

    if (!on)
        return prctl(SET_DISPATCH, DISPATCH_OFF, 0, 0, 0) == 0;
    sigaction(SIGSYS, &action, NULL);
    return prctl(SET_DISPATCH, DISPATCH_ON, restorer(), RESTORER_SIZE, &selector) == 0;
}
#else
static volatile char selector;

static bool dispatch(bool on)
{
    return !on;
}
#endif

bool rt_guard_sees_system_calls(void)
{
    bool works = dispatch(true);

    if (works)
        dispatch(false);
    return works;
}

void rt_guard_up(void)
{
    bool seen = dispatch(true);

    caught = NULL;
    armed = true;
    selector = seen;
}

const char *rt_guard_down(void)
{
    selector = 0;
    armed = false;
    dispatch(false);
    return caught;
}
