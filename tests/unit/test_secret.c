/* Keys: their sources, what is refused, and that nothing of them is told. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf/secret.h"
#include "fake/scratch.h"
#include "util/clock.h"

#define KEY "sk-proj-0123456789_abc"

static int command(struct secret **s, const char *line, int ms, struct err *e)
{
    return secret_from_command(s, line, ms, "endpoint 'x'", e);
}

static void assert_refused(int rc, const struct secret *s, const struct err *e, const char *about)
{
    assert_true(rc < 0);
    assert_null(s);
    assert_int_equal(e->status, STATUS_AUTH);
    assert_ptr_equal(strstr(e->text, "endpoint 'x': "), e->text);
    if (strstr(e->text, about) == NULL || strstr(e->text, "sk-") != NULL)
        fail_msg("%s", e->text);
}

static void a_variable_is_read_and_then_forgotten(void **state)
{
    struct secret *s;
    struct err e = {0};
    char value[] = "A_KEY=" KEY;
    int rc;
    (void)state;

    unsetenv("A_KEY");
    rc = secret_from_env(&s, "A_KEY", "endpoint 'x'", &e);
    assert_int_equal(rc, -ENOENT);
    assert_refused(rc, s, &e, "'A_KEY'");
    setenv("A_KEY", " " KEY " \r", 1);
    assert_int_equal(secret_from_env(&s, "A_KEY", "endpoint 'x'", &e), 0);
    assert_string_equal(secret_text(s), KEY);
    secret_forget_env("A_KEY");
    assert_null(getenv("A_KEY"));
    assert_string_equal(secret_text(s), KEY);
    secret_free(s);
    assert_int_equal(putenv(value), 0); /* the environment has this very memory */
    assert_int_equal(secret_from_env(&s, "A_KEY", "endpoint 'x'", &e), 0);
    secret_forget_env("A_KEY");
    assert_null(getenv("A_KEY"));
    assert_string_equal(value, "A_KEY=");
    assert_string_equal(secret_text(s), KEY);
    secret_free(s);
    secret_forget_env("A_KEY");
    secret_free(NULL);
}

static void what_cannot_be_a_header_is_no_key(void **state)
{
    static const char *const bad[] = {"sk-a b", "sk-a\x7f", "sk-a\x01", "sk-\xc3\xa9", "sk-a\tb"};
    struct secret *s;
    struct err e = {0};
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("A_KEY", bad[i], 1);
        int rc = secret_from_env(&s, "A_KEY", "endpoint 'x'", &e);
        assert_refused(rc, s, &e, "'A_KEY'");
    }
    setenv("A_KEY", " \t", 1);
    int rc = secret_from_env(&s, "A_KEY", "endpoint 'x'", &e);
    assert_refused(rc, s, &e, "no key");
    unsetenv("A_KEY");
}

static void a_command_prints_it(void **state)
{
    struct secret *s;
    struct err e = {0};
    (void)state;

    assert_int_equal(command(&s, "echo '" KEY "'; echo second line", 5000, &e), 0);
    assert_string_equal(secret_text(s), KEY);
    secret_free(s);
    assert_int_equal(command(&s, "printf %s " KEY, 5000, &e), 0);
    assert_string_equal(secret_text(s), KEY);
    secret_free(s);
    /* Nothing of the microphone's pipe is eaten: its standard input is empty. */
    assert_int_equal(command(&s, "cat; echo " KEY, 5000, &e), 0);
    secret_free(s);
}

static void a_command_that_fails_says_how(void **state)
{
    struct secret *s;
    struct err e = {0};
    int rc;
    (void)state;

    rc = command(&s, "echo " KEY "; exit 3", 5000, &e);
    assert_refused(rc, s, &e, "status 3");
    rc = command(&s, "echo " KEY "; kill -9 $$", 5000, &e);
    assert_refused(rc, s, &e, "signal 9");
    rc = command(&s, "true", 5000, &e);
    assert_refused(rc, s, &e, "no key");
    rc = command(&s, "echo; echo " KEY, 5000, &e);
    assert_refused(rc, s, &e, "no key");
    rc = command(&s, "/nowhere/program 2>/dev/null", 5000, &e);
    assert_refused(rc, s, &e, "status 127");
    rc = command(&s, "yes sk-", 5000, &e);
    assert_refused(rc, s, &e, "8192");
}

static void a_command_that_hangs_is_ended(void **state)
{
    static const char *const hangs[] = {"echo " KEY "; exec sleep 100", "exec sleep 100",
                                        "echo " KEY "; exec >&-; exec sleep 100"};
    struct secret *s;
    struct err e = {0};
    int64_t began_ns = clock_ns();
    (void)state;

    for (size_t i = 0; i < sizeof hangs / sizeof *hangs; i++) {
        int rc = command(&s, hangs[i], 200, &e);
        assert_refused(rc, s, &e, "longer than");
        assert_int_equal(rc, -ETIMEDOUT);
    }
    assert_true(clock_ms_since(began_ns) < 60000);
}

static void a_file_must_be_the_users_alone(void **state)
{
    struct scratch d;
    struct secret *s;
    struct err e = {0};
    char file[512];
    int rc;
    (void)state;

    scratch_new(&d);
    scratch_put(&d, "key", KEY "\nmore\n", strlen(KEY) + 6);
    snprintf(file, sizeof file, "%s", scratch_path(&d, "key"));
    assert_int_equal(chmod(file, 0600), 0);
    assert_int_equal(secret_from_file(&s, file, "endpoint 'x'", &e), 0);
    assert_string_equal(secret_text(s), KEY);
    secret_free(s);
    assert_int_equal(chmod(file, 0400), 0);
    assert_int_equal(secret_from_file(&s, file, "endpoint 'x'", &e), 0);
    secret_free(s);
    for (mode_t bit = 1; bit <= 040; bit *= 2) {
        assert_int_equal(chmod(file, 0600 | bit), 0);
        rc = secret_from_file(&s, file, "endpoint 'x'", &e);
        assert_refused(rc, s, &e, "chmod 600");
    }
    if (getuid() == 0) {
        assert_int_equal(chmod(file, 0600), 0);
        assert_int_equal(chown(file, 12345, 12345), 0);
        rc = secret_from_file(&s, file, "endpoint 'x'", &e);
        assert_refused(rc, s, &e, "somebody else");
    }
    scratch_free(&d);
}

static void what_is_no_file_is_refused(void **state)
{
    struct scratch d;
    struct secret *s;
    struct err e = {0};
    char fifo[512];
    int rc;
    (void)state;

    scratch_new(&d);
    rc = secret_from_file(&s, d.dir, "endpoint 'x'", &e);
    assert_refused(rc, s, &e, "regular");
    rc = secret_from_file(&s, scratch_path(&d, "none"), "endpoint 'x'", &e);
    assert_refused(rc, s, &e, "none'");
    snprintf(fifo, sizeof fifo, "%s", scratch_path(&d, "fifo"));
    assert_int_equal(mkfifo(fifo, 0600), 0);
    rc = secret_from_file(&s, fifo, "endpoint 'x'", &e); /* nobody writes: it does not wait */
    assert_refused(rc, s, &e, "regular");
    scratch_put(&d, "empty", "", 0);
    assert_int_equal(chmod(scratch_path(&d, "empty"), 0600), 0);
    rc = secret_from_file(&s, d.path, "endpoint 'x'", &e);
    assert_refused(rc, s, &e, "no key");
    scratch_free(&d);
}

static void a_process_with_a_key_leaves_no_core(void **state)
{
    struct secret *s;
    struct rlimit limit;
    (void)state;

    setenv("A_KEY", KEY, 1);
    assert_int_equal(secret_from_env(&s, "A_KEY", "x", NULL), 0);
    unsetenv("A_KEY");
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 0);
    secret_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_is_read_and_then_forgotten),
        cmocka_unit_test(what_cannot_be_a_header_is_no_key),
        cmocka_unit_test(a_command_prints_it),
        cmocka_unit_test(a_command_that_fails_says_how),
        cmocka_unit_test(a_command_that_hangs_is_ended),
        cmocka_unit_test(a_file_must_be_the_users_alone),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(a_process_with_a_key_leaves_no_core),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
