/* manifest - what share/models.json says, checked and as structs. For src/models only; everybody
 * else uses models.h.
 *
 * The file is one JSON object: "version" (1), "packages" and "models".
 *
 * packages: {NAME: {version, sha256, bytes, platform?, source?}}, archives of a package index.
 * - platform: the tag of a wheel that is not for "any" machine (what is in it for us is)
 * - source: true for an archive of source code; its members are named without its top folder, and
 *   its build must need one of the tools that pip.c knows
 *
 * models: [{name, title, role, licence, licence_text, standard, files}], best first in each role.
 * - role: vad, stt, llm, tts or sample
 * - licence: SPDX; licence_text: where it can be read
 *
 * files: [{name, bytes, sha256, keep?, sources}] or [{name, bytes, sha256, derive, from}].
 * - keep: false for what is only needed to derive others
 * - derive: a function of derive.h; from: the files that it reads, earlier ones with sources
 *
 * sources, tried in order: {hub, path, revision?}, or {packages: [{package, member, bytes}]}, where
 * the members' bytes, one after the other, are the file.
 *
 * Every name is checked to be a plain one before it is used in a path, an address or an argument.
 */
#ifndef HULLO_MODELS_MANIFEST_H
#define HULLO_MODELS_MANIFEST_H

#include <cJSON.h>
#include <stdatomic.h>

#include "models/models.h"

enum {
    SHA256_TEXT = 65,    /* 64 hexadecimal digits and NUL */
    FILE_INPUTS_MAX = 4, /* files that one file is derived from */
};

struct package {
    const char *name, *version;
    const char *platform; /* or NULL: for any machine */
    const char *sha256;
    uint64_t bytes;
    bool source;
};

struct member {
    const struct package *package;
    const char *path; /* in the archive */
    uint64_t bytes;
};

struct source {
    const char *hub; /* "owner/name", or NULL: from packages */
    const char *revision, *path;
    struct member *members;
    size_t member_count;
};

struct file {
    const char *name;
    const char *sha256;
    uint64_t bytes;
    bool keep;
    const char *derive; /* or NULL: from a source */
    size_t from[FILE_INPUTS_MAX], from_count;
    struct source *sources;
    size_t source_count;
};

struct model {
    struct model_info info; /* without `present` */
    struct file *files;
    size_t file_count;
};

/* What a process learns about the hub while it runs. */
struct hub_state {
    _Atomic int64_t since_ns; /* of the first request; 0: none yet */
    atomic_bool answered;     /* ever */
    atomic_bool down;         /* not to be asked again */
};

struct models {
    const struct log *log;
    cJSON *json; /* owns every string */
    char *dir;
    struct package *packages;
    size_t package_count;
    struct model *models;
    size_t count;
    struct hub_state *hub;
};

/* Fills packages and models from text[0..len); `from` names it in messages. -EINVAL, -ENOMEM; what
 * was allocated until then is for manifest_free in either case. */
int manifest_parse(struct models *m, const char *text, size_t len, const char *from, struct err *e);
void manifest_free(struct models *m);

/* The model of that name; NULL, with STATUS_USAGE in *e, when there is none. */
const struct model *manifest_find(const struct models *m, const char *name, struct err *e);

#endif
