/* checkup_endpoints - whether the realtime endpoints of a conversation answer: each is connected
 * to, and its session set up, which sends no sound and costs nothing. Main thread; blocks for some
 * seconds where one does not answer. */
#ifndef HULLO_CMD_CHECKUP_ENDPOINTS_H
#define HULLO_CMD_CHECKUP_ENDPOINTS_H

#include <stdatomic.h>

#include "cmd/cmd.h"
#include "cmd/findings.h"
#include "conf/endpoints.h"

/* Adds a finding for each; none when there are none. *cancel gives up. */
void checkup_endpoints(struct findings *f, const struct app *app, const struct endpoints *endpoints,
                       const atomic_int *cancel);

#endif
