#include "models/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1 << 20 };

static int hash_all(int fd, EVP_MD_CTX *context, const atomic_int *cancel)
{
    char *block = malloc(BLOCK_BYTES);
    int rc = block != NULL ? 0 : -ENOMEM;

    while (rc == 0) {
        ssize_t n = read(fd, block, BLOCK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        if (n < 0)
            rc = -errno;
        else if (!EVP_DigestUpdate(context, block, (size_t)n))
            rc = -EIO;
        else if (cancel != NULL && atomic_load(cancel) != 0)
            rc = -ECANCELED;
    }
    free(block);
    return rc;
}

int digest_file(const char *path, char out[SHA256_TEXT], const atomic_int *cancel)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    EVP_MD_CTX *context = NULL;
    /* Never wait for a writer if somebody put a pipe in the file's place. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

    out[0] = '\0';
    if (fd < 0)
        return -errno;
    context = EVP_MD_CTX_new();
    rc = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) ? 0 : -ENOMEM;
    if (rc == 0)
        rc = hash_all(fd, context, cancel);
    if (rc == 0 && (!EVP_DigestFinal_ex(context, hash, &n) || n != 32))
        rc = -EIO;
    for (unsigned int i = 0; rc == 0 && i < n; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
        out[2 * i + 2] = '\0';
    }
    EVP_MD_CTX_free(context);
    close(fd);
    return rc;
}

int digest_check(const char *path, uint64_t bytes, const char *sha256, const atomic_int *cancel)
{
    char hash[SHA256_TEXT];
    struct stat st;
    int rc;

    if (stat(path, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes)
        return -EBADMSG;
    rc = digest_file(path, hash, cancel);
    if (rc < 0)
        return rc;
    return strcmp(hash, sha256) == 0 ? 0 : -EBADMSG;
}
