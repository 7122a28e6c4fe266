#include "backend/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/path.h"
#include "util/text.h"

#define FILE_MAX ((size_t)256 << 20)
#define TIME_MAX (48 * 3600e3)

const char *const recording_ways[] = {
    [RECORDING_OPEN] = "open",     [RECORDING_OPENED] = "opened",
    [RECORDING_SENT] = "sent",     [RECORDING_RECEIVED] = "received",
    [RECORDING_CLOSED] = "closed", [RECORDING_STOPPED] = "stopped",
};
#define WAYS (sizeof recording_ways / sizeof *recording_ways)

static int bad(struct err *e, const char *file, size_t line, const char *why)
{
    return err_set(e, STATUS_FAILED, -EBADMSG, "'%s' line %zu: %s", file, line, why);
}

static bool take_name(char *out, size_t size, const cJSON *o, const char *name)
{
    const char *s = json_str(o, name);

    if (s == NULL || strlen(s) >= size)
        return false;
    snprintf(out, size, "%s", s);
    text_line(out);
    return true;
}

static int read_head(struct recording *r, const cJSON *o, const char *file, struct err *e)
{
    const char *type = json_str(o, "type");

    if (type == NULL || strcmp(type, "hullo-recording") != 0)
        return bad(e, file, 1, "this is not a recording of --record");
    if (json_int(o, "v", 1, 1, 0) != 1)
        return bad(e, file, 1, "another version of hullo wrote this recording");
    r->task = (int)json_int(o, "task", 0, 2, 0);
    r->speak = json_bool(o, "speak", true);
    if (!take_name(r->dialect, sizeof r->dialect, o, "dialect") ||
        !take_name(r->model, sizeof r->model, o, "model"))
        return bad(e, file, 1, "it names no dialect, or no model");
    return 0;
}

static int read_line(struct recording *r, const cJSON *o, const char *file, size_t number,
                     struct err *e)
{
    struct recording_line *l = &r->lines[r->count];
    double before = r->count > 0 ? l[-1].t_ms : 0;
    const char *way = json_str(o, "way");
    size_t i = 0;

    while (way != NULL && i < WAYS && strcmp(way, recording_ways[i]) != 0)
        i++;
    if (way == NULL || i == WAYS)
        return 0; /* of a later hullo */
    l->t_ms = json_num(o, "t", -1);
    if (l->t_ms < before || l->t_ms > TIME_MAX)
        return bad(e, file, number, "its time goes backwards, or is none");
    l->connection = (unsigned)json_int(o, "c", 1, 1000000, 0);
    if (l->connection == 0)
        return bad(e, file, number, "it names no connection");
    l->way = (enum recording_way)i;
    l->line = o;
    r->count++;
    return 0;
}

static size_t count_lines(const char *s, size_t n)
{
    size_t lines = 1;

    for (size_t i = 0; i < n; i++)
        lines += s[i] == '\n';
    return lines;
}

/* A last line without an end is one that was being written. */
static int read_lines(struct recording *r, const char *s, size_t n, const char *file, struct err *e)
{
    size_t number = 0, parsed = 0;
    const char *end;

    for (; n > 0 && (end = memchr(s, '\n', n)) != NULL; n -= (size_t)(end - s) + 1, s = end + 1) {
        cJSON **o = &r->values[parsed];
        number++;
        if (json_parse(o, s, (size_t)(end - s)) < 0 || !cJSON_IsObject(*o)) {
            cJSON_Delete(*o);
            *o = NULL;
            return bad(e, file, number, "this is not a JSON object");
        }
        parsed++;
        int rc = number == 1 ? read_head(r, *o, file, e) : read_line(r, *o, file, number, e);
        if (rc < 0)
            return rc;
    }
    return number > 0 ? 0 : bad(e, file, 1, "this is not a recording of --record");
}

int recording_read(struct recording **out, const char *file, struct err *e)
{
    struct recording *r = calloc(1, sizeof *r);
    char *bytes = NULL;
    size_t n = 0, lines;
    int rc;

    *out = NULL;
    if (r == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    rc = path_read(&bytes, &n, file, FILE_MAX, e);
    if (rc < 0)
        goto out;
    lines = count_lines(bytes, n);
    r->lines = calloc(lines, sizeof *r->lines);
    r->values = calloc(lines + 1, sizeof(cJSON *));
    if (r->lines == NULL || r->values == NULL)
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    else
        rc = read_lines(r, bytes, n, file, e);
out:
    free(bytes);
    if (rc < 0)
        recording_free(r);
    else
        *out = r;
    return rc;
}

void recording_free(struct recording *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; r->values != NULL && r->values[i] != NULL; i++)
        cJSON_Delete(r->values[i]);
    free(r->values);
    free(r->lines);
    free(r);
}
