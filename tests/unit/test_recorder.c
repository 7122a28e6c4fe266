/* What goes over the wire is written down whole, without keys, and plays back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fake/fake_transport.h"
#include "fake/scratch.h"
#include "realtime/recorder.h"
#include "util/buf.h"

#define AUDIO 800 /* bytes of base64: 600 of audio */

struct desk {
    uv_loop_t loop;
    struct scratch scratch;
    struct fake_transport *net;
    struct recorder *recorder;
    struct transport *line;
    struct buf events;
    char file[512];
    char audio[AUDIO + 64];
};

static const struct log silent = {.to = NULL};

static int setup(void **state)
{
    struct desk *d = calloc(1, sizeof *d);

    if (d == NULL || uv_loop_init(&d->loop) < 0)
        return -1;
    scratch_new(&d->scratch);
    snprintf(d->file, sizeof d->file, "%s", scratch_path(&d->scratch, "session.jsonl"));
    d->net = fake_transport_new(&d->loop);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;

    fake_transport_free(d->net);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&d->loop), 0);
    scratch_free(&d->scratch);
    buf_free(&d->events);
    free(d);
    return 0;
}

static void on_opened(void *user)
{
    buf_adds(&((struct desk *)user)->events, "opened ");
}

static void on_message(void *user, const char *bytes, size_t n, bool binary)
{
    (void)binary;
    buf_addf(&((struct desk *)user)->events, "message(%.*s) ", (int)n, bytes);
}

static void on_closed(void *user, const struct ws_closed *how)
{
    buf_addf(&((struct desk *)user)->events, "closed%d(%d %s) ", (int)how->end, how->code,
             how->reason);
}

static struct ws_config handlers(struct desk *d)
{
    return (struct ws_config){.loop = &d->loop,
                              .url = "wss://one/v1?key=sk-very-secret",
                              .opened = on_opened,
                              .message = on_message,
                              .closed = on_closed,
                              .user = d};
}

static void start(struct desk *d, bool audio)
{
    static const char *const secrets[] = {"sk-very-secret", NULL};
    struct recorder_config config = {.log = &silent,
                                     .file = d->file,
                                     .audio = audio,
                                     .secrets = secrets,
                                     .dialect = "openai",
                                     .model = "talker",
                                     .task = 0,
                                     .speak = true};
    struct transport_recorded context = {&fake_transport_ops, d->net, NULL};
    struct ws_config ours = handlers(d);

    assert_int_equal(recorder_open(&d->recorder, &config, NULL), 0);
    context.recorder = d->recorder;
    assert_int_equal(transport_recorded.open(&d->line, &context, &ours, NULL), 0);
    uv_run(&d->loop, UV_RUN_NOWAIT);
}

static void say(struct desk *d, const char *text)
{
    assert_int_equal(transport_recorded.send(d->line, text, strlen(text)), 0);
}

static void hear(struct desk *d, const char *text)
{
    fake_transport_deliver(d->net, 0, text);
    uv_run(&d->loop, UV_RUN_NOWAIT);
}

static void stop(struct desk *d)
{
    fake_transport_end(d->net, 0, 1001, "bye");
    uv_run(&d->loop, UV_RUN_NOWAIT);
    transport_recorded.free(d->line);
    recorder_close(d->recorder);
    uv_run(&d->loop, UV_RUN_NOWAIT);
}

/* {"type":"a","delta":"AAAA..."} */
static const char *audio_event(struct desk *d)
{
    memset(d->audio, 0, sizeof d->audio);
    memcpy(d->audio, "{\"type\":\"a\",\"delta\":\"", 21);
    memset(d->audio + 21, 'Q', AUDIO);
    memcpy(d->audio + 21 + AUDIO, "\"}", 2);
    return d->audio;
}

static char *contents(struct desk *d)
{
    size_t n;
    unsigned char *bytes = scratch_get(&d->scratch, "session.jsonl", &n);
    char *text = calloc(1, n + 1);

    assert_non_null(text);
    memcpy(text, bytes, n);
    free(bytes);
    return text;
}

static void replay(struct desk *d, const struct recording *r)
{
    struct transport_replay context = {r, 0};
    struct ws_config ours = handlers(d);

    buf_clear(&d->events);
    assert_int_equal(transport_replay.open(&d->line, &context, &ours, NULL), 0);
    assert_int_equal(transport_replay.send(d->line, "{}", 2), 0);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    transport_replay.free(d->line);
    uv_run(&d->loop, UV_RUN_DEFAULT);
}

/* --- writing */

static void everything_both_ways_stands_in_the_file_in_order(void **state)
{
    struct desk *d = *state;
    struct recording *r;
    static const enum recording_way ways[] = {RECORDING_OPEN, RECORDING_OPENED, RECORDING_SENT,
                                              RECORDING_RECEIVED, RECORDING_CLOSED};

    start(d, false);
    say(d, "{\"type\":\"hello\"}");
    hear(d, "{\"type\":\"welcome\"}");
    stop(d);
    assert_string_equal(buf_str(&d->events),
                        "opened message({\"type\":\"welcome\"}) closed0(1001 bye) ");
    assert_int_equal(recording_read(&r, d->file, NULL), 0);
    assert_string_equal(r->dialect, "openai");
    assert_string_equal(r->model, "talker");
    assert_int_equal(r->count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(r->lines[i].way, ways[i]);
    assert_string_equal(json_str(json_get(r->lines[3].line, "event"), "type"), "welcome");
    recording_free(r);
}

static void a_key_never_stands_in_it_not_even_where_a_server_repeats_it(void **state)
{
    struct desk *d = *state;
    struct stat st;
    char *text;

    start(d, true);
    hear(d, "{\"error\":\"Incorrect API key: sk-very-secret\"}");
    hear(d, "not json: sk-very-secret");
    stop(d);
    text = contents(d);
    assert_null(strstr(text, "very-secret"));
    assert_non_null(strstr(text, "Incorrect API key"));
    assert_non_null(strstr(text, "not json"));
    free(text);
    assert_int_equal(stat(d->file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void an_address_does_not_stand_in_it_either(void **state)
{
    struct desk *d = *state;
    struct err error;
    struct ws_closed how = {.end = WS_BROKEN, .reason = "", .error = &error};
    char *text;

    start(d, false);
    err_set(&error, STATUS_NETWORK, -EIO, "the connection to 'wss://my.own.host/v1' broke: reset");
    recorder_closed(d->recorder, 1, &how, false);
    stop(d);
    text = contents(d);
    assert_null(strstr(text, "my.own.host"));
    assert_non_null(strstr(text, "broke: reset"));
    free(text);
}

static void an_end_of_ours_is_not_played_back(void **state)
{
    struct desk *d = *state;
    struct recording *r;

    start(d, false);
    transport_recorded.close(d->line, 1000, "bye");
    stop(d);
    assert_int_equal(recording_read(&r, d->file, NULL), 0);
    replay(d, r);
    assert_string_equal(buf_str(&d->events), "opened ");
    recording_free(r);
}

static void audio_is_left_out_unless_it_was_asked_for(void **state)
{
    struct desk *d = *state;
    char *text;

    start(d, false);
    hear(d, audio_event(d));
    stop(d);
    text = contents(d);
    assert_null(strstr(text, "QQQQ"));
    assert_non_null(strstr(text, "\"delta_bytes\":600"));
    free(text);
}

static void audio_that_was_asked_for_is_there(void **state)
{
    struct desk *d = *state;
    char *text;

    start(d, true);
    say(d, audio_event(d));
    stop(d);
    text = contents(d);
    assert_non_null(strstr(text, "QQQQ"));
    free(text);
}

static void a_file_that_is_there_is_not_touched(void **state)
{
    struct desk *d = *state;
    struct recorder_config config = {.log = &silent, .file = d->file, .dialect = "", .model = ""};
    struct err e;

    scratch_put(&d->scratch, "session.jsonl", "mine", 4);
    assert_int_equal(recorder_open(&d->recorder, &config, &e), -EEXIST);
    assert_int_equal(e.status, STATUS_USAGE);
    assert_null(d->recorder);
    char *text = contents(d);
    assert_memory_equal(text, "mine", 4);
    free(text);
}

/* --- playing back */

static void a_recording_plays_as_it_was_and_what_was_left_out_is_silence(void **state)
{
    struct desk *d = *state;
    struct recording *r;
    char *audio;

    start(d, false);
    say(d, "{\"type\":\"hello\"}");
    hear(d, "{\"type\":\"welcome\"}");
    hear(d, audio_event(d));
    stop(d);
    assert_int_equal(recording_read(&r, d->file, NULL), 0);
    replay(d, r);
    assert_non_null(strstr(buf_str(&d->events), "opened message({\"type\":\"welcome\"}) message("));
    assert_non_null(strstr(buf_str(&d->events), "closed0(1001 bye) "));
    audio = strstr(buf_str(&d->events), "\"delta\":\"");
    assert_non_null(audio);
    assert_int_equal(strspn(audio + 9, "A"), AUDIO);
    recording_free(r);
}

static void each_connection_is_the_next_one_of_the_recording(void **state)
{
    static const char file[] =
        "{\"type\":\"hullo-recording\",\"v\":1,\"dialect\":\"d\",\"model\":\"m\"}\n"
        "{\"t\":0,\"c\":1,\"way\":\"open\"}\n"
        "{\"t\":5,\"c\":1,\"way\":\"closed\",\"end\":1,\"http_status\":503}\n"
        "{\"t\":6,\"c\":2,\"way\":\"open\"}\n"
        "{\"t\":7,\"c\":2,\"way\":\"later than us\"}\n"
        "{\"t\":8,\"c\":2,\"way\":\"opened\"}\n";
    struct desk *d = *state;
    struct transport_replay context = {NULL, 0};
    struct ws_config ours = handlers(d);
    struct recording *r;

    scratch_put(&d->scratch, "session.jsonl", file, sizeof file - 1);
    assert_int_equal(recording_read(&r, d->file, NULL), 0);
    context.recording = r;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(transport_replay.open(&d->line, &context, &ours, NULL), 0);
        uv_run(&d->loop, UV_RUN_DEFAULT);
        buf_adds(&d->events, "| ");
        transport_replay.free(d->line);
        uv_run(&d->loop, UV_RUN_DEFAULT);
    }
    assert_string_equal(buf_str(&d->events), "closed1(0 ) | opened | | ");
    recording_free(r);
}

static void a_file_that_is_no_recording_is_refused_with_its_line(void **state)
{
    static const char head[] =
        "{\"type\":\"hullo-recording\",\"v\":1,\"dialect\":\"d\",\"model\":\"m\"}\n";
    static const struct {
        const char *lines, *says;
        bool headless;
    } bad[] = {
        {"", "line 1", true},
        {"\xff\xfe\n", "line 1", true},
        {"{\"type\":\"something\"}\n", "line 1", true},
        {"{\"type\":\"hullo-recording\",\"v\":2}\n", "another version", true},
        {"{\"type\":\"hullo-recording\",\"v\":1}\n", "line 1", true},
        {"{\"t\":0,\"c\":1,\"way\":\"open\"}\nnonsense\n", "line 3", false},
        {"{\"t\":9,\"c\":1,\"way\":\"open\"}\n{\"t\":8,\"c\":1,\"way\":\"opened\"}\n", "backwards",
         false},
        {"{\"t\":1e300,\"c\":1,\"way\":\"open\"}\n", "line 2", false},
        {"{\"t\":1,\"way\":\"open\"}\n", "no connection", false},
    };
    struct desk *d = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = BUF_INIT;
        struct recording *r;
        struct err e;
        buf_adds(&b, bad[i].headless ? "" : head);
        buf_adds(&b, bad[i].lines);
        scratch_put(&d->scratch, "session.jsonl", buf_str(&b), b.len);
        buf_free(&b);
        assert_true(recording_read(&r, d->file, &e) < 0);
        assert_null(r);
        assert_non_null(strstr(e.text, bad[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_both_ways_stands_in_the_file_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_key_never_stands_in_it_not_even_where_a_server_repeats_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_does_not_stand_in_it_either, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_of_ours_is_not_played_back, setup, teardown),
        cmocka_unit_test_setup_teardown(audio_is_left_out_unless_it_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(audio_that_was_asked_for_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_there_is_not_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_recording_plays_as_it_was_and_what_was_left_out_is_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(each_connection_is_the_next_one_of_the_recording, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_recording_is_refused_with_its_line, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
