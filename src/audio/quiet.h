/* quiet - keeps what sound libraries print off the screen and puts it into the debug log.
 *
 *     struct quiet q;
 *     quiet_begin(&q);
 *     err = Pa_Initialize();
 *     quiet_end(&q, log);
 *
 * On the main thread, file descriptor 2 is an unlinked temporary file in between, for the whole
 * process. What other threads write to stderr meanwhile is not lost: the log's own lines
 * ("hullo: ...") go to the real stderr at the end, all else to the debug log. Whatever has a
 * descriptor of its own is not touched. The file is not a pipe, so that nobody blocks or gets
 * SIGPIPE, neither here nor in a sound server that was started meanwhile and inherited it. These
 * windows own descriptor 2 (util/hush).
 *
 * On another thread, while the main loop may be printing, descriptor 2 is left alone: only what
 * this very thread prints through the C library's `stderr` is taken (audio/sieve), where that is
 * glibc. That is how ALSA, JACK and PortAudio print.
 *
 * Windows of one thread do not nest. Outside of them ALSA's own messages (an xrun in its recovery)
 * are dropped, where ALSA is. */
#ifndef HULLO_AUDIO_QUIET_H
#define HULLO_AUDIO_QUIET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "audio/sieve.h"
#include "util/log.h"

struct quiet {
    int saved;  /* the real stderr, or -1 when nothing was redirected */
    FILE *file; /* what is printed meanwhile, or NULL */
    bool aside; /* not on the main thread */
    pthread_t thread;
    struct sieve_watch watch;
};

void quiet_begin(struct quiet *q); /* never fails: where it cannot redirect, it does nothing */
void quiet_end(struct quiet *q, const struct log *log);

#endif
