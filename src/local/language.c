#include "local/language.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *tag, *name;
} names[] = {
    {"af", "Afrikaans"},  {"ar", "Arabic"},     {"bg", "Bulgarian"},  {"bn", "Bengali"},
    {"ca", "Catalan"},    {"cs", "Czech"},      {"cy", "Welsh"},      {"da", "Danish"},
    {"de", "German"},     {"el", "Greek"},      {"en", "English"},    {"es", "Spanish"},
    {"et", "Estonian"},   {"eu", "Basque"},     {"fa", "Persian"},    {"fi", "Finnish"},
    {"fr", "French"},     {"ga", "Irish"},      {"gl", "Galician"},   {"gu", "Gujarati"},
    {"he", "Hebrew"},     {"hi", "Hindi"},      {"hr", "Croatian"},   {"hu", "Hungarian"},
    {"hy", "Armenian"},   {"id", "Indonesian"}, {"is", "Icelandic"},  {"it", "Italian"},
    {"ja", "Japanese"},   {"ka", "Georgian"},   {"kk", "Kazakh"},     {"kn", "Kannada"},
    {"ko", "Korean"},     {"la", "Latin"},      {"lt", "Lithuanian"}, {"lv", "Latvian"},
    {"mk", "Macedonian"}, {"ml", "Malayalam"},  {"mr", "Marathi"},    {"ms", "Malay"},
    {"nb", "Norwegian"},  {"nl", "Dutch"},      {"no", "Norwegian"},  {"pa", "Punjabi"},
    {"pl", "Polish"},     {"pt", "Portuguese"}, {"ro", "Romanian"},   {"ru", "Russian"},
    {"sk", "Slovak"},     {"sl", "Slovenian"},  {"sq", "Albanian"},   {"sr", "Serbian"},
    {"sv", "Swedish"},    {"sw", "Swahili"},    {"ta", "Tamil"},      {"te", "Telugu"},
    {"th", "Thai"},       {"tl", "Tagalog"},    {"tr", "Turkish"},    {"uk", "Ukrainian"},
    {"ur", "Urdu"},       {"vi", "Vietnamese"}, {"zh", "Chinese"},
};

static size_t primary(const char *tag)
{
    return strcspn(tag, "-_");
}

const char *language_name(const char *tag)
{
    size_t n = primary(tag);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].tag) == n && strncasecmp(names[i].tag, tag, n) == 0)
            return names[i].name;
    return tag;
}

const char *language_tag(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i].name, name) == 0)
            return names[i].tag;
    return name;
}

bool language_same(const char *a, const char *b)
{
    const char *x = language_name(a), *y = language_name(b);
    size_t n = primary(x);

    return primary(y) == n && strncasecmp(x, y, n) == 0;
}
