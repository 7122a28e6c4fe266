#include "ui/view.h"

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/json.h"

#define WAIT_BYTES 200 /* of a reply that waits for the words before it */

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

static void add_latency(cJSON *o, const struct view *v, const struct latency_turn *t)
{
    cJSON *parts = t->gap_ms >= 0 ? cJSON_AddObjectToObject(o, "latency") : NULL;

    if (parts != NULL) {
        add_ms(parts, "end_of_turn_ms", t->end_ms);
        add_ms(parts, "network_ms", t->network_ms);
        add_ms(parts, "model_ms", t->model_ms);
        add_ms(parts, "buffer_ms", t->buffer_ms);
        add_ms(parts, "gap_p50_ms", latency_quantile(&v->latency, 0.5));
        add_ms(parts, "gap_p95_ms", latency_quantile(&v->latency, 0.95));
    }
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
    add_latency(o, v, &ev->latency);
    if (v->usd > 0) {
        cJSON_AddNumberToObject(o, "cost_usd", v->usd);
        cJSON_AddBoolToObject(o, "cost_is_all", !v->usd_partly);
    }
    json_print_line(o);
}

/* Pieces of a reply may begin with the space or the line end that separated them. */
static void show_reply(struct view *v)
{
    const char *text = buf_str(&v->reply) + v->shown;

    v->shown = v->reply.len;
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

static void show_heard(const struct view *v, const char *note)
{
    if (v->heard.len == 0)
        return;
    who(v, "you");
    printf("%s%s\n", note, buf_str(&v->heard));
}

/* Words that come in the middle of a reply that is being shown would tear it apart. */
static void heard(struct view *v, const struct session_event *ev)
{
    buf_clear(&v->heard);
    buf_adds(&v->heard, ev->text);
    if (!ev->late) {
        buf_clear(&v->reply);
        v->shown = 0;
    }
    v->waiting = false;
    if (v->json)
        return;
    v->behind = v->in_reply;
    if (!v->behind)
        show_heard(v, "");
    if (ev->late)
        show_reply(v);
}

static void reply_text(struct view *v, const char *text)
{
    if (v->late && v->reply.len == 0)
        v->waiting = v->heard.len == 0;
    buf_adds(&v->reply, text);
    if (!v->json && (!v->waiting || v->reply.len > WAIT_BYTES))
        show_reply(v);
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

/* "(0.41 s, $0.02, muted)": what there is of it. */
static void print_figures(const struct view *v, double gap_ms)
{
    const char *lead = "  (";

    if (gap_ms >= 0) {
        printf("%s%.2f s", lead, gap_ms / 1000);
        lead = ", ";
    }
    if (v->usd > 0) {
        printf("%s$%.*f%s", lead, v->usd < 1 ? 3 : 2, v->usd, v->usd_partly ? "+" : "");
        lead = ", ";
    }
    if (v->muted) {
        printf("%smuted", lead);
        lead = ", ";
    }
    if (lead[0] == ',')
        putchar(')');
}

static void next_reply(struct view *v)
{
    if (v->behind)
        show_heard(v, "(before that) ");
    v->behind = false;
    buf_clear(&v->heard);
    buf_clear(&v->reply);
    v->shown = 0;
    v->waiting = false;
}

static void reply_done(struct view *v, const struct session_event *ev)
{
    latency_add(&v->latency, &ev->latency);
    if (v->json) {
        print_json(v, ev);
        next_reply(v);
        return;
    }
    show_reply(v);
    if (!v->in_reply)
        who(v, "hullo");
    v->in_reply = false;
    if (ev->cancelled)
        stopped(v, ev->text);
    print_figures(v, ev->gap_ms);
    putchar('\n');
    next_reply(v);
    if (ev->latency.gap_ms < 0)
        return;
    log_debug(v->log,
              "response gap: %.0f ms until the turn's end was known, %.0f network, %.0f model, "
              "%.0f buffer",
              ev->latency.end_ms, ev->latency.network_ms, ev->latency.model_ms,
              ev->latency.buffer_ms);
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

void view_sum_up(const struct view *v)
{
    char cost[64] = "";

    if (v->usd > 0)
        snprintf(cost, sizeof cost, "this call cost %s$%.*f%s", v->usd_partly ? "at least " : "",
                 v->usd < 1 ? 3 : 2, v->usd, v->usd_partly ? ", and what has no known price" : "");
    if (v->latency.count > 0)
        log_info(v->log, "%zu %s by voice, response gap p50 %.2f s, p95 %.2f s%s%s",
                 v->latency.count, v->latency.count == 1 ? "answer" : "answers",
                 latency_quantile(&v->latency, 0.5) / 1000,
                 latency_quantile(&v->latency, 0.95) / 1000, cost[0] != '\0' ? "; " : "", cost);
    else if (cost[0] != '\0')
        log_info(v->log, "%s", cost);
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
        heard(v, ev);
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
