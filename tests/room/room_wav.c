#include "room_wav.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "room_dsp.h"

#define WAV_MAX ((size_t)256 << 20)

static uint32_t le(const unsigned char *p, int bytes)
{
    uint32_t x = 0;

    while (bytes-- > 0)
        x = x << 8 | p[bytes];
    return x;
}

static int read_all(unsigned char **data, size_t *size, const char *file)
{
    FILE *f = fopen(file, "re");
    int ret = 0;
    long end;

    *data = NULL;
    if (f == NULL)
        return -errno;
    if (fseek(f, 0, SEEK_END) != 0 || (end = ftell(f)) < 0 || (size_t)end > WAV_MAX ||
        fseek(f, 0, SEEK_SET) != 0) {
        fclose(f);
        return -EFBIG;
    }
    *size = (size_t)end;
    *data = malloc(*size + 1);
    if (*data == NULL)
        ret = -ENOMEM;
    else if (fread(*data, 1, *size, f) != *size)
        ret = -EIO;
    fclose(f);
    return ret;
}

struct wav {
    int channels, rate_hz;
    const unsigned char *data;
    size_t bytes;
};

static int parse(const unsigned char *p, size_t size, struct wav *w)
{
    size_t at = 12, n;

    memset(w, 0, sizeof *w);
    if (size < 12 || memcmp(p, "RIFF", 4) != 0 || memcmp(p + 8, "WAVE", 4) != 0)
        return -EINVAL;
    while (at + 8 <= size && w->data == NULL) {
        n = le(p + at + 4, 4);
        if (n > size - at - 8)
            n = size - at - 8;
        if (memcmp(p + at, "fmt ", 4) == 0 && n >= 16) {
            if (le(p + at + 8 + 14, 2) != 16)
                return -EINVAL;
            w->channels = (int)le(p + at + 8 + 2, 2);
            w->rate_hz = (int)le(p + at + 8 + 4, 4);
        } else if (memcmp(p + at, "data", 4) == 0) {
            w->data = p + at + 8;
            w->bytes = n;
        }
        at += 8 + n + (n & 1);
    }
    return w->data != NULL && w->channels > 0 && w->channels <= 32 ? 0 : -EINVAL;
}

int room_wav_load(float **x, size_t *n, const char *file, int rate_hz, char *why, size_t size)
{
    unsigned char *data = NULL;
    float *raw = NULL;
    struct wav w = {0};
    size_t bytes = 0, i, m;
    int ret;

    *x = NULL;
    *n = 0;
    ret = read_all(&data, &bytes, file);
    if (ret == 0)
        ret = parse(data, bytes, &w);
    if (ret < 0)
        goto out;
    m = w.bytes / (2 * (size_t)w.channels);
    raw = malloc((m + 1) * sizeof *raw);
    ret = -ENOMEM;
    if (raw == NULL)
        goto out;
    for (i = 0; i < m; i++)
        raw[i] = (float)(int16_t)le(w.data + i * 2 * (size_t)w.channels, 2) / 32768;
    ret = room_resample(x, n, raw, m, w.rate_hz, rate_hz);
out:
    if (ret < 0)
        snprintf(why, size, "cannot read '%s' as a 16-bit WAV file: %s", file, strerror(-ret));
    free(raw);
    free(data);
    return ret;
}
