/* address - what the address of a realtime endpoint says about who can listen in on the way there.
 * Pure, no look-up of names; any thread. */
#ifndef HULLO_CONF_ADDRESS_H
#define HULLO_CONF_ADDRESS_H

#include "util/err.h"

enum address_way {
    ADDRESS_SEALED, /* wss (and https, which means the same) */
    ADDRESS_NEAR,   /* ws or http to this machine or a private network: a loopback, private,
                       link-local or   shared address (RFC 1918, 4193, 3927, 4291, 6598), a name
                       without   a dot, or   one under localhost, local, internal or home.arpa */
    ADDRESS_OPEN,   /* ... to anywhere else: everybody on the way hears it all */
};

/* Looks at a URL. *way, and its host into host[0..size) (cut off when it is longer). `whose` begins
 * the messages. -EINVAL (STATUS_USAGE) when it is none, is of another scheme, or
 * has a password in it; -ENOMEM. */
int address_check(const char *url, enum address_way *way, char *host, unsigned size,
                  const char *whose, struct err *e);

#endif
