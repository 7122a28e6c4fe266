#include "local/prompt.h"

#if HULLO_LOCAL

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "local/fit.h"
#include "util/buf.h"
#include "util/text.h"

enum {
    MESSAGE_OVERHEAD = 8, /* tokens that a template puts around a message, about */
    BYTES_PER_TOKEN = 32, /* at most, nearly: what is longer than that needs no counting */
};

int prompt_init(struct prompt *p, const struct llama_model *model, size_t room)
{
    memset(p, 0, sizeof *p);
    p->vocab = llama_model_get_vocab(model);
    p->template = llama_model_chat_template(model, NULL);
    p->room = room;
    /* libllama knows the common templates by their looks, and says so by rendering nothing. */
    if (p->template != NULL) {
        struct llama_chat_message m = {.role = "user", .content = "x"};
        p->thinks = strstr(p->template, "enable_thinking") != NULL;
        if (llama_chat_apply_template(p->template, &m, 1, true, NULL, 0) < 0)
            p->template = NULL;
    }
    if (p->template == NULL)
        p->template = "chatml";
    p->tokens = calloc(room + 1, sizeof *p->tokens);
    return p->tokens != NULL ? 0 : -ENOMEM;
}

void prompt_free(struct prompt *p)
{
    free(p->tokens);
    memset(p, 0, sizeof *p);
}

/* Tokens of s, malloc'd; a negative errno as count. */
static int32_t tokenize(const struct prompt *p, const char *s, size_t n, bool special,
                        llama_token **out)
{
    int32_t most = (int32_t)n + 8, count;

    *out = malloc((size_t)most * sizeof **out);
    if (*out == NULL)
        return -ENOMEM;
    count = llama_tokenize(p->vocab, s, (int32_t)n, *out, most, special, true);
    if (count < 0) {
        free(*out);
        *out = NULL;
        return -EINVAL;
    }
    return count;
}

/* Tokens that s takes, and whether markers of the template are among them. */
static int32_t measure(const struct prompt *p, const char *s, size_t n, bool *markers)
{
    llama_token *t;
    int32_t count = tokenize(p, s, n, false, &t);

    *markers = false;
    for (int32_t i = 0; i < count; i++)
        *markers |= llama_vocab_is_control(p->vocab, t[i]);
    free(t);
    return count;
}

/* What a message is about to say to the model. */
struct part {
    char *text;
    size_t cost;
};

/* A message that carries the template's own markers could end its turn and speak as somebody else.
 */
static void defuse(char *s)
{
    for (; *s != '\0'; s++)
        if (strchr("<>|[]", *s) != NULL)
            *s = ' ';
}

/* The last `bytes` of s, from a whole character on. */
static const char *tail(const char *s, size_t bytes)
{
    size_t n = strlen(s);

    if (n <= bytes)
        return s;
    s += n - bytes;
    while (((unsigned char)*s & 0xc0) == 0x80)
        s++;
    return s;
}

/* Copies text, at most `room` tokens from its end. */
static int make_part(const struct prompt *p, const char *text, size_t room, struct part *out)
{
    bool markers;
    int32_t n;

    text = tail(text, p->room * BYTES_PER_TOKEN);
    while ((n = measure(p, text, strlen(text), &markers)) >= 0 && (size_t)n > room && *text != '\0')
        text = tail(text, strlen(text) * room / ((size_t)n + 1));
    if (n < 0)
        return n;
    out->text = strdup(text);
    if (out->text == NULL)
        return -ENOMEM;
    if (markers)
        defuse(out->text);
    out->cost = (size_t)n + MESSAGE_OVERHEAD;
    return 0;
}

static void free_parts(struct part *parts, size_t count)
{
    for (size_t i = 0; parts != NULL && i < count; i++)
        free(parts[i].text);
    free(parts);
}

/* All messages as parts, from the newest on; those that cannot fit any more cost more than there is
 * room, and have no text. */
static int make_parts(const struct prompt *p, const struct chat_message *messages, size_t count,
                      struct part **out)
{
    struct part *parts = calloc(count, sizeof *parts);
    size_t total = 0;
    int rc = 0;

    *out = parts;
    if (parts == NULL)
        return -ENOMEM;
    for (size_t i = count; i-- > 0 && rc == 0;) {
        if (messages[i].role != CHAT_SYSTEM && total > p->room) {
            parts[i].cost = p->room;
            continue;
        }
        rc = make_part(p, messages[i].text, SIZE_MAX, &parts[i]);
        total += messages[i].role != CHAT_SYSTEM ? parts[i].cost : 0;
    }
    return rc;
}

/* Leaves out what does not fit: *start is the first message kept behind the system prompt. */
static int choose(struct prompt *p, const struct chat_message *messages, struct part *parts,
                  size_t count, size_t *start, struct err *e)
{
    size_t *cost = malloc(count * sizeof *cost), fixed = 0, rest = 0, system = 0;

    if (cost == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        cost[i] = parts[i].cost;
    *start = fit_start(messages, cost, count, p->room, p->start);
    while (system < count && messages[system].role == CHAT_SYSTEM)
        fixed += cost[system++];
    for (size_t i = *start; i < count; i++)
        rest += cost[i];
    free(cost);
    p->start = *start > system ? *start : 0;
    if (fixed + rest <= p->room)
        return 0;
    if (fixed + MESSAGE_OVERHEAD * 2 > p->room)
        return err_set(e, STATUS_FAILED, -E2BIG,
                       "the system prompt is too long for the language model: it takes %zu tokens "
                       "of %zu",
                       fixed, p->room);
    /* One exchange alone is too long: the end of what was said last must do. */
    *start = count - 1;
    free(parts[*start].text);
    parts[*start].text = NULL;
    return make_part(p, messages[*start].text, p->room - fixed - MESSAGE_OVERHEAD, &parts[*start]);
}

static const char *role_name(enum chat_role role)
{
    return role == CHAT_SYSTEM ? "system" : role == CHAT_USER ? "user" : "assistant";
}

/* The conversation as text, in *out. */
static int render(const struct prompt *p, const struct llama_chat_message *chat, size_t count,
                  bool answer, struct buf *out)
{
    size_t size = 256;
    int32_t n = 0;

    for (size_t i = 0; i < count; i++)
        size += 2 * strlen(chat[i].content) + 64;
    for (int attempt = 0; attempt < 2; attempt++) {
        char *s = malloc(size);
        if (s == NULL)
            return -ENOMEM;
        n = llama_chat_apply_template(p->template, chat, count, answer, s, (int32_t)size);
        if (n >= 0 && (size_t)n <= size) {
            buf_add(out, s, (size_t)n);
            free(s);
            return buf_failed(out) ? -ENOMEM : 0;
        }
        free(s);
        if (n < 0)
            return -EINVAL;
        size = (size_t)n + 1;
    }
    return -EINVAL;
}

/* Cuts off what the template puts behind the last message's text. */
static bool cut_behind(struct buf *text, const char *last)
{
    size_t n = strlen(last);

    for (size_t at = text->len; n > 0 && at >= n; at--) {
        if (memcmp(text->data + at - n, last, n) == 0) {
            text->len = at;
            text->data[at] = '\0';
            return true;
        }
    }
    return false;
}

static int fill_tokens(struct prompt *p, const struct llama_chat_message *chat, size_t count,
                       bool prefix)
{
    bool open = strcmp(chat[count - 1].role, "user") == 0, cut = false;
    struct buf text = BUF_INIT;
    llama_token *t = NULL;
    int rc = render(p, chat, count, open || !prefix, &text);
    int32_t n;

    if (rc == 0 && prefix && open)
        cut = cut_behind(&text, chat[count - 1].content);
    else if (rc == 0 && p->thinks && !prefix)
        buf_adds(&text, "<think>\n\n</think>\n\n");
    if (rc == 0)
        rc = buf_failed(&text) ? -ENOMEM : 0;
    if (rc == 0 && (n = tokenize(p, buf_str(&text), text.len, true, &t)) < 0)
        rc = n;
    if (rc == 0) {
        if (cut && n > 0)
            n--; /* the last word may go on, and then is another token */
        rc = (size_t)n > p->room ? -E2BIG : 0;
        p->count = rc == 0 ? (size_t)n : 0;
        memcpy(p->tokens, t, p->count * sizeof *t);
    }
    free(t);
    buf_free(&text);
    return rc;
}

/* Renders the system prompt and the messages from `start` on. */
static int build_from(struct prompt *p, const struct chat_message *messages,
                      const struct part *parts, size_t count, size_t start, bool prefix)
{
    struct llama_chat_message *chat = calloc(count, sizeof *chat);
    size_t n = 0;
    int rc;

    if (chat == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (i < start && messages[i].role != CHAT_SYSTEM)
            continue;
        chat[n].role = role_name(messages[i].role);
        chat[n++].content = parts[i].text;
    }
    rc = fill_tokens(p, chat, n, prefix);
    free(chat);
    return rc;
}

int prompt_build(struct prompt *p, const struct chat_message *messages, size_t count, bool prefix,
                 struct err *e)
{
    struct part *parts = NULL;
    size_t start = 0;
    int rc;

    p->count = 0;
    if (count == 0)
        return err_set(e, STATUS_FAILED, -EINVAL, "there is no conversation to answer");
    rc = make_parts(p, messages, count, &parts);
    if (rc == 0)
        rc = choose(p, messages, parts, count, &start, e);
    if (rc == 0)
        rc = build_from(p, messages, parts, count, start, prefix);
    if (rc == -EINVAL)
        err_set(e, STATUS_FAILED, rc, "the language model's chat template cannot be used");
    free_parts(parts, count);
    return rc;
}

#endif
