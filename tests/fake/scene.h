/* scene - the backend for realtime endpoints on a scripted network, under a clock of the
 * test's own. What it tells is noted as text, and so is what it sends, a word for each message:
 *
 *   told: "ready started:320 stopped:9600 part(he) heard(hello)+late reply1 text1(Hi) audio1:480
 *          done1 done1-cancelled link- link+ notice error fatal usage:12"
 *   sent: "update a0-9 commit clear user(hi) said20-49 assistant(Hi) respond respond(...)
 *          cancel(r1) truncate(i1:250)"
 *
 * The microphone says frames of 10 ms, each with its number in it, so that a1-3 means that these
 * three went out, whole and in this order: "a1-3,7-9" that they did not. One per test. */
#ifndef HULLO_FAKE_SCENE_H
#define HULLO_FAKE_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "backend/backend.h"
#include "conf/endpoint.h"
#include "fake/fake_clock.h"
#include "fake/fake_transport.h"
#include "util/buf.h"

enum { FRAME = BACKEND_HZ / 100 };

struct scene {
    uv_loop_t loop;
    struct fake_transport *net;
    struct backend *backend;
    struct log log;
    struct endpoint endpoints[2];
    struct backend_config config; /* change it before scene_open */
    struct buf told, sent;
    size_t read[64];              /* messages of each line that were read already */
    unsigned frame;               /* the next one of the microphone's */
    struct backend_timing timing; /* of the last reply that was done */
    struct backend_usage usage;   /* of the last USAGE */
    struct err error;             /* of the last ERROR */
    void (*on_event)(struct scene *st, const struct backend_event *ev);
};

/* For cmocka_unit_test_setup_teardown: the state is the scene, opened by scene_open. */
int scene_setup(void **state);
int scene_teardown(void **state);

void scene_open(struct scene *st);  /* the backend; its first connection is there */
void scene_ready(struct scene *st); /* ... and the server says session.created */
void scene_close(struct scene *st);
void scene_pass(struct scene *st, double ms);

/* The microphone. Loud frames, from the next number on. */
void scene_speak(struct scene *st, unsigned frames);

/* The server, on the newest connection. */
void scene_says(struct scene *st, const char *json);
void scene_saysf(struct scene *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void scene_speech(struct scene *st, unsigned from_ms, unsigned to_ms, const char *item);
void scene_reply(struct scene *st, const char *reply); /* response.created */
void scene_text(struct scene *st, const char *reply, const char *text);
void scene_audio(struct scene *st, const char *reply, const char *item, unsigned ms);
void scene_done(struct scene *st, const char *reply, const char *status);
void scene_heard(struct scene *st, const char *item, const char *text);
void scene_cut(struct scene *st); /* the connection is lost */

/* Since the last such call. */
const char *scene_told(struct scene *st);
const char *scene_sent(struct scene *st); /* on the newest connection */
const char *scene_sent_on(struct scene *st, size_t line);

#endif
