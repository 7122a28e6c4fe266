/* link_probe URL... - a link (realtime/link.h) over real WebSockets, for servers and lines that
 * fail.
 *
 * What happens is a line of JSON each on stdout: "t_ns" (CLOCK_MONOTONIC), "event", "place",
 * "next", "wait_ms", and "text": the message, or the reason. Commands are read from stdin, a line
 * each: attend, rest, good, renew, switch, drop, fail, rtt, say TEXT; at its end the
 * link is closed. HULLO_LINK_HEADER is a header for every place. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/link.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"

enum { MOST = 8 };

struct probe {
    struct link *link;
    uv_pipe_t in;
    struct buf line;
    char chunk[4096];
};

static void print(const char *event, const struct link_event *ev, const char *text)
{
    cJSON *o = cJSON_CreateObject();
    char *s;

    cJSON_AddNumberToObject(o, "t_ns", (double)clock_ns());
    cJSON_AddStringToObject(o, "event", event);
    if (ev != NULL) {
        cJSON_AddNumberToObject(o, "place", (double)ev->place);
        cJSON_AddBoolToObject(o, "next", ev->next);
        cJSON_AddNumberToObject(o, "wait_ms", ev->wait_ms);
    }
    cJSON_AddStringToObject(o, "text", text);
    s = cJSON_PrintUnformatted(o);
    puts(s != NULL ? s : "{}");
    fflush(stdout);
    cJSON_free(s);
    cJSON_Delete(o);
}

static void on_event(void *user, const struct link_event *ev)
{
    static const char *const names[] = {"open", "next",      "message", "drained",
                                        "lost", "next-lost", "dead"};
    (void)user;
    print(names[ev->type], ev,
          ev->error != NULL  ? ev->error->text
          : ev->text != NULL ? ev->text
                             : "");
}

static void on_freed(void *user)
{
    (void)user;
    print("freed", NULL, "");
}

static void obey(struct link *l, const char *command)
{
    static const struct err enough = {STATUS_FAILED, -1, "the test has had enough"};
    char rtt[32];

    if (strncmp(command, "say ", 4) == 0) {
        link_send(l, command + 4, strlen(command + 4));
    } else if (strcmp(command, "attend") == 0 || strcmp(command, "rest") == 0) {
        link_attend(l, command[0] == 'a');
    } else if (strcmp(command, "good") == 0) {
        link_good(l);
    } else if (strcmp(command, "renew") == 0) {
        link_renew(l);
    } else if (strcmp(command, "switch") == 0) {
        link_switch(l);
    } else if (strcmp(command, "drop") == 0) {
        link_drop_next(l);
    } else if (strcmp(command, "fail") == 0) {
        link_fail(l, &enough, false, 0);
    } else if (strcmp(command, "rtt") == 0) {
        snprintf(rtt, sizeof rtt, "%.3f", link_rtt_ms(l));
        print("rtt", NULL, rtt);
    }
}

static void on_alloc(uv_handle_t *handle, size_t want, uv_buf_t *out)
{
    struct probe *p = handle->data;

    (void)want;
    *out = uv_buf_init(p->chunk, sizeof p->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct probe *p = stream->data;
    const char *end;

    if (n < 0) {
        link_close(p->link);
        p->link = NULL;
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    buf_add(&p->line, bytes->base, (size_t)n);
    while ((end = strchr(buf_str(&p->line), '\n')) != NULL) {
        size_t length = (size_t)(end - p->line.data);
        p->line.data[length] = '\0';
        obey(p->link, p->line.data);
        buf_drop(&p->line, length + 1);
    }
}

int main(int argc, char **argv)
{
    const char *const headers[] = {getenv("HULLO_LINK_HEADER"), NULL};
    struct link_place places[MOST];
    struct probe p = {.line = BUF_INIT};
    struct log log = {LOG_DEBUG, stderr};
    struct link_config config = {
        .log = &log,
        .transport = &transport_ws,
        .places = places,
        .place_count = (size_t)(argc - 1 < MOST ? argc - 1 : MOST),
        .seed = (uint64_t)clock_ns(),
        .event = on_event,
        .freed = on_freed,
        .user = &p,
    };
    struct err e;

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < config.place_count; i++)
        places[i] = (struct link_place){argv[i + 1], argv[i + 1], headers, NULL};
    config.loop = uv_default_loop();
    if (link_open(&p.link, &config, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 2;
    }
    uv_pipe_init(config.loop, &p.in, 0);
    p.in.data = &p;
    uv_pipe_open(&p.in, 0);
    uv_read_start((uv_stream_t *)&p.in, on_alloc, on_read);
    uv_run(config.loop, UV_RUN_DEFAULT);
    buf_free(&p.line);
    return uv_loop_close(config.loop) == 0 ? 0 : 1;
}
