/* A WebSocket against a scripted server on the same loop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "fake/fake_ws.h"
#include "net/upgrade.h"
#include "net/ws.h"
#include "util/buf.h"

/* libcurl writes through this where the linker lets it: what it writes is counted, and refused or
 * broken as a test says. libuv, of the server, writes by other calls. */
static int writes, written_to;
static bool refuse_writes, break_writes;
static size_t room; /* what is taken before writes are refused */

ssize_t send(int fd, const void *bytes, size_t n, int flags);

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    writes++;
    written_to = fd;
    if (break_writes || (refuse_writes && room == 0)) {
        errno = break_writes ? EPIPE : EAGAIN;
        return -1;
    }
    if (refuse_writes) {
        n = n < room ? n : room;
        room -= n;
    }
    return sendto(fd, bytes, n, flags, NULL, 0);
}

/* Once something was sent. */
static bool counts_writes(void)
{
    return writes > 0;
}

struct fixture {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct fake_ws *server;
    char url[128];
    struct ws *ws;
    struct ws_config config;
    /* What was told. */
    int opened, closed, drained, messages;
    bool binary;
    struct buf last; /* message */
    struct ws_closed how;
    struct err error;
    char reason[128];
    /* What the handlers do. */
    bool free_in_opened, free_in_message, free_in_closed, free_in_drained;
    size_t requests, waiting;
};

static void too_long(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "a test of ws hangs\n");
    abort();
}

static void let_go(struct fixture *f)
{
    ws_free(f->ws);
    f->ws = NULL;
}

static void on_opened(void *user)
{
    struct fixture *f = user;

    f->opened++;
    uv_stop(&f->loop);
    if (f->free_in_opened)
        let_go(f);
}

static void on_message(void *user, const char *bytes, size_t n, bool binary)
{
    struct fixture *f = user;

    assert_int_equal(bytes[n], '\0');
    f->messages++;
    f->binary = binary;
    buf_clear(&f->last);
    buf_add(&f->last, bytes, n);
    uv_stop(&f->loop);
    if (f->free_in_message)
        let_go(f);
}

static void on_drained(void *user)
{
    struct fixture *f = user;

    f->drained++;
    f->waiting = ws_waiting(f->ws);
    uv_stop(&f->loop);
    if (f->free_in_drained)
        let_go(f);
}

static void on_closed(void *user, const struct ws_closed *how)
{
    struct fixture *f = user;

    f->closed++;
    f->how = *how;
    f->error = *how->error;
    snprintf(f->reason, sizeof f->reason, "%s", how->reason);
    uv_stop(&f->loop);
    if (f->free_in_closed)
        let_go(f);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    writes = 0;
    room = 0;
    refuse_writes = break_writes = false;
    if (f == NULL || uv_loop_init(&f->loop) < 0)
        return -1;
    uv_timer_init(&f->loop, &f->watchdog);
    uv_timer_start(&f->watchdog, too_long, 60000, 0);
    uv_unref((uv_handle_t *)&f->watchdog);
    f->server = fake_ws_new(&f->loop);
    snprintf(f->url, sizeof f->url, "ws://127.0.0.1:%d/v1/realtime?model=m&key=topsecretkey",
             fake_ws_port(f->server));
    f->config = (struct ws_config){
        .loop = &f->loop,
        .url = f->url,
        .opened = on_opened,
        .message = on_message,
        .drained = on_drained,
        .closed = on_closed,
        .user = f,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ws_free(f->ws);
    fake_ws_free(f->server);
    uv_close((uv_handle_t *)&f->watchdog, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&f->loop) != 0)
        return -1;
    buf_free(&f->last);
    free(f);
    return 0;
}

static void begin(struct fixture *f)
{
    struct err e = {0};

    assert_int_equal(ws_open(&f->ws, &f->config, &e), 0);
    assert_int_equal(f->opened + f->closed, 0);
}

/* Runs the loop until the count is reached. */
static void wait_for(struct fixture *f, const int *count, int n)
{
    while (*count < n)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void turn(struct fixture *f, int times)
{
    while (times-- > 0)
        uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void wait_for_frames(struct fixture *f, size_t n)
{
    while (fake_ws_frames(f->server) < n)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void wait_for_request(struct fixture *f)
{
    while (fake_ws_requests(f->server) <= f->requests)
        uv_run(&f->loop, UV_RUN_ONCE);
}

/* The next one is waited for. */
static void forget_request(struct fixture *f)
{
    f->requests = fake_ws_requests(f->server);
}

static void open_up(struct fixture *f)
{
    begin(f);
    wait_for(f, &f->opened, 1);
    assert_int_equal(f->closed, 0);
}

static void wait_closed(struct fixture *f, enum ws_end end)
{
    wait_for(f, &f->closed, 1);
    turn(f, 3);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->how.end, end);
    assert_null(strstr(f->error.text, "secret"));
}

static void assert_frame(struct fixture *f, size_t i, int first, const char *payload, size_t n)
{
    const char *got = NULL;
    size_t length = 0;

    assert_int_equal(fake_ws_got(f->server, i, &got, &length), first);
    assert_int_equal(length, n);
    assert_memory_equal(got, payload, n);
}

static void a_message_goes_out_and_one_comes_in(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    assert_int_equal(ws_send(f->ws, "hello", 5), 0);
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_TEXT, "hello", 5);
    assert_false(fake_ws_unmasked(f->server));
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "hi there", 8);
    wait_for(f, &f->messages, 1);
    assert_string_equal(f->last.data, "hi there");
    assert_false(f->binary);
}

/* Some of what was read lies in wslay, where neither the loop nor libcurl sees it. */
static void messages_in_one_piece_come_one_after_the_other(void **state)
{
    static const char three[] = "\x81\x03one\x82\x03two\x81\x05three";
    struct fixture *f = *state;

    open_up(f);
    fake_ws_send(f->server, three, sizeof three - 1);
    wait_for(f, &f->messages, 3);
    assert_string_equal(f->last.data, "three");
}

static void a_message_of_a_megabyte_goes_out_and_comes_in(void **state)
{
    struct fixture *f = *state;
    size_t n = 1 << 20;
    char *big = malloc(n);

    assert_non_null(big);
    for (size_t i = 0; i < n; i++)
        big[i] = (char)(i * 7);
    open_up(f);
    assert_int_equal(ws_send_binary(f->ws, big, n), 0);
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_BINARY, big, n);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_BINARY, big, n);
    wait_for(f, &f->messages, 1);
    assert_true(f->binary);
    assert_int_equal(f->last.len, n);
    assert_memory_equal(f->last.data, big, n);
    free(big);
}

static void each_message_is_one_write(void **state)
{
    struct fixture *f = *state;
    char text[9000];

    memset(text, 'x', sizeof text);
    open_up(f);
    writes = 0;
    for (size_t i = 0; i < 10; i++) {
        ws_send(f->ws, text, i % 2 > 0 ? sizeof text : 10);
        wait_for_frames(f, i + 1);
    }
    if (counts_writes())
        assert_int_equal(writes, 10);
}

static void small_writes_do_not_wait_for_each_other(void **state)
{
    struct fixture *f = *state;
    int on = 0;
    socklen_t length = sizeof on;

    open_up(f);
    if (!counts_writes())
        skip();
    ws_send(f->ws, "x", 1);
    assert_int_equal(getsockopt(written_to, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
    assert_int_not_equal(on, 0);
}

/* The upgrade. */

static void the_request_asks_for_what_was_wanted(void **state)
{
    static const char *const headers[] = {"Authorization: Bearer sk-secret-1234", "X-Other: 1",
                                          NULL};
    struct fixture *f = *state;
    char host[64];
    const char *request;

    f->config.headers = headers;
    open_up(f);
    request = fake_ws_request(f->server);
    snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%d\r\n", fake_ws_port(f->server));
    assert_int_equal(strncmp(request, "GET /v1/realtime?model=m&key=topsecretkey HTTP/1.1\r\n", 52),
                     0);
    assert_non_null(strstr(request, host));
    assert_non_null(strstr(request, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"));
    assert_non_null(strstr(request, "\r\nSec-WebSocket-Version: 13\r\n"));
    assert_non_null(strstr(request, "\r\nAuthorization: Bearer sk-secret-1234\r\nX-Other: 1\r\n"));
    assert_null(strstr(request, "Extensions"));
}

static void frames_that_come_with_the_answer_are_not_lost(void **state)
{
    struct fixture *f = *state;

    fake_ws_rider(f->server,
                  "\x81\x05"
                  "early",
                  7);
    begin(f);
    wait_for(f, &f->messages, 1);
    assert_int_equal(f->opened, 1);
    assert_string_equal(f->last.data, "early");
}

static void an_answer_may_come_in_pieces_and_behind_others(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    char accept[UPGRADE_ACCEPT], key[UPGRADE_KEY] = "";

    fake_ws_answer(f->server, NULL);
    begin(f);
    wait_for_request(f);
    memcpy(key, strstr(fake_ws_request(f->server), "Sec-WebSocket-Key: ") + 19, UPGRADE_KEY - 1);
    assert_int_equal(upgrade_accept(accept, key), 0);
    buf_addf(&b,
             "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
             "HTTP/1.1 101\r\nconnection: keep-alive, upgrade\r\nupgrade: WebSocket\r\n"
             "sec-websocket-accept:  %s \r\n\r\n",
             accept);
    for (size_t i = 0; i < b.len; i++) {
        assert_int_equal(f->opened, 0);
        fake_ws_send(f->server, b.data + i, 1);
        turn(f, 2);
    }
    wait_for(f, &f->opened, 1);
    buf_free(&b);
}

struct refusal {
    const char *answer;
    enum ws_end end;
    int http_status, retry_after_s;
    enum status status;
    const char *words; /* in the message */
    const char *never; /* not in it */
};

static void assert_refused(void **state, const struct refusal *r)
{
    static const char *const headers[] = {"Authorization: Bearer sk-secret-1234", NULL};
    struct fixture *f = *state;

    f->config.headers = headers;
    fake_ws_answer(f->server, r->answer);
    begin(f);
    wait_for_request(f);
    turn(f, 5);
    fake_ws_hang_up(f->server, false);
    wait_closed(f, r->end);
    assert_int_equal(f->opened, 0);
    assert_int_equal(f->how.http_status, r->http_status);
    assert_int_equal(f->how.retry_after_s, r->retry_after_s);
    assert_int_equal(f->how.code, 0);
    assert_int_equal(f->error.status, r->status);
    if (strstr(f->error.text, r->words) == NULL)
        fail_msg("'%s' is not in '%s'", r->words, f->error.text);
    if (r->never != NULL && strstr(f->error.text, r->never) != NULL)
        fail_msg("'%s' is in '%s'", r->never, f->error.text);
    assert_null(strstr(f->error.text, "model=m"));
    let_go(f);
    f->closed = f->opened = 0;
    forget_request(f);
}

static void a_refusal_is_told_in_the_servers_words(void **state)
{
    static const struct refusal refusals[] = {
        {"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n"
         "{\"error\":{\"message\":\"Incorrect API key: sk-secret-1234 (topsecretkey)\"}}",
         WS_REFUSED, 401, -1, STATUS_AUTH, "Incorrect API key: *** (***)", "secret"},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope and more", WS_REFUSED, 403, -1,
         STATUS_AUTH, "\"nope\"", "more"},
        {"HTTP/1.1 404 Not Found\r\n\r\n<html>not here</html>", WS_REFUSED, 404, -1, STATUS_FAILED,
         "HTTP 404; check the address", "html"},
        {"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\nTransfer-Encoding: chunked\r\n\r\n"
         "8\r\nslow dow\r\n1\r\nn\r\n0\r\n\r\n",
         WS_REFUSED, 429, 17, STATUS_FAILED, "\"slow down\"", NULL},
        {"HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\nfull", WS_REFUSED,
         503, -1, STATUS_FAILED, "\"full\"; try again later", NULL},
        {"HTTP/1.1 500 Oh\r\n\r\n\x1b[31mred\x07", WS_REFUSED, 500, -1, STATUS_FAILED,
         "\"[31mred\"", "\x1b"},
        {"HTTP/1.1 307 Go\r\nLocation: /v2?key=abcdefgh\r\n\r\n", WS_REFUSED, 307, -1,
         STATUS_FAILED, "/v2'", "abcdefgh"},
        {"HTTP/1.1 301 Go\r\nLocation: wss://user:pw12345@else.where/\r\n\r\n", WS_REFUSED, 301, -1,
         STATUS_FAILED, "use the address 'wss://else.where'", "pw12345"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", WS_REFUSED, 200, -1, STATUS_FAILED,
         "no WebSocket: check the address", NULL},
    };

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        assert_refused(state, &refusals[i]);
}

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

static void an_answer_that_is_not_to_our_request_is_refused(void **state)
{
    static const struct refusal refusals[] = {
        {SWITCH "\r\n", WS_REFUSED, 101, -1, STATUS_FAILED, "Accept is missing", NULL},
        {SWITCH "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", WS_REFUSED, 101, -1,
         STATUS_FAILED, "Accept is wrong", NULL},
        {SWITCH "Sec-WebSocket-Accept: $\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
         WS_REFUSED, 101, -1, STATUS_FAILED, "extension", NULL},
        {SWITCH "Sec-WebSocket-Accept: $\r\nSec-WebSocket-Protocol: chat\r\n\r\n", WS_REFUSED, 101,
         -1, STATUS_FAILED, "subprotocol", NULL},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: $\r\n\r\n",
         WS_REFUSED, 101, -1, STATUS_FAILED, "another protocol", NULL},
        {"SSH-2.0-OpenSSH_9.2\r\n", WS_REFUSED, 0, -1, STATUS_NETWORK, "does not answer in HTTP",
         NULL},
        {"HTTP/1.1 101 Switching Proto", WS_BROKEN, 0, -1, STATUS_NETWORK, "hung up", NULL},
        {"", WS_BROKEN, 0, -1, STATUS_NETWORK, "hung up", NULL},
    };

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        assert_refused(state, &refusals[i]);
}

static void a_flood_of_headers_ends(void **state)
{
    struct fixture *f = *state;
    char line[1024];

    memset(line, 'x', sizeof line);
    memcpy(line, "A: ", 3);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    fake_ws_answer(f->server, "HTTP/1.1 101 Switching Protocols\r\n");
    begin(f);
    wait_for_request(f);
    for (int i = 0; i < 70 && f->closed == 0; i++) {
        fake_ws_send(f->server, line, sizeof line);
        turn(f, 2);
    }
    wait_closed(f, WS_REFUSED);
    assert_non_null(strstr(f->error.text, "longer than 65536 bytes"));
}

static void a_refusal_without_end_ends(void **state)
{
    struct fixture *f = *state;
    char words[1024];

    memset(words, 'w', sizeof words);
    fake_ws_answer(f->server, "HTTP/1.1 500 Oh\r\n\r\n");
    begin(f);
    wait_for_request(f);
    for (int i = 0; i < 20 && f->closed == 0; i++) {
        fake_ws_send(f->server, words, sizeof words);
        turn(f, 2);
    }
    wait_closed(f, WS_REFUSED);
    assert_non_null(strstr(f->error.text, "wwww..."));
}

static void a_server_that_does_not_answer_in_time_is_given_up(void **state)
{
    static const char *const answers[] = {"", "HTTP/1.1 101 Switching"};
    struct fixture *f = *state;

    f->config.connect_ms = 30;
    for (size_t i = 0; i < 2; i++) {
        fake_ws_answer(f->server, answers[i]);
        begin(f);
        wait_closed(f, WS_BROKEN);
        assert_int_equal(f->error.code, -ETIMEDOUT);
        assert_int_equal(f->error.status, STATUS_NETWORK);
        assert_non_null(strstr(f->error.text, "did not answer in time"));
        let_go(f);
        f->closed = 0;
    }
}

static void words_that_do_not_come_to_an_end_are_told_as_far_as_they_go(void **state)
{
    struct fixture *f = *state;

    f->config.connect_ms = 400;
    fake_ws_answer(f->server, "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nfull up");
    begin(f);
    wait_closed(f, WS_REFUSED);
    assert_int_equal(f->how.http_status, 503);
    assert_non_null(strstr(f->error.text, "\"full up\""));
}

static void the_limit_for_connecting_does_not_outlast_it(void **state)
{
    struct fixture *f = *state;

    f->config.connect_ms = 400;
    open_up(f);
    ws_watch(f->ws, 5, 0);
    wait_for_frames(f, 90); /* 450 ms and more */
    assert_int_equal(f->closed, 0);
}

static void tls_with_a_server_that_has_none_is_given_up(void **state)
{
    struct fixture *f = *state;

    snprintf(f->url, sizeof f->url, "wss://127.0.0.1:%d/?key=topsecretkey",
             fake_ws_port(f->server));
    f->config.connect_ms = 30;
    begin(f);
    wait_closed(f, WS_BROKEN);
    assert_int_equal(f->error.code, -ETIMEDOUT);
    assert_non_null(strstr(f->error.text, "cannot connect to 'wss://127.0.0.1:"));
}

static void a_port_where_nobody_listens_is_told(void **state)
{
    struct fixture *f = *state;

    snprintf(f->url, sizeof f->url, "ws://127.0.0.1:1/?key=topsecretkey");
    begin(f);
    wait_closed(f, WS_BROKEN);
    assert_int_equal(f->error.code, -ECONNREFUSED);
    assert_int_equal(f->error.status, STATUS_NETWORK);
}

static void what_is_no_address_or_no_header_is_a_usage_error(void **state)
{
    static const char *const urls[] = {"",         "localhost",     "ftp://x/",   "ws://",
                                       "wss:/x y", "ws://h:99999/", "ws://a b/c", "wss//x"};
    static const char *const bad[] = {"X: secret\r\nHost: evil", NULL};
    struct fixture *f = *state;
    struct err e = {0};

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        f->config.url = urls[i];
        assert_int_equal(ws_open(&f->ws, &f->config, &e), -EINVAL);
        assert_null(f->ws);
        assert_int_equal(e.status, STATUS_USAGE);
    }
    f->config.url = f->url;
    f->config.headers = bad;
    assert_int_equal(ws_open(&f->ws, &f->config, &e), -EINVAL);
    assert_int_equal(e.status, STATUS_USAGE);
    assert_null(strstr(e.text, "secret"));
    turn(f, 3);
    assert_int_equal(fake_ws_connections(f->server), 0);
}

/* Messages and control frames. */

static void a_message_in_pieces_is_one_with_pings_between(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    fake_ws_frame(f->server, FAKE_TEXT, "gr\xc3", 3);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_PING, "still there?", 12);
    fake_ws_frame(f->server, FAKE_MORE, "", 0);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_PONG, "unasked", 7);
    fake_ws_frame(f->server, FAKE_FIN, "\xbcn", 2);
    wait_for(f, &f->messages, 1);
    assert_string_equal(f->last.data, "gr\xc3\xbcn");
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_PONG, "still there?", 12);
}

/* Bytes from the server, and the code with which the connection is closed for them. */
struct breach {
    const char *bytes;
    size_t n;
    int code;
};

static void assert_breach(void **state, const struct breach *b)
{
    struct fixture *f = *state;
    size_t before = fake_ws_frames(f->server);
    const char *payload = NULL;

    fake_ws_mute(f->server);
    open_up(f);
    fake_ws_send(f->server, b->bytes, b->n);
    wait_closed(f, WS_INVALID);
    assert_int_equal(f->how.code, 0);
    assert_int_equal(f->error.status, STATUS_FAILED);
    assert_int_equal(f->messages, 0);
    wait_for_frames(f, before + 1);
    assert_int_equal(fake_ws_got(f->server, before, &payload, NULL), FAKE_FIN | FAKE_CLOSE);
    assert_int_equal((uint8_t)payload[0] << 8 | (uint8_t)payload[1], b->code);
    let_go(f);
    f->opened = f->closed = 0;
}

#define BYTES(s) s, sizeof(s) - 1

static void who_breaks_the_rules_is_told_so(void **state)
{
    static const struct breach breaches[] = {
        {BYTES("\xc1\x01x"), 1002}, /* a reserved bit */
        {BYTES("\x83\x01x"), 1002}, /* opcode 3 */
        {BYTES("\x8b\x01x"), 1002}, /* opcode 11 */
        {BYTES("\x81\x81"
               "abcdx"),
         1002},                                 /* masked */
        {BYTES("\x80\x01x"), 1002},             /* the rest of nothing */
        {BYTES("\x01\x01x\x81\x01y"), 1002},    /* two at once */
        {BYTES("\x09\x01x"), 1002},             /* half a ping */
        {BYTES("\x89\x7e\x00\x7e"), 1002},      /* a long ping */
        {BYTES("\x81\x7e\x00\x05hello"), 1002}, /* a length longer than need be */
        {BYTES("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), 1002}, /* negative */
        {BYTES("\x88\x01x"), 1002},                                /* half a close code */
        {BYTES("\x88\x02\x03\xed"), 1002},                         /* 1005 */
        {BYTES("\x88\x02\x13\x88"), 1002},                         /* 5000 */
        {BYTES("\x88\x03\x03\xe8\xff"), 1007},                     /* a reason that is no text */
        {BYTES("\x81\x02\xc0\x80"), 1007},                         /* overlong */
        {BYTES("\x01\x02\xf4\x90"), 1007}, /* beyond Unicode, not yet whole */
        {BYTES("\x81\x05\xf4\x90"), 1007}, /* the rest is not waited for */
        {BYTES("\x81\x02x\xc3"), 1007},    /* cut */
    };

    for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++)
        assert_breach(state, &breaches[i]);
}

static void each_text_is_looked_at_from_its_beginning(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "in order", 8);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "no\xff", 3);
    wait_closed(f, WS_INVALID);
    assert_int_equal(f->messages, 1);
}

static void a_message_that_is_too_long_is_refused_before_it_comes(void **state)
{
    static const struct breach breaches[] = {
        {BYTES("\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff."), 1009}, /* 2 GiB are announced */
        {BYTES("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff."), 1009},
        {BYTES("\x02\x05hello\x00\x05hello\x00\x01!"), 1009}, /* together */
    };
    struct fixture *f = *state;

    f->config.max_message = 10;
    for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++)
        assert_breach(state, &breaches[i]);
}

static void a_message_of_just_the_limit_is_taken(void **state)
{
    struct fixture *f = *state;

    f->config.max_message = 10;
    open_up(f);
    fake_ws_frame(f->server, FAKE_TEXT, "12345", 5);
    fake_ws_frame(f->server, FAKE_FIN, "67890", 5);
    wait_for(f, &f->messages, 1);
    assert_string_equal(f->last.data, "1234567890");
}

static void a_flood_does_not_keep_the_loop_busy(void **state)
{
    enum { COUNT = 4000, PER_TURN = 64 };
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    int before = 0;

    open_up(f);
    for (int i = 0; i < COUNT; i++)
        buf_add(&b, "\x81\x01x", 3);
    fake_ws_send(f->server, b.data, b.len);
    buf_free(&b);
    while (f->messages < COUNT) {
        turn(f, 1);
        assert_true(f->messages - before <= PER_TURN);
        before = f->messages;
    }
}

static void pings_without_end_do_not_pile_up_answers(void **state)
{
    struct fixture *f = *state;
    char text[126] = "";
    const char *last = NULL;
    size_t i, n = 0;

    fake_ws_deaf(f->server, false);
    open_up(f);
    fake_ws_deaf(f->server, true);
    refuse_writes = true;
    for (i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "%0120zu", i);
        fake_ws_frame(f->server, FAKE_FIN | FAKE_PING, text, 120);
        turn(f, 1);
    }
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "x", 1);
    wait_for(f, &f->messages, 1);
    if (!counts_writes())
        skip();
    assert_in_range(ws_waiting(f->ws), 60000, 70000);
    refuse_writes = false;
    fake_ws_deaf(f->server, false);
    wait_for(f, &f->drained, 1);
    turn(f, 20);
    n = fake_ws_frames(f->server);
    assert_true(n > 0 && n < 1000);
    fake_ws_got(f->server, n - 1, &last, NULL);
    assert_memory_equal(last, text, 120); /* the last one has its answer */
}

/* Back-pressure. */

static void what_the_server_does_not_read_waits_and_loses_nothing(void **state)
{
    enum { SIZE = 100000 };
    struct fixture *f = *state;
    char *text = malloc(SIZE);
    size_t sent = 0, most;

    assert_non_null(text);
    open_up(f);
    fake_ws_deaf(f->server, true);
    while (ws_waiting(f->ws) < 1 << 20) {
        memset(text, 'a' + (int)(sent % 26), SIZE);
        assert_int_equal(ws_send(f->ws, text, SIZE), 0);
        sent++;
        assert_true(sent < 1000);
    }
    most = ws_waiting(f->ws);
    turn(f, 3);
    assert_int_equal(f->drained, 0);
    fake_ws_deaf(f->server, false);
    wait_for(f, &f->drained, 1);
    assert_in_range(ws_waiting(f->ws), 0, most / 2);
    while (ws_waiting(f->ws) > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    wait_for_frames(f, sent);
    for (size_t i = 0; i < sent; i++) {
        memset(text, 'a' + (int)(i % 26), SIZE);
        assert_frame(f, i, FAKE_FIN | FAKE_TEXT, text, SIZE);
    }
    free(text);
    turn(f, 3);
    assert_int_equal(f->waiting, 0); /* when it was told last */
    most = (size_t)f->drained;
    turn(f, 10);
    assert_int_equal(f->drained, most);
}

/* The system takes that much more; then so much waits, and it was told so often. */
static void make_room(struct fixture *f, size_t bytes, size_t waiting, int drained)
{
    room = bytes;
    while (room > 0 && ws_waiting(f->ws) > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    turn(f, 3);
    assert_int_equal(ws_waiting(f->ws), waiting);
    assert_int_equal(f->drained, drained);
}

static void who_fills_up_again_when_told_is_told_again(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    if (!counts_writes())
        skip();
    for (int round = 1; round <= 3; round++) {
        refuse_writes = true;
        ws_send(f->ws, "hello", 5);
        turn(f, 2);
        assert_int_equal(ws_waiting(f->ws), 11);
        refuse_writes = false;
        wait_for(f, &f->drained, round);
        assert_int_equal(ws_waiting(f->ws), 0);
    }
    wait_for_frames(f, 3);
}

static void it_is_told_at_half_of_what_waited_at_most(void **state)
{
    struct fixture *f = *state;
    char text[1000];

    memset(text, 'x', sizeof text);
    open_up(f);
    if (!counts_writes())
        skip();
    refuse_writes = true;
    for (int i = 0; i < 100; i++)
        ws_send(f->ws, text, sizeof text - 8); /* 1000 with its header */
    assert_int_equal(ws_waiting(f->ws), 100000);
    make_room(f, 30000, 70000, 0);
    make_room(f, 30000, 40000, 1);
    make_room(f, 15000, 25000, 1); /* half of 40000 counts now */
    make_room(f, 10000, 15000, 2);
    make_room(f, 20000, 0, 3);
}

/* What empties it may be a send: the news still comes from the loop. */
static void a_send_that_empties_what_waited_is_told_as_well(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    if (!counts_writes())
        skip();
    refuse_writes = true;
    ws_send(f->ws, "one", 3);
    refuse_writes = false;
    ws_send(f->ws, "two", 3);
    assert_int_equal(ws_waiting(f->ws), 0);
    assert_int_equal(f->drained, 0);
    wait_for(f, &f->drained, 1);
    wait_for_frames(f, 2);
}

/* The line is watched. */

static void pings_measure_the_way(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    assert_true(ws_rtt_ms(f->ws) < 0);
    ws_watch(f->ws, 5, 0);
    while (ws_rtt_ms(f->ws) < 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(fake_ws_got(f->server, 0, NULL, NULL), FAKE_FIN | FAKE_PING);
    wait_for_frames(f, 3);
    assert_int_equal(f->closed, 0);
}

static void silence_breaks_the_connection(void **state)
{
    struct fixture *f = *state;

    fake_ws_mute(f->server);
    open_up(f);
    ws_watch(f->ws, 5, 30);
    wait_closed(f, WS_BROKEN);
    assert_int_equal(f->error.code, -ETIMEDOUT);
    assert_int_equal(f->error.status, STATUS_NETWORK);
    assert_non_null(strstr(f->error.text, "nothing has come"));
    assert_true(fake_ws_frames(f->server) >= 2);
}

static void a_watch_that_was_ended_is_no_more(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    ws_watch(f->ws, 1000, 1);
    ws_watch(f->ws, 0, 0);
    uv_sleep(10);
    turn(f, 3);
    assert_int_equal(f->closed, 0);
}

/* The loop slept, and what came meanwhile was not read. */
static void a_loop_that_was_late_does_not_blame_the_server(void **state)
{
    struct fixture *f = *state;

    fake_ws_mute(f->server);
    open_up(f);
    ws_watch(f->ws, 0, 50);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "here", 4);
    uv_sleep(80);
    wait_for(f, &f->messages, 1);
    assert_int_equal(f->closed, 0);
    wait_closed(f, WS_BROKEN);
}

static void a_watch_set_before_it_is_open_holds(void **state)
{
    struct fixture *f = *state;

    begin(f);
    ws_watch(f->ws, 5, 0);
    wait_for_frames(f, 1);
    assert_int_equal(fake_ws_got(f->server, 0, NULL, NULL), FAKE_FIN | FAKE_PING);
}

/* The end. */

static void a_close_of_ours_is_answered(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    ws_send(f->ws, "last", 4);
    ws_close(f->ws, 1000, "bye");
    ws_close(f->ws, 1001, "again");
    assert_int_equal(ws_send(f->ws, "too late", 8), -ENOTCONN);
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->how.code, 1000);
    assert_string_equal(f->reason, "bye");
    assert_int_equal(fake_ws_frames(f->server), 2);
    assert_frame(f, 0, FAKE_FIN | FAKE_TEXT, "last", 4);
    assert_frame(f, 1, FAKE_FIN | FAKE_CLOSE,
                 BYTES("\x03\xe8"
                       "bye"));
}

static void messages_come_until_the_close_is_answered(void **state)
{
    struct fixture *f = *state;

    fake_ws_mute(f->server);
    open_up(f);
    ws_close(f->ws, 0, "");
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_CLOSE, "", 0);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "usage", 5);
    wait_for(f, &f->messages, 1);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_CLOSE, "", 0);
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->how.code, 1005);
}

static void a_close_that_nobody_answers_ends_after_two_seconds(void **state)
{
    struct fixture *f = *state;
    uint64_t began;

    fake_ws_mute(f->server);
    open_up(f);
    began = uv_hrtime();
    ws_close(f->ws, 1000, "");
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->how.code, 1006);
    assert_true(uv_hrtime() - began > 1900000000u);
}

static void a_close_that_is_answered_by_hanging_up_is_a_close(void **state)
{
    struct fixture *f = *state;

    fake_ws_mute(f->server);
    open_up(f);
    ws_close(f->ws, 1000, "");
    wait_for_frames(f, 1);
    fake_ws_hang_up(f->server, false);
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->how.code, 1006);
}

static void a_close_of_the_servers_is_answered(void **state)
{
    struct fixture *f = *state;

    fake_ws_mute(f->server);
    open_up(f);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_CLOSE, BYTES("\x03\xf0no topsecretkey\n"));
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->how.code, 1008);
    assert_string_equal(f->reason, "no *** ");
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_CLOSE, "\x03\xf0", 2);
    assert_int_equal(ws_send(f->ws, "x", 1), -ENOTCONN);
    assert_int_equal(ws_waiting(f->ws), 0);
}

static void a_server_that_goes_without_a_word_breaks_it(void **state)
{
    struct fixture *f = *state;

    for (int reset = 0; reset < 2; reset++) {
        open_up(f);
        fake_ws_hang_up(f->server, reset != 0);
        wait_closed(f, WS_BROKEN);
        assert_int_equal(f->error.status, STATUS_NETWORK);
        let_go(f);
        f->opened = f->closed = 0;
    }
}

static void what_the_server_said_last_is_what_counts(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    if (!counts_writes())
        skip();
    refuse_writes = true; /* the answer to its close frame cannot go out */
    fake_ws_frame(f->server, FAKE_FIN | FAKE_CLOSE,
                  BYTES("\x03\xf0"
                        "policy"));
    turn(f, 5);
    assert_int_equal(f->closed, 0);
    fake_ws_hang_up(f->server, true);
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->how.code, 1008);
    assert_non_null(strstr(f->error.text, "(code 1008): \"policy\""));
    let_go(f);
    f->opened = f->closed = 0;
    refuse_writes = false;
    open_up(f);
    refuse_writes = true;
    fake_ws_send(f->server, BYTES("\x83\x01x"));
    turn(f, 5);
    fake_ws_hang_up(f->server, true);
    wait_closed(f, WS_INVALID);
    assert_non_null(strstr(f->error.text, "breaks the rules"));
}

/* What it said is still there to be read when a write has failed. */
static void the_last_words_of_a_server_that_went_are_read(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    if (!counts_writes())
        skip();
    fake_ws_frame(f->server, FAKE_FIN | FAKE_CLOSE,
                  BYTES("\x0f\xa1"
                        "expired"));
    break_writes = true;
    ws_send(f->ws, "hello?", 6);
    assert_int_equal(f->closed, 0);
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->how.code, 4001);
    assert_string_equal(f->reason, "expired");
}

static void a_write_that_fails_breaks_it(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    if (!counts_writes())
        skip();
    break_writes = true;
    assert_int_equal(ws_send(f->ws, "hello?", 6), 0);
    assert_int_equal(f->closed, 0);
    wait_closed(f, WS_BROKEN);
}

static void a_close_before_it_is_open_comes_at_once(void **state)
{
    struct fixture *f = *state;

    begin(f);
    ws_close(f->ws, 1000, "");
    assert_int_equal(f->closed, 0);
    turn(f, 3);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->how.end, WS_CLOSED);
    assert_int_equal(f->how.code, 1006);
    let_go(f);
    f->closed = 0;
    fake_ws_answer(f->server, NULL);
    begin(f);
    wait_for_request(f);
    ws_close(f->ws, 1000, "");
    wait_closed(f, WS_CLOSED);
    assert_int_equal(f->opened, 0);
}

static void it_can_be_freed_at_every_step(void **state)
{
    struct fixture *f = *state;

    for (int steps = 0; steps < 12; steps++) {
        begin(f);
        turn(f, steps);
        let_go(f);
        f->opened = 0;
    }
    turn(f, 5);
    assert_int_equal(f->closed, 0);
}

static void it_can_be_freed_in_its_own_handlers(void **state)
{
    struct fixture *f = *state;

    f->free_in_opened = true;
    fake_ws_rider(f->server, "\x81\x01x\x81\x01y", 6);
    begin(f);
    wait_for(f, &f->opened, 1);
    turn(f, 3);
    assert_int_equal(f->messages, 0);
    f->free_in_opened = false;
    f->free_in_message = true;
    f->opened = 0;
    begin(f);
    wait_for(f, &f->messages, 1);
    turn(f, 3);
    assert_int_equal(f->messages, 1);
    f->free_in_message = false;
    f->free_in_closed = true;
    f->opened = 0;
    open_up(f);
    fake_ws_hang_up(f->server, false);
    wait_for(f, &f->closed, 1);
    turn(f, 3);
    assert_int_equal(f->closed, 1);
}

static void it_can_be_freed_when_it_has_drained(void **state)
{
    struct fixture *f = *state;

    f->free_in_drained = true;
    open_up(f);
    if (!counts_writes())
        skip();
    refuse_writes = true;
    ws_send(f->ws, "hello", 5);
    refuse_writes = false;
    wait_for(f, &f->drained, 1);
    turn(f, 3);
    assert_int_equal(f->closed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_goes_out_and_one_comes_in),
        TEST(messages_in_one_piece_come_one_after_the_other),
        TEST(a_message_of_a_megabyte_goes_out_and_comes_in),
        TEST(each_message_is_one_write),
        TEST(small_writes_do_not_wait_for_each_other),
        TEST(the_request_asks_for_what_was_wanted),
        TEST(frames_that_come_with_the_answer_are_not_lost),
        TEST(an_answer_may_come_in_pieces_and_behind_others),
        TEST(a_refusal_is_told_in_the_servers_words),
        TEST(an_answer_that_is_not_to_our_request_is_refused),
        TEST(a_flood_of_headers_ends),
        TEST(a_refusal_without_end_ends),
        TEST(a_server_that_does_not_answer_in_time_is_given_up),
        TEST(words_that_do_not_come_to_an_end_are_told_as_far_as_they_go),
        TEST(the_limit_for_connecting_does_not_outlast_it),
        TEST(tls_with_a_server_that_has_none_is_given_up),
        TEST(a_port_where_nobody_listens_is_told),
        TEST(what_is_no_address_or_no_header_is_a_usage_error),
        TEST(a_message_in_pieces_is_one_with_pings_between),
        TEST(who_breaks_the_rules_is_told_so),
        TEST(each_text_is_looked_at_from_its_beginning),
        TEST(a_message_that_is_too_long_is_refused_before_it_comes),
        TEST(a_message_of_just_the_limit_is_taken),
        TEST(a_flood_does_not_keep_the_loop_busy),
        TEST(pings_without_end_do_not_pile_up_answers),
        TEST(what_the_server_does_not_read_waits_and_loses_nothing),
        TEST(who_fills_up_again_when_told_is_told_again),
        TEST(it_is_told_at_half_of_what_waited_at_most),
        TEST(a_send_that_empties_what_waited_is_told_as_well),
        TEST(pings_measure_the_way),
        TEST(silence_breaks_the_connection),
        TEST(a_watch_that_was_ended_is_no_more),
        TEST(a_loop_that_was_late_does_not_blame_the_server),
        TEST(a_watch_set_before_it_is_open_holds),
        TEST(a_close_of_ours_is_answered),
        TEST(messages_come_until_the_close_is_answered),
        TEST(a_close_that_nobody_answers_ends_after_two_seconds),
        TEST(a_close_that_is_answered_by_hanging_up_is_a_close),
        TEST(a_close_of_the_servers_is_answered),
        TEST(a_server_that_goes_without_a_word_breaks_it),
        TEST(what_the_server_said_last_is_what_counts),
        TEST(the_last_words_of_a_server_that_went_are_read),
        TEST(a_write_that_fails_breaks_it),
        TEST(a_close_before_it_is_open_comes_at_once),
        TEST(it_can_be_freed_at_every_step),
        TEST(it_can_be_freed_in_its_own_handlers),
        TEST(it_can_be_freed_when_it_has_drained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
