#include "net/ws.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "net/easy.h"
#include "net/frames.h"
#include "net/http_error.h"
#include "net/stream.h"
#include "net/upgrade.h"
#include "util/clock.h"
#include "util/text.h"

enum {
    CONNECT_MS = 5000,
    CLOSE_MS = 2000,
    WORDS_MS = 1000, /* for the rest of a refusal */
    MAX_MESSAGE = 16 << 20,
    SHOWN_URL = 200,
    REASON = 128,
    READ_BYTES = 16 << 10,
    MAX_PONG_BEHIND = 64 << 10,
    /* What one turn of the loop may be kept busy with. */
    MAX_READS = 8,
    MAX_EVENTS = 32,
};

enum state {
    CONNECTING,
    ASKING, /* the request is sent: its answer is to come */
    OPEN,
    CLOSING, /* we have sent a close frame, and wait for the server's */
    LEAVING, /* it is over; what is to be sent is being sent, what comes is dropped */
    OVER,    /* closed was told */
};

struct ws {
    struct ws_config c;
    struct stream *stream;
    struct frames *frames;
    uv_timer_t deadline, watch;
    int handles;
    bool dead;
    enum state state;

    char *url; /* as libcurl knows it */
    char shown[SHOWN_URL], key[UPGRADE_KEY];
    struct curl_slist *headers, *secrets; /* "x: value": also those of the address */
    struct buf answer;

    char in[READ_BYTES]; /* what was read and not taken yet */
    const char *at;
    size_t left;
    bool taken; /* all of it; frames keeps some of it as well */

    int interval_ms, patience_ms;
    int64_t heard_ns, ping_due_ns,
        pinged_ns; /* pinged_ns: of the ping without an answer; 0: none */
    double rtt_ms;
    char pong[125]; /* to be sent when what waits before it is gone */
    size_t pong_n;
    bool pong_due;

    struct ws_closed how;
    struct err error;
    char reason[REASON];
};

/* The end. */

static void stop(struct ws *w)
{
    uv_timer_stop(&w->deadline);
    uv_timer_stop(&w->watch);
    stream_free(w->stream);
    w->stream = NULL;
}

/* From the loop only; w may be gone afterwards. */
static void tell_closed(struct ws *w)
{
    stop(w);
    w->state = OVER;
    w->how.error = &w->error;
    w->c.closed(w->c.user, &w->how);
}

/* How it ends; w->error says why. */
static void end_as(struct ws *w, enum ws_end end, int code, int http_status)
{
    w->how.end = end;
    w->how.code = code;
    w->how.http_status = http_status;
    w->how.reason = w->reason;
}

static void break_off(struct ws *w)
{
    if (w->state == CLOSING || w->state == LEAVING)
        end_as(w, w->state == LEAVING ? w->how.end : WS_CLOSED,
               w->state == LEAVING ? w->how.code : 1006, 0);
    else
        end_as(w, WS_BROKEN, 0, 0);
    tell_closed(w);
}

static void on_deadline(uv_timer_t *timer);

/* It ends when what waits is sent, and after 2 s at the latest. */
static void leave(struct ws *w)
{
    w->state = LEAVING;
    if (stream_waiting(w->stream) == 0)
        tell_closed(w);
    else
        uv_timer_start(&w->deadline, on_deadline, CLOSE_MS, 0);
}

static void send_close(struct ws *w, int code, const char *reason)
{
    /* Out of memory, it goes without a word. */
    (void)frames_write_close(w->frames, stream_out(w->stream), code, reason);
    stream_flush(w->stream);
}

/* What comes. */

static void send_pong(struct ws *w, const char *bytes, size_t n)
{
    /* A server that pings without reading gets an answer to the last one only. */
    w->pong_due = stream_waiting(w->stream) >= MAX_PONG_BEHIND;
    if (!w->pong_due) {
        (void)frames_write(w->frames, stream_out(w->stream), FRAMES_PONG, bytes, n);
        stream_flush(w->stream);
    } else if (bytes != w->pong) {
        memcpy(w->pong, bytes, n);
        w->pong_n = n;
    }
}

static size_t ping_text(const struct ws *w, char text[24])
{
    return (size_t)snprintf(text, 24, "%" PRId64, w->pinged_ns);
}

static void take_pong(struct ws *w, const char *bytes, size_t n)
{
    char text[24];

    if (w->pinged_ns == 0 || n != ping_text(w, text) || memcmp(text, bytes, n) != 0)
        return;
    w->rtt_ms = clock_ms_since(w->pinged_ns);
    w->pinged_ns = 0;
}

static void describe_close(struct ws *w, int code)
{
    const char *asked = w->state == CLOSING ? "" : "by the server ";

    if (w->reason[0] != '\0')
        err_set(&w->error, STATUS_FAILED, -ECONNRESET,
                "the connection to '%s' was closed %s(code %d): \"%s\"", w->shown, asked, code,
                w->reason);
    else
        err_set(&w->error, STATUS_FAILED, -ECONNRESET,
                "the connection to '%s' was closed %s(code %d)", w->shown, asked, code);
}

static void take_close(struct ws *w, const struct frames_event *event)
{
    size_t n = event->n < REASON - 1 ? event->n : REASON - 1;

    memcpy(w->reason, event->bytes, n);
    w->reason[n] = '\0';
    easy_redact(w->secrets, w->reason);
    text_line(w->reason);
    describe_close(w, event->code);
    end_as(w, WS_CLOSED, event->code, 0);
    if (w->state == CLOSING) {
        tell_closed(w);
        return;
    }
    send_close(w, event->code, "");
    leave(w);
}

static void take_invalid(struct ws *w, const struct frames_event *event)
{
    err_set(&w->error, STATUS_FAILED, -EPROTO, "'%s' breaks the rules of WebSocket: %s", w->shown,
            event->why);
    if (w->state == CLOSING) {
        break_off(w);
        return;
    }
    end_as(w, WS_INVALID, 0, 0);
    send_close(w, event->code, "");
    leave(w);
}

static void take_event(struct ws *w, const struct frames_event *event)
{
    switch (event->kind) {
    case FRAMES_TEXT:
    case FRAMES_BINARY:
        w->c.message(w->c.user, event->bytes, event->n, event->kind == FRAMES_BINARY);
        break;
    case FRAMES_PING:
        if (w->state == OPEN)
            send_pong(w, event->bytes, event->n);
        break;
    case FRAMES_PONG:
        take_pong(w, event->bytes, event->n);
        break;
    case FRAMES_CLOSE:
        take_close(w, event);
        break;
    case FRAMES_INVALID:
        take_invalid(w, event);
        break;
    case FRAMES_FAILED:
        err_set(&w->error, STATUS_FAILED, -ENOMEM, "out of memory in a message from '%s'",
                w->shown);
        break_off(w);
        break;
    case FRAMES_NONE:
        break;
    }
}

/* The answer to the request. */

static void watch_again(struct ws *w);

static void open_up(struct ws *w)
{
    uv_timer_stop(&w->deadline);
    w->state = OPEN;
    w->heard_ns = clock_ns();
    w->ping_due_ns = w->heard_ns + w->interval_ms * INT64_C(1000000);
    watch_again(w);
    w->c.opened(w->c.user);
}

static void refuse(struct ws *w, struct upgrade_answer *a)
{
    char location[SHOWN_URL] = "";
    CURLU *u = curl_url();
    char *whole = NULL;

    easy_redact(w->secrets, a->words);
    if (a->location[0] != '\0' && u != NULL &&
        curl_url_set(u, CURLUPART_URL, w->url, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, a->location, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &whole, 0) == CURLUE_OK)
        http_error_url(location, sizeof location, whole);
    curl_free(whole);
    curl_url_cleanup(u);
    http_error_status(&w->error, w->shown, a->status, location, a->words);
    if (a->status / 100 == 2)
        err_set(&w->error, STATUS_FAILED, -EPROTO,
                "'%s' answered HTTP %d and no WebSocket: check the address", w->shown, a->status);
    w->how.retry_after_s = a->retry_after_s;
    end_as(w, WS_REFUSED, 0, a->status);
    tell_closed(w);
}

static void reject(struct ws *w, enum upgrade_step step, const struct upgrade_answer *a)
{
    if (step == UPGRADE_INVALID)
        err_set(&w->error, STATUS_FAILED, -EPROTO, "'%s' does not answer as a WebSocket server: %s",
                w->shown, a->why);
    else if (step == UPGRADE_TOO_LONG)
        err_set(&w->error, STATUS_FAILED, -EMSGSIZE,
                "the header of the answer of '%s' is longer than %d bytes: is the address right?",
                w->shown, UPGRADE_MAX_HEAD);
    else
        http_error_transport(&w->error, w->shown, CURLE_WEIRD_SERVER_REPLY, "", 0);
    end_as(w, WS_REFUSED, 0, a->status);
    tell_closed(w);
}

/* Takes all that was read; frames that rode along with the answer stay for the next step. ended:
 * nothing more will come. False when it is still not complete. */
static bool take_answer(struct ws *w, bool ended)
{
    size_t before = w->answer.len;
    struct upgrade_answer a;
    enum upgrade_step step;

    buf_add(&w->answer, w->at, w->left);
    if (buf_failed(&w->answer)) {
        err_set(&w->error, STATUS_FAILED, -ENOMEM, "out of memory in an answer of '%s'", w->shown);
        break_off(w);
        return true;
    }
    step = upgrade_read(buf_str(&w->answer), w->answer.len, ended, w->key, w->headers, &a);
    if (step == UPGRADE_OPEN) {
        w->at += a.head - before;
        w->left -= a.head - before;
        open_up(w);
        return true;
    }
    w->left = 0;
    w->taken = true;
    if (step == UPGRADE_MORE) {
        if (a.head > 0 && uv_timer_get_due_in(&w->deadline) > WORDS_MS)
            uv_timer_start(&w->deadline, on_deadline, WORDS_MS, 0);
        return false;
    }
    if (step == UPGRADE_REFUSED)
        refuse(w, &a);
    else
        reject(w, step, &a);
    return true;
}

/* Nothing more will come: the server has gone (why is none), or cannot be heard any more. */
static void take_end(struct ws *w, const struct err *why)
{
    w->left = 0;
    if (w->state == ASKING && w->answer.len > 0 && take_answer(w, true))
        return;
    if (why->code != 0 && w->state != LEAVING)
        w->error = *why;
    else if (w->state != LEAVING)
        err_set(&w->error, STATUS_NETWORK, -ECONNRESET,
                "'%s' has hung up without a word: try again", w->shown);
    break_off(w);
}

/* Reading: what was read is taken to its end before more is. */

/* False when there is nothing to take, or it is over. */
static bool fill(struct ws *w)
{
    struct err e = {0};
    ssize_t n = stream_read(w->stream, w->in, sizeof w->in, &e);

    if (n == -EAGAIN)
        return false;
    if (n <= 0) {
        take_end(w, &e);
        return false;
    }
    w->heard_ns = clock_ns();
    w->at = w->in;
    w->left = (size_t)n;
    w->taken = false;
    return true;
}

static bool is_reading(const struct ws *w)
{
    return !w->dead && w->state != CONNECTING && w->state != OVER;
}

static void take_input(struct ws *w)
{
    struct frames_event event;

    if (w->state == LEAVING) {
        w->taken = true;
    } else if (w->state == ASKING) {
        take_answer(w, false);
    } else {
        event = frames_read(w->frames, &w->at, &w->left);
        w->taken = event.kind == FRAMES_NONE;
        take_event(w, &event);
    }
}

static void on_readable(void *user)
{
    struct ws *w = user;
    int reads = 0, events = 0;

    while (is_reading(w) && events < MAX_EVENTS && reads < MAX_READS) {
        if (w->taken) {
            reads++;
            if (!fill(w))
                return;
        }
        take_input(w);
        events++;
    }
    if (is_reading(w))
        stream_again(w->stream);
}

static void on_drained(void *user)
{
    struct ws *w = user;

    if (w->state == LEAVING) {
        if (stream_waiting(w->stream) == 0)
            tell_closed(w);
        return;
    }
    if (w->pong_due && w->state == OPEN)
        send_pong(w, w->pong, w->pong_n);
    if (w->c.drained != NULL && w->state == OPEN)
        w->c.drained(w->c.user);
}

static void on_broken(void *user, const struct err *why)
{
    struct ws *w = user;

    take_end(w, why);
}

static void on_ready(void *user)
{
    struct ws *w = user;

    if (w->state != CONNECTING)
        return;
    w->state = ASKING;
    upgrade_request(stream_out(w->stream), w->url, w->headers, w->key);
    if (buf_failed(stream_out(w->stream))) {
        err_set(&w->error, STATUS_FAILED, -ENOMEM, "out of memory in a connection to '%s'",
                w->shown);
        break_off(w);
        return;
    }
    stream_flush(w->stream);
}

/* Time. */

static void on_deadline(uv_timer_t *timer)
{
    struct ws *w = timer->data;

    if (w->state == CONNECTING)
        http_error_transport(&w->error, w->shown, CURLE_OPERATION_TIMEDOUT, "", 0);
    else if (w->state == ASKING && w->answer.len > 0 && take_answer(w, true))
        return;
    else if (w->state == ASKING)
        err_set(&w->error, STATUS_NETWORK, -ETIMEDOUT,
                "'%s' did not answer in time: it hangs or is overloaded; try again", w->shown);
    else if (w->state == CLOSING)
        err_set(&w->error, STATUS_FAILED, -ETIMEDOUT,
                "'%s' did not answer that the connection is to be closed", w->shown);
    break_off(w);
}

static void ping(struct ws *w, int64_t now)
{
    char text[24];
    size_t n;

    /* One that is not answered yet goes out again as it was: its time is what counts. */
    if (w->pinged_ns == 0)
        w->pinged_ns = now;
    n = ping_text(w, text);
    (void)frames_write(w->frames, stream_out(w->stream), FRAMES_PING, text, n);
    stream_flush(w->stream);
    w->ping_due_ns = now + w->interval_ms * INT64_C(1000000);
}

static bool is_silent(const struct ws *w)
{
    return w->patience_ms > 0 && clock_ms_since(w->heard_ns) >= w->patience_ms;
}

static void on_watch(uv_timer_t *timer)
{
    struct ws *w = timer->data;
    int64_t now;

    /* Where the loop was late, the server need not have been. */
    if (is_silent(w))
        on_readable(w);
    if (w->dead || w->state != OPEN)
        return;
    if (is_silent(w)) {
        err_set(&w->error, STATUS_NETWORK, -ETIMEDOUT,
                "nothing has come from '%s' for %.1f s: the connection is dead", w->shown,
                w->patience_ms / 1000.0);
        break_off(w);
        return;
    }
    now = clock_ns();
    if (w->interval_ms > 0 && now >= w->ping_due_ns)
        ping(w, now);
    watch_again(w);
}

static void watch_again(struct ws *w)
{
    int64_t due = INT64_MAX, now = clock_ns(), patience = w->patience_ms * INT64_C(1000000);

    if (w->state != OPEN)
        return;
    if (w->interval_ms > 0)
        due = w->ping_due_ns;
    if (w->patience_ms > 0 && w->heard_ns + patience < due)
        due = w->heard_ns + patience;
    if (due == INT64_MAX)
        uv_timer_stop(&w->watch);
    else /* rounded up: not before it is due */
        uv_timer_start(&w->watch, on_watch,
                       due > now ? (uint64_t)(due - now + 999999) / 1000000 : 1, 0);
}

void ws_watch(struct ws *w, int interval_ms, int patience_ms)
{
    w->interval_ms = interval_ms;
    w->patience_ms = patience_ms;
    w->heard_ns = clock_ns();
    w->ping_due_ns = w->heard_ns + interval_ms * INT64_C(1000000);
    watch_again(w);
}

double ws_rtt_ms(const struct ws *w)
{
    return w->rtt_ms;
}

/* What the owner calls. */

static int send_message(struct ws *w, enum frames_kind kind, const char *bytes, size_t n)
{
    int rc;

    if (w->state != OPEN)
        return -ENOTCONN;
    rc = frames_write(w->frames, stream_out(w->stream), kind, bytes, n);
    if (rc == 0)
        stream_flush(w->stream);
    return rc;
}

int ws_send(struct ws *w, const char *text, size_t n)
{
    return send_message(w, FRAMES_TEXT, text, n);
}

int ws_send_binary(struct ws *w, const char *bytes, size_t n)
{
    return send_message(w, FRAMES_BINARY, bytes, n);
}

size_t ws_waiting(const struct ws *w)
{
    return w->stream != NULL ? stream_waiting(w->stream) : 0;
}

void ws_close(struct ws *w, int code, const char *reason)
{
    uint64_t wait_ms = CLOSE_MS;

    if (w->state > OPEN)
        return;
    err_set(&w->error, STATUS_FAILED, -ECONNABORTED, "the connection to '%s' was given up",
            w->shown);
    if (w->state == OPEN) {
        send_close(w, code, reason);
        w->state = CLOSING;
        uv_timer_stop(&w->watch);
    } else {
        end_as(w, WS_CLOSED, 1006, 0);
        w->state = LEAVING;
        wait_ms = 0;
    }
    uv_timer_start(&w->deadline, on_deadline, wait_ms, 0);
}

/* Beginning and end. */

/* The address as libcurl wants it: ws is http, wss is https. */
static char *http_url(const char *url)
{
    struct buf b = BUF_INIT;

    if (strncasecmp(url, "ws:", 3) == 0 || strncasecmp(url, "wss:", 4) == 0) {
        buf_adds(&b, "http");
        url += 2;
    }
    buf_adds(&b, url);
    if (!buf_failed(&b))
        return b.data;
    buf_free(&b);
    return NULL;
}

static int add_secret(struct ws *w, const char *value)
{
    struct buf b = BUF_INIT;
    struct curl_slist *l = NULL;

    buf_addf(&b, "address:%s", value);
    if (!buf_failed(&b))
        l = curl_slist_append(w->secrets, b.data);
    buf_free(&b);
    if (l == NULL)
        return -ENOMEM;
    w->secrets = l;
    return 0;
}

/* The password in the address, and what its query says under a name that sounds like a secret. */
static int note_secrets(struct ws *w)
{
    static const char *const names[] = {"key", "token", "secret", "auth", "sig", "pass"};
    char *query = NULL, *password = NULL, *rest = NULL;
    CURLU *u = curl_url();
    int rc = u != NULL && curl_url_set(u, CURLUPART_URL, w->url, 0) == CURLUE_OK ? 0 : -ENOMEM;

    curl_url_get(u, CURLUPART_QUERY, &query, 0);
    curl_url_get(u, CURLUPART_PASSWORD, &password, CURLU_URLDECODE);
    if (password != NULL && rc == 0)
        rc = add_secret(w, password);
    for (char *s = query != NULL ? strtok_r(query, "&", &rest) : NULL; s != NULL && rc == 0;
         s = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(s, '=');

        if (value == NULL)
            continue;
        *value = '\0';
        for (size_t i = 0; i < sizeof names / sizeof *names && rc == 0; i++)
            if (strcasestr(s, names[i]) != NULL)
                rc = add_secret(w, value + 1);
    }
    curl_free(query);
    curl_free(password);
    curl_url_cleanup(u);
    return rc;
}

static void handle_closed(uv_handle_t *handle)
{
    struct ws *w = handle->data;

    if (--w->handles > 0)
        return;
    frames_free(w->frames);
    curl_slist_free_all(w->headers);
    curl_slist_free_all(w->secrets);
    buf_free(&w->answer);
    free(w->url);
    free(w);
}

void ws_free(struct ws *w)
{
    if (w == NULL)
        return;
    w->dead = true;
    stop(w);
    uv_close((uv_handle_t *)&w->deadline, handle_closed);
    uv_close((uv_handle_t *)&w->watch, handle_closed);
}

static int prepare(struct ws *w, const struct ws_config *config, struct err *e)
{
    int rc;

    http_error_url(w->shown, sizeof w->shown, config->url);
    w->url = http_url(config->url);
    if (w->url == NULL)
        return -ENOMEM;
    if (!easy_is_http(w->url))
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "cannot use '%s': write an address such as wss://localhost:8080/v1",
                       w->shown);
    rc = easy_headers(&w->headers, config->headers, w->shown, e);
    if (rc == 0)
        rc = easy_headers(&w->secrets, config->headers, w->shown, e);
    if (rc == 0)
        rc = note_secrets(w);
    if (rc == 0)
        rc = frames_new(&w->frames, w->c.max_message);
    if (rc == 0)
        rc = upgrade_key(w->key);
    return rc;
}

static int begin(struct ws *w, const struct ws_config *config)
{
    const struct stream_config stream = {
        .loop = config->loop,
        .url = w->url,
        .shown = w->shown,
        .cacert = config->cacert,
        .ready = on_ready,
        .readable = on_readable,
        .drained = on_drained,
        .broken = on_broken,
        .user = w,
    };
    int ms = config->connect_ms > 0 ? config->connect_ms : CONNECT_MS;

    uv_timer_start(&w->deadline, on_deadline, (uint64_t)ms, 0);
    return stream_open(&w->stream, &stream);
}

int ws_open(struct ws **out, const struct ws_config *config, struct err *e)
{
    struct ws *w = calloc(1, sizeof *w);
    struct err own = {0};
    int rc;

    *out = NULL;
    if (w == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    w->c = *config;
    w->c.url = w->c.cacert = NULL;
    w->c.headers = NULL;
    if (w->c.max_message == 0)
        w->c.max_message = MAX_MESSAGE;
    w->rtt_ms = -1;
    w->taken = true;
    w->how.retry_after_s = -1;
    uv_timer_init(config->loop, &w->deadline);
    uv_timer_init(config->loop, &w->watch);
    w->deadline.data = w->watch.data = w;
    w->handles = 2;
    rc = prepare(w, config, &own);
    if (rc == 0)
        rc = begin(w, config);
    if (rc == 0) {
        *out = w;
        return 0;
    }
    if (own.code == 0)
        err_set(&own, STATUS_FAILED, rc, "cannot begin a connection to '%s': %s", w->shown,
                strerror(-rc));
    if (e != NULL)
        *e = own;
    ws_free(w);
    return rc;
}
