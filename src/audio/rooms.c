#include "audio/rooms.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/drift.h"
#include "util/json.h"
#include "util/path.h"
#include "util/text.h"

/* One object: v (1), input and output (names of the devices), delay_ms, drift_ppm, quality and
 * measured (align.h), response (list of numbers). */

#define VERSION       1
#define FILE_BYTES    (256 << 10) /* a whole response takes some 50 kB */
#define RESPONSE_MOST 1000.0 /* echo to reference: 60 dB, more than any room and preamplifier */
#define RESPONSE_STEP 1e-7   /* what is kept of a sample: well under 16 bits */
#define QUALITY_MOST  1e6
#define DRIFT_MOST    DRIFT_PPM_MAX
#define MEASURED_MOST (1 << 30)

/* FNV-1a, 64 bits. Two pairs of the same hash only take the file from one another: the names are
 * inside. */
static uint64_t hash(uint64_t h, const char *s)
{
    do {
        h = (h ^ (unsigned char)*s) * 0x100000001b3;
    } while (*s++ != '\0');
    return h;
}

static int file_of(char **out, const char *folder, const char *input, const char *output)
{
    char name[32];
    uint64_t h = hash(hash(0xcbf29ce484222325, input), output);

    snprintf(name, sizeof name, "%016llx.json", (unsigned long long)h);
    return path_join(out, folder, name);
}

/* --- reading */

static bool is_of(const cJSON *o, const char *member, const char *device)
{
    const char *there = json_str(o, member);
    char *clean = strdup(device);
    bool same;

    if (clean != NULL)
        text_line(clean);
    same = there != NULL && clean != NULL && strcmp(there, clean) == 0;
    free(clean);
    return same;
}

/* A number within its range; `ok` becomes false where it is not. */
static double number(const cJSON *o, const char *name, double low, double high, bool *ok)
{
    double x = json_num(o, name, NAN);

    if (!(x >= low && x <= high))
        *ok = false;
    return x;
}

static bool read_response(struct nearend_memory *out, const cJSON *list)
{
    const cJSON *v;

    if (!cJSON_IsArray(list))
        return false;
    cJSON_ArrayForEach(v, list)
    {
        if (out->n == NEAREND_RESPONSE || !cJSON_IsNumber(v) ||
            !(fabs(v->valuedouble) <= RESPONSE_MOST))
            return false;
        out->response[out->n++] = (float)v->valuedouble;
    }
    return true;
}

static bool read_memory(struct nearend_memory *out, const cJSON *o, const char *input,
                        const char *output)
{
    bool ok = json_int(o, "v", VERSION, VERSION, 0) == VERSION && is_of(o, "input", input) &&
              is_of(o, "output", output);

    *out = (struct nearend_memory){0};
    out->align = (struct align_state){
        .known = true,
        .delay_ms = number(o, "delay_ms", ALIGN_FROM_MS, ALIGN_TO_MS, &ok),
        .drift_ppm = number(o, "drift_ppm", -DRIFT_MOST, DRIFT_MOST, &ok),
        .quality = number(o, "quality", 0, QUALITY_MOST, &ok),
        .measured = (int)json_int(o, "measured", 0, MEASURED_MOST, -1),
    };
    return ok && out->align.measured >= 0 && read_response(out, json_get(o, "response"));
}

int rooms_load(struct nearend_memory *out, const char *folder, const char *input,
               const char *output)
{
    char *file = NULL, *text = NULL;
    cJSON *o = NULL;
    size_t len;
    int rc = file_of(&file, folder, input, output);

    if (rc == 0)
        rc = path_read(&text, &len, file, FILE_BYTES, NULL);
    if (rc == 0)
        rc = json_parse(&o, text, len);
    if (rc == 0 && !read_memory(out, o, input, output))
        rc = -EBADMSG;
    if (rc < 0)
        *out = (struct nearend_memory){0};
    cJSON_Delete(o);
    free(text);
    free(file);
    return rc == 0 || rc == -ENOMEM ? rc : -ENOENT;
}

/* --- writing */

static double rounded(double x, double step)
{
    return round(x / step) * step;
}

static bool add_number(cJSON *o, const char *name, double x)
{
    return cJSON_AddNumberToObject(o, name, x) != NULL;
}

static bool add_response(cJSON *o, const struct nearend_memory *m)
{
    cJSON *list = cJSON_AddArrayToObject(o, "response");

    for (size_t i = 0; list != NULL && i < m->n; i++) {
        char text[32];
        cJSON *v;

        /* As text, for a float has more digits than it has precision. */
        snprintf(text, sizeof text, "%.7g", rounded((double)m->response[i], RESPONSE_STEP));
        v = cJSON_CreateRaw(text);
        if (!cJSON_AddItemToArray(list, v)) {
            cJSON_Delete(v);
            return false;
        }
    }
    return list != NULL;
}

static char *print(const struct nearend_memory *m, const char *input, const char *output)
{
    cJSON *o = cJSON_CreateObject();
    char *in = strdup(input), *out = strdup(output), *text = NULL;
    bool ok = o != NULL && in != NULL && out != NULL;

    if (ok) {
        text_line(in);
        text_line(out);
    }
    ok = ok && add_number(o, "v", VERSION) && cJSON_AddStringToObject(o, "input", in) != NULL &&
         cJSON_AddStringToObject(o, "output", out) != NULL &&
         add_number(o, "delay_ms", rounded(m->align.delay_ms, 1e-4)) &&
         add_number(o, "drift_ppm", rounded(m->align.drift_ppm, 1e-3)) &&
         add_number(o, "quality", rounded(m->align.quality, 1e-2)) &&
         add_number(o, "measured", m->align.measured) && add_response(o, m);
    if (ok)
        text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    free(in);
    free(out);
    return text;
}

static bool within(double x, double low, double high)
{
    return x >= low && x <= high;
}

/* What rooms_load would take back. */
static bool is_sound(const struct nearend_memory *m)
{
    bool ok = m->align.known && within(m->align.delay_ms, ALIGN_FROM_MS, ALIGN_TO_MS) &&
              within(m->align.drift_ppm, -DRIFT_MOST, DRIFT_MOST) &&
              within(m->align.quality, 0, QUALITY_MOST) &&
              within(m->align.measured, 0, MEASURED_MOST) && m->n <= NEAREND_RESPONSE;

    for (size_t i = 0; ok && i < m->n; i++)
        ok = within((double)m->response[i], -RESPONSE_MOST, RESPONSE_MOST);
    return ok;
}

int rooms_save(const struct nearend_memory *m, const char *folder, const char *input,
               const char *output, struct err *e)
{
    char *file = NULL, *text;
    int rc;

    if (!is_sound(m))
        return err_set(e, STATUS_AUDIO, -EINVAL,
                       "what was learnt about '%s' and '%s' is not to be kept: it was not measured",
                       input, output);
    text = print(m, input, output);
    if (text == NULL || file_of(&file, folder, input, output) < 0)
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    else
        rc = path_mkdirs_private(folder, e);
    if (rc == 0)
        rc = path_write_private(file, text, strlen(text), e);
    cJSON_free(text);
    free(file);
    return rc;
}
