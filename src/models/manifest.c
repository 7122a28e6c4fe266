#include "models/manifest.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/text.h"

#define BYTES_MAX 1e15 /* exact in a double, and more than any disk has */

enum { ITEMS_MAX = 1000 };

struct reader {
    struct models *m;
    const char *from;
    struct err *e;
};

static int bad(const struct reader *r, const char *where, const char *what)
{
    return err_set(r->e, STATUS_FAILED, -EINVAL, "manifest '%s': %s: %s", r->from, where, what);
}

/* Text for people. The manifest may be anybody's. */
static const char *line_of(const cJSON *object, const char *key)
{
    const cJSON *item = json_get(object, key);

    if (cJSON_IsString(item))
        text_line(item->valuestring);
    return cJSON_GetStringValue(item);
}

/* One path component or package name: starts with a letter or digit, holds nothing that a path, an
 * address or a command line could read as something else. */
static bool plain(const char *s)
{
    if (s == NULL || !isalnum((unsigned char)s[0]) || strlen(s) > 128)
        return false;
    for (; *s != '\0'; s++)
        if (!isalnum((unsigned char)*s) && strchr("._-+!", *s) == NULL)
            return false;
    return true;
}

/* Plain components with one slash between them. */
static bool plain_path(const char *s)
{
    char part[129];

    for (;;) {
        size_t n = s != NULL ? strcspn(s, "/") : 0;
        if (n == 0 || n >= sizeof part)
            return false;
        memcpy(part, s, n);
        part[n] = '\0';
        /* Python's packages have names such as __init__.py and _libs. */
        if (!plain(part + strspn(part, "_")))
            return false;
        if (s[n] == '\0')
            return true;
        s += n + 1;
    }
}

static bool is_sha256(const char *s)
{
    return s != NULL && strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static bool read_bytes(const cJSON *object, uint64_t *out)
{
    const cJSON *n = json_get(object, "bytes");

    if (!cJSON_IsNumber(n) || !(n->valuedouble >= 0 && n->valuedouble <= BYTES_MAX) ||
        floor(n->valuedouble) != n->valuedouble)
        return false;
    *out = (uint64_t)n->valuedouble;
    return true;
}

/* Room for the items of an array or object. */
static int allocate(const struct reader *r, const cJSON *list, size_t item, void **out,
                    const char *where)
{
    int n = cJSON_GetArraySize(list);

    if (n < 1 || n > ITEMS_MAX)
        return bad(r, where, n < 1 ? "is empty or missing" : "has too many items");
    *out = calloc((size_t)n, item);
    return *out != NULL ? 0 : err_set(r->e, STATUS_FAILED, -ENOMEM, "out of memory");
}

static int read_packages(struct reader *r)
{
    const cJSON *list = json_get(r->m->json, "packages"), *o;
    int rc;

    if (list == NULL || (cJSON_IsObject(list) && list->child == NULL))
        return 0;
    rc = allocate(r, list, sizeof *r->m->packages, (void **)&r->m->packages, "packages");
    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(o, list)
    {
        struct package *p = &r->m->packages[r->m->package_count++];
        p->name = o->string;
        if (!plain(p->name))
            return bad(r, "packages", "a name is not a plain one");
        p->version = json_str(o, "version");
        p->platform = json_str(o, "platform");
        p->sha256 = json_str(o, "sha256");
        p->source = json_bool(o, "source", false);
        if (!plain(p->version) || (p->platform != NULL && !plain(p->platform)))
            return bad(r, p->name, "version or platform is not a plain word");
        if (!is_sha256(p->sha256) || !read_bytes(o, &p->bytes) || p->bytes == 0)
            return bad(r, p->name, "needs sha256 and bytes");
    }
    return 0;
}

static const struct package *find_package(const struct models *m, const char *name)
{
    for (size_t i = 0; name != NULL && i < m->package_count; i++)
        if (strcmp(m->packages[i].name, name) == 0)
            return &m->packages[i];
    return NULL;
}

static int read_members(struct reader *r, struct source *s, const cJSON *list, const struct file *f)
{
    uint64_t sum = 0;
    const cJSON *o;
    int rc = allocate(r, list, sizeof *s->members, (void **)&s->members, f->name);

    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(o, list)
    {
        struct member *p = &s->members[s->member_count++];
        p->package = find_package(r->m, json_str(o, "package"));
        p->path = json_str(o, "member");
        if (p->package == NULL || !plain_path(p->path) || !read_bytes(o, &p->bytes))
            return bad(r, f->name, "a part needs a known package, member and bytes");
        sum += p->bytes;
    }
    return sum == f->bytes ? 0 : bad(r, f->name, "its parts do not add up to its bytes");
}

static int read_sources(struct reader *r, struct file *f, const cJSON *list)
{
    const cJSON *o;
    int rc = allocate(r, list, sizeof *f->sources, (void **)&f->sources, f->name);

    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(o, list)
    {
        struct source *s = &f->sources[f->source_count++];
        const cJSON *packages = json_get(o, "packages");
        if (packages != NULL) {
            rc = read_members(r, s, packages, f);
            if (rc < 0)
                return rc;
            continue;
        }
        s->hub = json_str(o, "hub");
        s->path = json_str(o, "path");
        s->revision = json_str(o, "revision");
        if (s->revision == NULL)
            s->revision = "main";
        if (!plain_path(s->hub) || !plain_path(s->path) || !plain(s->revision))
            return bad(r, f->name, "a source needs packages, or hub and path");
    }
    return 0;
}

/* The files that this one is made from: earlier ones, which have sources. */
static int read_inputs(struct reader *r, const struct model *model, struct file *f, const cJSON *o)
{
    const cJSON *list = json_get(o, "from"), *name;
    const struct file *end = f;

    cJSON_ArrayForEach(name, list)
    {
        const char *s = cJSON_GetStringValue(name);
        size_t i = 0;
        while (model->files + i < end && (s == NULL || strcmp(model->files[i].name, s) != 0))
            i++;
        if (model->files + i == end || model->files[i].derive != NULL ||
            f->from_count == FILE_INPUTS_MAX)
            return bad(r, f->name, "'from' names a file that is not there, or too many");
        f->from[f->from_count++] = i;
    }
    return f->from_count > 0 ? 0 : bad(r, f->name, "'from' is empty or missing");
}

static int read_file(struct reader *r, const struct model *model, struct file *f, const cJSON *o)
{
    f->name = json_str(o, "name");
    f->sha256 = json_str(o, "sha256");
    f->derive = json_str(o, "derive");
    f->keep = json_bool(o, "keep", true);
    if (!plain(f->name))
        return bad(r, model->info.name, "a file's name is not a plain one");
    for (const struct file *other = model->files; other < f; other++)
        if (strcmp(other->name, f->name) == 0)
            return bad(r, f->name, "is there twice");
    if (!is_sha256(f->sha256) || !read_bytes(o, &f->bytes))
        return bad(r, f->name, "needs sha256 and bytes");
    if (f->derive != NULL)
        return read_inputs(r, model, f, o);
    return read_sources(r, f, json_get(o, "sources"));
}

static bool read_role(const char *s, enum model_role *out)
{
    static const char *const names[] = {"vad", "stt", "llm", "tts", "sample"};

    for (size_t i = 0; s != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(s, names[i]) == 0) {
            *out = (enum model_role)i;
            return true;
        }
    }
    return false;
}

/* What the first source of each file costs, a package that several files share once. */
static uint64_t fetch_bytes(const struct model *model)
{
    const struct package *seen[ITEMS_MAX];
    size_t n = 0;
    uint64_t sum = 0;

    for (const struct file *f = model->files; f < model->files + model->file_count; f++) {
        const struct source *s = f->sources;
        if (s == NULL || s->hub != NULL) {
            sum += s != NULL ? f->bytes : 0;
            continue;
        }
        for (size_t i = 0; i < s->member_count; i++) {
            size_t k = 0;
            while (k < n && seen[k] != s->members[i].package)
                k++;
            if (k == n && n < ITEMS_MAX) {
                seen[n++] = s->members[i].package;
                sum += s->members[i].package->bytes;
            }
        }
    }
    return sum;
}

static int read_model(struct reader *r, struct model *model, const cJSON *o)
{
    const cJSON *files = json_get(o, "files"), *file;
    struct model_info *info = &model->info;
    int rc;

    info->name = json_str(o, "name");
    info->title = line_of(o, "title");
    info->licence = line_of(o, "licence");
    info->licence_text = line_of(o, "licence_text");
    info->standard = json_bool(o, "standard", false);
    if (!plain(info->name))
        return bad(r, "models", "a name is not a plain one");
    if (models_index(r->m, info->name) != (int)(model - r->m->models))
        return bad(r, info->name, "is there twice");
    if (info->title == NULL || info->licence == NULL || info->licence_text == NULL ||
        !read_role(json_str(o, "role"), &info->role))
        return bad(r, info->name, "needs title, licence, licence_text and a known role");
    rc = allocate(r, files, sizeof *model->files, (void **)&model->files, info->name);
    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(file, files)
    {
        struct file *f = &model->files[model->file_count++];
        rc = read_file(r, model, f, file);
        if (rc < 0)
            return rc;
        info->bytes += f->keep ? f->bytes : 0;
    }
    if (model->file_count == 1)
        info->file = model->files[0].name;
    info->fetch_bytes = fetch_bytes(model);
    return 0;
}

int manifest_parse(struct models *m, const char *text, size_t len, const char *from, struct err *e)
{
    struct reader r = {.m = m, .from = from, .e = e};
    const cJSON *version, *list, *o;
    int rc;

    m->json = cJSON_ParseWithLength(text, len);
    if (m->json == NULL)
        return err_set(e, STATUS_FAILED, -EINVAL, "manifest '%s' is not JSON", from);
    version = json_get(m->json, "version");
    if (!cJSON_IsNumber(version) || version->valueint != 1)
        return bad(&r, "version", "is not 1, the one that this program knows");
    rc = read_packages(&r);
    if (rc < 0)
        return rc;
    list = json_get(m->json, "models");
    rc = allocate(&r, list, sizeof *m->models, (void **)&m->models, "models");
    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(o, list)
    {
        rc = read_model(&r, &m->models[m->count++], o);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void manifest_free(struct models *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct model *model = &m->models[i];
        for (size_t k = 0; k < model->file_count; k++) {
            for (size_t s = 0; s < model->files[k].source_count; s++)
                free(model->files[k].sources[s].members);
            free(model->files[k].sources);
        }
        free(model->files);
    }
    free(m->models);
    free(m->packages);
    cJSON_Delete(m->json);
    m->models = NULL;
    m->packages = NULL;
    m->json = NULL;
    m->count = m->package_count = 0;
}

const struct model *manifest_find(const struct models *m, const char *name, struct err *e)
{
    int i = models_index(m, name);

    if (i < 0)
        err_set(e, STATUS_USAGE, -ENOENT, "no model '%s'; see `hullo models list`", name);
    return i < 0 ? NULL : &m->models[i];
}
