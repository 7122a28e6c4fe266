/* A chat server that says anything: the first byte says how it is cut. What comes out is clean and
 * whole UTF-8, the same however it is cut, and every error has words. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "local/llm_stream.h"
#include "net/http_error.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool held)
{
    if (!held)
        abort();
}

static void must_be_clean(const char *s, size_t n)
{
    char *copy = malloc(n + 1);

    must(copy != NULL && strlen(s) == n);
    memcpy(copy, s, n + 1);
    must(text_clean(copy) == n && memcmp(copy, s, n) == 0);
    free(copy);
}

static int feed(struct buf *all, const char *bytes, size_t n, size_t piece, struct err *e)
{
    struct llm_stream s = {0};
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < n; at += piece) {
        struct buf text = BUF_INIT;
        rc = llm_stream_feed(&s, bytes + at, n - at < piece ? n - at : piece, &text, e);
        must_be_clean(buf_str(&text), text.len);
        buf_add(all, buf_str(&text), text.len);
        buf_free(&text);
    }
    if (rc == 0)
        rc = llm_stream_end(&s, all, e);
    llm_stream_free(&s);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct buf whole = BUF_INIT, cut = BUF_INIT;
    char words[HTTP_ERROR_WORDS];
    struct err e = {0};
    int rc;

    if (n == 0)
        return 0;
    rc = feed(&whole, (const char *)bytes + 1, n - 1, n, &e);
    must(rc == e.code && (rc < 0) == (e.text[0] != '\0'));
    must(feed(&cut, (const char *)bytes + 1, n - 1, 1 + bytes[0] % 16u, &e) == rc);
    must(whole.len == cut.len && memcmp(buf_str(&whole), buf_str(&cut), whole.len) == 0);
    must_be_clean(buf_str(&whole), whole.len);
    http_error_words(words, (const char *)bytes + 1, n - 1);
    must_be_clean(words, strlen(words));
    must(strlen(words) <= 203 && strchr(words, '\n') == NULL);
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
