#include "ui/captions.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/columns.h"
#include "util/json.h"
#include "util/text.h"

static const char *const endings[] = {"txt", "jsonl", "srt", "vtt"};

bool captions_find(enum captions_format *out, const char *name)
{
    static const char *const names[] = {"text", "jsonl", "srt", "vtt"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(names[i], name) == 0 || strcasecmp(endings[i], name) == 0) {
            *out = (enum captions_format)i;
            return true;
        }
    }
    return false;
}

const char *captions_ending(enum captions_format f)
{
    return endings[f];
}

void captions_begin(struct captions *c, enum captions_format format, struct buf *out)
{
    *c = (struct captions){.format = format};
    if (format == CAPTIONS_VTT)
        buf_adds(out, "WEBVTT\n\n");
}

/* --- lines */

/* One line without white space at its ends; what comes from elsewhere may hold anything. */
static void add_line(struct buf *out, const char *text)
{
    char *copy = strdup(text), *at = copy;
    size_t n;

    if (copy == NULL) {
        out->failed = true;
        return;
    }
    n = text_line(copy);
    for (bool space = true; n > 0 && *at != '\0'; at++) {
        if (*at != ' ' || !space)
            buf_add(out, at, 1);
        space = *at == ' ';
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    free(copy);
}

/* Bytes of the next line of s: as many words as fit, or a part of a word that does not. *next is
 * where the one after it begins. */
static size_t line(const char *s, size_t *next)
{
    size_t n = strlen(s), fits = columns_within(s, n, CAPTIONS_COLUMNS), at = fits;

    if (fits < n && s[fits] != ' ') {
        while (at > 0 && s[at - 1] != ' ')
            at--;
        if (at == 0)
            at = fits;
    }
    *next = at;
    while (s[*next] == ' ')
        ++*next;
    while (at > 0 && s[at - 1] == ' ')
        at--;
    return at;
}

/* --- cues */

static void add_time(struct buf *out, double ms, char point)
{
    uint64_t t = ms > 0 ? (uint64_t)(ms + 0.5) : 0;
    unsigned rest = (unsigned)(t % 3600000);

    buf_addf(out, "%02llu:%02u:%02u%c%03u", (unsigned long long)(t / 3600000), rest / 60000,
             rest / 1000 % 60, point, rest % 1000);
}

/* The first of two dashes or more that end in an arrow. */
static bool arrow(const char *s, size_t n)
{
    size_t dashes = 0;

    while (dashes < n && s[dashes] == '-')
        dashes++;
    return dashes >= 2 && dashes < n && s[dashes] == '>';
}

static void add_escaped(struct buf *out, enum captions_format format, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (format == CAPTIONS_VTT && s[i] == '&')
            buf_adds(out, "&amp;");
        else if (format == CAPTIONS_VTT && s[i] == '<')
            buf_adds(out, "&lt;");
        else if (format == CAPTIONS_VTT && s[i] == '>')
            buf_adds(out, "&gt;");
        else if (!arrow(s + i, n - i))
            buf_add(out, s + i, 1);
    }
    buf_adds(out, "\n");
}

static void add_cue(struct captions *c, struct buf *out, double from_ms, double to_ms,
                    const struct buf *lines)
{
    char point = c->format == CAPTIONS_SRT ? ',' : '.';

    if (from_ms < c->to_ms)
        from_ms = c->to_ms;
    if (to_ms < from_ms + 1)
        to_ms = from_ms + 1;
    c->to_ms = to_ms;
    if (c->format == CAPTIONS_SRT)
        buf_addf(out, "%u\n", c->count);
    add_time(out, from_ms, point);
    buf_adds(out, " --> ");
    add_time(out, to_ms, point);
    buf_addf(out, "\n%s\n", buf_str(lines));
}

static void add_cues(struct captions *c, const struct captions_segment *s, const char *text,
                     struct buf *out)
{
    double all = (double)columns(text, strlen(text)), length_ms = s->to_ms - s->from_ms, done = 0;
    struct buf lines = BUF_INIT;

    while (*text != '\0' && !buf_failed(out)) {
        double from = done;
        buf_clear(&lines);
        for (int i = 0; i < CAPTIONS_LINES && *text != '\0'; i++) {
            size_t next, n = line(text, &next);
            add_escaped(&lines, c->format, text, n);
            done += (double)columns(text, next);
            text += next;
        }
        c->count++;
        add_cue(c, out, s->from_ms + length_ms * from / all, s->from_ms + length_ms * done / all,
                &lines);
    }
    out->failed |= buf_failed(&lines);
    buf_free(&lines);
}

/* --- JSON */

static void add_input(cJSON *o, const char *input)
{
    if (input != NULL)
        json_add_text(o, "input", input);
    else
        cJSON_AddNullToObject(o, "input");
}

static void add_json(struct buf *out, cJSON *o)
{
    char *text = cJSON_PrintUnformatted(o);

    if (text != NULL)
        buf_addf(out, "%s\n", text);
    else
        out->failed = true;
    cJSON_free(text);
    cJSON_Delete(o);
}

static double whole(double ms)
{
    return (double)(int64_t)(ms + 0.5);
}

static void add_object(const char *type, const struct captions_segment *s, const char *text,
                       struct buf *out)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "type", type);
    cJSON_AddNumberToObject(o, "v", 1);
    add_input(o, s->input);
    cJSON_AddNumberToObject(o, "from_ms", whole(s->from_ms));
    cJSON_AddNumberToObject(o, "to_ms", whole(s->to_ms));
    json_add_text(o, "text", text);
    if (s->source != NULL)
        json_add_text(o, "source", s->source);
    add_json(out, o);
}

void captions_add(struct captions *c, const struct captions_segment *s, struct buf *out)
{
    struct buf text = BUF_INIT;

    add_line(&text, s->text);
    out->failed |= buf_failed(&text);
    if (text.len > 0 && c->format == CAPTIONS_TEXT)
        buf_addf(out, "%s\n", buf_str(&text));
    else if (text.len > 0 && c->format == CAPTIONS_JSONL)
        add_object("segment", s, buf_str(&text), out);
    else if (text.len > 0)
        add_cues(c, s, buf_str(&text), out);
    buf_free(&text);
}

void captions_add_source(struct captions *c, const struct captions_segment *s, struct buf *out)
{
    if (c->format == CAPTIONS_JSONL)
        add_object("source", s, s->text, out);
}

void captions_end(const struct captions *c, const char *input, const char *status,
                  const char *error, double length_ms, struct buf *out)
{
    cJSON *o;

    if (c->format != CAPTIONS_JSONL)
        return;
    o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "type", "transcript");
    cJSON_AddNumberToObject(o, "v", 1);
    add_input(o, input);
    cJSON_AddNumberToObject(o, "length_ms", whole(length_ms));
    cJSON_AddStringToObject(o, "status", status);
    if (error != NULL)
        json_add_text(o, "error", error);
    add_json(out, o);
}
