#include "local/clause.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "local/speakable.h"
#include "util/text.h"

enum {
    EARLY_WORDS = 3,    /* of a first clause without a mark */
    COMMA_WORDS = 6,    /* of a later clause that ends at a comma */
    LONGEST_WORDS = 25, /* without any mark */
    LONGEST_BYTES = 400,
};

static bool in_table(const char *const *table, const char *s, size_t n)
{
    for (; *table != NULL; table++)
        if (strlen(*table) == n && strncasecmp(*table, s, n) == 0)
            return true;
    return false;
}

static bool space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* What may stand between a mark and the space after it. */
static size_t closers(const char *s)
{
    return strspn(s, "\"')]*_`");
}

/* Start of the word that ends before `end`. */
static size_t word_start(const char *s, size_t end)
{
    while (end > 0 && !space(s[end - 1]))
        end--;
    return end + strspn(s + end, "\"'([*_`");
}

static bool at_line_start(const char *s, size_t i)
{
    while (i > 0 && (s[i - 1] == ' ' || s[i - 1] == '\t'))
        i--;
    return i == 0 || s[i - 1] == '\n';
}

/* Whether the full stop at s[i] belongs to its word. `next` is what follows the space, '\0' when
 * that is not known. */
static bool stop_in_word(const char *s, size_t i, char next)
{
    static const char *const never[] = {"mr",  "mrs", "ms",  "dr",  "prof",   "st",  "sr",  "jr",
                                        "vs",  "e.g", "i.e", "eg",  "ie",     "gen", "col", "lt",
                                        "rev", "hon", "fig", "vol", "approx", "cf",  "mt",  NULL};
    static const char *const perhaps[] = {"etc", "a.m", "p.m",  "inc", "ltd", "co", "no",
                                          "u.s", "u.k", "dept", "ave", "est", NULL};
    size_t start = word_start(s, i), n = i - start;
    bool number = n > 0 && strspn(s + start, "0123456789") >= n;

    if (number && at_line_start(s, start))
        return true;
    if (n == 1 && isupper((unsigned char)s[start]) && s[start] != 'I')
        return true;
    if (in_table(never, s + start, n))
        return true;
    return in_table(perhaps, s + start, n) && (next == '\0' || !isupper((unsigned char)next)) &&
           !(n == 2 && strncasecmp(s + start, "no", 2) == 0 && !isdigit((unsigned char)next));
}

/* Words that lean on the next one: no pause after them. */
static bool leans(const char *s, size_t end)
{
    static const char *const words[] = {
        "a",    "an",   "the", "of",  "to",   "in",  "on",    "at",    "by",    "for",   "from",
        "with", "and",  "or",  "but", "is",   "are", "was",   "were",  "be",    "as",    "that",
        "my",   "your", "his", "her", "its",  "our", "their", "this",  "these", "i",     "you",
        "he",   "she",  "it",  "we",  "they", "not", "very",  "about", "who",   "which", NULL};
    size_t start = word_start(s, end);

    return in_table(words, s + start, end - start) ||
           (end > 0 && isdigit((unsigned char)s[end - 1]));
}

struct scan {
    const char *s;
    size_t n;
    bool started, ended;
    size_t words; /* complete ones before i */
};

/* Where what belongs to the mark at s[i] ends, when it is a pause; 0: it is none, or, with text
 * still to come, not yet known. */
static size_t pause_end(const char *s, size_t n, size_t i, bool ended)
{
    size_t after, next;

    if (strchr(".!?,;:", s[i]) == NULL || (s[i + 1] != '\0' && strchr(".!?", s[i + 1]) != NULL))
        return 0;
    after = i + 1 + closers(s + i + 1);
    if (after >= n)
        return ended && !(s[i] == '.' && stop_in_word(s, i, '\0')) ? n : 0;
    if (!space(s[after]))
        return 0;
    next = after + strspn(s + after, " ");
    if (s[i] == '.' && next >= n && !ended)
        return 0; /* what follows decides about "p.m." and its like */
    return s[i] == '.' && stop_in_word(s, i, s[next]) ? 0 : after;
}

bool clause_pause(const char *s, size_t i)
{
    return s[i] != '\0' && pause_end(s, strlen(s), i, true) > 0;
}

/* End of the clause when the mark at s[i] ends one, else 0. */
static size_t cut_at_mark(const struct scan *k, size_t i)
{
    size_t end = pause_end(k->s, k->n, i, k->ended);

    if (end > 0 && strchr(".!?", k->s[i]) == NULL && k->started && k->words + 1 < COMMA_WORDS)
        return 0;
    return end;
}

/* End of the clause when the word that ended before s[i] is as good a place as any, else 0. */
static size_t cut_at_word(const struct scan *k, size_t i)
{
    size_t most = k->started ? LONGEST_WORDS : EARLY_WORDS;
    size_t next = i + strspn(k->s + i, " ");

    if (k->words < most || next >= k->n)
        return 0;
    if (k->words < most + 3 && leans(k->s, i))
        return 0;
    /* "3 - 4": a sign is not the start of a word. */
    return isalnum((unsigned char)k->s[next]) || (unsigned char)k->s[next] >= 0x80 ||
                   k->words >= most + 3
               ? i
               : 0;
}

/* Code is for eyes. Bytes of the line when s is at a fence or inside one (*fenced says which,
 * before and after), 0 when it is not complete; no fence: SIZE_MAX. */
static size_t fence_line(const struct scan *k, bool *fenced)
{
    const char *p = k->s + strspn(k->s, " \t\n");
    bool fence = strncmp(p, "```", 3) == 0;
    const char *end = strchr(p, '\n');

    if (!fence && !k->ended && *p != '\0' && strspn(p, "`") == strlen(p))
        return 0;
    if (!fence && !*fenced)
        return SIZE_MAX;
    if (end == NULL && !k->ended && k->n < LONGEST_BYTES)
        return 0;
    if (fence)
        *fenced = !*fenced;
    return end != NULL ? (size_t)(end - k->s) + 1 : k->n;
}

/* Bytes of the next clause, 0 when it is not complete. */
static size_t find_cut(struct scan *k)
{
    bool in_word = false;

    for (size_t i = 0; i < k->n; i++) {
        size_t cut = 0;
        bool blank = space(k->s[i]);

        if (in_word && blank) {
            k->words++;
            if (k->s[i] == ' ')
                cut = cut_at_word(k, i);
        } else if (!blank) {
            cut = cut_at_mark(k, i);
        }
        in_word = !blank &&
                  (in_word || isalnum((unsigned char)k->s[i]) || (unsigned char)k->s[i] >= 0x80);
        if (k->s[i] == '\n' && k->words > 0)
            cut = i + 1;
        if (cut > 0)
            return cut;
        if (i + 1 >= LONGEST_BYTES)
            return text_utf8_whole(k->s, i + 1);
    }
    return k->ended ? k->n : 0;
}

void clause_add(struct clause *c, const char *piece)
{
    buf_adds(&c->text, piece);
}

bool clause_next(struct clause *c, bool ended, struct buf *out)
{
    buf_clear(out);
    while (out->len == 0 && !buf_failed(out)) {
        struct scan k = {
            .s = buf_str(&c->text), .n = c->text.len, .started = c->started, .ended = ended};
        bool fenced = c->fenced;
        size_t n = fence_line(&k, &fenced);
        bool silent = n != SIZE_MAX;
        char kept;

        if (!silent)
            n = find_cut(&k);
        if (n == 0)
            return false;
        c->fenced = fenced;
        n += strspn(k.s + n, " \n");
        kept = c->text.data[n];
        c->text.data[n] = '\0';
        if (!silent)
            speakable_add(out, c->text.data);
        c->text.data[n] = kept;
        buf_drop(&c->text, n);
        c->taken += n;
    }
    c->started = true;
    return !buf_failed(out);
}

void clause_free(struct clause *c)
{
    buf_free(&c->text);
    *c = (struct clause)CLAUSE_INIT;
}
