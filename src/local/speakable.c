#include "local/speakable.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "util/text.h"

/* What is left to read, and what was written so far. */
struct reader {
    const char *at, *end;
    struct buf *out;
    size_t start; /* of our text in out */
    bool line_start;
};

static bool is(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool digit(const struct reader *r, ptrdiff_t offset)
{
    const char *p = r->at + offset;

    return p < r->end && isdigit((unsigned char)*p);
}

static char last(const struct reader *r)
{
    return r->out->len > r->start ? r->out->data[r->out->len - 1] : '\0';
}

/* White space never doubles and never comes first. */
static void put(struct reader *r, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = is(s[i], " \t\r\n") ? ' ' : s[i];
        if (c != ' ' || (last(r) != ' ' && last(r) != '\0'))
            buf_add(r->out, &c, 1);
    }
}

static void puts_word(struct reader *r, const char *word)
{
    put(r, word, strlen(word));
}

/* A dash or bullet between words is a pause. */
static void put_pause(struct reader *r)
{
    while (last(r) == ' ')
        r->out->data[--r->out->len] = '\0';
    if (last(r) != '\0')
        puts_word(r, is(last(r), ",.;:!?") ? " " : ", ");
}

/* "# Title", "- item", "> quote", "---": what a line starts with. */
static bool skip_line_marker(struct reader *r)
{
    const char *p = r->at;
    size_t n;

    n = strspn(p, is(*p, "#>") ? "#>" : is(*p, "-*+_=") ? "-*+_=" : "");
    if (n == 0 || !(p[n] == ' ' || p[n] == '\n' || p[n] == '\0'))
        return false;
    if (is(*p, "+_=") && n < 3)
        return false;
    r->at = p + n;
    return true;
}

static size_t url_length(const char *s, const char *end)
{
    size_t n = strcspn(s, " \t\r\n<>\"`|)]}");

    if (n > (size_t)(end - s))
        n = (size_t)(end - s);
    while (n > 0 && is(s[n - 1], ".,;:!?'*_"))
        n--;
    return n;
}

/* Of a link the host is worth saying. */
static bool take_url(struct reader *r)
{
    static const char *const starts[] = {"https://", "http://", "www."};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t skip = strlen(starts[i]), n;
        if (strncmp(r->at, starts[i], skip) != 0)
            continue;
        n = url_length(r->at, r->end);
        if (i < 2 && n >= skip + 4 && strncmp(r->at + skip, "www.", 4) == 0)
            skip += 4;
        if (n > skip) {
            size_t host = strcspn(r->at + skip, "/?#");
            put(r, r->at + skip, host < n - skip ? host : n - skip);
        }
        r->at += n > skip ? n : skip;
        return true;
    }
    return false;
}

/* "[words](target)" and "![words](target)": the words stay, and are read on as text. */
static bool take_link(struct reader *r)
{
    const char *p = r->at, *close, *target;

    if (p[0] == '!' && p[1] == '[') {
        r->at++;
        return true;
    }
    if (p[0] == ']' && p[1] == '(') {
        close = memchr(p, ')', (size_t)(r->end - p));
        target = memchr(p, '\n', (size_t)(r->end - p));
        if (close != NULL && (target == NULL || close < target)) {
            r->at = close + 1;
            return true;
        }
    }
    return false;
}

/* "<br>", "</b>", "<https://...>": of the last the target is read on as text. */
static bool take_tag(struct reader *r)
{
    const char *p = r->at;
    size_t n;

    if (p[0] != '<' || !(isalpha((unsigned char)p[1]) || p[1] == '/'))
        return false;
    n = strcspn(p, ">\n");
    if (p[n] != '>' || n > 40 || strncmp(p + 1, "http", 4) == 0)
        return false;
    r->at = p + n + 1;
    puts_word(r, " ");
    return true;
}

/* "$5.50" and its like: voices say the sign first. "$3 million" keeps its order of words. */
static bool take_money(struct reader *r, const char *name, size_t sign_bytes)
{
    static const char *const more[] = {" thousand", " million", " billion", " trillion"};
    const char *p = r->at + sign_bytes;
    size_t n = strspn(p, "0123456789.,");

    if (!isdigit((unsigned char)*p))
        return false;
    while (n > 0 && is(p[n - 1], ".,"))
        n--;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        if (strncmp(p + n, more[i], strlen(more[i])) == 0) {
            n += strlen(more[i]);
            break;
        }
    }
    put(r, p, n);
    puts_word(r, name);
    r->at = p + n;
    return true;
}

/* One sign of the first 128. */
static void take_ascii(struct reader *r)
{
    char c = *r->at;
    bool spaced = last(r) == ' ' && r->at[1] == ' ';

    if (c == '$' && take_money(r, " dollars", 1))
        return;
    if (c == '*' && spaced)
        puts_word(r, "times");
    else if (c == '*' && r->at[1] != '*' && isdigit((unsigned char)last(r)) && digit(r, 1))
        puts_word(r, " times ");
    else if (c == '-' && spaced && !digit(r, 2))
        put_pause(r);
    else if (c == '-' && r->at[1] == '-')
        puts_word(r, " ");
    else if (c == '&')
        puts_word(r, " and ");
    else if (c == '#' && digit(r, 1))
        puts_word(r, "number ");
    else if (c == '#' && isalpha((unsigned char)last(r)))
        puts_word(r, " sharp");
    else if (is(c, "_|{}[]<>^~\\"))
        puts_word(r, " ");
    else if (!is(c, "*`#") && (isprint((unsigned char)c) || is(c, "\t\r\n")))
        put(r, &c, 1);
    r->at++;
}

struct replacement {
    unsigned cp;
    const char *with;
};

static const struct replacement replacements[] = {
    {0x00a0, " "},
    {0x00ad, ""},
    {0x00b7, " "},
    {0x00d7, " times "},
    {0x00f7, " divided by "},
    {0x2018, "'"},
    {0x2019, "'"},
    {0x201c, "\""},
    {0x201d, "\""},
    {0x2026, "... "},
    {0x2032, "'"},
    {0x2192, ", "},
    {0x2212, " minus "},
    {0x2248, " about "},
    {0x2260, " is not "},
    {0x2264, " at most "},
    {0x2265, " at least "},
};

/* Letters and signs of writing are kept; emoji, arrows, dingbats, joiners and private use are not.
 */
static bool is_writing(unsigned cp)
{
    return cp < 0x2000 || (cp >= 0x20a0 && cp < 0x2190) || (cp >= 0x2c00 && cp < 0xd800) ||
           (cp >= 0xf900 && cp < 0xfe00) || (cp >= 0xfe70 && cp < 0xfff0) ||
           (cp >= 0x10000 && cp < 0x1f000) || (cp >= 0x20000 && cp < 0x30000);
}

static void take_other(struct reader *r)
{
    unsigned cp = 0;
    size_t n = text_utf8(r->at, (size_t)(r->end - r->at), &cp);

    if (n == 0) {
        r->at++;
        return;
    }
    if ((cp == 0x20ac && take_money(r, " euros", n)) || (cp == 0xa3 && take_money(r, " pounds", n)))
        return;
    if ((cp == 0x2013 || cp == 0x2014) && isdigit((unsigned char)last(r)) && digit(r, (ptrdiff_t)n))
        puts_word(r, " to ");
    else if (cp == 0x2013 || cp == 0x2014 || cp == 0x2022)
        put_pause(r);
    else if (cp == 0x2010 || cp == 0x2011)
        puts_word(r, "-");
    else {
        size_t i = 0, count = sizeof replacements / sizeof *replacements;
        while (i < count && replacements[i].cp != cp)
            i++;
        if (i < count)
            puts_word(r, replacements[i].with);
        else if (is_writing(cp) && !(cp >= 0x80 && cp < 0xa0))
            put(r, r->at, n);
    }
    r->at += n;
}

/* Quotes and marks alone make no sound. */
static bool can_be_said(const char *s)
{
    for (; *s != '\0'; s++)
        if (isalnum((unsigned char)*s) || is(*s, "%+=@&") || (unsigned char)*s >= 0x80)
            return true;
    return false;
}

void speakable_add(struct buf *out, const char *s)
{
    struct reader r = {
        .at = s, .end = s + strlen(s), .out = out, .start = out->len, .line_start = true};

    while (r.at < r.end && !buf_failed(out)) {
        if (r.line_start && *r.at != ' ') {
            r.line_start = false;
            if (skip_line_marker(&r))
                continue;
        }
        if (*r.at == '\n')
            r.line_start = true;
        if ((is(*r.at, "hw") && take_url(&r)) || (is(*r.at, "![]") && take_link(&r)) ||
            take_tag(&r))
            continue;
        if ((unsigned char)*r.at < 0x80)
            take_ascii(&r);
        else
            take_other(&r);
    }
    while (last(&r) == ' ')
        out->data[--out->len] = '\0';
    if (out->len > r.start && !can_be_said(out->data + r.start)) {
        out->len = r.start;
        out->data[r.start] = '\0';
    }
}
