/* Files of models on disk: found only when right, hashed once, removed alone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake/scratch.h"
#include "models/store.h"
#include "models/tree.h"
#include "util/os.h"

/* sha256 of "hello" and of "world" */
#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define WORLD "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7"

static const char manifest[] =
    "{\"version\": 1, \"models\": [{\"name\": \"duo\", \"title\": \"two words\", \"role\": "
    "\"llm\", "
    "\"licence\": \"MIT\", \"licence_text\": \"none\", \"standard\": true, \"files\": ["
    "{\"name\": \"a.txt\", \"bytes\": 5, \"sha256\": \"" HELLO
    "\", \"sources\": [{\"hub\": \"x/y\", \"path\": \"a\"}]}, "
    "{\"name\": \"b.txt\", \"bytes\": 5, \"sha256\": \"" WORLD
    "\", \"sources\": [{\"hub\": \"x/y\", \"path\": \"b\"}]}]}]}";

struct fixture {
    struct scratch s;
    struct models *m;
    char dir[512];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    scratch_new(&f->s);
    scratch_put(&f->s, "models.json", manifest, sizeof manifest - 1);
    setenv("HULLO_MODELS_MANIFEST", scratch_path(&f->s, "models.json"), 1);
    snprintf(f->dir, sizeof f->dir, "%s", scratch_path(&f->s, "store"));
    setenv("HULLO_MODELS_DIR", f->dir, 1);
    assert_int_equal(models_open(&f->m, NULL, NULL), 0);
    assert_int_equal(mkdir(f->dir, 0755), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    models_close(f->m);
    assert_int_equal(tree_remove(f->dir), 0);
    scratch_free(&f->s);
    free(f);
    return 0;
}

static void put(struct fixture *f, const char *name, const char *text)
{
    char path[600];
    FILE *out;

    snprintf(path, sizeof path, "%s/duo", f->dir);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/duo/%s", f->dir, name);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static bool exists(struct fixture *f, const char *name)
{
    char path[600];

    snprintf(path, sizeof path, "%s/duo/%s", f->dir, name);
    return access(path, F_OK) == 0;
}

/* Replaces a file's contents as if nothing had happened to it. */
static void swap_silently(struct fixture *f, const char *name, const char *text)
{
    struct timespec times[2];
    char path[600];
    struct stat st;

    snprintf(path, sizeof path, "%s/duo/%s", f->dir, name);
    assert_int_equal(stat(path, &st), 0);
    put(f, name, text);
    times[0] = (struct timespec){.tv_sec = (time_t)(os_modified_ns(&st) / 1000000000),
                                 .tv_nsec = (long)(os_modified_ns(&st) % 1000000000)};
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int path_of(struct fixture *f, const char *file, struct err *e)
{
    char *path;
    int rc = models_path(f->m, "duo", file, &path, e);

    assert_true((rc == 0) == (path != NULL));
    free(path);
    return rc;
}

static void a_missing_model_says_how_to_fetch_it(void **state)
{
    struct err e = {0};

    assert_int_equal(path_of(*state, NULL, &e), -ENOENT);
    assert_int_equal(e.status, STATUS_NO_MODEL);
    assert_non_null(strstr(e.text, "hullo models pull duo"));
    put(*state, "a.txt", "hello");
    assert_int_equal(path_of(*state, NULL, &e), -ENOENT);
    assert_int_equal(path_of(*state, "a.txt", &e), 0);
}

static void a_file_with_wrong_bytes_has_no_path(void **state)
{
    struct err e = {0};

    put(*state, "a.txt", "hullo");
    put(*state, "b.txt", "world, or more");
    assert_int_equal(path_of(*state, "a.txt", &e), -EBADMSG);
    assert_int_equal(e.status, STATUS_NO_MODEL);
    assert_int_equal(path_of(*state, "b.txt", &e), -EBADMSG);
    assert_false(exists(*state, ".a.txt.stamp"));
}

static void a_right_file_is_hashed_once(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};

    put(f, "a.txt", "hello");
    put(f, "b.txt", "world");
    assert_int_equal(path_of(f, NULL, &e), 0);
    assert_true(exists(f, ".a.txt.stamp"));
    /* With size and time as before, only verify reads it again. */
    swap_silently(f, "a.txt", "hullo");
    assert_int_equal(path_of(f, NULL, &e), 0);
    assert_int_equal(models_verify(f->m, "duo", &e), -EBADMSG);
    /* Now that it is known, the stamp is gone. */
    assert_int_equal(path_of(f, NULL, &e), -EBADMSG);
}

static void a_file_that_changed_is_hashed_again(void **state)
{
    struct fixture *f = *state;
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct err e = {0};
    char path[600];

    put(f, "a.txt", "hello");
    snprintf(path, sizeof path, "%s/duo/a.txt", f->dir);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_int_equal(path_of(f, "a.txt", &e), 0);
    put(f, "a.txt", "hullo");
    assert_int_equal(path_of(f, "a.txt", &e), -EBADMSG);
}

static void a_stamp_of_nonsense_is_no_stamp(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};

    put(f, "a.txt", "hullo");
    put(f, ".a.txt.stamp", "5 0 " HELLO "\n");
    assert_int_equal(path_of(f, "a.txt", &e), -EBADMSG);
    put(f, "a.txt", "hello");
    put(f, ".a.txt.stamp", "\xff\xfe");
    assert_int_equal(path_of(f, "a.txt", &e), 0);
}

static void a_folder_in_place_of_a_file_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    char path[600];

    put(f, "b.txt", "world");
    snprintf(path, sizeof path, "%s/duo/a.txt", f->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(path_of(f, NULL, &e), -EBADMSG);
}

static void a_file_is_adopted_with_its_stamp(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};

    scratch_put(&f->s, "part", "hello", 5);
    assert_int_equal(store_adopt(f->m, &f->m->models[0], &f->m->models[0].files[0],
                                 scratch_path(&f->s, "part"), &e),
                     0);
    assert_true(store_stamped(f->m, &f->m->models[0], &f->m->models[0].files[0]));
    assert_int_equal(access(scratch_path(&f->s, "part"), F_OK), -1);
}

static void only_what_the_manifest_names_is_removed(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};

    put(f, "a.txt", "hello");
    put(f, "b.txt", "world");
    assert_int_equal(path_of(f, NULL, &e), 0);
    put(f, "mine.txt", "keep");
    assert_int_equal(models_remove(f->m, "duo", &e), 0);
    assert_false(exists(f, "a.txt") || exists(f, ".a.txt.stamp") || exists(f, "b.txt"));
    assert_true(exists(f, "mine.txt"));
    assert_int_equal(models_remove(f->m, "duo", &e), -ENOENT);
    assert_int_equal(e.status, STATUS_NO_MODEL);
}

static void an_unknown_name_is_a_usage_error(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    char *path;

    assert_int_equal(models_path(f->m, "trio", NULL, &path, &e), -ENOENT);
    assert_null(path);
    assert_int_equal(e.status, STATUS_USAGE);
    assert_int_equal(models_path(f->m, "duo", "c.txt", &path, &e), -ENOENT);
    assert_int_equal(models_remove(f->m, "..", &e), -ENOENT);
    assert_int_equal(models_pull(f->m, "trio", NULL, NULL, NULL, &e), -ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_missing_model_says_how_to_fetch_it), TEST(a_file_with_wrong_bytes_has_no_path),
        TEST(a_right_file_is_hashed_once),          TEST(a_file_that_changed_is_hashed_again),
        TEST(a_stamp_of_nonsense_is_no_stamp),      TEST(a_folder_in_place_of_a_file_is_wrong),
        TEST(a_file_is_adopted_with_its_stamp),     TEST(only_what_the_manifest_names_is_removed),
        TEST(an_unknown_name_is_a_usage_error),
    };

    return cmocka_run_group_tests_name("models_store", tests, NULL, NULL);
}
