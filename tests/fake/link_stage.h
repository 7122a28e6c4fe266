/* link_stage - a link on a scripted network, under a clock of the test's own, and all that it told.
 * One per test; anything that fails here fails the test. */
#ifndef HULLO_FAKE_LINK_STAGE_H
#define HULLO_FAKE_LINK_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "fake/fake_clock.h"
#include "fake/fake_transport.h"
#include "realtime/link.h"

enum { STAGE_EVENTS = 4096, STAGE_PLACE_COUNT = 3 };

struct stage_event {
    enum link_event_type type;
    size_t place;
    bool next, again;
    double wait_ms, at;
    enum status status;
    char text[128]; /* of the message, or of the error */
};

struct link_stage {
    uv_loop_t loop;
    struct fake_transport *net;
    struct link *link;
    struct log log;
    struct stage_event events[STAGE_EVENTS];
    size_t count, freed;
    bool inside; /* a call of the test's into the link is under way */
    bool close;  /* the link is closed from inside the next event of this type: */
    enum link_event_type close_at;
    void (*on_event)(struct link_stage *s, const struct link_event *ev);
};

extern const struct link_place STAGE_PLACES[STAGE_PLACE_COUNT];

/* For cmocka_unit_test_setup_teardown; the state is the stage. teardown closes the link, where the
 * test has not, and holds it to its promises: no event after that, nothing left, freed once. */
int stage_setup(void **state);
int stage_teardown(void **state);

struct link_config stage_config(struct link_stage *s, size_t places);
void stage_start(struct link_stage *s, size_t places); /* a link to the first so many */
void stage_open(struct link_stage *s, size_t places);  /* ... and has the first attempt succeed */
void stage_run(struct link_stage *s, double ms);

/* As fake_transport_plan; retry: 0 is none. And what was begun, by its number. */
void stage_plan(struct link_stage *s, const char *url, enum fake_does does, int status, int retry);
const struct fake_line *stage_line(const struct link_stage *s, size_t i);
double stage_begun(const struct link_stage *s, size_t i); /* ms */
size_t stage_lines(const struct link_stage *s);

size_t stage_count(const struct link_stage *s, enum link_event_type type);
const struct stage_event *stage_last(const struct link_stage *s); /* the newest event */
void stage_fail(struct link_stage *s, bool final, double wait_ms);

#endif
