#include "ui/view.h"

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/json.h"

void view_init(struct view *v, const struct log *log, bool json)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool plain =
        (no_color != NULL && no_color[0] != '\0') || term == NULL || strcmp(term, "dumb") == 0;

    *v = (struct view){.log = log, .json = json, .colour = isatty(STDOUT_FILENO) && !plain};
}

void view_free(struct view *v)
{
    buf_free(&v->heard);
    buf_free(&v->reply);
}

static void who(const struct view *v, const char *name)
{
    printf("%s%-6s%s ", v->colour ? "\033[1m" : "", name, v->colour ? "\033[0m" : "");
}

static void print_json(const struct view *v, const struct session_event *ev)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "type", "turn");
    cJSON_AddNumberToObject(o, "v", 1);
    cJSON_AddStringToObject(o, "heard", buf_str(&v->heard));
    cJSON_AddStringToObject(o, "text", buf_str(&v->reply));
    cJSON_AddBoolToObject(o, "stopped", ev->cancelled);
    if (ev->gap_ms >= 0)
        cJSON_AddNumberToObject(o, "response_gap_ms", (double)(int64_t)ev->gap_ms);
    else
        cJSON_AddNullToObject(o, "response_gap_ms");
    json_print_line(o);
}

static void heard(struct view *v, const char *text)
{
    buf_clear(&v->heard);
    buf_adds(&v->heard, text);
    buf_clear(&v->reply);
    if (text[0] == '\0' || v->json)
        return;
    who(v, "you");
    printf("%s\n", text);
}

/* Pieces of a reply may begin with the space or the line end that separated them. */
static void reply_text(struct view *v, const char *text)
{
    buf_adds(&v->reply, text);
    if (v->json)
        return;
    if (!v->in_reply) {
        text += strspn(text, " \n");
        if (*text == '\0')
            return;
        who(v, "hullo");
        v->in_reply = true;
    }
    for (; *text != '\0'; text++) {
        putchar(*text);
        if (*text == '\n')
            fputs("       ", stdout);
    }
}

static void reply_done(struct view *v, const struct session_event *ev)
{
    if (v->json) {
        print_json(v, ev);
        return;
    }
    if (!v->in_reply)
        who(v, "hullo");
    v->in_reply = false;
    if (ev->cancelled)
        fputs(" -- stopped", stdout);
    if (ev->gap_ms >= 0)
        printf("  (%.2f s)", ev->gap_ms / 1000);
    putchar('\n');
}

void view_show(struct view *v, const struct session_event *ev)
{
    switch (ev->type) {
    case SESSION_READY:
        log_info(v->log, "hullo %s", ev->text);
        break;
    case SESSION_NOTICE:
        log_info(v->log, "note: %s", ev->text);
        break;
    case SESSION_HEARD:
        heard(v, ev->text);
        break;
    case SESSION_REPLY_TEXT:
        reply_text(v, ev->text);
        break;
    case SESSION_REPLY_DONE:
        reply_done(v, ev);
        break;
    case SESSION_ERROR:
        if (v->in_reply)
            putchar('\n');
        v->in_reply = false;
        if (!ev->fatal)
            log_error(v->log, "%s", ev->error->text);
        break;
    case SESSION_SPEECH:
    case SESSION_REPLY_AUDIO:
    case SESSION_REPLY_SOUND:
        break;
    }
    fflush(stdout);
}
