#include "audio/wav.h"

#include <string.h>

#define CHUNKS_MAX 4096 /* a recorder writes a handful; more is a file that wants to waste time */

/* What writers put when they cannot know the length lies between 2 GB less a page and all ones; a
 * real recording of that size on a disk is long enough not to be claimed by accident. */
#define PLACEHOLDER_MIN 0x7ffff000u

static uint32_t get32(const unsigned char *p, bool big)
{
    return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
               : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void put32(unsigned char *p, uint32_t v, bool big)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (big ? 24 - 8 * i : 8 * i));
}

/* True when s from `at` on is nothing but whole chunks: then an empty data chunk before them is
 * really empty. Sound does not look like that. */
static bool only_chunks(const struct audiosource *s, off_t at, bool big)
{
    unsigned char h[8];

    for (int i = 0; i < CHUNKS_MAX && at < s->size; i++) {
        uint32_t n;
        if (audiosource_at(s, at, h, sizeof h) != sizeof h)
            return false;
        for (int k = 0; k < 4; k++)
            if (h[k] < ' ' || h[k] > '~')
                return false;
        n = get32(h + 4, big);
        if (n > s->size - at - 8)
            return false;
        at += 8 + (off_t)n + (n & 1);
    }
    return at >= s->size;
}

static void read_format(struct wav_info *w, const struct audiosource *s, off_t at, bool big)
{
    unsigned char f[16];

    if (audiosource_at(s, at, f, sizeof f) != sizeof f)
        return;
    w->has_format = true;
    w->channels = big ? (unsigned)(f[2] << 8 | f[3]) : (unsigned)(f[3] << 8 | f[2]);
    w->rate_hz = get32(f + 4, big);
    w->bytes_per_second = get32(f + 8, big);
}

/* The size of RF64's data, in whose own header there is only a placeholder. */
static void read_ds64(struct wav_info *w, const struct audiosource *s, off_t at)
{
    unsigned char sizes[16];

    if (audiosource_at(s, at, sizes, sizeof sizes) != sizeof sizes)
        return;
    w->claimed = (uint64_t)get32(sizes + 12, false) << 32 | get32(sizes + 8, false);
    w->size_at = at + 8;
    w->size_bytes = 8;
}

static void judge_data(struct wav_info *w, const struct audiosource *s, off_t at, bool big)
{
    uint64_t most = w->size_bytes == 8 ? INT64_MAX : UINT32_MAX - 1, size;

    w->there = (uint64_t)(s->size - at);
    if (w->there == 0)
        w->length = WAV_NO_DATA;
    else if (w->claimed == 0)
        w->length = only_chunks(s, at, big) ? WAV_NO_DATA : WAV_STREAMED;
    else if (w->claimed <= w->there && w->claimed <= most)
        w->length = WAV_TRUE;
    else
        w->length = w->claimed >= PLACEHOLDER_MIN ? WAV_STREAMED : WAV_CUT;
    size = w->length == WAV_TRUE ? w->claimed : w->there < most ? w->there : most;
    put32(w->true_size, (uint32_t)size, big);
    put32(w->true_size + 4, (uint32_t)(size >> 32), big);
}

void wav_scan(struct wav_info *out, const struct audiosource *s)
{
    unsigned char h[8];
    off_t at = 12;
    bool big, rf64;

    memset(out, 0, sizeof *out);
    out->length = WAV_NO_DATA;
    if (audiosource_at(s, 0, h, sizeof h) != sizeof h)
        return;
    big = memcmp(h, "RIFX", 4) == 0;
    rf64 = memcmp(h, "RF64", 4) == 0;
    for (int i = 0; i < CHUNKS_MAX && audiosource_at(s, at, h, sizeof h) == sizeof h; i++) {
        uint32_t n = get32(h + 4, big);
        at += 8;
        if (memcmp(h, "data", 4) == 0) {
            if (out->size_bytes == 0 || n != UINT32_MAX) {
                out->claimed = n;
                out->size_at = at - 4;
                out->size_bytes = 4;
            }
            judge_data(out, s, at, big);
            return;
        }
        if (memcmp(h, "fmt ", 4) == 0 && n >= 16)
            read_format(out, s, at, big);
        if (rf64 && i == 0 && memcmp(h, "ds64", 4) == 0 && n >= 16)
            read_ds64(out, s, at);
        at += (off_t)n + (n & 1);
    }
}

void wav_header(unsigned char out[WAV_HEADER_BYTES], int rate_hz, uint64_t data_bytes)
{
    static const unsigned char blank[WAV_HEADER_BYTES] = {'R', 'I', 'F',        'F', 0,   0,   0,
                                                          0,   'W', 'A',        'V', 'E', 'f', 'm',
                                                          't', ' ', [36] = 'd', 'a', 't', 'a'};
    bool known = data_bytes <= UINT32_MAX - WAV_HEADER_BYTES;

    memcpy(out, blank, WAV_HEADER_BYTES);
    put32(out + 4, known ? (uint32_t)data_bytes + WAV_HEADER_BYTES - 8 : UINT32_MAX, false);
    put32(out + 16, 16, false);
    put32(out + 20, 1 | 1 << 16, false); /* PCM, one channel */
    put32(out + 24, (uint32_t)rate_hz, false);
    put32(out + 28, (uint32_t)rate_hz * 2, false);
    put32(out + 32, 2 | 16 << 16, false); /* bytes a frame, bits a sample */
    put32(out + 40, known ? (uint32_t)data_bytes : UINT32_MAX, false);
}
