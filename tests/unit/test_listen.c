/* listen: what waits for a thread that does not keep up has an end; where speech is cut. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/scratch.h"
#include "fake/silero.h"
#include "local/engine.h"
#include "local/listen.h"
#include "util/buf.h"

#define SECOND 16000
#define MORE   1000 /* seconds, given at once: a detector is never as quick as a copy */

struct room {
    uv_loop_t loop;
    struct listen *listen;
    struct scratch dir;
    int16_t second[SECOND];
    struct buf told; /* "started piece(0.3-1.3) turn " : in seconds */
    size_t longest;  /* samples of a piece */
    bool committed;
};

static void note(void *user, const struct listen_event *ev)
{
    struct room *r = user;

    switch (ev->type) {
    case LISTEN_STARTED:
        buf_adds(&r->told, "started ");
        break;
    case LISTEN_PIECE:
        buf_addf(&r->told, "%s(%.1f-%.1f) ",
                 ev->draft  ? "draft"
                 : ev->part ? "part"
                            : "piece",
                 (double)ev->at / SECOND, (double)ev->until / SECOND);
        r->longest = ev->count > r->longest ? ev->count : r->longest;
        break;
    case LISTEN_RESUMED:
        buf_adds(&r->told, "resumed ");
        break;
    case LISTEN_TURN:
        buf_addf(&r->told, "turn%s ", ev->committed ? "!" : "");
        r->committed |= ev->committed;
        break;
    }
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

static int open_with(void **state, struct listen_config config)
{
    struct room *r = calloc(1, sizeof *r);
    struct err e = {0};

    assert_non_null(r);
    config.turn = (struct turn_config){0.5F, 0.35F, 64, 600, 300};
    config.event = note;
    config.user = r;
    scratch_new(&r->dir);
    put_weights(&r->dir);
    assert_int_equal(uv_loop_init(&r->loop), 0);
    config.loop = &r->loop;
    config.weights = scratch_path(&r->dir, "vad.onnx");
    assert_int_equal(listen_open(&r->listen, &config, &e), 0);
    *state = r;
    return 0;
}

static int open_room(void **state)
{
    return open_with(state, (struct listen_config){.detect = true});
}

static int open_recording(void **state)
{
    return open_with(state, (struct listen_config){.cut = LISTEN_CUT_ALWAYS});
}

static int open_long_recording(void **state)
{
    return open_with(state, (struct listen_config){.detect = false});
}

static int open_live(void **state)
{
    return open_with(
        state, (struct listen_config){.detect = true, .cut = LISTEN_CUT_ALWAYS, .parts = true});
}

static int close_room(void **state)
{
    struct room *r = *state;

    listen_close(r->listen);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&r->loop), 0);
    scratch_free(&r->dir);
    buf_free(&r->told);
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

/* So many milliseconds of a tone (level 0: silence), as fast as it is taken. */
static void hear(struct room *r, int level, int length_ms)
{
    static const int wave[] = {0, 7, 10, 7, 0, -7, -10, -7}; /* 2 kHz, in tenths */

    while (length_ms > 0) {
        size_t n = length_ms < 100 ? (size_t)length_ms * 16 : 1600;
        for (size_t i = 0; i < n; i++)
            r->second[i] = (int16_t)(level * wave[i % 8] / 10);
        assert_int_equal(listen_append(r->listen, r->second, n), 0);
        length_ms -= 100;
    }
}

static void commit(struct room *r)
{
    assert_int_equal(listen_commit(r->listen), 0);
    while (!r->committed)
        uv_run(&r->loop, UV_RUN_ONCE);
}

static void sentences_of_a_recording_are_turns_of_their_own(void **state)
{
    struct room *r = *state;

    hear(r, 0, 500);
    hear(r, 8000, 1500);
    hear(r, 0, 400); /* a breath */
    hear(r, 8000, 3600);
    hear(r, 0, 800);
    hear(r, 8000, 2000);
    hear(r, 0, 800); /* for thought */
    hear(r, 8000, 1000);
    hear(r, 0, 1600);
    hear(r, 8000, 1000);
    commit(r);
    assert_string_equal(buf_str(&r->told), "started piece(0.5-6.0) turn started started "
                                           "piece(6.8-10.6) turn started piece(12.2-13.2) turn! ");
}

static void one_question_is_one_turn(void **state)
{
    struct room *r = *state;

    hear(r, 8000, 1500);
    hear(r, 0, 1800);
    hear(r, 8000, 1600);
    commit(r);
    assert_string_equal(buf_str(&r->told), "started piece(0.0-1.5) started piece(3.3-4.9) turn! ");
}

/* Speech without a pause, which is a little lower at one place in the end. */
static void endless_speech_is_cut_where_it_is_quietest(void **state)
{
    struct room *r = *state;

    hear(r, 8000, 18000);
    hear(r, 2000, 100);
    hear(r, 8000, 12000);
    commit(r);
    assert_string_equal(buf_str(&r->told), "started piece(0.0-18.0) turn piece(18.0-30.1) turn! ");
    assert_true(r->longest <= (size_t)21 * SECOND);
}

/* It used to be given on in one piece, or not at all. */
static void no_end_of_endless_speech_is_lost(void **state)
{
    struct room *r = *state;

    hear(r, 8000, 65000);
    commit(r);
    assert_true(r->longest <= (size_t)ENGINE_MAX_SECONDS * SECOND);
    assert_non_null(strstr(buf_str(&r->told), "-65.0) turn! "));
}

static void long_speech_is_cut_in_a_pause(void **state)
{
    struct room *r = *state;

    for (int i = 0; i < 8; i++) {
        hear(r, 8000, 2000);
        hear(r, 0, 300);
    }
    commit(r);
    assert_non_null(strstr(buf_str(&r->told), "piece(0.0-13.5) turn "));
}

/* Bit by bit, as a microphone brings it: a part may come, or not, where the thread is late. */
static void the_last_piece_is_the_turn(void **state)
{
    struct room *r = *state;
    const char *end;

    hear(r, 8000, 2000);
    hear(r, 0, 1000);
    while ((end = strstr(buf_str(&r->told), "turn ")) == NULL)
        uv_run(&r->loop, UV_RUN_ONCE);
    assert_non_null(strstr(buf_str(&r->told), "draft(0.0-2.0) turn "));
    commit(r);
    assert_non_null(strstr(buf_str(&r->told), "turn turn! "));
}

static void who_speaks_on_can_be_looked_at(void **state)
{
    struct room *r = *state;

    for (int i = 0; i < 30; i++) {
        hear(r, 8000, 100);
        while (listen_waiting(r->listen) > 0)
            uv_run(&r->loop, UV_RUN_NOWAIT);
    }
    commit(r);
    assert_string_equal(buf_str(&r->told),
                        "started part(0.0-0.8) part(0.0-1.6) part(0.0-2.4) piece(0.0-3.0) turn! ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(audio_that_it_cannot_keep_up_with_is_refused, open_room,
                                        close_room),
        cmocka_unit_test_setup_teardown(a_piece_beyond_all_bounds_is_refused, open_room,
                                        close_room),
        cmocka_unit_test_setup_teardown(sentences_of_a_recording_are_turns_of_their_own,
                                        open_recording, close_room),
        cmocka_unit_test_setup_teardown(one_question_is_one_turn, open_long_recording, close_room),
        cmocka_unit_test_setup_teardown(endless_speech_is_cut_where_it_is_quietest, open_recording,
                                        close_room),
        cmocka_unit_test_setup_teardown(no_end_of_endless_speech_is_lost, open_long_recording,
                                        close_room),
        cmocka_unit_test_setup_teardown(long_speech_is_cut_in_a_pause, open_recording, close_room),
        cmocka_unit_test_setup_teardown(the_last_piece_is_the_turn, open_live, close_room),
        cmocka_unit_test_setup_teardown(who_speaks_on_can_be_looked_at, open_live, close_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
