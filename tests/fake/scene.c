#include "fake/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cJSON.h>
#include <cmocka.h>

#include "realtime/dialect.h"
#include "realtime/remote.h"
#include "realtime/wire_parts.h"
#include "util/json.h"

enum { MARK = -32768, FILL = 3000 };

/* The transport that the backend uses where nothing else is asked for is the test's. */
static struct fake_transport *the_net;

static int open_line(struct transport **out, void *context, const struct ws_config *config,
                     struct err *e)
{
    (void)context;
    return fake_transport_ops.open(out, the_net, config, e);
}

static int send_line(struct transport *t, const char *text, size_t n)
{
    return fake_transport_ops.send(t, text, n);
}

static size_t waiting(const struct transport *t)
{
    return fake_transport_ops.waiting(t);
}

static void watch(struct transport *t, int interval_ms, int patience_ms)
{
    fake_transport_ops.watch(t, interval_ms, patience_ms);
}

static double rtt_ms(const struct transport *t)
{
    return fake_transport_ops.rtt_ms(t);
}

static void close_line(struct transport *t, int code, const char *reason)
{
    fake_transport_ops.close(t, code, reason);
}

static void free_line(struct transport *t)
{
    fake_transport_ops.free(t);
}

const struct transport_ops transport_ws = {.open = open_line,
                                           .send = send_line,
                                           .waiting = waiting,
                                           .watch = watch,
                                           .rtt_ms = rtt_ms,
                                           .close = close_line,
                                           .free = free_line};

/* The dialect of the tests is OpenAI's at the rate of the microphone, so that each frame comes out
 * as it went in. Values of the endpoint: "audio_turns", "transcriber" and "commits" may be "no". */
int dialect_generic_new(struct dialect **out, const struct endpoint *ep, struct err *e)
{
    (void)e;
    *out = malloc(sizeof **out);
    assert_non_null(*out);
    **out = *dialects[0];
    (*out)->input_hz = BACKEND_HZ;
    for (size_t i = 0; i < ep->value_count; i++) {
        if (strcmp(ep->values[i].name, "audio_turns") == 0)
            (*out)->audio_turns = false;
        if (strcmp(ep->values[i].name, "transcriber") == 0)
            (*out)->transcriber = NULL;
        if (strcmp(ep->values[i].name, "commits") == 0)
            (*out)->commits = false;
    }
    return 0;
}

void dialect_generic_free(struct dialect *d)
{
    free(d);
}

/* --- what it tells */

static void on_event(void *user, const struct backend_event *ev)
{
    struct scene *st = user;
    struct buf *b = &st->told;

    switch (ev->type) {
    case BACKEND_READY:
        buf_adds(b, "ready ");
        break;
    case BACKEND_NOTICE:
        buf_adds(b, "notice ");
        break;
    case BACKEND_SPEECH_STARTED:
        buf_addf(b, "started:%u ", (unsigned)ev->at);
        break;
    case BACKEND_SPEECH_STOPPED:
        buf_addf(b, "stopped:%u ", (unsigned)ev->at);
        break;
    case BACKEND_HEARD_PART:
        buf_addf(b, "part(%s) ", ev->text);
        break;
    case BACKEND_HEARD:
        buf_addf(b, "heard(%s)%s%s ", ev->text, ev->committed ? "+committed" : "",
                 ev->late ? "+late" : "");
        break;
    case BACKEND_REPLY_STARTED:
        buf_addf(b, "reply%u ", ev->item);
        break;
    case BACKEND_REPLY_TEXT:
        buf_addf(b, "text%u(%s) ", ev->item, ev->text);
        break;
    case BACKEND_REPLY_AUDIO:
        buf_addf(b, "audio%u:%zu ", ev->item, ev->count);
        break;
    case BACKEND_REPLY_DONE:
        buf_addf(b, "done%u%s ", ev->item, ev->cancelled ? "-cancelled" : "");
        st->timing = ev->timing;
        break;
    case BACKEND_GLANCED:
        break;
    case BACKEND_USAGE:
        buf_addf(b, "usage:%u ", (unsigned)ev->usage.audio_out);
        st->usage = ev->usage;
        break;
    case BACKEND_LINK:
        buf_adds(b, ev->connected ? "link+ " : "link- ");
        break;
    case BACKEND_ERROR:
        buf_adds(b, ev->fatal ? "fatal " : "error ");
        st->error = *ev->error;
        break;
    }
    if (st->on_event != NULL)
        st->on_event(st, ev);
}

static const char *taken(struct buf *b)
{
    if (b->len > 0 && b->data[b->len - 1] == ' ')
        b->data[--b->len] = '\0';
    return buf_str(b);
}

const char *scene_told(struct scene *st)
{
    static char text[8192];

    snprintf(text, sizeof text, "%s", taken(&st->told));
    buf_clear(&st->told);
    return text;
}

/* --- what it sends */

struct frames {
    struct buf *b;
    bool open;
    unsigned first, last;
};

static void frames_end(struct frames *f)
{
    if (f->open && f->last > f->first)
        buf_addf(f->b, "%u-%u", f->first, f->last);
    else if (f->open)
        buf_addf(f->b, "%u", f->first);
}

static void frames_add(struct frames *f, unsigned n)
{
    if (f->open && n == f->last + 1) {
        f->last = n;
        return;
    }
    frames_end(f);
    if (f->open)
        buf_adds(f->b, ",");
    f->open = true;
    f->first = f->last = n;
}

/* The frames in one message after the other, as one stretch. */
static void add_audio(struct frames *f, const char *base64)
{
    static int16_t x[1 << 20];
    size_t n = 0, i = 0;

    assert_non_null(base64);
    assert_int_equal(wire_get_pcm(x, &n, base64), 0);
    for (; i + 2 < n; i++)
        if (x[i] == MARK)
            frames_add(f, (unsigned)x[i + 1] + (unsigned)x[i + 2] * 30000);
}

static void add_item(struct buf *b, const cJSON *m)
{
    const char *role = json_str(m, "item.role");
    const cJSON *content = cJSON_GetArrayItem(json_path(m, "item.content"), 0);
    const char *audio = json_str(content, "audio");
    struct frames f = {.b = b};

    role = json_str(json_get(m, "item"), "role");
    if (audio == NULL) {
        buf_addf(b, "%s(%s) ", role, json_str(content, "text"));
        return;
    }
    buf_adds(b, "said");
    add_audio(&f, audio);
    frames_end(&f);
    buf_adds(b, " ");
}

static void add_message(struct buf *b, const char *type, const cJSON *m)
{
    const char *instructions = json_str(json_get(m, "response"), "instructions");

    if (strcmp(type, "session.update") == 0)
        buf_adds(b, "update ");
    else if (strcmp(type, "input_audio_buffer.commit") == 0)
        buf_adds(b, "commit ");
    else if (strcmp(type, "input_audio_buffer.clear") == 0)
        buf_adds(b, "clear ");
    else if (strcmp(type, "conversation.item.create") == 0)
        add_item(b, m);
    else if (strcmp(type, "response.create") == 0)
        buf_adds(b, instructions != NULL ? "respond+ " : "respond ");
    else if (strcmp(type, "response.cancel") == 0)
        buf_addf(b, "cancel(%s) ", json_str(m, "response_id"));
    else if (strcmp(type, "conversation.item.truncate") == 0)
        buf_addf(b, "truncate(%s:%.0f) ", json_str(m, "item_id"), json_num(m, "audio_end_ms", -1));
    else
        buf_addf(b, "%s ", type);
}

const char *scene_sent_on(struct scene *st, size_t line)
{
    static char text[16384];
    size_t count = fake_transport_line(st->net, line)->sent;
    struct frames f = {.b = &st->sent};

    for (; st->read[line] < count; st->read[line]++) {
        const char *json = fake_transport_sent(st->net, line, st->read[line]);
        cJSON *m = cJSON_Parse(json);
        const char *type = json_str(m, "type");
        assert_non_null(type);
        if (strcmp(type, "input_audio_buffer.append") == 0) {
            if (!f.open)
                buf_adds(&st->sent, "a");
            add_audio(&f, json_str(m, "audio"));
        } else {
            frames_end(&f);
            if (f.open)
                buf_adds(&st->sent, " ");
            f.open = false;
            add_message(&st->sent, type, m);
        }
        cJSON_Delete(m);
    }
    frames_end(&f);
    snprintf(text, sizeof text, "%s", taken(&st->sent));
    buf_clear(&st->sent);
    return text;
}

const char *scene_sent(struct scene *st)
{
    return scene_sent_on(st, fake_transport_last(st->net));
}

/* --- the scene */

int scene_setup(void **state)
{
    struct scene *st = calloc(1, sizeof *st);

    assert_non_null(st);
    if (!fake_clock_works())
        skip();
    *state = st;
    uv_loop_init(&st->loop);
    fake_clock_start();
    st->net = the_net = fake_transport_new(&st->loop);
    for (int i = 0; i < 2; i++)
        st->endpoints[i] = (struct endpoint){.name = i == 0 ? "one" : "two",
                                             .dialect = "generic",
                                             .url = i == 0 ? "ws://one/" : "ws://two/",
                                             .model = "m"};
    st->config = (struct backend_config){.loop = &st->loop,
                                         .log = &st->log,
                                         .event = on_event,
                                         .user = st,
                                         .endpoints = st->endpoints,
                                         .endpoint_count = 1,
                                         .speak = true,
                                         .turn_detection = true};
    return 0;
}

void scene_close(struct scene *st)
{
    if (st->backend != NULL)
        st->backend->ops->close(st->backend);
    st->backend = NULL;
}

int scene_teardown(void **state)
{
    struct scene *st = *state;

    scene_close(st);
    scene_pass(st, 1000);
    fake_transport_free(st->net);
    scene_pass(st, 1);
    fake_clock_stop();
    assert_int_equal(uv_loop_close(&st->loop), 0);
    buf_free(&st->told);
    buf_free(&st->sent);
    free(st);
    return 0;
}

void scene_pass(struct scene *st, double ms)
{
    fake_clock_run(&st->loop, ms);
}

void scene_open(struct scene *st)
{
    struct err e = {0};

    if (backend_realtime.open(&st->backend, &st->config, &e) < 0)
        fail_msg("%s", e.text);
    scene_pass(st, 1);
}

void scene_ready(struct scene *st)
{
    scene_says(st, "{\"type\":\"session.created\"}");
}

void scene_speak(struct scene *st, unsigned frames)
{
    int16_t x[FRAME];

    for (unsigned k = 0; k < frames; k++) {
        for (int i = 0; i < FRAME; i++)
            x[i] = FILL;
        x[0] = MARK;
        x[1] = (int16_t)(st->frame % 30000);
        x[2] = (int16_t)(st->frame / 30000);
        st->frame++;
        assert_true(st->backend->ops->append(st->backend, x, FRAME) >= 0);
    }
}

void scene_says(struct scene *st, const char *json)
{
    fake_transport_deliver(st->net, fake_transport_last(st->net), json);
    scene_pass(st, 1);
}

void scene_saysf(struct scene *st, const char *fmt, ...)
{
    char text[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    scene_says(st, text);
}

void scene_speech(struct scene *st, unsigned from_ms, unsigned to_ms, const char *item)
{
    scene_saysf(st,
                "{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":%u,"
                "\"item_id\":\"%s\"}",
                from_ms, item);
    scene_saysf(st,
                "{\"type\":\"input_audio_buffer.speech_stopped\",\"audio_end_ms\":%u,"
                "\"item_id\":\"%s\"}",
                to_ms, item);
    scene_saysf(st, "{\"type\":\"input_audio_buffer.committed\",\"item_id\":\"%s\"}", item);
}

void scene_reply(struct scene *st, const char *reply)
{
    scene_saysf(st, "{\"type\":\"response.created\",\"response\":{\"id\":\"%s\"}}", reply);
}

void scene_text(struct scene *st, const char *reply, const char *text)
{
    scene_saysf(st,
                "{\"type\":\"response.output_audio_transcript.delta\",\"response_id\":\"%s\","
                "\"delta\":\"%s\"}",
                reply, text);
}

void scene_audio(struct scene *st, const char *reply, const char *item, unsigned ms)
{
    struct buf b = BUF_INIT;
    size_t n = (size_t)ms * 24;
    int16_t *x = calloc(n + 1, sizeof *x);

    assert_non_null(x);
    buf_addf(&b,
             "{\"type\":\"response.output_audio.delta\",\"response_id\":\"%s\",\"item_id\":\"%s\","
             "\"delta\":\"",
             reply, item);
    wire_put_pcm(&b, x, n);
    buf_adds(&b, "\"}");
    scene_says(st, buf_str(&b));
    buf_free(&b);
    free(x);
}

void scene_done(struct scene *st, const char *reply, const char *status)
{
    scene_saysf(st, "{\"type\":\"response.done\",\"response\":{\"id\":\"%s\",\"status\":\"%s\"}}",
                reply, status);
}

void scene_heard(struct scene *st, const char *item, const char *text)
{
    scene_saysf(st,
                "{\"type\":\"conversation.item.input_audio_transcription.completed\","
                "\"item_id\":\"%s\",\"transcript\":\"%s\"}",
                item, text);
}

void scene_cut(struct scene *st)
{
    fake_transport_break(st->net, fake_transport_last(st->net));
    scene_pass(st, 1);
}
