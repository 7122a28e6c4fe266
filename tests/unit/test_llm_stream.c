/* The chat stream's parser: every cut, every lie. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "local/llm_stream.h"
#include "util/text.h"

#define CHUNK(content) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":" content "}}]}\n\n"
#define STOP           "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE           "data: [DONE]\n\n"

/* Each piece of text is whole characters by itself. */
static int feed(struct llm_stream *s, const char *bytes, size_t n, struct buf *all, struct err *e)
{
    struct buf text = BUF_INIT;
    int rc = llm_stream_feed(s, bytes, n, &text, e);

    assert_int_equal(strlen(buf_str(&text)), text.len);
    assert_int_equal(text_utf8_whole(buf_str(&text), text.len), text.len);
    buf_add(all, buf_str(&text), text.len);
    buf_free(&text);
    return rc;
}

static int read_all(const char *bytes, size_t n, size_t piece, struct buf *all, struct err *e)
{
    struct llm_stream s = {0};
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < n; at += piece)
        rc = feed(&s, bytes + at, n - at < piece ? n - at : piece, all, e);
    if (rc == 0)
        rc = llm_stream_end(&s, all, e);
    llm_stream_free(&s);
    return rc;
}

static const struct {
    const char *bytes, *text;
    int code;
    const char *words; /* of the error */
} cases[] = {
    {CHUNK("\"Hel\"") CHUNK("\"lo\"") STOP DONE, "Hello", 0, NULL},
    {CHUNK("\"Hello\"") STOP, "Hello", 0, NULL},
    {CHUNK("\"Hello\"") DONE, "Hello", 0, NULL},
    {"\r\n  " CHUNK("\"Hello\"") STOP, "Hello", 0, NULL},
    {": ping\r\n\r\n" CHUNK("\"x\"") ": ping\n\n" DONE, "x", 0, NULL},
    {CHUNK("null") CHUNK("\"\"") CHUNK("7") CHUNK("{}") CHUNK("\"a\"") STOP DONE, "a", 0, NULL},
    {CHUNK("\"a\"") STOP CHUNK("\"b\"") DONE CHUNK("\"c\""), "a", 0, NULL},
    {"data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\",\"content\":null}}]}\n\n" STOP,
     "", 0, NULL},
    {CHUNK("\"a\"") "data: {\"choices\":[],\"usage\":{}}\n\ndata: {\"x\":1}\n\n" STOP, "a", 0,
     NULL},
    {CHUNK("\"a\"") "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n" STOP,
     "a", 0, NULL},
    {CHUNK("[{\"type\":\"thinking\",\"text\":\"hm\"},{\"type\":\"text\",\"text\":\"a\"}]") STOP,
     "a", 0, NULL},
    {CHUNK("\"\xe2\x82\"") CHUNK("\"\xac!\"") STOP, "\xe2\x82\xac!", 0, NULL},
    {CHUNK("\"a\xe2\x82\"") STOP, "a??", 0, NULL},
    {CHUNK("\"\\u20ac\\ud83d\\ude00\"") STOP, "\xe2\x82\xac\xf0\x9f\x98\x80", 0, NULL},
    {CHUNK("\"\\u001b[2J\\u009b31m\xc2\"") CHUNK("\"\x9bx\\u0007\\n\"") STOP, "[2J31mx\n", 0, NULL},
    {"data: {\"choices\":[{\"delta\":null}]}\n\ndata: {\"choices\":[7]}\n\n" STOP, "", 0, NULL},
    /* Servers that do not stream. */
    {" {\"choices\":[{\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n", "Hello",
     0, NULL},
    {"{\"choices\":[{\"message\":{\"content\":null}}]}", "", 0, NULL},
    {"{\"error\":{\"message\":\"no such model\"}}", "", -EIO, "error: \"no such model\""},
    {"{\"object\":\"error\",\"message\":\"too long\"}", "", -EIO, "error: \"too long\""},
    {"{\"choices\":[{\"message\":", "", -EBADMSG, "not JSON"},
    {"{}", "", -EBADMSG, "no reply"},
    /* Trouble. */
    {CHUNK("\"a\"") "data: {\"error\":{\"message\":\"out of\\u001b memory\"}}\n\n", "a", -EIO,
     "error: \"out of memory\""},
    {CHUNK("\"a\"") "event: error\ndata: {\"error\":\"bad\"}\n\n", "a", -EIO, "error: \"bad\""},
    {"data: {\"error\":{}}\n\n", "", -EIO, "reports an error"},
    {CHUNK("\"a\""), "a", -EPIPE, "broke off"},
    {CHUNK("\"a\"") "data: {\"choices\":[{\"del", "a", -EPIPE, "broke off"},
    {"data: hello\n\n", "", -EBADMSG, "not JSON"},
    {"data: [1]\n\n", "", -EBADMSG, "not JSON"},
    {"<!DOCTYPE html>", "", -EBADMSG, "a web page"},
    {"hello", "", -EBADMSG, "no reply"},
    {"", "", -EBADMSG, "no reply"},
    {DONE, "", -EBADMSG, "no reply"},
};

static void every_cut_gives_the_same_text_and_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].bytes);
        for (size_t piece = 1; piece <= n + 1; piece++) {
            struct buf all = BUF_INIT;
            struct err e = {0};
            int rc = read_all(cases[i].bytes, n, piece, &all, &e);

            if (rc != cases[i].code || strcmp(buf_str(&all), cases[i].text) != 0)
                fail_msg("case %zu in pieces of %zu: %d, '%s', '%s'", i, piece, rc, buf_str(&all),
                         e.text);
            if (cases[i].words != NULL && strstr(e.text, cases[i].words) == NULL)
                fail_msg("case %zu: '%s' lacks '%s'", i, e.text, cases[i].words);
            buf_free(&all);
        }
    }
}

static void what_is_too_long_or_too_deep_is_refused(void **state)
{
    size_t n = 3 << 20;
    char *s = malloc(n);
    static const char *const starts[] = {"data: ", "data: {\"a\":\"", "{\"a\":\"", "x"};

    (void)state;
    assert_non_null(s);
    for (size_t i = 0; i < 4; i++) {
        struct buf all = BUF_INIT;
        struct err e = {0};
        memset(s, 'a', n);
        memcpy(s, starts[i], strlen(starts[i]));
        assert_int_equal(read_all(s, n, 16384, &all, &e), -EBADMSG);
        assert_non_null(strstr(e.text, "longer than 1 MiB"));
        buf_free(&all);
    }
    for (size_t i = 0; i < 2; i++) {
        struct buf all = BUF_INIT;
        struct err e = {0};
        memset(s, '[', n);
        memcpy(s, i == 0 ? "data: " : "{\"a\":", i == 0 ? 6 : 5);
        memcpy(s + 100000, "\n\n", 2);
        assert_int_equal(read_all(s, 100002, 16384, &all, &e), -EBADMSG);
        assert_non_null(strstr(e.text, "too deeply nested"));
        buf_free(&all);
    }
    free(s);
}

static void an_error_is_for_good(void **state)
{
    struct llm_stream s = {0};
    struct buf all = BUF_INIT;
    struct err e = {0};

    (void)state;
    assert_int_equal(feed(&s, "data: x\n\n", 9, &all, &e), -EBADMSG);
    assert_int_equal(feed(&s, CHUNK("\"a\""), strlen(CHUNK("\"a\"")), &all, &e), -EBADMSG);
    assert_int_equal(llm_stream_end(&s, &all, &e), -EBADMSG);
    assert_string_equal(buf_str(&all), "");
    llm_stream_free(&s);
    buf_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_text_and_verdict),
        cmocka_unit_test(what_is_too_long_or_too_deep_is_refused),
        cmocka_unit_test(an_error_is_for_good),
    };

    return cmocka_run_group_tests_name("llm_stream", tests, NULL, NULL);
}
