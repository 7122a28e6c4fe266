/* wire_notes - a wire (realtime/wire.h) with nothing at its ends: what it sends and what it tells
 * are written down, each as a line of text. */
#ifndef HULLO_FAKE_WIRE_NOTES_H
#define HULLO_FAKE_WIRE_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "realtime/dialect.h"
#include "realtime/wire.h"
#include "util/buf.h"

struct wire_notes {
    const struct wire_ops *ops;
    struct wire *wire;
    struct buf sent;     /* messages, each with a newline behind it */
    struct buf told;     /* events, as in "HEARD u1 'what time is it'" */
    int send_result;     /* what `send` answers */
    int16_t samples[64]; /* the beginning of the last audio that was told */
};

/* A config that needs but a task and settings. */
struct wire_config wire_notes_config(const struct dialect *dialect, enum backend_task task,
                                     const struct backend_settings *settings);

/* Opens a wire; send, event and user of the config are set here. Fails the test if it does not. */
void wire_notes_open(struct wire_notes *n, const struct wire_ops *ops, struct wire_config config);
void wire_notes_close(struct wire_notes *n);

int wire_notes_take(struct wire_notes *n, const char *json);

/* What was noted since the last call, checked with assert_string_equal. */
#define wire_notes_assert_told(n, expected)                 \
    do {                                                    \
        assert_string_equal(buf_str(&(n)->told), expected); \
        buf_clear(&(n)->told);                              \
    } while (0)
#define wire_notes_assert_sent(n, expected)                 \
    do {                                                    \
        assert_string_equal(buf_str(&(n)->sent), expected); \
        buf_clear(&(n)->sent);                              \
    } while (0)

#endif
