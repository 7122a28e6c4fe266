/* fuzz_audiofile: whatever the bytes of a recording are, it is read to an end or refused. The first
 * byte says how it is opened: 'r' as raw samples, any other as a container. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audio/audiofile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libsndfile 1.2 forgets some of its memory when an Ogg ends within its headers. What we allocate
 * has none of these in its stack. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libsndfile\nleak:libvorbis\nleak:libogg\nleak:libopus\nleak:libFLAC\n"
           "leak:libmpg123\n";
}

/* Far more than any codec makes of an input of the size that libFuzzer gives. */
#define SAMPLES_MAX ((uint64_t)1 << 28)

static void read_to_end(struct audiofile *f)
{
    struct err e = {0};
    int16_t x[4096];
    uint64_t total = 0;
    size_t n = 0;

    while (audiofile_read(f, x, sizeof x / sizeof *x, &n, &e) == 0 && n > 0) {
        total += n;
        if (n > sizeof x / sizeof *x || total > SAMPLES_MAX)
            abort();
    }
    if (audiofile_seconds(f) < -1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct log quiet = {.level = LOG_ERROR};
    struct audiofile *f;
    struct err e = {0};
    char path[64];
    int fd, raw_hz;

    if (size < 1)
        return 0;
    raw_hz = data[0] == 'r' ? 22050 : 0;
    fd = memfd_create("fuzz_audiofile", 0);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (audiofile_open(&f, path, raw_hz, &quiet, &e) == 0)
        read_to_end(f);
    else if (f != NULL || e.text[0] == '\0' || e.code >= 0 || e.status == STATUS_DONE)
        abort();
    audiofile_close(f);
    close(fd);
    return 0;
}
