/* listen: what waits for a thread that does not keep up has an end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake/scratch.h"
#include "fake/silero.h"
#include "local/listen.h"
#include "util/buf.h"

#define SECOND 16000
#define MORE   1000 /* seconds, given at once: a detector is never as quick as a copy */

struct room {
    uv_loop_t loop;
    struct listen *listen;
    struct scratch dir;
    int16_t second[SECOND];
};

static void ignore(void *user, const struct listen_event *ev)
{
    (void)user;
    (void)ev;
}

static void put_weights(struct scratch *dir)
{
    float *weights = calloc(SILERO_FLOATS, sizeof(float));
    struct buf file = BUF_INIT;

    assert_non_null(weights);
    silero_loud(weights);
    silero_file(&file, silero_tensors, SILERO_TENSORS, weights);
    scratch_put(dir, "vad.onnx", file.data, file.len);
    buf_free(&file);
    free(weights);
}

static int open_room(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    struct listen_config config = {
        .detect = true, .turn = {0.5F, 0.35F, 64, 600, 300}, .event = ignore};
    struct err e = {0};

    assert_non_null(r);
    scratch_new(&r->dir);
    put_weights(&r->dir);
    assert_int_equal(uv_loop_init(&r->loop), 0);
    config.loop = &r->loop;
    config.weights = scratch_path(&r->dir, "vad.onnx");
    assert_int_equal(listen_open(&r->listen, &config, &e), 0);
    *state = r;
    return 0;
}

static int close_room(void **state)
{
    struct room *r = *state;

    listen_close(r->listen);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&r->loop), 0);
    scratch_free(&r->dir);
    free(r);
    return 0;
}

static void audio_that_it_cannot_keep_up_with_is_refused(void **state)
{
    struct room *r = *state;
    int rc = 0, taken = 0;

    while (taken < MORE && (rc = listen_append(r->listen, r->second, SECOND)) == 0)
        taken++;
    assert_int_equal(rc, -EAGAIN);
    assert_true(taken >= (int)(LISTEN_WAITING_MAX / SECOND));
    assert_true(listen_waiting(r->listen) <= LISTEN_WAITING_MAX);
    assert_int_equal(listen_append(r->listen, r->second, 0), 0);
}

static void a_piece_beyond_all_bounds_is_refused(void **state)
{
    struct room *r = *state;

    assert_int_equal(listen_append(r->listen, r->second, LISTEN_WAITING_MAX + 1), -EAGAIN);
    assert_int_equal(listen_append(r->listen, r->second, SIZE_MAX), -EAGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(audio_that_it_cannot_keep_up_with_is_refused, open_room,
                                        close_room),
        cmocka_unit_test_setup_teardown(a_piece_beyond_all_bounds_is_refused, open_room,
                                        close_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
