#include "fake/fake_http.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_REQUESTS = 32 };

struct peer {
    uv_tcp_t tcp;
    uv_write_t write;
    struct fake_http *f;
    struct peer *next, **at;
    struct buf in;
    const struct fake_reply *reply; /* being written */
    size_t written;
    char chunk[65536];
};

struct fake_http {
    uv_tcp_t tcp;
    const struct fake_reply *script;
    size_t count, next, requests, connections, open;
    struct buf seen[MAX_REQUESTS];
    struct peer *peers;
    size_t handles;
    bool freed;
};

static void release(struct fake_http *f)
{
    if (--f->handles > 0 || !f->freed)
        return;
    for (size_t i = 0; i < MAX_REQUESTS; i++)
        buf_free(&f->seen[i]);
    free(f);
}

static void peer_closed(uv_handle_t *handle)
{
    struct peer *p = handle->data;

    buf_free(&p->in);
    release(p->f);
    free(p);
}

static void part(struct peer *p, bool reset)
{
    if (uv_is_closing((uv_handle_t *)&p->tcp))
        return;
    *p->at = p->next;
    if (p->next != NULL)
        p->next->at = p->at;
    p->f->open--;
    if (!reset || uv_tcp_close_reset(&p->tcp, peer_closed) < 0)
        uv_close((uv_handle_t *)&p->tcp, peer_closed);
}

static void hang_up(struct peer *p)
{
    part(p, false);
}

static void serve(struct peer *p);
static void write_piece(struct peer *p);

static void on_written(uv_write_t *write, int status)
{
    struct peer *p = write->data;

    if (status < 0)
        hang_up(p);
    else if (!uv_is_closing((uv_handle_t *)&p->tcp))
        write_piece(p);
}

static void write_piece(struct peer *p)
{
    const struct fake_reply *r = p->reply;
    size_t length = r->length > 0 ? r->length : strlen(r->bytes), n = length - p->written;
    uv_buf_t b;

    if (n == 0) {
        p->reply = NULL;
        if (!r->hold)
            part(p, r->reset);
        else
            serve(p);
        return;
    }
    if (r->piece > 0 && n > r->piece)
        n = r->piece;
    b = uv_buf_init((char *)(size_t)(r->bytes + p->written), (unsigned)n);
    p->written += n;
    p->write.data = p;
    if (uv_write(&p->write, (uv_stream_t *)&p->tcp, &b, 1, on_written) < 0)
        hang_up(p);
}

/* Bytes of the whole request at the start of b, 0 when it is not complete. */
static size_t request_bytes(const struct buf *b)
{
    const char *end = b->len > 0 ? strstr(b->data, "\r\n\r\n") : NULL, *length;
    size_t head, body = 0;

    if (end == NULL)
        return 0;
    head = (size_t)(end + 4 - b->data);
    length = strcasestr(b->data, "\r\ncontent-length:");
    if (length != NULL && length < end)
        body = strtoul(length + 17, NULL, 10);
    return b->len >= head + body ? head + body : 0;
}

/* Answers the next request, when it is complete and the last one was answered. */
static void serve(struct peer *p)
{
    struct fake_http *f = p->f;
    size_t n = request_bytes(&p->in);

    if (n == 0 || p->reply != NULL)
        return;
    if (f->requests < MAX_REQUESTS)
        buf_add(&f->seen[f->requests], p->in.data, n);
    f->requests++;
    buf_drop(&p->in, n);
    p->reply = &f->script[f->next];
    p->written = 0;
    if (f->next + 1 < f->count)
        f->next++;
    if (p->reply->bytes != NULL)
        write_piece(p);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct peer *p = handle->data;

    (void)suggested;
    *out = uv_buf_init(p->chunk, sizeof p->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct peer *p = stream->data;

    if (n < 0) {
        hang_up(p);
        return;
    }
    buf_add(&p->in, b->base, (size_t)n);
    serve(p);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct fake_http *f = stream->data;
    struct peer *p = status == 0 ? calloc(1, sizeof *p) : NULL;

    if (p == NULL)
        return;
    uv_tcp_init(stream->loop, &p->tcp);
    p->tcp.data = p;
    p->f = f;
    p->next = f->peers;
    p->at = &f->peers;
    if (p->next != NULL)
        p->next->at = &p->next;
    f->peers = p;
    f->handles++;
    f->connections++;
    f->open++;
    if (uv_accept(stream, (uv_stream_t *)&p->tcp) < 0 ||
        uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read) < 0) {
        hang_up(p);
        return;
    }
    uv_tcp_nodelay(&p->tcp, 1);
}

struct fake_http *fake_http_new(uv_loop_t *loop, const struct fake_reply *script, size_t count)
{
    struct fake_http *f = calloc(1, sizeof *f);
    struct sockaddr_in any;

    if (f == NULL)
        abort();
    signal(SIGPIPE, SIG_IGN); /* clients hang up in the middle of a write */
    f->script = script;
    f->count = count;
    f->handles = 1;
    f->tcp.data = f;
    uv_tcp_init(loop, &f->tcp);
    if (uv_ip4_addr("127.0.0.1", 0, &any) < 0 ||
        uv_tcp_bind(&f->tcp, (const struct sockaddr *)&any, 0) < 0 ||
        uv_listen((uv_stream_t *)&f->tcp, 16, on_connection) < 0)
        abort();
    return f;
}

int fake_http_port(const struct fake_http *f)
{
    struct sockaddr_in a = {0};
    int length = sizeof a;

    if (uv_tcp_getsockname(&f->tcp, (struct sockaddr *)&a, &length) < 0)
        abort();
    return (a.sin_port & 0xff) << 8 | a.sin_port >> 8;
}

size_t fake_http_requests(const struct fake_http *f)
{
    return f->requests;
}

const char *fake_http_request(const struct fake_http *f, size_t i, size_t *length)
{
    const struct buf *b = &f->seen[i < MAX_REQUESTS ? i : MAX_REQUESTS - 1];

    if (length != NULL)
        *length = b->len;
    return buf_str(b);
}

size_t fake_http_connections(const struct fake_http *f)
{
    return f->connections;
}

size_t fake_http_open(const struct fake_http *f)
{
    return f->open;
}

static void listener_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void fake_http_free(struct fake_http *f)
{
    f->freed = true;
    while (f->peers != NULL)
        hang_up(f->peers);
    uv_close((uv_handle_t *)&f->tcp, listener_closed);
}
