/* recording - what went over the wire in a session, as it was written down, for playing it back.
 *
 * The file is JSON Lines. The first line says what it is:
 *   {"type":"hullo-recording","v":1,"dialect":"openai","model":"...","task":0,"speak":true}
 * Each other one is a moment, t milliseconds after the first, on connection c (from 1):
 *   {"t":0,"c":1,"way":"open"}                    a connection is begun
 *   {"t":41,"c":1,"way":"opened"}                 ... and is there
 *   {"t":42,"c":1,"way":"sent","event":{...}}
 *   {"t":60,"c":1,"way":"received","event":{...}}
 *   {"t":99,"c":1,"way":"closed","end":0,"code":1000,...}  "own":true: by us
 *   {"t":80,"c":1,"way":"stopped"}                the reply in hand was stopped here, by the user
 * Long base64 (audio) is left out unless it was asked for: "delta":"" with "delta_bytes":9600
 * beside it, and is silence when it is played back. What was no JSON stands as
 * {"way":...,"raw":"..."}. Such a file comes from strangers (it is what goes with a bug report):
 * all of it is checked. */
#ifndef HULLO_BACKEND_RECORDING_H
#define HULLO_BACKEND_RECORDING_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"
#include "util/json.h"

enum recording_way {
    RECORDING_OPEN,
    RECORDING_OPENED,
    RECORDING_SENT,
    RECORDING_RECEIVED,
    RECORDING_CLOSED,
    RECORDING_STOPPED,
};

struct recording_line {
    double t_ms;
    unsigned connection;
    enum recording_way way;
    const cJSON *line; /* all of it */
};

struct recording {
    char dialect[32], model[128];
    int task; /* enum backend_task */
    bool speak;
    size_t count;
    struct recording_line *lines; /* in the order of their times */
    cJSON **values;               /* what they point to */
};

/* -ENOENT and others of the file; -EBADMSG: not a recording, or a version that we do not know
 * (STATUS_FAILED; names the line); -EMSGSIZE: over 256 MiB. */
int recording_read(struct recording **out, const char *file, struct err *e);
void recording_free(struct recording *r); /* NULL is fine */

/* The names of the ways in the file, by enum recording_way. */
extern const char *const recording_ways[];

#endif
