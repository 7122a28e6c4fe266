/* path: where files live, and that they appear whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/path.h"

static int new_folder(void **state)
{
    char dir[] = "/tmp/hullo-test-XXXXXX";
    *state = mkdtemp(dir) ? strdup(dir) : NULL;
    return *state ? 0 : -1;
}

static int remove_one(const char *file, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(file);
}

static int remove_folder(void **state)
{
    nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

/* "dir/name" in memory that the caller frees. */
static char *in(const char *dir, const char *name)
{
    char *out = NULL;
    assert_int_equal(path_join(&out, dir, name), 0);
    return out;
}

static void base_folders_follow_the_environment(void **state)
{
    char *out = NULL;

    setenv("HOME", "/home/someone", 1);
    unsetenv("XDG_DATA_HOME");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("XDG_STATE_HOME");
    assert_int_equal(path_data(&out, "models/x"), 0);
    assert_string_equal(out, "/home/someone/.local/share/hullo/models/x");
    free(out);
    assert_int_equal(path_cache(&out, "y"), 0);
    assert_string_equal(out, "/home/someone/.cache/hullo/y");
    free(out);

    assert_int_equal(path_state(&out, "z"), 0);
    assert_string_equal(out, "/home/someone/.local/state/hullo/z");
    free(out);

    setenv("XDG_STATE_HOME", "/state", 1);
    assert_int_equal(path_state(&out, "z"), 0);
    assert_string_equal(out, "/state/hullo/z");
    free(out);
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_int_equal(path_data(&out, "x"), 0);
    assert_string_equal(out, "/data/hullo/x");
    free(out);
    setenv("XDG_DATA_HOME", "relative", 1); /* the specification: to be ignored */
    assert_int_equal(path_data(&out, "x"), 0);
    assert_string_equal(out, "/home/someone/.local/share/hullo/x");
    free(out);
    unsetenv("XDG_DATA_HOME");

    char *file = in(*state, "here");
    assert_int_equal(path_write(file, "", 0, NULL), 0);
    setenv("HULLO_SHARE", *state, 1);
    assert_int_equal(path_share(&out, "here"), 0);
    assert_string_equal(out, file);
    free(out);
    assert_int_equal(path_share(&out, "nowhere"), -ENOENT);
    assert_null(out);
    unsetenv("HULLO_SHARE");
    free(file);
}

/* A folder such as /tmp/.local/share would be anybody's to fill. */
static void without_a_home_in_the_environment_it_is_the_users_own(void **state)
{
    static const char *const homes[] = {NULL, "", "relative/folder"};
    const struct passwd *me = getpwuid(getuid());
    char *want = NULL, *out = NULL;

    (void)state;
    unsetenv("XDG_DATA_HOME");
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        if (homes[i] != NULL)
            setenv("HOME", homes[i], 1);
        else
            unsetenv("HOME");
        int rc = path_data(&out, "x");
        if (me == NULL || me->pw_dir[0] != '/') {
            assert_int_equal(rc, -ENOENT);
            assert_null(out);
            continue;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(path_join(&want, me->pw_dir, ".local/share/hullo/x"), 0);
        assert_string_equal(out, want);
        free(want);
        free(out);
    }
}

static void what_is_written_is_read_back(void **state)
{
    char *file = in(*state, "file"), *big = calloc(1, 300000), *out = NULL;
    size_t len = 0;
    struct err e = {0};
    struct stat st;

    assert_non_null(big);
    for (size_t i = 0; i < 300000; i++)
        big[i] = (char)(i * 31 >> 3);
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000, 5};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(path_write(file, big, sizes[i], &e), 0);
        assert_int_equal(path_read(&out, &len, file, 300000, &e), 0);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(out, big, len);
        assert_int_equal(out[len], '\0');
        free(out);
    }
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    free(big);
    free(file);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    char *file = in(*state, "file"), *out = file;
    size_t len = 1;
    struct err e = {0};

    assert_int_equal(path_write(file, "12345", 5, &e), 0);
    assert_int_equal(path_read(&out, &len, file, 4, &e), -EFBIG);
    assert_null(out);
    assert_int_equal(len, 0);
    assert_non_null(strstr(e.text, file));
    assert_int_equal(path_read(&out, &len, file, 5, &e), 0);
    free(out);
    free(file);
}

static void what_is_no_regular_file_is_refused_at_once(void **state)
{
    char *fifo = in(*state, "fifo"), *none = in(*state, "none"), *out = NULL;
    const char *const files[] = {*state, fifo, "/dev/zero", none};
    const int codes[] = {-EISDIR, -EINVAL, -EINVAL, -ENOENT};
    size_t len = 0;

    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (size_t i = 0; i < 4; i++) {
        struct err e = {0};
        assert_int_equal(path_read(&out, &len, files[i], 100, &e), codes[i]);
        assert_null(out);
        assert_non_null(strstr(e.text, files[i]));
    }
    free(fifo);
    free(none);
}

static int entries;
static int count_one(const char *file, const struct stat *st, int type, struct FTW *at)
{
    (void)file;
    (void)st;
    (void)at;
    entries += type == FTW_F;
    return 0;
}

static void a_write_that_fails_leaves_nothing_behind(void **state)
{
    char *folder = in(*state, "folder"), *below = in(*state, "none/file");
    struct err e = {0};

    assert_int_equal(path_mkdirs(folder, &e), 0);
    assert_true(path_write(folder, "x", 1, &e) < 0); /* a folder cannot be replaced by a file */
    assert_non_null(strstr(e.text, folder));
    assert_int_equal(path_write(below, "x", 1, &e), -ENOENT);
    entries = 0;
    nftw(*state, count_one, 16, FTW_PHYS);
    assert_int_equal(entries, 0);
    free(folder);
    free(below);
}

static void folders_are_made_all_the_way_down(void **state)
{
    char *deep = in(*state, "a/b//c/"), *file = in(*state, "file"), *below = in(*state, "file/x");
    struct err e = {0};
    struct stat st;

    assert_int_equal(path_mkdirs(deep, &e), 0);
    assert_int_equal(path_mkdirs(deep, &e), 0);
    assert_int_equal(stat(deep, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(path_mkdirs("/", &e), 0);

    assert_int_equal(path_write(file, "", 0, &e), 0);
    assert_int_equal(path_mkdirs(file, &e), -ENOTDIR);
    assert_non_null(strstr(e.text, file));
    assert_int_equal(path_mkdirs(below, &e), -ENOTDIR);
    assert_int_equal(path_mkdirs("", &e), -ENOENT);
    free(deep);
    free(file);
    free(below);
}

static void a_link_to_a_folder_is_a_folder(void **state)
{
    char *real = in(*state, "real"), *link = in(*state, "link"), *below = in(*state, "link/x");
    struct err e = {0};

    assert_int_equal(path_mkdirs(real, &e), 0);
    assert_int_equal(symlink(real, link), 0);
    assert_int_equal(path_mkdirs(link, &e), 0);
    assert_int_equal(path_mkdirs(below, &e), 0);
    free(real);
    free(link);
    free(below);
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, new_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(base_folders_follow_the_environment),
        cmocka_unit_test(without_a_home_in_the_environment_it_is_the_users_own),
        WITH_FOLDER(what_is_written_is_read_back),
        WITH_FOLDER(a_file_that_is_too_large_is_refused),
        WITH_FOLDER(what_is_no_regular_file_is_refused_at_once),
        WITH_FOLDER(a_write_that_fails_leaves_nothing_behind),
        WITH_FOLDER(folders_are_made_all_the_way_down),
        WITH_FOLDER(a_link_to_a_folder_is_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
