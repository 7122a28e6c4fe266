/* remote - a realtime endpoint as a backend (backend.h): the state machine of turns and replies
 * over a link (link.h), in the words of a wire (wire.h). Main loop only.
 *
 * What it promises:
 * - Nothing the user says is lost. Their audio is kept (spool.h) until it was answered. When the
 *   connection breaks, the next session is told the conversation (journal.h), is given the whole
 *   turn that was not answered yet, once, and is asked for its reply. Of a reply that broke off
 *   what was received is played, and the rest is asked for.
 * - One reply at a time: a request while one is active waits for its end. Audio of a reply that was
 *   cancelled is dropped, whenever it comes.
 * - Cancel goes out in the turn of the loop in which the session asks for it. Truncate says what
 *   was played, at most what was received, and nothing at 0. No refusal of either is fatal.
 * - A session is renewed before its cap, between two turns, without a gap.
 * - A server that does not hold to its protocol costs a message in the log, or the connection,
 *   never the program.
 *
 * Audio is taken at BACKEND_HZ and sent in pieces of at most 100 ms, at once while a user speaks.
 */
#ifndef HULLO_REALTIME_REMOTE_H
#define HULLO_REALTIME_REMOTE_H

#include "backend/backend.h"

extern const struct backend_kind backend_realtime;

#endif
