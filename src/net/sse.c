#include "net/sse.h"

#include <errno.h>
#include <string.h>

/* A line is complete: data is kept, an empty line ends the event, all else is passed over. */
static int take_line(struct sse *s, int (*event)(void *user, const char *data), void *user)
{
    const char *line = buf_str(&s->line), *value;
    size_t n = s->line.len;
    int rc = 0;

    if (!s->started && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        n -= 3;
    }
    s->started = true;
    if (n == 0 && s->data.len > 0) {
        /* Each data line was kept with a newline behind it; the last one is not part of it. */
        s->data.data[s->data.len - 1] = '\0';
        rc = event(user, s->data.data);
        buf_clear(&s->data);
    } else if (n >= 4 && memcmp(line, "data", 4) == 0 && (n == 4 || line[4] == ':')) {
        value = line + (n == 4 ? 4 : 5);
        if (*value == ' ')
            value++;
        buf_add(&s->data, value, (size_t)(line + n - value));
        buf_add(&s->data, "\n", 1);
    }
    buf_clear(&s->line);
    return buf_failed(&s->data) ? -ENOMEM : rc;
}

static int add_to_line(struct sse *s, const char *bytes, size_t n)
{
    if (n > SSE_MAX_BYTES - s->line.len || s->line.len + n > SSE_MAX_BYTES - s->data.len)
        return -EMSGSIZE;
    buf_add(&s->line, bytes, n);
    return buf_failed(&s->line) ? -ENOMEM : 0;
}

/* One pass: two searches, one for each mark, would be quadratic where a server sends only one. */
static size_t until_line_end(const char *bytes, size_t n)
{
    size_t i = 0;

    while (i < n && bytes[i] != '\n' && bytes[i] != '\r')
        i++;
    return i;
}

int sse_feed(struct sse *s, const char *bytes, size_t n, int (*event)(void *user, const char *data),
             void *user)
{
    while (s->failed == 0 && n > 0) {
        size_t length;

        if (s->cr && bytes[0] == '\n') {
            s->cr = false;
            bytes++;
            n--;
            continue;
        }
        s->cr = false;
        length = until_line_end(bytes, n);
        s->failed = add_to_line(s, bytes, length);
        if (s->failed != 0 || length == n)
            break;
        s->cr = bytes[length] == '\r';
        s->failed = take_line(s, event, user);
        bytes += length + 1;
        n -= length + 1;
    }
    return s->failed;
}

void sse_free(struct sse *s)
{
    buf_free(&s->line);
    buf_free(&s->data);
    *s = (struct sse){0};
}
