/* spoken - the speech of replies, on its way into a file or to stdout. A file appears when it is
 * complete; one stream on stdout carries all that is spoken. Main thread. */
#ifndef HULLO_CMD_SPOKEN_H
#define HULLO_CMD_SPOKEN_H

#include "audio/audiofile.h"
#include "session/session.h"

struct spoken {
    const char *file; /* borrowed; NULL: it goes nowhere */
    bool force;
    struct audiowriter *writer;
    bool wrote; /* there is speech of this input */
    bool mute;  /* the output failed: no more is written */
};

void spoken_begin(struct spoken *s, const char *file, bool force); /* the next input */

/* SESSION_REPLY_AUDIO. After an error nothing more is written. */
int spoken_add(struct spoken *s, const struct session_event *ev, struct err *e);

int spoken_end(struct spoken *s, bool last, struct err *e); /* completes the file */
void spoken_cut_short(struct spoken *s); /* no file appears; what was streamed stays */

#endif
