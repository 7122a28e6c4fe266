/* view - a conversation on the terminal: what was heard, what is said, the response gap. Lines are
 * appended, nothing is redrawn, so that it reads well in a pipe, a log and a screen reader. Of a
 * reply that was stopped the last words that were heard are told. As JSON Lines, one object for
 * each turn. Results go to stdout, notices through the log. Main loop only.
 *
 * A remote model's reply may begin before the words that it answers are known: the reply waits for
 * them for a little while, so that lines stand in the order in which they were said. */
#ifndef HULLO_UI_VIEW_H
#define HULLO_UI_VIEW_H

#include <stdbool.h>

#include "session/latency.h"
#include "session/session.h"
#include "util/buf.h"

struct view {
    const struct log *log;
    bool json;
    bool clears;     /* stdout is a terminal that can clear a line */
    bool colour;     /* names in bold: stdout is a terminal and NO_COLOR is not set */
    bool in_reply;   /* a line of the reply is open */
    bool muted;      /* the microphone is: each reply says so */
    bool late;       /* the words of the user come behind the reply: hold it back for them */
    bool waiting;    /* ... and they have not come */
    bool behind;     /* they came when the reply was being shown already */
    double usd;      /* that the conversation has cost until now; 0: nothing; -1: not known */
    bool usd_partly; /* ... at least: not everything has a price that is known */
    struct latency latency;
    struct buf heard, reply;
    size_t shown; /* bytes of the reply that are */
};

void view_init(struct view *v, const struct log *log, bool json);
void view_show(struct view *v, const struct session_event *ev);

/* The answer to a key, on a line of its own: what the terminal showed of the key makes way. */
void view_answer_key(struct view *v, const char *text);

/* At the end: how quick and how dear it was. Through the log. */
void view_sum_up(const struct view *v);

void view_free(struct view *v);

#endif
