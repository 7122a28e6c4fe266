/* wire_openai - what OpenAI's protocols have in common: how settings are said, and what errors
 * mean. */
#ifndef HULLO_REALTIME_WIRE_OPENAI_H
#define HULLO_REALTIME_WIRE_OPENAI_H

#include <stdbool.h>

#include <cJSON.h>

#include "realtime/dialect.h"
#include "realtime/wire.h"
#include "realtime/wire_parts.h"
#include "util/buf.h"
#include "util/err.h"

/* What a session.update says: `now`, in the shape of the dialect. */
struct openai_session {
    const struct dialect *dialect;
    enum backend_task task;
    const char *model;
    bool speak;
    bool again;       /* not the first one: what is the server's own again is said so */
    bool leave_voice; /* it cannot change any more, or is the same: a refusal would cost the rest */
    bool leave_speed; /* the same: it cannot change while a reply is being made */
    const struct backend_settings *now;
};

/* Adds the member "session" to the object that is open in b (wire_parts.h). */
void openai_session_write(struct buf *b, const struct openai_session *s);

/* Whose model writes down the user's words; NULL: none does. */
const char *openai_transcriber(const struct dialect *d, enum backend_task task, const char *model);

/* The provider can end turns in this kind of session. */
bool openai_detects(const struct dialect *d, enum backend_task task, const char *model);

/* The name of a voice, of settings or of the dialect; NULL: the server's own. */
const char *openai_voice(const struct dialect *d, const struct backend_settings *now);

/* Adds a member that says what settings.noise means; NULL is left to the server, unless `again`. */
void openai_noise_write(struct buf *b, const char *name, const char *noise, bool again);

/* The "event_id" of what sends settings: errors name it. */
#define OPENAI_SETTINGS "settings"

/* What follows from an error object ({code, type, message}), in *ms the time to wait where it is
 * WIRE_LIMITED (-1: not told), and what people should read about it. */
enum wire_fault openai_fault(const struct dialect *d, const cJSON *error, double *ms,
                             struct err *e);

/* An event "error", as WIRE_ERROR. 0. */
int openai_tell_error(struct wire_parts *p, const cJSON *m);

#endif
