/* prices - what providers ask for their models: data (share/prices.json), not code. Immutable once
 * read; any thread. Prices are in US dollars and as good as their date. */
#ifndef HULLO_SESSION_PRICES_H
#define HULLO_SESSION_PRICES_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/backend.h"
#include "util/err.h"

struct prices;

/* From share/prices.json, or from JSON in memory. -ENOENT, -EBADMSG (names what is wrong), -ENOMEM.
 */
int prices_load(struct prices **out, struct err *e);
int prices_parse(struct prices **out, const char *json, size_t n, struct err *e);
void prices_free(struct prices *p); /* NULL is fine */

const char *prices_date(const struct prices *p); /* "2026-11" */

/* What that usage costs, and what a minute of the session costs whatever is said (0 where tokens
 * are counted). The model is looked up by the longest beginning of its name that is listed. False:
 * it is not listed, and nothing is known. */
bool prices_usage(const struct prices *p, const char *model, const struct backend_usage *u,
                  double *usd);
bool prices_minute(const struct prices *p, const char *model, double *usd);

#endif
