#include "local/llm_stream.h"

#include <errno.h>
#include <string.h>

#include "net/http_error.h"
#include "util/json.h"
#include "util/text.h"

static int out_of_memory(struct llm_stream *s)
{
    return err_set(&s->error, STATUS_FAILED, -ENOMEM, "out of memory in the reply of the server");
}

static int not_a_chat(struct llm_stream *s, const char *what)
{
    return err_set(&s->error, STATUS_FAILED, -EBADMSG,
                   "cannot read the reply of the language model's server: %s; check that its "
                   "address is that of an OpenAI-compatible API",
                   what);
}

/* content: a string, or (Mistral) a list of parts of which those of type "text" are the reply. */
static void add_content(struct llm_stream *s, const cJSON *content)
{
    const cJSON *part;

    if (cJSON_IsString(content)) {
        buf_adds(&s->held, content->valuestring);
        return;
    }
    if (!cJSON_IsArray(content))
        return;
    cJSON_ArrayForEach(part, content)
    {
        const char *type = json_str(part, "type"), *text = json_str(part, "text");
        if (type != NULL && text != NULL && strcmp(type, "text") == 0)
            buf_adds(&s->held, text);
    }
}

static int reported_error(struct llm_stream *s, const cJSON *j)
{
    char words[HTTP_ERROR_WORDS];

    http_error_words_json(words, j);
    return err_set(&s->error, STATUS_FAILED, -EIO,
                   "the language model's server reports an error%s%s%s",
                   words[0] != '\0' ? ": \"" : "", words, words[0] != '\0' ? "\"" : "");
}

static bool is_error(const cJSON *j)
{
    const cJSON *error = json_get(j, "error");
    const char *object = json_str(j, "object");

    return cJSON_IsObject(error) || (cJSON_IsString(error) && error->valuestring[0] != '\0') ||
           (object != NULL && strcmp(object, "error") == 0);
}

/* One chunk, or the whole: `where` its text stands. */
static int take_object(struct llm_stream *s, const cJSON *j, const char *where)
{
    const cJSON *choices = json_get(j, "choices"), *choice;

    if (is_error(j))
        return reported_error(s, j);
    /* No choices: a chunk with usage numbers, or a dialect's own event. */
    if (!cJSON_IsArray(choices))
        return 0;
    s->answered = true;
    choice = cJSON_GetArrayItem(choices, 0);
    if (s->finished || choice == NULL || json_int(choice, "index", 0, 1 << 20, 0) != 0)
        return 0;
    add_content(s, json_get(json_get(choice, where), "content"));
    s->finished = json_str(choice, "finish_reason") != NULL;
    return buf_failed(&s->held) ? out_of_memory(s) : 0;
}

static int take_json(struct llm_stream *s, const char *text, size_t n, const char *where)
{
    cJSON *j;
    int rc = json_parse(&j, text, n);

    if (rc == -EMSGSIZE)
        return not_a_chat(s, "it is too long or too deeply nested");
    if (rc == -ENOMEM)
        return out_of_memory(s);
    if (rc < 0 || !cJSON_IsObject(j))
        rc = not_a_chat(s, "it is not JSON");
    else
        rc = take_object(s, j, where);
    cJSON_Delete(j);
    return rc;
}

static int on_event(void *user, const char *data)
{
    struct llm_stream *s = user;

    if (s->complete || text_blank(data))
        return 0;
    if (strncmp(data, "[DONE]", 6) == 0) {
        s->complete = true;
        return 0;
    }
    return take_json(s, data, strlen(data), "delta");
}

/* Moves n bytes of the held text to *text. */
static int release(struct llm_stream *s, size_t n, struct buf *text)
{
    char *start;

    if (n == 0)
        return 0;
    buf_add(text, s->held.data, n);
    if (buf_failed(text))
        return out_of_memory(s);
    start = text->data + text->len - n;
    text->len = (size_t)(start - text->data) + text_clean(start);
    buf_drop(&s->held, n);
    return 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What the first byte that is no white space promises. */
static int find_form(struct llm_stream *s, char first)
{
    if (first == '<')
        return not_a_chat(s, "it is a web page");
    s->form = first == '{' ? LLM_STREAM_WHOLE : LLM_STREAM_EVENTS;
    return 0;
}

static int feed(struct llm_stream *s, const char *bytes, size_t n)
{
    int rc = 0;

    /* Space before the first byte is dropped, however it is cut. */
    while (s->form == LLM_STREAM_UNKNOWN && n > 0 && is_space(*bytes)) {
        bytes++;
        n--;
    }
    if (n == 0)
        return 0;
    if (s->form == LLM_STREAM_UNKNOWN)
        rc = find_form(s, *bytes);
    if (rc == 0 && s->form == LLM_STREAM_EVENTS)
        return sse_feed(&s->sse, bytes, n, on_event, s);
    if (rc < 0)
        return rc;
    if (n > SSE_MAX_BYTES - s->whole.len)
        return -EMSGSIZE;
    buf_add(&s->whole, bytes, n);
    return buf_failed(&s->whole) ? -ENOMEM : 0;
}

static int report(struct llm_stream *s, int rc, struct err *e)
{
    if (rc == 0)
        return 0;
    if (s->error.code == 0 && rc == -ENOMEM)
        out_of_memory(s);
    else if (s->error.code == 0)
        not_a_chat(s, "a piece of it is longer than 1 MiB");
    if (e != NULL)
        *e = s->error;
    return s->error.code;
}

int llm_stream_feed(struct llm_stream *s, const char *bytes, size_t n, struct buf *text,
                    struct err *e)
{
    int rc = s->error.code, released;

    if (rc == 0)
        rc = feed(s, bytes, n);
    /* What came before an error was said. */
    released = release(s, text_utf8_whole(buf_str(&s->held), s->held.len), text);
    return report(s, rc != 0 ? rc : released, e);
}

int llm_stream_end(struct llm_stream *s, struct buf *text, struct err *e)
{
    int rc = s->error.code, released;

    if (rc == 0 && s->form == LLM_STREAM_WHOLE) {
        rc = take_json(s, s->whole.data, s->whole.len, "message");
        s->finished = true;
    }
    released = release(s, s->held.len, text);
    if (rc == 0 && released == 0 && !s->answered)
        rc = not_a_chat(s, "it holds no reply");
    else if (rc == 0 && released == 0 && !s->finished && !s->complete)
        rc = err_set(&s->error, STATUS_NETWORK, -EPIPE,
                     "the language model's server broke off in the middle of its reply: try again");
    return report(s, rc != 0 ? rc : released, e);
}

void llm_stream_free(struct llm_stream *s)
{
    sse_free(&s->sse);
    buf_free(&s->whole);
    buf_free(&s->held);
    *s = (struct llm_stream){0};
}
