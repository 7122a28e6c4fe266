#include "conf/endpoint_dialect.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "conf/near.h"

static bool find_dialect(const struct endpoints_config *c, const char *name,
                         struct endpoint_dialect *out)
{
    for (size_t i = 0; c->dialect(c->user, i, out); i++)
        if (strcmp(out->name, name) == 0)
            return true;
    return false;
}

static bool begins_with(const char *name, const char *pattern)
{
    char whole[64];

    return snprintf(whole, sizeof whole, "%s*", pattern) < (int)sizeof whole &&
           fnmatch(whole, name, 0) == 0;
}

bool endpoint_dialect_of_model(const struct endpoints_config *c, const char *model,
                               struct endpoint_dialect *out)
{
    for (size_t i = 0; model != NULL && c->dialect(c->user, i, out); i++)
        for (const char *const *m = out->models; m != NULL && *m != NULL; m++)
            if (begins_with(model, *m))
                return true;
    return false;
}

static int unknown_dialect(const struct endpoints_config *c, const char *name, const char *whose,
                           struct err *e)
{
    struct near near = near_to(name);
    struct endpoint_dialect d;
    char hint[64], all[256] = "";
    size_t n = 0;

    for (size_t i = 0; c->dialect(c->user, i, &d) && n < sizeof all; i++) {
        near_offer(&near, d.name);
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", n > 0 ? ", " : "", d.name);
    }
    return err_set(e, STATUS_USAGE, -EINVAL, "%s: there is no dialect '%s'%s There are %s", whose,
                   name, near.best != NULL ? near_hint(&near, hint, sizeof hint) : ".", all);
}

int endpoint_dialect_choose(const struct endpoints_config *c, const char *name, const char *model,
                            const char *whose, struct endpoint_dialect *out, struct err *e)
{
    if (name != NULL)
        return find_dialect(c, name, out) ? 0 : unknown_dialect(c, name, whose, e);
    if (!endpoint_dialect_of_model(c, model, out))
        (void)c->dialect(c->user, 0, out);
    return 0;
}
