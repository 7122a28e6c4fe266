/* quiet: what a library prints is kept off the screen, and what others print is not. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/quiet.h"
#include "fake/scratch.h"

/* A screen to look at, and a log. */
struct rig {
    FILE *screen;
    struct log log;
    int saved;
};

static void rig_open(struct rig *r)
{
    r->screen = tmpfile();
    r->log = (struct log){.level = LOG_DEBUG, .to = tmpfile()};
    assert_non_null(r->screen);
    assert_non_null(r->log.to);
    r->saved = scratch_redirect(STDERR_FILENO, dup(fileno(r->screen)));
}

static void text_of(FILE *f, char *text, size_t size)
{
    rewind(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void rig_close(struct rig *r, char screen[512], char log[512])
{
    scratch_restore(STDERR_FILENO, r->saved);
    text_of(r->screen, screen, 512);
    text_of(r->log.to, log, 512);
}

static void on_the_main_thread_all_that_is_printed_goes_to_the_log(void **state)
{
    struct rig r;
    struct quiet q;
    char screen[512], logged[512];
    ssize_t n;

    (void)state;
    rig_open(&r);
    quiet_begin(&q);
    fprintf(stderr, "ALSA lib: %s\n", "noise");
    n = write(STDERR_FILENO, "direct\n", 7);
    fprintf(stderr, "hullo: a line of ours\n");
    quiet_end(&q, &r.log);
    fprintf(stderr, "after\n");
    rig_close(&r, screen, logged);
    assert_int_equal(n, 7);
    assert_string_equal(screen, "hullo: a line of ours\nafter\n");
    assert_non_null(strstr(logged, "ALSA lib: noise"));
    assert_non_null(strstr(logged, "direct"));
}

struct helper {
    struct rig *rig;
    pthread_barrier_t inside, leave;
};

static void *help(void *user)
{
    struct helper *h = user;
    struct quiet q;

    quiet_begin(&q);
    fprintf(stderr, "Cannot connect to %s\n", "server socket");
    pthread_barrier_wait(&h->inside);
    pthread_barrier_wait(&h->leave);
    quiet_end(&q, &h->rig->log);
    return NULL;
}

static void on_another_thread_the_screen_stays_where_it_is(void **state)
{
    struct rig r;
    struct helper h = {.rig = &r};
    char screen[512], logged[512];
    pthread_t t;
    ssize_t n;

    (void)state;
#ifndef __GLIBC__
    skip();
#endif
    rig_open(&r);
    pthread_barrier_init(&h.inside, NULL, 2);
    pthread_barrier_init(&h.leave, NULL, 2);
    assert_int_equal(pthread_create(&t, NULL, help, &h), 0);
    pthread_barrier_wait(&h.inside);
    fprintf(stderr, "the transcript\n");
    n = write(STDERR_FILENO, "a prompt\n", 9);
    pthread_barrier_wait(&h.leave);
    pthread_join(t, NULL);
    fprintf(stderr, "after\n");
    rig_close(&r, screen, logged);
    assert_int_equal(n, 9);
    assert_string_equal(screen, "the transcript\na prompt\nafter\n");
    assert_non_null(strstr(logged, "Cannot connect to server socket"));
    assert_null(strstr(logged, "transcript"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_main_thread_all_that_is_printed_goes_to_the_log),
        cmocka_unit_test(on_another_thread_the_screen_stays_where_it_is),
    };

    return cmocka_run_group_tests_name("quiet", tests, NULL, NULL);
}
