/* hub - files from a model hub, over HTTP. Its address is $HF_ENDPOINT, as the hub's own tools have
 * it, else the well-known one. */
#ifndef HULLO_MODELS_HUB_H
#define HULLO_MODELS_HUB_H

#include "models/fetch.h"

/* False once the hub was found not to answer, for the rest of the process. */
bool hub_usable(const struct models *m);

/* Adds what is missing to p, with a range request when something is there. Returns 0 when it has
 * the file's size. Tries again when the hub stumbles. -ENETUNREACH (the hub does not answer; all
 * waiting for a first answer in one process ends after 3 s), -ENOENT (it does not have the file),
 * -EPROTO (it stumbles), -ECANCELED, or what writing returns. */
int hub_fetch(struct fetch *x, const struct source *s, const struct file *f, struct partial *p,
              struct err *e);

#endif
