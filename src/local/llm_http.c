/* The language model of an OpenAI-compatible server: Ollama, llama-server, vLLM, a hosted one. */
#include <errno.h>

#include "local/engines.h"
#include "local/http_engine.h"
#include "local/llm_stream.h"
#include "util/json.h"

static int prepare(struct buf *body, const struct engine_request *r)
{
    static const char *const roles[] = {"system", "user", "assistant"};

    /* Reading ahead is for a model in this process; a server keeps its own cache. */
    if (r->max_tokens == 0 || r->count == 0)
        return 0;
    buf_adds(body, "\"messages\":[");
    for (size_t i = 0; i < r->count; i++) {
        buf_addf(body, "%s{\"role\":\"%s\",\"content\":", i > 0 ? "," : "",
                 roles[r->messages[i].role]);
        json_quote(body, r->messages[i].text);
        buf_adds(body, "}");
    }
    buf_adds(body, "]");
    if (r->max_tokens > 0)
        buf_addf(body, ",\"max_tokens\":%d", r->max_tokens);
    buf_adds(body, ",\"stream\":true}");
    return buf_failed(body) ? -ENOMEM : 0;
}

static int finish(struct buf *body, const struct buf *prepared, const char *name,
                  const char *language, char *type, size_t size)
{
    (void)language;
    (void)type, (void)size;
    buf_adds(body, "{");
    if (name[0] != '\0') {
        buf_adds(body, "\"model\":");
        json_quote(body, name);
        buf_adds(body, ",");
    }
    buf_add(body, buf_str(prepared), prepared->len);
    return buf_failed(body) ? -ENOMEM : 0;
}

static int feed(void *parser, const char *bytes, size_t n, struct buf *text, bool *complete,
                struct err *e)
{
    struct llm_stream *s = parser;
    int rc = llm_stream_feed(s, bytes, n, text, e);

    /* Behind the finish_reason only numbers follow, and some servers are slow to hang up. */
    *complete = s->complete || s->finished;
    return rc;
}

static int end(void *parser, struct buf *text, struct err *e)
{
    return llm_stream_end(parser, text, e);
}

static void free_parser(void *parser)
{
    llm_stream_free(parser);
}

static const struct http_engine_kind kind = {
    .what = "language model",
    .endpoint = "chat/completions",
    .prepare = prepare,
    .finish = finish,
    .parser_bytes = sizeof(struct llm_stream),
    .feed = feed,
    .end = end,
    .free = free_parser,
};

static int open_engine(struct engine **out, const struct engine_config *config, struct err *e)
{
    return http_engine_open(out, &kind, config, e);
}

const struct engine_kind engine_llm_http = {
    .name = "http",
    .help = "a language model behind an OpenAI-compatible server",
    .open = open_engine,
};
