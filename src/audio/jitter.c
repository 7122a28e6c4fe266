#include "audio/jitter.h"

#include <math.h>

#define LATE_MS   10 /* so much waited behind the ring when it ran dry: the worker was late */
#define FIRST_MS  40 /* what is added after the first underrun; later ones double it */
#define PEACE_NS  (10 * (int64_t)1000000000)
#define PATIENCE  2 /* times wait_ms, after which what there is will do */
#define FORGET_MS 5
#define MARGIN_MS 10  /* more than the source was ever late */
#define AMPLE_MS  400 /* who has sent so much sends faster than it is heard */

static double grown(double ms, double most)
{
    ms = ms < FIRST_MS ? FIRST_MS : 2 * ms;
    return ms < most ? ms : most;
}

static double shrunk(double ms)
{
    ms *= 0.75;
    return ms < FORGET_MS ? 0 : ms;
}

static void learn(struct jitter *j, const struct jitter_look *look)
{
    if (look->dry != j->dry && !j->waiting) {
        if (look->ready_ms < 0 || look->ready_ms >= LATE_MS) {
            j->more_ms = grown(j->more_ms, JITTER_MOST_MS);
        } else {
            j->wait_ms = grown(j->wait_ms, JITTER_WAIT_MS);
            j->waiting = true;
            j->waiting_ns = 0;
            j->dry_ns = look->now_ns;
        }
        j->peace_ns = look->now_ns;
    } else if (look->now_ns - j->peace_ns > PEACE_NS) {
        j->more_ms = shrunk(j->more_ms);
        j->wait_ms = shrunk(j->wait_ms);
        j->start_ms = shrunk(j->start_ms);
        j->peace_ns = look->now_ns;
    }
    j->dry = look->dry;
}

/* It has come: so late it was. */
static void learn_lateness(struct jitter *j, int64_t now_ns)
{
    double late_ms = (double)(now_ns - j->dry_ns) / 1e6 + MARGIN_MS;

    if (late_ms <= JITTER_SHORT_MS) /* on top of what was waited for already */
        j->start_ms = fmin(j->start_ms + late_ms, JITTER_SHORT_MS);
}

/* Whether an item that is to begin has to wait. */
static bool too_soon(struct jitter *j, const struct jitter_look *look)
{
    if (look->fresh_ms <= 0) {
        j->start_ns = 0;
        return false;
    }
    if (j->start_ns == 0)
        j->start_ns = look->now_ns;
    return look->fresh_ms < AMPLE_MS && (double)(look->now_ns - j->start_ns) < j->start_ms * 1e6;
}

bool jitter_step(struct jitter *j, const struct jitter_look *look)
{
    learn(j, look);
    if (!j->waiting)
        return !too_soon(j, look);
    if (look->ready_ms > 0 && j->waiting_ns == 0) {
        j->waiting_ns = look->now_ns;
        learn_lateness(j, look->now_ns);
    }
    if (look->ready_ms < 0 || look->ready_ms >= j->wait_ms ||
        (j->waiting_ns != 0 &&
         (double)(look->now_ns - j->waiting_ns) > PATIENCE * j->wait_ms * 1e6))
        j->waiting = false;
    return !j->waiting;
}

double jitter_ahead_ms(const struct jitter *j, double period_ms)
{
    double ms = 2 * period_ms + 20;

    double most = ms < JITTER_MOST_MS ? JITTER_MOST_MS : ms < JITTER_LONG_MS ? ms : JITTER_LONG_MS;

    ms = (ms < JITTER_LEAST_MS ? JITTER_LEAST_MS : ms) + j->more_ms;
    return ms < most ? ms : most;
}
