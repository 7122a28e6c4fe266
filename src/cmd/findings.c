#include "cmd/findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/text.h"

void findings_add(struct findings *f, const char *about, enum finding_level level, const char *fmt,
                  ...)
{
    struct finding *one = &f->list[f->count < FINDINGS_MOST ? f->count++ : FINDINGS_MOST - 1];
    va_list args;

    *one = (struct finding){.about = about, .level = level};
    if (level == FINDING_TROUBLE)
        one->status = STATUS_FAILED;
    va_start(args, fmt);
    vsnprintf(one->text, sizeof one->text, fmt, args);
    va_end(args);
    text_line(one->text);
}

void findings_advise(struct findings *f, const char *fmt, ...)
{
    struct finding *one = &f->list[f->count - 1];
    va_list args;

    va_start(args, fmt);
    vsnprintf(one->advice, sizeof one->advice, fmt, args);
    va_end(args);
    text_line(one->advice);
}

void findings_fail(struct findings *f, enum status status)
{
    f->list[f->count - 1].level = FINDING_TROUBLE;
    f->list[f->count - 1].status = status;
}

enum status findings_status(const struct findings *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].level == FINDING_TROUBLE)
            return f->list[i].status;
    return STATUS_DONE;
}

const char *findings_level_name(enum finding_level level)
{
    static const char *const names[] = {"ok", "note", "trouble"};

    return names[level];
}
