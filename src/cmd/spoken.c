#include "cmd/spoken.h"

#include <string.h>

static bool streams(const struct spoken *s)
{
    return s->file != NULL && strcmp(s->file, "-") == 0;
}

void spoken_begin(struct spoken *s, const char *file, bool force)
{
    *s = (struct spoken){.file = file, .force = force, .writer = s->writer};
}

int spoken_add(struct spoken *s, const struct session_event *ev, struct err *e)
{
    int rc = 0;

    if (s->file == NULL || s->mute)
        return 0;
    if (s->writer == NULL)
        rc = audiowriter_open(&s->writer, s->file, ev->rate_hz, s->force, e);
    if (rc == 0)
        rc = audiowriter_write(s->writer, ev->samples, ev->count, e);
    s->wrote = rc == 0;
    if (rc == 0)
        return 0;
    audiowriter_abandon(s->writer);
    s->writer = NULL;
    s->mute = true;
    return rc;
}

int spoken_end(struct spoken *s, bool last, struct err *e)
{
    int rc;

    if (s->writer == NULL || (streams(s) && !last))
        return 0;
    rc = audiowriter_finish(s->writer, e);
    s->writer = NULL;
    s->wrote &= rc == 0;
    return rc;
}

void spoken_cut_short(struct spoken *s)
{
    struct err error;

    if (s->writer == NULL)
        return;
    if (streams(s)) {
        (void)audiowriter_finish(s->writer, &error);
    } else {
        audiowriter_abandon(s->writer);
        s->wrote = false;
    }
    s->writer = NULL;
}
