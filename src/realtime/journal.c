#include "realtime/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/text.h"

#define TEXT_MAX    (64u << 10) /* bytes of text in all */
#define ENTRIES_MAX 4096
#define MS_PER_CHAR 65.0   /* of an unhurried voice */
#define UNSPACED    0x2e80 /* code points from here on: scripts that put no spaces between words */

struct entry {
    enum journal_role role;
    uint32_t id;
    bool known; /* the words are */
    struct buf text;
};

struct journal {
    struct entry *entries;
    size_t count, cap;
    size_t bytes; /* of text */
};

int journal_new(struct journal **out)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? 0 : -ENOMEM;
}

void journal_clear(struct journal *j)
{
    for (size_t i = 0; i < j->count; i++)
        buf_free(&j->entries[i].text);
    j->count = 0;
    j->bytes = 0;
}

void journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    journal_clear(j);
    free(j->entries);
    free(j);
}

static void remove_at(struct journal *j, size_t i)
{
    j->bytes -= j->entries[i].text.len;
    buf_free(&j->entries[i].text);
    memmove(&j->entries[i], &j->entries[i + 1], (j->count - i - 1) * sizeof *j->entries);
    j->count--;
}

/* The newest stays in any case; of one that is too long alone, its end does. */
static void bound(struct journal *j)
{
    struct buf *text;
    size_t drop;

    while (j->count > 1 && (j->bytes > TEXT_MAX || j->count > ENTRIES_MAX))
        remove_at(j, 0);
    if (j->bytes <= TEXT_MAX)
        return;
    text = &j->entries[0].text;
    drop = text->len - TEXT_MAX;
    while (drop < text->len && ((unsigned char)text->data[drop] & 0xc0) == 0x80)
        drop++;
    buf_drop(text, drop);
    j->bytes = text->len;
}

static struct entry *find(const struct journal *j, enum journal_role role, uint32_t id)
{
    for (size_t i = j->count; i-- > 0;)
        if (j->entries[i].role == role && j->entries[i].id == id)
            return &j->entries[i];
    return NULL;
}

static int put(struct journal *j, struct entry *en, const char *text)
{
    size_t before = en->text.len;
    bool failed;

    en->known = true;
    buf_adds(&en->text, text);
    failed = buf_failed(&en->text);
    if (failed) /* what there is of it stays */
        en->text.failed = false;
    j->bytes += en->text.len - before;
    bound(j);
    return failed ? -ENOMEM : 0;
}

int journal_add(struct journal *j, enum journal_role role, uint32_t id, const char *text)
{
    if (j->count == j->cap) {
        size_t cap = j->cap * 2 + 16;
        struct entry *bigger = realloc(j->entries, cap * sizeof *bigger);
        if (bigger == NULL)
            return -ENOMEM;
        j->entries = bigger;
        j->cap = cap;
    }
    j->entries[j->count++] = (struct entry){.role = role, .id = id};
    if (text == NULL) {
        bound(j);
        return 0;
    }
    return put(j, &j->entries[j->count - 1], text);
}

int journal_append(struct journal *j, enum journal_role role, uint32_t id, const char *text)
{
    struct entry *en = find(j, role, id);

    return en != NULL ? put(j, en, text) : 0;
}

int journal_set(struct journal *j, enum journal_role role, uint32_t id, const char *text)
{
    struct entry *en = find(j, role, id);
    struct buf fresh = BUF_INIT;

    if (en == NULL)
        return 0;
    buf_adds(&fresh, text); /* before the old one goes: text may be a part of it */
    if (buf_failed(&fresh)) {
        buf_free(&fresh);
        return -ENOMEM;
    }
    j->bytes -= en->text.len;
    buf_free(&en->text);
    en->text = fresh;
    en->known = true;
    j->bytes += en->text.len;
    bound(j);
    return 0;
}

const char *journal_text(const struct journal *j, enum journal_role role, uint32_t id)
{
    const struct entry *en = find(j, role, id);

    return en != NULL && en->known ? buf_str(&en->text) : NULL;
}

void journal_remove(struct journal *j, enum journal_role role, uint32_t id)
{
    struct entry *en = find(j, role, id);

    if (en != NULL)
        remove_at(j, (size_t)(en - j->entries));
}

bool journal_entry(const struct journal *j, size_t i, struct journal_entry *out)
{
    const struct entry *en;

    if (i >= j->count)
        return false;
    en = &j->entries[i];
    *out = (struct journal_entry){
        .role = en->role, .id = en->id, .text = en->known ? buf_str(&en->text) : NULL};
    return true;
}

static bool space(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

/* Whether a word may end before what stands at s, of n bytes. */
static bool word_ends(const char *s, size_t n)
{
    unsigned cp = 0;

    if (n == 0 || space(*s))
        return true;
    return text_utf8(s, n, &cp) > 0 && cp >= UNSPACED;
}

/* The words of text that end within its first `limit` bytes. */
static size_t words_within(const char *text, size_t n, double limit)
{
    size_t end = 0, step;

    for (size_t i = 0; i < n && (double)i < limit; i += step) {
        step = text_utf8(text + i, n - i, NULL);
        step += step == 0;
        if ((double)(i + step) <= limit && word_ends(text + i + step, n - i - step) &&
            !space(text[i]))
            end = i + step;
    }
    return end;
}

size_t journal_heard(const char *text, double made_ms, bool complete, double played_ms,
                     double ms_per_char)
{
    size_t n = strlen(text);
    double spoken = (double)n; /* bytes that the speech so far is about */

    if (made_ms <= 0 || played_ms <= 0)
        return 0;
    if (complete && played_ms >= made_ms)
        return n;
    if (ms_per_char <= 0)
        ms_per_char = MS_PER_CHAR;
    if (!complete && made_ms / ms_per_char < spoken)
        spoken = made_ms / ms_per_char;
    return words_within(text, n, played_ms < made_ms ? spoken * played_ms / made_ms : spoken);
}
