/* The conversation when the user speaks over a reply: a scripted backend on one side, a scripted
 * sound path on the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake/fake_duplex.h"
#include "session/session.h"
#include "util/buf.h"

enum { MS = DUPLEX_HZ / 1000 };

static const int64_t ms = 1000000;

struct stage {
    uv_loop_t loop;
    struct session *session;
    struct fake_duplex sound;
    bool half_duplex, push_to_talk, no_capture;

    /* the backend */
    struct backend backend;
    struct backend_config config;
    struct buf appended; /* samples of the microphone */
    struct buf noted;    /* "clear cancel truncate1:250 commit text " */

    struct buf events;
    struct session_event done; /* the last REPLY_DONE, without its text */
};

static struct stage *stage_of(struct backend *b)
{
    return (struct stage *)((char *)b - offsetof(struct stage, backend));
}

static int64_t on_append(struct backend *b, const int16_t *x, size_t n)
{
    buf_add(&stage_of(b)->appended, x, n * sizeof *x);
    return 0;
}

static int on_commit(struct backend *b)
{
    buf_adds(&stage_of(b)->noted, "commit ");
    return 0;
}

static void on_clear(struct backend *b)
{
    buf_adds(&stage_of(b)->noted, "clear ");
}

static int on_text(struct backend *b, const char *text)
{
    buf_addf(&stage_of(b)->noted, "text(%s) ", text);
    return 0;
}

static void on_cancel(struct backend *b)
{
    buf_adds(&stage_of(b)->noted, "cancel ");
}

static void on_truncate(struct backend *b, uint32_t item, double played_ms)
{
    buf_addf(&stage_of(b)->noted, "truncate%u:%.0f ", item, played_ms);
}

static const char *on_remembered(struct backend *b, uint32_t item)
{
    (void)b;
    return item == 1 ? "what was heard" : NULL;
}

static int on_glance(struct backend *b, const int16_t *x, size_t n)
{
    buf_addf(&stage_of(b)->noted, "glance%d..%d*%zu ", x[0], x[n - 1], n / MS);
    return 0;
}

static void on_forget(struct backend *b)
{
    buf_adds(&stage_of(b)->noted, "forget ");
}

static void on_close(struct backend *b)
{
    (void)b;
}

static const struct backend_ops ops = {.append = on_append,
                                       .commit = on_commit,
                                       .clear = on_clear,
                                       .send_text = on_text,
                                       .cancel = on_cancel,
                                       .truncate = on_truncate,
                                       .remembered = on_remembered,
                                       .glance = on_glance,
                                       .forget = on_forget,
                                       .close = on_close};

static int open_backend(struct backend **out, const struct backend_config *config, struct err *e)
{
    struct stage *st = (struct stage *)(uintptr_t)config->instructions;

    (void)e;
    st->config = *config;
    st->backend = (struct backend){&ops, {.input_hz = 16000, .can_truncate = true}};
    *out = &st->backend;
    return 0;
}

static const struct backend_kind kind = {.name = "script", .open = open_backend};

static void on_event(void *user, const struct session_event *ev)
{
    struct stage *st = user;

    switch (ev->type) {
    case SESSION_NOTICE:
        buf_addf(&st->events, "note(%.20s) ", ev->text);
        break;
    case SESSION_HEARD:
        buf_addf(&st->events, "heard(%s) ", ev->text);
        break;
    case SESSION_REPLY_DONE:
        buf_addf(&st->events, "done%s%s%s%s ", ev->cancelled ? "-cancelled" : "",
                 ev->text != NULL ? "(" : "", ev->text != NULL ? ev->text : "",
                 ev->text != NULL ? ")" : "");
        st->done = *ev;
        break;
    case SESSION_ERROR:
        buf_addf(&st->events, "error%s ", ev->fatal ? "!" : "");
        break;
    case SESSION_READY:
    case SESSION_SPEECH:
    case SESSION_REPLY_TEXT:
    case SESSION_REPLY_AUDIO:
    case SESSION_REPLY_SOUND:
        break;
    }
}

static int open_stage(struct stage *st)
{
    static const struct log silent = {.to = NULL};
    struct session_config config = {.loop = &st->loop,
                                    .log = &silent,
                                    .backend = &kind,
                                    .event = on_event,
                                    .user = st,
                                    .half_duplex = st->half_duplex,
                                    .push_to_talk = st->push_to_talk};
    struct err e;

    config.backend_config.instructions = (const char *)st; /* how the backend finds the stage */
    config.sound.argument = fake_duplex_argument(&st->sound);
    config.sound.capture = !st->no_capture;
    config.sound.playback = true;
    st->sound.now_ns = 1000 * ms;
    st->sound.stats.in_latency_ms = st->sound.stats.out_latency_ms = 30;
    uv_loop_init(&st->loop);
    return session_open(&st->session, &config, &e);
}

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    *state = st;
    return open_stage(st);
}

static int setup_half(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    *state = st;
    st->half_duplex = true;
    return open_stage(st);
}

static int setup_push(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    *state = st;
    st->push_to_talk = true;
    return open_stage(st);
}

static int setup_play(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    *state = st;
    st->no_capture = true;
    return open_stage(st);
}

static int teardown(void **state)
{
    struct stage *st = *state;
    int rc;

    session_close(st->session);
    uv_run(&st->loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&st->loop);
    buf_free(&st->appended);
    buf_free(&st->noted);
    buf_free(&st->events);
    fake_duplex_free(&st->sound);
    free(st);
    return rc;
}

/* --- what happens */

static void run(struct stage *st)
{
    for (int i = 0; i < 3; i++)
        uv_run(&st->loop, UV_RUN_NOWAIT);
}

/* The microphone captures so many milliseconds of a value. */
static void capture(struct stage *st, int16_t value, int length_ms)
{
    fake_duplex_capture(&st->sound, value, (size_t)length_ms * MS);
    run(st);
}

static void happens(struct stage *st, struct duplex_event ev)
{
    fake_duplex_tell(&st->sound, ev);
    run(st);
}

static void says(struct stage *st, struct backend_event ev)
{
    st->config.event(st->config.user, &ev);
    run(st);
}

static void speech(struct stage *st, uint32_t item, size_t samples)
{
    static const int16_t pcm[16000];

    says(st, (struct backend_event){.type = BACKEND_REPLY_AUDIO,
                                    .item = item,
                                    .samples = pcm,
                                    .count = samples,
                                    .rate_hz = 16000});
}

static void question(struct stage *st, uint32_t item)
{
    says(st, (struct backend_event){.type = BACKEND_HEARD, .text = "hello"});
    says(st, (struct backend_event){.type = BACKEND_REPLY_STARTED, .item = item});
}

/* A reply of a second that began to be heard now. */
static void reply(struct stage *st, uint32_t item)
{
    question(st, item);
    speech(st, item, 16000);
    happens(st,
            (struct duplex_event){.type = DUPLEX_STARTED, .item = item, .at_ns = st->sound.now_ns});
}

static void generated(struct stage *st, uint32_t item)
{
    says(st, (struct backend_event){.type = BACKEND_REPLY_DONE, .item = item});
}

static void ended(struct stage *st, uint32_t item, uint64_t played, bool flushed)
{
    happens(st, (struct duplex_event){.type = DUPLEX_ENDED,
                                      .item = item,
                                      .played = played,
                                      .flushed = flushed,
                                      .at_ns = st->sound.now_ns});
}

static void held(struct stage *st, enum duplex_event_type type, uint32_t item, int64_t at_ns)
{
    happens(st, (struct duplex_event){.type = type, .item = item, .at_ns = at_ns});
}

static void turn(struct stage *st, enum backend_event_type type, uint64_t at)
{
    says(st, (struct backend_event){.type = type, .at = at});
}

/* --- what came of it */

/* What the backend was given since the last look, as runs: "0*160 7*1600 ". */
static const char *given(struct stage *st, struct buf *out)
{
    const int16_t *x = (const int16_t *)(const void *)st->appended.data;
    size_t n = st->appended.len / sizeof *x;

    buf_clear(out);
    for (size_t i = 0, from = 0; i < n; i++)
        if (i + 1 == n || x[i + 1] != x[i]) {
            buf_addf(out, "%d*%zu ", x[i], (i + 1 - from) / MS);
            from = i + 1;
        }
    buf_clear(&st->appended);
    return buf_str(out);
}

#define GIVEN(st, text)                                \
    do {                                               \
        struct buf runs = BUF_INIT;                    \
        assert_string_equal(given((st), &runs), text); \
        buf_free(&runs);                               \
    } while (0)

#define SAW(buffer, text)                           \
    do {                                            \
        assert_string_equal(buf_str(buffer), text); \
        buf_clear(buffer);                          \
    } while (0)

/* --- while a reply is being heard */

static void the_microphone_is_kept_while_a_reply_is_heard(void **state)
{
    struct stage *st = *state;

    capture(st, 1, 100);
    GIVEN(st, "1*100 ");
    reply(st, 1);
    capture(st, 2, 1000);
    GIVEN(st, "");
}

static void speech_over_a_reply_stops_it_and_is_heard_from_its_first_word_on(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    capture(st, 1, 100);
    reply(st, 1);
    capture(st, 2, 1000);
    GIVEN(st, "1*100 ");
    onset = st->sound.now_ns;
    capture(st, 3, 120);
    held(st, DUPLEX_HELD, 1, onset);
    capture(st, 3, 200);
    GIVEN(st, "");
    st->sound.played = 8000;
    held(st, DUPLEX_BARGED, 1, onset);
    GIVEN(st, "2*300 3*320 ");
    SAW(&st->noted, "truncate1:500 clear cancel ");
    ended(st, 1, 8000, true);
    capture(st, 3, 100);
    GIVEN(st, "3*100 "); /* from now on it goes through */
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    SAW(&st->noted, "");
    assert_true(st->done.heard_ms == 500);
    assert_true(strstr(buf_str(&st->sound.noted), "flush") != NULL);
    capture(st, 4, 100);
    GIVEN(st, "4*100 ");
}

static void a_cough_is_nobodys_turn(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    reply(st, 1);
    capture(st, 1, 500);
    onset = st->sound.now_ns;
    capture(st, 3, 100);
    held(st, DUPLEX_HELD, 1, onset);
    capture(st, 1, 200);
    held(st, DUPLEX_RESUMED, 1, 0);
    generated(st, 1);
    ended(st, 1, 16000, false);
    capture(st, 1, 300);
    GIVEN(st, "1*100 "); /* what came 200 ms behind the reply */
    SAW(&st->events, "heard(hello) done ");
    SAW(&st->noted, "glance1..1*600 clear ");
    assert_true(st->done.heard_ms == 1000);
    assert_true(st->done.complete);
}

static void said(struct stage *st, const char *text)
{
    says(st, (struct backend_event){.type = BACKEND_GLANCED, .text = text});
}

static void a_word_that_was_too_short_to_stop_the_reply_stops_it_when_it_means_that(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 500);
    held(st, DUPLEX_HELD, 1, st->sound.now_ns);
    capture(st, 3, 300);
    held(st, DUPLEX_RESUMED, 1, 0);
    SAW(&st->noted, "glance1..3*600 ");
    said(st, "Mhm.");
    SAW(&st->noted, "");
    said(st, "Stop.");
    SAW(&st->noted, "truncate1:0 cancel ");
    said(st, "Stop."); /* it has */
    ended(st, 1, 0, true);
    generated(st, 1);
    reply(st, 2);
    said(st, "Stop."); /* that was the other one */
    SAW(&st->noted, "");
}

static void speech_that_goes_on_as_the_reply_ends_is_heard_from_its_first_word_on(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    reply(st, 1);
    generated(st, 1);
    capture(st, 1, 800);
    onset = st->sound.now_ns;
    capture(st, 3, 100);
    held(st, DUPLEX_HELD, 1, onset);
    ended(st, 1, 16000, false);
    GIVEN(st, "1*300 3*100 ");
    capture(st, 3, 100);
    GIVEN(st, "3*100 ");
    SAW(&st->events, "heard(hello) done ");
}

/* Who answers at once begins before the echo has died, or even before the reply's last sound. */
static void an_answer_right_behind_the_reply_is_heard_from_its_first_word_on(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    capture(st, 1, 900);
    capture(st, 3, 100);
    ended(st, 1, 16000, false);
    SAW(&st->events, "heard(hello) done ");
    st->sound.stats.speech = 0.9;
    capture(st, 3, 20);
    capture(st, 3, 260);
    GIVEN(st, "");
    capture(st, 3, 20);
    GIVEN(st, "1*280 3*400 "); /* 300 ms and some before the speech */
    capture(st, 3, 20);
    GIVEN(st, "3*20 ");
}

static void speech_that_shows_late_was_there_before(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    st->sound.stats.speech = 0.9;
    capture(st, 1, 900); /* an echo, whatever it sounded like */
    ended(st, 1, 16000, false);
    st->sound.stats.speech = 0.1;
    capture(st, 1, 150);
    capture(st, 3, 100);
    st->sound.stats.speech = 0.8;
    capture(st, 3, 60);
    GIVEN(st, "1*240 3*160 ");
}

static void a_line_written_while_the_echo_dies_is_answered_as_ever(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    capture(st, 1, 900);
    ended(st, 1, 16000, false);
    capture(st, 1, 100);
    reply(st, 2);
    capture(st, 1, 1000);
    GIVEN(st, "");
    SAW(&st->noted, "");
    generated(st, 2);
    ended(st, 2, 16000, false);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
    SAW(&st->noted, "clear ");
}

static void words_from_before_the_reply_was_heard_and_over_it_are_one(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    capture(st, 1, 500);
    question(st, 1);
    onset = st->sound.now_ns;
    capture(st, 3, 50);
    speech(st, 1, 16000);
    capture(st, 3, 200);
    GIVEN(st, "1*500 3*50 ");
    held(st, DUPLEX_BARGED, 1, onset);
    GIVEN(st, "3*200 "); /* once, and without a gap */
    SAW(&st->noted, "truncate1:0 cancel ");
}

static void three_seconds_are_kept_at_most(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    for (int i = 1; i <= 7; i++)
        capture(st, (int16_t)i, 700);
    held(st, DUPLEX_BARGED, 1, 0);
    GIVEN(st, "3*200 4*700 5*700 6*700 7*700 ");
}

static void what_was_kept_before_a_hole_in_the_sound_is_old(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    reply(st, 1);
    capture(st, 1, 500);
    st->sound.now_ns += 2000 * ms;
    onset = st->sound.now_ns;
    capture(st, 2, 100);
    held(st, DUPLEX_BARGED, 1, onset);
    GIVEN(st, "2*100 ");
}

static void a_key_stops_the_reply_and_the_echo_dies_before_the_microphone_is_heard(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 500);
    st->sound.played = 8000;
    session_stop(st->session);
    ended(st, 1, 8160, true);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    assert_true(st->done.heard_ms == 510);
}

static void a_key_while_the_user_speaks_loses_no_word(void **state)
{
    struct stage *st = *state;
    int64_t onset;

    reply(st, 1);
    capture(st, 1, 1000);
    onset = st->sound.now_ns;
    capture(st, 3, 100);
    held(st, DUPLEX_HELD, 1, onset);
    session_stop(st->session);
    GIVEN(st, "1*300 3*100 ");
}

static void what_is_complete_is_told_from_what_was_broken_off(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    held(st, DUPLEX_BARGED, 1, st->sound.now_ns);
    SAW(&st->noted, "truncate1:0 clear ");
    ended(st, 1, 0, true);
    assert_true(st->done.cancelled && st->done.complete);

    reply(st, 2);
    held(st, DUPLEX_BARGED, 2, st->sound.now_ns);
    says(st, (struct backend_event){.type = BACKEND_REPLY_DONE, .item = 2, .cancelled = true});
    ended(st, 2, 0, true);
    assert_true(st->done.cancelled && !st->done.complete);
    assert_null(st->done.text);
}

/* --- while a reply is being made */

static void the_backend_hears_on_while_a_reply_is_made(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    capture(st, 1, 500);
    GIVEN(st, "1*500 ");
    SAW(&st->noted, "");
}

static void a_user_who_goes_on_does_not_hear_the_reply_to_half_of_it(void **state)
{
    struct stage *st = *state;

    capture(st, 1, 1000);
    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 1000 * MS);
    speech(st, 1, 16000);
    capture(st, 2, 2000);
    GIVEN(st, "1*1000 2*2000 ");
    turn(st, BACKEND_SPEECH_STOPPED, 2000 * MS);
    SAW(&st->noted, "truncate1:0 cancel ");
    assert_null(strstr(buf_str(&st->sound.noted), "play"));
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    question(st, 2);
    speech(st, 2, 1600);
    SAW(&st->sound.noted, "flush play2:1600 ");
}

/* What the backend had begun to hear is forgotten, and with it that somebody spoke. */
static void a_turn_that_was_dropped_delays_no_reply(void **state)
{
    struct stage *st = *state;

    capture(st, 1, 100);
    reply(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    capture(st, 1, 2000);
    held(st, DUPLEX_BARGED, 1, st->sound.now_ns);
    ended(st, 1, 0, true);
    generated(st, 1);
    buf_clear(&st->sound.noted);
    question(st, 2);
    speech(st, 2, 1600);
    SAW(&st->sound.noted, "play2:1600 ");
}

static void a_device_that_goes_while_the_user_speaks_does_not_keep_the_reply_back(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    speech(st, 1, 1600);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    SAW(&st->sound.noted, "play1:1600 ");
}

/* ... whose end came while the user spoke. */
/* The backend was given the beginning of some speech, and after that nothing more. */
static void speech_that_the_backend_does_not_hear_end_does_not_keep_the_reply_back(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    generated(st, 1);
    ended(st, 1, 16000, false);
    buf_clear(&st->sound.noted);
    question(st, 2);
    speech(st, 2, 8000);
    SAW(&st->sound.noted, "");
    capture(st, 1, 400);
    speech(st, 2, 4000);
    generated(st, 2);
    SAW(&st->sound.noted, "play2:8000 play2:4000 end2 ");
}

static void a_complete_reply_is_dropped_as_well(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    speech(st, 1, 16000);
    generated(st, 1);
    SAW(&st->events, "heard(hello) ");
    turn(st, BACKEND_SPEECH_STOPPED, 1000 * MS);
    run(st);
    SAW(&st->events, "done-cancelled(what was heard) ");
    SAW(&st->noted, "truncate1:0 ");
}

static void a_cough_only_delays_the_reply(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    speech(st, 1, 16000);
    speech(st, 1, 1600);
    generated(st, 1);
    SAW(&st->sound.noted, "");
    turn(st, BACKEND_SPEECH_STOPPED, 400 * MS);
    SAW(&st->sound.noted, "play1:17600 end1 ");
    ended(st, 1, 17600, false);
    SAW(&st->events, "heard(hello) done ");
    SAW(&st->noted, "");
}

static void a_short_word_that_turns_out_to_be_one_is_a_turn(void **state)
{
    struct stage *st = *state;

    question(st, 1);
    turn(st, BACKEND_SPEECH_STARTED, 0);
    speech(st, 1, 16000);
    turn(st, BACKEND_SPEECH_STOPPED, 500 * MS);
    generated(st, 1);
    st->sound.played = 160;
    question(st, 2);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) heard(hello) ");
    SAW(&st->noted, "truncate1:10 clear ");
}

/* --- half duplex */

static void too_much_echo_is_announced_once_and_the_microphone_rests(void **state)
{
    struct stage *st = *state;

    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    SAW(&st->events, "note(too much of what is ) ");
    reply(st, 1);
    capture(st, 1, 500);
    generated(st, 1);
    ended(st, 1, 16000, false);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
    buf_clear(&st->events);
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = false});
    SAW(&st->events, "note(your voice can stop ) ");
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = false});
    SAW(&st->events, "");
    reply(st, 2);
    capture(st, 3, 500);
    held(st, DUPLEX_BARGED, 2, 0);
    GIVEN(st, "3*500 ");
}

static void echo_that_grows_in_mid_reply_is_not_handed_over(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 500);
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    capture(st, 1, 500);
    held(st, DUPLEX_BARGED, 1, 0);
    GIVEN(st, "");
    ended(st, 1, 100, true);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
}

static void echo_that_shows_as_the_reply_dies_away_leaves_nobody_deaf(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    capture(st, 1, 900);
    ended(st, 1, 16000, false);
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    capture(st, 5, 400);
    GIVEN(st, "5*200 ");
}

static void half_duplex_is_no_news_to_who_asked_for_it(void **state)
{
    struct stage *st = *state;

    SAW(&st->sound.noted, "barge0 ");
    happens(st, (struct duplex_event){.type = DUPLEX_HALF, .on = true});
    SAW(&st->events, "");
    reply(st, 1);
    st->sound.stats.speech = 0.9; /* that is what the reply's echo sounds like */
    capture(st, 1, 500);
    generated(st, 1);
    ended(st, 1, 16000, false);
    capture(st, 2, 300);
    GIVEN(st, "2*100 ");
}

/* --- devices that come and go */

static void a_device_that_goes_and_comes_back_is_told_and_the_conversation_goes_on(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    happens(st, (struct duplex_event){.type = DUPLEX_BACK, .name = "USB\nspeaker"});
    SAW(&st->events, "heard(hello) note(the sound device wen) note(there is sound again) ");
    generated(st, 1);
    ended(st, 1, 16000, false);
    SAW(&st->events, "done ");
}

static void a_reply_is_stopped_while_there_is_no_device(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    generated(st, 1);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    buf_clear(&st->events);
    session_stop(st->session);
    SAW(&st->events, ""); /* never from inside a call */
    run(st);
    SAW(&st->events, "done-cancelled(what was heard) ");

    reply(st, 2);
    session_stop(st->session);
    generated(st, 2);
    SAW(&st->events, "heard(hello) done-cancelled ");
}

static void a_reply_that_was_stopped_as_the_device_went_is_done(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    session_stop(st->session);
    generated(st, 1);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    SAW(&st->events, "heard(hello) note(the sound device wen) done-cancelled(what was heard) ");
}

static void without_a_microphone_a_lost_device_is_the_end(void **state)
{
    struct stage *st = *state;

    happens(st, (struct duplex_event){.type = DUPLEX_LOST});
    SAW(&st->events, "error! ");
}

/* --- push-to-talk, mute */

static void only_what_is_talked_reaches_the_backend(void **state)
{
    struct stage *st = *state;

    SAW(&st->sound.noted, "barge0 mute1 ");
    capture(st, 1, 500);
    GIVEN(st, "");
    session_talk(st->session, true);
    assert_true(session_talking(st->session));
    SAW(&st->sound.noted, "mute0 ");
    capture(st, 2, 500);
    session_talk(st->session, false);
    SAW(&st->noted, "clear ");
    capture(st, 3, 60); /* what was said before the key is still on its way: 70 ms */
    SAW(&st->noted, "");
    capture(st, 3, 20);
    SAW(&st->noted, "commit ");
    SAW(&st->sound.noted, "mute1 ");
    capture(st, 4, 500);
    GIVEN(st, "2*500 3*80 ");
}

static void talking_stops_the_reply(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    st->sound.played = 1600;
    session_talk(st->session, true);
    SAW(&st->noted, "truncate1:100 cancel clear ");
    capture(st, 2, 100);
    GIVEN(st, "2*100 ");
    ended(st, 1, 1600, true);
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    capture(st, 2, 100);
    GIVEN(st, "2*100 ");
}

static void a_reply_that_comes_while_the_user_talks_is_not_for_them(void **state)
{
    struct stage *st = *state;

    session_talk(st->session, true);
    question(st, 1);
    SAW(&st->noted, "clear truncate1:0 cancel ");
    speech(st, 1, 1600);
    assert_null(strstr(buf_str(&st->sound.noted), "play"));
}

static void talking_again_at_once_makes_two_turns(void **state)
{
    struct stage *st = *state;

    session_talk(st->session, true);
    capture(st, 1, 100);
    session_talk(st->session, false);
    session_talk(st->session, true);
    capture(st, 2, 100);
    SAW(&st->noted, "clear commit clear ");
    GIVEN(st, "1*100 2*100 ");
    session_talk(st->session, true); /* said twice: nothing */
    session_talk(st->session, false);
    session_talk(st->session, false);
    happens(st, (struct duplex_event){.type = DUPLEX_LOST}); /* no sound will come to finish it */
    SAW(&st->noted, "commit ");
    session_talk(st->session, true);
    session_talk(st->session, false);
    SAW(&st->noted, "clear commit ");
}

static void a_talked_turn_has_a_response_gap_and_a_written_one_has_none(void **state)
{
    struct stage *st = *state;
    struct backend_event committed = {.type = BACKEND_HEARD, .text = "hello", .committed = true};

    session_talk(st->session, true);
    capture(st, 1, 1000);
    session_talk(st->session, false);
    capture(st, 1, 100);
    turn(st, BACKEND_SPEECH_STOPPED, 900 * MS);
    says(st, committed);
    says(st, (struct backend_event){.type = BACKEND_REPLY_STARTED, .item = 1});
    speech(st, 1, 1600);
    held(st, DUPLEX_STARTED, 1, (1000 + 900 + 400) * ms);
    generated(st, 1);
    ended(st, 1, 1600, false);
    assert_true(st->done.gap_ms > 399 && st->done.gap_ms < 401);

    turn(st, BACKEND_SPEECH_STOPPED, 950 * MS);
    session_text(st->session, "hello");
    says(st, committed);
    says(st, (struct backend_event){.type = BACKEND_REPLY_STARTED, .item = 2});
    speech(st, 2, 1600);
    held(st, DUPLEX_STARTED, 2, st->sound.now_ns);
    generated(st, 2);
    ended(st, 2, 1600, false);
    assert_true(st->done.gap_ms < 0);
}

static void without_push_to_talk_there_is_no_talking(void **state)
{
    struct stage *st = *state;

    session_talk(st->session, true);
    assert_false(session_talking(st->session));
    SAW(&st->noted, "");
}

static void mute_reaches_the_sound_path_and_can_be_asked_for(void **state)
{
    struct stage *st = *state;

    assert_false(session_muted(st->session));
    session_mute(st->session, true);
    assert_true(session_muted(st->session));
    SAW(&st->sound.noted, "mute1 ");
    capture(st, 5, 100);
    GIVEN(st, "0*100 ");
    session_mute(st->session, false);
    SAW(&st->sound.noted, "mute0 ");
}

static void talking_unmutes(void **state)
{
    struct stage *st = *state;

    session_mute(st->session, true);
    session_talk(st->session, true);
    assert_false(session_muted(st->session));
    assert_false(st->sound.muted);
    session_mute(st->session, true);
    assert_true(st->sound.muted);
}

/* --- what must not happen, and does */

static void events_about_nothing_are_nothing(void **state)
{
    static const enum duplex_event_type types[] = {DUPLEX_STARTED, DUPLEX_ENDED, DUPLEX_HELD,
                                                   DUPLEX_RESUMED, DUPLEX_BARGED};
    struct stage *st = *state;

    for (uint32_t item = 0; item < 3; item++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            happens(st, (struct duplex_event){
                            .type = types[i], .item = item, .flushed = true, .at_ns = INT64_MIN});
    happens(st, (struct duplex_event){.type = DUPLEX_BACK});
    SAW(&st->events, "note(there is sound again) ");
    SAW(&st->noted, "");
    reply(st, 1);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        held(st, types[i], 0, 0);
        held(st, types[i], 2, INT64_MAX);
    }
    SAW(&st->noted, "");
    capture(st, 1, 100);
    GIVEN(st, "");
    generated(st, 1);
    ended(st, 1, 16000, false);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        held(st, types[i], 1, 0);
    SAW(&st->events, "heard(hello) done ");
    SAW(&st->noted, "");
}

static void speech_at_impossible_times_is_handed_over_all_the_same(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 100);
    held(st, DUPLEX_BARGED, 1, INT64_MIN);
    GIVEN(st, "1*100 ");
    generated(st, 1);
    ended(st, 1, 0, true);
    reply(st, 2);
    capture(st, 2, 100);
    held(st, DUPLEX_BARGED, 2, INT64_MAX);
    GIVEN(st, "2*100 ");
    capture(st, 3, 100);
    GIVEN(st, "3*100 ");
}

static void an_end_at_an_impossible_time_leaves_nobody_deaf(void **state)
{
    static const int64_t ends[] = {INT64_MAX / 2, INT64_MIN / 2};
    struct stage *st = *state;

    for (uint32_t item = 1; item <= 2; item++) {
        reply(st, item);
        capture(st, 1, 100);
        generated(st, item);
        happens(st,
                (struct duplex_event){.type = DUPLEX_ENDED, .item = item, .at_ns = ends[item - 1]});
        capture(st, 2, 1500);
        buf_clear(&st->appended);
        capture(st, 3, 100);
        GIVEN(st, "3*100 ");
    }
}

static void an_item_that_the_sound_path_dropped_by_itself_is_a_stopped_reply(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    st->sound.played = 3200;
    capture(st, 1, 100);
    ended(st, 1, 3200, true);
    SAW(&st->noted, "truncate1:200 cancel ");
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
    capture(st, 2, 300);
    SAW(&st->noted, "clear ");
    GIVEN(st, "2*100 ");
}

static void a_user_who_speaks_twice_stops_the_reply_once(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 1000);
    held(st, DUPLEX_BARGED, 1, st->sound.now_ns);
    held(st, DUPLEX_BARGED, 1, st->sound.now_ns);
    session_stop(st->session);
    held(st, DUPLEX_RESUMED, 1, st->sound.now_ns);
    held(st, DUPLEX_HELD, 1, st->sound.now_ns);
    SAW(&st->noted, "truncate1:0 clear cancel ");
    GIVEN(st, "1*300 ");
    ended(st, 1, 0, true);
    generated(st, 1);
    SAW(&st->events, "heard(hello) done-cancelled(what was heard) ");
}

static void forgetting_in_mid_reply_opens_the_microphone(void **state)
{
    struct stage *st = *state;

    reply(st, 1);
    capture(st, 1, 100);
    session_forget(st->session);
    capture(st, 2, 100);
    GIVEN(st, "2*100 ");
    held(st, DUPLEX_BARGED, 1, 0);
    ended(st, 1, 0, true);
    SAW(&st->events, "heard(hello) ");
}

#define TEST(f)      cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_HALF(f) cmocka_unit_test_setup_teardown(f, setup_half, teardown)
#define TEST_PUSH(f) cmocka_unit_test_setup_teardown(f, setup_push, teardown)
#define TEST_PLAY(f) cmocka_unit_test_setup_teardown(f, setup_play, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_microphone_is_kept_while_a_reply_is_heard),
        TEST(speech_over_a_reply_stops_it_and_is_heard_from_its_first_word_on),
        TEST(a_cough_is_nobodys_turn),
        TEST(a_word_that_was_too_short_to_stop_the_reply_stops_it_when_it_means_that),
        TEST(speech_that_goes_on_as_the_reply_ends_is_heard_from_its_first_word_on),
        TEST(an_answer_right_behind_the_reply_is_heard_from_its_first_word_on),
        TEST(speech_that_shows_late_was_there_before),
        TEST(a_line_written_while_the_echo_dies_is_answered_as_ever),
        TEST(words_from_before_the_reply_was_heard_and_over_it_are_one),
        TEST(three_seconds_are_kept_at_most),
        TEST(what_was_kept_before_a_hole_in_the_sound_is_old),
        TEST(a_key_stops_the_reply_and_the_echo_dies_before_the_microphone_is_heard),
        TEST(a_key_while_the_user_speaks_loses_no_word),
        TEST(what_is_complete_is_told_from_what_was_broken_off),
        TEST(the_backend_hears_on_while_a_reply_is_made),
        TEST(a_user_who_goes_on_does_not_hear_the_reply_to_half_of_it),
        TEST(speech_that_the_backend_does_not_hear_end_does_not_keep_the_reply_back),
        TEST(a_complete_reply_is_dropped_as_well),
        TEST(a_turn_that_was_dropped_delays_no_reply),
        TEST(a_device_that_goes_while_the_user_speaks_does_not_keep_the_reply_back),
        TEST(a_cough_only_delays_the_reply),
        TEST(a_short_word_that_turns_out_to_be_one_is_a_turn),
        TEST(too_much_echo_is_announced_once_and_the_microphone_rests),
        TEST(echo_that_grows_in_mid_reply_is_not_handed_over),
        TEST(echo_that_shows_as_the_reply_dies_away_leaves_nobody_deaf),
        TEST_HALF(half_duplex_is_no_news_to_who_asked_for_it),
        TEST(a_device_that_goes_and_comes_back_is_told_and_the_conversation_goes_on),
        TEST(a_reply_is_stopped_while_there_is_no_device),
        TEST(a_reply_that_was_stopped_as_the_device_went_is_done),
        TEST_PLAY(without_a_microphone_a_lost_device_is_the_end),
        TEST_PUSH(only_what_is_talked_reaches_the_backend),
        TEST_PUSH(talking_stops_the_reply),
        TEST_PUSH(a_reply_that_comes_while_the_user_talks_is_not_for_them),
        TEST_PUSH(talking_again_at_once_makes_two_turns),
        TEST_PUSH(a_talked_turn_has_a_response_gap_and_a_written_one_has_none),
        TEST(without_push_to_talk_there_is_no_talking),
        TEST(mute_reaches_the_sound_path_and_can_be_asked_for),
        TEST_PUSH(talking_unmutes),
        TEST(events_about_nothing_are_nothing),
        TEST(speech_at_impossible_times_is_handed_over_all_the_same),
        TEST(an_end_at_an_impossible_time_leaves_nobody_deaf),
        TEST(an_item_that_the_sound_path_dropped_by_itself_is_a_stopped_reply),
        TEST(a_user_who_speaks_twice_stops_the_reply_once),
        TEST(forgetting_in_mid_reply_opens_the_microphone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
