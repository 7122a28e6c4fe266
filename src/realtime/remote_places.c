/* Endpoints as places of the link, and settings as the backend keeps them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/endpoints.h"
#include "realtime/remote_parts.h"
#include "util/os.h"

static int no_memory(struct err *e)
{
    return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
}

static size_t header_count(const struct endpoint *ep)
{
    size_t n = 0;

    while (ep->headers != NULL && ep->headers[n] != NULL)
        n++;
    return n;
}

static int make_headers(struct place *p, struct err *e)
{
    size_t n = header_count(p->endpoint), i = 0;
    struct buf key = BUF_INIT;
    int rc = dialect_header(p->dialect, p->endpoint, &key, e);

    if (rc == 0 && buf_failed(&key))
        rc = no_memory(e);
    p->headers = calloc(n + 2, sizeof *p->headers);
    if (rc == 0 && p->headers == NULL)
        rc = no_memory(e);
    if (rc < 0) {
        buf_free(&key);
        return rc;
    }
    if (key.len > 0) {
        p->key = key.data;
        p->headers[i++] = p->key;
    } else {
        buf_free(&key);
    }
    for (size_t k = 0; k < n; k++)
        p->headers[i++] = p->endpoint->headers[k];
    return 0;
}

static int find_dialect(struct place *p, struct err *e)
{
    const char *name = p->endpoint->dialect;

    if (name != NULL && strcmp(name, "generic") == 0) {
        int rc = dialect_generic_new(&p->generic, p->endpoint, e);
        p->dialect = p->generic;
        return rc;
    }
    p->dialect = name != NULL ? dialect_find(name) : dialects[0];
    if (p->dialect == NULL)
        return err_set(e, STATUS_USAGE, -EINVAL, "there is no dialect '%s': see --dialect", name);
    return 0;
}

static int cannot(const struct place *p, enum backend_task task, bool replay, struct err *e)
{
    if (replay)
        return err_set(e, STATUS_FAILED, -EBADMSG, "the recording is of what '%s' cannot do",
                       p->dialect->info.name);
    return err_set(e, STATUS_USAGE, -ENOTSUP, "'%s' cannot do that: it has no %s",
                   p->endpoint->name != NULL ? p->endpoint->name : p->dialect->info.title,
                   task == BACKEND_TRANSLATE ? "translation" : "transcription");
}

/* Where to connect, and with which headers. */
static int make_address(struct place *p, enum backend_task task, struct err *e)
{
    struct buf url = BUF_INIT;
    int rc = dialect_url(p->dialect, p->endpoint, task, &url, e);

    if (rc == 0 && buf_failed(&url))
        rc = no_memory(e);
    if (rc < 0) {
        buf_free(&url);
        return rc;
    }
    p->url = url.data;
    return make_headers(p, e);
}

/* A recording needs no address. */
static int make_place(struct place *p, const struct endpoint *ep, enum backend_task task,
                      bool replay, struct err *e)
{
    int rc;

    p->endpoint = ep;
    rc = find_dialect(p, e);
    if (rc < 0)
        return rc;
    if (p->dialect->wire[task] == NULL)
        return cannot(p, task, replay, e);
    p->model = replay ? ep->model : dialect_model(p->dialect, ep, task);
    if (!replay)
        return make_address(p, task, e);
    p->url = strdup("ws://recording.invalid/");
    return p->url != NULL ? 0 : no_memory(e);
}

int remote_places_open(struct remote *r, struct err *e)
{
    const struct backend_config *c = &r->config;
    int rc;

    if (c->endpoint_count == 0)
        return err_set(e, STATUS_USAGE, -EINVAL, "no endpoint is configured: name one with --url");
    r->places = calloc(c->endpoint_count, sizeof *r->places);
    r->link_places = calloc(c->endpoint_count, sizeof *r->link_places);
    if (r->places == NULL || r->link_places == NULL)
        return no_memory(e);
    for (size_t i = 0; i < c->endpoint_count; i++) {
        struct place *p = &r->places[i];
        r->place_count++; /* what was made of it is freed, also when the rest fails */
        rc = make_place(p, &c->endpoints[i], c->task, c->replay != NULL, e);
        if (rc < 0)
            return rc;
        r->link_places[i] = (struct link_place){
            .name = p->endpoint->name != NULL ? p->endpoint->name : p->dialect->info.title,
            .url = p->url,
            .headers = p->headers,
            .cacert = p->endpoint->cacert};
    }
    return 0;
}

void remote_places_free(struct remote *r)
{
    for (size_t i = 0; i < r->place_count; i++) {
        struct place *p = &r->places[i];
        if (p->key != NULL)
            os_wipe(p->key, strlen(p->key));
        free(p->key);
        free(p->url);
        free(p->headers);
        dialect_generic_free(p->generic);
    }
    free(r->places);
    free(r->link_places);
    r->places = NULL;
    r->link_places = NULL;
    r->place_count = 0;
}

/* --- what nobody is told */

/* "Authorization: Bearer KEY" */
static const char *last_word(const char *header)
{
    const char *space = strrchr(header, ' '), *value = header + strcspn(header, ":");

    if (space != NULL)
        return space + 1;
    return *value != '\0' ? value + 1 : value;
}

int remote_secrets_note(struct remote *r)
{
    const struct backend_config *c = &r->config;
    size_t n = 0;

    for (size_t i = 0; i < c->endpoint_count; i++)
        n += 1 + header_count(&c->endpoints[i]);
    r->secrets = calloc(n + 1, sizeof *r->secrets);
    if (r->secrets == NULL)
        return -ENOMEM;
    n = 0;
    for (size_t i = 0; i < c->endpoint_count; i++) {
        const struct endpoint *ep = &c->endpoints[i];
        if (ep->key != NULL)
            r->secrets[n++] = ep->key;
        for (size_t k = 0; k < header_count(ep); k++)
            if (endpoints_secret_header(ep->headers[k]))
                r->secrets[n++] = last_word(ep->headers[k]);
    }
    return 0;
}

/* --- settings */

/* The strings of s, one behind the other; their places are those in all[]. */
static const char **strings(struct backend_settings *s, size_t i)
{
    const char **all[] = {&s->instructions, &s->voice,    &s->effort, &s->eagerness,
                          &s->noise,        &s->language, &s->to,     &s->delay};

    return i < sizeof all / sizeof *all ? all[i] : NULL;
}

int remote_settings_copy(struct settings_copy **out, const struct backend_settings *s)
{
    struct settings_copy *c = calloc(1, sizeof *c);
    size_t offset = 0;
    const char **at;

    *out = c;
    if (c == NULL)
        return -ENOMEM;
    c->s = *s;
    for (size_t i = 0; (at = strings(&c->s, i)) != NULL; i++)
        if (*at != NULL)
            buf_add(&c->strings, *at, strlen(*at) + 1);
    if (buf_failed(&c->strings)) {
        remote_settings_free(c);
        *out = NULL;
        return -ENOMEM;
    }
    for (size_t i = 0; (at = strings(&c->s, i)) != NULL; i++) {
        if (*at == NULL)
            continue;
        *at = c->strings.data + offset;
        offset += strlen(*at) + 1;
    }
    return 0;
}

void remote_settings_free(struct settings_copy *c)
{
    if (c == NULL)
        return;
    buf_free(&c->strings);
    free(c);
}
