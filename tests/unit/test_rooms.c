/* rooms: what was learnt about devices comes back as it was, and nothing else does. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <math.h>
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

#include "audio/rooms.h"
#include "fake/scratch.h"
#include "util/buf.h"
#include "util/json.h"

#define MIC  "USB Audio: Microphone (hw:1,0)"
#define BOX  "Built-in \"Audio\" / Lautsprecher \xc3\xbc"
#define GOOD "\"delay_ms\":40,\"drift_ppm\":0,\"quality\":9,\"measured\":1"

static struct scratch scratch;
static struct nearend_memory learnt, got;

static int setup(void **state)
{
    (void)state;
    scratch_new(&scratch);
    memset(&learnt, 0, sizeof learnt);
    memset(&got, 0x55, sizeof got);
    learnt.align = (struct align_state){
        .known = true, .delay_ms = 123.4567, .drift_ppm = -48.125, .quality = 31.5, .measured = 7};
    learnt.n = NEAREND_RESPONSE;
    for (size_t i = 0; i < learnt.n; i++)
        learnt.response[i] = sinf((float)i) * expf(-(float)i / 400);
    return 0;
}

static int remove_one(const char *file, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(file);
}

static int teardown(void **state)
{
    (void)state;
    nftw(scratch_path(&scratch, "state"), remove_one, 8, FTW_DEPTH | FTW_PHYS);
    scratch_free(&scratch);
    return 0;
}

/* The folder of rooms.h, made by it, inside of the scratch folder. */
static const char *folder(void)
{
    return scratch_path(&scratch, "state/rooms");
}

static int save(const char *input, const char *output)
{
    struct err e = {0};
    int rc = rooms_save(&learnt, folder(), input, output, &e);

    assert_int_equal(rc < 0, e.text[0] != '\0');
    return rc;
}

static int load(const char *input, const char *output)
{
    return rooms_load(&got, folder(), input, output);
}

/* The name of the one file in the folder, and how many there are. */
static size_t files(char *name, size_t size)
{
    DIR *dir = opendir(folder());
    struct dirent *d;
    size_t count = 0;

    assert_non_null(dir);
    while ((d = readdir(dir)) != NULL) {
        if (d->d_name[0] == '.')
            continue;
        snprintf(name, size, "state/rooms/%s", d->d_name);
        count++;
    }
    closedir(dir);
    return count;
}

/* Puts these bytes in the place of the file and loads it; what is not taken leaves nothing. */
static int load_bytes(const void *bytes, size_t n)
{
    char name[512];
    int rc;

    assert_int_equal(save(MIC, BOX), 0);
    assert_int_equal(files(name, sizeof name), 1);
    scratch_put(&scratch, name, bytes, n);
    memset(&got, 0x55, sizeof got);
    rc = load(MIC, BOX);
    if (rc != 0) {
        assert_int_equal(rc, -ENOENT);
        assert_false(got.align.known);
        assert_int_equal(got.n, 0);
    }
    return rc;
}

/* A file with these members. */
static int load_members(const char *v, const char *members)
{
    struct buf b = BUF_INIT;
    int rc;

    buf_addf(&b, "{\"v\":%s,\"input\":", v);
    json_quote(&b, MIC);
    buf_adds(&b, ",\"output\":");
    json_quote(&b, BOX);
    buf_addf(&b, ",%s}", members);
    rc = load_bytes(buf_str(&b), b.len);
    buf_free(&b);
    return rc;
}

static void what_was_learnt_comes_back(void **state)
{
    (void)state;
    assert_int_equal(save(MIC, BOX), 0);
    assert_int_equal(load(MIC, BOX), 0);
    assert_true(got.align.known);
    assert_true(fabs(got.align.delay_ms - 123.4567) <= 1e-4);
    assert_true(fabs(got.align.drift_ppm - -48.125) <= 1e-3);
    assert_true(fabs(got.align.quality - 31.5) <= 1e-2);
    assert_int_equal(got.align.measured, 7);
    assert_int_equal(got.n, NEAREND_RESPONSE);
    for (size_t i = 0; i < got.n; i++)
        assert_float_equal(got.response[i], learnt.response[i], 2e-7);
}

static void a_delay_alone_is_worth_keeping(void **state)
{
    (void)state;
    learnt.n = 0;
    assert_int_equal(save(MIC, BOX), 0);
    assert_int_equal(load(MIC, BOX), 0);
    assert_true(got.align.known);
    assert_int_equal(got.n, 0);
}

static void each_pair_has_a_file_of_its_own(void **state)
{
    char name[512];

    (void)state;
    assert_int_equal(save(MIC, BOX), 0);
    learnt.align.delay_ms = 7;
    assert_int_equal(save(BOX, MIC), 0);
    learnt.align.delay_ms = 8; /* the names do not just stand one after the other */
    assert_int_equal(save("ab", "c"), 0);
    learnt.align.delay_ms = 9;
    assert_int_equal(save("a", "bc"), 0);
    assert_int_equal(files(name, sizeof name), 4);
    assert_int_equal(load(MIC, BOX), 0);
    assert_true(fabs(got.align.delay_ms - 123.4567) <= 1e-4);
    assert_int_equal(load(BOX, MIC), 0);
    assert_true(fabs(got.align.delay_ms - 7) <= 1e-4);
    assert_int_equal(load("ab", "c"), 0);
    assert_true(fabs(got.align.delay_ms - 8) <= 1e-4);
}

static void the_latest_counts(void **state)
{
    char name[512];

    (void)state;
    assert_int_equal(save(MIC, BOX), 0);
    learnt.align.delay_ms = 55;
    assert_int_equal(save(MIC, BOX), 0);
    assert_int_equal(files(name, sizeof name), 1);
    assert_int_equal(load(MIC, BOX), 0);
    assert_true(fabs(got.align.delay_ms - 55) <= 1e-4);
}

static void of_unknown_devices_nothing_is_known(void **state)
{
    (void)state;
    assert_int_equal(load(MIC, BOX), -ENOENT);
    assert_int_equal(save(MIC, BOX), 0);
    assert_int_equal(load(MIC, MIC), -ENOENT);
    assert_false(got.align.known);
    assert_int_equal(got.n, 0);
}

static void a_file_of_other_devices_is_not_used(void **state)
{
    static const char *const others[][2] = {{MIC, MIC}, {BOX, BOX}};
    char own[512], other[512], to[512];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(save(MIC, BOX), 0);
        assert_int_equal(files(own, sizeof own), 1);
        snprintf(to, sizeof to, "%s", scratch_path(&scratch, own));
        assert_int_equal(unlink(to), 0);
        assert_int_equal(save(others[i][0], others[i][1]), 0);
        assert_int_equal(files(other, sizeof other), 1);
        assert_string_not_equal(own, other);
        assert_int_equal(rename(scratch_path(&scratch, other), to), 0);
        assert_int_equal(load(MIC, BOX), -ENOENT);
    }
}

static void names_may_hold_anything(void **state)
{
    static const char odd[] = "../../\x1b[2J\"evil\"\n\xff/%s";

    (void)state;
    assert_int_equal(save(odd, ""), 0);
    assert_int_equal(load(odd, ""), 0);
    assert_int_equal(load("", odd), -ENOENT);
}

static void folder_and_file_are_the_users_alone(void **state)
{
    char name[512];
    struct stat st;

    (void)state;
    umask(0);
    assert_int_equal(save(MIC, BOX), 0);
    assert_int_equal(files(name, sizeof name), 1);
    assert_int_equal(stat(scratch_path(&scratch, name), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(folder(), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void a_folder_that_cannot_be_made_is_an_error_with_a_message(void **state)
{
    (void)state;
    scratch_put(&scratch, "state", "x", 1);
    assert_int_equal(save(MIC, BOX), -ENOTDIR);
    assert_int_equal(load(MIC, BOX), -ENOENT);
}

static void what_was_not_measured_is_not_kept(void **state)
{
    struct nearend_memory sound = learnt;
    int i = 0;

    (void)state;
    for (;; learnt = sound, i++) {
        switch (i) {
        case 0:
            learnt.align.known = false;
            break;
        case 1:
            learnt.align.delay_ms = NAN;
            break;
        case 2:
            learnt.align.delay_ms = ALIGN_TO_MS + 1;
            break;
        case 3:
            learnt.align.drift_ppm = -INFINITY;
            break;
        case 4:
            learnt.align.quality = NAN;
            break;
        case 5:
            learnt.n = NEAREND_RESPONSE + 1;
            break;
        case 6:
            learnt.response[NEAREND_RESPONSE - 1] = NAN;
            break;
        case 7:
            learnt.align.measured = -1;
            break;
        default:
            return;
        }
        assert_int_equal(save(MIC, BOX), -EINVAL);
        assert_int_equal(load(MIC, BOX), -ENOENT);
    }
}

static void a_damaged_file_is_as_if_there_were_none(void **state)
{
    static const char *const bad[] = {
        "", " ", "{", "[]", "null", "1", "{}", "\"v\"", "{\"v\":1}", "{\"v\":1}{\"v\":1}",
    };
    char name[512];
    unsigned char *whole;
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(load_bytes(bad[i], strlen(bad[i])), -ENOENT);
    assert_int_equal(save(MIC, BOX), 0);
    assert_int_equal(files(name, sizeof name), 1);
    whole = scratch_get(&scratch, name, &n);
    for (size_t cut = 1; cut < n; cut += 997)
        assert_int_equal(load_bytes(whole, n - cut), -ENOENT);
    assert_int_equal(load_bytes(whole, n), 0);
    free(whole);
}

static void each_value_is_checked(void **state)
{
    static const char *const bad[] = {
        "\"response\":[]",
        GOOD,
        GOOD ",\"response\":{}",
        GOOD ",\"response\":\"1,2\"",
        GOOD ",\"response\":[1,\"2\"]",
        GOOD ",\"response\":[1,null]",
        GOOD ",\"response\":[1,[2]]",
        GOOD ",\"response\":[1e999]",
        GOOD ",\"response\":[1001]",
        GOOD ",\"response\":[-1001]",
        "\"delay_ms\":-51,\"drift_ppm\":0,\"quality\":9,\"measured\":1,\"response\":[]",
        "\"delay_ms\":551,\"drift_ppm\":0,\"quality\":9,\"measured\":1,\"response\":[]",
        "\"delay_ms\":\"40\",\"drift_ppm\":0,\"quality\":9,\"measured\":1,\"response\":[]",
        "\"delay_ms\":1e999,\"drift_ppm\":0,\"quality\":9,\"measured\":1,\"response\":[]",
        "\"delay_ms\":40,\"drift_ppm\":251,\"quality\":9,\"measured\":1,\"response\":[]",
        "\"delay_ms\":40,\"drift_ppm\":-251,\"quality\":9,\"measured\":1,\"response\":[]",
        "\"delay_ms\":40,\"drift_ppm\":null,\"quality\":9,\"measured\":1,\"response\":[]",
        "\"delay_ms\":40,\"drift_ppm\":0,\"quality\":-1,\"measured\":1,\"response\":[]",
        "\"delay_ms\":40,\"drift_ppm\":0,\"quality\":9,\"measured\":-1,\"response\":[]",
        "\"delay_ms\":40,\"drift_ppm\":0,\"quality\":9,\"measured\":1.5,\"response\":[]",
        "\"delay_ms\":40,\"drift_ppm\":0,\"quality\":9,\"measured\":1e300,\"response\":[]",
    };

    (void)state;
    assert_int_equal(load_members("1", GOOD ",\"response\":[1000,-1000,0.5,-0,1e-7]"), 0);
    assert_int_equal(got.n, 5);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (load_members("1", bad[i]) == 0)
            fail_msg("taken: %s", bad[i]);
}

static void a_file_of_another_version_is_not_used(void **state)
{
    (void)state;
    assert_int_equal(load_members("1", GOOD ",\"response\":[]"), 0);
    assert_int_equal(load_members("2", GOOD ",\"response\":[]"), -ENOENT);
    assert_int_equal(load_members("\"1\"", GOOD ",\"response\":[]"), -ENOENT);
}

static void a_response_longer_than_there_is_room_for_is_refused(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    buf_adds(&b, GOOD ",\"response\":[0");
    for (int i = 1; i < NEAREND_RESPONSE; i++)
        buf_adds(&b, ",0");
    buf_adds(&b, "]");
    assert_int_equal(load_members("1", buf_str(&b)), 0);
    assert_int_equal(got.n, NEAREND_RESPONSE);
    b.len--;
    b.data[b.len] = '\0';
    buf_adds(&b, ",0]");
    assert_int_equal(load_members("1", buf_str(&b)), -ENOENT);
    buf_free(&b);
}

static void a_huge_file_is_refused(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    buf_adds(&b, GOOD ",\"response\":[]");
    assert_int_equal(load_members("1", buf_str(&b)), 0);
    for (int i = 0; i < 300 << 10; i++)
        buf_adds(&b, " ");
    assert_int_equal(load_members("1", buf_str(&b)), -ENOENT);
    buf_free(&b);
}

static void a_folder_in_the_place_of_the_file_is_no_file(void **state)
{
    char name[512], path[512];

    (void)state;
    assert_int_equal(save(MIC, BOX), 0);
    assert_int_equal(files(name, sizeof name), 1);
    snprintf(path, sizeof path, "%s", scratch_path(&scratch, name));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(load(MIC, BOX), -ENOENT);
    assert_true(save(MIC, BOX) < 0);
    assert_int_equal(files(name, sizeof name), 1); /* and nothing is left beside it */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_learnt_comes_back),
        TEST(a_delay_alone_is_worth_keeping),
        TEST(each_pair_has_a_file_of_its_own),
        TEST(the_latest_counts),
        TEST(of_unknown_devices_nothing_is_known),
        TEST(a_file_of_other_devices_is_not_used),
        TEST(names_may_hold_anything),
        TEST(folder_and_file_are_the_users_alone),
        TEST(a_folder_that_cannot_be_made_is_an_error_with_a_message),
        TEST(what_was_not_measured_is_not_kept),
        TEST(a_damaged_file_is_as_if_there_were_none),
        TEST(each_value_is_checked),
        TEST(a_file_of_another_version_is_not_used),
        TEST(a_response_longer_than_there_is_room_for_is_refused),
        TEST(a_huge_file_is_refused),
        TEST(a_folder_in_the_place_of_the_file_is_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
