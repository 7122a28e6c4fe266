#include "dsp/turn.h"

#include <stddef.h>
#include <string.h>

#include "dsp/vad.h"

static const struct turn_config defaults = {
    .start = 0.5f, .stop = 0.35f, .start_ms = 64, .wait_ms = 600, .prefix_ms = 300};

static int not_negative(int ms)
{
    return ms < 0 ? 0 : ms;
}

int turn_wait_ms(const char *eagerness)
{
    if (eagerness == NULL)
        return defaults.wait_ms;
    if (strcmp(eagerness, "low") == 0)
        return 1000;
    return strcmp(eagerness, "high") == 0 ? 300 : defaults.wait_ms;
}

static uint64_t in_samples(int ms)
{
    return (uint64_t)ms * (VAD_HZ / 1000);
}

void turn_init(struct turn *t, const struct turn_config *config)
{
    *t = (struct turn){.config = config != NULL ? *config : defaults};
    t->config.start_ms = not_negative(t->config.start_ms);
    t->config.wait_ms = not_negative(t->config.wait_ms);
    t->config.prefix_ms = not_negative(t->config.prefix_ms);
    if (!(t->config.stop <= t->config.start))
        t->config.stop = t->config.start;
}

/* `end` is still that of the turn before: a prefix must not reach into what was said already. */
static void begin(struct turn *t)
{
    uint64_t prefix = in_samples(t->config.prefix_ms);

    t->onset = t->now - t->burst;
    t->start = t->onset - t->end > prefix ? t->onset - prefix : t->end;
    t->end = t->now;
    t->burst = 0;
    t->speaking = true;
}

static enum turn_event wait_for_speech(struct turn *t, float p, unsigned samples)
{
    if (!(p >= t->config.start)) {
        t->burst = 0;
        return TURN_NONE;
    }
    t->burst += samples;
    if (t->burst < in_samples(t->config.start_ms))
        return TURN_NONE;
    begin(t);
    return TURN_STARTED;
}

enum turn_event turn_step(struct turn *t, float p, unsigned samples)
{
    t->now += samples;
    if (!t->speaking)
        return wait_for_speech(t, p, samples);

    if (p >= (t->paused ? t->config.start : t->config.stop)) {
        bool resumed = t->paused;
        t->end = t->now;
        t->paused = false;
        return resumed ? TURN_RESUMED : TURN_NONE;
    }
    if (t->now - t->end >= in_samples(t->config.wait_ms)) {
        t->speaking = t->paused = false;
        return TURN_ENDED;
    }
    if (t->paused)
        return TURN_NONE;
    t->paused = true;
    return TURN_PAUSED;
}
