/* The backend for realtime endpoints where the server, or the program that is told of things, does
 * what nobody would think of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake/scene.h"

#define OPS(sc) ((sc)->backend->ops)

static const char KEY[] = "sk-test-4f9dKx_7Qw2";

/* What the log says of a server whose session says the key, with its errors where they are told. */
static void says_the_key(struct scene *sc, char *log, size_t size)
{
    static const char *const headers[] = {"X-Team: blue-team", "X-Token: Bearer tok-123456", NULL};
    FILE *to = fmemopen(log, size, "w");

    assert_non_null(to);
    sc->log = (struct log){.level = LOG_DEBUG, .to = to};
    sc->endpoints[0].key = KEY;
    sc->endpoints[0].headers = headers;
    scene_open(sc);
    scene_ready(sc);
    scene_saysf(sc, "{\"type\":\"error\",\"error\":{\"message\":\"bad field of %s\"}}", KEY);
    scene_saysf(sc, "{\"type\":\"hello.%s\"}", KEY);
    scene_says(sc, "{\"type\":\"blue-team.tok-123456\"}");
    scene_saysf(sc,
                "{\"type\":\"error\",\"error\":{\"code\":\"invalid_api_key\",\"message\":\"no: "
                "%s\"}}",
                KEY);
    scene_pass(sc, 100);
    scene_close(sc);
    scene_pass(sc, 1000);
    sc->log.to = NULL;
    assert_int_equal(fclose(to), 0);
}

static void a_key_that_the_server_says_is_not_passed_on(void **state)
{
    struct scene *sc = *state;
    char log[4096] = "";

    says_the_key(sc, log, sizeof log);
    assert_non_null(strstr(scene_told(sc), "fatal"));
    assert_non_null(strstr(sc->error.text, "does not accept the key (no: ***)"));
    assert_non_null(strstr(log, "bad field of ***"));
    assert_non_null(strstr(log, "hello.***"));
    assert_non_null(strstr(log, "blue-team.***"));
    assert_null(strstr(log, KEY));
}

static void note_started(struct scene *sc, const struct backend_event *ev)
{
    sc->frame += ev->type == BACKEND_SPEECH_STARTED; /* nobody speaks here */
}

static void turns_without_end_are_not_kept(void **state)
{
    struct scene *sc = *state;

    sc->on_event = note_started;
    scene_open(sc);
    scene_ready(sc);
    for (unsigned i = 0; i < 1000; i++)
        scene_saysf(sc, "{\"type\":\"input_audio_buffer.committed\",\"item_id\":\"u%u\"}", i);
    assert_in_range(sc->frame, 100, 500);
}

static void close_when_done(struct scene *sc, const struct backend_event *ev)
{
    if (ev->type == BACKEND_REPLY_DONE)
        scene_close(sc);
}

static void who_is_told_of_an_end_may_close_while_a_new_session_begins(void **state)
{
    struct scene *sc = *state;

    sc->config.task = BACKEND_TRANSLATE;
    sc->config.settings.to = "es";
    sc->endpoints[0].dialect = "openai";
    sc->endpoints[0].model = "gpt-realtime-translate";
    sc->on_event = close_when_done;
    scene_open(sc);
    scene_ready(sc);
    scene_pass(sc, 3400000);
    for (int i = 0; fake_transport_lines(sc->net) < 2; i++) { /* until it is to be renewed */
        assert_true(i < 400);
        fake_transport_deliver(sc->net, 0,
                               "{\"type\":\"session.output_audio.delta\",\"delta\":\"AAAAAAAA\"}");
        scene_pass(sc, 500);
    }
    scene_pass(sc, 100);
    assert_non_null(sc->backend);
    fake_transport_break(sc->net, 0);
    scene_pass(sc, 100);
    assert_null(sc->backend);
}

static void why_a_reply_was_broken_off_is_told(void **state)
{
    struct scene *sc = *state;

    sc->endpoints[0].dialect = "gemini";
    sc->endpoints[0].url = "ws://one/live";
    sc->config.settings.turns = BACKEND_TURNS_SERVER;
    scene_open(sc);
    scene_says(sc, "{\"setupComplete\":{}}");
    OPS(sc)->send_text(sc->backend, "hello");
    scene_pass(sc, 1);
    scene_says(sc, "{\"serverContent\":{\"turnComplete\":true,"
                   "\"turnCompleteReason\":\"PROHIBITED_INPUT_CONTENT\"}}");
    assert_non_null(strstr(scene_told(sc), "reply1 error done1"));
    assert_non_null(strstr(sc->error.text, "PROHIBITED_INPUT_CONTENT"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        T(a_key_that_the_server_says_is_not_passed_on),
        T(turns_without_end_are_not_kept),
        T(who_is_told_of_an_end_may_close_while_a_new_session_begins),
        T(why_a_reply_was_broken_off_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
