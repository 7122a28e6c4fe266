#include "audio/lapse.h"

#define SPREAD_NS (5 * (int64_t)1000000) /* of a shift that stays */
#define LEAST_NS  (LAPSE_LEAST_MS * (int64_t)1000000)
#define SLOWNESS  64  /* blocks over which the average follows two clocks */
#define BLOCKS    3   /* that agree on a shift, however long each is */
#define SETTLE_MS 500 /* the first times of a stream tell where it stands, not what is missing */

void lapse_init(struct lapse *l, int hz)
{
    *l = (struct lapse){.hz = hz};
}

static int64_t span_ns(const struct lapse *l, uint64_t samples)
{
    uint64_t hz = (uint64_t)l->hz;

    return (int64_t)(samples / hz * 1000000000 + samples % hz * 1000000000 / hz);
}

/* One more block with a shift. True when it has stayed for long enough. */
static bool shift_stays(struct lapse *l, int64_t off_ns)
{
    if (l->blocks == 0) {
        l->since = l->count;
        l->sum_ns = 0;
        l->least_ns = l->most_ns = off_ns;
    }
    l->blocks++;
    l->sum_ns += off_ns;
    l->least_ns = off_ns < l->least_ns ? off_ns : l->least_ns;
    l->most_ns = off_ns > l->most_ns ? off_ns : l->most_ns;
    if (l->most_ns - l->least_ns > SPREAD_NS) {
        l->blocks = 0;
        return false;
    }
    return l->blocks >= BLOCKS &&
           span_ns(l, l->count - l->since) >= LAPSE_STAYS_MS * (int64_t)1000000;
}

int64_t lapse_step(struct lapse *l, size_t n, int64_t at_ns, uint64_t known)
{
    int64_t off_ns, missing = 0;

    l->count += known;
    if (!l->begun) {
        l->begun = true;
        l->start_ns = at_ns - span_ns(l, l->count);
    }
    off_ns = at_ns - l->start_ns - span_ns(l, l->count);
    if (off_ns > -LEAST_NS && off_ns < LEAST_NS) {
        l->start_ns += off_ns / SLOWNESS;
        l->blocks = 0;
    } else if (shift_stays(l, off_ns)) {
        int64_t shift_ns = l->sum_ns / l->blocks;
        if (l->since > (uint64_t)l->hz * SETTLE_MS / 1000)
            missing = shift_ns / 1000 * l->hz / 1000000;
        l->start_ns += shift_ns;
        l->blocks = 0;
    }
    l->count += n;
    return missing;
}
