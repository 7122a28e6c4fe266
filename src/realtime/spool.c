#include "realtime/spool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "util/path.h"

enum { BLOCK = 1 << 14 };

/* [begin, turn) is in memory, [turn, end) in the file. Both are rings: a sample's place follows
 * from its position. While the file holds anything, whatever comes goes there. */
struct spool {
    size_t memory, most; /* samples */
    uint64_t begin, turn, end;
    uint64_t base; /* what stands at the file's beginning, in its first round */
    int fd;        /* -1: none */
    size_t block_count;
    int16_t *blocks[]; /* NULL: not in use */
};

int spool_new(struct spool **out, const struct spool_config *config)
{
    size_t memory = config != NULL && config->memory > 0 ? config->memory : (size_t)1 << 21;
    size_t most = config != NULL && config->most > 0 ? config->most : (size_t)7200 * BACKEND_HZ;
    size_t blocks;
    struct spool *s;

    *out = NULL;
    if (memory > most)
        memory = most;
    blocks = memory / BLOCK + 2; /* the first and the last one may be in use in part */
    s = calloc(1, sizeof *s + blocks * sizeof *s->blocks);
    if (s == NULL)
        return -ENOMEM;
    s->memory = memory;
    s->most = most;
    s->block_count = blocks;
    s->fd = -1;
    *out = s;
    return 0;
}

static int16_t **block_of(struct spool *s, uint64_t at)
{
    return &s->blocks[at / BLOCK % s->block_count];
}

static void free_file(struct spool *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void spool_free(struct spool *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->block_count; i++)
        free(s->blocks[i]);
    free_file(s);
    free(s);
}

uint64_t spool_begin(const struct spool *s)
{
    return s->begin;
}

uint64_t spool_end(const struct spool *s)
{
    return s->end;
}

/* --- in */

/* Memory for [at, at + n). What stays unused after an error is used by the next samples. */
static int reserve(struct spool *s, uint64_t at, size_t n)
{
    for (uint64_t b = at / BLOCK; n > 0 && b <= (at + n - 1) / BLOCK; b++) {
        int16_t **block = block_of(s, b * BLOCK);
        if (*block == NULL && (*block = malloc(BLOCK * sizeof **block)) == NULL)
            return -ENOMEM;
    }
    return 0;
}

static void remember(struct spool *s, uint64_t at, const int16_t *x, size_t n)
{
    while (n > 0) {
        size_t from = (size_t)(at % BLOCK), count = BLOCK - from < n ? BLOCK - from : n;
        memcpy(*block_of(s, at) + from, x, count * sizeof *x);
        at += count;
        x += count;
        n -= count;
    }
}

static int put_at(int fd, const void *bytes, size_t n, off_t at)
{
    const char *from = bytes;

    while (n > 0) {
        ssize_t done = pwrite(fd, from, n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -ENOSPC;
        from += done;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

static int store(struct spool *s, uint64_t at, const int16_t *x, size_t n)
{
    const char *dir;
    int rc = s->fd < 0 ? path_unnamed(&s->fd, &dir, NULL) : 0;

    if (s->turn == s->end)
        s->base = at;
    while (rc == 0 && n > 0) {
        size_t from = (size_t)((at - s->base) % s->most),
               count = s->most - from < n ? s->most - from : n;
        rc = put_at(s->fd, x, count * sizeof *x, (off_t)(from * sizeof *x));
        at += count;
        x += count;
        n -= count;
    }
    return rc;
}

int spool_add(struct spool *s, const int16_t *x, size_t n)
{
    size_t kept = (size_t)(s->end - s->begin), remembered = 0;
    int rc;

    if (n > s->most)
        return -EINVAL;
    if (n > s->most - kept) {
        spool_drop(s, s->end + n - s->most);
        kept = (size_t)(s->end - s->begin);
    }
    if (s->turn == s->end) {
        remembered = s->memory - (kept < s->memory ? kept : s->memory);
        if (remembered > n)
            remembered = n;
    }
    rc = reserve(s, s->end, remembered);
    if (rc == 0 && remembered < n)
        rc = store(s, s->end + remembered, x + remembered, n - remembered);
    if (rc < 0) {
        if (s->turn == s->end)
            free_file(s);
        return rc;
    }
    remember(s, s->end, x, remembered);
    s->turn += remembered;
    s->end += n;
    return 0;
}

/* --- out */

/* What the disk does not give back is silence: positions stay true. */
static void fetch(const struct spool *s, size_t from, int16_t *x, size_t n)
{
    size_t bytes = n * sizeof *x, done = 0;

    while (done < bytes) {
        ssize_t got =
            pread(s->fd, (char *)x + done, bytes - done, (off_t)(from * sizeof *x + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    memset((char *)x + done, 0, bytes - done);
}

size_t spool_read(const struct spool *s, uint64_t at, int16_t *x, size_t n)
{
    size_t done = 0;

    if (at < s->begin || at >= s->end)
        return 0;
    if (n > s->end - at)
        n = (size_t)(s->end - at);
    while (done < n) {
        bool filed = at >= s->turn;
        size_t from = (size_t)(filed ? (at - s->base) % s->most : at % BLOCK);
        size_t count = (filed ? s->most : BLOCK) - from;
        if (count > n - done)
            count = n - done;
        if (!filed && count > s->turn - at)
            count = (size_t)(s->turn - at);
        if (filed)
            fetch(s, from, x + done, count);
        else
            memcpy(x + done, s->blocks[at / BLOCK % s->block_count] + from, count * sizeof *x);
        done += count;
        at += count;
    }
    return n;
}

void spool_drop(struct spool *s, uint64_t before)
{
    if (before > s->end)
        before = s->end;
    if (before <= s->begin)
        return;
    for (uint64_t at = s->begin / BLOCK * BLOCK; at + BLOCK <= before && at < s->turn;
         at += BLOCK) {
        free(*block_of(s, at));
        *block_of(s, at) = NULL;
    }
    s->begin = before;
    if (s->turn < before)
        s->turn = before;
    if (s->begin == s->end) {
        s->turn = s->end;
        free_file(s);
    }
}
