/* unpack - one member of an archive (zip, or tar with gzip), through libarchive, or of a folder
 * that holds an archive's contents. Nothing of an archive is ever run, and no name in it becomes a
 * path of ours. Any thread; blocking. */
#ifndef HULLO_MODELS_UNPACK_H
#define HULLO_MODELS_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

/* Appends the member's bytes to fd. skip_top: `member` is named without the archive's top folder.
 * -EBADMSG when the archive is damaged, or the member is not a file of exactly `bytes` bytes;
 * -ENOENT when it has no such member; what write returns. What fd got before an error stays. */
int unpack_member(const char *archive, const char *member, bool skip_top, uint64_t bytes, int fd,
                  const _Atomic int *cancel, struct err *e);

#endif
