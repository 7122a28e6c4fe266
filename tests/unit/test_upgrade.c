/* The request for a WebSocket, and what its answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/upgrade.h"

/* RFC 6455, section 1.3. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define RIGHT  SWITCH "Sec-WebSocket-Accept: " ACCEPT "\r\n"

static struct buf request(const char *url, const char *header)
{
    struct curl_slist *headers = header != NULL ? curl_slist_append(NULL, header) : NULL;
    struct buf b = BUF_INIT;

    upgrade_request(&b, url, headers, KEY);
    assert_false(buf_failed(&b));
    curl_slist_free_all(headers);
    return b;
}

static void assert_has(const char *url, const char *header, const char *part)
{
    struct buf b = request(url, header);

    if (strstr(b.data, part) == NULL)
        fail_msg("no '%s' in '%s'", part, b.data);
    buf_free(&b);
}

static void assert_lacks(const char *url, const char *header, const char *part)
{
    struct buf b = request(url, header);

    if (strstr(b.data, part) != NULL)
        fail_msg("'%s' in '%s'", part, b.data);
    buf_free(&b);
}

static void the_accept_is_that_of_the_rfc(void **state)
{
    char accept[UPGRADE_ACCEPT];

    (void)state;
    assert_int_equal(upgrade_accept(accept, KEY), 0);
    assert_string_equal(accept, ACCEPT);
}

static void keys_are_sixteen_random_bytes(void **state)
{
    char one[UPGRADE_KEY], two[UPGRADE_KEY];

    (void)state;
    assert_int_equal(upgrade_key(one), 0);
    assert_int_equal(upgrade_key(two), 0);
    assert_int_equal(strlen(one), 24);
    assert_string_equal(one + 22, "==");
    assert_string_not_equal(one, two);
}

static void a_request_is_whole(void **state)
{
    struct buf b = request("https://host/v1/realtime?model=x", "X-Key: y");

    (void)state;
    assert_string_equal(b.data, "GET /v1/realtime?model=x HTTP/1.1\r\n"
                                "Host: host\r\n"
                                "Upgrade: websocket\r\n"
                                "Connection: Upgrade\r\n"
                                "Sec-WebSocket-Key: " KEY "\r\n"
                                "Sec-WebSocket-Version: 13\r\n"
                                "User-Agent: hullo/" HULLO_VERSION "\r\n"
                                "X-Key: y\r\n"
                                "\r\n");
    buf_free(&b);
}

static void the_host_is_named_as_the_address_names_it(void **state)
{
    (void)state;
    assert_has("http://host", NULL, "GET / HTTP/1.1\r\nHost: host\r\n");
    assert_has("https://host:443/", NULL, "\r\nHost: host\r\n");
    assert_has("https://host:80/", NULL, "\r\nHost: host:80\r\n");
    assert_has("http://[::1]:8080/", NULL, "\r\nHost: [::1]:8080\r\n");
    assert_has("http://host?a=b#part", NULL, "GET /?a=b HTTP/1.1\r\n");
    assert_has("http://host/a b?c d", NULL, "GET /a%20b?c+d HTTP/1.1\r\n");
}

static void a_password_in_the_address_is_sent_as_a_header(void **state)
{
    (void)state;
    assert_has("http://me:p%40ss@host/", NULL, "\r\nAuthorization: Basic bWU6cEBzcw==\r\n");
    assert_lacks("http://me:pass@host/", "Authorization: Bearer x", "Basic");
    assert_has("http://me:pass@host/", NULL, "\r\nHost: host\r\n");
    assert_lacks("http://host/", "User-Agent: other", "hullo");
}

/* As if all had come at once. */
static enum upgrade_step read_all(const char *answer, bool ended, struct upgrade_answer *a)
{
    return upgrade_read(answer, strlen(answer), ended, KEY, NULL, a);
}

static void assert_step(const char *answer, enum upgrade_step step)
{
    struct upgrade_answer a;
    enum upgrade_step got = read_all(answer, false, &a);

    if (got != step)
        fail_msg("%d instead of %d for '%s'", got, step, answer);
}

static void the_right_answer_opens(void **state)
{
    struct upgrade_answer a;

    (void)state;
    assert_int_equal(read_all(RIGHT "\r\n\x81\x01x", false, &a), UPGRADE_OPEN);
    assert_int_equal(a.status, 101);
    assert_int_equal(a.head, strlen(RIGHT "\r\n"));
    assert_step("HTTP/1.1 101\nupgrade:WEBSOCKET\nconnection:a,Upgrade , b\n"
                "sec-websocket-accept:" ACCEPT "\n\n",
                UPGRADE_OPEN);
    assert_step("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" RIGHT "\r\n",
                UPGRADE_OPEN);
}

static void every_beginning_of_it_waits_for_more(void **state)
{
    static const char answer[] = "HTTP/1.1 103 Hints\r\nA: b\r\n\r\n" RIGHT "\r\n";
    struct upgrade_answer a;

    (void)state;
    for (size_t n = 0; n < sizeof answer - 1; n++)
        assert_int_equal(upgrade_read(answer, n, false, KEY, NULL, &a), UPGRADE_MORE);
}

static void what_is_not_an_answer_to_us_is_invalid(void **state)
{
    (void)state;
    assert_step(SWITCH "\r\n", UPGRADE_INVALID);
    assert_step(SWITCH "Sec-WebSocket-Accept: " KEY "\r\n\r\n", UPGRADE_INVALID);
    assert_step(SWITCH "Sec-WebSocket-Accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n\r\n",
                UPGRADE_INVALID); /* its case counts */
    assert_step(RIGHT "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", UPGRADE_INVALID);
    assert_step(RIGHT "Sec-WebSocket-Extensions: x\r\n\r\n", UPGRADE_INVALID);
    assert_step(RIGHT "Sec-WebSocket-Protocol: x\r\n\r\n", UPGRADE_INVALID);
    assert_step("HTTP/1.1 101\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
                UPGRADE_INVALID);
    assert_step("HTTP/1.1 101\r\nUpgrade: websocket\r\nConnection: not-upgrade\r\n"
                "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
                UPGRADE_INVALID);
}

static void a_subprotocol_is_one_that_was_offered(void **state)
{
    struct curl_slist *headers = curl_slist_append(NULL, "sec-websocket-protocol: realtime, key.x");
    struct upgrade_answer a;
    const char *right = RIGHT "Sec-WebSocket-Protocol: realtime\r\n\r\n",
               *wrong = RIGHT "Sec-WebSocket-Protocol: real\r\n\r\n", *none = RIGHT "\r\n";

    (void)state;
    assert_int_equal(upgrade_read(right, strlen(right), false, KEY, headers, &a), UPGRADE_OPEN);
    assert_int_equal(upgrade_read(wrong, strlen(wrong), false, KEY, headers, &a), UPGRADE_INVALID);
    assert_int_equal(upgrade_read(none, strlen(none), false, KEY, headers, &a), UPGRADE_OPEN);
    curl_slist_free_all(headers);
}

static void what_is_no_http_is_garbage(void **state)
{
    struct upgrade_answer a;

    (void)state;
    assert_step("\x15\x03\x01", UPGRADE_GARBAGE);
    assert_step("<html>", UPGRADE_GARBAGE);
    assert_step("HTTP/2 101\r\n", UPGRADE_GARBAGE);
    assert_step("HTTP/1.1 10\r\n", UPGRADE_GARBAGE);
    assert_step("HTTP/1.1 099 x\r\n", UPGRADE_GARBAGE);
    assert_step("HTTP/1.1 1x1 x\r\n", UPGRADE_GARBAGE);
    assert_step("HTTP/1.1 101x\r\n", UPGRADE_GARBAGE);
    assert_step("HTTP/1.1 101 x\r\nno colon\r\n", UPGRADE_GARBAGE);
    assert_step("HTTP/1.1 101 x\r\nA: b\r\n folded: c\r\n", UPGRADE_GARBAGE);
    assert_step("HTTP/1.1 101 x\r\n: b\r\n", UPGRADE_GARBAGE);
    assert_int_equal(upgrade_read("HTTP/1.1 101 x\r\nA: b\0c\r\n", 24, false, KEY, NULL, &a),
                     UPGRADE_GARBAGE);
}

static void a_long_header_is_too_long_whether_it_ends_or_not(void **state)
{
    struct buf b = BUF_INIT;
    struct upgrade_answer a;

    (void)state;
    buf_adds(&b, SWITCH);
    while (b.len <= UPGRADE_MAX_HEAD)
        buf_adds(&b, "Header: of no importance\r\n");
    assert_int_equal(read_all(b.data, false, &a), UPGRADE_TOO_LONG);
    buf_adds(&b, "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n");
    assert_int_equal(read_all(b.data, false, &a), UPGRADE_TOO_LONG);
    buf_clear(&b);
    while (b.len <= UPGRADE_MAX_HEAD)
        buf_adds(&b, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(read_all(b.data, false, &a), UPGRADE_TOO_LONG);
    buf_free(&b);
}

static void assert_words(const char *answer, bool ended, enum upgrade_step step, const char *words)
{
    struct upgrade_answer a;

    assert_int_equal(read_all(answer, ended, &a), step);
    assert_string_equal(a.words, words);
}

static void the_words_of_a_refusal_are_read_to_their_end(void **state)
{
#define BUSY "HTTP/1.1 503 Busy\r\n"
    (void)state;
    assert_words(BUSY "Content-Length: 4\r\n\r\nfull", false, UPGRADE_REFUSED, "full");
    assert_words(BUSY "Content-Length: 4\r\n\r\nful", false, UPGRADE_MORE, "ful");
    assert_words(BUSY "Content-Length: 4\r\n\r\nful", true, UPGRADE_REFUSED, "ful");
    assert_words(BUSY "Content-Length: 0\r\n\r\nfull", false, UPGRADE_REFUSED, "");
    assert_words(BUSY "\r\nfull", false, UPGRADE_MORE, "full");
    assert_words(BUSY "\r\nfull", true, UPGRADE_REFUSED, "full");
    assert_words(BUSY "Content-Length: -1\r\n\r\nfull", true, UPGRADE_REFUSED, "full");
    assert_words(BUSY "Content-Length: 99999999999999999999\r\n\r\nfull", true, UPGRADE_REFUSED,
                 "full");
#define CHUNKED BUSY "Transfer-Encoding: gzip, chunked\r\n\r\n"
    assert_words(CHUNKED "2\r\nfu\r\n2;x=y\r\nll\r\n0\r\n\r\n", false, UPGRADE_REFUSED, "full");
    assert_words(CHUNKED "2\r\nfu\r\nA\r\nll", false, UPGRADE_MORE, "full");
    assert_words(CHUNKED "a\r\n{\"detail\":\r\n4\r\n\"x\"}\r\n0\r\n", false, UPGRADE_REFUSED, "x");
    assert_words(CHUNKED "ffffff\r\nfull", true, UPGRADE_REFUSED, "full");
    assert_words(CHUNKED "no chunk\r\n", false, UPGRADE_REFUSED, "");
    assert_words("HTTP/1.1 304 Same\r\n\r\n", false, UPGRADE_REFUSED, "");
}

static void words_without_end_are_not_read_to_it(void **state)
{
    struct buf b = BUF_INIT;
    struct upgrade_answer a;

    (void)state;
    buf_adds(&b, BUSY "\r\n");
    while (b.len < UPGRADE_MAX_WORDS)
        buf_adds(&b, "blah ");
    assert_int_equal(read_all(b.data, false, &a), UPGRADE_MORE);
    buf_adds(&b, "blah blah blah blah blah blah");
    assert_int_equal(read_all(b.data, false, &a), UPGRADE_REFUSED);
    buf_free(&b);
}

static void what_a_refusal_says_besides_is_kept(void **state)
{
    struct upgrade_answer a;

    (void)state;
    read_all("HTTP/1.1 429 Slow\r\nRetry-After: 30\r\nLocation: /x\r\n\r\n", true, &a);
    assert_int_equal(a.status, 429);
    assert_int_equal(a.retry_after_s, 30);
    assert_string_equal(a.location, ""); /* it leads nowhere */
    read_all("HTTP/1.1 302 Go\r\nLocation:  /x y \r\nRetry-After: soon\r\n\r\n", true, &a);
    assert_int_equal(a.retry_after_s, -1);
    assert_string_equal(a.location, "/x y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_accept_is_that_of_the_rfc),
        cmocka_unit_test(keys_are_sixteen_random_bytes),
        cmocka_unit_test(a_request_is_whole),
        cmocka_unit_test(the_host_is_named_as_the_address_names_it),
        cmocka_unit_test(a_password_in_the_address_is_sent_as_a_header),
        cmocka_unit_test(the_right_answer_opens),
        cmocka_unit_test(every_beginning_of_it_waits_for_more),
        cmocka_unit_test(what_is_not_an_answer_to_us_is_invalid),
        cmocka_unit_test(a_subprotocol_is_one_that_was_offered),
        cmocka_unit_test(what_is_no_http_is_garbage),
        cmocka_unit_test(a_long_header_is_too_long_whether_it_ends_or_not),
        cmocka_unit_test(the_words_of_a_refusal_are_read_to_their_end),
        cmocka_unit_test(words_without_end_are_not_read_to_it),
        cmocka_unit_test(what_a_refusal_says_besides_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
