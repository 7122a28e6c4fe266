/* digest - SHA-256 of a file, through libcrypto. Any thread; blocking. */
#ifndef HULLO_MODELS_DIGEST_H
#define HULLO_MODELS_DIGEST_H

#include <stdatomic.h>

#include "models/manifest.h"

/* Writes the hash as lower-case hexadecimal digits. *cancel (NULL is fine): -ECANCELED. -ENOENT and
 * other negative errno from reading. */
int digest_file(const char *path, char out[SHA256_TEXT], const atomic_int *cancel);

/* 0 when the file has these bytes and this hash, else -EBADMSG, or what digest_file returns. */
int digest_check(const char *path, uint64_t bytes, const char *sha256, const atomic_int *cancel);

#endif
