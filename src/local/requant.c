#include "local/requant.h"

#if HULLO_LOCAL

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <gguf.h>
#include <llama.h>

#include "util/os.h"
#include "util/path.h"

int requant_path(char **out, const char *file)
{
    const char *slash = strrchr(file, '/'), *base = slash != NULL ? slash + 1 : file;
    char name[512];
    struct stat st;
    char *dir;
    int rc;

    *out = NULL;
    if (stat(file, &st) != 0)
        return -errno;
    snprintf(name, sizeof name, "%.300s.%jd.%" PRId64 ".q4_0.gguf", base, (intmax_t)st.st_size,
             os_modified_ns(&st));
    rc = path_cache(&dir, "faster");
    if (rc == 0)
        rc = path_join(out, dir, name);
    free(dir);
    return rc;
}

static bool worth_it(const char *file)
{
    struct gguf_context *g =
        gguf_init_from_file(file, (struct gguf_init_params){.no_alloc = true, .ctx = NULL});
    bool slow = false;

    for (int64_t i = 0; g != NULL && !slow && i < gguf_get_n_tensors(g); i++)
        slow = gguf_get_tensor_type(g, i) == GGML_TYPE_Q5_0;
    gguf_free(g);
    return slow;
}

/* Room for the copy, and as much again for others. */
static bool has_room(const char *dir, const char *file)
{
    struct statvfs v;
    struct stat st;

    return statvfs(dir, &v) == 0 && stat(file, &st) == 0 &&
           (uintmax_t)v.f_bavail * v.f_frsize > 2 * (uintmax_t)st.st_size;
}

/* With the part open and locked. */
static int fill_part(int fd, const char *file, const char *part, const char *copy, int threads)
{
    struct llama_model_quantize_params params = llama_model_quantize_default_params();

    params.nthread = threads;
    params.ftype = LLAMA_FTYPE_MOSTLY_Q4_0;
    params.allow_requantize = true;
    if (llama_model_quantize(file, part, &params) != 0 || fsync(fd) != 0)
        return -EIO;
    return rename(part, copy) == 0 ? 0 : -errno;
}

/* Writes beside the copy and renames, so that it is there whole or not at all. The part has one
 * name: what a program that was ended in the middle left behind is written over by the next. */
static int write_copy(const char *file, const char *copy, int threads)
{
    size_t size = strlen(copy) + sizeof ".part";
    char *part = malloc(size);
    int fd = -1, rc = -ENOMEM;

    if (part == NULL)
        return rc;
    snprintf(part, size, "%s.part", copy);
    fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        rc = -errno; /* EWOULDBLOCK: another hullo is at it */
        goto out;
    }
    rc = access(copy, R_OK) == 0 ? 0 : fill_part(fd, file, part, copy, threads);
    unlink(part);
out:
    if (fd >= 0)
        close(fd);
    free(part);
    return rc;
}

static int make_copy(const char *file, const char *copy, int threads, const struct log *log)
{
    struct err e = {0};
    char *dir = strdup(copy), *slash = dir != NULL ? strrchr(dir, '/') : NULL;
    int rc = -ENOMEM;

    if (slash == NULL)
        goto out;
    *slash = '\0';
    rc = path_mkdirs(dir, &e);
    if (rc == 0 && !has_room(dir, file))
        rc = -ENOSPC;
    if (rc < 0)
        goto out;
    log_info(log, "note: the language model is brought into a form that is faster here: only this "
                  "once, some seconds");
    rc = write_copy(file, copy, threads);
out:
    if (rc < 0)
        log_debug(log, "no faster copy of '%s': %s", file, strerror(-rc));
    free(dir);
    return rc;
}

char *requant_copy(const char *file, int threads, const struct log *log)
{
    char *copy;

    if (requant_path(&copy, file) < 0)
        return NULL;
    if (access(copy, R_OK) == 0)
        return copy;
    if (worth_it(file) && make_copy(file, copy, threads, log) == 0)
        return copy;
    free(copy);
    return NULL;
}

#endif
