/* mic: what becomes of the microphone when the backend takes no more. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/mic.h"
#include "util/log.h"

#define PIECE 160
#define MS    (int64_t)1000000

struct full {
    struct backend base;
    int64_t answer; /* to append */
};

static int64_t on_append(struct backend *b, const int16_t *x, size_t n)
{
    (void)x;
    (void)n;
    return ((struct full *)b)->answer;
}

static const struct backend_ops ops = {.append = on_append};

struct stage {
    struct full backend;
    struct log log;
    struct mic mic;
    char *said;
    size_t length;
    int64_t now;
};

static int set_up(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    assert_non_null(st);
    st->backend.base.ops = &ops;
    st->log = (struct log){LOG_WARN, open_memstream(&st->said, &st->length)};
    assert_non_null(st->log.to);
    assert_int_equal(mic_init(&st->mic, &st->log), 0);
    st->mic.backend = &st->backend.base;
    st->now = 1000 * MS;
    *state = st;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *st = *state;

    mic_free(&st->mic);
    fclose(st->log.to);
    free(st->said);
    free(st);
    return 0;
}

static void hear(struct stage *st, int64_t answer, int pieces)
{
    static const int16_t x[PIECE];

    st->backend.answer = answer;
    for (int i = 0; i < pieces; i++, st->now += 10 * MS)
        mic_push(&st->mic, x, PIECE, st->now);
}

static size_t lines(struct stage *st)
{
    size_t n = 0;

    fflush(st->log.to);
    for (size_t i = 0; i < st->length; i++)
        n += st->said[i] == '\n';
    return n;
}

static void a_loss_is_told_once_until_it_is_caught_up(void **state)
{
    struct stage *st = *state;

    hear(st, 0, 10);
    assert_int_equal(lines(st), 0);
    for (int i = 0; i < 5; i++) {
        hear(st, -EAGAIN, 10);
        hear(st, 1000000, 1); /* a place is free, and taken at once */
    }
    assert_int_equal(lines(st), 1);
    hear(st, 0, 1);
    hear(st, -EAGAIN, 10);
    assert_int_equal(lines(st), 2);
    assert_non_null(strstr(st->said, "listening does not keep up"));
}

static void what_was_refused_does_not_shift_the_times_of_what_follows(void **state)
{
    struct stage *st = *state;
    int64_t later;

    hear(st, 0, 10);
    hear(st, -EAGAIN, 30);
    later = st->now;
    hear(st, 0, 10);
    assert_int_equal(mic_time(&st->mic, (uint64_t)10 * PIECE), later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_loss_is_told_once_until_it_is_caught_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_refused_does_not_shift_the_times_of_what_follows,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
