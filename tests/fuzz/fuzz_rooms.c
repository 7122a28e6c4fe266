/* fuzz_rooms - a file of rooms.h: whatever it holds, what comes out is within the ranges that the
 * sound path relies on, and can be kept again. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <dirent.h>

#include "audio/rooms.h"
#include "util/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/hullo-fuzz-rooms-XXXXXX";
static char file[512];

static void clean_up(void)
{
    unlink(file);
    rmdir(folder);
}

/* A pair of devices whose file it is. */
static void begin(void)
{
    struct nearend_memory m = {.align = {.known = true, .delay_ms = 40}};
    DIR *dir;

    if (mkdtemp(folder) == NULL || rooms_save(&m, folder, "m", "s", NULL) != 0 ||
        (dir = opendir(folder)) == NULL)
        abort();
    for (struct dirent *d; (d = readdir(dir)) != NULL;)
        if (d->d_name[0] != '.')
            snprintf(file, sizeof file, "%s/%.255s", folder, d->d_name);
    closedir(dir);
    atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nearend_memory m;
    FILE *f;

    if (file[0] == '\0')
        begin();
    f = fopen(file, "wb");
    if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
    if (rooms_load(&m, folder, "m", "s") != 0)
        return 0;
    if (!m.align.known || !isfinite(m.align.delay_ms) || !isfinite(m.align.drift_ppm) ||
        m.n > NEAREND_RESPONSE || rooms_save(&m, folder, "m", "s", NULL) != 0)
        abort();
    return 0;
}
