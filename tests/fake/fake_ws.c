#include "fake/fake_ws.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "net/upgrade.h"
#include "util/buf.h"

enum { MAX_FRAMES = 4096 };

struct frame {
    int first;
    size_t at, n; /* in payloads */
};

struct peer {
    uv_tcp_t tcp;
    struct fake_ws *f;
    bool upgraded;
    struct buf in;
    char chunk[65536];
};

struct fake_ws {
    uv_tcp_t tcp;
    struct peer *peer;
    const char *answer;
    struct buf rider, request, payloads;
    struct frame frames[MAX_FRAMES];
    size_t count, requests, connections, handles;
    bool mute, deaf, unmasked, freed;
};

struct write {
    uv_write_t request;
    char bytes[];
};

static void release(struct fake_ws *f)
{
    if (--f->handles > 0 || !f->freed)
        return;
    buf_free(&f->rider);
    buf_free(&f->request);
    buf_free(&f->payloads);
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
    if (p->f->peer == p)
        p->f->peer = NULL;
    if (!reset || uv_tcp_close_reset(&p->tcp, peer_closed) < 0)
        uv_close((uv_handle_t *)&p->tcp, peer_closed);
}

void fake_ws_hang_up(struct fake_ws *f, bool reset)
{
    if (f->peer != NULL)
        part(f->peer, reset);
}

static void written(uv_write_t *request, int status)
{
    (void)status;
    free(request->data);
}

void fake_ws_send(struct fake_ws *f, const void *bytes, size_t n)
{
    struct write *w;
    uv_buf_t b;

    if (f->peer == NULL || n == 0)
        return;
    w = malloc(sizeof *w + n);
    if (w == NULL)
        abort();
    memcpy(w->bytes, bytes, n);
    w->request.data = w;
    b = uv_buf_init(w->bytes, (unsigned)n);
    if (uv_write(&w->request, (uv_stream_t *)&f->peer->tcp, &b, 1, written) < 0)
        free(w);
}

void fake_ws_frame(struct fake_ws *f, int first, const void *payload, size_t n)
{
    unsigned char head[10] = {(unsigned char)first};
    size_t length = 2;
    struct buf b = BUF_INIT;

    if (n < 126)
        head[1] = (unsigned char)n;
    else if (n < 65536) {
        head[1] = 126;
        length = 4;
    } else {
        head[1] = 127;
        length = 10;
    }
    for (size_t i = length, left = n; i > 2; i--, left >>= 8)
        head[i - 1] = (unsigned char)left;
    buf_add(&b, head, length);
    buf_add(&b, payload, n);
    fake_ws_send(f, b.data, b.len);
    buf_free(&b);
}

/* What the client says. */

static void react(struct peer *p, int first, const char *payload, size_t n)
{
    struct fake_ws *f = p->f;

    if (f->mute)
        return;
    if (first == (FAKE_FIN | FAKE_PING))
        fake_ws_frame(f, FAKE_FIN | FAKE_PONG, payload, n);
    if (first == (FAKE_FIN | FAKE_CLOSE)) {
        fake_ws_frame(f, FAKE_FIN | FAKE_CLOSE, payload, n);
        part(p, false);
    }
}

static bool take_frame(struct peer *p)
{
    struct fake_ws *f = p->f;
    const unsigned char *b = (const unsigned char *)buf_str(&p->in);
    size_t length, head = 2, wide = 0;
    struct frame *frame = &f->frames[f->count];

    if (p->in.len < 2)
        return false;
    length = b[1] & 0x7fu;
    f->unmasked = f->unmasked || (b[1] & 0x80) == 0;
    if (length >= 126)
        wide = length == 126 ? 2 : 8;
    if (p->in.len < head + wide + 4)
        return false;
    for (size_t i = length = wide > 0 ? 0 : length; i < wide; i++)
        length = length << 8 | b[head + i];
    head += wide + 4;
    if (p->in.len < head + length || f->count >= MAX_FRAMES)
        return false;
    *frame = (struct frame){b[0], f->payloads.len, length};
    for (size_t i = 0; i < length; i++)
        buf_add(&f->payloads, &(char){(char)(b[head + i] ^ b[head - 4 + i % 4])}, 1);
    f->count++;
    buf_drop(&p->in, head + length);
    react(p, frame->first, buf_str(&f->payloads) + frame->at, length);
    return true;
}

static void upgrade(struct peer *p)
{
    static const char right[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Accept: $\r\n\r\n";
    struct fake_ws *f = p->f;
    const char *end = strstr(buf_str(&p->in), "\r\n\r\n"), *key, *answer, *mark;
    char accept[UPGRADE_ACCEPT], text[UPGRADE_KEY] = "";
    struct buf b = BUF_INIT;

    if (end == NULL)
        return;
    key = strstr(p->in.data, "Sec-WebSocket-Key: ");
    if (key != NULL)
        memcpy(text, key + 19, UPGRADE_KEY - 1);
    buf_clear(&f->request);
    buf_add(&f->request, p->in.data, (size_t)(end + 4 - p->in.data));
    buf_drop(&p->in, (size_t)(end + 4 - p->in.data));
    p->upgraded = true;
    f->requests++;
    answer = f->answer != NULL ? f->answer : right;
    mark = strchr(answer, '$');
    if (upgrade_accept(accept, text) < 0)
        abort();
    buf_add(&b, answer, mark != NULL ? (size_t)(mark - answer) : strlen(answer));
    if (mark != NULL) {
        buf_adds(&b, accept);
        buf_adds(&b, mark + 1);
    }
    buf_add(&b, buf_str(&f->rider), f->rider.len);
    fake_ws_send(f, buf_str(&b), b.len);
    buf_free(&b);
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
        part(p, false);
        return;
    }
    buf_add(&p->in, b->base, (size_t)n);
    if (!p->upgraded)
        upgrade(p);
    while (p->upgraded && !uv_is_closing((uv_handle_t *)&p->tcp) && take_frame(p))
        ;
}

void fake_ws_deaf(struct fake_ws *f, bool deaf)
{
    f->deaf = deaf;
    if (f->peer == NULL)
        return;
    if (deaf)
        uv_read_stop((uv_stream_t *)&f->peer->tcp);
    else
        uv_read_start((uv_stream_t *)&f->peer->tcp, on_alloc, on_read);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct fake_ws *f = stream->data;
    struct peer *p = status == 0 ? calloc(1, sizeof *p) : NULL;

    if (p == NULL)
        return;
    uv_tcp_init(stream->loop, &p->tcp);
    p->tcp.data = p;
    p->f = f;
    f->handles++;
    f->connections++;
    if (uv_accept(stream, (uv_stream_t *)&p->tcp) < 0) {
        part(p, false);
        return;
    }
    if (f->peer != NULL)
        part(f->peer, false);
    f->peer = p;
    uv_tcp_nodelay(&p->tcp, 1);
    fake_ws_deaf(f, f->deaf);
}

/* The whole. */

struct fake_ws *fake_ws_new(uv_loop_t *loop)
{
    struct fake_ws *f = calloc(1, sizeof *f);
    struct sockaddr_in any;

    if (f == NULL)
        abort();
    signal(SIGPIPE, SIG_IGN); /* clients hang up in the middle of a write */
    f->handles = 1;
    f->tcp.data = f;
    uv_tcp_init(loop, &f->tcp);
    if (uv_ip4_addr("127.0.0.1", 0, &any) < 0 ||
        uv_tcp_bind(&f->tcp, (const struct sockaddr *)&any, 0) < 0 ||
        uv_listen((uv_stream_t *)&f->tcp, 16, on_connection) < 0)
        abort();
    return f;
}

static void listener_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void fake_ws_free(struct fake_ws *f)
{
    f->freed = true;
    fake_ws_hang_up(f, false);
    uv_close((uv_handle_t *)&f->tcp, listener_closed);
}

int fake_ws_port(const struct fake_ws *f)
{
    struct sockaddr_in a = {0};
    int length = sizeof a;

    if (uv_tcp_getsockname(&f->tcp, (struct sockaddr *)&a, &length) < 0)
        abort();
    return (a.sin_port & 0xff) << 8 | a.sin_port >> 8;
}

void fake_ws_answer(struct fake_ws *f, const char *bytes)
{
    f->answer = bytes != NULL ? bytes : "";
}

void fake_ws_rider(struct fake_ws *f, const char *bytes, size_t n)
{
    buf_add(&f->rider, bytes, n);
}

void fake_ws_mute(struct fake_ws *f)
{
    f->mute = true;
}

size_t fake_ws_requests(const struct fake_ws *f)
{
    return f->requests;
}

const char *fake_ws_request(const struct fake_ws *f)
{
    return buf_str(&f->request);
}

size_t fake_ws_connections(const struct fake_ws *f)
{
    return f->connections;
}

size_t fake_ws_frames(const struct fake_ws *f)
{
    return f->count;
}

int fake_ws_got(const struct fake_ws *f, size_t i, const char **payload, size_t *n)
{
    if (i >= f->count)
        abort();
    if (payload != NULL)
        *payload = buf_str(&f->payloads) + f->frames[i].at;
    if (n != NULL)
        *n = f->frames[i].n;
    return f->frames[i].first;
}

bool fake_ws_unmasked(const struct fake_ws *f)
{
    return f->unmasked;
}
