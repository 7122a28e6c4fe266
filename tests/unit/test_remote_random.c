/* The backend for realtime endpoints under whatever comes in whatever order: a server that is now
 * honest and now not, a user who does everything at once, a line that breaks. What must hold is
 * what backend.h says. Seeds are fixed: a failure names the one to look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake/scene.h"

#define OPS(sc) ((sc)->backend->ops)

enum { RUNS = 400, STEPS = 80 };

static struct {
    uint64_t state;
    unsigned seed, step;
    bool inside;     /* a call of ours */
    uint32_t item;   /* open reply; 0: none */
    uint32_t newest; /* of any reply */
    bool cancelled;  /* by us */
    unsigned commits, heard;
    unsigned turns, replies;
} now;

static unsigned dice(unsigned n)
{
    now.state = now.state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(now.state >> 33) % n;
}

#define HOLDS(condition)                                                                    \
    do {                                                                                    \
        if (!(condition))                                                                   \
            fail_msg("seed %u, step %u: %s does not hold", now.seed, now.step, #condition); \
    } while (0)

static void check(struct scene *sc, const struct backend_event *ev)
{
    (void)sc;
    HOLDS(!now.inside);
    switch (ev->type) {
    case BACKEND_REPLY_STARTED:
        HOLDS(now.item == 0);
        HOLDS(ev->item > now.newest);
        now.item = now.newest = ev->item;
        now.cancelled = false;
        break;
    case BACKEND_REPLY_TEXT:
    case BACKEND_REPLY_AUDIO:
        HOLDS(ev->item == now.item);
        HOLDS(!now.cancelled);
        break;
    case BACKEND_REPLY_DONE:
        HOLDS(ev->item == now.item);
        HOLDS(ev->cancelled || !now.cancelled);
        now.item = 0;
        break;
    case BACKEND_HEARD:
        now.heard += ev->committed;
        HOLDS(now.heard <= now.commits);
        break;
    case BACKEND_ERROR:
        HOLDS(!ev->fatal);
        break;
    default:
        break;
    }
}

static void user_does(struct scene *sc)
{
    now.inside = true;
    switch (dice(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        scene_speak(sc, 1 + dice(60));
        break;
    case 4:
        now.commits++;
        HOLDS(OPS(sc)->commit(sc->backend) == 0);
        break;
    case 5:
        now.commits++;
        HOLDS(OPS(sc)->send_text(sc->backend, "hi") == 0);
        break;
    case 6:
    case 7:
        OPS(sc)->truncate(sc->backend, now.newest, dice(800));
        now.cancelled |= now.item != 0;
        OPS(sc)->cancel(sc->backend);
        break;
    case 8:
        OPS(sc)->clear(sc->backend);
        break;
    case 9:
        OPS(sc)->detect_turns(sc->backend, dice(2));
        break;
    case 10:
        OPS(sc)->truncate(sc->backend, dice(6), dice(800));
        (void)OPS(sc)->remembered(sc->backend, dice(6));
        break;
    default:
        if (dice(4) == 0) {
            OPS(sc)->forget(sc->backend);
            now.item = 0;
            now.commits = now.heard = 0;
        }
    }
    now.inside = false;
}

static void server_does(struct scene *sc)
{
    static const char *const statuses[] = {"completed", "cancelled", "failed", "incomplete"};
    static const char *const odd[] = {
        "{\"type\":\"error\",\"error\":{\"code\":\"conversation_already_has_active_response\"}}",
        "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"code\":"
        "\"rate_limit_exceeded\",\"message\":\"Please try again in 1s.\"}}",
        "{\"type\":\"error\",\"error\":{\"code\":\"response_cancel_not_active\"}}",
        "{\"type\":\"session.updated\"}",
        "{}",
        "{\"type\":\"response.created\"}",
    };
    char turn[16], reply[16], part[16];

    snprintf(turn, sizeof turn, "u%u", now.turns - (now.turns > 0 ? dice(2) : 0));
    snprintf(reply, sizeof reply, "r%u", now.replies - (now.replies > 0 && dice(4) == 0));
    snprintf(part, sizeof part, "i%u", now.replies);
    switch (dice(10)) {
    case 0:
        snprintf(turn, sizeof turn, "u%u", ++now.turns);
        scene_speech(sc, dice(5000), dice(9000), turn);
        break;
    case 1:
        scene_saysf(sc,
                    "{\"type\":\"input_audio_buffer.speech_%s\",\"audio_%s_ms\":%u,\"item_id\":"
                    "\"%s\"}",
                    dice(2) ? "started" : "stopped", dice(2) ? "start" : "end", dice(5000), turn);
        break;
    case 2:
    case 3:
        snprintf(reply, sizeof reply, "r%u", ++now.replies);
        scene_reply(sc, reply);
        break;
    case 4:
        scene_text(sc, reply, "some words of it");
        break;
    case 5:
        scene_audio(sc, reply, part, 1 + dice(300));
        break;
    case 6:
    case 7:
        scene_done(sc, reply, statuses[dice(2) ? 0 : dice(4)]);
        break;
    case 8:
        scene_heard(sc, turn, dice(4) ? "hello" : "");
        break;
    default:
        scene_says(sc, odd[dice(sizeof odd / sizeof *odd)]);
    }
}

/* The server becomes honest: it answers all that is asked, until nothing is. */
static void settle(struct scene *sc)
{
    char reply[16];

    scene_pass(sc, 8000);
    for (int i = 0; i < 40; i++) {
        scene_says(sc, "{\"type\":\"response.done\",\"response\":{\"status\":\"completed\"}}");
        snprintf(reply, sizeof reply, "r%u", ++now.replies);
        if (strstr(scene_sent(sc), "respond") != NULL)
            scene_reply(sc, reply);
        scene_pass(sc, 2000);
    }
    scene_pass(sc, 20000);
}

static void run(unsigned seed)
{
    static const struct endpoint_value values[] = {{"audio_turns", "no"}, {"commits", "no"}};
    struct scene *sc;

    memset(&now, 0, sizeof now);
    now.state = now.seed = seed;
    scene_setup((void **)&sc);
    sc->config.turn_detection = seed % 3 != 0;
    sc->endpoints[0].values = seed % 5 == 0 ? &values[seed % 2] : NULL;
    sc->endpoints[0].value_count = seed % 5 == 0;
    sc->on_event = check;
    scene_open(sc);
    for (now.step = 0; now.step < STEPS; now.step++) {
        if (dice(12) == 0)
            scene_pass(sc, dice(3000));
        else if (dice(25) == 0)
            scene_cut(sc);
        else if (dice(2))
            user_does(sc);
        else
            server_does(sc);
        scene_told(sc);
    }
    settle(sc);
    HOLDS(now.item == 0);
    HOLDS(now.heard == now.commits);
    scene_teardown((void **)&sc);
}

static void whatever_comes_the_interface_is_kept(void **state)
{
    const char *only = getenv("SEED");

    (void)state;
    for (unsigned seed = 1; seed <= RUNS; seed++)
        if (only == NULL || (unsigned)strtoul(only, NULL, 10) == seed)
            run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_comes_the_interface_is_kept),
    };

    return cmocka_run_group_tests_name("remote, random", tests, NULL, NULL);
}
