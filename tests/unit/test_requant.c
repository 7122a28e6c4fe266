/* Faster copies of language models: which file gets one, and what is left behind when none can be
 * made. Real models are copied in test_engines.c. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake/scratch.h"
#include "local/requant.h"
#include "util/path.h"

#if HULLO_LOCAL

#include <ggml.h>
#include <gguf.h>

static const struct log quiet = {.level = LOG_ERROR};

/* A GGUF file of one tensor: no language model, but a file with weights of a kind. */
static void put_gguf(const char *file, enum ggml_type type)
{
    struct ggml_context *c = ggml_init((struct ggml_init_params){.mem_size = 1 << 16});
    struct gguf_context *g = gguf_init_empty();
    struct ggml_tensor *t = ggml_new_tensor_2d(c, type, 32, 4);

    memset(t->data, 0, ggml_nbytes(t));
    ggml_set_name(t, "blk.0.ffn_up.weight");
    gguf_add_tensor(g, t);
    assert_true(gguf_write_to_file(g, file, false));
    gguf_free(g);
    ggml_free(c);
}

static int setup(void **state)
{
    struct scratch *s = calloc(1, sizeof *s);

    scratch_new(s);
    setenv("XDG_CACHE_HOME", s->dir, 1);
    *state = s;
    return 0;
}

static int remove_one(const char *file, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(file);
}

static int teardown(void **state)
{
    struct scratch *s = *state;

    nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}

static bool exists(const char *file)
{
    struct stat st;

    return stat(file, &st) == 0;
}

static void a_copy_is_found_by_the_size_and_time_of_its_file(void **state)
{
    struct scratch *s = *state;
    char *first, *second, *none;

    scratch_put(s, "m.gguf", "one", 3);
    assert_int_equal(requant_path(&first, scratch_path(s, "m.gguf")), 0);
    assert_memory_equal(first, s->dir, strlen(s->dir));
    scratch_put(s, "m.gguf", "three", 5);
    assert_int_equal(requant_path(&second, scratch_path(s, "m.gguf")), 0);
    assert_string_not_equal(first, second);
    assert_true(requant_path(&none, scratch_path(s, "none.gguf")) < 0);
    assert_null(none);
    free(first);
    free(second);
}

static void a_copy_that_is_there_is_taken(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    char *copy, *found, *slash;

    scratch_put(s, "m.gguf", "model", 5);
    assert_int_equal(requant_path(&copy, scratch_path(s, "m.gguf")), 0);
    slash = strrchr(copy, '/');
    *slash = '\0';
    assert_int_equal(path_mkdirs(copy, &e), 0);
    *slash = '/';
    assert_int_equal(path_write(copy, "copy", 4, &e), 0);
    found = requant_copy(scratch_path(s, "m.gguf"), 1, &quiet);
    assert_non_null(found);
    assert_string_equal(found, copy);
    free(found);
    free(copy);
}

static void a_file_that_is_fast_already_or_no_model_is_left_alone(void **state)
{
    struct scratch *s = *state;

    scratch_put(s, "text.gguf", "no model at all", 15);
    assert_null(requant_copy(scratch_path(s, "text.gguf"), 1, &quiet));
    put_gguf(scratch_path(s, "fast.gguf"), GGML_TYPE_Q4_0);
    assert_null(requant_copy(scratch_path(s, "fast.gguf"), 1, &quiet));
    assert_null(requant_copy(scratch_path(s, "none.gguf"), 1, &quiet));
    assert_int_equal(scratch_count(s), 2); /* no folder for copies was made */
}

/* The name of the part of a copy of slow.gguf, in a folder that is there. free() it. */
static char *part_of_slow(struct scratch *s)
{
    struct err e;
    char *copy, *part;

    put_gguf(scratch_path(s, "slow.gguf"), GGML_TYPE_Q5_0);
    assert_int_equal(requant_path(&copy, scratch_path(s, "slow.gguf")), 0);
    part = calloc(1, strlen(copy) + sizeof ".part");
    memcpy(part, copy, strlen(copy));
    *strrchr(copy, '/') = '\0';
    assert_int_equal(path_mkdirs(copy, &e), 0);
    free(copy);
    memcpy(part + strlen(part), ".part", sizeof ".part");
    return part;
}

/* Also not what an earlier program, which was ended in the middle, left there. */
static void a_copy_that_cannot_be_made_leaves_nothing_behind(void **state)
{
    struct scratch *s = *state, folder = {0};
    char *part = part_of_slow(s);
    struct err e;

    assert_int_equal(path_write(part, "a part", 6, &e), 0);
    assert_null(requant_copy(scratch_path(s, "slow.gguf"), 1, &quiet));
    *strrchr(part, '/') = '\0';
    snprintf(folder.dir, sizeof folder.dir, "%s", part);
    assert_int_equal(scratch_count(&folder), 0);
    free(part);
}

static void a_copy_that_somebody_else_is_making_is_left_alone(void **state)
{
    struct scratch *s = *state;
    char *part = part_of_slow(s);
    int fd = open(part, O_RDWR | O_CREAT, 0600);

    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_null(requant_copy(scratch_path(s, "slow.gguf"), 1, &quiet));
    assert_true(exists(part));
    close(fd);
    free(part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_copy_is_found_by_the_size_and_time_of_its_file),
        TEST(a_copy_that_is_there_is_taken),
        TEST(a_file_that_is_fast_already_or_no_model_is_left_alone),
        TEST(a_copy_that_cannot_be_made_leaves_nothing_behind),
        TEST(a_copy_that_somebody_else_is_making_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

/* Without the local engines there is nothing to make a copy of. */
static void there_is_no_model_to_copy(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_is_no_model_to_copy)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
