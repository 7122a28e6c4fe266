#include "session/prices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/path.h"
#include "util/text.h"

#define FILE_MAX  (1 << 20)
#define NAME_SIZE 64
#define PRICE_MAX 1e6 /* dollars for a million tokens, or for a minute */

struct price {
    char model[NAME_SIZE];
    double text_in, text_cached, audio_in, audio_cached, text_out, audio_out; /* per million */
    double minute;
};

struct prices {
    char date[16];
    size_t count;
    struct price list[];
};

static double amount(const cJSON *o, const char *name)
{
    double x = json_num(o, name, 0);

    return x >= 0 && x <= PRICE_MAX ? x : 0;
}

static int read_price(struct price *p, const cJSON *o, struct err *e)
{
    const char *model = json_str(o, "model");
    const cJSON *tokens = json_get(o, "per_million");

    if (model == NULL || model[0] == '\0' || strlen(model) >= sizeof p->model)
        return err_set(e, STATUS_FAILED, -EBADMSG, "a price names no model");
    memcpy(p->model, model, strlen(model));
    p->text_in = amount(tokens, "text_in");
    p->text_cached = amount(tokens, "text_cached");
    p->audio_in = amount(tokens, "audio_in");
    p->audio_cached = amount(tokens, "audio_cached");
    p->text_out = amount(tokens, "text_out");
    p->audio_out = amount(tokens, "audio_out");
    p->minute = amount(o, "per_minute");
    return 0;
}

static int read_all(struct prices **out, const cJSON *root, struct err *e)
{
    const cJSON *list = json_get(root, "models"), *item;
    size_t count = cJSON_IsArray(list) ? (size_t)cJSON_GetArraySize(list) : 0;
    const char *date = json_str(root, "date");
    struct prices *p;
    int rc = 0;

    if (count == 0)
        return err_set(e, STATUS_FAILED, -EBADMSG, "the list of prices has no 'models'");
    p = calloc(1, sizeof *p + count * sizeof *p->list);
    if (p == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    snprintf(p->date, sizeof p->date, "%s", date != NULL ? date : "?");
    text_line(p->date);
    cJSON_ArrayForEach(item, list)
    {
        if (rc == 0)
            rc = read_price(&p->list[p->count++], item, e);
    }
    if (rc < 0)
        prices_free(p);
    else
        *out = p;
    return rc;
}

int prices_parse(struct prices **out, const char *json, size_t n, struct err *e)
{
    cJSON *root;
    int rc = json_parse(&root, json, n);

    *out = NULL;
    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "the list of prices is not JSON");
    rc = read_all(out, root, e);
    cJSON_Delete(root);
    return rc;
}

int prices_load(struct prices **out, struct err *e)
{
    char *file, *json = NULL;
    size_t n;
    int rc = path_share(&file, "prices.json");

    *out = NULL;
    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "cannot find 'prices.json' among hullo's files");
    rc = path_read(&json, &n, file, FILE_MAX, e);
    if (rc == 0)
        rc = prices_parse(out, json, n, e);
    free(json);
    free(file);
    return rc;
}

void prices_free(struct prices *p)
{
    free(p);
}

const char *prices_date(const struct prices *p)
{
    return p->date;
}

static const struct price *find(const struct prices *p, const char *model)
{
    const struct price *best = NULL;

    for (size_t i = 0; i < p->count; i++) {
        size_t n = strlen(p->list[i].model);
        if (strncmp(p->list[i].model, model, n) == 0 && (best == NULL || n > strlen(best->model)))
            best = &p->list[i];
    }
    return best;
}

bool prices_usage(const struct prices *p, const char *model, const struct backend_usage *u,
                  double *usd)
{
    const struct price *x = find(p, model);

    if (x == NULL)
        return false;
    *usd = ((double)u->text_in * x->text_in + (double)u->text_cached * x->text_cached +
            (double)u->audio_in * x->audio_in + (double)u->audio_cached * x->audio_cached +
            (double)u->text_out * x->text_out + (double)u->audio_out * x->audio_out) /
           1e6;
    return true;
}

bool prices_minute(const struct prices *p, const char *model, double *usd)
{
    const struct price *x = find(p, model);

    if (x == NULL)
        return false;
    *usd = x->minute;
    return true;
}
