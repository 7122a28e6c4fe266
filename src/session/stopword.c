#include "session/stopword.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define WORDS_MOST 4 /* who says more is making a turn of it */
#define WORD_BYTES 16

static bool tells_to_stop(const char *word)
{
    static const char *const words[] = {"stop",  "wait",   "no",      "hold",   "pause",
                                        "quiet", "enough", "silence", "cancel", "shut",
                                        "hush",  "excuse", "hey",     "hullo",  "sorry"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

bool stopword(const char *text)
{
    size_t words = 0;
    bool found = false;

    while (*text != '\0') {
        char word[WORD_BYTES] = "";
        size_t n = 0;
        for (; isalpha((unsigned char)*text) || *text == '\''; text++)
            if (n + 1 < sizeof word)
                word[n++] = (char)tolower((unsigned char)*text);
        if (n > 0) {
            words++;
            found |= tells_to_stop(word);
        } else {
            text++;
        }
    }
    return found && words <= WORDS_MOST;
}
