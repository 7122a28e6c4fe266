#include "util/columns.h"

#include <stdbool.h>

#include "util/text.h"

struct range {
    unsigned first, last;
};

static const struct range unseen[] = {
    {0x0300, 0x036f},   {0x0483, 0x0489},   {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2},
    {0x05c4, 0x05c5},   {0x0610, 0x061a},   {0x064b, 0x065f}, {0x0670, 0x0670}, {0x06d6, 0x06dc},
    {0x06df, 0x06e4},   {0x06e7, 0x06e8},   {0x06ea, 0x06ed}, {0x0900, 0x0902}, {0x093a, 0x093a},
    {0x093c, 0x093c},   {0x0941, 0x0948},   {0x094d, 0x094d}, {0x0951, 0x0957}, {0x0981, 0x0981},
    {0x09bc, 0x09bc},   {0x09c1, 0x09c4},   {0x09cd, 0x09cd}, {0x0a01, 0x0a02}, {0x0a3c, 0x0a51},
    {0x0a81, 0x0a82},   {0x0abc, 0x0abc},   {0x0ac1, 0x0acd}, {0x0b82, 0x0b82}, {0x0bc0, 0x0bc0},
    {0x0bcd, 0x0bcd},   {0x0c3e, 0x0c40},   {0x0c46, 0x0c56}, {0x0cbc, 0x0cbc}, {0x0ccc, 0x0ccd},
    {0x0d41, 0x0d44},   {0x0d4d, 0x0d4d},   {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},
    {0x0eb1, 0x0eb1},   {0x0eb4, 0x0ebc},   {0x0ec8, 0x0ece}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
    {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x2064}, {0x20d0, 0x20f0}, {0x302a, 0x302d},
    {0x3099, 0x309a},   {0xfe00, 0xfe0f},   {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff},
    {0xe0001, 0xe007f}, {0xe0100, 0xe01ef},
};

static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x26bd, 0x26be},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x2728, 0x2728},   {0x274c, 0x274c},   {0x2753, 0x2755},   {0x2795, 0x2797},
    {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf},
    {0x1f18e, 0x1f19a}, {0x1f200, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7eb},
    {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
};

static bool within(const struct range *ranges, size_t count, unsigned cp)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (cp > ranges[mid].last)
            low = mid + 1;
        else
            high = mid;
    }
    return low < count && cp >= ranges[low].first;
}

int columns_of(unsigned cp)
{
    if (cp < 0x300)
        return 1;
    if (within(unseen, sizeof unseen / sizeof *unseen, cp))
        return 0;
    return within(wide, sizeof wide / sizeof *wide, cp) ? 2 : 1;
}

/* The character at s: its bytes, and how wide it is. */
static size_t next(const char *s, size_t n, size_t *width)
{
    unsigned cp = '?';
    size_t bytes = text_utf8(s, n, &cp);

    *width = bytes > 0 ? (size_t)columns_of(cp) : 1;
    return bytes > 0 ? bytes : 1;
}

size_t columns(const char *s, size_t n)
{
    size_t sum = 0, width;

    for (size_t i = 0; i < n; sum += width)
        i += next(s + i, n - i, &width);
    return sum;
}

size_t columns_within(const char *s, size_t n, size_t most)
{
    size_t at = 0, sum = 0, width, bytes;

    for (; at < n; at += bytes, sum += width) {
        bytes = next(s + at, n - at, &width);
        if (sum + width > most)
            break;
    }
    return at;
}

size_t columns_end(const char *s, size_t n, size_t most)
{
    size_t over = columns(s, n), at = 0, width;

    if (over <= most)
        return n;
    for (over -= most; at < n && over > 0;) {
        at += next(s + at, n - at, &width);
        over -= width < over ? width : over;
    }
    while (at < n) { /* not in the middle of a character with its marks */
        size_t bytes = next(s + at, n - at, &width);
        if (width > 0)
            break;
        at += bytes;
    }
    return n - at;
}
