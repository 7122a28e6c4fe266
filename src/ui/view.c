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
    bool able = isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0;

    *v = (struct view){.log = log,
                       .json = json,
                       .clears = able,
                       .colour = able && (no_color == NULL || no_color[0] == '\0')};
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

static void add_ms(cJSON *o, const char *name, double ms)
{
    if (ms >= 0)
        cJSON_AddNumberToObject(o, name, (double)(int64_t)ms);
    else
        cJSON_AddNullToObject(o, name);
}

static void print_json(const struct view *v, const struct session_event *ev)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "type", "turn");
    cJSON_AddNumberToObject(o, "v", 1);
    cJSON_AddStringToObject(o, "heard", buf_str(&v->heard));
    json_add_text(o, "text", ev->text != NULL ? ev->text : buf_str(&v->reply));
    json_add_text(o, "generated", buf_str(&v->reply));
    cJSON_AddBoolToObject(o, "stopped", ev->cancelled);
    cJSON_AddBoolToObject(o, "cancelled", ev->cancelled && !ev->complete);
    add_ms(o, "heard_ms", ev->heard_ms);
    add_ms(o, "response_gap_ms", ev->gap_ms);
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

/* The last three words of a text. */
static const char *last_words(const char *text)
{
    const char *at = text + strlen(text);

    for (int words = 0; at > text; at--)
        if (at[-1] == ' ' && ++words == 3)
            break;
    return at;
}

static void stopped(const struct view *v, const char *heard)
{
    if (heard == NULL || strcmp(heard, buf_str(&v->reply)) == 0)
        fputs(" -- stopped", stdout);
    else if (heard[0] == '\0')
        fputs(" -- stopped, nothing of it was heard", stdout);
    else
        printf(" -- stopped after \"%s\"", last_words(heard));
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
        stopped(v, ev->text);
    if (ev->gap_ms >= 0)
        printf("  (%.2f s%s)", ev->gap_ms / 1000, v->muted ? ", muted" : "");
    else if (v->muted)
        fputs("  (muted)", stdout);
    putchar('\n');
}

void view_answer_key(struct view *v, const char *text)
{
    if (v->in_reply) /* goes on below */
        fputs("\n", stdout);
    else if (v->clears)
        fputs("\r\033[K", stdout);
    fflush(stdout);
    log_info(v->log, "%s", text);
    if (v->in_reply)
        fputs("       ", stdout);
    fflush(stdout);
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
    case SESSION_LINK:
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
    case SESSION_HEARD_PART:
    case SESSION_USAGE:
    case SESSION_REPLY_SOUND:
        break;
    }
    fflush(stdout);
}
