#include "fake/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void scratch_new(struct scratch *s)
{
    snprintf(s->dir, sizeof s->dir, "/tmp/hullo-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
}

void scratch_free(struct scratch *s)
{
    DIR *d = opendir(s->dir);
    struct dirent *entry;

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL)
        if (unlinkat(dirfd(d), entry->d_name, 0) != 0)
            unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
    closedir(d);
    assert_int_equal(rmdir(s->dir), 0);
}

const char *scratch_path(struct scratch *s, const char *name)
{
    assert_true(snprintf(s->path, sizeof s->path, "%s/%s", s->dir, name) < (int)sizeof s->path);
    return s->path;
}

void scratch_put(struct scratch *s, const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(scratch_path(s, name), "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

unsigned char *scratch_get(struct scratch *s, const char *name, size_t *n)
{
    FILE *f = fopen(scratch_path(s, name), "rb");
    unsigned char *bytes;
    long size;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    rewind(f);
    bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    *n = fread(bytes, 1, (size_t)size, f);
    assert_int_equal(*n, size);
    fclose(f);
    return bytes;
}

size_t scratch_count(const struct scratch *s)
{
    DIR *d = opendir(s->dir);
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2; /* itself and its parent */
}

int scratch_redirect(int fd, int other)
{
    int saved;

    fflush(stdout);
    saved = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    assert_true(saved >= 0);
    if (other >= 0) {
        assert_int_equal(dup2(other, fd), fd);
        close(other);
    } else {
        close(fd);
    }
    return saved;
}

void scratch_restore(int fd, int saved)
{
    assert_int_equal(dup2(saved, fd), fd);
    close(saved);
}
