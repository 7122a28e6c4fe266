#include "realtime/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/text.h"

#define LONG_TEXT 512 /* bytes of base64 from which on it is taken for audio */
#define RAW_MAX   1024
#define WAITS_MAX ((size_t)64 << 20) /* bytes that wait for the disk */

struct recorder {
    struct recorder_config config;
    int64_t began_ns;
    unsigned connections;
    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t more;

    /* under the lock */
    struct buf lines; /* to be written */
    bool closing;
    int failed; /* errno; what comes is dropped */

    int fd; /* the thread's */
    bool told;
};

/* --- writing */

static int write_all(int fd, const struct buf *b)
{
    size_t at = 0;

    while (at < b->len) {
        ssize_t n = write(fd, b->data + at, b->len - at);
        if (n >= 0)
            at += (size_t)n;
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

static void writer(void *user)
{
    struct recorder *r = user;
    struct buf writing = BUF_INIT;
    bool last = false;

    while (!last) {
        uv_mutex_lock(&r->lock);
        while (r->lines.len == 0 && !r->closing)
            uv_cond_wait(&r->more, &r->lock);
        struct buf filled = r->lines;
        r->lines = writing;
        writing = filled;
        last = r->closing;
        uv_mutex_unlock(&r->lock);
        int failed = write_all(r->fd, &writing);
        buf_clear(&writing);
        if (failed != 0) {
            uv_mutex_lock(&r->lock);
            r->failed = failed;
            uv_mutex_unlock(&r->lock);
        }
    }
    buf_free(&writing);
}

static void add_text(struct recorder *r, const char *text)
{
    int failed;

    uv_mutex_lock(&r->lock);
    if (r->failed == 0 && r->lines.len < WAITS_MAX) {
        buf_adds(&r->lines, text);
        buf_adds(&r->lines, "\n");
    }
    if (r->failed == 0 && (r->lines.failed || r->lines.len >= WAITS_MAX))
        r->failed = ENOMEM;
    failed = r->failed;
    uv_cond_signal(&r->more);
    uv_mutex_unlock(&r->lock);
    if (failed != 0 && !r->told)
        log_warn(r->config.log, "'%s' cannot be written any more, the recording ends here: %s",
                 r->config.file, strerror(failed));
    r->told |= failed != 0;
}

static void add_line(struct recorder *r, cJSON *o)
{
    char *text = o != NULL ? cJSON_PrintUnformatted(o) : NULL;

    cJSON_Delete(o);
    if (text == NULL) {
        log_warn(r->config.log, "out of memory: a line of the recording is missing");
        return;
    }
    for (size_t i = 0; r->config.secrets[i] != NULL; i++)
        text_redact(text, r->config.secrets[i]);
    add_text(r, text);
    cJSON_free(text);
}

/* --- lines */

static cJSON *moment(struct recorder *r, unsigned connection, enum recording_way way)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddNumberToObject(o, "t", (double)(int64_t)(clock_ms_since(r->began_ns) * 10) / 10);
    cJSON_AddNumberToObject(o, "c", connection);
    cJSON_AddStringToObject(o, "way", recording_ways[way]);
    return o;
}

static bool is_base64(const char *s, size_t n)
{
    static const char marks[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

    return n >= LONG_TEXT && strspn(s, marks) == n;
}

/* Bounded by the depth that json_parse lets through. */
static void drop_audio(cJSON *value) /* NOLINT(misc-no-recursion) */
{
    cJSON *child, *next;

    for (child = value->child; child != NULL; child = next) {
        next = child->next;
        size_t n = cJSON_IsString(child) ? strlen(child->valuestring) : 0;
        if (n > 0 && child->string != NULL && is_base64(child->valuestring, n)) {
            char name[64];
            snprintf(name, sizeof name, "%s_bytes", child->string);
            child->valuestring[0] = '\0';
            cJSON_AddNumberToObject(value, name, (double)(3 * n) / 4);
        } else if (child->child != NULL) {
            drop_audio(child);
        }
    }
}

unsigned recorder_connection(struct recorder *r)
{
    r->connections++;
    recorder_note(r, r->connections, RECORDING_OPEN);
    return r->connections;
}

void recorder_note(struct recorder *r, unsigned connection, enum recording_way way)
{
    add_line(r, moment(r, connection, way));
}

static void add_raw(cJSON *o, const char *bytes, size_t n)
{
    char raw[RAW_MAX + 1];

    n = n < RAW_MAX ? n : RAW_MAX;
    memcpy(raw, bytes, n);
    raw[n] = '\0';
    json_add_text(o, "raw", raw);
}

void recorder_message(struct recorder *r, unsigned connection, enum recording_way way,
                      const char *json, size_t n)
{
    cJSON *o = moment(r, connection, way), *event;

    if (json_parse(&event, json, n) == 0) {
        if (!r->config.audio)
            drop_audio(event);
        if (!cJSON_AddItemToObject(o, "event", event))
            cJSON_Delete(event);
    } else {
        add_raw(o, json, n);
    }
    add_line(r, o);
}

/* Addresses stand in single quotes in our messages: they are nobody's business. */
static void drop_quoted(char *text)
{
    bool quoted = false;

    for (; *text != '\0'; text++) {
        if (*text == '\'')
            quoted = !quoted;
        else if (quoted)
            *text = '*';
    }
}

void recorder_closed(struct recorder *r, unsigned connection, const struct ws_closed *how, bool own)
{
    cJSON *o = moment(r, connection, RECORDING_CLOSED);
    char text[sizeof how->error->text] = "";

    cJSON_AddNumberToObject(o, "end", how->end);
    cJSON_AddNumberToObject(o, "code", how->code);
    json_add_text(o, "reason", how->reason);
    cJSON_AddNumberToObject(o, "http_status", how->http_status);
    if (how->error != NULL)
        snprintf(text, sizeof text, "%s", how->error->text);
    drop_quoted(text);
    json_add_text(o, "text", text);
    if (own)
        cJSON_AddTrueToObject(o, "own");
    add_line(r, o);
}

/* --- the file */

static int create(struct recorder *r, struct err *e)
{
    const char *file = r->config.file;

    r->fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (r->fd >= 0)
        return 0;
    if (errno == EEXIST)
        return err_set(e, STATUS_USAGE, -EEXIST, "'%s' is there already: --record wants a new file",
                       file);
    return err_set(e, STATUS_FAILED, -errno, "cannot record to '%s': %s", file, strerror(errno));
}

static void add_head(struct recorder *r)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "type", "hullo-recording");
    cJSON_AddNumberToObject(o, "v", 1);
    cJSON_AddStringToObject(o, "hullo", HULLO_VERSION);
    json_add_text(o, "dialect", r->config.dialect);
    json_add_text(o, "model", r->config.model);
    cJSON_AddNumberToObject(o, "task", r->config.task);
    cJSON_AddBoolToObject(o, "speak", r->config.speak);
    add_line(r, o);
}

int recorder_open(struct recorder **out, const struct recorder_config *config, struct err *e)
{
    struct recorder *r = calloc(1, sizeof *r);
    int rc;

    *out = NULL;
    if (r == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    r->config = *config;
    r->began_ns = clock_ns();
    rc = create(r, e);
    if (rc < 0)
        goto no_file;
    if (uv_mutex_init(&r->lock) < 0)
        goto no_lock;
    if (uv_cond_init(&r->more) < 0)
        goto no_condition;
    if (uv_thread_create(&r->thread, writer, r) < 0)
        goto no_thread;
    add_head(r);
    *out = r;
    return 0;

no_thread:
    uv_cond_destroy(&r->more);
no_condition:
    uv_mutex_destroy(&r->lock);
no_lock:
    close(r->fd);
    rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
no_file:
    free(r);
    return rc;
}

void recorder_close(struct recorder *r)
{
    if (r == NULL)
        return;
    uv_mutex_lock(&r->lock);
    r->closing = true;
    uv_cond_signal(&r->more);
    uv_mutex_unlock(&r->lock);
    uv_thread_join(&r->thread);
    if (r->failed != 0 && !r->told)
        log_warn(r->config.log, "the end of '%s' could not be written: %s", r->config.file,
                 strerror(r->failed));
    uv_cond_destroy(&r->more);
    uv_mutex_destroy(&r->lock);
    close(r->fd);
    buf_free(&r->lines);
    free(r);
}
