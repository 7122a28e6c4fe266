#include "fake/fake_nearend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fake_nearend fake_nearend = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct nearend {
    int16_t before[DSP_FRAME];
    _Atomic bool measuring;
};

static void lock(void)
{
    pthread_mutex_lock(&fake_nearend.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&fake_nearend.lock);
}

void fake_nearend_reset(void)
{
    lock();
    memset((char *)&fake_nearend + sizeof fake_nearend.lock, 0,
           sizeof fake_nearend - sizeof fake_nearend.lock);
    unlock();
}

void fake_nearend_verdict(const struct nearend_verdict *v)
{
    lock();
    fake_nearend.verdict = *v;
    unlock();
}

struct fake_nearend fake_nearend_seen(void)
{
    struct fake_nearend copy;

    lock();
    copy = fake_nearend;
    unlock();
    return copy;
}

int nearend_new(struct nearend **out, const struct nearend_config *config)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return -ENOMEM;
    lock();
    fake_nearend.made++;
    fake_nearend.config = *config;
    fake_nearend.had_memory = config->memory != NULL;
    if (config->memory != NULL)
        fake_nearend.memory = *config->memory;
    unlock();
    return 0;
}

void nearend_far(struct nearend *e, const int16_t *x, size_t n)
{
    (void)e;
    lock();
    for (size_t i = 0; i < n; i++, fake_nearend.n_far++)
        if (fake_nearend.n_far < FAKE_NEAREND_KEEPS)
            fake_nearend.far[fake_nearend.n_far] = x[i];
    unlock();
}

void nearend_run(struct nearend *e, const int16_t mic[DSP_FRAME], bool playing,
                 int16_t out[DSP_FRAME], struct nearend_verdict *v)
{
    memcpy(out, e->before, sizeof e->before);
    memcpy(e->before, mic, sizeof e->before);
    lock();
    fake_nearend.frames++;
    fake_nearend.frames_playing += playing;
    *v = fake_nearend.verdict;
    if (v->state == BARGE_STOP)
        fake_nearend.verdict.state = BARGE_PLAY;
    unlock();
}

void nearend_lost(struct nearend *e, int64_t near, int64_t far)
{
    (void)e;
    lock();
    fake_nearend.lost_near += near;
    fake_nearend.lost_far += far;
    unlock();
}

bool nearend_due(struct nearend *e)
{
    bool due = atomic_exchange(&fake_nearend.due, false);

    if (due)
        atomic_store(&e->measuring, true);
    return due;
}

void nearend_measure(struct nearend *e)
{
    if (!atomic_load(&e->measuring))
        abort();
    lock();
    fake_nearend.measured++;
    unlock();
}

void nearend_adopt(struct nearend *e)
{
    if (!atomic_exchange(&e->measuring, false))
        abort();
    lock();
    fake_nearend.adopted++;
    unlock();
}

void nearend_align(const struct nearend *e, struct align_state *out)
{
    (void)e;
    lock();
    *out = fake_nearend.memory.align;
    unlock();
}

void nearend_memory(const struct nearend *e, struct nearend_memory *out)
{
    (void)e;
    lock();
    *out = fake_nearend.memory;
    unlock();
}

void nearend_free(struct nearend *e)
{
    if (e == NULL)
        return;
    lock();
    fake_nearend.freed++;
    unlock();
    free(e);
}
