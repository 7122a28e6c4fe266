/* keys - keys that act at once, in a terminal whose lines are still edited by the kernel.
 * In its line mode a terminal can be told of two more characters that end a line. They are made to
 * be our keys: a read returns as soon as one is pressed, and everything else about typing a line
 * stays as the user knows it. A program that dies without a word leaves a terminal that works.
 * The terminal is put back by keys_close, when the process is stopped (Ctrl-Z) or dies of a signal,
 * and by keys_restore. One per process; main thread, but for keys_restore. */
#ifndef HULLO_UI_KEYS_H
#define HULLO_UI_KEYS_H

#include <stdbool.h>
#include <uv.h>

#define KEYS_MUTE '\x14' /* Ctrl-T */
#define KEYS_TALK '\t'   /* Tab */

struct keys {
    uv_signal_t stopped, continued;
    bool on;
    void (*back)(void *user); /* set after keys_init, or NULL: it was stopped and goes on (fg) */
    void *user;
};

/* 0, or a negative errno; -ENOTTY for what is no terminal, or one that is not in line mode. Then
 * there is nothing to close. */
int keys_init(struct keys *k, uv_loop_t *loop, int fd);

/* The terminal as it was. Any thread, and signal handlers; nothing without keys_init. */
void keys_restore(void);

void keys_close(struct keys *k); /* the handles close on the next run of the loop */

#endif
