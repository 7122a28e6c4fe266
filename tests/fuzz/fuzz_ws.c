/* A WebSocket server that means no good. The first byte says what follows, and how it is cut:
 * frames, or an answer to the upgrade with frames behind it. However it is cut, it means the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/frames.h"
#include "net/upgrade.h"
#include "util/text.h"

enum { MAX_MESSAGE = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(const struct frames_event *event)
{
    bool message = event->kind == FRAMES_TEXT || event->kind == FRAMES_BINARY;

    if (event->n > (message ? MAX_MESSAGE : 125) || event->bytes[event->n] != '\0')
        abort();
    for (size_t i = 0, step; event->kind == FRAMES_TEXT && i < event->n; i += step) {
        step = text_utf8(event->bytes + i, event->n - i, NULL);
        if (step == 0)
            abort();
    }
}

/* What an owner does with it; all of it is noted. */
static void take(struct frames *f, struct buf *seen, struct buf *out,
                 const struct frames_event *event)
{
    if (event->kind == FRAMES_FAILED)
        abort();
    check(event);
    buf_addf(seen, "%d %d %s ", event->kind, event->code, event->why != NULL ? event->why : "");
    buf_add(seen, event->bytes, event->n);
    if (event->kind == FRAMES_PING)
        (void)frames_write(f, out, FRAMES_PONG, event->bytes, event->n);
    if (event->kind == FRAMES_CLOSE)
        (void)frames_write_close(f, out, event->code, event->bytes);
}

static struct buf read_frames(const char *bytes, size_t n, size_t piece)
{
    struct buf seen = BUF_INIT, out = BUF_INIT;
    struct frames_event event;
    struct frames *f;

    if (frames_new(&f, MAX_MESSAGE) < 0)
        abort();
    for (size_t at = 0; at < n; at += piece) {
        size_t left = n - at < piece ? n - at : piece;
        const char *from = bytes + at;

        while ((event = frames_read(f, &from, &left)).kind != FRAMES_NONE)
            take(f, &seen, &out, &event);
    }
    frames_free(f);
    buf_free(&out);
    return seen;
}

static void try_frames(const char *bytes, size_t n, size_t piece)
{
    struct buf whole = read_frames(bytes, n, n + 1), cut = read_frames(bytes, n, piece);

    if (whole.len != cut.len || memcmp(buf_str(&whole), buf_str(&cut), whole.len) != 0)
        abort();
    buf_free(&whole);
    buf_free(&cut);
}

/* What a beginning is judged to be, the whole is as well. */
static void try_answer(const char *bytes, size_t n, size_t piece)
{
    struct upgrade_answer a, all;
    enum upgrade_step step,
        end = upgrade_read(bytes, n, false, "dGhlIHNhbXBsZSBub25jZQ==", NULL, &all);

    for (size_t i = 0; i < n; i += piece + n / 16) {
        step = upgrade_read(bytes, i, false, "dGhlIHNhbXBsZSBub25jZQ==", NULL, &a);
        if (step != UPGRADE_MORE && (step != end || a.head != all.head))
            abort();
    }
    if (all.head > n || strlen(all.words) >= sizeof all.words ||
        (end == UPGRADE_INVALID) != (all.why != NULL))
        abort();
    if (end == UPGRADE_OPEN)
        try_frames(bytes + all.head, n - all.head, piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *copy;

    if (n < 2)
        return 0;
    copy = malloc(n - 1); /* of just that size: what is read beyond it is noticed */
    if (copy == NULL)
        return 0;
    memcpy(copy, bytes + 1, n - 1);
    if (bytes[0] & 0x80)
        try_answer(copy, n - 1, 1 + bytes[0] % 32u);
    else
        try_frames(copy, n - 1, 1 + bytes[0] % 32u);
    free(copy);
    return 0;
}
