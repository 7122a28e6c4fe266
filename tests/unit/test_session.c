/* The conversation: a scripted backend on one side, a sound device driven by hand on the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "fake/fake_audio.h"
#include "session/session.h"
#include "util/buf.h"

enum { PERIOD = 160, PATIENCE = 5000 };

struct stage {
    uv_loop_t loop;
    struct session *session;
    struct fake_audio audio;

    /* the backend */
    struct backend backend;
    struct backend_config config;
    uint64_t appended, played; /* samples of microphone and loudspeaker */
    unsigned clears, cancels, forgets, closed;
    uint32_t truncated_item;
    double truncated_ms;

    struct buf events;
    struct session_event done; /* the last REPLY_DONE */
};

static struct stage *stage_of(struct backend *b)
{
    return (struct stage *)((char *)b - offsetof(struct stage, backend));
}

static int64_t on_append(struct backend *b, const int16_t *x, size_t n)
{
    (void)x;
    stage_of(b)->appended += n;
    return 0;
}

static void on_clear(struct backend *b)
{
    stage_of(b)->clears++;
}

static void on_cancel(struct backend *b)
{
    stage_of(b)->cancels++;
}

static void on_truncate(struct backend *b, uint32_t item, double played_ms)
{
    stage_of(b)->truncated_item = item;
    stage_of(b)->truncated_ms = played_ms;
}

static const char *on_remembered(struct backend *b, uint32_t item)
{
    (void)b;
    (void)item;
    return "heard";
}

static void on_forget(struct backend *b)
{
    stage_of(b)->forgets++;
}

static void on_close(struct backend *b)
{
    stage_of(b)->closed++;
}

static const struct backend_ops ops = {.append = on_append,
                                       .clear = on_clear,
                                       .cancel = on_cancel,
                                       .truncate = on_truncate,
                                       .remembered = on_remembered,
                                       .forget = on_forget,
                                       .close = on_close};

static int open_backend(struct backend **out, const struct backend_config *config, struct err *e)
{
    struct stage *st = (struct stage *)(uintptr_t)config->settings.instructions;

    (void)e;
    st->config = *config;
    st->backend = (struct backend){&ops, {.can_truncate = true}};
    *out = &st->backend;
    return 0;
}

static const struct backend_kind kind = {.name = "script", .open = open_backend};

static void on_event(void *user, const struct session_event *ev)
{
    struct stage *st = user;

    switch (ev->type) {
    case SESSION_HEARD:
        buf_addf(&st->events, "heard(%s) ", ev->text);
        break;
    case SESSION_REPLY_TEXT:
        buf_addf(&st->events, "text(%s) ", ev->text);
        break;
    case SESSION_REPLY_SOUND:
        buf_adds(&st->events, "sound ");
        break;
    case SESSION_REPLY_DONE:
        buf_addf(&st->events, "done%s ", ev->cancelled ? "-cancelled" : "");
        st->done = *ev;
        break;
    case SESSION_ERROR:
        buf_addf(&st->events, "error%s ", ev->fatal ? "!" : "");
        break;
    case SESSION_NOTICE:
        buf_adds(&st->events, "note ");
        break;
    case SESSION_READY:
    case SESSION_HEARD_PART:
    case SESSION_USAGE:
    case SESSION_LINK:
    case SESSION_SPEECH:
    case SESSION_REPLY_AUDIO:
        break;
    }
}

static int setup(void **state)
{
    static const struct log silent = {.to = NULL};
    struct stage *st = calloc(1, sizeof *st);
    struct session_config config = {
        .loop = &st->loop, .log = &silent, .backend = &kind, .event = on_event, .user = st};
    struct err e;

    st->audio.latency_ms = 30;
    config.backend_config.settings.instructions =
        (const char *)st; /* how the backend finds the stage */
    config.sound = (struct duplex_config){.driver = &fake_audio_driver,
                                          .argument = fake_audio_argument(&st->audio),
                                          .capture = true,
                                          .playback = true};
    *state = st;
    uv_loop_init(&st->loop);
    return session_open(&st->session, &config, &e);
}

static int teardown(void **state)
{
    struct stage *st = *state;
    int rc;

    session_close(st->session);
    uv_run(&st->loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&st->loop);
    assert_int_equal(st->closed, 1);
    buf_free(&st->events);
    free(st);
    return rc;
}

/* One period of sound, and what the worker and the loop make of it. The worker wakes the loop for
 * what the microphone heard, so that it is never more than a period or two behind. */
static void tick(struct stage *st)
{
    int16_t in[PERIOD] = {0}, out[PERIOD];

    fake_audio_run(&st->audio, in, out, PERIOD);
    for (int i = 0; i < PERIOD; i++)
        st->played += out[i] != 0;
    uv_run(&st->loop, UV_RUN_ONCE);
    uv_run(&st->loop, UV_RUN_NOWAIT);
}

#define UNTIL(st, condition)                   \
    do {                                       \
        int patience = PATIENCE;               \
        while (!(condition) && patience-- > 0) \
            tick(st);                          \
        assert_true(condition);                \
    } while (0)

static void says(struct stage *st, struct backend_event ev)
{
    st->config.event(st->config.user, &ev);
}

static void speech(struct stage *st, uint32_t item, size_t samples)
{
    int16_t pcm[16000];

    for (size_t i = 0; i < samples; i++)
        pcm[i] = 1000;
    says(st, (struct backend_event){.type = BACKEND_REPLY_AUDIO,
                                    .item = item,
                                    .samples = pcm,
                                    .count = samples,
                                    .rate_hz = 16000});
}

static void reply(struct stage *st, uint32_t item, size_t samples)
{
    says(st, (struct backend_event){.type = BACKEND_HEARD, .text = "hello"});
    says(st, (struct backend_event){.type = BACKEND_REPLY_STARTED, .item = item});
    says(st, (struct backend_event){.type = BACKEND_REPLY_TEXT, .item = item, .text = "hi"});
    speech(st, item, samples);
}

static void generated(struct stage *st, uint32_t item)
{
    says(st, (struct backend_event){.type = BACKEND_REPLY_DONE, .item = item});
}

static bool saw(const struct stage *st, const char *what)
{
    return strstr(buf_str(&st->events), what) != NULL;
}

static void the_microphone_goes_to_the_backend(void **state)
{
    struct stage *st = *state;

    UNTIL(st, st->appended >= 10 * PERIOD);
}

static void a_reply_is_done_when_its_last_sample_was_played(void **state)
{
    struct stage *st = *state;

    reply(st, 1, 8000);
    generated(st, 1);
    UNTIL(st, saw(st, "sound"));
    assert_false(saw(st, "done"));
    UNTIL(st, saw(st, "done"));
    assert_string_equal(buf_str(&st->events), "heard(hello) text(hi) sound done ");
}

static void the_microphone_rests_while_a_reply_is_spoken(void **state)
{
    struct stage *st = *state;
    uint64_t before;

    UNTIL(st, st->appended > 0);
    reply(st, 1, 8000);
    UNTIL(st, saw(st, "sound"));
    before = st->appended;
    for (int i = 0; i < 20; i++)
        tick(st);
    assert_int_equal(st->appended, before);
    generated(st, 1);
    UNTIL(st, saw(st, "done"));
    UNTIL(st, st->appended > before);
    assert_int_equal(st->clears, 1);
}

static void the_echo_of_a_reply_is_not_for_the_backend(void **state)
{
    struct stage *st = *state;
    uint64_t before;

    reply(st, 1, 1600);
    generated(st, 1);
    UNTIL(st, saw(st, "done"));
    before = st->appended;
    for (int i = 0; i < 15; i++) /* 150 ms */
        tick(st);
    assert_int_equal(st->appended, before);
    UNTIL(st, st->appended > before);
}

/* The backend is done with a reply long before it was heard; a line that was written meanwhile is
 * the next turn. */
static void a_turn_stops_the_reply_that_is_still_heard(void **state)
{
    struct stage *st = *state;

    reply(st, 1, 16000);
    generated(st, 1);
    UNTIL(st, saw(st, "sound"));
    for (int i = 0; i < 20; i++)
        tick(st);
    reply(st, 2, 1600);
    assert_string_equal(buf_str(&st->events),
                        "heard(hello) text(hi) sound done-cancelled heard(hello) text(hi) ");
    assert_int_equal(st->truncated_item, 1);
    assert_true(st->truncated_ms >= 170 && st->truncated_ms < 900);
    assert_int_equal(st->cancels, 0); /* what the backend has in hand is the second one */
    buf_clear(&st->events);
    generated(st, 2);
    UNTIL(st, saw(st, "done"));
    assert_string_equal(buf_str(&st->events), "sound done ");
}

static void a_written_turn_has_no_response_gap(void **state)
{
    struct stage *st = *state;

    UNTIL(st, st->appended >= 1600);
    says(st, (struct backend_event){.type = BACKEND_SPEECH_STOPPED, .at = 1000});
    says(st, (struct backend_event){.type = BACKEND_HEARD, .text = ""});
    reply(st, 1, 1600);
    generated(st, 1);
    UNTIL(st, saw(st, "done"));
    assert_true(st->done.gap_ms < 0);
}

static void the_response_gap_runs_from_microphone_to_loudspeaker(void **state)
{
    struct stage *st = *state;

    UNTIL(st, st->appended >= 16000);
    /* The user's last word ended 4000 samples ago. */
    says(st, (struct backend_event){.type = BACKEND_SPEECH_STOPPED, .at = st->appended - 4000});
    reply(st, 1, 1600);
    generated(st, 1);
    UNTIL(st, saw(st, "done"));
    /* 250 ms, both latencies of 30 ms, and what the rings took. */
    assert_true(st->done.gap_ms >= 250);
    assert_true(st->done.gap_ms < 250 + 60 + 1000);
}

static void stopping_tells_the_backend_what_was_heard(void **state)
{
    struct stage *st = *state;

    reply(st, 1, 16000);
    UNTIL(st, saw(st, "sound"));
    for (int i = 0; i < 20; i++)
        tick(st);
    session_stop(st->session);
    assert_int_equal(st->cancels, 1);
    assert_int_equal(st->truncated_item, 1);
    /* 200 ms and more were consumed; a second was made. */
    assert_true(st->truncated_ms >= 200 && st->truncated_ms < 900);
    generated(st, 1);
    UNTIL(st, saw(st, "done-cancelled"));
}

static void audio_that_comes_after_the_stop_is_not_played(void **state)
{
    struct stage *st = *state;

    reply(st, 1, 1600);
    UNTIL(st, saw(st, "sound"));
    session_stop(st->session);
    speech(st, 1, 16000);
    generated(st, 1);
    UNTIL(st, saw(st, "done-cancelled"));
    assert_true(st->played < 8000);
}

static void stopping_twice_or_without_a_reply_is_nothing(void **state)
{
    struct stage *st = *state;

    session_stop(st->session);
    assert_int_equal(st->cancels, 0);
    reply(st, 1, 1600);
    session_stop(st->session);
    session_stop(st->session);
    assert_int_equal(st->cancels, 1);
    generated(st, 1);
    UNTIL(st, saw(st, "done-cancelled"));
}

static void after_forgetting_the_microphone_is_heard_again(void **state)
{
    struct stage *st = *state;
    uint64_t before;

    reply(st, 1, 16000);
    UNTIL(st, saw(st, "sound"));
    session_forget(st->session);
    assert_int_equal(st->forgets, 1);
    assert_false(session_replying(st->session));
    before = st->appended;
    UNTIL(st, st->appended > before);
}

static void a_lost_device_is_told_and_not_the_end(void **state)
{
    struct stage *st = *state;

    fake_audio_lose(&st->audio);
    UNTIL(st, saw(st, "note"));
    assert_false(saw(st, "error"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_microphone_goes_to_the_backend),
        TEST(a_reply_is_done_when_its_last_sample_was_played),
        TEST(the_microphone_rests_while_a_reply_is_spoken),
        TEST(the_echo_of_a_reply_is_not_for_the_backend),
        TEST(a_turn_stops_the_reply_that_is_still_heard),
        TEST(a_written_turn_has_no_response_gap),
        TEST(the_response_gap_runs_from_microphone_to_loudspeaker),
        TEST(stopping_tells_the_backend_what_was_heard),
        TEST(audio_that_comes_after_the_stop_is_not_played),
        TEST(stopping_twice_or_without_a_reply_is_nothing),
        TEST(after_forgetting_the_microphone_is_heard_again),
        TEST(a_lost_device_is_told_and_not_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
