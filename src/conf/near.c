#include "conf/near.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 31 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

static char folded(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    return c == '_' ? '-' : c;
}

/* Optimal string alignment: insertions, deletions, replacements and swapped neighbours. Case does
 * not count, nor does which of '-' and '_' joins the words. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][LONGEST + 2] = {{0}};
    size_t n = strlen(a), m = strlen(b);

    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *upper = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            char x = folded(a[i - 1]), y = folded(b[j - 1]);
            row[j] = least(up[j] + 1, row[j - 1] + 1, up[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == folded(b[j - 2]) && folded(a[i - 2]) == y &&
                upper[j - 2] + 1 < row[j])
                row[j] = upper[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

struct near near_to(const char *wanted)
{
    size_t n = strlen(wanted);

    /* One slip in a short name, up to three in a long one. */
    return (struct near){.wanted = wanted, .distance = n < 4 ? 2 : n < 8 ? 3 : 4};
}

void near_offer(struct near *n, const char *candidate)
{
    unsigned d;

    if (strlen(n->wanted) > LONGEST || strlen(candidate) > LONGEST)
        return;
    d = distance(n->wanted, candidate);
    if (d < n->distance && d < strlen(candidate)) {
        n->distance = d;
        n->best = candidate;
    }
}

const char *near_hint(const struct near *n, char *out, unsigned size)
{
    out[0] = '\0';
    if (n->best != NULL)
        snprintf(out, size, "; did you mean '%s'?", n->best);
    return out;
}
