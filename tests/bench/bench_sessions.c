/* bench_sessions [SESSIONS] [SECONDS] - many conversations with realtime endpoints in one process.
 * Each session is given 20 ms of audio every 20 ms, and gets a reply's audio in pieces of 100 ms,
 * one after the other, from a server that runs in a process of its own. Prints one JSON object: the
 * CPU of the client's process for each session, in percent of a core; how late audio came to the
 * wire, against the time at which it was due (as the server saw it: the earliest of a connection
 * is on time); how late the pieces of the reply came to the session (against the server's clock:
 * CLOCK_MONOTONIC is one for all processes). */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/endpoint.h"
#include "realtime/remote.h"
#include "session/session.h"
#include "util/buf.h"
#include "util/clock.h"

#define MANY     512
#define FRAME_MS 20
#define FRAME    (BACKEND_HZ * FRAME_MS / 1000)
#define PIECE_MS 100
#define PIECE    4800 /* bytes of 100 ms at 24 kHz */
#define EVENTS   4096 /* of a session, at most */
#define GUID     "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* What both processes write, each its own part. */
struct times {
    size_t uplinks[MANY];
    int64_t uplink_ns[MANY][EVENTS]; /* the server's: when audio came */
    size_t pieces[MANY];
    int64_t piece_ns[MANY][EVENTS]; /* the server's: when it sent a piece of a reply */
};

/* --- the server */

struct peer {
    int fd;
    struct buf in;
    bool open;
    int64_t next_ns; /* piece of the reply */
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static void send_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;

    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 100);
            continue;
        }
        if (sent <= 0)
            return;
        at += sent;
        n -= (size_t)sent;
    }
}

static void send_text(int fd, const char *text, size_t n)
{
    unsigned char head[4] = {0x81, 126, (unsigned char)(n >> 8), (unsigned char)n};
    struct buf frame = BUF_INIT;

    if (n < 126)
        head[1] = (unsigned char)n;
    buf_add(&frame, head, n < 126 ? 2 : 4);
    buf_add(&frame, text, n);
    send_all(fd, frame.data, frame.len);
    buf_free(&frame);
}

static void say(int fd, const char *text)
{
    send_text(fd, text, strlen(text));
}

static void upgrade(struct peer *p)
{
    static const char session[] =
        "{\"type\":\"session.created\",\"event_id\":\"e\",\"session\":{}}";
    static const char response[] =
        "{\"type\":\"response.created\",\"event_id\":\"e\",\"response\":{\"id\":\"r\","
        "\"object\":\"realtime.response\",\"status\":\"in_progress\",\"output\":[]}}";
    const char *key = strstr(p->in.data, "Sec-WebSocket-Key: ");
    unsigned char digest[20], accept[32];
    char text[256];

    must(key != NULL, "no key");
    snprintf(text, sizeof text, "%.24s" GUID, key + strlen("Sec-WebSocket-Key: "));
    EVP_Digest(text, strlen(text), digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    snprintf(text, sizeof text,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n",
             (const char *)accept);
    send_all(p->fd, text, strlen(text));
    say(p->fd, session);
    say(p->fd, response);
    p->open = true;
    p->next_ns = clock_ns() + 500 * 1000000LL;
}

/* One whole message, or nothing yet. Unmasked in place. */
static char *message(struct buf *in, size_t *n, size_t *all, int *opcode)
{
    const unsigned char *b = (const unsigned char *)in->data;
    size_t head = 6;

    if (in->len < head)
        return NULL;
    *opcode = b[0] & 15;
    *n = b[1] & 127;
    if (*n == 126) {
        head = 8;
        *n = in->len >= 4 ? (size_t)(b[2] << 8 | b[3]) : 0;
    } else if (*n == 127) {
        head = 14;
        *n = in->len >= 10 ? (size_t)b[6] << 24 | (size_t)b[7] << 16 | (size_t)b[8] << 8 | b[9] : 0;
    }
    *all = head + *n;
    if (in->len < *all)
        return NULL;
    for (size_t i = 0; i < *n; i++)
        in->data[head + i] ^= in->data[head - 4 + i % 4];
    return in->data + head;
}

static void take(struct peer *p, struct times *times, size_t which)
{
    char *text;
    size_t n, all;
    int opcode;

    while (p->open && (text = message(&p->in, &n, &all, &opcode)) != NULL) {
        static const char append[] = "input_audio_buffer.append";
        if (opcode == 1 && memmem(text, n < 200 ? n : 200, append, sizeof append - 1) != NULL &&
            times->uplinks[which] < EVENTS)
            times->uplink_ns[which][times->uplinks[which]++] = clock_ns();
        if (opcode == 9) { /* ping */
            unsigned char head[2] = {0x8a, (unsigned char)n};
            send_all(p->fd, head, 2);
            send_all(p->fd, text, n);
        }
        buf_drop(&p->in, all);
    }
}

static void say_piece(struct peer *p, struct times *times, size_t which, const char *piece)
{
    if (times->pieces[which] < EVENTS)
        times->piece_ns[which][times->pieces[which]++] = clock_ns();
    say(p->fd, piece);
    p->next_ns += PIECE_MS * 1000000LL;
}

static void serve(int listener, struct times *times, int count)
{
    struct peer *peers = calloc(MANY, sizeof *peers);
    struct pollfd *polled = calloc(MANY, sizeof *polled);
    struct buf piece = BUF_INIT;
    char chunk[65536];

    must(peers != NULL && polled != NULL, "memory");
    buf_adds(&piece, "{\"type\":\"response.output_audio.delta\",\"event_id\":\"e\",\"response_id\":"
                     "\"r\",\"item_id\":\"i\","
                     "\"output_index\":0,\"content_index\":0,\"delta\":\"");
    for (int i = 0; i < PIECE / 3 * 4; i++)
        buf_adds(&piece, "A");
    buf_adds(&piece, "\"}");
    for (int i = 0; i < count; i++) {
        peers[i].fd = accept(listener, NULL, NULL);
        must(peers[i].fd >= 0, "accept");
    }
    for (;;) {
        for (int i = 0; i < count; i++)
            polled[i] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
        poll(polled, (nfds_t)count, 1);
        int64_t now = clock_ns();
        for (int i = 0; i < count; i++) {
            struct peer *p = &peers[i];
            ssize_t n =
                polled[i].revents != 0 ? recv(p->fd, chunk, sizeof chunk, MSG_DONTWAIT) : -1;
            if (n == 0)
                exit(0);
            if (n > 0)
                buf_add(&p->in, chunk, (size_t)n);
            if (n > 0 && !p->open && strstr(p->in.data, "\r\n\r\n") != NULL) {
                upgrade(p);
                buf_drop(&p->in, (size_t)(strstr(p->in.data, "\r\n\r\n") - p->in.data) + 4);
            }
            if (n > 0)
                take(p, times, (size_t)i);
            if (p->open && now >= p->next_ns)
                say_piece(p, times, (size_t)i, buf_str(&piece));
        }
    }
}

/* --- the client */

struct client {
    struct session *session;
    struct bench *bench;
    size_t heard;
    int64_t heard_ns[EVENTS];
};

struct bench {
    uv_loop_t loop;
    struct log log;
    uv_timer_t timer;
    struct client *clients;
    int count, ready;
    int64_t began_ns, end_ns;
    uint64_t frames;
};

static void on_session(void *user, const struct session_event *ev)
{
    struct client *c = user;

    if (ev->type == SESSION_READY)
        c->bench->ready++;
    else if (ev->type == SESSION_REPLY_AUDIO && c->heard < EVENTS)
        c->heard_ns[c->heard++] = clock_ns();
    else if (ev->type == SESSION_ERROR)
        fprintf(stderr, "%s\n", ev->error->text);
}

/* Every session its next 20 ms, as often as it is due. */
static void on_timer(uv_timer_t *timer)
{
    struct bench *b = timer->data;
    static int16_t x[FRAME];
    int64_t now = clock_ns();

    if (b->ready < b->count)
        return;
    if (b->began_ns == 0)
        b->began_ns = now;
    for (int i = 0; i < FRAME; i++)
        x[i] = (int16_t)(i * 37 % 800 - 400);
    for (; (int64_t)b->frames * FRAME_MS * 1000000 <= now - b->began_ns; b->frames++)
        for (int i = 0; i < b->count; i++)
            session_append(b->clients[i].session, x, FRAME);
    if (now - b->began_ns >= b->end_ns)
        uv_stop(&b->loop);
}

static void open_all(struct bench *b, const struct endpoint *place)
{
    struct err e;

    b->log = (struct log){.level = LOG_WARN, .to = stderr};
    for (int i = 0; i < b->count; i++) {
        struct session_config config = {.loop = &b->loop,
                                        .log = &b->log,
                                        .backend = &backend_realtime,
                                        .event = on_session,
                                        .user = &b->clients[i]};
        config.backend_config = (struct backend_config){
            .endpoints = place, .endpoint_count = 1, .speak = true, .turn_detection = true};
        config.backend_config.settings.turns = BACKEND_TURNS_SERVER;
        b->clients[i].bench = b;
        if (session_open(&b->clients[i].session, &config, &e) < 0) {
            fprintf(stderr, "%s\n", e.text);
            exit(1);
        }
    }
}

static double cpu_seconds(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_late(const char *name, double *late, size_t n)
{
    size_t over = 0;

    qsort(late, n, sizeof *late, by_size);
    for (size_t i = 0; i < n; i++)
        over += late[i] > 20;
    printf("\"%s\":{\"n\":%zu,\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f,\"over_20_ms\":%zu}", name, n,
           n > 0 ? late[n / 2] : 0, n > 0 ? late[n * 99 / 100] : 0, n > 0 ? late[n - 1] : 0, over);
}

static void report(const struct bench *b, const struct times *t, double cpu, double seconds)
{
    double *up = calloc((size_t)b->count * EVENTS, sizeof *up);
    double *down = calloc((size_t)b->count * EVENTS, sizeof *down);
    size_t ups = 0, downs = 0;

    must(up != NULL && down != NULL, "memory");
    for (int i = 0; i < b->count; i++) {
        size_t n = t->uplinks[i],
               m = t->pieces[i] < b->clients[i].heard ? t->pieces[i] : b->clients[i].heard;
        for (size_t k = 0; k < n; k++)
            up[ups++] = (double)(t->uplink_ns[i][k] - b->began_ns) / 1e6 - (double)k * FRAME_MS;
        for (size_t k = 0; k < m; k++)
            down[downs++] = (double)(b->clients[i].heard_ns[k] - t->piece_ns[i][k]) / 1e6;
    }
    printf("{\"bench\":\"sessions\",\"sessions\":%d,\"seconds\":%.1f,\"cpu_percent_each\":%.3f,",
           b->count, seconds, 100 * cpu / seconds / b->count);
    print_late("audio_late_ms", up, ups);
    printf(",");
    print_late("reply_late_ms", down, downs);
    printf("}\n");
    free(up);
    free(down);
}

static int listening(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    must(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, MANY) == 0 &&
             getsockname(fd, (struct sockaddr *)&a, &n) == 0,
         "listen");
    *port = ntohs(a.sin_port);
    return fd;
}

static void run(struct bench *b, int port, int seconds)
{
    char url[64];
    struct endpoint place = {.name = "bench", .dialect = "openai", .model = "gpt-realtime-2"};

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/v1/realtime?model=x", port);
    place.url = url;
    b->clients = calloc((size_t)b->count, sizeof *b->clients);
    must(b->clients != NULL && uv_loop_init(&b->loop) == 0, "loop");
    uv_timer_init(&b->loop, &b->timer);
    b->timer.data = b;
    b->end_ns = seconds * 1000000000LL;
    open_all(b, &place);
    uv_timer_start(&b->timer, on_timer, 5, 5);
}

static int number(const char *text, int most)
{
    long n = strtol(text, NULL, 10);

    return n > 0 && n <= most ? (int)n : most;
}

int main(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof *b);
    int seconds = argc > 2 ? number(argv[2], 3600) : 15, port, listener = listening(&port);
    struct times *t =
        mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    must(b != NULL && t != MAP_FAILED, "memory");
    b->count = argc > 1 ? number(argv[1], MANY) : 100;
    pid_t server = fork();
    must(server >= 0, "fork");
    if (server == 0)
        serve(listener, t, b->count);
    close(listener);
    run(b, port, seconds);
    while (b->began_ns == 0)
        uv_run(&b->loop, UV_RUN_ONCE);
    double cpu = cpu_seconds();
    int64_t began = clock_ns();
    uv_run(&b->loop, UV_RUN_DEFAULT);
    report(b, t, cpu_seconds() - cpu, clock_ms_since(began) / 1000);
    for (int i = 0; i < b->count; i++)
        session_close(b->clients[i].session);
    uv_close((uv_handle_t *)&b->timer, NULL);
    uv_run(&b->loop, UV_RUN_NOWAIT);
    uv_run(&b->loop, UV_RUN_NOWAIT);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}
