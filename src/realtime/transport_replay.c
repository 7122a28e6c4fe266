/* The transport that plays a recording back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/recorder.h"
#include "util/clock.h"

#define BYTES     "_bytes" /* what the name of audio that was left out ends with */
#define AUDIO_MAX (4 << 20)

struct transport {
    const struct recording *recording;
    struct ws_config config;
    uv_timer_t timer;
    unsigned connection;
    size_t next;    /* of its lines */
    double base_ms; /* the recording's time when it was opened */
    int64_t opened_ns;
    bool gone; /* freed: the timer closes */
};

static bool is_ours(const struct transport *t, size_t i)
{
    const struct recording_line *l = &t->recording->lines[i];

    return l->connection == t->connection &&
           (l->way == RECORDING_OPENED || l->way == RECORDING_RECEIVED ||
            (l->way == RECORDING_CLOSED && !json_bool(l->line, "own", false)));
}

/* --- messages */

/* As much silence as there was audio: "delta_bytes" beside an empty "delta". */
static void fill_in(cJSON *o, const cJSON *count)
{
    size_t n = strlen(count->string) - strlen(BYTES);
    long long bytes = json_int(o, count->string, 1, AUDIO_MAX, 0) / 6 * 8;
    char name[64], *silence;
    cJSON *audio;

    if (n == 0 || n >= sizeof name || bytes == 0)
        return;
    memcpy(name, count->string, n);
    name[n] = '\0';
    audio = cJSON_GetObjectItemCaseSensitive(o, name);
    if (!cJSON_IsString(audio) || audio->valuestring[0] != '\0')
        return;
    silence = malloc((size_t)bytes + 1);
    if (silence == NULL)
        return;
    memset(silence, 'A', (size_t)bytes);
    silence[bytes] = '\0';
    cJSON_SetValuestring(audio, silence);
    free(silence);
}

static bool is_count(const cJSON *o)
{
    size_t n = o->string != NULL ? strlen(o->string) : 0;

    return cJSON_IsNumber(o) && n > strlen(BYTES) &&
           strcmp(o->string + n - strlen(BYTES), BYTES) == 0;
}

/* Bounded by the depth that json_parse lets through. */
static void fill_in_all(cJSON *o) /* NOLINT(misc-no-recursion) */
{
    for (cJSON *child = o->child; child != NULL; child = child->next) {
        if (child->child != NULL)
            fill_in_all(child);
        else if (cJSON_IsObject(o) && is_count(child))
            fill_in(o, child);
    }
}

static void deliver_message(struct transport *t, const cJSON *line)
{
    const cJSON *event = json_get(line, "event");
    const char *raw = json_str(line, "raw");
    cJSON *copy = event != NULL ? cJSON_Duplicate(event, true) : NULL;
    char *text = NULL;

    if (copy != NULL) {
        fill_in_all(copy);
        text = cJSON_PrintUnformatted(copy);
    }
    cJSON_Delete(copy);
    if (text != NULL || raw != NULL)
        t->config.message(t->config.user, text != NULL ? text : raw,
                          strlen(text != NULL ? text : raw), false);
    cJSON_free(text);
}

static void deliver_end(struct transport *t, const cJSON *line)
{
    const char *reason = json_str(line, "reason"), *text = json_str(line, "text");
    struct err error;
    struct ws_closed how = {
        .end = (enum ws_end)json_int(line, "end", WS_CLOSED, WS_INVALID, WS_BROKEN),
        .code = (int)json_int(line, "code", 0, 4999, 0),
        .reason = reason != NULL ? reason : "",
        .http_status = (int)json_int(line, "http_status", 0, 599, 0),
        .retry_after_s = -1,
        .error = &error};

    err_set(&error, how.http_status == 401 || how.http_status == 403 ? STATUS_AUTH : STATUS_NETWORK,
            -EIO, "%s", text != NULL ? text : "the recorded connection ended");
    t->config.closed(t->config.user, &how);
}

/* --- time */

static void on_time(uv_timer_t *timer);

static void wait_for_next(struct transport *t)
{
    const struct recording *r = t->recording;
    double in_ms;

    while (t->next < r->count && !is_ours(t, t->next))
        t->next++;
    if (t->next == r->count)
        return;
    in_ms = r->lines[t->next].t_ms - t->base_ms - clock_ms_since(t->opened_ns);
    uv_update_time(t->config.loop);
    uv_timer_start(&t->timer, on_time, in_ms > 0 ? (uint64_t)in_ms : 0, 0);
}

static void on_time(uv_timer_t *timer)
{
    struct transport *t = timer->data;
    const struct recording_line *l = &t->recording->lines[t->next++];

    if (l->way == RECORDING_OPENED)
        t->config.opened(t->config.user);
    else if (l->way == RECORDING_RECEIVED)
        deliver_message(t, l->line);
    else
        deliver_end(t, l->line);
    if (!t->gone)
        wait_for_next(t);
}

/* --- the transport */

static int replay_open(struct transport **out, void *context, const struct ws_config *config,
                       struct err *e)
{
    struct transport_replay *c = context;
    struct transport *t = calloc(1, sizeof *t);

    *out = NULL;
    if (t == NULL || uv_timer_init(config->loop, &t->timer) < 0) {
        free(t);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    t->timer.data = t;
    t->recording = c->recording;
    t->config = *config;
    t->connection = ++c->connections;
    t->opened_ns = clock_ns();
    while (t->next < t->recording->count &&
           t->recording->lines[t->next].connection != t->connection)
        t->next++;
    if (t->next < t->recording->count)
        t->base_ms = t->recording->lines[t->next].t_ms;
    wait_for_next(t);
    *out = t;
    return 0;
}

static int replay_send(struct transport *t, const char *text, size_t n)
{
    (void)t;
    (void)text;
    (void)n;
    return 0;
}

static size_t replay_waiting(const struct transport *t)
{
    (void)t;
    return 0;
}

static void replay_watch(struct transport *t, int interval_ms, int patience_ms)
{
    (void)t;
    (void)interval_ms;
    (void)patience_ms;
}

static double replay_rtt_ms(const struct transport *t)
{
    (void)t;
    return -1;
}

/* Nobody is there to answer. */
static void on_end(uv_timer_t *timer)
{
    struct transport *t = timer->data;

    t->config.closed(
        t->config.user,
        &(struct ws_closed){.end = WS_CLOSED, .code = 1000, .reason = "", .retry_after_s = -1});
}

static void replay_close(struct transport *t, int code, const char *reason)
{
    (void)code;
    (void)reason;
    t->next = t->recording->count;
    uv_timer_start(&t->timer, on_end, 0, 0);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void replay_free(struct transport *t)
{
    if (t == NULL)
        return;
    t->gone = true;
    uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}

const struct transport_ops transport_replay = {
    .open = replay_open,
    .send = replay_send,
    .waiting = replay_waiting,
    .watch = replay_watch,
    .rtt_ms = replay_rtt_ms,
    .close = replay_close,
    .free = replay_free,
};
