#include "fake/fake_clock.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

/* libuv asks the C library, which the linker lets us stand in for. */
#ifdef __linux__
static bool started;
static struct timespec now;

int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*theirs)(clockid_t, struct timespec *);

    if (started && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
        *t = now;
        return 0;
    }
    if (theirs == NULL)
        *(void **)&theirs = dlsym(RTLD_NEXT, "clock_gettime");
    return theirs(id, t);
}

bool fake_clock_works(void)
{
    return true;
}

void fake_clock_start(void)
{
    clock_gettime(CLOCK_MONOTONIC, &now);
    started = true;
}

void fake_clock_stop(void)
{
    started = false;
}

static void advance(int64_t ns)
{
    ns += now.tv_nsec;
    now.tv_sec += (time_t)(ns / 1000000000);
    now.tv_nsec = (long)(ns % 1000000000);
}

void fake_clock_run(uv_loop_t *loop, double ms)
{
    int64_t left = (int64_t)(ms * 1e6);

    assert_true(started);
    for (int rounds = 0;; rounds++) {
        int next;
        int64_t step;
        assert_true(rounds < 1000000); /* something is due again and again, at once */
        uv_run(loop, UV_RUN_NOWAIT);
        next = uv_loop_alive(loop) ? uv_backend_timeout(loop) : -1;
        if (next == 0)
            continue;
        if (left == 0)
            return;
        step = next < 0 || next * (int64_t)1000000 > left ? left : next * (int64_t)1000000;
        advance(step);
        left -= step;
    }
}
#else
bool fake_clock_works(void)
{
    return false;
}

void fake_clock_start(void)
{
}

void fake_clock_stop(void)
{
}

void fake_clock_run(uv_loop_t *loop, double ms)
{
    (void)loop;
    (void)ms;
    fail();
}
#endif
