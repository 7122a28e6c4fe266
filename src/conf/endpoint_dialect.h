/* endpoint_dialect - which of the dialects that there are is meant. For endpoints.c. Pure. */
#ifndef HULLO_CONF_ENDPOINT_DIALECT_H
#define HULLO_CONF_ENDPOINT_DIALECT_H

#include <stdbool.h>

#include "conf/endpoints.h"
#include "util/err.h"

/* The one that has a model of this name for its own. model: NULL is nobody's. */
bool endpoint_dialect_of_model(const struct endpoints_config *c, const char *model,
                               struct endpoint_dialect *out);

/* By its name, where there is one, else by the model's, else the default. -EINVAL (STATUS_USAGE)
 * for a name that there is not; `whose` begins the message. */
int endpoint_dialect_choose(const struct endpoints_config *c, const char *name, const char *model,
                            const char *whose, struct endpoint_dialect *out, struct err *e);

#endif
