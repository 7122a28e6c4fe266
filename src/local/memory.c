#include "local/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"

/* More than fits into any context of the local models; the engine itself drops what does not fit.
 */
#define MAX_ENTRIES 400

#define FIRST_MS    2400.0 /* how fast a voice speaks, until it has shown it: so long... */
#define FIRST_BYTES 40.0   /* ... for so much text */

/* A clause of a reply. */
struct span {
    char *text;
    uint32_t id;
    double end_ms; /* in the reply's speech; below 0: not spoken to its end yet */
};

struct entry {
    enum chat_role role;
    uint32_t item;
    bool cut;
    struct buf text;
    struct buf joined; /* with what the user said right before it */
    struct span *spans;
    size_t span_count;
    double speech_ms; /* that there is so far */
    double spoken_ms; /* ... of it in clauses that are complete */
};

struct memory {
    struct entry *entries;
    size_t count;
    double voice_ms, voice_bytes; /* what the voice has spoken so far */
    struct chat_message messages[MAX_ENTRIES];
};

static void entry_free(struct entry *en)
{
    for (size_t i = 0; i < en->span_count; i++)
        free(en->spans[i].text);
    free(en->spans);
    buf_free(&en->text);
    buf_free(&en->joined);
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
    m->voice_ms = FIRST_MS;
    m->voice_bytes = FIRST_BYTES;
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

int memory_reply_begin(struct memory *m, uint32_t item)
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

int memory_reply_clause(struct memory *m, uint32_t item, uint32_t id, const char *text)
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
    spans[en->span_count++] = (struct span){copy, id, -1};
    return 0;
}

void memory_reply_speech(struct memory *m, uint32_t item, double speech_ms)
{
    struct entry *en = find(m, item);

    if (en != NULL)
        en->speech_ms = speech_ms;
}

void memory_reply_spoken(struct memory *m, uint32_t item, uint32_t id, double end_ms)
{
    struct entry *en = find(m, item);

    for (size_t i = 0; en != NULL && i < en->span_count; i++) {
        struct span *s = &en->spans[i];
        if (s->id != id || s->end_ms >= 0)
            continue;
        s->end_ms = end_ms;
        if (end_ms > en->spoken_ms) {
            m->voice_ms += end_ms - en->spoken_ms;
            m->voice_bytes += (double)strlen(s->text);
            en->spoken_ms = end_ms;
        }
    }
}

/* The words of `text` that end within the first `share` of it. */
static size_t words_within(const char *text, double share)
{
    size_t n = strlen(text), end = 0;
    double limit = share * (double)n;

    for (size_t i = 1; i <= n; i++)
        if ((text[i] == ' ' || text[i] == '\0') && (double)i <= limit)
            end = i;
    return end;
}

static double guess_ms(const struct memory *m, const char *text)
{
    return (double)strlen(text) * m->voice_ms / m->voice_bytes;
}

/* Keeps of a clause what was heard when played_ms of the reply were; returns where it ends. */
static double keep_heard(const struct memory *m, struct entry *en, const struct span *s,
                         double start_ms, double played_ms)
{
    double end_ms = s->end_ms;
    size_t n;

    if (end_ms < 0) {
        end_ms = start_ms + guess_ms(m, s->text);
        if (end_ms < en->speech_ms)
            end_ms = en->speech_ms;
    }
    if (end_ms <= start_ms || played_ms <= start_ms) /* the voice had nothing for it, or not yet */
        return start_ms;
    n = words_within(s->text, (played_ms - start_ms) / (end_ms - start_ms));
    if (en->text.len > 0 && n > 0)
        buf_adds(&en->text, " ");
    buf_add(&en->text, s->text, n);
    return end_ms;
}

void memory_reply_cut(struct memory *m, uint32_t item, double played_ms)
{
    struct entry *en = find(m, item);
    double start_ms = 0;

    if (en == NULL || en->cut)
        return;
    en->cut = true;
    buf_clear(&en->text);
    for (size_t i = 0; i < en->span_count && played_ms > 0; i++)
        start_ms = keep_heard(m, en, &en->spans[i], start_ms, played_ms);
}

const char *memory_reply(struct memory *m, uint32_t item)
{
    struct entry *en = find(m, item);

    return en != NULL ? buf_str(&en->text) : NULL;
}

/* One message of the user's after another is one message: there was a reply between them that
 * nobody heard, and many models cannot be told of two in a row. */
static int join(struct chat_message *before, struct entry *en)
{
    buf_clear(&en->joined);
    buf_addf(&en->joined, "%s %s", before->text, buf_str(&en->text));
    before->text = buf_str(&en->joined);
    return buf_failed(&en->joined) ? -ENOMEM : 0;
}

const struct chat_message *memory_messages(struct memory *m, size_t *count)
{
    size_t n = 0;

    *count = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct entry *en = &m->entries[i];
        if (buf_failed(&en->text))
            return NULL;
        if (en->text.len == 0)
            continue;
        if (en->role != CHAT_USER || n == 0 || m->messages[n - 1].role != CHAT_USER)
            m->messages[n++] = (struct chat_message){en->role, buf_str(&en->text)};
        else if (join(&m->messages[n - 1], en) < 0)
            return NULL;
    }
    *count = n;
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
