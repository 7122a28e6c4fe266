/* How a WebSocket begins and ends, against a scripted server on the same loop. */
#include "fake/ws_stage.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
