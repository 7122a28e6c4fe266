/* Server-sent events, cut anywhere. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/sse.h"

/* Events are written down as "[data]". */
static int note(void *user, const char *data)
{
    struct buf *seen = user;

    buf_adds(seen, "[");
    buf_adds(seen, data);
    buf_adds(seen, "]");
    return strcmp(data, "stop") == 0 ? -ECANCELED : 0;
}

static int feed(const char *bytes, size_t n, size_t first, size_t piece, struct buf *seen)
{
    struct sse s = {0};
    int rc = sse_feed(&s, bytes, first < n ? first : n, note, seen);

    for (size_t at = first; at < n; at += piece) {
        int again = sse_feed(&s, bytes + at, n - at < piece ? n - at : piece, note, seen);
        rc = rc != 0 ? rc : again;
    }
    sse_free(&s);
    return rc;
}

static const struct {
    const char *bytes, *events;
} cases[] = {
    {"data: a\n\ndata: b\n\n", "[a][b]"},
    {"data: a\r\n\r\ndata: b\r\n\r\n", "[a][b]"},
    {"data: a\r\rdata: b\r\r", "[a][b]"},
    {"data: one\ndata: two\n\n", "[one\ntwo]"},
    {"data: one\r\ndata: two\r\n\r\n", "[one\ntwo]"},
    {"data: one\rdata: two\r\n\r", "[one\ntwo]"},
    {"data:a\n\ndata:  b \n\n", "[a][ b ]"},
    {"data\n\ndata:\n\n", "[][]"},
    {"data\ndata\n\n", "[\n]"},
    {": a comment\nevent: x\nid: 1\nretry: 5\ndata: a\n\n", "[a]"},
    {"event: x\n\ndatum: a\n\ndata a\n\n Data: a\n\n", ""},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "[a]"},
    {"data: a\n\n\xef\xbb\xbf"
     "data: b\n\n",
     "[a]"},
    {"data: a\n\ndata: never ended\n", "[a]"},
    {"\n\n\r\n\r\ndata: a\n\n\n\n", "[a]"},
    {"data: \xf0\x9f\x98\x80\n\n", "[\xf0\x9f\x98\x80]"},
};

static void every_chunking_gives_the_same_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].bytes);
        for (size_t first = 0; first <= n; first++) {
            for (size_t piece = 1; piece <= n; piece++) {
                struct buf seen = BUF_INIT;
                assert_int_equal(feed(cases[i].bytes, n, first, piece, &seen), 0);
                assert_string_equal(buf_str(&seen), cases[i].events);
                buf_free(&seen);
            }
        }
    }
}

static void a_handler_that_stops_is_not_called_again(void **state)
{
    const char *bytes = "data: a\n\ndata: stop\n\ndata: b\n\n";

    (void)state;
    for (size_t piece = 1; piece <= strlen(bytes); piece++) {
        struct buf seen = BUF_INIT;
        assert_int_equal(feed(bytes, strlen(bytes), 0, piece, &seen), -ECANCELED);
        assert_string_equal(buf_str(&seen), "[a][stop]");
        buf_free(&seen);
    }
}

static int feed_again_and_again(const char *bytes, size_t most, size_t *fed, struct sse *s)
{
    struct buf seen = BUF_INIT;
    int rc = 0;

    for (*fed = 0; rc == 0 && *fed < most; *fed += strlen(bytes))
        rc = sse_feed(s, bytes, strlen(bytes), note, &seen);
    buf_free(&seen);
    return rc;
}

static void an_event_without_end_is_refused_for_good(void **state)
{
    static const char *const endless[] = {"data: x\n", "x", ": ", "data: data: data: "};

    (void)state;
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        struct sse s = {0};
        struct buf seen = BUF_INIT;
        size_t fed;
        assert_int_equal(feed_again_and_again(endless[i], 8 * SSE_MAX_BYTES, &fed, &s), -EMSGSIZE);
        assert_true(s.line.cap + s.data.cap <= 4 * SSE_MAX_BYTES);
        assert_int_equal(sse_feed(&s, "\n\ndata: a\n\n", 11, note, &seen), -EMSGSIZE);
        assert_string_equal(buf_str(&seen), "");
        sse_free(&s);
        buf_free(&seen);
    }
}

static void many_events_are_not_one_long_event(void **state)
{
    struct sse s = {0};
    size_t fed;

    (void)state;
    assert_int_equal(feed_again_and_again("data: 0123456789012345678901234567890123456789\n\n",
                                          4 * SSE_MAX_BYTES, &fed, &s),
                     0);
    sse_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunking_gives_the_same_events),
        cmocka_unit_test(a_handler_that_stops_is_not_called_again),
        cmocka_unit_test(an_event_without_end_is_refused_for_good),
        cmocka_unit_test(many_events_are_not_one_long_event),
    };

    return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}
