/* The worker around a fake model: what is promised about order, cancelling and closing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "local/worker.h"

#define FLOOD 1000

/* What came, as text: one line for each event. */
struct seen {
    uv_loop_t loop;
    struct engine *g;
    char log[8192];
    int ticks, ends, ready, failed_load;
    uint32_t cancel_at_tick; /* cancel this request at its first tick */
    bool close_at_tick;
    _Atomic int runs, unloads, floods; /* counted by the fake model */
};

/* The fake model: its text is a program. "say X": one piece of text. "count": pieces until it is
 * cancelled. "flood": FLOOD pieces at once. "fail": an error. "audio": three samples. The test
 * talks to it through the config's model string only, as a real model would be. */

static int fake_load(void **self, const struct engine_config *config, const struct worker_job *job,
                     char *name, size_t size, struct err *e)
{
    *self = NULL;
    if (strcmp(config->model, "missing") == 0)
        return err_set(e, STATUS_NO_MODEL, -ENOENT, "cannot find the model 'missing'");
    if (strcmp(config->model, "dumb") == 0)
        return -EIO;
    if (strcmp(config->model, "slow") == 0)
        while (!worker_cancelled(job))
            usleep(100);
    snprintf(name, size, "fake %s", config->model);
    *self = config->user;
    return 0;
}

static int fake_run(void *self, const struct engine_request *r, struct worker_job *job,
                    struct err *e)
{
    const int16_t samples[] = {1, -2, 3};

    ((struct seen *)self)->runs++;
    if (r->text == NULL) {
        char s[64];
        snprintf(s, sizeof s, "%zu messages, %zu samples", r->count, r->samples);
        return worker_text(job, s) < 0 ? -ENOMEM : worker_text(job, r->messages[r->count - 1].text);
    }
    if (strncmp(r->text, "say ", 4) == 0)
        return worker_text(job, r->text + 4);
    if (strcmp(r->text, "audio") == 0)
        return worker_audio(job, samples, 3, 22050);
    if (strcmp(r->text, "fail") == 0)
        return err_set(e, STATUS_FAILED, -EIO, "cannot say '%s'", r->text);
    if (strcmp(r->text, "dumb") == 0)
        return -EIO;
    if (strcmp(r->text, "flood") == 0) {
        for (int i = 0; i < FLOOD; i++)
            worker_text(job, "tick");
        ((struct seen *)self)->floods++;
        return 0;
    }
    while (!worker_cancelled(job)) {
        worker_text(job, "tick");
        usleep(200);
    }
    return -ECANCELED;
}

static void fake_unload(void *self)
{
    ((struct seen *)self)->unloads++;
}

static const struct worker_model fake = {
    .thread = "fake",
    .load = fake_load,
    .run = fake_run,
    .unload = fake_unload,
};

static void see(struct seen *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void see(struct seen *s, const char *fmt, ...)
{
    size_t n = strlen(s->log);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(s->log + n, sizeof s->log - n, fmt, ap);
    va_end(ap);
}

static void on_text(struct seen *s, const struct engine_event *ev)
{
    if (strcmp(ev->text, "tick") != 0) {
        see(s, "%u text %s\n", (unsigned)ev->id, ev->text);
        return;
    }
    s->ticks++;
    if (s->cancel_at_tick == ev->id) {
        s->g->ops->cancel(s->g, ev->id);
        s->ticks = 0; /* from here on there must be none */
    }
    if (s->close_at_tick) {
        s->g->ops->close(s->g);
        s->g = NULL;
        uv_stop(&s->loop);
    }
}

static void on_event(void *user, const struct engine_event *ev)
{
    struct seen *s = user;

    assert_non_null(s->g);
    switch (ev->type) {
    case ENGINE_READY:
        s->ready++;
        see(s, "ready %s\n", ev->text);
        break;
    case ENGINE_TEXT:
        on_text(s, ev);
        break;
    case ENGINE_AUDIO:
        see(s, "%u audio %zu at %d: %d %d %d\n", (unsigned)ev->id, ev->count, ev->rate_hz,
            ev->samples[0], ev->samples[1], ev->samples[2]);
        break;
    case ENGINE_DONE:
        s->ends++;
        see(s, "%u done%s\n", (unsigned)ev->id, ev->cancelled ? " cancelled" : "");
        break;
    case ENGINE_FAILED:
        s->ends += ev->id != 0;
        s->failed_load += ev->id == 0;
        see(s, "%u failed: %s\n", (unsigned)ev->id, ev->error->text);
        break;
    }
}

static struct seen *start(const char *model)
{
    struct seen *s = calloc(1, sizeof *s);
    char path[32];
    struct engine_config config = {.event = on_event, .user = s, .model = path};
    struct err e = {0};

    assert_non_null(s);
    snprintf(path, sizeof path, "%s", model);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    config.loop = &s->loop;
    assert_int_equal(worker_open(&s->g, &fake, &config, &e), 0);
    memset(path, 'x', sizeof path - 1); /* the worker has a copy */
    return s;
}

static void stop(struct seen *s)
{
    bool loaded = s->ready > 0;

    if (s->g != NULL)
        s->g->ops->close(s->g);
    s->g = NULL;
    assert_true(!loaded || s->unloads == 1);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    free(s);
}

static void run_until_ends(struct seen *s, int n)
{
    while (s->ends < n)
        uv_run(&s->loop, UV_RUN_ONCE);
}

static void submit(struct seen *s, uint32_t id, const char *text)
{
    char copy[256];
    struct engine_request r = {.id = id, .text = copy};

    snprintf(copy, sizeof copy, "%s", text);
    assert_int_equal(s->g->ops->submit(s->g, &r), 0);
    memset(copy, 'x', sizeof copy - 1);
}

static void answers_requests_in_order(void **state)
{
    struct seen *s = start("m");

    (void)state;
    submit(s, 1, "say one");
    submit(s, 2, "fail");
    submit(s, 3, "audio");
    submit(s, 4, "dumb");
    submit(s, 5, "say five");
    run_until_ends(s, 5);
    assert_string_equal(s->log, "ready fake m\n"
                                "1 text one\n1 done\n"
                                "2 failed: cannot say 'fail'\n"
                                "3 audio 3 at 22050: 1 -2 3\n3 done\n"
                                "4 failed: fake m failed: Input/output error\n"
                                "5 text five\n5 done\n");
    stop(s);
}

static void copies_conversations_and_samples(void **state)
{
    struct seen *s = start("m");
    char last[] = "what now?";
    int16_t pcm[] = {1, 2, 3, 4, 5};
    struct chat_message messages[] = {{CHAT_SYSTEM, "be brief"}, {CHAT_USER, last}};
    struct engine_request r = {.id = 9, .messages = messages, .count = 2, .pcm = pcm, .samples = 5};

    (void)state;
    assert_int_equal(s->g->ops->submit(s->g, &r), 0);
    memset(last, 'x', sizeof last - 1);
    memset(messages, 0, sizeof messages);
    run_until_ends(s, 1);
    assert_string_equal(s->log, "ready fake m\n9 text 2 messages, 5 samples\n"
                                "9 text what now?\n9 done\n");
    stop(s);
}

static void cleans_text_from_the_model(void **state)
{
    struct seen *s = start("m");

    (void)state;
    submit(s, 1, "say \033[2Jhi\xff there");
    run_until_ends(s, 1);
    assert_string_equal(s->log, "ready fake m\n1 text [2Jhi? there\n1 done\n");
    stop(s);
}

static void a_cancelled_request_says_nothing_more_and_ends_once(void **state)
{
    struct seen *s = start("m");

    (void)state;
    s->cancel_at_tick = 1;
    submit(s, 1, "count");
    submit(s, 2, "say after");
    run_until_ends(s, 2);
    assert_int_equal(s->ticks, 0);
    assert_string_equal(s->log, "ready fake m\n1 done cancelled\n2 text after\n2 done\n");
    stop(s);
}

static void cancels_what_is_queued_up_to_an_id(void **state)
{
    struct seen *s = start("m");

    (void)state;
    while (s->ready == 0)
        uv_run(&s->loop, UV_RUN_ONCE);
    for (uint32_t id = 1; id <= 4; id++)
        submit(s, id, id < 4 ? "count" : "say four");
    s->g->ops->cancel(s->g, 3);
    s->g->ops->cancel(s->g, 1); /* an older cancel takes nothing back */
    run_until_ends(s, 4);
    assert_string_equal(s->log, "ready fake m\n1 done cancelled\n2 done cancelled\n"
                                "3 done cancelled\n4 text four\n4 done\n");
    assert_true(s->runs <= 2); /* the first may have begun; the others never do */
    stop(s);
}

static void a_cancel_that_comes_late_still_counts(void **state)
{
    struct seen *s = start("m");

    (void)state;
    submit(s, 1, "say something");
    usleep(20000); /* most likely answered by now, not delivered */
    s->g->ops->cancel(s->g, 1);
    run_until_ends(s, 1);
    assert_string_equal(s->log, "ready fake m\n1 done cancelled\n");
    stop(s);
}

static void a_failure_that_was_cancelled_in_time_is_no_failure(void **state)
{
    struct seen *s = start("m");

    (void)state;
    submit(s, 1, "fail");
    usleep(20000); /* most likely failed by now, not delivered */
    s->g->ops->cancel(s->g, 1);
    run_until_ends(s, 1);
    assert_string_equal(s->log, "ready fake m\n1 done cancelled\n");
    stop(s);
}

static void a_model_faster_than_the_loop_does_not_hold_it(void **state)
{
    struct seen *s = start("m");

    (void)state;
    submit(s, 1, "flood");
    while (s->floods == 0)
        usleep(1000);
    while (s->ticks == 0)
        uv_run(&s->loop, UV_RUN_ONCE);
    assert_in_range(s->ticks, 1, FLOOD - 1); /* all of it was there */
    for (int turns = 0; s->ends == 0; turns++) {
        assert_true(turns <= FLOOD);
        uv_run(&s->loop, UV_RUN_ONCE);
    }
    assert_int_equal(s->ticks, FLOOD);
    assert_string_equal(s->log, "ready fake m\n1 done\n");
    s->cancel_at_tick = 2;
    submit(s, 2, "flood");
    while (s->floods == 1)
        usleep(1000);
    run_until_ends(s, 2);
    assert_int_equal(s->ticks, 0);
    assert_string_equal(s->log, "ready fake m\n1 done\n2 done cancelled\n");
    stop(s);
}

static void every_request_fails_when_the_model_cannot_be_loaded(void **state)
{
    struct seen *s = start("missing");

    (void)state;
    submit(s, 1, "say one");
    submit(s, 2, "say two");
    s->g->ops->cancel(s->g, 1);
    run_until_ends(s, 2);
    assert_int_equal(s->failed_load, 1);
    assert_string_equal(s->log, "0 failed: cannot find the model 'missing'\n1 done cancelled\n"
                                "2 failed: cannot find the model 'missing'\n");
    stop(s);
}

static void a_load_that_does_not_explain_itself_is_explained(void **state)
{
    struct seen *s = start("dumb");

    (void)state;
    while (s->failed_load == 0)
        uv_run(&s->loop, UV_RUN_ONCE);
    assert_string_equal(s->log, "0 failed: cannot load the model 'dumb': Input/output error\n");
    stop(s);
}

static void closes_while_loading(void **state)
{
    struct seen *s = start("slow");

    (void)state;
    submit(s, 1, "say one");
    stop(s);
}

static void closes_while_running_and_with_a_full_queue(void **state)
{
    struct seen *s = start("m");

    (void)state;
    submit(s, 1, "count");
    for (uint32_t id = 2; id < 20; id++)
        submit(s, id, "count");
    while (s->ticks < 3)
        uv_run(&s->loop, UV_RUN_ONCE);
    stop(s);
}

static void a_handler_may_close_the_engine(void **state)
{
    struct seen *s = start("m");

    (void)state;
    s->close_at_tick = true;
    submit(s, 1, "count");
    while (s->g != NULL)
        uv_run(&s->loop, UV_RUN_ONCE);
    stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_requests_in_order),
        cmocka_unit_test(copies_conversations_and_samples),
        cmocka_unit_test(cleans_text_from_the_model),
        cmocka_unit_test(a_cancelled_request_says_nothing_more_and_ends_once),
        cmocka_unit_test(cancels_what_is_queued_up_to_an_id),
        cmocka_unit_test(a_cancel_that_comes_late_still_counts),
        cmocka_unit_test(a_failure_that_was_cancelled_in_time_is_no_failure),
        cmocka_unit_test(a_model_faster_than_the_loop_does_not_hold_it),
        cmocka_unit_test(every_request_fails_when_the_model_cannot_be_loaded),
        cmocka_unit_test(a_load_that_does_not_explain_itself_is_explained),
        cmocka_unit_test(closes_while_loading),
        cmocka_unit_test(closes_while_running_and_with_a_full_queue),
        cmocka_unit_test(a_handler_may_close_the_engine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
