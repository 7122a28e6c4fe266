/* spool: audio that is kept until it was answered, in memory and then in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake/rt_guard.h"
#include "fake/scratch.h"
#include "realtime/spool.h"

enum { PIECE = 1600 };

/* A sample that tells its position. */
static int16_t sample(uint64_t at)
{
    return (int16_t)(uint16_t)((at * 40503 + (at >> 11)) & 0xffff);
}

static int add(struct spool *s, size_t n)
{
    int16_t *x = malloc((n + 1) * sizeof *x);
    int rc;

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = sample(spool_end(s) + i);
    rc = spool_add(s, x, n);
    free(x);
    return rc;
}

static void add_all(struct spool *s, size_t n, size_t piece)
{
    for (; n > 0; n -= piece) {
        if (piece > n)
            piece = n;
        assert_int_equal(add(s, piece), 0);
    }
}

/* All that is there is what was added at its position, however it is read. */
static void check(const struct spool *s, uint64_t begin, uint64_t end, size_t piece)
{
    int16_t *x = malloc((piece + 1) * sizeof *x);

    assert_non_null(x);
    assert_int_equal(spool_begin(s), begin);
    assert_int_equal(spool_end(s), end);
    for (uint64_t at = begin; at < end; at += piece) {
        size_t want = piece < end - at ? piece : (size_t)(end - at);
        assert_int_equal(spool_read(s, at, x, piece), want);
        for (size_t i = 0; i < want; i++)
            if (x[i] != sample(at + i))
                fail_msg("sample %llu is another one", (unsigned long long)(at + i));
    }
    assert_int_equal(spool_read(s, end, x, piece), 0);
    free(x);
}

static struct spool *with(size_t memory, size_t most)
{
    struct spool *s;

    assert_int_equal(spool_new(&s, &(struct spool_config){memory, most}), 0);
    return s;
}

static void positions_count_from_the_first_sample(void **state)
{
    int16_t x[8];
    struct spool *s;

    (void)state;
    assert_int_equal(spool_new(&s, NULL), 0);
    check(s, 0, 0, PIECE);
    assert_int_equal(spool_read(s, 5, x, 8), 0);
    add_all(s, 100000, PIECE);
    check(s, 0, 100000, 777);
    spool_drop(s, 70001);
    check(s, 70001, 100000, 4096);
    assert_int_equal(spool_read(s, 70000, x, 8), 0); /* what was dropped is not there any more */
    spool_drop(s, 5);                                /* nor does it come back */
    add_all(s, 30000, 50);
    check(s, 70001, 130000, 20000);
    spool_drop(s, UINT64_MAX);
    check(s, 130000, 130000, PIECE);
    add_all(s, 10, 1);
    check(s, 130000, 130010, 3);
    assert_int_equal(spool_add(s, x, 0), 0);
    spool_free(s);
    spool_free(NULL);
}

/* Whatever is added and dropped, in whatever order, stays what it is. */
static void any_order_of_adding_and_dropping_keeps_every_sample(void **state)
{
    uint32_t seed = 1;
    struct spool *s = with(40000, 120000);

    (void)state;
    for (int i = 0; i < 400; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t n = (seed >> 8) % 9000;
        uint64_t begin = spool_begin(s), end = spool_end(s);
        assert_int_equal(add(s, n), 0);
        end += n;
        if (end - begin > 120000)
            begin = end - 120000;
        if ((seed >> 24) % 5 == 0) {
            begin += (seed >> 4) % (end - begin + 1);
            spool_drop(s, begin);
        }
        check(s, begin, end, 5000);
    }
    spool_free(s);
}

/* --- the file */

struct place {
    struct scratch dir;
    struct rlimit limit;
};

static int to_a_folder(void **state)
{
    static struct place p;

    scratch_new(&p.dir);
    setenv("TMPDIR", p.dir.dir, 1);
    getrlimit(RLIMIT_FSIZE, &p.limit);
    *state = &p;
    return 0;
}

static int from_a_folder(void **state)
{
    struct place *p = *state;

    setrlimit(RLIMIT_FSIZE, &p->limit);
    signal(SIGXFSZ, SIG_DFL);
    unsetenv("TMPDIR");
    scratch_free(&p->dir);
    return 0;
}

/* The unnamed regular files that this process has open below dir: how many, the mode and the size
 * of the last. */
static int unnamed(const char *dir, mode_t *mode, off_t *size)
{
    int count = 0;

    for (int fd = 3; fd < 256; fd++) {
        char link[64], to[512];
        struct stat st;
        ssize_t n;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        n = readlink(link, to, sizeof to - 1);
        if (n <= 0 || strncmp(to, dir, strlen(dir)) != 0 || fstat(fd, &st) != 0 || st.st_nlink > 0)
            continue;
        count++;
        *mode = st.st_mode & 0777;
        *size = st.st_size;
    }
    return count;
}

static void beyond_the_memory_the_newest_goes_to_a_file_without_a_name(void **state)
{
    struct place *p = *state;
    struct spool *s = with(50000, 1000000);
    mode_t mode = 0;
    off_t size = 0;

    add_all(s, 50000, PIECE);
    assert_int_equal(unnamed(p->dir.dir, &mode, &size), 0); /* memory does while it lasts */
    add_all(s, 150000, 7001);
    assert_int_equal(scratch_count(&p->dir), 0);
    check(s, 0, 200000, 30011);
#ifdef __linux__
    assert_int_equal(unnamed(p->dir.dir, &mode, &size), 1);
    assert_int_equal(mode, 0600);
    assert_int_equal(size, 150000 * sizeof(int16_t));
#endif
    spool_drop(s, 60000); /* the memory is free: what comes still stands behind the file's */
    add_all(s, 20000, 333);
    check(s, 60000, 220000, 4096);
    spool_drop(s, 220000); /* answered: the disk has its room again */
    assert_int_equal(unnamed(p->dir.dir, &mode, &size), 0);
    add_all(s, 60000, PIECE);
    check(s, 220000, 280000, 4096);
    spool_free(s);
    assert_int_equal(unnamed(p->dir.dir, &mode, &size), 0);
}

static void the_oldest_goes_when_the_file_is_full(void **state)
{
    struct place *p = *state;
    struct spool *s = with(20000, 100000);
    mode_t mode = 0;
    off_t size = 0;

    add_all(s, 450000, 3333);
    check(s, 350000, 450000, 4096);
    assert_int_equal(add(s, 100000), 0);
    check(s, 450000, 550000, 4096);
    assert_int_equal(add(s, 100001), -EINVAL);
    check(s, 450000, 550000, 4096);
    if (unnamed(p->dir.dir, &mode, &size) > 0)
        assert_true(size <= 100000 * (off_t)sizeof(int16_t));
    spool_free(s);
}

static void a_full_disk_refuses_and_loses_nothing(void **state)
{
    struct place *p = *state;
    struct spool *s = with(20000, 1000000);

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){40960, p->limit.rlim_max}), 0);
    add_all(s, 40000, 10000);
    assert_int_equal(add(s, 10000), -EFBIG);
    check(s, 0, 40000, 4096);
    assert_int_equal(add(s, 10000), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &p->limit), 0);
    assert_int_equal(add(s, 10000), 0);
    check(s, 0, 50000, 4096);
    spool_free(s);
}

static void without_a_folder_for_the_file_the_memory_stays(void **state)
{
    struct spool *s = with(20000, 1000000);

    (void)state;
    setenv("TMPDIR", "/nowhere/at/all", 1);
    assert_int_equal(add(s, 15000), 0);
    assert_int_equal(add(s, 15000), -ENOENT);
    check(s, 0, 15000, 4096);
    assert_int_equal(add(s, 5000), 0);
    spool_drop(s, 10000);
    assert_int_equal(add(s, 10000), 0);
    check(s, 10000, 30000, 4096);
    spool_free(s);
}

/* --- without memory */

static void every_allocation_may_fail(void **state)
{
    int failed = 0;
    bool all = false;

    (void)state;
    if (!rt_guard_works())
        skip();
    for (; !all && failed < 100; failed++) {
        struct spool *s = (struct spool *)&failed;
        long held = rt_guard_held();
        static int16_t x[30000];
        uint64_t end = 0;
        rt_guard_starve(failed);
        int rc = spool_new(&s, &(struct spool_config){90000, 1000000});
        all = rc == 0;
        for (int i = 0; rc == 0 && i < 5; i++) {
            for (size_t k = 0; k < 30000; k++)
                x[k] = sample(end + k);
            int added = spool_add(s, x, 30000);
            assert_true(added == 0 || added == -ENOMEM);
            all = all && added == 0;
            end += added == 0 ? 30000 : 0;
        }
        rt_guard_starve(-1);
        assert_true(rc == 0 || (rc == -ENOMEM && s == NULL));
        if (rc == 0)
            check(s, 0, end, 4096);
        spool_free(s);
        assert_int_equal(rt_guard_held(), held);
    }
    assert_true(all);
    assert_true(failed > 5);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, to_a_folder, from_a_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_count_from_the_first_sample),
        IN_A_FOLDER(any_order_of_adding_and_dropping_keeps_every_sample),
        IN_A_FOLDER(beyond_the_memory_the_newest_goes_to_a_file_without_a_name),
        IN_A_FOLDER(the_oldest_goes_when_the_file_is_full),
        IN_A_FOLDER(a_full_disk_refuses_and_loses_nothing),
        IN_A_FOLDER(without_a_folder_for_the_file_the_memory_stays),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
