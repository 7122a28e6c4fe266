#include <errno.h>
#include <string.h>
#include <uv.h>

#include "realtime/dialect.h"

/* What a template is filled from. */
struct fill {
    const struct dialect *dialect;
    const struct endpoint *endpoint;
    const char *model;
    bool url; /* percent-encoded, and no key: addresses get into logs */
    struct buf *out;
    struct err *err;
};

enum { NAME = 64 };

static void add_encoded(struct buf *b, const char *s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *s != '\0'; s++) {
        if (strchr(plain, *s) != NULL)
            buf_add(b, s, 1);
        else
            buf_addf(b, "%%%02X", (unsigned)(unsigned char)*s);
    }
}

static const char *find_value(const struct endpoint *ep, const char *name)
{
    for (size_t i = 0; i < ep->value_count; i++)
        if (strcmp(ep->values[i].name, name) == 0 && ep->values[i].value[0] != '\0')
            return ep->values[i].value;
    return NULL;
}

/* 16 hexadecimal digits, at random. */
static int add_unique(struct buf *b)
{
    unsigned char bytes[8];
    int rc = uv_random(NULL, NULL, bytes, sizeof bytes, 0, NULL);

    for (size_t i = 0; rc == 0 && i < sizeof bytes; i++)
        buf_addf(b, "%02x", (unsigned)bytes[i]);
    return rc;
}

static int complain(const struct fill *f, const char *name)
{
    const char *title = f->dialect->info.title;

    if (strcmp(name, "key") == 0)
        return err_set(
            f->err, STATUS_USAGE, -EINVAL,
            "the URL of '%s' asks for the key, which would get into logs with it; put it "
            "into a header",
            f->endpoint->name);
    if (strcmp(name, "model") == 0)
        return err_set(f->err, STATUS_USAGE, -EINVAL,
                       "no model is named for '%s' (%s); name one with --model, or in the profile",
                       f->endpoint->name, title);
    return err_set(f->err, STATUS_USAGE, -EINVAL,
                   "no '%s' is named for '%s' (%s); give the whole address with --url, or as the "
                   "'url' of the profile's endpoint",
                   name, f->endpoint->name, title);
}

static void cut_back(struct buf *b, size_t len)
{
    if (b->len > len) {
        b->len = len;
        b->data[len] = '\0';
    }
}

/* One {name}. 0, -ENOENT where it has no value, or another negative errno. */
static int add_value(const struct fill *f, const char *name)
{
    const char *value = find_value(f->endpoint, name);

    if (strcmp(name, "unique") == 0)
        return add_unique(f->out);
    if (strcmp(name, "key") == 0)
        value = f->url ? NULL : f->endpoint->key;
    else if (strcmp(name, "model") == 0)
        value = f->model;
    if (value == NULL || value[0] == '\0')
        return -ENOENT;
    if (f->url)
        add_encoded(f->out, value);
    else
        buf_adds(f->out, value);
    return 0;
}

/* Reads "{name}" at *at; -EINVAL when it is not closed, or longer than any name. */
static int read_name(char name[NAME], const char **at)
{
    size_t n = strcspn(*at + 1, "{}");

    if ((*at)[1 + n] != '}' || n == 0 || n >= NAME)
        return -EINVAL;
    memcpy(name, *at + 1, n);
    name[n] = '\0';
    *at += n + 2;
    return 0;
}

/* Fills in template[0..n). */
static int fill_in(const struct fill *f, const char *template, size_t n)
{
    const char *at = template, *end = template + n;
    size_t before = 0; /* length when a bracket opened */
    bool bracket = false, missing = false;

    while (at < end) {
        char name[NAME];
        int rc;
        if (*at == '[' || *at == ']') {
            if (*at == ']' && missing)
                cut_back(f->out, before);
            bracket = *at == '[';
            before = f->out->len;
            missing = false;
            at++;
        } else if (*at != '{') {
            buf_add(f->out, at++, 1);
        } else if (read_name(name, &at) < 0) {
            return err_set(f->err, STATUS_USAGE, -EINVAL,
                           "a name is not closed in '%s' of '%s'; names are written {so}", at,
                           f->endpoint->name);
        } else if ((rc = add_value(f, name)) == -ENOENT && bracket) {
            missing = true;
        } else if (rc == -ENOENT) {
            return complain(f, name);
        } else if (rc < 0) {
            return rc;
        }
    }
    return buf_failed(f->out) ? -ENOMEM : 0;
}

static const char *after_scheme(const char *url)
{
    const char *at = strstr(url, "://");

    return at != NULL ? at + 3 : url;
}

/* Bytes of an IPv6 address at the beginning, with its brackets, which mean nothing else there. */
static size_t bracketed(const char *host)
{
    size_t n = host[0] == '[' ? strcspn(host, "]") : 0;

    return n > 0 && host[n] == ']' ? n + 1 : 0;
}

/* The part of the dialect's template that an address without one gets: from the path on, or only
 * from the query on. */
static const char *rest_of(const char *template, const char *url)
{
    const char *host = after_scheme(url), *port = host + bracketed(host);
    const char *path = port + strcspn(port, "/?#[");
    const char *from = template[0] == '/' ? template : after_scheme(template);

    if (strchr(host, '?') != NULL)
        return "";
    if (*path == '\0' || strcmp(path, "/") == 0)
        return from + strcspn(from, "/");
    return from + strcspn(from, "?[");
}

static int bad_scheme(const struct endpoint *ep, struct err *e)
{
    return err_set(e, STATUS_USAGE, -EINVAL,
                   "the URL of '%s' does not begin with wss:// or ws://; that is where a realtime "
                   "endpoint is found",
                   ep->name);
}

/* The endpoint's own address: http is what people copy for ws. */
static int fill_own(const struct fill *f, const char *template)
{
    static const char *const schemes[][2] = {
        {"wss://", "wss://"}, {"ws://", "ws://"}, {"https://", "wss://"}, {"http://", "ws://"}};
    const char *url = f->endpoint->url, *rest = template != NULL ? rest_of(template, url) : "";
    size_t i = 0, n, host;
    int rc;

    while (i < 4 && strncmp(url, schemes[i][0], strlen(schemes[i][0])) != 0)
        i++;
    if (i == 4)
        return bad_scheme(f->endpoint, f->err);
    buf_adds(f->out, schemes[i][1]);
    url += strlen(schemes[i][0]);
    host = bracketed(url);
    buf_add(f->out, url, host);
    url += host;
    n = strlen(url);
    if (rest[0] == '/' && n > 0 && url[n - 1] == '/')
        n--;
    rc = fill_in(f, url, n);
    return rc == 0 ? fill_in(f, rest, strlen(rest)) : rc;
}

int dialect_url(const struct dialect *d, const struct endpoint *ep, enum backend_task task,
                struct buf *out, struct err *e)
{
    static const char *const tasks[] = {"hold a conversation", "transcribe", "translate"};
    const struct fill f = {.dialect = d,
                           .endpoint = ep,
                           .model = dialect_model(d, ep, task),
                           .url = true,
                           .out = out,
                           .err = e};
    const char *template = d->url[task];

    buf_clear(out);
    if (d->wire[task] == NULL)
        return err_set(e, STATUS_USAGE, -EINVAL, "'%s' (%s) cannot %s; take another endpoint",
                       ep->name, d->info.title, tasks[task]);
    if (ep->url != NULL && ep->url[0] != '\0')
        return fill_own(&f, template);
    if (template == NULL || template[0] == '/')
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "no URL is named for '%s' (%s), and there is none that everybody uses; name "
                       "it with --url, or in the profile",
                       ep->name, d->info.title);
    return fill_in(&f, template, strlen(template));
}

int dialect_header(const struct dialect *d, const struct endpoint *ep, struct buf *out,
                   struct err *e)
{
    const struct fill f = {.dialect = d, .endpoint = ep, .out = out, .err = e};

    buf_clear(out);
    if (ep->key == NULL || ep->key[0] == '\0' || d->header == NULL)
        return 0;
    /* The key itself is never part of a message. */
    for (const char *s = ep->key; *s != '\0'; s++)
        if (*s < 0x21 || *s > 0x7e)
            return err_set(e, STATUS_USAGE, -EINVAL,
                           "the key for '%s' has a space, a line end or another byte in it that no "
                           "key has; look at where it comes from",
                           ep->name);
    return fill_in(&f, d->header, strlen(d->header));
}
