/* stuck: a thread that repeats PortAudio's error for ever is ended, and nothing else is touched. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/stuck.h"
#include "fake/scratch.h"

static void cleaned(void *user)
{
    *(int *)user += 1;
}

/* As PortAudio does it. */
static void *error_loop(void *user)
{
    pthread_cleanup_push(cleaned, user);
    for (;;) {
        fprintf(stderr, "Expression 'ready' failed in '%s', line: %d\n", "pa_linux_alsa.c", 3958);
        fflush(stderr);
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static void *a_few_errors(void *user)
{
    for (int i = 0; i < 1000; i++)
        fprintf(stderr, "Expression 'step %d' failed\n", i);
    *(int *)user = 1;
    return NULL;
}

static struct stuck *begin(void)
{
    struct stuck *s;

    stuck_begin(&s);
    if (s == NULL)
        skip();
    return s;
}

/* What was logged at the end of the guard. */
static void end(struct stuck *s, char *text, size_t size)
{
    struct log log = {.level = LOG_DEBUG, .to = tmpfile()};
    size_t n;

    stuck_end(s, &log);
    rewind(log.to);
    n = fread(text, 1, size - 1, log.to);
    text[n] = '\0';
    fclose(log.to);
}

static void an_error_loop_is_ended_and_cleans_up(void **state)
{
    struct stuck *s = begin();
    char text[1024];
    pthread_t t;
    int cleanups = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&t, NULL, error_loop, &cleanups), 0);
        pthread_join(t, NULL);
        assert_int_equal(cleanups, i + 1);
    }
    /* The stream is not left locked. */
    fflush(stderr);
    end(s, text, sizeof text);
    assert_non_null(strstr(text, "was ended"));
    assert_non_null(strstr(text, "'ready'"));
}

static void errors_that_end_by_themselves_are_only_kept_off_the_screen(void **state)
{
    struct stuck *s = begin();
    char text[1024];
    pthread_t t;
    int ran = 0;

    (void)state;
    pthread_create(&t, NULL, a_few_errors, &ran);
    pthread_join(t, NULL);
    end(s, text, sizeof text);
    assert_int_equal(ran, 1);
    assert_non_null(strstr(text, "1000 messages"));
    assert_null(strstr(text, "was ended"));
}

static void the_control_thread_is_never_ended(void **state)
{
    struct stuck *s = begin();
    char text[1024];

    (void)state;
    for (int i = 0; i < 1000; i++)
        fputs("Expression 'same' failed\n", stderr);
    end(s, text, sizeof text);
    assert_non_null(strstr(text, "1000 messages"));
}

static void all_else_is_passed_on(void **state)
{
    FILE *file = tmpfile();
    struct stuck *s;
    char text[1024], line[64] = "";
    int saved;

    (void)state;
    assert_non_null(file);
    s = begin();
    saved = scratch_redirect(STDERR_FILENO, dup(fileno(file)));
    fprintf(stderr, "hullo: %s\n", "kept");
    scratch_restore(STDERR_FILENO, saved);
    end(s, text, sizeof text);
    rewind(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "hullo: kept\n");
    assert_string_equal(text, "");
    fclose(file);
    stuck_end(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_loop_is_ended_and_cleans_up),
        cmocka_unit_test(errors_that_end_by_themselves_are_only_kept_off_the_screen),
        cmocka_unit_test(the_control_thread_is_never_ended),
        cmocka_unit_test(all_else_is_passed_on),
    };

    return cmocka_run_group_tests_name("stuck", tests, NULL, NULL);
}
