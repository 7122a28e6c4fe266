/* fetch - models on a terminal: with a progress line, licences shown, Ctrl-C heard. */
#ifndef HULLO_CMD_FETCH_H
#define HULLO_CMD_FETCH_H

#include "cmd/cmd.h"
#include "models/models.h"

/* Fetches these models (indices), going on after one fails. STATUS_DONE; STATUS_PARTLY when some of
 * several failed, which the log then told; else the error's status, with *e. */
enum status fetch_models(const struct app *app, const struct models *m, const size_t *indices,
                         size_t count, struct err *e);

/* For commands that need models: makes sure that the standard models in these roles (a set of
 * 1u << MODEL_...) are there. When some are missing it fetches them if --yes was given or somebody
 * at the terminal says so; with nobody to ask, or with --no-input, it fetches nothing:
 * STATUS_NO_MODEL, and *e says what to run. */
enum status fetch_missing(const struct app *app, const struct models *m, unsigned roles,
                          struct err *e);

#endif
