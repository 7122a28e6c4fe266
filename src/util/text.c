#include "util/text.h"

#include <string.h>

size_t text_utf8(const char *s, size_t n, unsigned *cp)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *u = (const unsigned char *)s;
    unsigned c;
    size_t len;

    if (n == 0)
        return 0;
    if (u[0] < 0x80)
        len = 1, c = u[0];
    else if (u[0] >= 0xc2 && u[0] < 0xe0)
        len = 2, c = u[0] & 0x1fu;
    else if (u[0] >= 0xe0 && u[0] < 0xf0)
        len = 3, c = u[0] & 0x0fu;
    else if (u[0] >= 0xf0 && u[0] < 0xf5)
        len = 4, c = u[0] & 0x07u;
    else
        return 0;
    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (u[i] & 0x3fu);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    if (cp != NULL)
        *cp = c;
    return len;
}

/* Unicode's embeddings, overrides and isolates (UAX #9). */
static bool turns_direction(unsigned cp)
{
    return (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

static bool is_control(unsigned cp)
{
    return (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7f && cp < 0xa0);
}

size_t text_clean(char *s)
{
    size_t n = strlen(s), out = 0;

    for (size_t i = 0; i < n;) {
        unsigned cp = 0;
        size_t len = text_utf8(s + i, n - i, &cp);
        if (len == 0) {
            s[out++] = '?';
            i++;
            continue;
        }
        if (!is_control(cp) && !turns_direction(cp)) {
            memmove(s + out, s + i, len);
            out += len;
        }
        i += len;
    }
    s[out] = '\0';
    return out;
}

size_t text_line(char *s)
{
    size_t n = text_clean(s);

    for (char *p = s; *p != '\0'; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    return n;
}

size_t text_utf8_whole(const char *s, size_t n)
{
    /* Only the last sequence can be cut: look back at most three bytes for its first byte. */
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = (unsigned char)s[n - back];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return want > back ? n - back : n;
    }
    return n;
}

void text_redact(char *s, const char *secret)
{
    size_t n = strlen(secret);

    if (n < 6)
        return;
    while ((s = strstr(s, secret)) != NULL) {
        memset(s, '*', 3);
        memmove(s + 3, s + n, strlen(s + n) + 1);
        s += 3;
    }
}

bool text_blank(const char *s)
{
    return s[strspn(s, " \t\r\n")] == '\0';
}
