/* Members of archives: exactly as long as promised, or refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "fake/scratch.h"
#include "models/tree.h"
#include "models/unpack.h"

static void add(struct archive *a, const char *name, mode_t type, const char *text)
{
    struct archive_entry *entry = archive_entry_new();

    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)strlen(text));
    if (type == AE_IFLNK)
        archive_entry_set_symlink(entry, "/etc/passwd");
    assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
    if (text[0] != '\0')
        assert_int_equal(archive_write_data(a, text, strlen(text)), strlen(text));
    archive_entry_free(entry);
}

static void make_archive(const char *path, bool zip)
{
    struct archive *a = archive_write_new();

    if (zip) {
        archive_write_set_format_zip(a);
    } else {
        archive_write_set_format_pax_restricted(a);
        archive_write_add_filter_gzip(a);
    }
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    add(a, "top/other", AE_IFREG, "no");
    add(a, "top/data/model", AE_IFREG, "the weights");
    add(a, "top/link", AE_IFLNK, "");
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

struct got {
    int rc;
    struct err e;
    char bytes[64];
};

static struct got unpack(struct scratch *s, const char *archive, const char *member, bool skip_top,
                         uint64_t bytes)
{
    struct got g = {.bytes = "before:"};
    char path[600];
    unsigned char *out;
    size_t n;
    int fd;

    scratch_put(s, "out", g.bytes, strlen(g.bytes));
    fd = open(scratch_path(s, "out"), O_WRONLY | O_APPEND);
    assert_true(fd >= 0);
    snprintf(path, sizeof path, "%s/%s", s->dir, archive);
    g.rc = unpack_member(path, member, skip_top, bytes, fd, NULL, &g.e);
    close(fd);
    out = scratch_get(s, "out", &n);
    assert_true(n < sizeof g.bytes);
    memcpy(g.bytes, out, n);
    g.bytes[n] = '\0';
    free(out);
    return g;
}

static void a_member_is_appended(void **state)
{
    struct scratch s;

    (void)state;
    scratch_new(&s);
    make_archive(scratch_path(&s, "a.zip"), true);
    make_archive(scratch_path(&s, "a.tar.gz"), false);
    assert_string_equal(unpack(&s, "a.zip", "top/data/model", false, 11).bytes,
                        "before:the weights");
    assert_string_equal(unpack(&s, "a.tar.gz", "data/model", true, 11).bytes, "before:the weights");
    scratch_free(&s);
}

static void a_member_of_another_size_or_kind_is_refused(void **state)
{
    struct scratch s;

    (void)state;
    scratch_new(&s);
    make_archive(scratch_path(&s, "a.zip"), true);
    assert_int_equal(unpack(&s, "a.zip", "top/data/model", false, 10).rc, -EBADMSG);
    assert_int_equal(unpack(&s, "a.zip", "top/data/model", false, 12).rc, -EBADMSG);
    assert_int_equal(unpack(&s, "a.zip", "top/link", false, 11).rc, -EBADMSG);
    assert_int_equal(unpack(&s, "a.zip", "data/model", false, 11).rc, -ENOENT);
    assert_string_equal(unpack(&s, "a.zip", "top/data/model", false, 10).bytes, "before:");
    scratch_free(&s);
}

static void what_is_no_archive_is_refused(void **state)
{
    struct scratch s;
    struct got g;

    (void)state;
    scratch_new(&s);
    scratch_put(&s, "text", "hello", 5);
    scratch_put(&s, "empty", "", 0);
    g = unpack(&s, "text", "hello", false, 5);
    assert_int_equal(g.rc, -EBADMSG);
    assert_non_null(strstr(g.e.text, "cannot unpack"));
    assert_true(unpack(&s, "empty", "hello", false, 5).rc < 0);
    assert_true(unpack(&s, "absent", "hello", false, 5).rc < 0);
    scratch_free(&s);
}

/* However much of an archive is there, a member comes whole or with an error. */
static void a_cut_archive_never_passes_for_whole(void **state)
{
    struct scratch s;
    unsigned char *bytes;
    size_t size;

    (void)state;
    scratch_new(&s);
    for (int zip = 0; zip < 2; zip++) {
        make_archive(scratch_path(&s, "whole"), zip);
        bytes = scratch_get(&s, "whole", &size);
        for (size_t n = 0; n < size; n++) {
            struct got g;
            scratch_put(&s, "cut", bytes, n);
            g = unpack(&s, "cut", "top/data/model", false, 11);
            assert_true(g.rc < 0 || strcmp(g.bytes, "before:the weights") == 0);
        }
        free(bytes);
    }
    scratch_free(&s);
}

static void a_folder_stands_for_an_archive(void **state)
{
    struct scratch s;
    char path[600];

    (void)state;
    scratch_new(&s);
    snprintf(path, sizeof path, "%s/tree", s.dir);
    assert_int_equal(mkdir(path, 0755), 0);
    scratch_put(&s, "tree/model", "the weights", 11);
    snprintf(path, sizeof path, "%s/tree/link", s.dir);
    assert_int_equal(symlink("model", path), 0);
    assert_string_equal(unpack(&s, "tree", "model", true, 11).bytes, "before:the weights");
    assert_int_equal(unpack(&s, "tree", "model", true, 12).rc, -EBADMSG);
    assert_true(unpack(&s, "tree", "link", true, 11).rc < 0);
    assert_int_equal(unpack(&s, "tree", "absent", true, 11).rc, -ENOENT);
    snprintf(path, sizeof path, "%s/tree", s.dir);
    assert_int_equal(tree_bytes(path, 0), 11);
    assert_int_equal(tree_remove(path), 0);
    assert_int_equal(tree_remove(path), 0);
    scratch_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_appended),
        cmocka_unit_test(a_member_of_another_size_or_kind_is_refused),
        cmocka_unit_test(what_is_no_archive_is_refused),
        cmocka_unit_test(a_cut_archive_never_passes_for_whole),
        cmocka_unit_test(a_folder_stands_for_an_archive),
    };

    return cmocka_run_group_tests_name("models_unpack", tests, NULL, NULL);
}
