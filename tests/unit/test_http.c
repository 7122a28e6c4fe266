/* HTTP against a scripted server on the same loop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_http.h"
#include "net/http.h"
#include "net/http_error.h"

struct fixture {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct http *http;
    struct fake_http *server;
    char url[64];
};

/* What became of one call. */
struct result {
    uv_loop_t *loop;
    struct http_call *call;
    struct http *http;
    int done, code, status, stop_after;
    struct buf pieces, body;
    struct err error;
    enum { KEEP, CANCEL, CANCEL_OTHER, FREE_ALL } in_data;
    struct result *other;
};

static void too_long(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "a test of http hangs\n");
    abort();
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL || uv_loop_init(&f->loop) < 0)
        return -1;
    uv_timer_init(&f->loop, &f->watchdog);
    uv_timer_start(&f->watchdog, too_long, 60000, 0);
    uv_unref((uv_handle_t *)&f->watchdog);
    *state = f;
    return http_new(&f->http, &f->loop);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    http_free(f->http);
    if (f->server != NULL)
        fake_http_free(f->server);
    uv_close((uv_handle_t *)&f->watchdog, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&f->loop) != 0)
        return -1;
    free(f);
    return 0;
}

static void serve(struct fixture *f, const struct fake_reply *script, size_t count)
{
    f->server = fake_http_new(&f->loop, script, count);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/x", fake_http_port(f->server));
}

static int on_data(void *user, const char *bytes, size_t n)
{
    struct result *r = user;

    buf_add(&r->pieces, bytes, n);
    if (r->in_data == CANCEL)
        http_cancel(r->call);
    else if (r->in_data == CANCEL_OTHER)
        http_cancel(r->other->call);
    else if (r->in_data == FREE_ALL)
        http_free(r->http);
    if (r->in_data != KEEP)
        r->done = 1;
    r->in_data = KEEP;
    return r->stop_after > 0 && --r->stop_after == 0 ? 1 : 0;
}

static void on_done(void *user, int code, int http_status, const char *body, size_t n,
                    const struct err *e)
{
    struct result *r = user;

    uv_stop(r->loop); /* so that waiting ends though it was a timer that brought this */
    r->done++;
    r->code = code;
    r->status = http_status;
    buf_add(&r->body, body, n);
    assert_int_equal(body[n], '\0');
    assert_int_equal(e != NULL, code < 0);
    if (e != NULL)
        r->error = *e;
}

static void start(struct fixture *f, struct result *r, const struct http_request *request)
{
    struct http_request copy = *request;
    struct err e = {0};

    if (copy.url == NULL)
        copy.url = f->url;
    copy.done = on_done;
    copy.user = r;
    r->http = f->http;
    r->loop = &f->loop;
    assert_int_equal(http_start(&r->call, f->http, &copy, &e), 0);
    assert_int_equal(r->done, 0);
}

static void wait_for(struct fixture *f, const struct result *r)
{
    while (r->done == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void turn(struct fixture *f, int times)
{
    while (times-- > 0)
        uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void drop(struct result *r)
{
    buf_free(&r->pieces);
    buf_free(&r->body);
}

#define OK "HTTP/1.1 200 OK\r\n"

static void an_answer_is_collected(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = OK "Content-Length: 5\r\n\r\nhello", .piece = 1}};
    struct http_request q = {0};
    struct result r = {0};

    serve(f, script, 1);
    start(f, &r, &q);
    wait_for(f, &r);
    assert_int_equal(r.code, 0);
    assert_int_equal(r.status, 200);
    assert_string_equal(buf_str(&r.body), "hello");
    assert_int_equal(strncmp(fake_http_request(f->server, 0, NULL), "GET /x HTTP/1.1\r\n", 17), 0);
    drop(&r);
}

static void a_body_is_posted_whole_with_its_headers(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = OK "Content-Length: 0\r\n\r\n"}};
    const char *headers[] = {"Authorization: Bearer secret-1", "X-A: b", NULL};
    size_t n = 3 << 20, length;
    char *body = malloc(n);
    struct http_request q = {.headers = headers, .body = body, .length = n};
    struct result r = {0};
    const char *seen;

    assert_non_null(body);
    for (size_t i = 0; i < n; i++)
        body[i] = (char)(i % 251 + 1);
    serve(f, script, 1);
    start(f, &r, &q);
    wait_for(f, &r);
    assert_int_equal(r.code, 0);
    seen = fake_http_request(f->server, 0, &length);
    assert_memory_equal(seen + length - n, body, n);
    assert_non_null(strstr(seen, "\r\nAuthorization: Bearer secret-1\r\n"));
    assert_non_null(strstr(seen, "\r\nContent-Type: application/json\r\n"));
    assert_null(strstr(seen, "100-continue"));
    free(body);
    drop(&r);
}

static void pieces_come_as_they_arrive_and_connections_are_kept(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{
        .bytes = OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        .piece = 3,
        .hold = true,
    }};
    struct http_request q = {.data = on_data, .body = "{}", .length = 2};

    serve(f, script, 1);
    for (int i = 0; i < 3; i++) {
        struct result r = {0};
        start(f, &r, &q);
        wait_for(f, &r);
        assert_int_equal(r.code, 0);
        assert_string_equal(buf_str(&r.pieces), "hello world");
        assert_string_equal(buf_str(&r.body), "");
        drop(&r);
    }
    assert_int_equal(fake_http_requests(f->server), 3);
    assert_int_equal(fake_http_connections(f->server), 1);
}

static void an_error_is_told_in_the_servers_words(void **state)
{
    static const struct {
        const char *answer;
        int code;
        enum status status;
        const char *words;
    } cases[] = {
        {"HTTP/1.1 401 No\r\n\r\n{\"error\":{\"message\":\"bad key\"}}", -EACCES, STATUS_AUTH,
         "answered HTTP 401: \"bad key\"; check the API key (HULLO_API_KEY)"},
        {"HTTP/1.1 403 No\r\n\r\n", -EACCES, STATUS_AUTH, "answered HTTP 403; check"},
        {"HTTP/1.1 404 No\r\n\r\n{\"detail\":\"Not Found\"}", -ENOENT, STATUS_FAILED,
         "HTTP 404: \"Not Found\"; check the address"},
        {"HTTP/1.1 500 No\r\n\r\nfell \x1b[31m\tover\r\n\r\n", -EIO, STATUS_FAILED,
         "HTTP 500: \"fell [31m over\""},
        {"HTTP/1.1 429 No\r\n\r\n{\"error\":\"slow down\"}", -EAGAIN, STATUS_FAILED,
         "HTTP 429: \"slow down\"; try again later"},
        {"HTTP/1.1 502 No\r\n\r\n<html><body>nginx</body></html>", -EIO, STATUS_FAILED,
         "answered HTTP 502; see"},
        {"HTTP/1.1 400 No\r\n\r\n{\"error\":{\"message\":[1]}}", -EIO, STATUS_FAILED, "HTTP 400"},
        {"HTTP/1.1 307 No\r\nLocation: http://u:p@else.where/y?k=1\r\n\r\n", -EIO, STATUS_FAILED,
         "use the address 'http://else.where/y'"},
    };
    struct fixture *f = *state;
    struct fake_reply script[8];
    struct http_request q = {.data = on_data, .body = "{}", .length = 2};

    for (size_t i = 0; i < 8; i++)
        script[i] = (struct fake_reply){.bytes = cases[i].answer, .piece = 7};
    serve(f, script, 8);
    for (size_t i = 0; i < 8; i++) {
        struct result r = {0};
        start(f, &r, &q);
        wait_for(f, &r);
        assert_int_equal(r.code, cases[i].code);
        assert_int_equal(r.error.status, cases[i].status);
        assert_string_equal(buf_str(&r.pieces), "");
        if (strstr(r.error.text, cases[i].words) == NULL)
            fail_msg("'%s' lacks '%s'", r.error.text, cases[i].words);
        drop(&r);
    }
}

static void secrets_are_in_no_message(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {
        {.bytes = "HTTP/1.1 401 No\r\n\r\nno such key: sk-verysecret, sk-verysecret!"}};
    const char *headers[] = {"Authorization: Bearer sk-verysecret", NULL};
    const char *split[] = {"X: sk-verysecret\r\nY: z", NULL};
    char url[128];
    struct http_request q = {.url = url, .headers = headers};
    struct http_call *call;
    struct result r = {0};
    struct err e = {0};

    serve(f, script, 1);
    snprintf(url, sizeof url, "http://me:sk-verysecret@127.0.0.1:%d/x?key=sk-verysecret#a",
             fake_http_port(f->server));
    start(f, &r, &q);
    wait_for(f, &r);
    assert_int_equal(r.code, -EACCES);
    assert_null(strstr(r.error.text, "verysecret"));
    assert_null(strstr(buf_str(&r.body), "verysecret"));
    assert_non_null(strstr(r.error.text, "no such key: ***, ***!"));
    q.headers = split;
    assert_int_equal(http_start(&call, f->http, &q, &e), -EINVAL);
    assert_null(call);
    assert_null(strstr(e.text, "verysecret"));
    q.url = "sip://me:sk-verysecret@host";
    assert_int_equal(http_start(&call, f->http, &q, &e), -EINVAL);
    assert_int_equal(e.status, STATUS_USAGE);
    assert_null(strstr(e.text, "verysecret"));
    drop(&r);
}

static void other_schemes_are_refused(void **state)
{
    static const char *const urls[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "localhost:80", "", "http://",
        "http://a b/",        "gopher://x",       "/v1"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct http_request q = {.url = urls[i], .done = on_done};
        struct http_call *call;
        struct err e = {0};
        assert_int_equal(http_start(&call, f->http, &q, &e), -EINVAL);
        assert_null(call);
        assert_int_equal(e.status, STATUS_USAGE);
    }
}

static void a_plain_get_follows_redirects_but_takes_no_secret_along(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {
        {.bytes = "HTTP/1.1 302 No\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = OK "Content-Length: 2\r\n\r\nok"},
        {.bytes = "HTTP/1.1 302 No\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 302 No\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 302 No\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"},
    };
    const char *harmless[] = {"Range: bytes=0-", NULL}, *secret[] = {"X-Api-Key: 1", NULL};
    struct http_request q = {.headers = harmless};
    struct result r[4] = {0};

    serve(f, script, 5);
    start(f, &r[0], &q);
    wait_for(f, &r[0]);
    assert_int_equal(r[0].code, 0);
    assert_string_equal(buf_str(&r[0].body), "ok");
    q.headers = secret;
    start(f, &r[1], &q);
    wait_for(f, &r[1]);
    assert_int_equal(r[1].status, 302);
    assert_true(r[1].code < 0);
    assert_int_equal(fake_http_requests(f->server), 3);
    q.headers = NULL;
    start(f, &r[2], &q);
    wait_for(f, &r[2]);
    assert_true(r[2].code < 0);
    start(f, &r[3], &q);
    wait_for(f, &r[3]);
    assert_true(r[3].code < 0);
    assert_int_equal(fake_http_requests(f->server), 4 + 6);
    for (int i = 0; i < 4; i++)
        drop(&r[i]);
}

static void trouble_on_the_way_is_network_trouble(void **state)
{
    static const struct {
        const char *answer;
        int code;
    } cases[] = {
        {OK "Content-Length: 50\r\n\r\nhello", -ECONNRESET},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", -ECONNRESET},
        {"", -ECONNRESET},
        {"\x16\x03 SSH-2.0 garbage\r\n", -EPROTO},
        {OK "Content-Length: 50\r\n\r\nhello", -ECONNRESET},
    };
    struct fixture *f = *state;
    struct fake_reply script[5];
    struct http_request q = {.data = on_data};

    for (size_t i = 0; i < 5; i++)
        script[i] = (struct fake_reply){.bytes = cases[i].answer, .reset = i == 4};
    serve(f, script, 5);
    for (size_t i = 0; i < 5; i++) {
        struct result r = {0};
        start(f, &r, &q);
        wait_for(f, &r);
        assert_int_equal(r.code, cases[i].code);
        assert_int_equal(r.error.status, STATUS_NETWORK);
        assert_non_null(strstr(r.error.text, f->url));
        if (i == 4)
            assert_non_null(strstr(r.error.text, "reset by peer"));
        drop(&r);
    }
}

static void nobody_there_is_network_trouble(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = NULL}};
    struct http_request q = {0};
    struct result r = {0};

    /* A port that was free a moment ago. */
    serve(f, script, 1);
    fake_http_free(f->server);
    f->server = NULL;
    turn(f, 3);
    start(f, &r, &q);
    wait_for(f, &r);
    assert_int_equal(r.code, -ECONNREFUSED);
    assert_int_equal(r.status, 0);
    assert_int_equal(r.error.status, STATUS_NETWORK);
    assert_non_null(strstr(r.error.text, "check that the server runs"));
    drop(&r);
}

static void silence_is_timed_from_the_last_byte(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {
        {.bytes = NULL},
        {.bytes = OK "Content-Length: 50\r\n\r\nhello", .hold = true},
    };
    struct http_request q = {.idle_ms = 20};

    serve(f, script, 2);
    for (int i = 0; i < 2; i++) {
        struct result r = {0};
        start(f, &r, &q);
        wait_for(f, &r);
        assert_int_equal(r.code, -ETIMEDOUT);
        assert_int_equal(r.status, i == 0 ? 0 : 200);
        assert_int_equal(r.error.status, STATUS_NETWORK);
        drop(&r);
    }
}

static void a_long_answer_is_cut_off(void **state)
{
    struct fixture *f = *state;
    size_t n = 4 << 20;
    char *header = malloc(n), *body = malloc(n), *words = malloc(n);
    struct fake_reply script[] = {
        {.bytes = body, .length = n},
        {.bytes = header, .length = n},
        {.bytes = words, .length = n, .hold = true},
    };
    struct http_request q = {.max_bytes = 100000};
    static const char start_of_body[] = OK "\r\n",
                      start_of_header[] = OK "X: ", start_of_words[] = "HTTP/1.1 500 No\r\n\r\n";

    assert_true(header != NULL && body != NULL && words != NULL);
    memset(header, 'h', n);
    for (size_t i = 1000; i + 4 < n; i += 1000)
        memcpy(header + i, "\r\nX:", 4);
    memcpy(header, start_of_header, sizeof start_of_header - 1);
    memset(body, 'b', n);
    memcpy(body, start_of_body, sizeof start_of_body - 1);
    memset(words, 'w', n);
    memcpy(words, start_of_words, sizeof start_of_words - 1);
    serve(f, script, 3);
    for (int i = 0; i < 3; i++) {
        struct result r = {0};
        start(f, &r, &q);
        wait_for(f, &r);
        assert_true(r.code < 0);
        assert_true(r.body.len <= 100000);
        if (i < 2)
            assert_int_equal(r.code, -EMSGSIZE);
        if (i == 2)
            assert_non_null(strstr(r.error.text, "wwwww...\""));
        assert_true(strlen(r.error.text) < 400);
        drop(&r);
    }
    free(header);
    free(body);
    free(words);
}

static void a_reader_can_stop_an_answer(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = OK "\r\nhello", .hold = true}};
    struct http_request q = {.data = on_data};
    struct result r = {.stop_after = 1};

    serve(f, script, 1);
    start(f, &r, &q);
    wait_for(f, &r);
    assert_int_equal(r.code, -ECANCELED);
    assert_string_equal(r.error.text[0] != '\0' ? "told" : "", "told");
    drop(&r);
}

static void a_cancelled_call_hangs_up_and_is_silent(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = OK "\r\nhello", .hold = true}};
    struct http_request q = {.data = on_data};
    struct result before = {0}, inside = {.in_data = CANCEL}, after = {0};

    serve(f, script, 1);
    start(f, &before, &q);
    http_cancel(before.call);
    start(f, &inside, &q);
    wait_for(f, &inside);
    start(f, &after, &q);
    while (after.pieces.len == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    http_cancel(after.call);
    while (fake_http_open(f->server) > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(before.done, 0);
    assert_int_equal(after.done, 0);
    assert_int_equal(inside.code, 0);
    assert_string_equal(buf_str(&inside.pieces), "hello");
    drop(&before);
    drop(&inside);
    drop(&after);
}

static void a_call_can_cancel_another(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = OK "Content-Length: 5\r\n\r\nhello"}};
    struct http_request q = {.data = on_data};
    struct result a = {.in_data = CANCEL_OTHER}, b = {.in_data = CANCEL_OTHER};

    a.other = &b;
    b.other = &a;
    serve(f, script, 1);
    start(f, &a, &q);
    start(f, &b, &q);
    while (a.done + b.done < 2)
        uv_run(&f->loop, UV_RUN_ONCE);
    /* One cancelled the other, and ended by itself. */
    assert_true(a.pieces.len == 0 || b.pieces.len == 0);
    assert_int_equal(a.pieces.len + b.pieces.len, 5);
    drop(&a);
    drop(&b);
}

static void everything_can_be_freed_from_a_callback_and_while_calls_run(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = OK "\r\nhello", .hold = true}};
    struct http_request q = {.data = on_data};
    struct result r = {.in_data = FREE_ALL}, others[3] = {0}, last = {0};

    serve(f, script, 1);
    for (int i = 0; i < 3; i++)
        start(f, &others[i], &q);
    while (others[0].pieces.len == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    start(f, &r, &q);
    wait_for(f, &r);
    f->http = NULL;
    turn(f, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(others[i].done, 0);
        drop(&others[i]);
    }
    drop(&r);
    assert_int_equal(http_new(&f->http, &f->loop), 0);
    start(f, &last, &q);
}

struct chain {
    struct fixture *f;
    int left, done;
};

static void next_link(void *user, int code, int http_status, const char *body, size_t n,
                      const struct err *e)
{
    struct chain *c = user;
    struct http_request q = {.url = c->f->url, .done = next_link, .user = c};
    struct http_call *call;

    (void)http_status, (void)body, (void)n, (void)e;
    assert_int_equal(code, 0);
    if (--c->left == 0)
        c->done = 1;
    else
        assert_int_equal(http_start(&call, c->f->http, &q, NULL), 0);
}

static void a_call_can_start_the_next_one(void **state)
{
    struct fixture *f = *state;
    struct fake_reply script[] = {{.bytes = OK "Content-Length: 5\r\n\r\nhello", .hold = true}};
    struct chain c = {.f = f, .left = 10};

    serve(f, script, 1);
    {
        struct http_request q = {.url = f->url, .done = next_link, .user = &c};
        struct http_call *call;
        assert_int_equal(http_start(&call, f->http, &q, NULL), 0);
    }
    while (!c.done)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(fake_http_connections(f->server), 1);
}

static void the_servers_words_are_one_clean_line(void **state)
{
    static const struct {
        const char *body, *words;
    } cases[] = {
        {"", ""},
        {" \n ", ""},
        {"<html>", ""},
        {"plain\r\n text ", "plain text"},
        {"{\"error\":{\"message\":\"a\\u001b[0m\\u009bb\"}}", "a[0mb"},
        {"{\"error\":\"x\"}", "x"},
        {"{\"message\":\"x\"}", "x"},
        {"{\"detail\":[{\"msg\":\"field required\"}]}", "field required"},
        {"[{\"error\":{\"message\":\"x\"}}]", "x"},
        {"{\"error\":17}", ""},
        {"\"just text\"", "just text"},
    };
    char words[HTTP_ERROR_WORDS], body[1024];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_error_words(words, cases[i].body, strlen(cases[i].body));
        assert_string_equal(words, cases[i].words);
    }
    /* 199 bytes, then characters of three: none is cut in two. */
    memset(body, 'a', 199);
    for (n = 199; n + 3 < sizeof body; n += 3)
        memcpy(body + n, "\xe2\x82\xac", 3);
    http_error_words(words, body, n);
    assert_int_equal(strlen(words), 202);
    assert_string_equal(words + 199, "...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(an_answer_is_collected),
        TEST(a_body_is_posted_whole_with_its_headers),
        TEST(pieces_come_as_they_arrive_and_connections_are_kept),
        TEST(an_error_is_told_in_the_servers_words),
        TEST(secrets_are_in_no_message),
        TEST(other_schemes_are_refused),
        TEST(a_plain_get_follows_redirects_but_takes_no_secret_along),
        TEST(trouble_on_the_way_is_network_trouble),
        TEST(nobody_there_is_network_trouble),
        TEST(silence_is_timed_from_the_last_byte),
        TEST(a_long_answer_is_cut_off),
        TEST(a_reader_can_stop_an_answer),
        TEST(a_cancelled_call_hangs_up_and_is_silent),
        TEST(a_call_can_cancel_another),
        TEST(everything_can_be_freed_from_a_callback_and_while_calls_run),
        TEST(a_call_can_start_the_next_one),
        cmocka_unit_test(the_servers_words_are_one_clean_line),
    };

    setenv("no_proxy", "127.0.0.1", 1);
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
