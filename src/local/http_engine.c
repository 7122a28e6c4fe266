#include "local/http_engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/endpoint.h"
#include "net/http.h"
#include "net/http_error.h"
#include "util/json.h"
#include "util/text.h"

enum {
    PROBE_IDLE_MS = 10000,
    PROBE_MAX_BYTES = 4 << 20,
    LOADING_RETRY_MS = 500, /* llama-server answers 503 while it loads its model */
    LOADING_TRIES = 240,
    NAME_BYTES = 256,
    TOKEN_MAX_BYTES = 64, /* of text, and then some: servers that do not heed max_tokens */
    TEXT_MAX_BYTES = 1 << 20,
};

struct job {
    struct job *next;
    struct http_engine *g;
    uint32_t id;
    struct buf prepared;
    void *parser;
    struct http_call *call; /* under way */
    size_t text_bytes, most_bytes;
    bool ended, cancelled;
    struct err error;
};

struct http_engine {
    struct engine base;
    const struct http_engine_kind *kind;
    const struct log *log;
    engine_event_fn *event;
    void *user;
    struct http *http;
    uv_timer_t later, retry;
    int open_handles;
    bool closed;
    char *models_url, *endpoint_url, *key, *authorization;
    char name[NAME_BYTES]; /* "" while not known */
    char language[16];     /* "" when none was said */
    char shown[256];       /* the server, for people */
    enum { PROBING, READY, BROKEN } state;
    struct err broken;
    int tries;
    struct job *jobs; /* in order; only the first may be under way */
    struct job *tail; /* its DONE was told, its connection ends by itself so that it can be kept */
};

/* Telling. Handlers may call anything, also close: after each event `closed` is looked at before
 * anything else. */

static void tell(struct http_engine *g, const struct engine_event *ev)
{
    if (!g->closed)
        g->event(g->user, ev);
}

static void tell_text(struct http_engine *g, uint32_t id, struct buf *text, bool also_empty)
{
    struct engine_event ev = {.type = ENGINE_TEXT, .id = id, .text = buf_str(text)};

    if (text->len > 0 || also_empty)
        tell(g, &ev);
    buf_free(text);
}

static void tell_end(struct http_engine *g, const struct job *j)
{
    struct engine_event ev = {.id = j->id, .type = ENGINE_DONE, .cancelled = j->cancelled};

    if (!j->cancelled && j->error.code < 0) {
        ev.type = ENGINE_FAILED;
        ev.error = &j->error;
    }
    tell(g, &ev);
}

/* Jobs. */

static void free_job(struct job *j)
{
    if (j == NULL)
        return;
    if (j->call != NULL)
        http_cancel(j->call);
    if (j->parser != NULL)
        j->g->kind->free(j->parser);
    free(j->parser);
    buf_free(&j->prepared);
    free(j);
}

/* Why it will fail, once it has ended. Servers may repeat the key that they were sent. */
static void blame(struct job *j, const struct err *e)
{
    j->error = *e;
    if (j->g->key != NULL)
        text_redact(j->error.text, j->g->key);
}

static void pump(struct http_engine *g);

/* The reply is complete though its connection is still busy: told now. */
static void retire(struct http_engine *g, struct job *j)
{
    free_job(g->tail);
    g->tail = j;
    g->jobs = j->next;
    tell_end(g, j);
    pump(g);
}

/* Counts the reply's text and cuts it off at what was asked for: then -EMSGSIZE. */
static int limit_text(struct job *j, struct buf *text, struct err *e)
{
    const struct http_engine *g = j->g;
    size_t left = j->most_bytes - j->text_bytes;
    bool more = text->len > left;

    if (more) {
        text->len = text_utf8_whole(text->data, left);
        text->data[text->len] = '\0';
    }
    j->text_bytes += text->len;
    return more ? err_set(
                      e, STATUS_FAILED, -EMSGSIZE,
                      "the %s's server '%s' does not end its reply: hung up after %zu bytes of it",
                      g->kind->what, g->shown, j->text_bytes)
                : 0;
}

static int on_data(void *user, const char *bytes, size_t n)
{
    struct job *j = user;
    struct http_engine *g = j->g;
    struct buf text = BUF_INIT;
    struct err e = {0};
    bool complete = false;
    int rc, over;

    if (j == g->tail)
        return 0;
    rc = g->kind->feed(j->parser, bytes, n, &text, &complete, &e);
    if (rc == 0 && complete)
        rc = g->kind->end(j->parser, &text, &e);
    over = limit_text(j, &text, rc == 0 ? &e : NULL);
    if (rc == 0)
        rc = over;
    tell_text(g, j->id, &text, false);
    if (g->closed || j->ended)
        return 0;
    if (rc < 0)
        blame(j, &e);
    else if (complete)
        retire(g, j);
    return rc;
}

static void on_done(void *user, int code, int http_status, const char *body, size_t n,
                    const struct err *e)
{
    struct job *j = user;
    struct http_engine *g = j->g;
    struct buf text = BUF_INIT;
    struct err own = {0};

    (void)http_status, (void)body, (void)n;
    j->call = NULL;
    if (j == g->tail) {
        g->tail = NULL;
        free_job(j);
        return;
    }
    if (code < 0 && j->error.code == 0)
        blame(j, e);
    if (code == 0 && (g->kind->end(j->parser, &text, &own) < 0 || limit_text(j, &text, &own) < 0))
        blame(j, &own);
    tell_text(g, j->id, &text, code == 0 && own.code == 0 && g->kind->whole);
    if (g->closed)
        return;
    j->ended = true;
    pump(g);
}

static int start_call(struct http_engine *g, struct job *j, struct buf *body, struct err *e)
{
    const char *headers[] = {g->authorization, NULL};
    char type[128] = "application/json";
    struct http_request r = {
        .url = g->endpoint_url,
        .headers = headers,
        .content_type = type,
        .data = on_data,
        .done = on_done,
        .user = j,
    };

    j->parser = calloc(1, g->kind->parser_bytes);
    if (j->parser == NULL ||
        g->kind->finish(body, &j->prepared, g->name, g->language, type, sizeof type) < 0)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory in a request to '%s'", g->shown);
    buf_free(&j->prepared);
    r.body = buf_str(body);
    r.length = body->len;
    return http_start(&j->call, g->http, &r, e);
}

static void start_job(struct http_engine *g, struct job *j)
{
    struct buf body = BUF_INIT, nothing = BUF_INIT;
    struct err e = g->broken;

    if (g->state != BROKEN && j->prepared.len == 0) {
        j->ended = true;
        tell_text(g, j->id, &nothing, g->kind->whole);
    } else if (g->state == BROKEN || start_call(g, j, &body, &e) < 0) {
        j->ended = true;
        blame(j, &e);
    }
    buf_free(&body);
}

/* Tells what has ended and starts what can be started. From the loop only. */
static void pump(struct http_engine *g)
{
    while (!g->closed && g->jobs != NULL) {
        struct job *j = g->jobs;

        if (j->ended) {
            g->jobs = j->next;
            tell_end(g, j);
            free_job(j);
        } else if (j->call == NULL && g->state != PROBING) {
            start_job(g, j);
        } else {
            return;
        }
    }
}

static void on_later(uv_timer_t *timer)
{
    pump(timer->data);
}

/* Asking what there is. */

static void become_ready(struct http_engine *g)
{
    char text[NAME_BYTES + sizeof g->shown + 8];
    struct engine_event ev = {.type = ENGINE_READY, .text = text};

    g->state = READY;
    snprintf(text, sizeof text, "%s%s%s", g->name, g->name[0] != '\0' ? " at " : "", g->shown);
    tell(g, &ev);
    pump(g);
}

static void become_broken(struct http_engine *g, const struct err *e)
{
    struct engine_event ev = {.type = ENGINE_FAILED, .error = &g->broken};

    g->state = BROKEN;
    g->broken = *e;
    if (g->key != NULL)
        text_redact(g->broken.text, g->key);
    tell(g, &ev);
    pump(g);
}

/* The first model that can hold a conversation. Ollama lists those for embeddings too. */
static const char *first_model(const cJSON *list)
{
    const char *first = NULL;
    const cJSON *model;

    cJSON_ArrayForEach(model, list)
    {
        const char *id = json_str(model, "id");
        if (id == NULL || text_blank(id))
            continue;
        if (strstr(id, "embed") == NULL)
            return id;
        if (first == NULL)
            first = id;
    }
    return first;
}

static int read_models(struct http_engine *g, const char *body, size_t n, struct err *e)
{
    const cJSON *list;
    const char *id;
    cJSON *j;
    int rc = json_parse(&j, body, n);

    if (rc == -ENOMEM)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    if (rc < 0 || !cJSON_IsObject(j)) {
        cJSON_Delete(j);
        return err_set(e, STATUS_FAILED, -EBADMSG,
                       "the %s's server '%s' does not speak the OpenAI-compatible API: its list of "
                       "models is not JSON; check the address",
                       g->kind->what, g->shown);
    }
    rc = 0;
    list = json_get(j, "data");
    id = first_model(list);
    if (g->name[0] == '\0' && id != NULL) {
        snprintf(g->name, sizeof g->name, "%s", id);
        text_clean(g->name);
    } else if (g->name[0] == '\0' && cJSON_IsArray(list)) {
        rc = err_set(e, STATUS_NO_MODEL, -ENOENT,
                     "the %s's server '%s' has no model: load one there (with Ollama: 'ollama pull "
                     "NAME')",
                     g->kind->what, g->shown);
    }
    cJSON_Delete(j);
    return rc;
}

static int probe(struct http_engine *g, struct err *e);

static void on_retry(uv_timer_t *timer)
{
    struct http_engine *g = timer->data;
    struct err e = {0};

    if (probe(g, &e) < 0)
        become_broken(g, &e);
}

static void on_models(void *user, int code, int http_status, const char *body, size_t n,
                      const struct err *e)
{
    struct http_engine *g = user;
    struct err own = {0};

    if (code == 0 && read_models(g, body, n, &own) < 0) {
        become_broken(g, &own);
    } else if (http_status == 503 && g->tries < LOADING_TRIES) {
        if (g->tries++ == 0)
            log_info(g->log, "the %s's server is not ready yet: waiting for it", g->kind->what);
        uv_timer_start(&g->retry, on_retry, LOADING_RETRY_MS, 0);
    } else if (code < 0 && (e->status != STATUS_FAILED || http_status < 400)) {
        become_broken(g, e);
    } else {
        /* It answers, but does not list models: the first request will tell. */
        become_ready(g);
    }
}

static int probe(struct http_engine *g, struct err *e)
{
    const char *headers[] = {g->authorization, NULL};
    struct http_request r = {
        .url = g->models_url,
        .headers = headers,
        .idle_ms = PROBE_IDLE_MS,
        .max_bytes = PROBE_MAX_BYTES,
        .done = on_models,
        .user = g,
    };
    struct http_call *call;

    return http_start(&call, g->http, &r, e);
}

/* The engine. */

static int engine_submit(struct engine *base, const struct engine_request *r)
{
    struct http_engine *g = (struct http_engine *)base;
    struct job *j = calloc(1, sizeof *j), **last = &g->jobs;
    int rc;

    if (j == NULL)
        return -ENOMEM;
    j->g = g;
    j->id = r->id;
    j->most_bytes = TEXT_MAX_BYTES;
    if (r->max_tokens > 0 && r->max_tokens < TEXT_MAX_BYTES / TOKEN_MAX_BYTES)
        j->most_bytes = (size_t)r->max_tokens * TOKEN_MAX_BYTES;
    rc = g->kind->prepare(&j->prepared, r);
    if (rc < 0) {
        free_job(j);
        return rc;
    }
    while (*last != NULL)
        last = &(*last)->next;
    *last = j;
    uv_timer_start(&g->later, on_later, 0, 0);
    return 0;
}

static void engine_cancel(struct engine *base, uint32_t up_to)
{
    struct http_engine *g = (struct http_engine *)base;

    for (struct job *j = g->jobs; j != NULL; j = j->next) {
        if (j->id > up_to)
            continue;
        if (j->call != NULL)
            http_cancel(j->call);
        j->call = NULL;
        j->ended = j->cancelled = true;
        uv_timer_start(&g->later, on_later, 0, 0);
    }
}

static void free_engine(struct http_engine *g)
{
    free(g->models_url);
    free(g->endpoint_url);
    free(g->key);
    free(g->authorization);
    free(g);
}

static void handle_closed(uv_handle_t *handle)
{
    struct http_engine *g = handle->data;

    if (--g->open_handles == 0)
        free_engine(g);
}

static void engine_close(struct engine *base)
{
    struct http_engine *g = (struct http_engine *)base;
    struct job *j;

    g->closed = true;
    free_job(g->tail);
    while ((j = g->jobs) != NULL) {
        g->jobs = j->next;
        free_job(j);
    }
    http_free(g->http);
    uv_close((uv_handle_t *)&g->later, handle_closed);
    uv_close((uv_handle_t *)&g->retry, handle_closed);
}

static const struct engine_ops http_engine_ops = {
    .submit = engine_submit,
    .cancel = engine_cancel,
    .close = engine_close,
};

static bool is_local(const char *shown)
{
    static const char *const hosts[] = {"http://localhost", "http://127.", "http://[::1]"};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (strncmp(shown, hosts[i], strlen(hosts[i])) == 0)
            return true;
    return false;
}

static int set_key(struct http_engine *g, const char *key)
{
    struct buf b = BUF_INIT;

    if (key == NULL || key[0] == '\0')
        return 0;
    g->key = strdup(key);
    buf_addf(&b, "Authorization: Bearer %s", key);
    if (g->key == NULL || buf_failed(&b)) {
        buf_free(&b);
        return -ENOMEM;
    }
    g->authorization = b.data;
    if (strncmp(g->shown, "http:", 5) == 0 && !is_local(g->shown))
        log_warn(g->log, "the API key goes unencrypted to '%s'", g->shown);
    return 0;
}

static int copy_config(struct http_engine *g, const struct engine_config *config)
{
    const char *name = config->name != NULL ? config->name : g->kind->default_name;

    g->log = config->log;
    g->event = config->event;
    g->user = config->user;
    http_error_url(g->shown, sizeof g->shown, config->model);
    snprintf(g->name, sizeof g->name, "%s", name != NULL ? name : "");
    snprintf(g->language, sizeof g->language, "%s",
             config->language != NULL ? config->language : "");
    g->models_url = endpoint_url(config->model, "models");
    g->endpoint_url = endpoint_url(config->model, g->kind->endpoint);
    if (g->models_url == NULL || g->endpoint_url == NULL)
        return -ENOMEM;
    return set_key(g, config->api_key);
}

int http_engine_open(struct engine **out, const struct http_engine_kind *kind,
                     const struct engine_config *config, struct err *e)
{
    struct http_engine *g;
    int rc;

    *out = NULL;
    if (config->model == NULL || config->model[0] == '\0')
        return err_set(e, STATUS_USAGE, -EINVAL, "no address for the %s's server", kind->what);
    g = calloc(1, sizeof *g);
    if (g == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    g->base.ops = &http_engine_ops;
    g->kind = kind;
    if (copy_config(g, config) < 0 || http_new(&g->http, config->loop) < 0) {
        free_engine(g);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    uv_timer_init(config->loop, &g->later);
    uv_timer_init(config->loop, &g->retry);
    g->later.data = g->retry.data = g;
    g->open_handles = 2;
    rc = probe(g, e);
    if (rc < 0) {
        engine_close(&g->base);
        return rc;
    }
    *out = &g->base;
    return 0;
}
