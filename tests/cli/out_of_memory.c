/* out_of_memory - for LD_PRELOAD: the allocation number $FAIL_AT (from 0) of those that the program
 * itself makes, not its libraries, gets nothing. How many there were is the last line of
 * $ALLOCATIONS_FILE. glibc. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static atomic_long seen;

static int fails(void *caller)
{
    static _Thread_local int inside;
    const char *at = inside ? NULL : getenv("FAIL_AT");
    Dl_info where;
    int ours;

    if (at == NULL)
        return 0;
    inside = 1; /* dladdr may allocate */
    ours = dladdr(caller, &where) && where.dli_fname != NULL &&
           strcmp(strrchr(where.dli_fname, '/') != NULL ? strrchr(where.dli_fname, '/') + 1 : "",
                  "hullo") == 0;
    inside = 0;
    if (!ours || atomic_fetch_add(&seen, 1) != atol(at))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

__attribute__((destructor)) static void report(void)
{
    const char *file = getenv("ALLOCATIONS_FILE");
    FILE *to = file != NULL ? fopen(file, "w") : NULL;

    if (to == NULL)
        return;
    fprintf(to, "%ld\n", atomic_load(&seen));
    fclose(to);
}
