#include "util/json.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

/* cJSON recurses and allocates for what it finds, so that both are bounded before it starts. Does
 * not judge the grammar: cJSON does. */
static int check_limits(const char *s, size_t n)
{
    size_t depth = 0, values = 1;
    bool quoted = false;

    if (n > JSON_MAX_BYTES)
        return -EMSGSIZE;
    for (size_t i = 0; i < n; i++) {
        if (quoted && s[i] == '\\')
            i++;
        else if (s[i] == '"')
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (s[i] == '[' || s[i] == '{')
            depth++, values++;
        else if (s[i] == ',')
            values++;
        else if ((s[i] == ']' || s[i] == '}') && depth > 0)
            depth--;
        if (depth > JSON_MAX_DEPTH || values > JSON_MAX_VALUES)
            return -EMSGSIZE;
    }
    return 0;
}

int json_parse(cJSON **out, const char *bytes, size_t n)
{
    const char *end = NULL;
    char *copy;
    int rc;

    *out = NULL;
    if ((rc = check_limits(bytes, n)) < 0)
        return rc;
    /* cJSON may look at the byte behind the last one: give it a NUL there. */
    copy = malloc(n + 1);
    if (copy == NULL)
        return -ENOMEM;
    if (n > 0)
        memcpy(copy, bytes, n);
    copy[n] = '\0';
    *out = cJSON_ParseWithLengthOpts(copy, n + 1, &end, 0);
    if (*out != NULL && end + strspn(end, " \t\r\n") != copy + n) {
        cJSON_Delete(*out);
        *out = NULL;
    }
    free(copy);
    return *out != NULL ? 0 : -EBADMSG;
}

const cJSON *json_get(const cJSON *object, const char *name)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

const char *json_str(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(json_get(object, name));
}

double json_num(const cJSON *object, const char *name, double otherwise)
{
    const cJSON *v = json_get(object, name);

    return cJSON_IsNumber(v) && isfinite(v->valuedouble) ? v->valuedouble : otherwise;
}

long long json_int(const cJSON *object, const char *name, long long low, long long high,
                   long long otherwise)
{
    double v = json_num(object, name, NAN);

    /* Beyond 2^53 a double no longer tells neighbours apart. */
    if (!(fabs(v) <= 0x1p53) || v != floor(v))
        return otherwise;
    return (long long)v >= low && (long long)v <= high ? (long long)v : otherwise;
}

bool json_bool(const cJSON *object, const char *name, bool otherwise)
{
    const cJSON *v = json_get(object, name);

    return cJSON_IsBool(v) ? cJSON_IsTrue(v) : otherwise;
}

/* The step name[0..n) from v. */
static const cJSON *step(const cJSON *v, const char *name, size_t n)
{
    const cJSON *child;
    int index = 0;

    if (cJSON_IsArray(v)) {
        if (n == 0 || n > 6)
            return NULL;
        for (size_t i = 0; i < n; i++) {
            if (name[i] < '0' || name[i] > '9')
                return NULL;
            index = index * 10 + (name[i] - '0');
        }
        return cJSON_GetArrayItem(v, index);
    }
    if (!cJSON_IsObject(v))
        return NULL;
    cJSON_ArrayForEach(child, v)
    {
        if (strlen(child->string) == n && memcmp(child->string, name, n) == 0)
            return child;
    }
    return NULL;
}

const cJSON *json_path(const cJSON *from, const char *path)
{
    while (from != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");

        from = step(from, path, n);
        path += n + (path[n] == '.');
    }
    return from;
}

int json_add_text(cJSON *object, const char *name, const char *text)
{
    char *copy = strdup(text);
    const cJSON *added = NULL;

    if (copy != NULL) {
        text_clean(copy);
        added = cJSON_AddStringToObject(object, name, copy);
    }
    free(copy);
    return added != NULL ? 0 : -ENOMEM;
}

void json_quote(struct buf *b, const char *s)
{
    char *copy = strdup(s), *quoted = NULL;
    cJSON *v = NULL;

    if (copy != NULL) {
        text_clean(copy);
        v = cJSON_CreateString(copy);
    }
    if (v != NULL)
        quoted = cJSON_PrintUnformatted(v);
    if (quoted != NULL)
        buf_adds(b, quoted);
    else
        b->failed = true;
    cJSON_free(quoted);
    cJSON_Delete(v);
    free(copy);
}

void json_print_line(cJSON *value)
{
    char *line = cJSON_PrintUnformatted(value);

    if (line != NULL)
        puts(line);
    cJSON_free(line);
    cJSON_Delete(value);
}
