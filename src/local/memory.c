#include "local/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"

/* More than fits into any context of the local models; the engine itself drops what does not fit.
 */
#define MAX_ENTRIES 400

struct span {
    char *text;
    double end_ms;
};

struct entry {
    enum chat_role role;
    uint32_t item;
    bool cut;
    struct buf text;
    struct span *spans;
    size_t span_count;
};

struct memory {
    struct entry *entries;
    size_t count;
    struct chat_message messages[MAX_ENTRIES];
};

static void entry_free(struct entry *en)
{
    for (size_t i = 0; i < en->span_count; i++)
        free(en->spans[i].text);
    free(en->spans);
    buf_free(&en->text);
    *en = (struct entry){0};
}

/* The oldest goes when the memory is full; entry 0 is the system prompt. */
static void drop_oldest(struct memory *m)
{
    entry_free(&m->entries[1]);
    memmove(&m->entries[1], &m->entries[2], (m->count - 2) * sizeof *m->entries);
    m->count--;
}

static struct entry *append(struct memory *m, enum chat_role role)
{
    if (m->count == MAX_ENTRIES)
        drop_oldest(m);
    struct entry *en = &m->entries[m->count++];
    *en = (struct entry){.role = role};
    return en;
}

static int checked(struct entry *en)
{
    return buf_failed(&en->text) ? -ENOMEM : 0;
}

int memory_new(struct memory **out, const char *instructions)
{
    struct memory *m = calloc(1, sizeof *m);

    *out = NULL;
    if (m != NULL)
        m->entries = calloc(MAX_ENTRIES, sizeof *m->entries);
    if (m == NULL || m->entries == NULL) {
        free(m);
        return -ENOMEM;
    }
    buf_adds(&append(m, CHAT_SYSTEM)->text, instructions);
    *out = m;
    return 0;
}

void memory_free(struct memory *m)
{
    if (m == NULL)
        return;
    memory_rollback(m, 0);
    free(m->entries);
    free(m);
}

int memory_user(struct memory *m, const char *text)
{
    struct entry *en = append(m, CHAT_USER);

    buf_adds(&en->text, text);
    return checked(en);
}

int memory_reply(struct memory *m, uint32_t item)
{
    append(m, CHAT_ASSISTANT)->item = item;
    return 0;
}

static struct entry *find(struct memory *m, uint32_t item)
{
    for (size_t i = m->count; i-- > 1;)
        if (m->entries[i].role == CHAT_ASSISTANT && m->entries[i].item == item)
            return &m->entries[i];
    return NULL;
}

int memory_reply_text(struct memory *m, uint32_t item, const char *text)
{
    struct entry *en = find(m, item);

    if (en == NULL || en->cut)
        return 0;
    buf_adds(&en->text, text);
    return checked(en);
}

int memory_reply_span(struct memory *m, uint32_t item, const char *text, double end_ms)
{
    struct entry *en = find(m, item);
    struct span *spans;
    char *copy;

    if (en == NULL || en->cut)
        return 0;
    spans = realloc(en->spans, (en->span_count + 1) * sizeof *spans);
    if (spans == NULL)
        return -ENOMEM;
    en->spans = spans;
    copy = strdup(text);
    if (copy == NULL)
        return -ENOMEM;
    spans[en->span_count++] = (struct span){copy, end_ms};
    return 0;
}

/* The words of `text` that end within the first `share` of it: speech is taken to be even within a
 * clause. */
static size_t words_within(const char *text, double share)
{
    size_t n = strlen(text), limit = (size_t)(share * (double)n), end = 0;

    for (size_t i = 1; i <= n; i++)
        if ((text[i] == ' ' || text[i] == '\0') && i <= limit)
            end = i;
    return end;
}

void memory_reply_cut(struct memory *m, uint32_t item, double played_ms)
{
    struct entry *en = find(m, item);
    double start_ms = 0;

    if (en == NULL || en->cut || (en->span_count == 0 && played_ms > 0))
        return;
    en->cut = true;
    buf_clear(&en->text);
    for (size_t i = 0; i < en->span_count && start_ms < played_ms; i++) {
        const struct span *s = &en->spans[i];
        size_t n = strlen(s->text);
        if (s->end_ms > played_ms)
            n = words_within(s->text, (played_ms - start_ms) / (s->end_ms - start_ms));
        if (en->text.len > 0 && n > 0)
            buf_adds(&en->text, " ");
        buf_add(&en->text, s->text, n);
        start_ms = s->end_ms;
    }
}

const struct chat_message *memory_messages(struct memory *m, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct entry *en = &m->entries[i];
        if (buf_failed(&en->text))
            return NULL;
        if (en->text.len > 0)
            m->messages[(*count)++] = (struct chat_message){en->role, buf_str(&en->text)};
    }
    return m->messages;
}

size_t memory_mark(struct memory *m)
{
    /* Room for an exchange, so that nothing moves between here and the rollback. */
    while (m->count > MAX_ENTRIES - 2)
        drop_oldest(m);
    return m->count;
}

void memory_rollback(struct memory *m, size_t mark)
{
    while (m->count > mark)
        entry_free(&m->entries[--m->count]);
}
