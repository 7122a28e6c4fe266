/* ws_echo URL [COUNT] - WebSocket clients that send back what they get, for the servers of others.
 *
 * URL may hold %d: the numbers from 1 to COUNT are put there, for as many connections, ten of them
 * at a time. For each one a line on stdout: the number, how it ended ("closed CODE", "refused
 * STATUS", "broken", "invalid", "usage"), a tab, and the message for people. HULLO_WS_CACERT names
 * a CA bundle, HULLO_WS_SEND a text that is sent first, HULLO_WS_TURNS after how many echoes it
 * closes by itself, HULLO_WS_HEADER a header. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/ws.h"

enum { AT_ONCE = 10 };

struct course {
    uv_loop_t loop;
    const char *url;
    long next, count;
};

struct echo {
    struct course *course;
    long number;
    struct ws *ws;
    const char *first;
    long turns, copies;
};

static void say(struct echo *e, const char *bytes, size_t n, bool binary)
{
    if ((binary ? ws_send_binary(e->ws, bytes, n) : ws_send(e->ws, bytes, n)) < 0)
        ws_close(e->ws, 1011, "");
}

static void on_opened(void *user)
{
    struct echo *e = user;

    for (long i = 0; e->first != NULL && i < e->copies; i++)
        say(e, e->first, strlen(e->first), false);
}

static void on_message(void *user, const char *bytes, size_t n, bool binary)
{
    struct echo *e = user;

    if (e->turns > 0 && --e->turns == 0)
        ws_close(e->ws, 1000, "");
    else if (e->copies == 1) /* else enough was said */
        say(e, bytes, n, binary);
}

static void begin_next(struct course *c);

static void on_closed(void *user, const struct ws_closed *how)
{
    struct echo *e = user;

    printf("%ld ", e->number);
    switch (how->end) {
    case WS_CLOSED:
        printf("closed %d", how->code);
        break;
    case WS_REFUSED:
        printf("refused %d", how->http_status);
        break;
    case WS_BROKEN:
        printf("broken");
        break;
    case WS_INVALID:
        printf("invalid");
        break;
    }
    printf("\t%s\n", how->error->text);
    fflush(stdout);
    ws_free(e->ws);
    begin_next(e->course);
    free(e);
}

/* The address with the number in the place of %d. */
static void fill_in(char *out, size_t size, const char *url, long number)
{
    const char *mark = strstr(url, "%d");

    if (mark == NULL)
        snprintf(out, size, "%s", url);
    else
        snprintf(out, size, "%.*s%ld%s", (int)(mark - url), url, number, mark + 2);
}

static long setting(const char *name, long otherwise)
{
    const char *value = getenv(name);

    return value != NULL ? strtol(value, NULL, 10) : otherwise;
}

static int begin(struct echo *e)
{
    const char *headers[] = {getenv("HULLO_WS_HEADER"), NULL};
    char text[1024];
    struct err why = {0};
    const struct ws_config config = {
        .loop = &e->course->loop,
        .url = text,
        .headers = headers,
        .cacert = getenv("HULLO_WS_CACERT"),
        .opened = on_opened,
        .message = on_message,
        .closed = on_closed,
        .user = e,
    };

    e->first = getenv("HULLO_WS_SEND");
    e->turns = setting("HULLO_WS_TURNS", 0);
    e->copies = setting("HULLO_WS_COPIES", 1);
    fill_in(text, sizeof text, e->course->url, e->number);
    if (ws_open(&e->ws, &config, &why) == 0)
        return 0;
    printf("%ld usage\t%s\n", e->number, why.text);
    return -1;
}

static void begin_next(struct course *c)
{
    struct echo *e;

    while (c->next < c->count) {
        e = calloc(1, sizeof *e);
        if (e == NULL)
            return;
        e->course = c;
        e->number = ++c->next;
        if (begin(e) == 0)
            return;
        free(e);
    }
}

int main(int argc, char **argv)
{
    struct course c = {.count = argc > 2 ? strtol(argv[2], NULL, 10) : 1};

    if (argc < 2 || uv_loop_init(&c.loop) < 0) {
        fprintf(stderr, "usage: ws_echo URL [COUNT]\n");
        return 2;
    }
    c.url = argv[1];
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < AT_ONCE; i++)
        begin_next(&c);
    uv_run(&c.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&c.loop) != 0;
}
