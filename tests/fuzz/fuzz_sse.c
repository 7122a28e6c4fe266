/* Server-sent events from nowhere good: the first byte says how the rest is cut. However it is cut,
 * the events are the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int note(void *user, const char *data)
{
    buf_add(user, data, strlen(data) + 1);
    return 0;
}

static int feed(struct buf *seen, const char *bytes, size_t n, size_t piece)
{
    struct sse s = {0};
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < n; at += piece)
        rc = sse_feed(&s, bytes + at, n - at < piece ? n - at : piece, note, seen);
    sse_free(&s);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct buf whole = BUF_INIT, cut = BUF_INIT;
    int rc;

    if (n == 0)
        return 0;
    rc = feed(&whole, (const char *)bytes + 1, n - 1, n);
    if (rc != feed(&cut, (const char *)bytes + 1, n - 1, 1 + bytes[0] % 16u) ||
        whole.len != cut.len || memcmp(buf_str(&whole), buf_str(&cut), whole.len) != 0)
        abort();
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
