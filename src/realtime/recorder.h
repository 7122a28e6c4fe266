/* recorder - writes down what goes over the wire (backend/recording.h has the format). Lines are
 * made on the main loop and written by a thread of the recorder's. What
 * the endpoints' keys are never stands in the file, also not where a server repeats one; headers
 * and addresses are not recorded at all. The file is made anew, mode 0600. */
#ifndef HULLO_REALTIME_RECORDER_H
#define HULLO_REALTIME_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "backend/recording.h"
#include "realtime/transport.h"
#include "util/log.h"

struct recorder;

struct recorder_config {
    const struct log *log;
    const char *file;
    bool audio;                 /* keep it */
    const char *const *secrets; /* borrowed; NULL-terminated */
    const char *dialect, *model;
    int task;
    bool speak;
};

/* -EEXIST (STATUS_USAGE: a file is not overwritten), or what opening it gives. */
int recorder_open(struct recorder **out, const struct recorder_config *config, struct err *e);

unsigned recorder_connection(struct recorder *r); /* the number of a new one; writes its line */
void recorder_note(struct recorder *r, unsigned connection, enum recording_way way);
void recorder_message(struct recorder *r, unsigned connection, enum recording_way way,
                      const char *json, size_t n);
/* own: we had closed it. */
void recorder_closed(struct recorder *r, unsigned connection, const struct ws_closed *how,
                     bool own);

/* Writes what is left, waiting for the disk, and frees r. A file that could not be written has been
 * warned of once. NULL is fine. */
void recorder_close(struct recorder *r);

/* A transport that passes everything on to another one, and has it recorded. */
struct transport_recorded {
    const struct transport_ops *inner;
    void *context; /* of the inner one */
    struct recorder *recorder;
};
extern const struct transport_ops transport_recorded; /* context: a struct transport_recorded */

/* A transport that plays a recording back: each connection that is opened is the next one of the
 * recording; what is sent is swallowed. Behind the last one, connecting takes for ever.
 * The recording outlives it. */
struct transport_replay {
    const struct recording *recording;
    unsigned connections; /* that were opened; 0 at first */
};
extern const struct transport_ops transport_replay; /* context: a struct transport_replay */

#endif
