/* pip - one package from a package index, by running `python3 -m pip download`: it knows the user's
 * index, mirrors, proxies and certificates. By name, version and hash, never an address of ours. No
 * shell; what pip says is kept for the log. Nothing of the package runs: wheels are only archives,
 * and for an archive of source code pip is kept from preparing its build (see pip.c). */
#ifndef HULLO_MODELS_PIP_H
#define HULLO_MODELS_PIP_H

#include "models/fetch.h"

/* Fetches it once and moves it to `out`: the archive, or for source code a folder with its
 * contents. pip has checked its hash. -ENOTSUP: no python3 with pip (the message says how to get
 * it). -EBADMSG: the index has another hash for it. -EPROTO: any other failure of pip. -ECANCELED.
 */
int pip_download(struct fetch *x, const struct package *p, const char *out, struct err *e);

#endif
