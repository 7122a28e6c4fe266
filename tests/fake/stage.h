/* stage - a conversation for a test: a scripted backend on one side, a scripted sound path
 * (fake_duplex.h) on the other. What the session asks of either, and what it tells, is noted as
 * text.
 */
#ifndef HULLO_FAKE_STAGE_H
#define HULLO_FAKE_STAGE_H

#include "fake/fake_duplex.h"
#include "session/session.h"
#include "util/buf.h"

enum { MS = DUPLEX_HZ / 1000 };

static const int64_t ms = 1000000;

struct stage {
    uv_loop_t loop;
    struct session *session;
    struct fake_duplex sound;
    bool half_duplex, push_to_talk, no_capture, continuous;

    /* the backend */
    struct backend backend;
    struct backend_config config;
    struct buf appended; /* samples of the microphone */
    struct buf noted;    /* "clear cancel truncate1:250 commit text " */

    struct buf events;
    struct session_event done; /* the last REPLY_DONE, without its text */
    double from_ms, to_ms;     /* of the last HEARD */
};

static inline struct stage *stage_of(struct backend *b)
{
    return (struct stage *)((char *)b - offsetof(struct stage, backend));
}

static inline int64_t on_append(struct backend *b, const int16_t *x, size_t n)
{
    buf_add(&stage_of(b)->appended, x, n * sizeof *x);
    return 0;
}

static inline int on_commit(struct backend *b)
{
    buf_adds(&stage_of(b)->noted, "commit ");
    return 0;
}

static inline void on_clear(struct backend *b)
{
    buf_adds(&stage_of(b)->noted, "clear ");
}

static inline int on_text(struct backend *b, const char *text)
{
    buf_addf(&stage_of(b)->noted, "text(%s) ", text);
    return 0;
}

static inline void on_cancel(struct backend *b)
{
    buf_adds(&stage_of(b)->noted, "cancel ");
}

static inline void on_truncate(struct backend *b, uint32_t item, double played_ms)
{
    buf_addf(&stage_of(b)->noted, "truncate%u:%.0f ", item, played_ms);
}

static const char *on_remembered(struct backend *b, uint32_t item)
{
    (void)b;
    return item == 1 ? "what was heard" : NULL;
}

static inline int on_glance(struct backend *b, const int16_t *x, size_t n)
{
    buf_addf(&stage_of(b)->noted, "glance%d..%d*%zu ", x[0], x[n - 1], n / MS);
    return 0;
}

static inline void on_forget(struct backend *b)
{
    buf_adds(&stage_of(b)->noted, "forget ");
}

static inline void on_close(struct backend *b)
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

static inline int open_backend(struct backend **out, const struct backend_config *config,
                               struct err *e)
{
    struct stage *st = (struct stage *)(uintptr_t)config->settings.instructions;

    (void)e;
    st->config = *config;
    st->backend = (struct backend){&ops, {.can_truncate = true, .continuous = st->continuous}};
    *out = &st->backend;
    return 0;
}

static const struct backend_kind kind = {.name = "script", .open = open_backend};

static inline void on_event(void *user, const struct session_event *ev)
{
    struct stage *st = user;

    switch (ev->type) {
    case SESSION_NOTICE:
        buf_addf(&st->events, "note(%.20s) ", ev->text);
        break;
    case SESSION_HEARD:
        buf_addf(&st->events, "heard(%s) ", ev->text);
        st->from_ms = ev->from_ms;
        st->to_ms = ev->to_ms;
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
    case SESSION_HEARD_PART:
    case SESSION_USAGE:
    case SESSION_LINK:
    case SESSION_SPEECH:
    case SESSION_REPLY_TEXT:
    case SESSION_REPLY_AUDIO:
    case SESSION_REPLY_SOUND:
        break;
    }
}

static inline int open_stage(struct stage *st)
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

    config.backend_config.settings.instructions =
        (const char *)st; /* how the backend finds the stage */
    config.sound.argument = fake_duplex_argument(&st->sound);
    config.sound.capture = !st->no_capture;
    config.sound.playback = true;
    st->sound.now_ns = 1000 * ms;
    st->sound.stats.in_latency_ms = st->sound.stats.out_latency_ms = 30;
    uv_loop_init(&st->loop);
    return session_open(&st->session, &config, &e);
}

static inline int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    *state = st;
    return open_stage(st);
}

static inline int setup_half(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    *state = st;
    st->half_duplex = true;
    return open_stage(st);
}

static inline int setup_push(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    *state = st;
    st->push_to_talk = true;
    return open_stage(st);
}

static inline int setup_continuous(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    *state = st;
    st->continuous = true;
    return open_stage(st);
}

static inline int setup_play(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    *state = st;
    st->no_capture = true;
    return open_stage(st);
}

static inline int teardown(void **state)
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

static inline void run(struct stage *st)
{
    for (int i = 0; i < 3; i++)
        uv_run(&st->loop, UV_RUN_NOWAIT);
}

/* The microphone captures so many milliseconds of a value. */
static inline void capture(struct stage *st, int16_t value, int length_ms)
{
    fake_duplex_capture(&st->sound, value, (size_t)length_ms * MS);
    run(st);
}

static inline void happens(struct stage *st, struct duplex_event ev)
{
    fake_duplex_tell(&st->sound, ev);
    run(st);
}

static inline void says(struct stage *st, struct backend_event ev)
{
    st->config.event(st->config.user, &ev);
    run(st);
}

static inline void speech(struct stage *st, uint32_t item, size_t samples)
{
    static const int16_t pcm[16000];

    says(st, (struct backend_event){.type = BACKEND_REPLY_AUDIO,
                                    .item = item,
                                    .samples = pcm,
                                    .count = samples,
                                    .rate_hz = 16000});
}

static inline void question(struct stage *st, uint32_t item)
{
    says(st, (struct backend_event){.type = BACKEND_HEARD, .text = "hello"});
    says(st, (struct backend_event){.type = BACKEND_REPLY_STARTED, .item = item});
}

/* A reply of a second that began to be heard now. */
static inline void reply(struct stage *st, uint32_t item)
{
    question(st, item);
    speech(st, item, 16000);
    happens(st,
            (struct duplex_event){.type = DUPLEX_STARTED, .item = item, .at_ns = st->sound.now_ns});
}

static inline void generated(struct stage *st, uint32_t item)
{
    says(st, (struct backend_event){.type = BACKEND_REPLY_DONE, .item = item});
}

static inline void ended(struct stage *st, uint32_t item, uint64_t played, bool flushed)
{
    happens(st, (struct duplex_event){.type = DUPLEX_ENDED,
                                      .item = item,
                                      .played = played,
                                      .flushed = flushed,
                                      .at_ns = st->sound.now_ns});
}

static inline void held(struct stage *st, enum duplex_event_type type, uint32_t item, int64_t at_ns)
{
    happens(st, (struct duplex_event){.type = type, .item = item, .at_ns = at_ns});
}

static inline void turn(struct stage *st, enum backend_event_type type, uint64_t at)
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

#endif
