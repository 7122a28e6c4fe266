#include "local/transcript.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

enum {
    FRAME = 480,         /* 30 ms */
    SHORTEST = 1600,     /* 100 ms */
    SILENCE_PEAK = 16,   /* -66 dBFS: words were still right at a peak of 20 */
    LONGEST_PHRASE = 16, /* words */
    MOST_WORDS = 1024,
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Levels of speech differ by tens of decibels; those of noise, hum and tones by less than 3. */
static bool level_moves(const int16_t *x, size_t n)
{
    size_t frames = n / FRAME;
    double *power = malloc(frames * sizeof *power);
    bool moves;

    if (power == NULL)
        return true;
    for (size_t f = 0; f < frames; f++) {
        power[f] = 1;
        for (size_t i = 0; i < FRAME; i++)
            power[f] += (double)x[f * FRAME + i] * x[f * FRAME + i];
    }
    qsort(power, frames, sizeof *power, by_size);
    moves = power[frames - 1] > 2 * power[frames / 10];
    free(power);
    return moves;
}

bool transcript_possible(const int16_t *x, size_t n)
{
    size_t i = 0;

    if (n < SHORTEST)
        return false;
    while (i < n && abs(x[i]) < SILENCE_PEAK)
        i++;
    return i < n && level_moves(x, n);
}

/* U+2669 to U+266C: the model's word for music. */
static void drop_music(char *s)
{
    char *to = s;

    while (*s != '\0') {
        unsigned cp = 0;
        size_t n = text_utf8(s, strlen(s), &cp);
        if (n == 0)
            n = 1;
        if (cp < 0x2669 || cp > 0x266c) {
            memmove(to, s, n);
            to += n;
        }
        s += n;
    }
    *to = '\0';
}

struct word {
    const char *s;
    size_t n;
};

static size_t split(const char *s, struct word *words, size_t most)
{
    size_t count = 0;

    while (count < most) {
        s += strspn(s, " \t\n");
        if (*s == '\0')
            break;
        words[count].s = s;
        words[count].n = strcspn(s, " \t\n");
        s += words[count++].n;
    }
    return count;
}

static bool same(const struct word *a, const struct word *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].n != b[i].n || strncmp(a[i].s, b[i].s, a[i].n) != 0)
            return false;
    return true;
}

/* "no no no no" may be meant; a longer phrase four times in a row, or one word eight times, is the
 * decoder going round in circles, and nothing that follows can be believed. */
static void cut_loop(char *s)
{
    struct word words[MOST_WORDS];
    size_t count = split(s, words, MOST_WORDS);

    for (size_t at = 0; at < count; at++) {
        for (size_t len = 1; len <= LONGEST_PHRASE; len++) {
            size_t times = 1;
            while (at + (times + 1) * len <= count &&
                   same(words + at, words + at + times * len, len))
                times++;
            if (times >= (len == 1 ? 8 : 4)) {
                const struct word *end = &words[at + len - 1];
                s[(size_t)(end->s - s) + end->n] = '\0';
                return;
            }
        }
    }
}

static bool has_word(const char *s)
{
    while (*s != '\0' && !isalnum((unsigned char)*s) && (unsigned char)*s < 0x80)
        s++;
    return *s != '\0';
}

void transcript_tidy(char *s)
{
    size_t skip, n;

    text_clean(s);
    drop_music(s);
    cut_loop(s);
    skip = strspn(s, " \t\n");
    n = strlen(s + skip);
    memmove(s, s + skip, n + 1);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = '\0';
    if (!has_word(s))
        s[0] = '\0';
}
