#include "conf/syntax.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/os.h"
#include "util/text.h"

enum token {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_QUOTED,
    TOKEN_EQUALS,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA
};

struct reader {
    const char *at, *stop, *file;
    unsigned line;
    char *free; /* where the next string goes */

    enum token token; /* the one in hand */
    const char *text; /* of a word or a quoted string */
    unsigned token_line;

    struct syntax *out;
    size_t room; /* items that there is memory for */
    struct err *e;
};

static int fault(struct reader *r, unsigned line, const char *what)
{
    return err_set(r->e, STATUS_USAGE, -EINVAL, "'%s', line %u: %s", r->file, line, what);
}

static int out_of_memory(struct reader *r)
{
    return err_set(r->e, STATUS_FAILED, -ENOMEM, "out of memory");
}

/* --- words */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool in_word(char c)
{
    return !is_space(c) && strchr("\"'{}=,#", c) == NULL;
}

static void skip_space(struct reader *r)
{
    bool comment = false;

    for (; r->at < r->stop; r->at++) {
        if (*r->at == '#')
            comment = true;
        else if (*r->at == '\n')
            comment = false;
        else if (!comment && !is_space(*r->at))
            return;
        r->line += *r->at == '\n';
    }
}

static int escaped(struct reader *r, char *c)
{
    static const char from[] = "\"\\nt", to[] = "\"\\\n\t";
    const char *found = r->at < r->stop ? memchr(from, *r->at, sizeof from - 1) : NULL;

    if (found == NULL)
        return fault(r, r->line,
                     "a backslash in double quotes stands before one of \" \\ n t; in single "
                     "quotes it stands for itself");
    *c = to[found - from];
    r->at++;
    return 0;
}

static int read_quoted(struct reader *r)
{
    char quote = *r->at++;
    int rc = 0;

    r->token = TOKEN_QUOTED;
    while (rc == 0 && r->at < r->stop && *r->at != quote) {
        char c = *r->at++;
        r->line += c == '\n';
        if (c == '\\' && quote == '"')
            rc = escaped(r, &c);
        *r->free++ = c;
    }
    if (rc < 0)
        return rc;
    if (r->at == r->stop)
        return fault(r, r->token_line, "a quote is opened here and never closed");
    r->at++;
    *r->free++ = '\0';
    return 0;
}

static void read_word(struct reader *r)
{
    r->token = TOKEN_WORD;
    while (r->at < r->stop && in_word(*r->at))
        *r->free++ = *r->at++;
    *r->free++ = '\0';
}

/* A string never takes more room than it took in the file and what follows it there: one byte for
 * each byte of the file and one more are enough for all of them. */
static int next(struct reader *r)
{
    static const char signs[] = "={},";
    static const enum token tokens[] = {TOKEN_EQUALS, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA};
    const char *sign;

    skip_space(r);
    r->token_line = r->line;
    r->text = r->free;
    r->token = TOKEN_END;
    if (r->at == r->stop)
        return 0;
    if (*r->at == '"' || *r->at == '\'')
        return read_quoted(r);
    sign = strchr(signs, *r->at);
    if (sign == NULL) {
        read_word(r);
        return 0;
    }
    r->token = tokens[sign - signs];
    r->at++;
    return 0;
}

static bool is_string(const struct reader *r)
{
    return r->token == TOKEN_WORD || r->token == TOKEN_QUOTED;
}

/* --- items */

static int add(struct reader *r, const struct syntax_item *item)
{
    struct syntax *s = r->out;

    if (s->count == r->room) {
        size_t room = r->room > 0 ? r->room * 2 : 64;
        struct syntax_item *items = realloc(s->items, room * sizeof *items);
        if (items == NULL)
            return out_of_memory(r);
        s->items = items;
        r->room = room;
    }
    s->items[s->count] = *item;
    s->items[s->count].end = s->count + 1;
    s->count++;
    return 0;
}

static int read_list(struct reader *r, struct syntax_item *item)
{
    int rc = next(r);

    while (rc == 0 && r->token != TOKEN_CLOSE) {
        if (!is_string(r))
            return fault(r, r->token_line, "a list holds values, with commas between them");
        item->text = r->text;
        rc = add(r, item);
        if (rc == 0)
            rc = next(r);
        if (rc < 0 || r->token == TOKEN_CLOSE)
            break;
        if (r->token != TOKEN_COMMA)
            return fault(r, r->token_line, "',' or '}' is missing in a list");
        rc = next(r);
    }
    return rc < 0 ? rc : next(r);
}

/* Behind the equals sign. */
static int read_value(struct reader *r, struct syntax_item *item)
{
    int rc = next(r);

    if (rc < 0)
        return rc;
    if (r->token == TOKEN_OPEN)
        return read_list(r, item);
    if (!is_string(r))
        return fault(r, item->line, "a value is missing behind '='");
    item->text = r->text;
    rc = add(r, item);
    return rc < 0 ? rc : next(r);
}

/* One item; a section's opening brace only, which is told by *opened. */
static int read_item(struct reader *r, bool *opened)
{
    struct syntax_item item = {.name = r->text, .line = r->token_line};
    int rc;

    *opened = false;
    if (r->token != TOKEN_WORD)
        return fault(r, r->token_line, "the name of a setting or of a section is missing");
    rc = next(r);
    if (rc < 0)
        return rc;
    if (r->token == TOKEN_EQUALS)
        return read_value(r, &item);
    if (is_string(r)) {
        item.text = r->text;
        rc = next(r);
        if (rc < 0)
            return rc;
    }
    if (r->token != TOKEN_OPEN)
        return fault(r, item.line,
                     "'=' is missing behind a name (or '{', for a section); a value with spaces, "
                     "'=', ',' or '#' in it needs quotes");
    item.section = *opened = true;
    rc = add(r, &item);
    return rc < 0 ? rc : next(r);
}

static int read_all(struct reader *r)
{
    size_t open[SYNTAX_MAX_DEPTH], depth = 0;
    bool opened;
    int rc = next(r);

    while (rc == 0 && (r->token != TOKEN_END || depth > 0)) {
        if (r->token == TOKEN_CLOSE && depth > 0) {
            r->out->items[open[--depth]].end = r->out->count;
            rc = next(r);
            continue;
        }
        if (r->token == TOKEN_END)
            return fault(r, r->out->items[open[depth - 1]].line,
                         "a section is opened here and never closed");
        rc = read_item(r, &opened);
        if (rc < 0 || !opened)
            continue;
        if (depth == SYNTAX_MAX_DEPTH)
            return fault(r, r->token_line, "too many sections inside one another");
        open[depth++] = r->out->count - 1;
    }
    return rc;
}

/* --- all of it */

/* Text, and nothing that could not be shown to a person. */
static int check_bytes(struct reader *r, size_t n)
{
    unsigned line = 1, cp = 0;

    if (n > SYNTAX_MAX_BYTES)
        return err_set(r->e, STATUS_USAGE, -EFBIG,
                       "'%s' is larger than %d bytes: is it a configuration file?", r->file,
                       SYNTAX_MAX_BYTES);
    for (size_t i = 0, len; i < n; i += len) {
        len = text_utf8(r->at + i, n - i, &cp);
        if (len == 0)
            return fault(r, line, "this is not UTF-8 text: is it a configuration file?");
        if ((cp < 0x20 && !is_space((char)cp)) || (cp >= 0x7f && cp < 0xa0))
            return fault(r, line, "there is a control character: is it a configuration file?");
        line += cp == '\n';
    }
    return 0;
}

int syntax_parse(struct syntax *out, const char *bytes, size_t n, const char *file, struct err *e)
{
    struct reader r = {.at = bytes, .stop = bytes + n, .file = file, .line = 1, .out = out, .e = e};
    int rc = check_bytes(&r, n);

    *out = (struct syntax){0};
    if (rc < 0)
        return rc;
    if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) /* some editors mark UTF-8 so */
        r.at += 3;
    out->bytes = n + 2;
    out->strings = calloc(1, out->bytes);
    if (out->strings == NULL)
        return out_of_memory(&r);
    r.free = out->strings;
    rc = read_all(&r);
    if (rc < 0)
        syntax_free(out);
    return rc;
}

void syntax_free(struct syntax *s)
{
    if (s->strings != NULL)
        os_wipe(s->strings, s->bytes);
    free(s->items);
    free(s->strings);
    *s = (struct syntax){0};
}
